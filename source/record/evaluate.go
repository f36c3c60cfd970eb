package record

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/contactbridge/contactbridge/internal/cell"
)

// An evaluator runs expressions for one reader. It is used again for every record.
type evaluator struct {
	machine     vm.VM
	environment map[string]any
	budget      budget
}

// run runs a program with a record's values.
func (v *evaluator) run(e *Expression, values [][]byte, bare []bool) (any, error) {
	if v.environment == nil {
		v.environment = map[string]any{}
	}
	v.budget = budget{limits: e.limits}
	v.environment[budgetName] = &v.budget
	v.machine.MemoryBudget = uint(e.limits.Elements)
	for _, i := range e.used {
		v.environment[columnKey(i)] = e.value(values, bare, i)
	}
	result, err := v.machine.Run(e.program, v.environment)
	if err != nil {
		return nil, &FieldError{Path: e.path, Message: evaluationMessage(err)}
	}
	return result, nil
}

// value returns what a record's value of a column is in the expression. bare says which values are numbers and truth values rather than texts.
// In a column that has truth values, their texts stand for them, too.
func (e *Expression) value(values [][]byte, bare []bool, index int) any {
	value := e.cleaned(values, index)
	switch {
	case index < len(bare) && bare[index]:
		return literal(view(value))
	case e.hasTruths(index) && isTruth(value):
		return len(value) == len("true")
	}
	return decode(view(value))
}

// hasTruths reports whether the texts true and false are truth values in a column.
func (e *Expression) hasTruths(index int) bool { return index < len(e.truths) && e.truths[index] }

// isTruth reports whether a value is written as JSON's truth values are.
func isTruth(value []byte) bool { return string(value) == "true" || string(value) == "false" }

// evaluationMessage says what went wrong with a record, without the expression's text.
func evaluationMessage(err error) string {
	found, ok := errors.AsType[*file.Error](err)
	switch {
	case !ok:
		return capital(firstLine(err.Error()))
	case found.Message == "memory budget exceeded":
		return capital(errBudget.Error())
	}
	return fmt.Sprintf("%s (character %d of the expression)", capital(firstLine(found.Message)), found.From+1)
}

// cleaned returns the value of a column. A record may be shorter than the header.
func (e *Expression) cleaned(values [][]byte, index int) []byte {
	if index >= len(values) {
		return nil
	}
	value := values[index]
	if isClean(value) {
		return value
	}
	if e.clean != nil {
		return e.clean(value)
	}
	return bytes.TrimSpace(value)
}

// isClean reports whether a value surely needs no cleaning.
func isClean(value []byte) bool {
	n := len(value)
	return n == 0 || inWord[value[0]] && inWord[value[n-1]]
}

// inWord marks the letters and digits of ASCII. Never written to.
var inWord = func() (table [256]bool) {
	for c := range table {
		table[c] = '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
	}
	return table
}()

// view returns a text that shares the bytes of a buffer: see [bridge.Change] for how long it is valid.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Text returns what an expression makes of a record's values, as one text: that of a column is a view of its bytes. row is the
// contact that is being read; only what it keeps for expressions is used. The error is a [*FieldError].
func (e *Expression) Text(row *Row, values [][]byte) (string, error) {
	if e.program == nil {
		return view(e.cleaned(values, e.column)), nil
	}
	result, err := row.evaluator().run(e, values, row.Bare)
	if err != nil {
		return "", err
	}
	text, err := row.eval.budget.text(result)
	if err != nil {
		return "", &FieldError{Path: e.path, Message: capital(err.Error())}
	}
	return strings.TrimSpace(text), nil
}

// ColumnText returns the text of an expression that is a column and nothing else, a view of its bytes; for any other one ok is false.
func (e *Expression) ColumnText(values [][]byte) (text string, ok bool) {
	if e.program != nil {
		return "", false
	}
	return view(e.cleaned(values, e.column)), true
}

func (r *Row) evaluator() *evaluator {
	if r.eval == nil {
		r.eval = &evaluator{}
	}
	return r.eval
}

// set puts a result into a field of the contact. A field that is a list takes every element of a list; any other takes them
// with commas between them, but an address on the web or a country takes the first. Of a record's truth values only a custom field is made.
func (r *Row) set(c *Column, result any) error {
	if c.Field != FieldCustom {
		result = withoutTruths(result)
	}
	switch c.Field {
	case FieldPhotoURL, FieldTwitter, FieldURL, FieldCountry:
		result = firstFull(result)
	}
	b := &r.eval.budget
	if !c.IsList() {
		text, err := b.text(result)
		r.Set(c, strings.TrimSpace(text))
		return err
	}
	for _, element := range listOf(result) {
		if err := r.setElement(c, element); err != nil {
			return err
		}
	}
	return nil
}

// setElement puts an element into a list: a nested list or an object by the values that it holds.
func (r *Row) setElement(c *Column, element any) error {
	if err := r.eval.budget.step(); err != nil {
		return err
	}
	if nested, ok := element.([]any); ok {
		for _, inner := range nested {
			if err := r.setElement(c, inner); err != nil {
				return err
			}
		}
		return nil
	}
	text, err := r.eval.budget.text(element)
	if err != nil {
		return err
	}
	if _, object := element.(map[string]any); object {
		values, _ := cell.JSON(text)
		for _, value := range values {
			r.Set(c, value)
		}
		return nil
	}
	r.Set(c, strings.TrimSpace(text))
	return nil
}

// firstFull returns the first element of a list that is not empty.
func firstFull(value any) any {
	for _, element := range listOf(value) {
		if !isEmpty(element) {
			return element
		}
	}
	return nil
}
