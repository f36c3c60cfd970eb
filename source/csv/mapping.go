package csv

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// A mapping is which column of a file goes where.
type mapping struct {
	header  []string
	id      int
	updated int // -1 if not configured
	deleted int // -1 if not configured
	fields  []field
	guess   source.Guess
}

// A field is a contact's field and the columns that its value is made of.
type field struct {
	column  keyset.Column
	indexes []int
	join    string // between the values of several columns
}

// newMapping finds the configured columns in a header.
func newMapping(cfg Config, header []string) (*mapping, error) {
	if err := checkHeader(header); err != nil {
		return nil, err
	}
	m := &mapping{header: header, updated: -1, deleted: -1, guess: source.Usual(header)}
	var unknown []string
	find := func(setting, name string) int {
		i := slices.Index(header, name)
		if i < 0 {
			unknown = append(unknown, fmt.Sprintf("%s: %q", setting, name))
		}
		return i
	}
	m.id = find("id", cfg.ID)
	if cfg.Updated != "" {
		m.updated = find("updated", cfg.Updated)
	}
	if cfg.Deleted != "" {
		m.deleted = find("deleted", cfg.Deleted)
	}
	for _, column := range keyset.Columns(cfg.Fields) {
		m.fields = append(m.fields, field{column: column, indexes: []int{find(column.Path, column.From)}})
	}
	if len(unknown) > 0 {
		return nil, broken(fmt.Sprintf("the file has no column for %s", strings.Join(unknown, ", ")),
			"its columns are "+strings.Join(header, ", ")+"; names are compared letter by letter")
	}
	if cfg.Fields.Empty() {
		m.takeUsual()
	}
	return m, nil
}

func checkHeader(header []string) error {
	if slices.ContainsFunc(header, func(name string) bool { return strings.Contains(name, "\r") }) {
		return broken("the file's lines end with CR only", "save it with the line ends of Windows or Unix")
	}
	seen := map[string]bool{}
	for _, name := range header {
		if name != "" && seen[name] {
			return broken(fmt.Sprintf("the first row names the column %q twice", name), "give every column a name of its own")
		}
		seen[name] = true
	}
	return nil
}

// takeUsual maps the columns with the usual names.
func (m *mapping) takeUsual() {
	for _, g := range m.guess.Fields {
		if g.Join == "" {
			for _, name := range g.Columns {
				m.fields = append(m.fields, field{
					column:  keyset.Column{Field: g.Field, From: name, Auto: true},
					indexes: []int{slices.Index(m.header, name)},
				})
			}
			continue
		}
		f := field{column: keyset.Column{Field: g.Field, From: strings.Join(g.Columns, ", "), Auto: true}, join: g.Join}
		for _, name := range g.Columns {
			f.indexes = append(f.indexes, slices.Index(m.header, name))
		}
		m.fields = append(m.fields, f)
	}
	if name := m.guess.Country; name != "" {
		m.fields = append(m.fields, field{
			column: keyset.Column{Field: source.FieldCountry, From: name, Auto: true}, indexes: []int{slices.Index(m.header, name)},
		})
	}
}

// text is a field's value: without space around it, without zero bytes, and what is no UTF-8 replaced.
func text(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	if bytes.IndexByte(raw, 0) >= 0 {
		raw = bytes.ReplaceAll(raw, []byte{0}, nil)
	}
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	}
	return string(raw)
}

// contact makes a record's contact.
func (m *mapping) contact(row *keyset.Row, fields [][]byte) {
	row.Start(text(fields[m.id]), m.deleted >= 0 && isTrue(text(fields[m.deleted])))
	for i := range m.fields {
		f := &m.fields[i]
		value := text(fields[f.indexes[0]])
		for _, index := range f.indexes[1:] {
			if next := text(fields[index]); value == "" {
				value = next
			} else if next != "" {
				value += f.join + next
			}
		}
		row.Set(&f.column, value)
	}
}

// isTrue reports whether a deleted column says that a contact is gone.
func isTrue(value string) bool {
	switch strings.ToLower(value) {
	case "", "0", "f", "false", "n", "no", "null":
		return false
	}
	return true
}

// broken is the error of a file that cannot be served as it is.
func broken(message, hint string) error {
	return &bridge.Error{Code: bridge.CodeSourceBroken, Message: message, Hint: hint}
}
