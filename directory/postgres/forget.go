package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/directory"
)

// Purge implements [directory.Store]. What is deleted leaves the database's files when PostgreSQL next vacuums them.
func (s *Store) Purge(ctx context.Context, account string, refs []directory.Ref, suppress bool) (purged int64, err error) {
	type toPurge struct{ contacts, agents [][]byte }
	ids := map[string]*toPurge{}
	for _, ref := range refs {
		if ids[ref.Integration] == nil {
			ids[ref.Integration] = &toPurge{}
		}
		list := &ids[ref.Integration].contacts
		if ref.Agent {
			list = &ids[ref.Integration].agents
		}
		*list = append(*list, []byte(ref.ID))
	}
	for integration, list := range ids {
		var n int64
		err := s.transaction(ctx, func(tx pgx.Tx) (err error) {
			n, err = s.purge(ctx, tx, directory.Key{Account: account, Integration: integration}, list.contacts, list.agents, suppress)
			return err
		})
		if err != nil {
			return purged, fmt.Errorf("purge contacts of %s: %w", integration, err)
		}
		purged += n
	}
	return purged, nil
}

func (s *Store) purge(ctx context.Context, tx pgx.Tx, key directory.Key, ids, agents [][]byte, suppress bool) (int64, error) {
	if suppress {
		if _, err := ensure(ctx, tx, key); err != nil {
			return 0, err
		}
	}
	at, salt, err := lock(ctx, tx, key)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	contacts, err := keysOf(ctx, tx, at, ids)
	if err != nil {
		return 0, err
	}
	if err := release(ctx, tx, at.account, contacts); err != nil {
		return 0, err
	}
	purged, err := s.deleteContacts(ctx, tx, at.account, contacts)
	if err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM contactbridge.rejected WHERE account = $1 AND integration = $2 AND id = ANY($3)", at.account, at.integration, ids); err != nil {
		return 0, err
	}
	var suppressed int64
	if suppress {
		digests := make([][]byte, 0, len(ids)+len(agents))
		for _, id := range ids {
			digests = append(digests, directory.SuppressedDigest(salt, string(id)))
		}
		for _, id := range agents {
			digests = append(digests, directory.SuppressedDigest(salt, directory.AgentSuppression(string(id))))
		}
		tag, err := tx.Exec(ctx, "INSERT INTO contactbridge.suppressed (account, integration, digest) SELECT $1, $2, unnest($3::bytea[]) ON CONFLICT DO NOTHING",
			at.account, at.integration, digests)
		if err != nil {
			return 0, err
		}
		suppressed = tag.RowsAffected()
	}
	_, err = tx.Exec(ctx, "UPDATE contactbridge.integrations SET contacts = contacts - $3, suppressed = suppressed + $4 WHERE account = $1 AND id = $2",
		at.account, at.integration, purged, suppressed)
	if err != nil {
		return 0, err
	}
	if err := purgedBeside(ctx, tx, at, purged); err != nil {
		return 0, err
	}
	tag, err := tx.Exec(ctx, "DELETE FROM contactbridge.agents WHERE account = $1 AND integration = $2 AND id = ANY($3)", at.account, at.integration, agents)
	return purged + tag.RowsAffected(), err
}

// purgedBeside tells a run under way that so many contacts were purged: it had fewer, and its marks, which may be those of contacts that
// are gone, are not to be counted.
func purgedBeside(ctx context.Context, tx pgx.Tx, at integrationKey, purged int64) error {
	if purged == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, "UPDATE contactbridge.runs SET had = had - $3 WHERE account = $1 AND integration = $2 AND state = $4",
		at.account, at.integration, purged, directory.Running); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO contactbridge.seen (account, run, page, marks) SELECT account, pk, 0, '' FROM contactbridge.runs
		WHERE account = $1 AND integration = $2 AND state IN ($3, $4) ON CONFLICT DO NOTHING`, at.account, at.integration, directory.Running, directory.Failed)
	return err
}

// forgetChunk is how many contacts one transaction of Forget deletes.
const forgetChunk = 10_000

// Forget implements [directory.Store].
func (s *Store) Forget(ctx context.Context, key directory.Key) error {
	err := s.transaction(ctx, func(tx pgx.Tx) error { return s.detach(ctx, tx, key) })
	if underWay, ok := errors.AsType[*directory.UnderWayError](err); ok {
		return underWay
	}
	if err == nil {
		err = s.sweep(ctx)
	}
	if err != nil {
		return fmt.Errorf("forget %s: %w", key.Integration, err)
	}
	return nil
}

// detach takes an integration away, and notes that its contacts are still to be deleted: without it they are not found.
func (s *Store) detach(ctx context.Context, tx pgx.Tx, key directory.Key) error {
	at, _, err := lock(ctx, tx, key)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.idle(ctx, tx, key, at); err != nil {
		return err
	}
	for _, statement := range []string{
		"INSERT INTO contactbridge.forgotten (account, integration) VALUES ($1, $2)",
		"DELETE FROM contactbridge.seen WHERE account = $1 AND run IN (SELECT pk FROM contactbridge.runs WHERE account = $1 AND integration = $2)",
		"DELETE FROM contactbridge.runs WHERE account = $1 AND integration = $2",
		"DELETE FROM contactbridge.rejected WHERE account = $1 AND integration = $2",
		"DELETE FROM contactbridge.held WHERE account = $1 AND integration = $2",
		"DELETE FROM contactbridge.agents WHERE account = $1 AND integration = $2",
		"DELETE FROM contactbridge.suppressed WHERE account = $1 AND integration = $2",
		"DELETE FROM contactbridge.integrations WHERE account = $1 AND id = $2",
	} {
		if _, err := tx.Exec(ctx, statement, at.account, at.integration); err != nil {
			return err
		}
	}
	return nil
}

// sweep deletes the contacts of forgotten integrations, in steps, so that nothing waits for a large one.
func (s *Store) sweep(ctx context.Context) error {
	for {
		var more bool
		err := s.transaction(ctx, func(tx pgx.Tx) (err error) {
			more, err = s.sweepSome(ctx, tx)
			return err
		})
		if err != nil || !more {
			return err
		}
	}
}

func (s *Store) sweepSome(ctx context.Context, tx pgx.Tx) (more bool, err error) {
	var at integrationKey
	err = tx.QueryRow(ctx, "SELECT account, integration FROM contactbridge.forgotten LIMIT 1 FOR UPDATE SKIP LOCKED").Scan(&at.account, &at.integration)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	rows, err := tx.Query(ctx, "SELECT pk FROM contactbridge.contacts WHERE account = $1 AND integration = $2 LIMIT $3", at.account, at.integration, forgetChunk)
	if err != nil {
		return false, err
	}
	contacts, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return false, err
	}
	if _, err := s.deleteContacts(ctx, tx, at.account, contacts); err != nil || len(contacts) > 0 {
		return true, err
	}
	_, err = tx.Exec(ctx, "DELETE FROM contactbridge.forgotten WHERE account = $1 AND integration = $2", at.account, at.integration)
	return true, err
}

// idle refuses to forget an integration while a run of it is under way.
func (s *Store) idle(ctx context.Context, tx pgx.Tx, key directory.Key, at integrationKey) error {
	newest, err := newestRun(ctx, tx, at)
	if err != nil || newest == nil {
		return err
	}
	now, err := s.now(ctx, tx)
	if err != nil {
		return err
	}
	newest.Key = key
	return newest.UnderWay(now)
}

// Prune implements [directory.Store].
func (s *Store) Prune(ctx context.Context, before time.Time) (int64, error) {
	tag, err := s.pool.Exec(ctx, `WITH old AS (
			DELETE FROM contactbridge.runs r WHERE r.finished > 0 AND r.finished < $1 AND r.state NOT IN ('running', 'failed')
				AND r.pk < (SELECT max(pk) FROM contactbridge.runs n WHERE n.account = r.account AND n.integration = r.integration)
			RETURNING r.account, r.pk)
		, gone AS (DELETE FROM contactbridge.rejected j USING old WHERE j.account = old.account AND j.run = old.pk)
		SELECT FROM old`, before.UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("delete old runs: %w", explained(err))
	}
	if err := s.forgetLeavers(ctx); err != nil {
		return tag.RowsAffected(), fmt.Errorf("forget who left phonebooks long ago: %w", explained(err))
	}
	if err := s.sweep(ctx); err != nil {
		return tag.RowsAffected(), fmt.Errorf("go on with what was forgotten: %w", err)
	}
	return tag.RowsAffected(), nil
}

// Purged implements [directory.Store].
func (s *Store) Purged(ctx context.Context, key directory.Key, ids []string) ([]bool, error) {
	var at integrationKey
	var salt []byte
	err := s.pool.QueryRow(ctx, `SELECT i.account, i.id, i.salt FROM contactbridge.integrations i JOIN contactbridge.accounts a ON a.id = i.account
		WHERE a.name = $1 AND i.name = $2 AND i.suppressed > 0`, []byte(key.Account), []byte(key.Integration)).Scan(&at.account, &at.integration, &salt)
	if errors.Is(err, pgx.ErrNoRows) {
		return make([]bool, len(ids)), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read who was purged: %w", explained(err))
	}
	digests := make([][]byte, len(ids))
	for i, id := range ids {
		digests[i] = directory.SuppressedDigest(salt, id)
	}
	rows, err := s.pool.Query(ctx, `SELECT EXISTS (SELECT FROM contactbridge.suppressed WHERE account = $1 AND integration = $2 AND digest = d.digest)
		FROM unnest($3::bytea[]) WITH ORDINALITY AS d (digest, n) ORDER BY d.n`, at.account, at.integration, digests)
	if err != nil {
		return nil, fmt.Errorf("read who was purged: %w", explained(err))
	}
	purged, err := pgx.CollectRows(rows, pgx.RowTo[bool])
	if err != nil {
		return nil, fmt.Errorf("read who was purged: %w", explained(err))
	}
	return purged, nil
}
