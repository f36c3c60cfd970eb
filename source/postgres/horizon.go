package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// horizon fixes how far the checkpoint of a run that starts now may go (E2).
func (f *factory) horizon(ctx context.Context, conn *pgxpool.Conn, s *shape, initial bool, since keyset.Since) (keyset.State, error) {
	state := keyset.State{Layout: s.stamp.kind.layout()}
	var err error
	if initial {
		if state.Mark, err = s.mark(ctx, conn); err != nil { // before anything is read
			return state, err
		}
	}
	if s.stamp.kind == xids {
		return f.xidHorizon(ctx, conn, state, initial, since)
	}
	stamp, greatest, err := f.resolve(ctx, conn, s, &state, since)
	if err != nil {
		return state, err
	}
	clock, err := f.clock(ctx, conn, s)
	if err != nil {
		return state, err
	}
	if stamp.kind == sequences {
		return f.sequenceHorizon(ctx, conn, state, clock, greatest, since)
	}
	if clock.lacks != "" {
		f.notes.Once(slog.LevelWarn, clock.lacks+": every run reads the overlap again", "overlap", f.cfg.Overlap)
	}
	if clock.lacks == "" && clock.now.Sub(clock.safe) > f.cfg.Overlap {
		f.deps.Logger.Warn("a transaction has been open for long: everything changed since then is read again by every run", "since", clock.safe)
	}
	state.Odd = stamp.odd()
	t, err := f.timeStamps(stamp, clock)
	if err == nil {
		t.precision, err = f.coarseness(ctx, conn, s, t, clock.now)
	}
	if err != nil {
		return state, err
	}
	state.Horizon = keyset.IntValue(t.lowest(clock.safe))
	if clock.unsafe {
		state.Horizon = keyset.Lowest()
		if !initial { // what was safe then still is
			state.Horizon = since.Updated
		}
	}
	// A checkpoint is never ahead of the clock that it was made with. If it is ahead of the clock now, that clock was set
	// back (T13), and stamps made since then may lie anywhere.
	if !initial && since.Updated.Int > t.highest(clock.now) {
		state.Restart = true
		f.deps.Logger.Warn("the database's clock shows an earlier time than the checkpoint: it was set back, so everything is read again",
			"checkpoint", state.Layout.FormatStamp(since.Updated), "clock", clock.now)
	}
	return state, nil
}

// odd is [keyset.Page.Odd] of a stamp.
func (st stampType) odd() int64 {
	switch st.unit {
	case time.Second:
		return stamp.Odd(stamp.AsSeconds)
	case time.Millisecond:
		return stamp.Odd(stamp.AsMillis)
	case time.Microsecond:
		return stamp.Odd(stamp.AsMicros)
	}
	return 0
}

// resolve tells integers apart that could be times or sequence numbers, once for all runs (E11), and finds the greatest number
// of a sequence, which is nil where there are no rows.
func (f *factory) resolve(ctx context.Context, conn *pgxpool.Conn, s *shape, state *keyset.State, since keyset.Since) (stampType, *drawn, error) {
	st := s.stamp
	if st.kind != integers && st.kind != sequences {
		return st, nil, nil
	}
	newest, others, now, err := s.sample(ctx, conn)
	if err != nil {
		return st, nil, fmt.Errorf("sample stamps: %w", err)
	}
	if st.kind == integers {
		if since.Form != "" && !stamp.IsIntegerForm(since.Form) {
			return st, nil, keyset.InvalidCheckpoint(nil)
		}
		state.Form = stamp.DecideInteger(since.Form, append(others, newest...), now)
		if since.Form != "" && state.Form != since.Form {
			state.Restart = true
			f.deps.Logger.Warn("the numbers of updated mean something else than they did: everything is read again", "was", since.Form, "is", state.Form)
		}
		as := state.Form
		if as == "" {
			as = stamp.AsSequence
		}
		if st, err = integerStamp(st, as); err != nil {
			return st, nil, err
		}
	}
	if st.kind != sequences || len(newest) == 0 {
		return st, nil, nil
	}
	greatest := stamp.GreatestNumber(newest)
	if greatest < newest[0] {
		f.notes.Once(slog.LevelWarn, "a few numbers of updated are far beyond all others: they are not taken for the newest, and sent by every run",
			"greatest", newest[0], "of the others", greatest)
	}
	return st, &drawn{number: greatest, at: now}, nil
}

// sample reads the greatest integer stamps, in descending order, and those of both ends of the ids.
func (s *shape) sample(ctx context.Context, conn *pgxpool.Conn) (newest, others []int64, now time.Time, err error) {
	part := func(order string) string {
		return "(SELECT " + s.updated + "::bigint AS number FROM " + s.from + " WHERE " + s.updated + " IS NOT NULL ORDER BY " + order +
			" LIMIT " + fmt.Sprint(stamp.SampleSize) + ")"
	}
	sql := "SELECT (SELECT array_agg(number ORDER BY number DESC) FROM " + part(s.updated+" DESC") + " AS newest)"
	if s.stamp.kind == integers {
		sql += ", (SELECT array_agg(number) FROM (" + part(s.id) + " UNION ALL " + part(s.id+" DESC") + ") AS others)"
	} else {
		sql += ", NULL::bigint[]"
	}
	err = conn.QueryRow(ctx, sql+", clock_timestamp()").Scan(&newest, &others, &now)
	return newest, others, now, err
}

// A clock is what the database says about time.
type clock struct {
	now     time.Time // the database's clock
	safe    time.Time // every change made at or before it is visible
	zone    string    // the server's TimeZone
	method  string    // how safe was found, for people
	lacks   string    // why safe is only the overlap, for the log; empty if it is exact
	hidden  bool      // because other users' transactions cannot be seen
	standby bool
	blind   bool // the transactions that write what is read are none of this server's
	unsafe  bool // nothing is known to be visible
}

// clock finds the moment up to which every change is visible. The clock is read before the list of transactions: one that
// is not on the list has begun later.
func (f *factory) clock(ctx context.Context, conn *pgxpool.Conn, s *shape) (clock, error) {
	var c clock
	var replayed *time.Time
	err := conn.QueryRow(ctx, `SELECT clock_timestamp(), pg_is_in_recovery(), pg_last_xact_replay_timestamp(),
		current_setting('TimeZone')`).Scan(&c.now, &c.standby, &replayed, &c.zone)
	if err != nil {
		return c, fmt.Errorf("read clock: %w", err)
	}
	c.blind = c.standby || s.origin.elsewhere()
	if c.standby {
		c.lacks = "this is a standby, where open transactions cannot be seen"
		if c.unsafe = replayed == nil; c.unsafe {
			c.method = "nothing is safe: the standby has not replayed any commit since it started"
			return c, nil
		}
		c.method = "overlap (standby)"
		c.safe = earliest(c.now, replayed).Add(-f.cfg.Overlap - f.cfg.ClockSkew)
		return c, nil
	}
	var oldest, prepared *time.Time
	var hidden int // sessions whose transactions this user may not see
	if err = conn.QueryRow(ctx, openTransactions).Scan(&oldest, &hidden); err == nil {
		// Read later than the open ones: one of them may have been prepared meanwhile.
		err = conn.QueryRow(ctx, "SELECT min(prepared) FROM pg_prepared_xacts WHERE database = current_database()").Scan(&prepared)
	}
	if err != nil {
		return c, fmt.Errorf("list open transactions: %w", err)
	}
	c.method, c.safe = "oldest open transaction", earliest(c.now, oldest)
	switch {
	case c.blind:
		c.method, c.safe = "overlap (rows come from elsewhere)", earliest(c.now.Add(-f.cfg.Overlap), oldest)
		c.lacks = "what is read is filled from elsewhere"
	case hidden > 0:
		c.method, c.safe = "overlap (no privilege)", earliest(c.now.Add(-f.cfg.Overlap), oldest)
		c.hidden, c.lacks = true, "other users' open transactions cannot be seen ("+grant+")"
	}
	if prepared != nil {
		before := prepared.Add(-f.cfg.Overlap)
		c.safe = earliest(c.safe, &before)
	}
	c.safe = c.safe.Add(-f.cfg.ClockSkew)
	return c, nil
}

const grant = "GRANT pg_read_all_stats TO the user of dsn"

// openTransactions finds who could still commit something, and how old its stamps may be: a statement may have begun before its
// transaction, in a procedure that commits, and between two of its transactions it has none. Sessions of other databases cannot
// write here, and cleaning up changes nothing. A session that this user may not look into, or that does not track, counts as
// hidden.
const openTransactions = `SELECT
	min(least(xact_start, query_start)) FILTER (WHERE xact_start IS NOT NULL OR state = 'active' AND backend_type = 'client backend'),
	count(*) FILTER (WHERE query = '<insufficient privilege>' OR state = 'disabled')
	FROM pg_stat_activity
	WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type IS DISTINCT FROM 'autovacuum worker'`

func earliest(t time.Time, other *time.Time) time.Time {
	if other != nil && other.Before(t) {
		return *other
	}
	return t
}

// zone gives the locations that stamps without a zone may be in. If none is configured these are the server's, which now()
// is written in, and UTC, which many applications write: the earlier one counts.
func (f *factory) zone(server string) ([]*time.Location, error) {
	if f.cfg.TimeZone != "" {
		loc, err := time.LoadLocation(f.cfg.TimeZone)
		return []*time.Location{loc}, err
	}
	loc, err := time.LoadLocation(server)
	if err != nil || server == "" || server == "Local" {
		return nil, &configError{
			key: "time_zone", message: fmt.Sprintf("the server's own zone %q is no known name", server),
			hint: "set time_zone, for example to UTC or Europe/Berlin",
		}
	}
	return []*time.Location{loc, time.UTC}, nil
}

// timeStamps says how instants become stamps.
func (f *factory) timeStamps(st stampType, c clock) (timeStamps, error) {
	t := timeStamps{stampType: st}
	if st.kind != walls && st.kind != dates {
		return t, nil
	}
	var err error
	t.locations, err = f.zone(c.zone)
	return t, err
}

// sampleSize is how many of the newest stamps are looked at to see what they are cut to.
const sampleSize = 20

// coarseness is the precision of stamps as they are written: an application may cut them to seconds where the column's type
// would hold microseconds (T4).
func (f *factory) coarseness(ctx context.Context, conn *pgxpool.Conn, s *shape, t timeStamps, now time.Time) (time.Duration, error) {
	if t.kind == dates {
		return t.precision, nil
	}
	micros := s.updated + "::bigint * " + fmt.Sprint(t.unit.Microseconds())
	if t.kind != epochs {
		// The zone does not matter: offsets are whole minutes, and what is cut to hours or days is then taken for minutes.
		micros = "(extract(epoch FROM " + s.updated + ") * 1000000)::bigint"
	}
	var c conditions
	c.add(s.updated+" <= ?", s.stampArg(keyset.IntValue(t.highest(now))))
	if t.kind == epochs {
		c.add(s.updated+" > ?", s.stampArg(keyset.IntValue(t.odd())))
	} else {
		c.add(s.updated + " > '-infinity'")
	}
	rows, err := conn.Query(ctx, "SELECT "+micros+" FROM "+s.from+c.String()+" ORDER BY "+s.updated+" DESC LIMIT "+fmt.Sprint(sampleSize), c.args...)
	if err != nil {
		return 0, fmt.Errorf("sample stamps: %w", err)
	}
	sample, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return 0, fmt.Errorf("sample stamps: %w", err)
	}
	return max(t.precision, stamp.Coarseness(sample)), nil
}

// timeStamps turns instants into stamps.
type timeStamps struct {
	stampType
	locations []*time.Location // of stamps without a zone; at least one
}

// lowest is the greatest stamp that no change after an instant can have or be below: at or before it everything is visible.
func (t timeStamps) lowest(safe time.Time) int64 {
	// Stamps are rounded to the precision, so what happens after safe may be stamped up to one step before.
	safe = safe.Add(-t.precision)
	switch t.kind {
	case epochs:
		return floor(safe.UnixMicro(), t.unit.Microseconds())
	case instants:
		return stamp.Microseconds(safe)
	}
	lowest := stamp.LowestWall(safe, t.locations[0])
	for _, loc := range t.locations[1:] {
		if w := stamp.LowestWall(safe, loc); w.Before(lowest) {
			lowest = w
		}
	}
	return t.fromWall(lowest)
}

// highest is a stamp that no checkpoint made at or before an instant is beyond.
func (t timeStamps) highest(now time.Time) int64 {
	switch t.kind {
	case epochs:
		return floor(now.UnixMicro(), t.unit.Microseconds())
	case instants:
		return stamp.Microseconds(now)
	}
	highest := stamp.HighestWall(now, t.locations[0])
	for _, loc := range t.locations[1:] {
		if w := stamp.HighestWall(now, loc); w.After(highest) {
			highest = w
		}
	}
	return t.fromWall(highest)
}

func (t timeStamps) fromWall(wall time.Time) int64 {
	if t.kind == dates {
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

// xidHorizon is exact: every transaction below the snapshot's xmin has ended.
func (f *factory) xidHorizon(ctx context.Context, conn *pgxpool.Conn, state keyset.State, initial bool, since keyset.Since) (keyset.State, error) {
	var oldest, next int64
	err := conn.QueryRow(ctx, `SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint
		FROM pg_current_snapshot() AS s`).Scan(&oldest, &next)
	if err != nil {
		return state, fmt.Errorf("read snapshot: %w", err)
	}
	state.Horizon = keyset.IntValue(oldest - 1)
	// Transaction ids start again in a database that was restored from a dump.
	state.Restart = !initial && since.Updated.Int >= next
	if state.Restart {
		f.deps.Logger.Warn("the checkpoint's transaction is in the future: the database was restored, so everything is read again",
			"checkpoint", since.Updated.Int, "next", next)
	}
	return state, nil
}
