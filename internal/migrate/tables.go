package migrate

import (
	"context"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/internal/postgresdb"
	"github.com/contactbridge/contactbridge/internal/sqlitefile"
)

// A table of PostgreSQL, and where its rows are in a file.
type table struct {
	name    string // in PostgreSQL, without its schema
	from    string // FROM clause in the file; t is the table with the rows that are moved
	order   string // of the rows in the file; empty: any
	columns []column
}

// A column of a table in PostgreSQL, and what gives its values in the file.
type column struct {
	name string
	from string // expression in the file
	flag bool   // a number in the file that means no (0) or yes
}

// same are columns that the file has as well, by their names, separated by spaces.
func same(names string) (all []column) {
	for _, name := range strings.Fields(names) {
		all = append(all, column{name: name, from: `t."` + name + `"`})
	}
	return all
}

// bytes are columns that are text in the file and bytes in PostgreSQL, where text can hold no zero byte.
func bytes(names string) []column {
	all := same(names)
	for i := range all {
		all[i].from = "CAST(" + all[i].from + " AS BLOB)"
	}
	return all
}

// flags are columns that are numbers in the file and mean no or yes.
func flags(names string) []column {
	all := same(names)
	for i := range all {
		all[i].flag = true
	}
	return all
}

// as is a column that is something else in the file.
func as(name, from string) []column { return []column{{name: name, from: from}} }

// String returns the table's name with its schema.
func (t *table) String() string { return postgresdb.Schema + "." + t.name }

func (t *table) identifier() pgx.Identifier { return pgx.Identifier{postgresdb.Schema, t.name} }

// names are the names of the table's columns in PostgreSQL.
func (t *table) names() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

// rows are a table's rows, each with a value for every column: nil, bool, int64, string, []byte or [pgtype.TSVector]. A row is good
// until the next one. An error is the last thing that comes.
type rows = iter.Seq2[[]any, error]

// read returns the rows that a file has for a table.
func (m *mover) read(ctx context.Context, file *sqlitefile.Alone, t *table) rows {
	expressions := make([]string, len(t.columns))
	for i, c := range t.columns {
		expressions[i] = c.from
	}
	query := "SELECT " + strings.Join(expressions, ", ") + " FROM " + t.from
	if t.order != "" {
		query += " ORDER BY " + t.order
	}
	return func(yield func([]any, error) bool) {
		for row, err := range file.Rows(ctx, query) {
			for i := range row {
				switch v := row[i].(type) {
				case string:
					row[i] = m.storable(v)
				case int64:
					if t.columns[i].flag {
						row[i] = v != 0
					}
				}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// storable is a text as PostgreSQL can keep it: what a browser calls itself may hold anything.
func (m *mover) storable(text string) string {
	if utf8.ValidString(text) && !strings.Contains(text, "\x00") {
		return text
	}
	m.result.Replaced++
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
}

// inMemory are rows that are there already.
func inMemory(all [][]any) rows {
	return func(yield func([]any, error) bool) {
		for _, row := range all {
			if !yield(row, nil) {
				return
			}
		}
	}
}
