package sqltable

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// A StampKind says how the horizon of a stamp is found.
type StampKind byte

// The kinds of stamps.
const (
	NoStamp   StampKind = iota // no value of the type can be a stamp
	Instants                   // a time with its zone
	Walls                      // a time without
	Dates                      // a date
	Integers                   // an integer: times or a sequence, which is yet to be told
	Epochs                     // an integer: time since 1970
	Sequences                  // an integer that grows
	Own                        // what only this database has: see [OwnStamps]
)

// A Stamp describes the values of "updated".
type Stamp struct {
	Kind      StampKind
	Layout    keyset.Layout // of kind Own; the others' follows from the kind
	SQL       string        // the type, for people
	Precision time.Duration // how far below the true time a stamp may be, by its type
	Unit      time.Duration // of integers that are times
}

func (st Stamp) layout() keyset.Layout {
	switch st.Kind {
	case Own:
		return st.Layout
	case Instants:
		return keyset.Instant
	case Walls:
		return keyset.Local
	case Dates:
		return keyset.Date
	}
	return keyset.Number
}

// odd is [keyset.Page.Odd] of a stamp.
func (st Stamp) odd() int64 {
	switch st.Unit {
	case time.Second:
		return stamp.Odd(stamp.AsSeconds)
	case time.Millisecond:
		return stamp.Odd(stamp.AsMillis)
	case time.Microsecond:
		return stamp.Odd(stamp.AsMicros)
	}
	return 0
}

// describe names a stamp's type for people.
func (st Stamp) describe() string {
	switch st.Kind {
	case Epochs:
		return fmt.Sprintf("%s, units of %s since 1970", st.SQL, st.Unit)
	case Sequences:
		return st.SQL + ", a sequence"
	}
	return st.SQL
}

// stampOf tells what "updated" is from its type and, where that leaves it open, from the configuration. Where the kind has stamps
// of its own it is for [Adapter] to say more.
func (d *Dialect) stampOf(as string, t Type) (Stamp, error) {
	st := Stamp{Kind: t.Stamp, SQL: t.SQL, Precision: t.Precision}
	switch t.Stamp {
	case Instants, Walls:
		return st, MustBe(as, t.SQL, stamp.AsTimestamp)
	case Dates:
		st.Precision = 24 * time.Hour
		return st, MustBe(as, t.SQL, stamp.AsDate)
	case Integers:
		if as == d.OwnStamp && as != "" {
			st.Kind, st.Layout = Own, keyset.Number
			return st, nil
		}
		return integerStamp(st, as)
	}
	return st, nil
}

func notAStamp(t Type) error {
	return &source.ConfigError{
		Key: "updated", Message: "updated cannot be read as a stamp: its type is " + t.SQL,
		Hint: "Set updated to a column of times, dates or integers, or to an expression that casts to such a type.",
	}
}

func integerStamp(st Stamp, as string) (Stamp, error) {
	switch as {
	case stamp.Auto:
	case stamp.AsSequence:
		st.Kind = Sequences
	case stamp.AsSeconds, stamp.AsMillis, stamp.AsMicros:
		st.Kind, st.Unit, st.Precision = Epochs, stamp.Unit(as), stamp.Unit(as)
	default:
		return st, MustBe(as, st.SQL, stamp.AsSequence)
	}
	return st, nil
}

// MustBe refuses an updated_as that the column's type rules out.
func MustBe(as, typeName, only string) error {
	if as == stamp.Auto || as == only {
		return nil
	}
	return &source.ConfigError{
		Key: "updated_as", Message: fmt.Sprintf("updated_as: %s does not fit updated, which is of type %s", as, typeName),
		Hint: "Leave updated_as out.",
	}
}

// ownStamps returns a session as one that has stamps of its own.
func ownStamps(conn Session) (OwnStamps, error) {
	own, ok := conn.(OwnStamps)
	if !ok {
		return nil, errors.New("the kind does not say how the horizon of its own stamps is found")
	}
	return own, nil
}

// typed finds the horizon of stamps that have a type.
type typed struct {
	conn  Session
	table *Table
}

func newTyped(conn Session, t *Table) typed { return typed{conn, t} }

// clock asks the database for its clock, and takes the skew off what is safe.
func (h typed) clock(ctx context.Context) (Clock, error) {
	clocked, ok := h.conn.(Clocked)
	if !ok {
		return Clock{}, errors.New("the database has no clock for stamps of this type")
	}
	c, err := clocked.Clock(ctx, h.table, h.table.Config.Overlap)
	c.Safe = c.Safe.Add(-h.table.Config.ClockSkew)
	return c, err
}

// horizon fixes how far the checkpoint of a run that starts now may go (E2).
func (h typed) horizon(ctx context.Context, state keyset.State, initial bool, since keyset.Since) (keyset.State, error) {
	// Numbers are sampled before the clock is read: every smaller one had been drawn by then.
	numbers, err := h.sample(ctx)
	if err != nil {
		return state, err
	}
	c, err := h.clock(ctx)
	if err != nil {
		return state, err
	}
	st, greatest, err := h.resolve(numbers, c, &state, since)
	if err != nil {
		return state, err
	}
	if st.Kind == Sequences {
		return h.sequence(ctx, state, c, greatest, since)
	}
	h.warn(c)
	state.Odd = st.odd()
	t, err := h.times(ctx, st, c)
	if err != nil {
		return state, err
	}
	state.Horizon = keyset.IntValue(t.lowest(c.Safe))
	if c.Unsafe {
		state.Horizon = keyset.Lowest()
		if !initial { // what was safe then still is
			state.Horizon = since.Updated
		}
	}
	// A checkpoint is never ahead of the clock that it was made with. If it is ahead of the clock now, that clock was set
	// back (T13), and stamps made since then may lie anywhere.
	if !initial && since.Updated.Int > t.highest(c.Now) {
		state.Restart = true
		h.table.Notes.Warn("the database's clock shows an earlier time than the checkpoint: it was set back, so everything is read again",
			"checkpoint", state.Layout.FormatStamp(since.Updated), "clock", c.Now)
	}
	return state, nil
}

// warn says why runs read more than they had to.
func (h typed) warn(c Clock) {
	notes, overlap := h.table.Notes, h.table.Config.Overlap
	if c.Lacks != "" {
		notes.Once(slog.LevelWarn, c.Lacks+": every run reads the overlap again", "overlap", overlap)
	}
	if c.holds(overlap) {
		notes.Warn("a transaction has been open for long: everything changed since then is read again by every run", "since", c.Safe)
	}
}

// holds reports whether an open transaction holds the horizon back.
func (c Clock) holds(overlap time.Duration) bool { return c.Lacks == "" && c.Now.Sub(c.Safe) > overlap }

// numbers is a sample of a column of integers.
type numbers struct {
	newest []int64 // the greatest ones, in descending order
	others []int64 // those of both ends of the ids
}

// sample reads the numbers that tell what a column of integers holds; nothing where the type tells.
func (h typed) sample(ctx context.Context) (n numbers, err error) {
	t := h.table
	if t.Stamp.Kind != Integers && t.Stamp.Kind != Sequences {
		return n, nil
	}
	u, id := t.Updated.SQL, t.ID.SQL
	parts := []string{u + " DESC"}
	if t.Stamp.Kind == Integers {
		parts = append(parts, id, id+" DESC")
	}
	sql := ""
	for i, order := range parts {
		if i > 0 {
			sql += " UNION ALL "
		}
		sql += fmt.Sprintf("SELECT %d, part%d.* FROM (SELECT %s FROM %s WHERE %s IS NOT NULL ORDER BY %s%s) AS part%d",
			i, i, t.alias(t.Updated.Select, 0), t.From, u, order, t.Dialect.limit(stamp.SampleSize), i)
	}
	err = h.conn.Query(ctx, Statement{SQL: sql}, func(values []keyset.Value) (bool, error) {
		into := &n.newest
		if values[0].Int > 0 {
			into = &n.others
		}
		*into = append(*into, values[1].Int)
		return true, nil
	})
	if err != nil {
		return n, fmt.Errorf("sample stamps: %w", err)
	}
	slices.SortFunc(n.newest, func(a, b int64) int { return cmp.Compare(b, a) })
	return n, nil
}

// resolve tells integers apart that could be times or sequence numbers, once for all runs (E11), and finds the greatest number
// of a sequence, which is nil where there are no rows.
func (h typed) resolve(n numbers, c Clock, state *keyset.State, since keyset.Since) (Stamp, *drawn, error) {
	st, notes := h.table.Stamp, h.table.Notes
	if st.Kind == Integers {
		if since.Form != "" && !stamp.IsIntegerForm(since.Form) {
			return st, nil, keyset.InvalidCheckpoint(nil)
		}
		state.Form = stamp.DecideInteger(since.Form, append(n.others, n.newest...), c.Now)
		if since.Form != "" && state.Form != since.Form {
			state.Restart = true
			notes.Warn("the numbers of updated mean something else than they did: everything is read again", "was", since.Form, "is", state.Form)
		}
		as := state.Form
		if as == "" {
			as = stamp.AsSequence
		}
		var err error
		if st, err = integerStamp(st, as); err != nil {
			return st, nil, err
		}
	}
	if st.Kind != Sequences || len(n.newest) == 0 {
		return st, nil, nil
	}
	greatest := stamp.GreatestNumber(n.newest)
	if greatest < n.newest[0] {
		notes.Once(slog.LevelWarn, "a few numbers of updated are far beyond all others: they are not taken for the newest, and sent by every run",
			"greatest", n.newest[0], "of the others", greatest)
	}
	return st, &drawn{number: greatest, at: c.Now}, nil
}

// times says how instants become stamps of this column.
func (h typed) times(ctx context.Context, st Stamp, c Clock) (timeStamps, error) {
	t := timeStamps{Stamp: st}
	var err error
	if st.Kind == Walls || st.Kind == Dates {
		if t.locations, err = h.zones(c.Zone); err != nil {
			return t, err
		}
	}
	t.Precision, err = h.coarseness(ctx, t, c.Now)
	return t, err
}

// zones gives the locations that stamps without a zone may be in. If none is configured these are the server's, which now()
// is written in, and UTC, which many applications write: the earlier one counts.
func (h typed) zones(server string) ([]*time.Location, error) {
	if zone := h.table.Config.TimeZone; zone != "" {
		loc, err := time.LoadLocation(zone)
		return []*time.Location{loc}, err
	}
	loc, err := time.LoadLocation(server)
	if err != nil || server == "" || server == "Local" {
		return nil, &source.ConfigError{
			Key: "time_zone", Message: fmt.Sprintf("time_zone is not set, and the server's own zone %q is unknown", server),
			Hint: "Set time_zone, for example to UTC or Europe/Berlin.",
		}
	}
	return []*time.Location{loc, time.UTC}, nil
}

// sampleSize is how many of the newest stamps are looked at to see what they are cut to.
const sampleSize = 20

// coarseness returns the precision of stamps as they are written: an application may cut them to seconds where the column's type
// would hold microseconds (T4). The zone does not matter: offsets are whole minutes, and what is cut to hours or days is then
// taken for minutes.
func (h typed) coarseness(ctx context.Context, t timeStamps, now time.Time) (time.Duration, error) {
	if t.Kind == Dates {
		return t.Precision, nil
	}
	unit := int64(1)
	if t.Kind == Epochs {
		unit = t.Unit.Microseconds()
	}
	u := h.table.Updated.SQL
	c := h.table.Conditions()
	c.Add(u, " <= ", c.Stamp(keyset.IntValue(t.highest(now))))
	if t.Kind == Epochs {
		c.Add(u, " > ", c.Stamp(keyset.IntValue(t.odd())))
	}
	statement := c.Statement("SELECT " + h.table.alias(h.table.Updated.Select, 0) + " FROM " + h.table.From)
	statement.SQL += " ORDER BY " + u + " DESC" + h.table.Dialect.limit(sampleSize)
	var sample []int64
	err := h.conn.Query(ctx, statement, func(values []keyset.Value) (bool, error) {
		if v := values[0].Int; v != keyset.MinusInfinity {
			sample = append(sample, v*unit)
		}
		return true, nil
	})
	if err != nil {
		return 0, fmt.Errorf("sample stamps: %w", err)
	}
	return max(t.Precision, stamp.Coarseness(sample)), nil
}

// timeStamps turns instants into stamps.
type timeStamps struct {
	Stamp
	locations []*time.Location // of stamps without a zone; at least one
}

// lowest returns the greatest stamp that no change after an instant can have or be below: at or before it everything is visible.
func (t timeStamps) lowest(safe time.Time) int64 {
	// Stamps are rounded to the precision, so what happens after safe may be stamped up to one step before.
	safe = safe.Add(-t.Precision)
	switch t.Kind {
	case Epochs:
		return floor(safe.UnixMicro(), t.Unit.Microseconds())
	case Instants:
		return stamp.Microseconds(safe)
	}
	return t.fromWall(stamp.LowestOf(safe, t.locations))
}

// highest returns a stamp that no checkpoint made at or before an instant is beyond.
func (t timeStamps) highest(now time.Time) int64 {
	switch t.Kind {
	case Epochs:
		return floor(now.UnixMicro(), t.Unit.Microseconds())
	case Instants:
		return stamp.Microseconds(now)
	}
	return t.fromWall(stamp.HighestOf(now, t.locations))
}

func (t timeStamps) fromWall(wall time.Time) int64 {
	if t.Kind == Dates {
		return floor(stamp.Microseconds(wall), (24 * time.Hour).Microseconds())
	}
	return stamp.Microseconds(wall)
}

func floor(a, step int64) int64 {
	q := a / step
	if a%step < 0 {
		q--
	}
	return q
}
