package record

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/expr-lang/expr/parser/utils"
)

// A header is the names of a record's columns.
type header struct {
	names []string
	index map[string]int // of a name's first column
	// open says that the columns are not known yet, so that any name may be one.
	open bool
}

func newHeader(names []string) *header {
	h := &header{names: names, index: make(map[string]int, len(names))}
	for i, name := range names {
		if _, ok := h.index[name]; !ok {
			h.index[name] = i
		}
	}
	return h
}

// find returns the column of a name, or -1. It is an error if two columns have that name.
func (h *header) find(name string, at int) (int, *FieldError) {
	i, ok := h.index[name]
	switch {
	case h.open:
		return 0, nil
	case !ok:
		return -1, unknownColumn(h, name, at)
	case slices.Contains(h.names[i+1:], name):
		return -1, &FieldError{
			Message: "Two columns have the name " + strconv.Quote(name), At: at,
			Hint: "Give every column that is used a name of its own, or leave fields out.",
		}
	}
	return i, nil
}

// plain returns the column that a whole text names: its exact name, also in backticks or brackets. ok is false where the text is
// an expression.
func (h *header) plain(text string) (index int, ok bool, err *FieldError) {
	if _, ok := h.index[text]; ok {
		index, err = h.find(text, 0)
		return index, true, err
	}
	if name, ok := between(text, '`', '`'); ok && !strings.Contains(name, "`") {
		index, err = h.find(name, 0)
		return index, true, err
	}
	if name, ok := between(text, '[', ']'); ok {
		if _, ok := h.index[name]; ok {
			index, err = h.find(name, 0)
			return index, true, err
		}
	}
	return -1, false, nil
}

func between(text string, open, end byte) (string, bool) {
	if len(text) < 3 || text[0] != open || text[len(text)-1] != end {
		return "", false
	}
	return text[1 : len(text)-1], true
}

// placeholderMark begins the name that stands for a column in the text that is parsed.
const placeholderMark = 'ꞏ'

// withPlaceholders replaces the names in backticks and brackets of an expression with identifiers, of the same length so that the
// places of mistakes stay right. columns holds the column of each.
func (h *header) withPlaceholders(text string) (replaced string, columns map[string]int, err *FieldError) {
	s := nameScanner{header: h, text: []rune(text), columns: map[string]int{}}
	for s.at < len(s.text) && err == nil {
		err = s.next()
	}
	return string(s.out), s.columns, err
}

// A nameScanner looks for names in backticks and brackets outside of texts in quotes.
type nameScanner struct {
	header  *header
	text    []rune
	at      int
	out     []rune
	columns map[string]int
}

func (s *nameScanner) next() *FieldError {
	switch c := s.text[s.at]; {
	case c == '"' || c == '\'':
		s.copyTo(s.endOfQuoted(c))
	case c == '`':
		end := slices.Index(s.text[s.at+1:], '`')
		if end < 0 {
			return &FieldError{Message: "A name in backticks does not end", At: s.at + 1, Hint: "Write a backtick after the name."}
		}
		name := string(s.text[s.at+1 : s.at+1+end])
		index, err := s.header.find(name, s.at+1)
		if err != nil {
			return err
		}
		s.replace(end+2, index)
	case c == '[' && s.beginsValue():
		if index, length := s.bracketed(); length > 0 {
			s.replace(length, index)
			return nil
		}
		s.copyTo(s.at + 1)
	default:
		s.copyTo(s.at + 1)
	}
	return nil
}

func (s *nameScanner) copyTo(end int) {
	s.out = append(s.out, s.text[s.at:end]...)
	s.at = end
}

// endOfQuoted returns where a text in quotes ends.
func (s *nameScanner) endOfQuoted(quote rune) int {
	for i := s.at + 1; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			i++
		case quote:
			return i + 1
		}
	}
	return len(s.text)
}

// replace writes an identifier for a column in place of length characters.
func (s *nameScanner) replace(length, column int) {
	name := append([]rune{placeholderMark}, []rune(strconv.FormatInt(int64(column), 36))...)
	for len(name) < length {
		name = append(name, placeholderMark)
	}
	s.columns[string(name)] = column
	s.out = append(s.out, name...)
	s.at += length
}

// bracketed returns the column with its name in brackets here, and how many characters that takes; 0 if it is a list. A
// name that could stand without brackets makes a list of one value.
func (s *nameScanner) bracketed() (column, length int) {
	end := slices.Index(s.text[s.at:], ']')
	if end < 0 {
		return 0, 0
	}
	name := string(s.text[s.at+1 : s.at+end])
	if s.header.open && !utils.IsValidIdentifier(name) && !strings.ContainsAny(name, `"'`) {
		return 0, end + 1 // most likely a column
	}
	index, ok := s.header.index[name]
	if !ok || utils.IsValidIdentifier(name) || slices.Contains(s.header.names[index+1:], name) {
		return 0, 0
	}
	return index, end + 1
}

// wordsBeforeValues are the operators that are words.
var wordsBeforeValues = []string{"and", "or", "not", "in", "contains", "startsWith", "endsWith", "matches"}

// beginsValue reports whether a bracket here begins a value, and is not an index into the value before it.
func (s *nameScanner) beginsValue() bool {
	before := strings.TrimRightFunc(string(s.out), unicode.IsSpace)
	if before == "" {
		return true
	}
	if word := before[len(strings.TrimRightFunc(before, utils.IsAlphaNumeric)):]; word != "" {
		return slices.Contains(wordsBeforeValues, word)
	}
	return !strings.ContainsAny(before[len(before)-1:], `)]}"'`)
}
