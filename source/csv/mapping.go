package csv

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// A mapping is which column of a file goes where.
type mapping struct {
	header  []string
	id      identity
	updated int // -1 if not configured
	deleted int // -1 if not configured
	fields  []field
	unused  []string // columns that go nowhere
	guess   record.Guess
}

// A field is a contact's field and the columns that its value is made of.
type field struct {
	column  record.Column
	indexes []int
	join    string // between the values of several columns
}

// newMapping finds the configured columns in a header.
func newMapping(cfg Config, header []string) (*mapping, error) {
	if err := checkHeader(header); err != nil {
		return nil, err
	}
	m := &mapping{header: header, updated: -1, deleted: -1, guess: record.Usual(header)}
	var unknown, repeated []string
	find := func(setting, name string) int {
		i := slices.Index(header, name)
		switch {
		case i < 0:
			unknown = append(unknown, fmt.Sprintf("%s: %q", setting, name))
		case slices.Contains(header[i+1:], name):
			repeated = append(repeated, fmt.Sprintf("%q", name))
		}
		return i
	}
	if name, auto := cfg.configuredID(); name != "" && !auto {
		m.id = identity{column: find("id", name), name: name}
	}
	if cfg.Updated != "" {
		m.updated = find("updated", cfg.Updated)
	}
	if cfg.Deleted != "" {
		m.deleted = find("deleted", cfg.Deleted)
	}
	for _, column := range record.Columns(cfg.Fields) {
		m.fields = append(m.fields, field{column: column, indexes: []int{find(column.Path, column.From)}})
	}
	if len(repeated) > 0 {
		slices.Sort(repeated)
		return nil, broken(fmt.Sprintf("the first row names the column %s twice", strings.Join(slices.Compact(repeated), ", ")),
			"give every column that is used a name of its own, or leave fields out")
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

// findUnused lists the columns that go nowhere, by name.
func (m *mapping) findUnused() {
	used := map[int]bool{m.id.column: true, m.updated: true, m.deleted: true}
	for _, f := range m.fields {
		for _, i := range f.indexes {
			used[i] = true
		}
	}
	for i, name := range m.header {
		if !used[i] {
			if name == "" {
				name = fmt.Sprintf("(column %d)", i+1)
			}
			m.unused = append(m.unused, name)
		}
	}
}

func checkHeader(header []string) error {
	if slices.ContainsFunc(header, func(name string) bool { return strings.Contains(name, "\r") }) {
		return broken("the file's lines end with CR only", "save it with the line ends of Windows or Unix")
	}
	return nil
}

// takeUsual maps the columns with the usual names. Of a name that stands there more than once, a list takes every column.
func (m *mapping) takeUsual() {
	taken := map[int]bool{}
	index := func(name string) int {
		for i := range m.header {
			if m.header[i] == name && !taken[i] {
				taken[i] = true
				return i
			}
		}
		return slices.Index(m.header, name)
	}
	for _, g := range m.guess.Fields {
		if g.Join == "" {
			for _, name := range g.Columns {
				m.fields = append(m.fields, field{
					column:  record.Column{Field: g.Field, From: name, Auto: true},
					indexes: []int{index(name)},
				})
			}
			continue
		}
		f := field{column: record.Column{Field: g.Field, From: strings.Join(g.Columns, ", "), Auto: true}, join: g.Join}
		for _, name := range g.Columns {
			f.indexes = append(f.indexes, index(name))
		}
		m.fields = append(m.fields, f)
	}
	if name := m.guess.Country; name != "" {
		m.fields = append(m.fields, field{
			column: record.Column{Field: record.FieldCountry, From: name, Auto: true}, indexes: []int{slices.Index(m.header, name)},
		})
	}
}

// text returns a field's value: without space around it, without the formula that Excel keeps a text as it is with (="0791"), without
// zero bytes, and invalid UTF-8 replaced.
func text(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 3 && raw[0] == '=' && raw[1] == '"' && raw[len(raw)-1] == '"' {
		raw = bytes.ReplaceAll(raw[2:len(raw)-1], []byte(`""`), []byte(`"`))
	}
	if bytes.IndexByte(raw, 0) >= 0 {
		raw = bytes.ReplaceAll(raw, []byte{0}, nil)
	}
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	}
	return string(raw)
}

// contact makes a record's contact. Made ids are the same for records that agree: see [identity.number].
func (m *mapping) contact(row *record.Row, fields [][]byte) {
	id := ""
	if m.id.column >= 0 {
		id = text(fields[m.id.column])
	}
	row.Start(id, m.deleted >= 0 && source.IsGone(text(fields[m.deleted])))
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
	if m.id.column < 0 {
		row.Contact.ID = makeID(row, fields)
	}
}

// broken is the error of a file that cannot be served as it is.
func broken(message, hint string) error {
	return &bridge.Error{Code: bridge.CodeSourceBroken, Message: message, Hint: hint}
}
