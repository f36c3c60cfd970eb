package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// A drawn is the greatest sequence number that could be seen at a moment. Every smaller one had been drawn by then, by
// transactions that had begun before.
type drawn struct {
	number int64
	at     time.Time // by the database's clock
	// open are the virtual ids of the transactions that were open then, where their starts cannot be seen; nil elsewhere.
	open []string
}

// mostOpen is how many transactions a checkpoint may name.
const mostOpen = 16

// waitForOthers is how long a run waits for the transactions that were open when it began.
const waitForOthers = 1500 * time.Millisecond

// sequenceHorizon is the greatest number, once every transaction that could have drawn a smaller one has ended. If one does
// not end, the horizon stays where it was, and the number goes with the checkpoint: a later run will know more.
func (f *factory) sequenceHorizon(ctx context.Context, conn *pgxpool.Conn, state keyset.State, c clock, greatest *drawn, since keyset.Since) (keyset.State, error) {
	known := int64(keyset.MinusInfinity)
	if since.Updated.Kind != keyset.None {
		known = since.Updated.Int
	}
	if greatest != nil && since.Updated.Kind != keyset.None && greatest.number < known {
		// Numbers start again in a database that was restored, or whose sequence was set back (T13).
		state.Restart = true
		f.deps.Logger.Warn("the greatest number of updated is below the checkpoint: the database was restored, or its sequence set back, so everything is read again",
			"checkpoint", known, "greatest", greatest.number)
	}
	if state.Restart {
		known, since.Candidate = keyset.MinusInfinity, ""
	}
	if earlier, ok := parseDrawn(since.Candidate); ok {
		settled, err := f.isSettled(ctx, conn, c, earlier)
		if err != nil {
			return state, err
		}
		if settled {
			known = max(known, earlier.number)
		} else {
			state.Candidate = since.Candidate
		}
	}
	state.Horizon = keyset.IntValue(known)
	if greatest == nil || greatest.number <= known {
		return state, nil
	}
	open, err := f.openNow(ctx, conn, c)
	if err != nil {
		return state, err
	}
	settled, err := f.othersEnd(ctx, conn, c, open)
	if err != nil {
		return state, err
	}
	if settled {
		state.Horizon, state.Candidate = keyset.IntValue(greatest.number), ""
		return state, nil
	}
	why := "transactions stay open"
	if c.blind {
		why = c.lacks
	}
	f.notes.Once(slog.LevelWarn, why+", so it is not known yet that every smaller number of updated can be seen: the run reads more than it had to")
	if state.Candidate == "" {
		if c.hidden && len(open) <= mostOpen {
			greatest.open = open
		}
		state.Candidate = greatest.String()
	}
	return state, nil
}

// isSettled reports whether every transaction that could have drawn a smaller number has ended.
func (f *factory) isSettled(ctx context.Context, conn *pgxpool.Conn, c clock, d drawn) (bool, error) {
	if !c.hidden || len(d.open) == 0 {
		// All who had begun before c.safe have ended.
		return !d.at.After(c.safe), nil
	}
	open, err := stillOpen(ctx, conn, d.open)
	if err != nil || len(open) > 0 {
		return false, err
	}
	return nonePrepared(ctx, conn)
}

func (d drawn) String() string {
	text := strconv.FormatInt(d.number, 10) + "@" + keyset.Instant.FormatStamp(keyset.IntValue(stamp.Microseconds(d.at)))
	if len(d.open) > 0 {
		text += "@" + strings.Join(d.open, ",")
	}
	return text
}

func parseDrawn(text string) (drawn, bool) {
	number, rest, _ := strings.Cut(text, "@")
	at, open, _ := strings.Cut(rest, "@")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return drawn{}, false
	}
	t, err := keyset.Instant.Parse(at)
	if err != nil {
		return drawn{}, false
	}
	d := drawn{number: n, at: stamp.Moment(t.Updated.Int)}
	if open != "" {
		d.open = strings.Split(open, ",")
	}
	return d, true
}

// openNow lists the virtual ids of the transactions that are open. Who has one open can be seen without any privilege: each
// holds the lock on its own id. Where those that write are not this server's, the list is nil.
func (f *factory) openNow(ctx context.Context, conn *pgxpool.Conn, c clock) (open []string, err error) {
	if c.blind {
		return nil, nil
	}
	err = conn.QueryRow(ctx, `SELECT coalesce(array_agg(l.virtualxid), '{}') FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE l.locktype = 'virtualxid' AND l.virtualxid = l.virtualtransaction AND l.pid <> pg_backend_pid()
		AND a.datname = current_database() AND a.backend_type IS DISTINCT FROM 'autovacuum worker'`).Scan(&open)
	if err != nil {
		return nil, fmt.Errorf("list open transactions: %w", err)
	}
	return open, nil
}

// stillOpen are those of a list of transactions that have not ended.
func stillOpen(ctx context.Context, conn *pgxpool.Conn, list []string) (open []string, err error) {
	err = conn.QueryRow(ctx, `SELECT coalesce(array_agg(virtualxid), '{}') FROM pg_locks
		WHERE locktype = 'virtualxid' AND virtualxid = virtualtransaction AND virtualxid = ANY($1::text[])`, list).Scan(&open)
	if err != nil {
		return nil, fmt.Errorf("list open transactions: %w", err)
	}
	return open, nil
}

// nonePrepared reports whether no transaction is prepared: one that is has given up its virtual id.
func nonePrepared(ctx context.Context, conn *pgxpool.Conn) (none bool, err error) {
	err = conn.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database())").Scan(&none)
	if err != nil {
		return false, fmt.Errorf("list prepared transactions: %w", err)
	}
	return none, nil
}

// othersEnd waits until the transactions that are open have ended. False: not all of them do so in time.
func (f *factory) othersEnd(ctx context.Context, conn *pgxpool.Conn, c clock, open []string) (ended bool, err error) {
	if c.blind {
		return false, nil
	}
	deadline := time.NewTimer(f.wait)
	defer deadline.Stop()
	for pause := 10 * time.Millisecond; len(open) > 0; pause = min(2*pause, 200*time.Millisecond) {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-deadline.C:
			return false, nil
		case <-time.After(pause):
		}
		if open, err = stillOpen(ctx, conn, open); err != nil {
			return false, err
		}
	}
	return nonePrepared(ctx, conn)
}
