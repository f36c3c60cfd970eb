package file

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// A mapping says what of a record goes where.
type mapping struct {
	columns []string
	fields  *record.Mapper
	id      identity
	updated *record.Expression // nil if not configured
	deleted *record.Expression // nil if not configured
	knows   bool               // the usual columns are those that the format knows
	whole   bool               // a column that is used may hold objects, whose values are columns too
}

// newMapping compiles the configuration over a version's columns. A version in which no file has columns holds no records: it has
// those that are configured.
func (f *files) newMapping(v *version) (*mapping, error) {
	m, err := f.compile(v)
	for v.isEmpty() && v.addUnknown(err) {
		m, err = f.compile(v)
	}
	if err != nil {
		return nil, f.unfit(f.name(), v, err)
	}
	if err := f.haveDeciding(v, m); err != nil {
		return nil, err
	}
	if f.factory.looking {
		return m, nil
	}
	return m, f.haveSome(v, m)
}

// isEmpty reports whether no file has columns.
func (v *version) isEmpty() bool {
	return !slices.ContainsFunc(v.parts, func(p part) bool { return len(p.columns) > 0 })
}

// addUnknown adds the columns that are unknown by an error of the compiler. It reports whether there was one.
func (v *version) addUnknown(err error) (added bool) {
	for _, mistake := range record.FieldErrors(err) {
		if mistake.Column != "" && !slices.Contains(v.columns, mistake.Column) {
			v.columns, added = append(v.columns, mistake.Column), true
		}
	}
	return added
}

// compile compiles the configuration over the columns that a version has.
func (f *files) compile(v *version) (*mapping, error) {
	cfg, m := f.factory.cfg, &mapping{columns: v.columns}
	m.whole = f.factory.traits.Nested && !cfg.Fields.Empty()
	compiler := f.factory.compiler()
	compiler.Truths = v.truths()
	if mapper, ok := v.parts[0].table.(Mapper); ok {
		guess := mapper.Usual()
		compiler.Guess, m.knows = &guess, true
	}
	var wrong []error
	compile := func(key, text string) *record.Expression {
		if text == "" {
			return nil
		}
		e, err := compiler.Expression(key, text, v.columns)
		wrong = append(wrong, err)
		return e
	}
	if cfg.ID != autoID {
		m.id = identity{expression: compile("id", cfg.ID), name: cfg.ID}
	}
	m.updated, m.deleted = compile("updated", cfg.Updated), compile("deleted", cfg.Deleted)
	var err error
	m.fields, err = compiler.Mapper(cfg.Fields, v.columns)
	return m, errors.Join(append(wrong, err)...)
}

// truths says of each column whether a file has truth values in it; nil if no format knows truth values.
func (v *version) truths() []bool {
	var truths []bool
	for _, p := range v.parts {
		truther, ok := p.table.(Truther)
		if !ok {
			continue
		}
		if truths == nil {
			truths = make([]bool, len(v.columns))
		}
		for i, has := range truther.Truths() {
			at := i
			if p.order != nil {
				at = p.order[i]
			}
			truths[at] = truths[at] || has
		}
	}
	return truths
}

// compiler compiles the texts of the configuration.
func (f *factory) compiler() record.Compiler {
	return record.Compiler{Clean: trim, Lists: f.traits.Lists}
}

// unfit returns the error of files without the columns that the configuration names.
func (f *files) unfit(name string, v *version, err error) error {
	var said []string
	hint := ""
	for _, mistake := range record.FieldErrors(err) {
		said = append(said, mistake.Path+": "+mistake.Message)
		hint = cmp.Or(hint, mistake.Hint)
	}
	for i := range v.parts {
		if others := v.parts[i].others(); others != "" {
			hint = strings.TrimSpace(others + " " + hint)
			break
		}
	}
	return Broken(fmt.Sprintf("%s does not fit the configuration: %s", name, strings.Join(said, "; ")), hint)
}

// others says what else is in a file: see [Chooser].
func (p *part) others() string {
	if chooser, ok := p.table.(Chooser); ok {
		return chooser.Others()
	}
	return ""
}

// lists says for hints which columns a file has, and what else is in it.
func (p *part) lists() string {
	return strings.TrimSpace("The columns of this one are " + strings.Join(p.columns, ", ") + ". " + p.others())
}

// haveDeciding returns an error where a file lacks a column that decides which of its records are sent, and which of them are gone.
func (f *files) haveDeciding(v *version, m *mapping) error {
	for key, e := range map[string]*record.Expression{"id": m.id.expression, "updated": m.updated, "deleted": m.deleted} {
		if e == nil {
			continue
		}
		for _, column := range e.Columns() {
			if i := v.without(v.columns[column]); i >= 0 {
				return Broken(fmt.Sprintf("%s has no column %q, which is needed for %s", f.label(v.files[i].name), v.columns[column], key),
					"Every file needs it. "+v.parts[i].lists())
			}
		}
	}
	return nil
}

// haveSome returns an error if a file has no column that is used: its first row is most likely a contact and names no column. Contacts
// would be made of nothing, and those that the file held before would be gone.
func (f *files) haveSome(v *version, m *mapping) error {
	unused := m.fields.Unused(m.id.expression, m.updated, m.deleted)
	used := func(name string) bool {
		return name == m.fields.Guess.ID || !slices.Contains(unused, slices.Index(v.columns, name))
	}
	for i, p := range v.parts {
		if len(p.columns) > 0 && !slices.ContainsFunc(p.columns, used) {
			return Broken(f.label(v.files[i].name)+" has no column that is used",
				"Check that its first row names the columns, and set id and fields to them. "+p.lists())
		}
	}
	return nil
}

// without returns the first file with records that lacks a column, or -1.
func (v *version) without(name string) int {
	return slices.IndexFunc(v.parts, func(p part) bool { return len(p.columns) > 0 && !slices.Contains(p.columns, name) })
}

// unused lists the columns that go nowhere, by name.
func (m *mapping) unused() []string {
	var list []string
	unused := m.fields.Unused(m.id.expression, m.updated, m.deleted)
	isUsed := func(name string) bool {
		i := slices.Index(m.columns, name)
		return i >= 0 && !slices.Contains(unused, i)
	}
	for _, i := range unused {
		name := m.columns[i]
		switch {
		case name == "":
			name = fmt.Sprintf("(column %d)", i+1)
		case m.whole && isPart(name, isUsed):
			continue
		}
		list = append(list, name)
	}
	return list
}

// isPart reports whether a column is a value in the objects of one that is used.
func isPart(name string, isUsed func(string) bool) bool {
	for i := range len(name) {
		if name[i] == '.' && isUsed(name[:i]) {
			return true
		}
	}
	return false
}

// Text returns a value as the engine takes it, for a format that looks at values itself: see [Record.Values].
func Text(value []byte) string { return string(trim(repair(value))) }

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
// [identity.number]. The error says why the record cannot be read as one; what is known of it is its id.
func (m *mapping) contact(row *record.Row, values [][]byte) error {
	id, err := text(m.id.expression, row, values)
	if err != nil {
		row.Start("", false)
		return err
	}
	gone, err := text(m.deleted, row, values)
	row.Start(id, source.IsGone(gone))
	if err == nil {
		err = m.fields.Fill(row, values)
	}
	if err != nil {
		row.Start(id, false)
		return err
	}
	if id == "" && m.id.makes() {
		row.Contact.ID = m.makeID(row, values)
	}
	return nil
}

// idColumn returns a record's id where it stands in a column, valid as long as the values; otherwise ok is false.
func (m *mapping) idColumn(values [][]byte) (id string, ok bool) {
	if m.id.expression == nil {
		return "", false
	}
	return m.id.expression.ColumnText(values)
}

// isGone reports whether a record is deleted, or may be: what an expression says of it is not looked at.
func (m *mapping) isGone(values [][]byte) bool {
	if m.deleted == nil {
		return false
	}
	gone, ok := m.deleted.ColumnText(values)
	return !ok || source.IsGone(gone)
}

// text returns what an expression says of a record, valid as long as the values; empty for a nil expression.
func text(e *record.Expression, row *record.Row, values [][]byte) (string, error) {
	if e == nil {
		return "", nil
	}
	return e.Text(row, values)
}

// idOf returns the id of the last record of a cursor, valid as long as its values.
func (m *mapping) idOf(row *record.Row, c *cursor) (string, error) {
	if !m.id.makes() {
		return text(m.id.expression, row, c.Values)
	}
	if err := m.contact(row, c.Values); err != nil {
		return "", err
	}
	m.id.number(row, c.Start.Offset)
	return row.Contact.ID, nil
}
