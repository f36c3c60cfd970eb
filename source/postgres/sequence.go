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
)

// A drawn is the greatest sequence number that could be seen at a moment. Every smaller one had been drawn by then, by
// transactions that had begun before.
type drawn struct {
	number int64
	at     time.Time // by the database's clock
}

// waitForOthers is how long a run waits for the transactions that were open when it began.
const waitForOthers = 1500 * time.Millisecond

// sequenceHorizon is the greatest number, once every transaction that could have drawn a smaller one has ended. If one does
// not end, the horizon stays where it was, and the number goes with the checkpoint: a later run will know more.
func (f *factory) sequenceHorizon(ctx context.Context, conn *pgxpool.Conn, state keyset.State, c clock, greatest *drawn, since keyset.Since) (keyset.State, error) {
	known := int64(keyset.MinusInfinity)
	if since.Updated.Kind != keyset.None {
		known = since.Updated.Int
	}
	if earlier, ok := parseDrawn(since.Candidate); ok {
		// Whoever drew a number below it had begun by then; all who had begun before c.safe have ended.
		if !earlier.at.After(c.safe) {
			known = max(known, earlier.number)
		} else {
			state.Candidate = since.Candidate
		}
	}
	state.Horizon = keyset.IntValue(known)
	if greatest == nil || greatest.number <= known {
		return state, nil
	}
	ended, err := f.othersEnd(ctx, conn, c)
	if err != nil {
		return state, err
	}
	if ended {
		state.Horizon, state.Candidate = keyset.IntValue(greatest.number), ""
		return state, nil
	}
	f.notes.Once(slog.LevelWarn, "transactions stay open, so it is not known yet that every smaller number of updated can be seen: the run reads more than it had to")
	if state.Candidate == "" {
		state.Candidate = greatest.String()
	}
	return state, nil
}

func (d drawn) String() string {
	return strconv.FormatInt(d.number, 10) + "@" + keyset.Instant.FormatStamp(keyset.IntValue(keyset.Microseconds(d.at)))
}

func parseDrawn(text string) (drawn, bool) {
	number, at, _ := strings.Cut(text, "@")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return drawn{}, false
	}
	t, err := keyset.Instant.Parse(at)
	if err != nil {
		return drawn{}, false
	}
	return drawn{number: n, at: keyset.Moment(t.Updated.Int)}, true
}

// othersEnd waits until every transaction that is open now has ended. Who has one open can be seen without any privilege:
// each holds the lock on its own virtual transaction id. On a standby there is none, and for a prepared transaction neither.
func (f *factory) othersEnd(ctx context.Context, conn *pgxpool.Conn, c clock) (bool, error) {
	if c.standby {
		return false, nil
	}
	var open []string
	err := conn.QueryRow(ctx, `SELECT coalesce(array_agg(l.virtualxid), '{}') FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE l.locktype = 'virtualxid' AND l.virtualxid = l.virtualtransaction AND l.pid <> pg_backend_pid()
		AND a.datname = current_database() AND a.backend_type IS DISTINCT FROM 'autovacuum worker'`).Scan(&open)
	deadline := time.NewTimer(f.wait)
	defer deadline.Stop()
	for pause := 10 * time.Millisecond; err == nil && len(open) > 0; pause = min(2*pause, 200*time.Millisecond) {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-deadline.C:
			return false, nil
		case <-time.After(pause):
		}
		err = conn.QueryRow(ctx, `SELECT coalesce(array_agg(virtualxid), '{}') FROM pg_locks
			WHERE locktype = 'virtualxid' AND virtualxid = virtualtransaction AND virtualxid = ANY($1::text[])`, open).Scan(&open)
	}
	var prepared bool
	if err == nil {
		err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database())").Scan(&prepared)
	}
	if err != nil {
		return false, fmt.Errorf("list open transactions: %w", err)
	}
	return !prepared, nil
}
