package sqltable

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
)

var (
	_ bridge.Searcher      = (*Source)(nil)
	_ source.SearchChecker = (*Factory)(nil)
)

// A Limiter is a session of a database that goes on with a statement when nobody waits for it any more, unless the statement says how long it
// may take.
type Limiter interface {
	// Limited returns a statement that the database itself ends after a time.
	Limited(s Statement, most time.Duration) Statement
}

// CheckSearch implements [source.SearchChecker].
func (f *Factory) CheckSearch() error {
	if !f.config.Fields.Empty() && len(f.config.Fields.Phones) == 0 {
		return source.NoPhones()
	}
	return nil
}

// Asked says how a database is asked ([source.Kind]).
const Asked = "The usual spellings of the number are looked for first, which an index on the column finds at once, and then the rows in which " +
	"its digits stand, whatever is between them: that looks at every row, for as long as there is time, and not again for ten minutes where there was too little."

// mostSpellings bounds a statement.
const mostSpellings = 48

// noScan is how long rows are only looked for by whole spellings, which an index can find, after all of them could not be looked through in
// time.
const noScan = 10 * time.Minute

// Search implements [bridge.Searcher]. It asks for the usual spellings first, which an index on the column finds at once. Where there is no such
// row it compares the digits of every row, for as long as there is time.
func (s *Source) Search(ctx context.Context, q bridge.Search) (found []contact.Contact, err error) {
	err = s.with(ctx, func(conn Session, t *Table) error {
		if len(t.phones()) == 0 || len(q.Spellings) == 0 {
			return nil
		}
		if found, err = t.ask(ctx, conn, t.spelled(q), q.Most()); err != nil || len(found) > 0 {
			return err
		}
		if !s.db.mayScan(t.Clock.Now()) {
			return nil
		}
		found, err = t.ask(ctx, conn, t.inDigits(q), q.Most())
		if err != nil && (ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded)) {
			s.db.gaveUpScan(t.Clock.Now().Add(noScan))
			t.Notes.Once(slog.LevelWarn, "a number was not looked for in other spellings than the usual ones: there are too many rows to look through them in time")
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask for a number: %w", err)
	}
	return found, nil
}

// mayScan reports whether all rows can be looked through, as far as it is known.
func (db *database) mayScan(now time.Time) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return !now.Before(db.scanAfter)
}

func (db *database) gaveUpScan(until time.Time) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.scanAfter = until
}

// phones returns the columns that are phone numbers.
func (t *Table) phones() []*Column {
	var list []*Column
	for i := range t.Columns {
		if t.Columns[i].Field == record.FieldPhones {
			list = append(list, &t.Columns[i])
		}
	}
	return list
}

// spelled is the statement for the rows with one of the spellings as a phone number.
func (t *Table) spelled(q bridge.Search) Statement {
	spellings := q.Spellings[:min(len(q.Spellings), mostSpellings)]
	return t.search(q, func(c *Conditions, column *Column) string {
		parameters := make([]string, len(spellings))
		for i, spelled := range spellings {
			parameters[i] = c.parameter(keyset.TextValue(spelled), t.Dialect.Text)
		}
		return column.Compared + " IN (" + strings.Join(parameters, ", ") + ")"
	})
}

// punctuation is what stands between the digits of phone numbers.
var punctuation = []string{" ", "-", "(", ")", "/", ".", "\u00a0"}

// inDigits is the statement for the rows in which the digits stand, whatever is between them and around.
func (t *Table) inDigits(q bridge.Search) Statement {
	return t.search(q, func(c *Conditions, column *Column) string {
		bare := column.SQL
		for _, mark := range punctuation {
			bare = "REPLACE(" + bare + ", '" + mark + "', '')"
		}
		var either []string
		for _, digits := range q.Digits {
			either = append(either, bare+" LIKE "+c.parameter(keyset.TextValue("%"+digits+"%"), t.Dialect.Text))
		}
		return strings.Join(either, " OR ")
	})
}

// search is the statement for the rows for one of whose phone numbers a condition holds.
func (t *Table) search(q bridge.Search, condition func(c *Conditions, column *Column) string) Statement {
	c := t.Conditions()
	c.Add(t.ID.SQL, " IS NOT NULL")
	var either []string
	for _, column := range t.phones() {
		either = append(either, condition(c, column))
	}
	c.Add("(", strings.Join(either, " OR "), ")")
	return Statement{SQL: "SELECT " + t.list + " FROM " + t.From + c.String() + t.Dialect.limit(q.Most()), Args: c.args}
}

// ask runs a statement of search.
func (t *Table) ask(ctx context.Context, conn Session, statement Statement, most int) (found []contact.Contact, err error) {
	if limiter, ok := conn.(Limiter); ok {
		if deadline, ok := ctx.Deadline(); ok {
			statement = limiter.Limited(statement, time.Until(deadline))
		}
	}
	p := newPages(conn, t)
	err = conn.Query(ctx, statement, func(values []keyset.Value) (bool, error) {
		p.take(values)
		p.fill(values)
		if change := &p.row.Change; !change.Deleted && change.Rejected == "" {
			found = append(found, change.Contact.Clone())
		}
		return len(found) < most, nil
	})
	return slices.Clip(found), err
}
