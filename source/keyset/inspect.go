package keyset

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/contactbridge/contactbridge/source"
)

// Sort puts the worst problems first and keeps the order of equals.
func Sort(problems []source.Problem) {
	rank := map[source.Severity]int{source.Failure: 0, source.Warning: 1, source.Note: 2}
	slices.SortStableFunc(problems, func(a, b source.Problem) int { return cmp.Compare(rank[a.Severity], rank[b.Severity]) })
}

// A Count is a problem that some rows may have.
type Count struct {
	SQL      string // counts them
	Severity source.Severity
	Code     string
	Message  string // with %d for their number
	Hint     string
}

// Problem is the problem of a number of rows.
func (c Count) Problem(rows int64) source.Problem {
	return source.Problem{Severity: c.Severity, Code: c.Code, Message: fmt.Sprintf(c.Message, rows), Hint: c.Hint}
}

// Counts are what can be wrong with the rows of any table: null and repeated ids, null stamps. from and the others are SQL;
// updated is empty where there is none.
func Counts(from, id, updated string) []Count {
	list := []Count{
		{
			SQL: "SELECT count(*) FROM " + from + " WHERE " + id + " IS NULL", Severity: source.Failure, Code: "null_id",
			Message: "%d rows have no id: they cannot be sent",
			Hint:    "choose another id, or leave the rows out with query: SELECT … WHERE … IS NOT NULL",
		},
		{
			SQL:      "SELECT count(*) FROM (SELECT 1 AS one FROM " + from + " WHERE " + id + " IS NOT NULL GROUP BY " + id + " HAVING count(*) > 1) AS repeated",
			Severity: source.Failure, Code: "duplicate_id",
			Message: "%d ids stand in more than one row: only one row of each is kept, and which one is left to chance",
			Hint:    "choose an id that is unique, or one row for each with query: SELECT DISTINCT ON …, GROUP BY …",
		},
	}
	if updated != "" {
		list = append(list, Count{
			SQL: "SELECT count(*) FROM " + from + " WHERE " + updated + " IS NULL", Severity: source.Warning, Code: "null_updated",
			Message: "%d rows have no updated: they are part of initial runs only, so their changes stay unknown",
			Hint:    "fill updated for them, or use an expression such as coalesce(updated_at, created_at)",
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
