package postgres

import (
	"context"
	"fmt"
)

// OpenTransactions implements [sqltable.Lister]: it lists virtual ids. Who has a transaction open can be seen without any privilege:
// each holds the lock on its own id.
func (s *session) OpenTransactions(ctx context.Context) (open []string, err error) {
	err = s.QueryRow(ctx, `SELECT coalesce(array_agg(l.virtualxid), '{}') FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE l.locktype = 'virtualxid' AND l.virtualxid = l.virtualtransaction AND l.pid <> pg_backend_pid()
		AND a.datname = current_database() AND a.backend_type IS DISTINCT FROM 'autovacuum worker'`).Scan(&open)
	if err != nil {
		return nil, fmt.Errorf("list open transactions: %w", err)
	}
	return open, nil
}

// StillOpen implements [sqltable.Lister].
func (s *session) StillOpen(ctx context.Context, list []string) (open []string, err error) {
	err = s.QueryRow(ctx, `SELECT coalesce(array_agg(virtualxid), '{}') FROM pg_locks
		WHERE locktype = 'virtualxid' AND virtualxid = virtualtransaction AND virtualxid = ANY($1::text[])`, list).Scan(&open)
	if err != nil {
		return nil, fmt.Errorf("list open transactions: %w", err)
	}
	return open, nil
}

// AnyPrepared implements [sqltable.Lister]: a transaction that is prepared has given up its virtual id.
func (s *session) AnyPrepared(ctx context.Context) (prepared bool, err error) {
	err = s.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database())").Scan(&prepared)
	if err != nil {
		return false, fmt.Errorf("list prepared transactions: %w", err)
	}
	return prepared, nil
}
