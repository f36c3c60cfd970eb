package sqltable

import (
	"slices"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// A Dialect describes how a database writes SQL. The zero Dialect is standard SQL, with ? for parameters and LIMIT n: a
// database sets only the differences.
type Dialect struct {
	// Quotes are the characters that may stand around a name, the first of them those that are written. Empty means ".
	Quotes string
	// Parameter writes the n-th parameter of a statement, from 1. as is the SQL name of the type that it is read as
	// ([Operand.As]); empty where that does not matter. nil means ?.
	Parameter func(n int, as string) string
	// Limit ends a statement after n rows. nil means LIMIT n.
	Limit func(n int) string
	// Join combines several values into one, without those that are null or empty. The values are expressions of texts. nil means
	// concat_ws.
	Join func(separator string, values []string) string
	// Select writes the value of an expression as it is read: a text, except for the stamp. nil casts it to text, which
	// may be JSON in a list.
	Select func(e Expression) (sql string, lists JSON)
	// Stamp gives what a stamp is compared as. nil gives numbers and [keyset.Any] as they are, times as the texts
	// 2006-01-02 15:04:05.000000 (in UTC, where they are instants) and 2006-01-02.
	Stamp func(layout keyset.Layout, stamp keyset.Value) keyset.Value
	// NoRowValues says that (a, b) > (x, y) does not work, or makes no use of an index.
	NoRowValues bool
	// Unindexed writes an expression so that it has the same value and order, and no index serves it. nil means that the
	// planner knows how many rows are after the horizon, and decides by itself.
	Unindexed func(expression string) string
	// Compared writes an expression as texts are compared with it, so that an index on it serves. nil means as it is.
	Compared func(e Expression) string
	// Text is what a text is cast to that is compared with one ([Dialect.Parameter]); empty where that does not matter.
	Text string
	// OwnStamp is the value of updated_as that says of integers that they are stamps that only this database has ([Own]). Empty:
	// there is no such value.
	OwnStamp string
	// Probe is a statement that shows whether the credentials are good. Empty means SELECT 1.
	Probe string
}

// An Expression is one of the configuration's, and where its value goes.
type Expression struct {
	SQL  string // in parentheses
	Type Type
	// Field is one of record's Field constants, or "id", "updated", "deleted".
	Field string
	List  bool // the values of the field are a list
}

// JSON says what the text of a list column is.
type JSON byte

// What the text of a list column is.
const (
	NotJSON   JSON = iota
	MaybeJSON      // JSON where it begins with [ or {
	IsJSON
)

func (d *Dialect) quotes() string {
	if d.Quotes == "" {
		return `"`
	}
	return d.Quotes
}

// Quote quotes one name.
func (d *Dialect) Quote(name string) string {
	q := d.quotes()[:1]
	return q + strings.ReplaceAll(name, q, q+q) + q
}

// QuoteName quotes a table's name, part by part. Its error is a [source.ConfigError] of the key table.
func (d *Dialect) QuoteName(name string) (string, error) {
	parts, err := d.SplitName(name)
	if err != nil {
		return "", err
	}
	for i, part := range parts {
		parts[i] = d.Quote(part)
	}
	return strings.Join(parts, "."), nil
}

// SplitName splits a table's name into its parts: schema.name, "Schema"."Table Name". Quotes are doubled inside quotes. Its error
// is a [source.ConfigError] of the key table.
func (d *Dialect) SplitName(name string) ([]string, error) {
	var parts []string
	var part strings.Builder
	open := byte(0) // the quote that is open
	for i := 0; i < len(name); i++ {
		c := name[i]
		isQuote := strings.IndexByte(d.quotes(), c) >= 0
		switch {
		case open != 0 && c == open && i+1 < len(name) && name[i+1] == c:
			part.WriteByte(c)
			i++
		case open != 0 && c == open:
			open = 0
		case open == 0 && isQuote:
			open = c
		case open == 0 && c == '.':
			parts = append(parts, part.String())
			part.Reset()
		case c == 0:
			return nil, &source.ConfigError{Key: "table", Message: "table holds a zero byte", Hint: "Remove it."}
		default:
			part.WriteByte(c)
		}
	}
	parts = append(parts, part.String())
	if open != 0 || slices.Contains(parts, "") {
		return nil, badName(name)
	}
	return parts, nil
}

func badName(name string) error {
	return &source.ConfigError{
		Key: "table", Message: "table cannot be " + strconv.Quote(name) + ": this is not the name of a table",
		Hint: `Write name, schema.name or "Schema"."Name".`,
	}
}

// Wrap puts an expression in parentheses, so that a comment at its end, after -- or #, ends there.
func Wrap(expression string) string {
	if strings.Contains(expression, "--") || strings.Contains(expression, "#") {
		expression += "\n"
	}
	return "(" + expression + ")"
}

func (d *Dialect) parameter(n int, as string) string {
	if d.Parameter == nil {
		return "?"
	}
	return d.Parameter(n, as)
}

func (d *Dialect) limit(n int) string {
	if d.Limit == nil {
		return " LIMIT " + strconv.Itoa(n)
	}
	return " " + d.Limit(n)
}

func (d *Dialect) join(separator string, values []string) string {
	if d.Join == nil {
		return "concat_ws('" + separator + "', " + strings.Join(values, ", ") + ")"
	}
	return d.Join(separator, values)
}

func (d *Dialect) value(e Expression) (sql string, lists JSON) {
	switch {
	case d.Select != nil:
		return d.Select(e)
	case e.Field == fieldUpdated:
		return e.SQL, NotJSON
	}
	return "CAST(" + e.SQL + " AS text)", MaybeJSON
}

func (d *Dialect) compared(e Expression) string {
	if d.Compared == nil {
		return e.SQL
	}
	return d.Compared(e)
}

func (d *Dialect) stamp(layout keyset.Layout, stamp keyset.Value) keyset.Value {
	switch {
	case d.Stamp != nil:
		return d.Stamp(layout, stamp)
	case layout == keyset.Number || layout == keyset.Any:
		return stamp
	}
	text := strings.TrimSuffix(layout.FormatStamp(stamp), "Z")
	return keyset.TextValue(strings.Replace(text, "T", " ", 1))
}

// The names of values that are not contact fields, in [Expression.Field].
const (
	fieldID      = "id"
	fieldUpdated = "updated"
	fieldDeleted = "deleted"
)
