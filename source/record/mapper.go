package record

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// A Compiler compiles the fields of a configuration for a kind of source that has no language of its own. The zero Compiler is ready
// for use.
type Compiler struct {
	Limits Limits
	// Clean prepares a value before it is used, and nothing but the values that are used. It may return a part of what it is
	// given. It is not asked about a value that begins and ends with a letter or digit of ASCII, which it would return unchanged. nil:
	// space around a value is removed.
	Clean func(value []byte) []byte
	// Lists says that values which are JSON arrays or objects are lists and objects everywhere, as in a format where a property
	// may be repeated. Otherwise they are so in expressions and in list fields, and a plain column of another field is sent as it is.
	Lists bool
	// Truths says of each column whether JSON's true and false are truth values there, and no texts; columns beyond its end have none.
	// A truth value is a value in expressions and custom fields, and none in any other field: no one is called false.
	Truths []bool
	// Guess says what the columns mean, if the format knows it. nil: their names decide ([Usual]).
	Guess *Guess
}

// Compile compiles fields over columns with the zero [Compiler].
func Compile(fields Fields, columns []string) (*Mapper, error) {
	return Compiler{}.Mapper(fields, columns)
}

// A Mapper says which values of a record go into which fields of a contact. Many goroutines may use it at the same time.
type Mapper struct {
	// Guess is the meaning of the columns by their names.
	Guess   Guess
	fields  []mappedField
	columns []string
	lists   bool // see [Compiler.Lists]

	encoding *encoding // nil where a contact's JSON is not written from the values
}

// A mappedField is a contact's field and what its value is made of.
type mappedField struct {
	column Column
	parts  []*Expression // several are joined
	join   string

	// For one plain column:
	direct bool // its values go into the field as they are, unless they are JSON and decoded
	index  int
	slot   slot
	decode bool // a value that begins like JSON is decoded
	truths bool // a value may be a truth value of the record, which the field does not take
}

// Mapper compiles fields over a record's columns. Where no field is given it takes the columns with the usual names; of a name that
// stands there more than once, a list takes every column. Its error is a [*FieldError], or several joined.
func (c Compiler) Mapper(fields Fields, columns []string) (*Mapper, error) {
	m := &Mapper{columns: columns, lists: c.Lists}
	if c.Guess != nil {
		m.Guess = *c.Guess
	} else {
		m.Guess = Usual(columns)
	}
	if fields.Empty() {
		m.takeUsual(c)
		m.findDirect()
		return m, nil
	}
	h := newHeader(columns)
	var errs []error
	for _, column := range Columns(fields) {
		e, err := c.compileAt(column.Path, column.From, h)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		m.fields = append(m.fields, mappedField{column: column, parts: []*Expression{e}})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	m.findDirect()
	return m, nil
}

// findDirect marks the fields that are one plain column.
func (m *Mapper) findDirect() {
	for i := range m.fields {
		f := &m.fields[i]
		f.slot = slotOf(f.column.Field)
		if len(f.parts) == 1 {
			f.index, f.direct = f.parts[0].IsColumn()
			f.decode = m.lists && !f.column.IsList()
			f.truths = f.slot != slotCustom && slices.ContainsFunc(f.parts[0].Columns(), f.parts[0].hasTruths)
		}
	}
	m.encoding = newEncoding(m.fields)
}

// Expression compiles one text of a configuration, such as that of id, updated or deleted, over a record's columns. path is where it
// stands. At least one column must be used: an id or a deletion that is the same for every record is a mistake. Its error is a
// [*FieldError].
func (c Compiler) Expression(path, text string, columns []string) (*Expression, error) {
	e, err := c.compileAt(path, text, newHeader(columns))
	if err != nil {
		return nil, err
	}
	if e.program != nil && len(e.used) == 0 {
		return nil, &FieldError{Path: path, Message: "The expression uses no column", Hint: newHeader(columns).hint(text)}
	}
	return e, nil
}

// Check finds the mistakes of fields that can be found while the columns are not known: those of texts that are expressions
// without doubt, having a text in quotes or ?? in them. Its error is like that of [Compiler.Mapper].
func (c Compiler) Check(fields Fields) error {
	var errs []error
	for _, column := range Columns(fields) {
		if err := c.CheckText(column.Path, column.From); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// CheckText is [Compiler.Check] for one text.
func (c Compiler) CheckText(path, text string) error {
	if _, ok := between(text, '`', '`'); ok || !strings.Contains(text, `"`) && !strings.Contains(text, "??") {
		return nil
	}
	if _, err := c.compileAt(path, text, &header{open: true}); err != nil && !mayBeName(text) {
		return err
	}
	return nil
}

// mayBeName reports whether a text that is not a valid expression can be the name of a column, such as What is your name?? A name
// has no space around it.
func mayBeName(text string) bool {
	return text == strings.TrimSpace(text) && looksLikeName(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`"'?!,:;`, r) {
			return -1
		}
		return r
	}, text))
}

// compileAt compiles a text and says in its error where it stands.
func (c Compiler) compileAt(path, text string, h *header) (*Expression, error) {
	e, err := c.compile(text, h)
	if err != nil {
		err.Path = path
		return nil, err
	}
	e.path = path
	return e, nil
}

// Columns returns what goes where, in the order of bridge documents, for an inspection: see [Mapping].
func (m *Mapper) Columns() []Column {
	list := make([]Column, len(m.fields))
	for i, f := range m.fields {
		list[i] = f.column
	}
	return list
}

// Unused returns the indexes of the columns that neither a field uses nor the others, which may be nil: those of id, updated and
// deleted.
func (m *Mapper) Unused(others ...*Expression) []int {
	used := map[int]bool{}
	note := func(e *Expression) {
		for _, index := range e.Columns() {
			used[index] = true
		}
	}
	for _, f := range m.fields {
		for _, e := range f.parts {
			note(e)
		}
	}
	for _, e := range others {
		if e != nil {
			note(e)
		}
	}
	var list []int
	for i := range m.columns {
		if !used[i] {
			list = append(list, i)
		}
	}
	return list
}

// First returns the first column of a field that is mapped to a column and not to an expression, or -1.
func (m *Mapper) First(field string) int {
	for _, f := range m.fields {
		if index, ok := f.parts[0].IsColumn(); ok && f.column.Field == field {
			return index
		}
	}
	return -1
}

// Fill puts a record's values, in the order of the columns, into a row that was started: see [Row.Start]. What it puts there shares
// the bytes of the values, and is valid as long as they are. Plain columns take no memory. Its error, a [*FieldError], says that
// the record cannot be read as a contact: it is rejected (D8).
func (m *Mapper) Fill(row *Row, values [][]byte) error {
	for i := range m.fields {
		f := &m.fields[i]
		if f.direct {
			value := f.parts[0].cleaned(values, f.index)
			if len(value) == 0 || f.truths && isTruth(value) {
				continue
			}
			if !f.decode || value[0] != '[' && value[0] != '{' {
				row.put(f.slot, &f.column, view(value))
				continue
			}
		}
		if err := m.fill(f, row, values); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mapper) fill(f *mappedField, row *Row, values [][]byte) error {
	e := f.parts[0]
	switch {
	case len(f.parts) > 1:
		return m.fillJoined(f, row, values)
	case f.direct:
		row.evaluator().budget = budget{limits: e.limits}
		return f.failed(row.set(&f.column, decode(view(e.cleaned(values, f.index)))))
	}
	result, err := row.evaluator().run(e, values, row.Bare)
	if err != nil {
		return err
	}
	if truth, ok := result.(bool); ok && !f.truths { // what the expression says, and not what the record does
		result = strconv.FormatBool(truth)
	}
	return f.failed(row.set(&f.column, result))
}

// failed says where an error of a result stands in the configuration.
func (f *mappedField) failed(err error) error {
	if err == nil {
		return nil
	}
	return &FieldError{Path: f.column.Path, Message: capital(err.Error())}
}

// fillJoined puts the values of several columns into one field; those that are empty are left out.
func (m *Mapper) fillJoined(f *mappedField, row *Row, values [][]byte) error {
	all := ""
	for _, e := range f.parts {
		value := e.cleaned(values, e.column)
		if e.hasTruths(e.column) && isTruth(value) {
			continue
		}
		text := view(value)
		if m.lists {
			row.evaluator().budget = budget{limits: e.limits}
			var err error
			if text, err = row.eval.budget.text(withoutTruths(decode(text))); err != nil {
				return f.failed(err)
			}
		}
		switch {
		case all == "":
			all = text
		case text != "":
			all += f.join + text
		}
	}
	row.Set(&f.column, all)
	return nil
}

// takeUsual maps the columns with the usual names.
func (m *Mapper) takeUsual(c Compiler) {
	taken := map[int]bool{}
	part := func(name string) *Expression {
		index := slices.Index(m.columns, name)
		for i, column := range m.columns {
			if column == name && !taken[i] {
				index = i
				break
			}
		}
		taken[index] = true
		return &Expression{column: index, limits: c.Limits.withDefaults(), clean: c.Clean, truths: c.Truths}
	}
	for _, g := range m.Guess.Fields {
		if g.Join != "" {
			f := mappedField{column: Column{Field: g.Field, From: strings.Join(g.Columns, ", "), Auto: true}, join: g.Join}
			for _, name := range g.Columns {
				f.parts = append(f.parts, part(name))
			}
			m.fields = append(m.fields, f)
			continue
		}
		for _, name := range g.Columns {
			m.fields = append(m.fields, mappedField{column: Column{Field: g.Field, From: name, Auto: true}, parts: []*Expression{part(name)}})
		}
	}
	if name := m.Guess.Country; name != "" {
		index := slices.Index(m.columns, name)
		m.fields = append(m.fields, mappedField{
			column: Column{Field: FieldCountry, From: name, Auto: true},
			parts:  []*Expression{{column: index, limits: c.Limits.withDefaults(), clean: c.Clean, truths: c.Truths}},
		})
	}
}
