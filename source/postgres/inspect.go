package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
)

// inspectTime is how long each question about all rows may take; then it stays unanswered.
const inspectTime = 1500 * time.Millisecond

// An inspector collects what is found.
type inspector struct {
	*Source
	shape  *shape
	found  source.Inspection
	counts []counted // what to count when the connection is free again
}

// A counted is a count and its arguments.
type counted struct {
	keyset.Count
	args []any
}

// Inspect implements [source.Inspector].
func (s *Source) Inspect(ctx context.Context) (source.Inspection, error) {
	i := &inspector{Source: s}
	err := s.with(ctx, func(conn *pgxpool.Conn, shape *shape) error {
		i.shape = shape
		return i.look(ctx, conn)
	})
	if err != nil {
		return source.Inspection{}, fmt.Errorf("inspect source: %w", err)
	}
	i.count(ctx)
	source.SortProblems(i.found.Problems)
	return i.found, nil
}

// look finds what one connection tells at once.
func (i *inspector) look(ctx context.Context, conn *pgxpool.Conn) error {
	columns := make([]record.Column, len(i.shape.columns))
	for n, c := range i.shape.columns {
		columns[n] = c.Column
	}
	i.found.Mapping = record.Mapping(i.factory.cfg.ID, columns)
	names, err := columnNames(ctx, conn, i.shape.from)
	if err != nil {
		return err
	}
	i.found.Unused = keyset.Unused(names, i.factory.cfg.Expressions(columns)...)
	if t := i.shape.table; t != nil && t.rows >= 0 && t.kind != "v" {
		i.fact("contacts", "about "+strconv.FormatFloat(t.rows, 'f', 0, 64)+", by the planner's estimate")
	}
	if i.shape.stamp.kind == unsorted {
		i.fact("order", i.factory.cfg.ID+" ("+i.shape.idType+")")
		if err := i.guessUpdated(ctx, conn); err != nil {
			return err
		}
	} else if err := i.stamps(ctx, conn); err != nil {
		return err
	}
	return i.indexes(ctx, conn)
}

func (i *inspector) fact(name, value string) {
	i.found.Facts = append(i.found.Facts, source.Fact{Name: name, Value: value})
}

func (i *inspector) problem(severity source.Severity, code, message, hint string) {
	i.found.Problems = append(i.found.Problems, source.Problem{Severity: severity, Code: code, Message: message, Hint: hint})
}

// guessUpdated names a column that looks like a time of change.
func (i *inspector) guessUpdated(ctx context.Context, conn *pgxpool.Conn) error {
	names, err := columnNames(ctx, conn, i.shape.from)
	if err != nil {
		return err
	}
	i.found.Problems = append(i.found.Problems, keyset.NoUpdated(record.Usual(names).Updated))
	return nil
}

// stamps says how the horizon is found, and what keeps it from being exact.
func (i *inspector) stamps(ctx context.Context, conn *pgxpool.Conn) error {
	f, s := i.factory, i.shape
	st, greatest, err := f.resolve(ctx, conn, s, &keyset.State{}, keyset.Since{})
	if err != nil {
		return err
	}
	i.fact("order", fmt.Sprintf("%s (%s), %s (%s)", f.cfg.Updated, st.describe(), f.cfg.ID, s.idType))
	if st.kind == xids {
		i.fact("safe horizon", "the oldest running transaction: exact")
		if strings.EqualFold(strings.TrimSpace(f.cfg.Updated), "xmin") {
			i.problem(source.Warning, "xmin_scans", "updated is xmin, which no index can serve: every page reads the whole table",
				"add a column of type xid8 that a trigger fills with pg_current_xact_id(), and index it")
		}
		return nil
	}
	if st.kind == sequences {
		c, err := f.clock(ctx, conn, s)
		if err != nil {
			return err
		}
		if c.blind {
			i.fact("safe horizon", "the greatest number of the overlap before")
			i.blind(c, fmt.Sprintf("a number counts as safe %s after it was seen, and a smaller one that comes later than that is missed", f.cfg.Overlap))
		} else {
			i.fact("safe horizon", "the greatest number, once the transactions that were open have ended")
		}
		if greatest != nil && s.stamp.kind == integers {
			i.problem(source.Note, "taken_for_sequence", "updated is taken for a number that grows, not for a time",
				"if it is a time, set updated_as to epoch_s, epoch_ms or epoch_us")
		}
		return nil
	}
	return i.times(ctx, conn, st)
}

// describe names a stamp's type for people.
func (st stampType) describe() string {
	switch st.kind {
	case epochs:
		return fmt.Sprintf("%s, units of %s since 1970", st.sqlType, st.unit)
	case sequences:
		return st.sqlType + ", a sequence"
	}
	return st.sqlType
}

// times are the facts about stamps that are times.
func (i *inspector) times(ctx context.Context, conn *pgxpool.Conn, st stampType) error {
	c, err := i.factory.clock(ctx, conn, i.shape)
	if err != nil {
		return err
	}
	t, err := i.factory.timeStamps(st, c)
	if err != nil {
		return err
	}
	if t.precision, err = i.factory.coarseness(ctx, conn, i.shape, t, c.now); err != nil {
		return err
	}
	if t.precision >= time.Second {
		i.fact("precision of updated", t.precision.String())
	}
	if c.unsafe {
		i.fact("safe horizon", c.method)
	} else {
		i.fact("safe horizon", fmt.Sprintf("%s, now %s", c.method, st.kind.layout().FormatStamp(keyset.IntValue(t.lowest(c.safe)))))
	}
	if err := i.privilege(ctx, conn, c); err != nil {
		return err
	}
	if st.odd() > 0 {
		i.odd(st)
	}
	if c.lacks == "" && c.now.Sub(c.safe) > i.factory.cfg.Overlap {
		i.problem(source.Warning, "old_transaction", "a transaction has been open since "+c.safe.Format(time.RFC3339)+": every run reads everything again that changed since then",
			"find it: SELECT pid, usename, application_name, state, xact_start FROM pg_stat_activity ORDER BY xact_start; prepared ones are in pg_prepared_xacts")
	}
	if t.locations != nil {
		i.zone(c)
	}
	i.future(t.highest(c.now.Add(time.Minute)))
	return nil
}

// privilege says what keeps open transactions from being seen.
func (i *inspector) privilege(ctx context.Context, conn *pgxpool.Conn, c clock) error {
	overlap := fmt.Sprintf("every run reads the last %s again, and what commits later than that after its stamp is missed", i.factory.cfg.Overlap)
	if c.blind {
		i.blind(c, overlap)
		return nil
	}
	var user string
	var may bool
	err := conn.QueryRow(ctx, "SELECT current_user, pg_has_role(current_user, 'pg_read_all_stats', 'usage')").Scan(&user, &may)
	if err == nil && !may {
		i.problem(source.Warning, "no_privilege", "this user may not see when other users' transactions began: while they are connected "+overlap,
			"GRANT pg_read_all_stats TO "+keyset.Quote(user))
	}
	return err
}

// blind says why the transactions that write cannot be seen.
func (i *inspector) blind(c clock, overlap string) {
	if c.standby {
		i.problem(source.Warning, "standby", "this is a standby, where open transactions cannot be seen: "+overlap,
			"read from the primary, or use an xid8 column as updated")
		return
	}
	i.problem(source.Warning, "imported", "the rows are written elsewhere and arrive at any time: "+overlap,
		"read from where they are written, or set overlap to the longest delay")
}

func (i *inspector) zone(c clock) {
	if zone := i.factory.cfg.TimeZone; zone != "" {
		i.fact("time zone", zone)
		return
	}
	i.fact("time zone", c.zone+" (the server's) or UTC, whichever is earlier")
	i.problem(source.Note, "no_time_zone", "updated has no time zone, and none is configured: what is read again may be hours",
		"set time_zone to the zone that updated is written in, such as UTC or "+c.zone)
}

// future counts stamps that are ahead of the clock.
func (i *inspector) future(highest int64) {
	var c conditions
	c.add(i.shape.updated+" > ?", i.shape.stampArg(keyset.IntValue(highest)))
	i.counts = append(i.counts, counted{args: c.args, Count: keyset.FutureRows("SELECT count(*) FROM " + i.shape.from + c.String())})
}

// odd counts the rows whose number is no time in the column's form (E11).
func (i *inspector) odd(st stampType) {
	sql := "SELECT count(*) FROM " + i.shape.from + " WHERE " + i.shape.isOdd(keyset.Page{Odd: st.odd()})
	i.counts = append(i.counts, counted{Count: keyset.OddRows(sql, st.unit.String())})
}

// count counts what may be wrong with the rows.
func (i *inspector) count(ctx context.Context) {
	for _, c := range keyset.Counts(i.shape.from, i.shape.id, i.shape.updated) {
		i.counts = append(i.counts, counted{Count: c})
	}
	for _, c := range i.counts {
		i.tally(ctx, c)
	}
}

// tally counts, unless that takes too long.
func (i *inspector) tally(ctx context.Context, c counted) {
	short, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	var n int64
	err := i.db.conns.QueryRow(short, c.SQL, c.args...).Scan(&n)
	switch {
	case err != nil:
		i.fact("not looked for, it took too long", c.Code)
	case n > 0:
		i.found.Problems = append(i.found.Problems, c.Problem(n))
	}
}
