package keyset

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// A Count is a problem that some rows may have.
type Count struct {
	SQL      string // counts them
	Severity source.Severity
	Code     string
	One      string // of one row
	Many     string // of several, with %d for their number
	Hint     string
}

// Problem is the problem of a number of rows.
func (c Count) Problem(rows int64) source.Problem {
	message := c.One
	if rows != 1 {
		message = fmt.Sprintf(c.Many, rows)
	}
	return source.Problem{Severity: c.Severity, Code: c.Code, Message: message, Hint: c.Hint}
}

// FutureRows counts the rows that sql finds, whose stamps are ahead of the clock.
func FutureRows(sql string) Count {
	return Count{
		SQL: sql, Severity: source.Warning, Code: "future_updated",
		One:  "1 row is stamped in the future: every run sends it again until then",
		Many: "%d rows are stamped in the future: every run sends them again until then",
		Hint: "correct updated of these rows, and the clock that stamped them",
	}
}

// OddRows counts the rows that sql finds, whose number is no time in its unit (E11).
func OddRows(sql, unit string) Count {
	return Count{
		SQL: sql, Severity: source.Warning, Code: "odd_updated",
		One:  "1 row has a number in updated that is no time in " + unit + " since 1970: every run sends it again",
		Many: "%d rows have a number in updated that is no time in " + unit + " since 1970: every run sends them again",
		Hint: "correct updated of these rows, or set updated_as to what the numbers mean",
	}
}

// Counts are what can be wrong with the rows of any table: null and repeated ids, null stamps. from and the others are SQL;
// updated is empty where there is none.
func Counts(from, id, updated string) []Count {
	list := []Count{
		{
			SQL: "SELECT count(*) FROM " + from + " WHERE " + id + " IS NULL", Severity: source.Failure, Code: "null_id",
			One:  "1 row has no id: it cannot be sent",
			Many: "%d rows have no id: they cannot be sent",
			Hint: "choose another id, or leave the rows out with query: SELECT … WHERE … IS NOT NULL",
		},
		{
			SQL:      "SELECT count(*) FROM (SELECT 1 AS one FROM " + from + " WHERE " + id + " IS NOT NULL GROUP BY " + id + " HAVING count(*) > 1) AS repeated",
			Severity: source.Failure, Code: "duplicate_id",
			One:  "1 id stands in more than one row: only one of them is kept, and which one is left to chance",
			Many: "%d ids stand in more than one row: only one row of each is kept, and which one is left to chance",
			Hint: "choose an id that is unique, or one row for each with query: SELECT DISTINCT ON …, GROUP BY …",
		},
	}
	if updated != "" {
		list = append(list, Count{
			SQL: "SELECT count(*) FROM " + from + " WHERE " + updated + " IS NULL", Severity: source.Warning, Code: "null_updated",
			One:  "1 row has no updated: it is part of initial runs only, so its changes stay unknown",
			Many: "%d rows have no updated: they are part of initial runs only, so their changes stay unknown",
			Hint: "fill updated for them, or use an expression such as coalesce(updated_at, created_at)",
		})
	}
	return list
}

// NoUpdated is the note for a source without an updated field (E10).
func NoUpdated(guess string) source.Problem {
	p := source.Problem{
		Severity: source.Note, Code: "no_updated",
		Message: "updated is not set: every run looks at every row, and sends all of them when any has changed",
		Hint:    "set updated to a column that changes with every change of a contact",
	}
	if guess != "" {
		p.Hint += "; " + guess + " looks like one"
	}
	return p
}

// Unused lists the columns that no expression names. A column counts as named where its name stands in an expression as a word,
// whatever its case.
func Unused(columns []string, expressions ...string) []string {
	var list []string
	for _, column := range columns {
		if !slices.ContainsFunc(expressions, func(expression string) bool { return names(expression, column) }) {
			list = append(list, column)
		}
	}
	return list
}

func names(expression, column string) bool {
	expression, column = strings.ToLower(expression), strings.ToLower(column)
	for rest := expression; column != ""; {
		at := strings.Index(rest, column)
		if at < 0 {
			return false
		}
		before, _ := utf8.DecodeLastRuneInString(rest[:at])
		after, _ := utf8.DecodeRuneInString(rest[at+len(column):])
		if !isNameRune(before) && !isNameRune(after) {
			return true
		}
		rest = rest[at+len(column):]
	}
	return false
}

func isNameRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// Expressions lists the expressions of a source: its id, updated and deleted, and those of the fields.
func (c Config) Expressions(columns []record.Column) []string {
	list := []string{c.ID, c.Updated, c.Deleted}
	for _, column := range columns {
		list = append(list, column.From)
	}
	return list
}
