package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// Large deletions go in many transactions, with a pause after each in which other processes get their turn: they look for it
// every tenth of a second.
const (
	forgetAtOnce = 1000 // contacts
	mergeAtOnce  = 500  // pages of the search index
	pause        = 20 * time.Millisecond
)

// Forget implements [directory.Store].
func (s *Store) Forget(ctx context.Context, key directory.Key) error {
	var pk int64
	err := s.writer.transaction(ctx, func(tx *writer) (err error) {
		pk, err = s.takeName(ctx, tx, key)
		return err
	})
	s.names.forget(pk) // also where it is not known whether that was committed
	var underWay *directory.UnderWayError
	if errors.As(err, &underWay) {
		underWay.Run.Key = key
		return err
	}
	if err == nil {
		err = s.sweep(ctx)
	}
	if err != nil {
		return fmt.Errorf("forget %s: %w", key.Integration, err)
	}
	return nil
}

// takeName removes the name by which an integration is found, and deletes everything of it but its contacts. It returns the
// integration's pk, or 0 if there is no such integration.
func (s *Store) takeName(ctx context.Context, tx *writer, key directory.Key) (pk int64, err error) {
	if _, err := tx.ExecContext(ctx, "DELETE FROM suppressed WHERE account = ? AND integration = ?", key.Account, key.Integration); err != nil {
		return 0, err
	}
	if err := tx.queryRow(ctx, "SELECT coalesce("+integrationOf+", 0)", []any{key.Account, key.Integration}, &pk); err != nil || pk == 0 {
		return pk, err
	}
	if err := s.refuseUnderWay(ctx, tx, pk); err != nil {
		return pk, err
	}
	for _, statement := range []string{
		"DELETE FROM seen WHERE run IN (SELECT pk FROM runs WHERE integration = ?)",
		"DELETE FROM runs WHERE integration = ?",
		"DELETE FROM rejected WHERE integration = ?",
		"DELETE FROM held WHERE integration = ?",
		"DELETE FROM agents WHERE integration = ?",
		"UPDATE integrations SET name = NULL WHERE pk = ?",
	} {
		if _, err := tx.ExecContext(ctx, statement, pk); err != nil {
			return pk, err
		}
	}
	return pk, noteLeftovers(ctx, tx)
}

func (s *Store) refuseUnderWay(ctx context.Context, tx *writer, integration int64) error {
	newest, err := newestRun(ctx, tx, integration)
	if err != nil || newest == nil {
		return err
	}
	return newest.UnderWay(s.clock())
}

// sweep deletes the contacts of all integrations that have no name any more, and then those.
func (s *Store) sweep(ctx context.Context) error {
	for more := true; more; {
		err := s.writer.transaction(ctx, func(tx *writer) (err error) {
			more, err = sweepSome(ctx, tx)
			return err
		})
		if err == nil && more {
			err = rest(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func sweepSome(ctx context.Context, tx *writer) (more bool, err error) {
	var integration int64
	if err := tx.queryRow(ctx, "SELECT coalesce(min(pk), 0) FROM integrations WHERE name IS NULL", nil, &integration); err != nil || integration == 0 {
		return false, err
	}
	var contacts []int64
	err = tx.query(ctx, "SELECT pk FROM contacts WHERE integration = ? LIMIT ?", []any{integration, forgetAtOnce}, func(rows *sql.Rows) error {
		var pk int64
		err := rows.Scan(&pk)
		contacts = append(contacts, pk)
		return err
	})
	if err != nil {
		return false, err
	}
	if len(contacts) == 0 {
		_, err := tx.ExecContext(ctx, "DELETE FROM integrations WHERE pk = ?", integration)
		return true, err
	}
	_, err = drop(ctx, tx, contacts)
	return true, err
}

func rest(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}

// Prune implements [directory.Store]. It also ends what an interrupted [Store.Forget] began, and takes the words out of the
// search index that lead to no contact any more since a purge.
func (s *Store) Prune(ctx context.Context, before time.Time) (pruned int64, err error) {
	err = s.writer.transaction(ctx, func(tx *writer) error {
		if err := forgetLeavers(ctx, tx); err != nil {
			return err
		}
		pruned, err = prune(ctx, tx, before.UnixMilli())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete old runs: %w", err)
	}
	if err := s.sweep(ctx); err != nil {
		return pruned, fmt.Errorf("go on with forgetting: %w", err)
	}
	if err := s.tidySearch(ctx); err != nil {
		return pruned, fmt.Errorf("tidy the search index: %w", err)
	}
	return pruned, nil
}

// prune deletes runs that are not the newest of an integration: only that one can be resumed or judged.
func prune(ctx context.Context, tx *writer, before int64) (int64, error) {
	const old = `FROM runs WHERE finished > 0 AND finished < ? AND state <> 'running' AND
		pk < (SELECT max(n.pk) FROM runs n WHERE n.integration = runs.integration)`
	if _, err := tx.ExecContext(ctx, "DELETE FROM rejected WHERE (integration, run) IN (SELECT integration, pk "+old+")", before); err != nil {
		return 0, err
	}
	result, err := tx.ExecContext(ctx, "DELETE "+old, before)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// noteLeftovers notes that the search index holds words that lead to no contact any more.
func noteLeftovers(ctx context.Context, tx *writer) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO notes VALUES ('leftovers', randomblob(8)) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
	return err
}

// tidySearch writes the search index anew, step by step, where it was noted that it has leftovers.
func (s *Store) tidySearch(ctx context.Context) error {
	var noted []byte
	err := s.read.QueryRowContext(ctx, "SELECT value FROM notes WHERE name = 'leftovers'").Scan(&noted)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	for pages := -mergeAtOnce; err == nil; pages = mergeAtOnce { // below zero: begin
		more := false
		err = s.writer.transaction(ctx, func(tx *writer) (err error) {
			if more, err = mergeSearch(ctx, tx, pages); more || err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, "DELETE FROM notes WHERE name = 'leftovers' AND value = ?", noted)
			return err
		})
		if err == nil && !more {
			return s.writer.emptyLog(ctx)
		}
		if err == nil {
			err = rest(ctx)
		}
	}
	return err
}

// mergeSearch does so many pages' work. There is more to do where the index wrote more than what it notes about itself.
func mergeSearch(ctx context.Context, tx *writer, pages int) (more bool, err error) {
	const changes = "SELECT total_changes()"
	var before, after int64
	if err := tx.queryRow(ctx, changes, nil, &before); err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, setSearch, "merge", pages); err != nil {
		return false, err
	}
	err = tx.queryRow(ctx, changes, nil, &after)
	return after-before >= 2, err
}
