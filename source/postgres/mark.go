package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/contactbridge/contactbridge/source/sqltable"
)

// Mark implements [sqltable.Marker]: "oldest:next", of transactions: what was changed since was written by oldest or a later one (E12). Where every change
// moves a row's stamp there is no need to look again.
func (s *session) Mark(ctx context.Context, t *sqltable.Table) (string, error) {
	if shapeOf(t).stampOID == pgtype.XIDOID {
		return "", nil
	}
	return s.snapshot(ctx)
}

// snapshot returns the oldest transaction that may still write here, and the first that has not ended: both are the same where no
// transaction is open before it. Transactions of other databases write nothing here; one that cannot be placed counts.
func (s *session) snapshot(ctx context.Context) (text string, err error) {
	err = s.QueryRow(ctx, `WITH now AS MATERIALIZED (SELECT pg_current_snapshot() AS s)
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

// IsQuiet implements [sqltable.Marker]: no transaction that writes was open then, and none has
// begun. Rows that come from elsewhere are not changed here.
func (s *session) IsQuiet(ctx context.Context, t *sqltable.Table, mark string) (bool, error) {
	oldest, next, _ := strings.Cut(mark, ":")
	if shapeOf(t).origin.elsewhere() || oldest != next {
		return false, nil
	}
	now, err := s.snapshot(ctx)
	return now == mark, err
}

// manyRows is how many rows of a table are searched for those that were changed. Rows of a larger table are read again in the
// order of their ids: a search that finds few of them could take longer than a page may (P12).
const manyRows = 5_000_000

// ownColumns matches an expression with a value that changes only with its row: columns, and the functions that choose among them.
var ownColumns = regexp.MustCompile(`^(?i:(?:coalesce|greatest|least)\s*\()?[\w\s,."]+\)?$`)

// changed is [sqltable.Table.Changed]: all rows are wanted where the mark does not tell.
func changed(mark string) string {
	oldest, _, _ := strings.Cut(mark, ":")
	first, err := strconv.ParseInt(oldest, 10, 64)
	if err != nil {
		return ""
	}
	return wideXID("xmin") + " >= " + strconv.FormatInt(first, 10)
}

// tracksChanges reports whether each row tells which transaction changed its stamp last: in a table of this server with
// an updated that is made of the row's own columns.
func (own *shape) tracksChanges(cfg sqltable.Config) bool {
	return own.table != nil && (own.table.kind == "r" || own.table.kind == "p") && own.table.rows < manyRows && !own.origin.elsewhere() &&
		ownColumns.MatchString(cfg.Updated)
}
