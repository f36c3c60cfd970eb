package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// Clock implements [sqltable.Clocked]. The clock is read before the list of transactions: one that is not on the list has begun
// later.
func (s *session) Clock(ctx context.Context, t *sqltable.Table, overlap time.Duration) (sqltable.Clock, error) {
	c := sqltable.Clock{Find: findTransactions}
	var standby bool
	var replayed *time.Time
	err := s.QueryRow(ctx, `SELECT clock_timestamp(), pg_is_in_recovery(), pg_last_xact_replay_timestamp(),
		current_setting('TimeZone')`).Scan(&c.Now, &standby, &replayed, &c.Zone)
	if err != nil {
		return c, fmt.Errorf("read clock: %w", err)
	}
	if standby {
		return standbyClock(c, replayed, overlap), nil
	}
	return s.openClock(ctx, c, shapeOf(t).origin.elsewhere(), overlap)
}

// standbyClock returns the clock of a standby: what was replayed is visible.
func standbyClock(c sqltable.Clock, replayed *time.Time, overlap time.Duration) sqltable.Clock {
	c.Blind, c.Lacks = true, standbyLacks
	if c.Unsafe = replayed == nil; c.Unsafe {
		c.Method = "nothing is safe: the standby has not replayed any commit since it started"
		return c
	}
	c.Method, c.Safe = "overlap (standby)", earliest(c.Now, replayed).Add(-overlap)
	return c
}

const standbyLacks = "this is a standby, where open transactions cannot be seen"

// openClock goes by the transactions that are open. elsewhere says that others write what is read.
func (s *session) openClock(ctx context.Context, c sqltable.Clock, elsewhere bool, overlap time.Duration) (sqltable.Clock, error) {
	var oldest, prepared *time.Time
	var hidden int // sessions with transactions that this user may not see
	err := s.QueryRow(ctx, openTransactions).Scan(&oldest, &hidden)
	if err == nil {
		// Read later than the open ones: one of them may have been prepared meanwhile.
		err = s.QueryRow(ctx, "SELECT min(prepared) FROM pg_prepared_xacts WHERE database = current_database()").Scan(&prepared)
	}
	if err != nil {
		return c, fmt.Errorf("list open transactions: %w", err)
	}
	c.Method, c.Safe = "oldest open transaction", earliest(c.Now, oldest)
	switch {
	case elsewhere:
		c.Method, c.Safe = "overlap (rows come from elsewhere)", earliest(c.Now.Add(-overlap), oldest)
		c.Blind, c.Lacks = true, "what is read is filled from elsewhere"
	case hidden > 0:
		c.Method, c.Safe = "overlap (no privilege)", earliest(c.Now.Add(-overlap), oldest)
		c.Hidden, c.Lacks = true, "other users' open transactions cannot be seen ("+grant+")"
	}
	if prepared != nil {
		before := prepared.Add(-overlap)
		c.Safe = earliest(c.Safe, &before)
	}
	return c, nil
}

const findTransactions = "Find it: SELECT pid, usename, application_name, state, xact_start FROM pg_stat_activity ORDER BY xact_start; prepared ones are in pg_prepared_xacts."

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

// Horizon implements [sqltable.OwnStamps], for transaction ids. It is exact: every transaction below the snapshot's xmin has ended.
func (s *session) Horizon(ctx context.Context, t *sqltable.Table, state keyset.State, initial bool, since keyset.Since) (keyset.State, error) {
	var oldest, next int64
	err := s.QueryRow(ctx, `SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint
		FROM pg_current_snapshot() AS s`).Scan(&oldest, &next)
	if err != nil {
		return state, fmt.Errorf("read snapshot: %w", err)
	}
	state.Horizon = keyset.IntValue(oldest - 1)
	// Transaction ids start again in a database that was restored from a dump.
	state.Restart = !initial && since.Updated.Int >= next
	if state.Restart {
		t.Notes.Warn("the checkpoint's transaction is in the future: the database was restored, so everything is read again",
			"checkpoint", since.Updated.Int, "next", next)
	}
	return state, nil
}

// InspectStamps implements [sqltable.OwnStamps].
func (s *session) InspectStamps(_ context.Context, i *sqltable.Inspector) error {
	i.Order(i.Table.Stamp.SQL)
	i.Fact("safe horizon", "the oldest running transaction: exact")
	if strings.EqualFold(strings.TrimSpace(i.Table.Config.Updated), "xmin") {
		i.Problem(source.Warning, "xmin_scans", "updated is xmin, which no index can serve: every page reads the whole table",
			"Add a column of type xid8 that a trigger fills with pg_current_xact_id(), and index it.")
	}
	return nil
}
