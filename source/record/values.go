package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The values of expressions: text (string), list ([]any), object (map[string]any), number (int, float64, and json.Number as a record has it,
// so that no digit of a phone number is lost), bool, and nil for nothing. A record's values are texts, or what their JSON holds.

// errBudget is the error of an expression that takes more than its limits.
var errBudget = errors.New("the expression takes too much with this record")

// A budget is the text, elements and time that an expression may still use for one record.
type budget struct {
	limits   Limits
	steps    int
	made     int // bytes of text
	elements int
	until    time.Time // zero until enough steps were taken to look at the clock
}

// stepsPerLook is how many steps are taken between two looks at the clock.
const stepsPerLook = 256

// step counts a call of a function.
func (b *budget) step() error {
	b.steps++
	if b.steps%stepsPerLook != 0 {
		return nil
	}
	now := time.Now()
	if b.until.IsZero() {
		b.until = now.Add(b.limits.Time)
	}
	if now.After(b.until) {
		return fmt.Errorf("%w: more than %v", errBudget, b.limits.Time)
	}
	return nil
}

func (b *budget) takeText(n int) error {
	if b.made += n; b.made > b.limits.Text {
		return fmt.Errorf("%w: more than %d bytes of text", errBudget, b.limits.Text)
	}
	return nil
}

func (b *budget) takeElements(n int) error {
	if b.elements += n; b.elements > b.limits.Elements {
		return fmt.Errorf("%w: more than %d elements", errBudget, b.limits.Elements)
	}
	return nil
}

// texts returns the texts of values.
func (b *budget) texts(values []any) ([3]string, error) {
	var texts [3]string
	for i, value := range values {
		var err error
		if texts[i], err = b.text(value); err != nil {
			return texts, err
		}
	}
	return texts, nil
}

// text returns a value as text; of a list, its elements with commas between them.
func (b *budget) text(value any) (string, error) {
	switch value := value.(type) {
	case nil:
		return "", nil
	case string:
		return value, nil
	case bool:
		return strconv.FormatBool(value), nil
	case int:
		return strconv.Itoa(value), nil
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64), nil
	case json.Number:
		return value.String(), nil
	case []any:
		return b.join(value, ", ")
	case map[string]any:
		return b.object(value)
	}
	return "", fmt.Errorf("a value of type %T has no text", value)
}

// object returns an object as JSON; an empty text where it says nothing.
func (b *budget) object(value map[string]any) (string, error) {
	if isEmpty(value) {
		return "", nil
	}
	text, err := json.Marshal(value)
	if err == nil {
		err = b.takeText(len(text))
	}
	return string(text), err
}

// join puts the texts of elements together; those that are empty are left out.
func (b *budget) join(list []any, separator string) (string, error) {
	var texts []string
	for _, value := range list {
		text, err := b.text(value)
		if err == nil {
			err = b.step()
		}
		if err != nil {
			return "", err
		}
		if text == "" {
			continue
		}
		if err := b.takeText(len(text) + len(separator)); err != nil {
			return "", err
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, separator), nil
}

// compare orders two values: as numbers where one is a number, else as texts. ok is false where they have no order.
func (b *budget) compare(x, y any) (order int, ok bool, err error) {
	if isNumber(x) || isNumber(y) {
		n, okX := number(x)
		m, okY := number(y)
		return n.compare(m), okX && okY, nil
	}
	texts, err := b.texts([]any{x, y})
	return strings.Compare(texts[0], texts[1]), err == nil, err
}

// equal reports whether two values are equal: as numbers where one is a number and the other can be read as one, else by their texts. nil is
// equal to whatever is empty.
func (b *budget) equal(x, y any) (bool, error) {
	if x == nil || y == nil {
		return isEmpty(x) && isEmpty(y), nil
	}
	if isNumber(x) || isNumber(y) {
		n, okX := number(x)
		m, okY := number(y)
		if okX && okY {
			return n.compare(m) == 0, nil
		}
	}
	texts, err := b.texts([]any{x, y})
	return texts[0] == texts[1], err
}

// listOf returns a value as a list: nothing has no element, a text or object is the only one.
func listOf(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	if isEmpty(value) {
		return nil
	}
	return []any{value}
}

// isEmpty reports whether a value says nothing.
func isEmpty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(value) == ""
	case []any:
		return !slices.ContainsFunc(value, func(element any) bool { return !isEmpty(element) })
	case map[string]any:
		for _, inner := range value {
			if !isEmpty(inner) {
				return false
			}
		}
		return true
	}
	return false
}

// isTrue returns a value as a condition reads it: a boolean is itself, anything else is true if it is not empty.
func isTrue(value any) bool {
	if truth, ok := value.(bool); ok {
		return truth
	}
	return !isEmpty(value)
}

// withoutTruths returns a value with nothing in place of truth values, within lists and objects too: Odoo's false is an empty text.
func withoutTruths(value any) any {
	switch value := value.(type) {
	case bool:
		return nil
	case []any:
		if slices.ContainsFunc(value, hasTruth) {
			kept := make([]any, len(value)) // the list may be a part of the record's
			for i, element := range value {
				kept[i] = withoutTruths(element)
			}
			return kept
		}
	case map[string]any:
		if hasTruth(value) {
			kept := make(map[string]any, len(value))
			for key, element := range value {
				if element = withoutTruths(element); element != nil {
					kept[key] = element
				}
			}
			if len(kept) == 0 {
				return nil
			}
			return kept
		}
	}
	return value
}

// hasTruth reports whether a truth value is in a value.
func hasTruth(value any) bool {
	switch value := value.(type) {
	case bool:
		return true
	case []any:
		return slices.ContainsFunc(value, hasTruth)
	case map[string]any:
		for _, element := range value {
			if hasTruth(element) {
				return true
			}
		}
	}
	return false
}

// decode returns what a record's value is in an expression: the lists and objects of JSON, or the text itself.
func decode(text string) any {
	if text == "" || text[0] != '[' && text[0] != '{' {
		return text
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return text
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return text
	}
	return value
}

// literal returns what a value of a record is that is JSON's number or truth value.
func literal(text string) any {
	switch text {
	case "true":
		return true
	case "false":
		return false
	}
	if _, ok := decimalOf(text); ok {
		return json.Number(text)
	}
	return text
}
