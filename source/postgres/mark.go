package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/source/keyset"
)

// mark is "oldest:next", of transactions: what was changed since was written by oldest or a later one (E12). Where every change
// moves a row's stamp, or nothing has one, there is no need to look again.
func (s *shape) mark(ctx context.Context, conn *pgxpool.Conn) (string, error) {
	if s.stamp.kind == unsorted || s.stamp.oid == pgtype.XIDOID {
		return "", nil
	}
	return snapshot(ctx, conn)
}

// snapshot returns the oldest transaction that may still write here, and the first that has not ended: both are the same where no
// transaction is open before it. Transactions of other databases write nothing here; one that cannot be placed counts.
func snapshot(ctx context.Context, conn *pgxpool.Conn) (text string, err error) {
	err = conn.QueryRow(ctx, `WITH now AS MATERIALIZED (SELECT pg_current_snapshot() AS s)
		SELECT coalesce((
			SELECT min(x::text::bigint) FROM pg_snapshot_xip(s) AS x WHERE NOT EXISTS (
				SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
				WHERE l.locktype = 'transactionid' AND l.transactionid = x::xid AND a.datname <> current_database())
		), pg_snapshot_xmax(s)::text::bigint)::text || ':' || pg_snapshot_xmax(s)::text FROM now`).Scan(&text)
	if err != nil {
		return "", fmt.Errorf("read snapshot: %w", err)
	}
	return text, nil
}

// isQuiet reports whether nothing can have been changed since a mark: no transaction that writes was open then, and none has
// begun. What comes from elsewhere is changed by nobody here.
func (s *shape) isQuiet(ctx context.Context, conn *pgxpool.Conn, mark string) (bool, error) {
	oldest, next, _ := strings.Cut(mark, ":")
	if s.origin.elsewhere() || oldest != next {
		return false, nil
	}
	now, err := snapshot(ctx, conn)
	return now == mark, err
}

// manyRows is how many rows of a table are searched for those that were changed. Rows of a larger table are read again in the
// order of their ids: a search that finds few of them could take longer than a page may (P12).
const manyRows = 5_000_000

// ownColumns is an expression whose value changes only with its row: columns, and the functions that choose among them.
var ownColumns = regexp.MustCompile(`^(?i:(?:coalesce|greatest|least)\s*\()?[\w\s,."]+\)?$`)

// changed adds the condition that a row was changed since a mark. Where rows do not tell, all of them are wanted.
func (s *shape) changed(c *conditions, mark string) {
	oldest, _, _ := strings.Cut(mark, ":")
	if _, err := strconv.ParseInt(oldest, 10, 64); err != nil || !s.tracks {
		return
	}
	c.add(wideXID("xmin")+" >= ?", arg{oldest, "bigint"})
}

// tracksChanges reports whether each row tells which transaction changed its stamp last: in a table of this server, whose
// updated is made of the row's own columns.
func (s *shape) tracksChanges(cfg keyset.Config) bool {
	return s.table != nil && (s.table.kind == "r" || s.table.kind == "p") && s.table.rows < manyRows && !s.origin.elsewhere() &&
		ownColumns.MatchString(cfg.Updated)
}
