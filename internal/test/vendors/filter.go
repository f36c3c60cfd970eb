package vendors

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// An ident is an id: numbers are ordered by their value, other ids by their bytes.
type ident string

// compare orders two values. Nothing comes before everything; values of different types are ordered as texts.
func compare(a, b any) int {
	if a == nil || b == nil {
		return cmp.Compare(present(a), present(b))
	}
	switch x := a.(type) {
	case time.Time:
		if y, ok := b.(time.Time); ok {
			return x.Compare(y)
		}
	case bool:
		if y, ok := b.(bool); ok {
			return cmp.Compare(number(x), number(y))
		}
	}
	if x, ok := digits(a); ok {
		if y, ok := digits(b); ok {
			return cmp.Compare(x, y)
		}
	}
	return strings.Compare(textOf(a), textOf(b))
}

func present(v any) int { return number(v != nil) }

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// digits returns a value that is a whole number.
func digits(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case float64:
		return int64(v), v == float64(int64(v))
	case ident, json.Number:
		n, err := strconv.ParseInt(textOf(v), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// textOf returns a value as a text.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case ident:
		return string(v)
	case json.Number:
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// idOf returns an id as it stands in JSON: a number if it is one.
func idOf(id string) any {
	if n, err := strconv.ParseInt(id, 10, 64); err == nil && strconv.FormatInt(n, 10) == id {
		return n
	}
	return id
}

// holds applies an operator. Nothing is equal to nothing, and neither less nor greater than anything.
func holds(operator string, a, b any) bool {
	if a == nil || b == nil {
		switch operator {
		case "=":
			return a == nil && b == nil
		case "!=":
			return (a == nil) != (b == nil)
		}
		return false
	}
	c := compare(a, b)
	switch operator {
	case "=":
		return c == 0
	case "!=":
		return c != 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	case "<":
		return c < 0
	}
	return c <= 0
}

// A condition is a test of a record.
type condition func(*Record) bool

// A scanner splits the text of a query language into words, quoted texts and signs.
type scanner struct {
	tokens []token
	at     int
	// strict says that "and" and "or" may stand beside each other only in parentheses.
	strict bool
}

// A token is one part of a query.
type token struct {
	text   string
	quoted bool // it stood in single quotes
	end    bool // the text is over
}

// scan splits a text. A backslash or a second quote escapes a quote.
func scan(text string) (*scanner, error) {
	s := &scanner{}
	runes := []rune(text)
	for i := 0; i < len(runes); {
		c := runes[i]
		switch {
		case unicode.IsSpace(c):
			i++
		case c == '\'':
			value, next, err := quotedText(runes, i)
			if err != nil {
				return nil, err
			}
			s.tokens = append(s.tokens, token{text: value, quoted: true})
			i = next
		case strings.ContainsRune("(),", c):
			s.tokens = append(s.tokens, token{text: string(c)})
			i++
		case strings.ContainsRune("<>=!", c):
			j := i + 1
			for j < len(runes) && strings.ContainsRune("<>=", runes[j]) {
				j++
			}
			s.tokens = append(s.tokens, token{text: string(runes[i:j])})
			i = j
		default:
			j := i
			for j < len(runes) && !unicode.IsSpace(runes[j]) && !strings.ContainsRune("(),<>=!'", runes[j]) {
				j++
			}
			s.tokens = append(s.tokens, token{text: string(runes[i:j])})
			i = j
		}
	}
	return s, nil
}

func quotedText(runes []rune, i int) (value string, next int, err error) {
	var b strings.Builder
	for j := i + 1; j < len(runes); j++ {
		switch {
		case runes[j] == '\\' && j+1 < len(runes):
			j++
			b.WriteRune(runes[j])
		case runes[j] == '\'' && j+1 < len(runes) && runes[j+1] == '\'':
			j++
			b.WriteRune('\'')
		case runes[j] == '\'':
			return b.String(), j + 1, nil
		default:
			b.WriteRune(runes[j])
		}
	}
	return "", 0, invalidf("", "a text is not closed")
}

// peek returns the next token.
func (s *scanner) peek() token {
	if s.at < len(s.tokens) {
		return s.tokens[s.at]
	}
	return token{end: true}
}

// next returns the next token and goes on.
func (s *scanner) next() token {
	t := s.peek()
	if !t.end {
		s.at++
	}
	return t
}

// word goes on if the next tokens are these words, in any case of letters.
func (s *scanner) word(words ...string) bool {
	for i, w := range words {
		if s.at+i >= len(s.tokens) || s.tokens[s.at+i].quoted || !strings.EqualFold(s.tokens[s.at+i].text, w) {
			return false
		}
	}
	s.at += len(words)
	return true
}

// expect is word for what must come.
func (s *scanner) expect(words ...string) error {
	if !s.word(words...) {
		return invalidf("", "unexpected token: %q, expected %q", s.peek().text, strings.Join(words, " "))
	}
	return nil
}

// condition reads terms with "and", "or" and parentheses.
func (s *scanner) condition(term func() (condition, error)) (condition, error) {
	left, ands, err := s.conjunction(term)
	if err != nil {
		return nil, err
	}
	for s.word("or") {
		right, more, err := s.conjunction(term)
		if err != nil {
			return nil, err
		}
		if s.strict && (ands || more) {
			return nil, invalidf("", "unexpected token: OR")
		}
		before := left
		left = func(r *Record) bool { return before(r) || right(r) }
	}
	return left, nil
}

func (s *scanner) conjunction(term func() (condition, error)) (all condition, several bool, err error) {
	all, err = s.factor(term)
	for err == nil && s.word("and") {
		var right condition
		right, err = s.factor(term)
		before := all
		all, several = func(r *Record) bool { return before(r) && right(r) }, true
	}
	return all, several, err
}

func (s *scanner) factor(term func() (condition, error)) (condition, error) {
	if !s.word("(") {
		return term()
	}
	inner, err := s.condition(term)
	if err != nil {
		return nil, err
	}
	return inner, s.expect(")")
}

// texts reads a list of texts in parentheses.
func (s *scanner) texts() (list []string, err error) {
	if err := s.expect("("); err != nil {
		return nil, err
	}
	for {
		value := s.next()
		if !value.quoted {
			return nil, invalidf("MALFORMED_QUERY", "unexpected token: '%s'", value.text)
		}
		list = append(list, value.text)
		if !s.word(",") {
			return list, s.expect(")")
		}
	}
}
