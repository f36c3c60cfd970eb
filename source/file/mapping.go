package file

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// A mapping is which column of a version goes where.
type mapping struct {
	columns []string
	id      identity
	updated int // -1 if not configured
	deleted int // -1 if not configured
	fields  []field
	unused  []string // columns that go nowhere
	guess   record.Guess
	knows   bool // the guess is the format's, which knows
}

// A field is a contact's field and the columns that its value is made of.
type field struct {
	column  record.Column
	indexes []int
	join    string // between the values of several columns
}

// newMapping finds the configured columns in a version's.
func (f *files) newMapping(v *version) (*mapping, error) {
	cfg := f.factory.cfg
	m := &mapping{columns: v.columns, updated: -1, deleted: -1}
	m.guess, m.knows = usual(v)
	find := &columnFinder{columns: v.columns}
	if name, auto := cfg.configuredID(); name != "" && !auto {
		m.id = identity{column: find.column("id", name), name: name}
	}
	if cfg.Updated != "" {
		m.updated = find.column("updated", cfg.Updated)
	}
	if cfg.Deleted != "" {
		m.deleted = find.column("deleted", cfg.Deleted)
	}
	for _, column := range record.Columns(cfg.Fields) {
		m.fields = append(m.fields, field{column: column, indexes: []int{find.column(column.Path, column.From)}})
	}
	if err := find.err(f.name()); err != nil {
		return nil, err
	}
	if cfg.Fields.Empty() {
		m.takeUsual()
	}
	return m, f.haveDeciding(v)
}

// usual is what a version's columns mean: by what the format knows, or by their names.
func usual(v *version) (guess record.Guess, knows bool) {
	if mapper, ok := v.parts[0].table.(Mapper); ok {
		return mapper.Usual(), true
	}
	return record.Usual(v.columns), false
}

// haveDeciding is an error where a file lacks a column that decides which of its records are sent, and which of them are gone.
func (f *files) haveDeciding(v *version) error {
	if len(v.parts) == 1 {
		return nil
	}
	cfg := f.factory.cfg
	id, auto := cfg.configuredID()
	if auto {
		id = ""
	}
	for i := range v.parts {
		names := v.parts[i].columns
		for _, c := range [][2]string{{"id", id}, {"updated", cfg.Updated}, {"deleted", cfg.Deleted}} {
			if c[1] != "" && !slices.Contains(names, c[1]) {
				return Broken(fmt.Sprintf("%s has no column for %s: %q", f.label(v.files[i].name), c[0], c[1]),
					"Every file needs it. "+columnsHint(names))
			}
		}
	}
	return nil
}

// A columnFinder finds columns by their names and collects what is wrong.
type columnFinder struct {
	columns           []string
	unknown, repeated []string
}

func (c *columnFinder) column(setting, name string) int {
	i := slices.Index(c.columns, name)
	switch {
	case i < 0:
		c.unknown = append(c.unknown, fmt.Sprintf("%s: %q", setting, name))
	case slices.Contains(c.columns[i+1:], name):
		c.repeated = append(c.repeated, fmt.Sprintf("%q", name))
	}
	return i
}

func (c *columnFinder) err(name string) error {
	if len(c.repeated) > 0 {
		slices.Sort(c.repeated)
		return Broken(fmt.Sprintf("%s has the column %s twice", name, strings.Join(slices.Compact(c.repeated), ", ")),
			"Give every column that is used a name of its own, or leave fields out.")
	}
	if len(c.unknown) > 0 {
		return Broken(fmt.Sprintf("%s has no column for %s", name, strings.Join(c.unknown, ", ")), columnsHint(c.columns))
	}
	return nil
}

func columnsHint(columns []string) string {
	return "Its columns are " + strings.Join(columns, ", ") + "; names are compared letter by letter."
}

// findUnused lists the columns that go nowhere, by name.
func (m *mapping) findUnused() {
	used := map[int]bool{m.id.column: true, m.updated: true, m.deleted: true}
	for _, f := range m.fields {
		for _, i := range f.indexes {
			used[i] = true
		}
	}
	for i, name := range m.columns {
		if !used[i] {
			if name == "" {
				name = fmt.Sprintf("(column %d)", i+1)
			}
			m.unused = append(m.unused, name)
		}
	}
}

// takeUsual maps the columns with the usual names. Of a name that is there more than once, a list takes every column.
func (m *mapping) takeUsual() {
	taken := map[int]bool{}
	index := func(name string) int {
		for i := range m.columns {
			if m.columns[i] == name && !taken[i] {
				taken[i] = true
				return i
			}
		}
		return slices.Index(m.columns, name)
	}
	for _, g := range m.guess.Fields {
		if g.Join == "" {
			for _, name := range g.Columns {
				m.fields = append(m.fields, field{column: record.Column{Field: g.Field, From: name, Auto: true}, indexes: []int{index(name)}})
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
			column: record.Column{Field: record.FieldCountry, From: name, Auto: true}, indexes: []int{slices.Index(m.columns, name)},
		})
	}
}

// text returns a column's value, valid as long as the values; empty for a column that is missing, and for column -1.
func (m *mapping) text(values [][]byte, column int) string {
	if column < 0 || column >= len(values) {
		return ""
	}
	return view(trim(values[column]))
}

// Text returns a value as the engine takes it, for a format that looks at values itself: see [Record.Values].
func Text(value []byte) string { return string(trim(repair(value))) }

// view is a slice as a string: valid until the slice is used again.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// trim returns a value without space around it, and without the formula that Excel keeps a text as it is with (="0791").
func trim(raw []byte) []byte {
	if len(raw) == 0 {
		return nil
	}
	if first, last := raw[0], raw[len(raw)-1]; first <= ' ' || first >= utf8.RuneSelf || last <= ' ' || last >= utf8.RuneSelf {
		raw = bytes.TrimSpace(raw)
	}
	if len(raw) > 3 && raw[0] == '=' && raw[1] == '"' && raw[len(raw)-1] == '"' {
		raw = bytes.ReplaceAll(raw[2:len(raw)-1], []byte(`""`), []byte(`"`))
	}
	return raw
}

// repair returns a value without zero bytes, and with what is no UTF-8 replaced.
func repair(raw []byte) []byte {
	if bytes.IndexByte(raw, 0) >= 0 {
		raw = bytes.ReplaceAll(raw, []byte{0}, nil)
	}
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	}
	return raw
}

// contact makes a record's contact, valid until the next one. Made ids are the same for records that agree: see
// [identity.number].
func (m *mapping) contact(row *record.Row, values [][]byte) {
	id := m.text(values, m.id.column)
	row.Start(id, m.deleted >= 0 && source.IsGone(m.text(values, m.deleted)))
	for i := range m.fields {
		f := &m.fields[i]
		row.Set(&f.column, m.join(f, values))
	}
	if id == "" && m.id.makes() {
		row.Contact.ID = m.makeID(row, values)
	}
}

// join returns the value of a field.
func (m *mapping) join(f *field, values [][]byte) string {
	value := m.text(values, f.indexes[0])
	if len(f.indexes) == 1 {
		return value
	}
	for _, index := range f.indexes[1:] {
		if next := m.text(values, index); value == "" {
			value = next
		} else if next != "" {
			value += f.join + next
		}
	}
	return value
}

// idOf returns the id of the last record of a cursor, valid as long as its values.
func (m *mapping) idOf(row *record.Row, c *cursor) string {
	if m.id.column >= 0 && !m.id.makes() {
		return m.text(c.Values, m.id.column)
	}
	m.contact(row, c.Values)
	m.id.number(row, c.Start.Offset)
	return row.Contact.ID
}
