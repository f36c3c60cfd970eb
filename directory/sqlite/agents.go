package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/contactbridge/contactbridge/directory"
)

// SetAgents implements [directory.Store].
func (s *Store) SetAgents(ctx context.Context, key directory.Key, agents []directory.Agent) (stored int64, err error) {
	err = s.writer.transaction(ctx, func(tx *writer) (err error) {
		stored, err = s.setAgents(ctx, tx, key, directory.UniqueAgents(agents))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store the agents of %s: %w", key.Integration, err)
	}
	return stored, nil
}

func (s *Store) setAgents(ctx context.Context, tx *writer, key directory.Key, agents []directory.Agent) (stored int64, err error) {
	integration, err := integrationThere(ctx, tx, key)
	if err != nil {
		return 0, err
	}
	gone := map[string]directory.Agent{} // those that there are; in the end those that were not brought
	err = tx.query(ctx, "SELECT id, name, email FROM agents WHERE integration = ?", []any{integration}, func(rows *sql.Rows) error {
		var a directory.Agent
		err := rows.Scan(&a.ID, &a.Name, &a.Email)
		gone[a.ID] = a
		return err
	})
	if err != nil {
		return 0, err
	}
	suppressed, err := suppressedAgents(ctx, tx, key, agents)
	if err != nil {
		return 0, err
	}
	for _, a := range agents {
		if suppressed[a.ID] {
			continue
		}
		stored++
		was, there := gone[a.ID]
		delete(gone, a.ID)
		if there && was == a {
			continue
		}
		_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO agents (integration, id, name, email, folded) VALUES (?, ?, ?, ?, ?)",
			integration, a.ID, a.Name, a.Email, directory.FoldEmail(a.Email))
		if err != nil {
			return 0, err
		}
	}
	for id := range gone {
		if _, err := tx.ExecContext(ctx, deleteAgent, integration, id); err != nil {
			return 0, err
		}
	}
	_, err = tx.ExecContext(ctx, "UPDATE integrations SET agents_synced = ?, agents_error = '', agents_hint = '' WHERE pk = ?", s.clock().UnixMilli(), integration)
	return stored, err
}

const deleteAgent = "DELETE FROM agents WHERE integration = ? AND id = ?"

// integrationThere returns the key of an integration, or [directory.ErrNotFound].
func integrationThere(ctx context.Context, tx *writer, key directory.Key) (pk int64, err error) {
	if err := tx.queryRow(ctx, "SELECT coalesce("+integrationOf+", 0)", []any{key.Account, key.Integration}, &pk); err != nil {
		return 0, err
	}
	if pk == 0 {
		return 0, directory.ErrNotFound
	}
	return pk, nil
}

// suppressedAgents returns the ids of agents that must not come back.
func suppressedAgents(ctx context.Context, tx *writer, key directory.Key, agents []directory.Agent) (map[string]bool, error) {
	some := false
	err := tx.queryRow(ctx, "SELECT EXISTS (SELECT 1 FROM suppressed WHERE account = ? AND integration = ?)", []any{key.Account, key.Integration}, &some)
	if err != nil || !some {
		return nil, err
	}
	salt, err := saltOf(ctx, tx)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, a := range agents {
		var is bool
		err := tx.queryRow(ctx, "SELECT EXISTS (SELECT 1 FROM suppressed WHERE account = ? AND integration = ? AND digest = ?)",
			[]any{key.Account, key.Integration, directory.SuppressedDigest(salt, directory.AgentSuppression(a.ID))}, &is)
		if err != nil {
			return nil, err
		}
		found[a.ID] = is
	}
	return found, nil
}

// FailAgents implements [directory.Store].
func (s *Store) FailAgents(ctx context.Context, key directory.Key, cause error, hint string) error {
	err := s.writer.transaction(ctx, func(tx *writer) error {
		integration, err := integrationThere(ctx, tx, key)
		if err == nil {
			_, err = tx.ExecContext(ctx, "UPDATE integrations SET agents_error = ?, agents_hint = ? WHERE pk = ?", cause.Error(), hint, integration)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("note that the agents of %s could not be synchronized: %w", key.Integration, err)
	}
	return nil
}

// Agents implements [directory.Store].
func (s *Store) Agents(ctx context.Context, key directory.Key, after string, limit int) ([]directory.Agent, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT id, name, email FROM agents WHERE integration = "+integrationOf+" AND id > ? ORDER BY id LIMIT ?",
		key.Account, key.Integration, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list agents: %w", err)
	}
	defer rows.Close()
	var agents []directory.Agent
	for rows.Next() {
		var a directory.Agent
		if err := rows.Scan(&a.ID, &a.Name, &a.Email); err != nil {
			return nil, fmt.Errorf("list agents: %w", err)
		}
		agents = append(agents, a)
	}
	return agents, rows.Err()
}

// Agent implements [directory.Store].
func (s *Store) Agent(ctx context.Context, key directory.Key, id string) (a directory.Agent, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT id, name, email FROM agents WHERE integration = "+integrationOf+" AND id = ?", key.Account, key.Integration, id).
		Scan(&a.ID, &a.Name, &a.Email)
	if errors.Is(err, sql.ErrNoRows) {
		err = directory.ErrNotFound
	}
	if err != nil {
		return directory.Agent{}, fmt.Errorf("agent %s of %s: %w", id, key.Integration, err)
	}
	return a, nil
}

// AgentsByEmail implements [directory.Store].
func (s *Store) AgentsByEmail(ctx context.Context, account, email string, limit int) ([]directory.AgentEntry, error) {
	folded := directory.FoldEmail(email)
	if folded == "" {
		return nil, nil
	}
	rows, err := s.read.QueryContext(ctx, `SELECT i.name, g.id, g.name, g.email FROM agents g JOIN integrations i ON i.pk = g.integration JOIN accounts a ON a.pk = i.account
		WHERE g.folded = ? AND a.name = ? AND i.name IS NOT NULL ORDER BY i.name, g.id LIMIT ?`, folded, account, limit)
	if err != nil {
		return nil, fmt.Errorf("look up an agent: %w", err)
	}
	defer rows.Close()
	var found []directory.AgentEntry
	for rows.Next() {
		e := directory.AgentEntry{Key: directory.Key{Account: account}}
		if err := rows.Scan(&e.Integration, &e.Agent.ID, &e.Agent.Name, &e.Agent.Email); err != nil {
			return nil, fmt.Errorf("look up an agent: %w", err)
		}
		found = append(found, e)
	}
	return found, rows.Err()
}

// agentColumns are those of [directory.Agents] of the integration i.
const agentColumns = "(SELECT count(*) FROM agents g WHERE g.integration = i.pk), i.agents_synced, i.agents_error, i.agents_hint"

// scannedAgents are the targets of [agentColumns], and a function to be called when they were read.
func scannedAgents(a *directory.Agents) (into []any, done func()) {
	var synced int64
	return []any{&a.Count, &synced, &a.Error, &a.Hint}, func() { a.Synced = directory.Moment(synced) }
}
