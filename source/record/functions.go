package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/builtin"
)

// A function is one that expressions may use. Names that begin with $ stand for operators and cannot be written.
type function struct {
	usage       string // as it is written: "upper(text)"
	least, most int    // how many values it takes
	call        func(b *budget, values []any) (any, error)
}

// builtin makes the library's function of it: its first value is the budget.
func (f function) builtin(name string) *builtin.Function {
	return &builtin.Function{Name: name, Func: func(values ...any) (any, error) {
		b := values[0].(*budget)
		if err := b.step(); err != nil {
			return nil, err
		}
		return f.call(b, values[1:])
	}}
}

// functions are the functions of expressions, besides those of [loopFunctions].
var functions = map[string]function{
	"upper":      onText("upper(text)", strings.ToUpper),
	"lower":      onText("lower(text)", strings.ToLower),
	"trim":       onText("trim(text)", strings.TrimSpace),
	"trimPrefix": onTexts("trimPrefix(text, prefix)", strings.TrimPrefix),
	"trimSuffix": onTexts("trimSuffix(text, suffix)", strings.TrimSuffix),
	"replace":    {"replace(text, old, new)", 3, 3, replace},
	"split":      {"split(text, separator)", 2, 2, split},
	"join":       {"join(list, separator)", 1, 2, joinList},
	"concat":     {"concat(list, list, …)", 1, 100, concat},
	"first":      {"first(list)", 1, 1, func(b *budget, v []any) (any, error) { return get(listOf(v[0]), 0), nil }},
	"last":       {"last(list)", 1, 1, func(b *budget, v []any) (any, error) { return get(listOf(v[0]), -1), nil }},
	"uniq":       {"uniq(list)", 1, 1, uniq},
	"len":        {"len(list)", 1, 1, length},
	"max":        {"max(list)", 1, 1, func(b *budget, v []any) (any, error) { return extreme(b, v[0], 1) }},
	"min":        {"min(list)", 1, 1, func(b *budget, v []any) (any, error) { return extreme(b, v[0], -1) }},

	"$get":        {"", 2, 2, func(b *budget, v []any) (any, error) { return get(v[0], v[1]), nil }},
	"$slice":      {"", 3, 3, slice},
	"$list":       {"", 1, 1, func(b *budget, v []any) (any, error) { return listOf(v[0]), nil }},
	"$text":       {"", 1, 1, func(b *budget, v []any) (any, error) { return b.text(v[0]) }},
	"$true":       {"", 1, 1, func(b *budget, v []any) (any, error) { return isTrue(v[0]), nil }},
	"$test":       {"", 1, 1, func(b *budget, v []any) (any, error) { return isTrue(v[0]), nil }},
	"$each":       {"", 1, 1, func(b *budget, v []any) (any, error) { return v[0], b.takeElements(1) }},
	"$orNil":      {"", 1, 1, orNil},
	"$add":        {"", 2, 2, plus},
	"$equal":      {"", 2, 2, func(b *budget, v []any) (any, error) { return b.equal(v[0], v[1]) }},
	"$in":         {"", 2, 2, in},
	"$less":       comparison(func(order int) bool { return order < 0 }),
	"$more":       comparison(func(order int) bool { return order > 0 }),
	"$atMost":     comparison(func(order int) bool { return order <= 0 }),
	"$atLeast":    comparison(func(order int) bool { return order >= 0 }),
	"$contains":   onTexts("", strings.Contains),
	"$startsWith": onTexts("", strings.HasPrefix),
	"$endsWith":   onTexts("", strings.HasSuffix),
}

func onText(usage string, of func(string) string) function {
	return function{usage, 1, 1, func(b *budget, values []any) (any, error) {
		text, err := b.text(values[0])
		if err == nil {
			text = of(text)
			err = b.takeText(len(text))
		}
		return text, err
	}}
}

func onTexts[T any](usage string, of func(a, b string) T) function {
	return function{usage, 2, 2, func(b *budget, values []any) (any, error) {
		texts, err := b.texts(values)
		if err != nil {
			return nil, err
		}
		return of(texts[0], texts[1]), nil
	}}
}

func comparison(holds func(order int) bool) function {
	return function{"", 2, 2, func(b *budget, values []any) (any, error) {
		order, ok, err := b.compare(values[0], values[1])
		return ok && holds(order), err
	}}
}

// replace counts what it makes before it makes it.
func replace(b *budget, values []any) (any, error) {
	texts, err := b.texts(values)
	if err != nil {
		return nil, err
	}
	text, old, with := texts[0], texts[1], texts[2]
	if old == "" {
		return text, nil
	}
	if err := b.takeText(len(text) + strings.Count(text, old)*len(with)); err != nil {
		return nil, err
	}
	return strings.ReplaceAll(text, old, with), nil
}

// split keeps empty parts, so that the place of a part does not depend on the others. A list is split element by element.
func split(b *budget, values []any) (any, error) {
	separator, err := b.text(values[1])
	if err != nil {
		return nil, err
	}
	if separator == "" {
		return nil, errors.New("the separator of split is empty")
	}
	var list []any
	for _, value := range listOf(values[0]) {
		text, err := b.text(value)
		if err != nil {
			return nil, err
		}
		if err := b.takeElements(1 + strings.Count(text, separator)); err != nil {
			return nil, err
		}
		for part := range strings.SplitSeq(text, separator) {
			list = append(list, strings.TrimSpace(part))
		}
	}
	return list, nil
}

// joinList leaves out what is empty.
func joinList(b *budget, values []any) (any, error) {
	separator := ""
	if len(values) == 2 {
		var err error
		if separator, err = b.text(values[1]); err != nil {
			return nil, err
		}
	}
	return b.join(listOf(values[0]), separator)
}

func concat(b *budget, values []any) (any, error) {
	var all []any
	for _, value := range values {
		list := listOf(value)
		if err := b.takeElements(len(list)); err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// uniq leaves out the elements with a text that came before.
func uniq(b *budget, values []any) (any, error) {
	list := listOf(values[0])
	if err := b.takeElements(len(list)); err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(list))
	var kept []any
	for _, value := range list {
		text, err := b.text(value)
		if err != nil {
			return nil, err
		}
		if !seen[text] {
			seen[text] = true
			kept = append(kept, value)
		}
	}
	return kept, nil
}

// extreme returns the greatest element of a list (1) or the smallest one (-1), as < and > compare them. What is empty is left out.
func extreme(b *budget, of any, sign int) (any, error) {
	list := listOf(of)
	if err := b.takeElements(len(list)); err != nil {
		return nil, err
	}
	var found any
	for _, value := range list {
		if isEmpty(value) {
			continue
		}
		if found == nil {
			found = value
			continue
		}
		order, ok, err := b.compare(value, found)
		if err != nil {
			return nil, err
		}
		if ok && order*sign > 0 {
			found = value
		}
	}
	return found, nil
}

// length returns the number of a list's elements, or of the characters of a text or number.
func length(_ *budget, values []any) (any, error) {
	switch value := values[0].(type) {
	case string:
		return utf8.RuneCountInString(value), nil
	case json.Number:
		return len(value), nil
	}
	return len(listOf(values[0])), nil
}

// get returns an element of a list, or a value of an object; nil if it does not exist. A text is a list of one.
func get(of, key any) any {
	if object, ok := of.(map[string]any); ok {
		if name, ok := key.(string); ok {
			return object[name]
		}
	}
	index, ok := key.(int)
	if !ok {
		return nil
	}
	list := listOf(of)
	if index < 0 {
		index += len(list)
	}
	if index < 0 || index >= len(list) {
		return nil
	}
	return list[index]
}

// slice returns a part of a list, or of a text by its characters. Places beyond the ends are the ends.
func slice(b *budget, values []any) (any, error) {
	from, ok := values[1].(int)
	to, okTo := values[2].(int)
	if !ok || !okTo {
		return nil, errors.New("the places of a part must be whole numbers")
	}
	if list, ok := values[0].([]any); ok {
		from, to = within(from, len(list)), within(to, len(list))
		return list[min(from, to):to], nil
	}
	text, err := b.text(values[0])
	if err != nil {
		return nil, err
	}
	if err := b.takeText(4 * len(text)); err != nil {
		return nil, err
	}
	characters := []rune(text)
	from, to = within(from, len(characters)), within(to, len(characters))
	return string(characters[min(from, to):to]), nil
}

func within(index, length int) int {
	if index < 0 {
		index += length
	}
	return max(0, min(index, length))
}

// orNil returns nil in place of a value that ?? passes over: an empty one, and JSON's false, which often stands for an empty text.
func orNil(_ *budget, values []any) (any, error) {
	if isEmpty(values[0]) || values[0] == false {
		return nil, nil
	}
	return values[0], nil
}

// plus adds two numbers, or puts two texts together.
func plus(b *budget, values []any) (any, error) {
	if x, ok := values[0].(int); ok {
		if y, ok := values[1].(int); ok {
			return x + y, nil
		}
	}
	for _, value := range values {
		if list, ok := value.([]any); ok && len(list) > 1 {
			return nil, fmt.Errorf("+ cannot add a list of %d values: use join, first or concat", len(list))
		}
	}
	texts, err := b.texts(values)
	if err != nil {
		return nil, err
	}
	return texts[0] + texts[1], b.takeText(len(texts[0]) + len(texts[1]))
}

// in reports whether a list has an element that is equal to a value.
func in(b *budget, values []any) (any, error) {
	for _, value := range listOf(values[1]) {
		if found, err := b.equal(values[0], value); found || err != nil {
			return found, err
		}
	}
	return false, nil
}
