package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/directory"
)

// SetAgents implements [directory.Store].
func (s *Store) SetAgents(ctx context.Context, key directory.Key, agents []directory.Agent) (stored int64, err error) {
	err = s.transaction(ctx, func(tx pgx.Tx) (err error) {
		stored, err = s.setAgents(ctx, tx, key, directory.UniqueAgents(agents))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store the agents of %s: %w", key.Integration, err)
	}
	return stored, nil
}

func (s *Store) setAgents(ctx context.Context, tx pgx.Tx, key directory.Key, agents []directory.Agent) (int64, error) {
	at, salt, err := lock(ctx, tx, key)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, directory.ErrNotFound
	}
	if err != nil {
		return 0, err
	}
	now, err := s.now(ctx, tx)
	if err != nil {
		return 0, err
	}
	var ids, names, emails, folded, digests [][]byte
	for _, a := range agents {
		ids, names, emails = append(ids, []byte(a.ID)), append(names, []byte(a.Name)), append(emails, []byte(a.Email))
		folded = append(folded, []byte(directory.FoldEmail(a.Email)))
		digests = append(digests, directory.SuppressedDigest(salt, directory.AgentSuppression(a.ID)))
	}
	const brought = `SELECT b.id, b.name, b.email, b.folded FROM unnest($3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[]) AS b (id, name, email, folded, digest)
		WHERE NOT EXISTS (SELECT FROM contactbridge.suppressed s WHERE s.account = $1 AND s.integration = $2 AND s.digest = b.digest)`
	var stored int64
	err = tx.QueryRow(ctx, `WITH brought AS (`+brought+`)
		, put AS (
			INSERT INTO contactbridge.agents AS g (account, integration, id, name, email, folded) SELECT $1, $2, id, name, email, folded FROM brought
			ON CONFLICT (account, integration, id) DO UPDATE SET name = excluded.name, email = excluded.email, folded = excluded.folded
				WHERE (g.name, g.email) IS DISTINCT FROM (excluded.name, excluded.email))
		, gone AS (DELETE FROM contactbridge.agents WHERE account = $1 AND integration = $2 AND id NOT IN (SELECT id FROM brought))
		SELECT count(*) FROM brought`, at.account, at.integration, ids, names, emails, folded, digests).Scan(&stored)
	if err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, "UPDATE contactbridge.integrations SET agents_synced = $3, agents_error = '', agents_hint = '' WHERE account = $1 AND id = $2",
		at.account, at.integration, now.UnixMilli())
	return stored, err
}

// FailAgents implements [directory.Store].
func (s *Store) FailAgents(ctx context.Context, key directory.Key, cause error, hint string) error {
	at, ok, err := s.where(ctx, key)
	if err == nil && !ok {
		err = directory.ErrNotFound
	}
	if err == nil {
		_, err = s.pool.Exec(ctx, "UPDATE contactbridge.integrations SET agents_error = $3, agents_hint = $4 WHERE account = $1 AND id = $2",
			at.account, at.integration, []byte(cause.Error()), []byte(hint))
	}
	if err != nil {
		return fmt.Errorf("note that the agents of %s could not be synchronized: %w", key.Integration, explained(err))
	}
	return nil
}

// Agents implements [directory.Store].
func (s *Store) Agents(ctx context.Context, key directory.Key, after string, limit int) ([]directory.Agent, error) {
	at, ok, err := s.where(ctx, key)
	if err != nil || !ok {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, "SELECT id, name, email FROM contactbridge.agents WHERE account = $1 AND integration = $2 AND id > $3 ORDER BY id LIMIT $4",
		at.account, at.integration, []byte(after), limit)
	if err != nil {
		return nil, fmt.Errorf("list agents: %w", explained(err))
	}
	agents, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a directory.Agent, err error) {
		err = row.Scan((*directory.Text)(&a.ID), (*directory.Text)(&a.Name), (*directory.Text)(&a.Email))
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("list agents: %w", explained(err))
	}
	return agents, nil
}

// Agent implements [directory.Store].
func (s *Store) Agent(ctx context.Context, key directory.Key, id string) (a directory.Agent, err error) {
	at, ok, err := s.where(ctx, key)
	if err == nil && ok {
		err = s.pool.QueryRow(ctx, "SELECT id, name, email FROM contactbridge.agents WHERE account = $1 AND integration = $2 AND id = $3", at.account, at.integration, []byte(id)).
			Scan((*directory.Text)(&a.ID), (*directory.Text)(&a.Name), (*directory.Text)(&a.Email))
	}
	if err == nil && !ok || errors.Is(err, pgx.ErrNoRows) {
		err = directory.ErrNotFound
	}
	if err != nil {
		return directory.Agent{}, fmt.Errorf("agent %s of %s: %w", id, key.Integration, explained(err))
	}
	return a, nil
}

// AgentsByEmail implements [directory.Store].
func (s *Store) AgentsByEmail(ctx context.Context, account, email string, limit int) ([]directory.AgentEntry, error) {
	id, err := s.account(ctx, account)
	folded := directory.FoldEmail(email)
	if err != nil || id == 0 || folded == "" {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT i.name, g.id, g.name, g.email FROM contactbridge.agents g
		JOIN contactbridge.integrations i ON i.account = g.account AND i.id = g.integration
		WHERE g.account = $1 AND g.folded = $2 ORDER BY i.name, g.id LIMIT $3`, id, []byte(folded), limit)
	if err != nil {
		return nil, fmt.Errorf("look up an agent: %w", explained(err))
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e directory.AgentEntry, err error) {
		e.Account = account
		err = row.Scan((*directory.Text)(&e.Integration), (*directory.Text)(&e.Agent.ID), (*directory.Text)(&e.Agent.Name), (*directory.Text)(&e.Agent.Email))
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("look up an agent: %w", explained(err))
	}
	return found, nil
}

// agentColumns are those of [directory.Agents] of the integration i.
const agentColumns = `(SELECT count(*) FROM contactbridge.agents g WHERE g.account = i.account AND g.integration = i.id), i.agents_synced, i.agents_error, i.agents_hint`

// scannedAgents are the targets of [agentColumns], and a function to be called when they were read.
func scannedAgents(a *directory.Agents) (into []any, done func()) {
	var synced int64
	return []any{&a.Count, &synced, (*directory.Text)(&a.Error), (*directory.Text)(&a.Hint)}, func() { a.Synced = directory.Moment(synced) }
}
