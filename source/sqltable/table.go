package sqltable

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
)

// A Table is the table, view or query that is read, as the database described it: the SQL that follows from the configuration and
// from the columns' types. It does not change once it is complete.
type Table struct {
	Config    Config // with its defaults
	UpdatedAs string
	Dialect   *Dialect
	Notes     *Notes
	Clock     clock.Clock // the machine's

	From    string  // what follows FROM
	ID      Operand //
	Updated Operand // its SQL is empty if there is no updated (E10)
	Deleted string  // selects the value that [gone] judges; empty if there is no deleted
	Columns []Column
	Stamp   Stamp   // of Updated
	Rows    float64 // the database's own estimate; below 0 if it is missing
	// NoStamp is the condition of rows with an updated that is neither null nor a stamp: they are read like rows with null (E9).
	// Empty means that there are no such rows.
	NoStamp string
	// NoStampFirst says that these rows sort before all stamps, so that what comes after a stamp is none of them.
	NoStampFirst bool
	// Changed returns the condition of the rows that were changed since a mark ([Marker]), without parameters. Empty, or nil,
	// means that rows do not tell, so that all of them are wanted.
	Changed func(mark string) string
	// Patience is how long a run over a sequence waits for the transactions that were open when it began.
	Patience time.Duration
	// Pack writes expressions as one text: their values as [Dialect.Select] gives them, the separator between each two, nothing for null. Where a
	// driver gives one long text sooner than many short ones, pages are read like that. A session of such a database can run a Query within the row
	// function of another one, and both see the same rows. nil means that the columns are read one by one.
	Pack func(expressions []string, separator string) string
	Own  any // what the kind itself keeps here

	list   string // the select list: id, updated, deleted, the columns
	packed string // the same with the columns as one text ; empty if they are read one by one
	prefix int    // how many of the list are not columns
}

// An Operand is an expression that statements compare, and order by.
type Operand struct {
	SQL    string // in parentheses
	Select string // as it is read
	As     string // what a parameter that is compared with it is cast to; see [Dialect.Parameter]
	Type   Type
}

// A Column is the expression of a contact's field.
type Column struct {
	record.Column
	SQL      string // as it is read: a text
	Compared string // as texts are compared with it
	Lists    JSON
}

// describe asks the database about the configured expressions.
func (s *Source) describe(ctx context.Context, conn Session) (*Table, error) {
	f := s.factory
	columns, err := f.columns(ctx, conn)
	if err != nil {
		return nil, s.blame(ctx, conn, err)
	}
	list := f.config.expressions(columns)
	types, err := s.types(ctx, conn, list)
	if err != nil {
		return nil, s.blame(ctx, conn, err)
	}
	t := &Table{
		Config: f.config, UpdatedAs: f.updatedAs, Dialect: f.dialect, Notes: &f.notes, Clock: f.deps.Clock,
		From: f.from, Rows: -1, Patience: waitForOthers,
	}
	if err := t.fill(columns, types); err != nil {
		return nil, s.explain(ctx, err)
	}
	t.complete()
	if adapter, ok := conn.(Adapter); ok {
		if err := adapter.Adapt(ctx, t); err != nil {
			return nil, s.explain(ctx, err)
		}
	}
	if t.Updated.SQL != "" && t.Stamp.Kind == NoStamp {
		return nil, s.explain(ctx, notAStamp(t.Updated.Type))
	}
	t.complete()
	return t, nil
}

// columns returns the configured fields, or the columns with the usual names.
func (f *Factory) columns(ctx context.Context, conn Session) ([]record.Column, error) {
	if !f.config.Fields.Empty() {
		return record.Columns(f.config.Fields), nil
	}
	guess, err := f.guess(ctx, conn)
	return usualColumns(guess, f.dialect), err
}

// guess finds the columns with the usual names.
func (f *Factory) guess(ctx context.Context, conn Session) (record.Guess, error) {
	names, err := columnNames(ctx, conn, f.from)
	return record.Usual(names), err
}

func columnNames(ctx context.Context, conn Session, from string) ([]string, error) {
	types, err := conn.Describe(ctx, "SELECT * FROM "+from)
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name
	}
	return names, err
}

// types lets the database tell the types of expressions.
func (s *Source) types(ctx context.Context, conn Session, list []expression) ([]Type, error) {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = Wrap(e.sql)
	}
	types, err := conn.Describe(ctx, "SELECT "+strings.Join(parts, ", ")+" FROM "+s.factory.from)
	if err == nil && len(types) != len(list) {
		return nil, &source.ConfigError{Key: "fields", Message: "fields: an expression is a list", Hint: "Write one expression for each field."}
	}
	return types, err
}

// fill turns what the database said into SQL.
func (t *Table) fill(columns []record.Column, types []Type) (err error) {
	t.ID = t.operand(fieldID, t.Config.ID, types[0])
	types = types[1:]
	if t.Config.Updated != "" {
		t.Updated = t.operand(fieldUpdated, t.Config.Updated, types[0])
		if t.Stamp, err = t.Dialect.stampOf(t.UpdatedAs, types[0]); err != nil {
			return err
		}
		types = types[1:]
	}
	if t.Config.Deleted != "" {
		t.Deleted, _ = t.Dialect.value(Expression{SQL: Wrap(t.Config.Deleted), Type: types[0], Field: fieldDeleted})
		types = types[1:]
	}
	for i, c := range columns {
		column := Column{Column: c}
		e := Expression{SQL: Wrap(c.From), Type: types[i], Field: c.Field, List: c.IsList()}
		column.SQL, column.Lists = t.Dialect.value(e)
		column.Compared = t.Dialect.compared(e)
		if !c.IsList() {
			column.Lists = NotJSON
		}
		t.Columns = append(t.Columns, column)
	}
	return nil
}

func (t *Table) operand(field, expression string, typ Type) Operand {
	o := Operand{SQL: Wrap(expression), As: typ.SQL, Type: typ}
	o.Select, _ = t.Dialect.value(Expression{SQL: o.SQL, Type: typ, Field: field})
	return o
}

// complete makes the select list. It names its columns so that ORDER BY cannot mean one of them: (id)::text would be called id.
func (t *Table) complete() {
	list := []string{t.ID.Select}
	if t.Updated.SQL != "" {
		list = append(list, t.Updated.Select)
	}
	if t.Deleted != "" {
		list = append(list, t.Deleted)
	}
	t.prefix = len(list)
	var bare []string
	for _, c := range t.Columns {
		list = append(list, c.SQL)
		bare = append(bare, Wrap(c.From))
	}
	t.list = t.aliased(list)
	if t.Pack != nil && len(bare) > 1 {
		t.packed = t.aliased(append(list[:t.prefix:t.prefix], t.Pack(bare, separator)))
	}
}

// aliased joins expressions to a select list.
func (t *Table) aliased(list []string) string {
	named := make([]string, len(list))
	for i, sql := range list {
		named[i] = t.alias(sql, i)
	}
	return strings.Join(named, ", ")
}

// alias names a column of a select list like no column of a table.
func (t *Table) alias(sql string, n int) string {
	return sql + " AS " + t.Dialect.Quote("contactbridge "+strconv.Itoa(n))
}

// readID makes the value of an id what it stands for. A text of it is valid until dst is used again, which is returned.
func (t *Table) readID(id *keyset.Value, dst []byte) []byte {
	if t.ID.Type.Digits && id.Kind == keyset.Int {
		dst = strconv.AppendInt(dst[:0], id.Int, 10)
		*id = keyset.Value{Kind: keyset.Text, Text: View(dst)}
	}
	return dst
}

// SelectList selects everything that is read: id, updated, deleted, the columns.
func (t *Table) SelectList() string { return t.list }

// Layout returns how the table's stamps are written in checkpoints.
func (t *Table) Layout() keyset.Layout {
	if t.Updated.SQL == "" {
		return keyset.Unsorted
	}
	return t.Stamp.layout()
}

// Fields lists the contact's fields with their expressions.
func (t *Table) Fields() []record.Column {
	list := make([]record.Column, len(t.Columns))
	for i, c := range t.Columns {
		list[i] = c.Column
	}
	return list
}

// blame finds the expression that an error is about, by describing each alone.
func (s *Source) blame(ctx context.Context, conn Session, cause error) error {
	f := s.factory
	if !s.db.diagnose(cause).Statement {
		return s.explain(ctx, cause)
	}
	key := "table"
	if f.config.Query != "" {
		key = "query"
	}
	list := append([]expression{{key, "1"}}, f.config.expressions(record.Columns(f.config.Fields))...)
	for _, e := range list {
		if _, err := s.types(ctx, conn, []expression{e}); err != nil {
			return s.misfit(ctx, e.key, err)
		}
	}
	return s.explain(ctx, cause)
}
