package sqltable

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
)

// inspectTime is how long each question about all rows may take; then it stays unanswered.
const inspectTime = 1500 * time.Millisecond

// An Inspector collects what an inspection finds.
type Inspector struct {
	Table *Table
	// Clock is the database's, where the horizon depends on one: stamps with a type, but of this database alone.
	Clock *Clock
	Stamp Stamp // what updated turned out to be, where there is a clock
	// Missed says what is missed where open transactions cannot be seen, for problems about that.
	Missed string

	found  source.Inspection
	counts []Count // to be counted when the connection is free again
}

// A Count is a problem that some rows may have.
type Count struct {
	Statement // counts them
	Severity  source.Severity
	Code      string
	One       string // of one row
	Many      string // of several, with %d for their number
	Hint      string
}

// Fact adds a line about the source.
func (i *Inspector) Fact(name, value string) {
	i.found.Facts = append(i.found.Facts, source.Fact{Name: name, Value: value})
}

// Problem adds a problem.
func (i *Inspector) Problem(severity source.Severity, code, message, hint string) {
	i.found.Problems = append(i.found.Problems, source.Problem{Severity: severity, Code: code, Message: message, Hint: hint})
}

// Count adds a problem if any row has it.
func (i *Inspector) Count(c Count) { i.counts = append(i.counts, c) }

// Order adds the fact in which order contacts are read. stamp says what the values of updated are; empty without updated.
func (i *Inspector) Order(stamp string) {
	order := i.Table.Config.ID
	if i.Table.ID.Type.SQL != "" {
		order += " (" + i.Table.ID.Type.SQL + ")"
	}
	if stamp != "" {
		order = i.Table.Config.Updated + " (" + stamp + "), " + order
	}
	i.Fact("order", order)
}

// Inspect implements [source.Inspector].
func (s *Source) Inspect(ctx context.Context) (source.Inspection, error) {
	i := &Inspector{}
	err := s.with(ctx, func(conn Session, t *Table) error {
		i.Table = t
		return i.look(ctx, conn)
	})
	if err != nil {
		return source.Inspection{}, fmt.Errorf("inspect source: %w", err)
	}
	for _, c := range append(i.counts, counts(i.Table)...) {
		s.tally(ctx, i, c)
	}
	source.SortProblems(i.found.Problems)
	return i.found, nil
}

// look finds what one connection tells at once.
func (i *Inspector) look(ctx context.Context, conn Session) error {
	t := i.Table
	i.found.Mapping = record.Mapping(t.Config.ID, t.Fields())
	names, err := columnNames(ctx, conn, t.From)
	if err != nil {
		return err
	}
	i.found.Unused = unused(names, t.Config.expressions(t.Fields()))
	if t.Rows >= 0 {
		i.Fact("contacts", "about "+strconv.FormatFloat(t.Rows, 'f', 0, 64)+", by the planner's estimate")
	}
	switch {
	case t.Updated.SQL == "":
		i.Order("")
		i.found.Problems = append(i.found.Problems, noUpdated(record.Usual(names).Updated))
	case t.Stamp.Kind == Own:
		var own OwnStamps
		if own, err = ownStamps(conn); err == nil {
			err = own.InspectStamps(ctx, i)
		}
	default:
		err = i.stamps(ctx, newTyped(conn, t))
	}
	if adviser, ok := conn.(Adviser); ok && err == nil {
		err = adviser.Advise(ctx, i)
	}
	return err
}

// stamps says how the horizon of stamps with a type is found, and what keeps it from being exact.
func (i *Inspector) stamps(ctx context.Context, h typed) error {
	numbers, err := h.sample(ctx)
	if err != nil {
		return err
	}
	c, err := h.clock(ctx)
	if err != nil {
		return err
	}
	i.Clock = &c
	st, greatest, err := h.resolve(numbers, c, &keyset.State{}, keyset.Since{})
	if err != nil {
		return err
	}
	i.Stamp = st
	i.Order(st.describe())
	if st.Kind == Sequences {
		i.sequence(c, greatest != nil && i.Table.Stamp.Kind == Integers)
		return nil
	}
	i.Missed = MissedAfter(i.Table.Config.Overlap)
	t, err := h.times(ctx, st, c)
	if err != nil {
		return err
	}
	i.times(c, t)
	return nil
}

// MissedAfter says which changes are missed if open transactions cannot be seen.
func MissedAfter(overlap time.Duration) string {
	return fmt.Sprintf("every run reads the last %s again, and what commits later than that after its stamp is missed", overlap)
}

// sequence adds the facts about stamps that are numbers.
func (i *Inspector) sequence(c Clock, guessed bool) {
	if c.Blind {
		i.Fact("safe horizon", "the greatest number of the overlap before")
		i.Missed = fmt.Sprintf("a number counts as safe %s after it was seen, and a smaller one that comes later than that is missed", i.Table.Config.Overlap)
	} else {
		i.Fact("safe horizon", "the greatest number, once the transactions that were open have ended")
	}
	if guessed {
		i.TakenForSequence()
	}
}

// NoIndex adds that no index gives the order of the pages; hint says how to make one.
func (i *Inspector) NoIndex(hint string) {
	i.Problem(source.Warning, "no_index", "no index gives the order of "+i.Table.Order()+": every page sorts all rows", hint)
}

// TakenForSequence adds the note about integers that are not times.
func (i *Inspector) TakenForSequence() {
	i.Problem(source.Note, "taken_for_sequence", "updated is taken for a number that grows, not for a time",
		"If it is a time, set updated_as to epoch_s, epoch_ms or epoch_us.")
}

// times adds the facts about stamps that are times.
func (i *Inspector) times(c Clock, t timeStamps) {
	if t.Precision >= time.Second {
		i.Fact("precision of updated", t.Precision.String())
	}
	if c.Unsafe {
		i.Fact("safe horizon", c.Method)
	} else {
		i.Fact("safe horizon", fmt.Sprintf("%s, now %s", c.Method, t.layout().FormatStamp(keyset.IntValue(t.lowest(c.Safe)))))
	}
	if c.holds(i.Table.Config.Overlap) {
		i.Problem(source.Warning, "old_transaction", "a transaction has been open since "+c.Safe.Format(time.RFC3339)+": every run reads again everything that changed since then",
			c.Find)
	}
	if t.locations != nil {
		i.zone(c.Zone)
	}
	if t.odd() > 0 {
		i.OddRows(t.odd(), t.Unit)
	}
	i.FutureRows(keyset.IntValue(t.highest(c.Now.Add(time.Minute))))
}

func (i *Inspector) zone(server string) {
	if zone := i.Table.Config.TimeZone; zone != "" {
		i.Fact("time zone", zone)
		return
	}
	if loc, err := time.LoadLocation(server); err == nil && isUTC(loc) {
		i.Fact("time zone", "UTC (the server's)")
		i.Problem(source.Note, "no_time_zone", "updated has no time zone, and none is configured: it is read as UTC",
			"Set time_zone to the zone that updated is written in, if that is another one, such as Europe/Berlin.")
		return
	}
	i.NoZone(server+" (the server's) or UTC, whichever is earlier", "UTC or "+server)
}

// isUTC reports whether a zone is UTC by another name: Etc/UTC, Zulu, GMT.
func isUTC(zone *time.Location) bool {
	for _, at := range []time.Time{time.Unix(0, 0), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)} {
		if _, offset := at.In(zone).Zone(); offset != 0 {
			return false
		}
	}
	return true
}

// NoZone adds what is said where stamps have no zone, and none is configured: what is assumed, and zones that may be right.
func (i *Inspector) NoZone(assumed, examples string) {
	i.Fact("time zone", assumed)
	i.Problem(source.Note, "no_time_zone", "updated has no time zone, and none is configured: what is read again may be hours",
		"Set time_zone to the zone that updated is written in, such as "+examples+".")
}

// FutureRows counts the rows with stamps ahead of the clock: beyond highest.
func (i *Inspector) FutureRows(highest keyset.Value) {
	c := i.Table.Conditions()
	c.Add(i.Table.Updated.SQL, " > ", c.Stamp(highest))
	i.Count(Count{
		Statement: c.Statement("SELECT count(*) FROM " + i.Table.From), Severity: source.Warning, Code: "future_updated",
		One:  "1 row is stamped in the future: every run sends it again until then",
		Many: "%d rows are stamped in the future: every run sends them again until then",
		Hint: "Correct updated of these rows, and the clock that stamped them.",
	})
}

// OddRows counts the rows with a number that is not a time in its unit (E11).
func (i *Inspector) OddRows(odd int64, unit time.Duration) {
	i.Count(Count{
		Statement: Statement{SQL: "SELECT count(*) FROM " + i.Table.From + " WHERE " + i.Table.isOdd(odd)}, Severity: source.Warning, Code: "odd_updated",
		One:  "1 row has a number in updated that is not a time in " + unit.String() + " since 1970: every run sends it again",
		Many: "%d rows have a number in updated that is not a time in " + unit.String() + " since 1970: every run sends them again",
		Hint: "Correct updated of these rows, or set updated_as to what the numbers mean.",
	})
}

// counts holds the mistakes that the rows of any table can have: null and repeated ids, null stamps.
func counts(t *Table) []Count {
	from, id := t.From, t.ID.SQL
	list := []Count{
		{
			Statement: Statement{SQL: "SELECT count(*) FROM " + from + " WHERE " + id + " IS NULL"}, Severity: source.Failure, Code: "null_id",
			One:  "1 row has no id: it cannot be sent",
			Many: "%d rows have no id: they cannot be sent",
			Hint: "Choose another id, or leave the rows out with query: SELECT … WHERE … IS NOT NULL.",
		},
		{
			Statement: Statement{SQL: "SELECT count(*) FROM (SELECT 1 AS one FROM " + from + " WHERE " + id + " IS NOT NULL GROUP BY " + id + " HAVING count(*) > 1) AS repeated"},
			Severity:  source.Failure, Code: "duplicate_id",
			One:  "1 id stands in more than one row: only one of these rows is kept, and it is not defined which",
			Many: "%d ids stand in more than one row: only one row of each is kept, and it is not defined which",
			Hint: "Choose an id that is unique, or one row for each with query: SELECT DISTINCT ON …, GROUP BY ….",
		},
	}
	if t.Updated.SQL != "" {
		list = append(list, Count{
			Statement: Statement{SQL: "SELECT count(*) FROM " + from + " WHERE " + t.isUnstamped()}, Severity: source.Warning, Code: "null_updated",
			One:  "1 row has no updated: it is part of initial runs only, so its changes stay unknown",
			Many: "%d rows have no updated: they are part of initial runs only, so their changes stay unknown",
			Hint: "Fill updated for them, or use an expression such as coalesce(updated_at, created_at).",
		})
	}
	return list
}

// tally counts on a connection of its own, unless that takes too long.
func (s *Source) tally(ctx context.Context, i *Inspector, c Count) {
	n, err := s.number(ctx, c.Statement, inspectTime)
	switch {
	case err != nil || n < 0:
		i.Fact("not looked for, it took too long", c.Code)
	case n > 0:
		i.found.Problems = append(i.found.Problems, c.problem(n))
	}
}

// problem returns the problem of a number of rows.
func (c Count) problem(rows int64) source.Problem {
	message := c.One
	if rows != 1 {
		message = fmt.Sprintf(c.Many, rows)
	}
	return source.Problem{Severity: c.Severity, Code: c.Code, Message: message, Hint: c.Hint}
}

// noUpdated returns the note for a source without an updated field (E10).
func noUpdated(guess string) source.Problem {
	p := source.Problem{
		Severity: source.Note, Code: "no_updated",
		Message: "updated is not set: every run looks at every row, and sends all of them if any row has changed",
		Hint:    "Set updated to a column that changes with every change of a contact.",
	}
	if guess != "" {
		p.Hint = "Set updated to a column that changes with every change of a contact; " + guess + " looks like one."
	}
	return p
}

// unused lists the columns that no expression names. A column counts as named where its name stands in an expression as a word,
// whatever its case.
func unused(columns []string, expressions []expression) []string {
	var list []string
	for _, column := range columns {
		if !slices.ContainsFunc(expressions, func(e expression) bool { return names(e.sql, column) }) {
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
