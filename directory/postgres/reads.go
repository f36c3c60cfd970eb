package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

// where finds an integration; ok is false if the integration is missing.
func (s *Store) where(ctx context.Context, key directory.Key) (at integrationKey, ok bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT i.account, i.id FROM contactbridge.integrations i JOIN contactbridge.accounts a ON a.id = i.account
		WHERE a.name = $1 AND i.name = $2`, []byte(key.Account), []byte(key.Integration)).Scan(&at.account, &at.integration)
	if errors.Is(err, pgx.ErrNoRows) {
		return at, false, nil
	}
	return at, err == nil, explained(err)
}

// account returns an account's id; 0 if no account has that name.
func (s *Store) account(ctx context.Context, name string) (id int32, err error) {
	if known, ok := s.accounts.Load(name); ok {
		return known.(int32), nil
	}
	err = s.pool.QueryRow(ctx, "SELECT id FROM contactbridge.accounts WHERE name = $1", []byte(name)).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err == nil {
		s.accounts.Store(name, id)
	}
	return id, explained(err)
}

// Contact implements [directory.Store].
func (s *Store) Contact(ctx context.Context, key directory.Key, id string) (c contact.Contact, err error) {
	at, ok, err := s.where(ctx, key)
	if err != nil {
		return c, fmt.Errorf("read a contact: %w", err)
	}
	var data []byte
	if ok {
		err = s.pool.QueryRow(ctx, "SELECT data FROM contactbridge.contacts WHERE account = $1 AND integration = $2 AND id = $3", at.account, at.integration, []byte(id)).Scan(&data)
	}
	if !ok || errors.Is(err, pgx.ErrNoRows) {
		return c, fmt.Errorf("contact %s of %s: %w", id, key.Integration, directory.ErrNotFound)
	}
	if err == nil {
		err = c.UnmarshalJSON(data)
	}
	if err != nil {
		return c, fmt.Errorf("read a contact: %w", explained(err))
	}
	return c, nil
}

// Contacts implements [directory.Store].
func (s *Store) Contacts(ctx context.Context, key directory.Key, after string, limit int) ([]contact.Contact, error) {
	at, ok, err := s.where(ctx, key)
	if err != nil || !ok {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, "SELECT data FROM contactbridge.contacts WHERE account = $1 AND integration = $2 AND id > $3 ORDER BY id LIMIT $4",
		at.account, at.integration, []byte(after), limit)
	if err != nil {
		return nil, fmt.Errorf("read contacts: %w", explained(err))
	}
	contacts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c contact.Contact, err error) {
		var data []byte
		if err = row.Scan(&data); err == nil {
			err = c.UnmarshalJSON(data)
		}
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("read contacts: %w", explained(err))
	}
	return contacts, nil
}

// states are an integration's columns, then those of its newest run.
var states = `SELECT a.name, i.name, i.checkpoint, i.contacts, ` + heldOf + `, ` + agentColumns + `, r.pk IS NOT NULL, ` + directory.SelectRun(true) + ` FROM contactbridge.integrations i
	JOIN contactbridge.accounts a ON a.id = i.account
	LEFT JOIN LATERAL (SELECT * FROM contactbridge.runs WHERE account = i.account AND integration = i.id ORDER BY pk DESC LIMIT 1) r ON true `

func scanState(row pgx.CollectableRow) (state directory.State, err error) {
	var run directory.StoredRun
	var heldBy, held int64
	var ran bool
	agents, read := scannedAgents(&state.Agents)
	into := append([]any{
		(*directory.Text)(&state.Account), (*directory.Text)(&state.Integration), (*directory.Text)(&state.Checkpoint), &state.Contacts, &heldBy, &held,
	}, agents...)
	err = row.Scan(append(append(into, &ran), run.Fields()...)...)
	read()
	state.Held = directory.HeldBy(heldBy, held)
	if ran {
		run.Key, run.Lease = state.Key, ""
		state.LastRun = &run.Run
	}
	return state, err
}

// State implements [directory.Store].
func (s *Store) State(ctx context.Context, key directory.Key) (directory.State, error) {
	list, err := s.list(ctx, "WHERE a.name = $1 AND i.name = $2", []byte(key.Account), []byte(key.Integration))
	if err != nil {
		return directory.State{Key: key}, fmt.Errorf("read the state of %s: %w", key.Integration, err)
	}
	if len(list) == 0 {
		return directory.State{Key: key}, nil
	}
	return list[0], nil
}

// States implements [directory.Store].
func (s *Store) States(ctx context.Context, account string) ([]directory.State, error) {
	list, err := s.list(ctx, `WHERE $1::bytea IN ('', a.name) ORDER BY a.name, i.name`, []byte(account))
	if err != nil {
		return nil, fmt.Errorf("list the integrations: %w", err)
	}
	return list, nil
}

func (s *Store) list(ctx context.Context, which string, args ...any) ([]directory.State, error) {
	rows, err := s.pool.Query(ctx, states+which, args...)
	if err != nil {
		return nil, explained(err)
	}
	list, err := pgx.CollectRows(rows, scanState)
	return list, explained(err)
}

// Runs implements [directory.Store].
func (s *Store) Runs(ctx context.Context, key directory.Key, before int64, limit int) ([]directory.Run, error) {
	at, ok, err := s.where(ctx, key)
	if err != nil || !ok {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, "SELECT "+runColumns+" FROM contactbridge.runs r WHERE r.account = $1 AND r.integration = $2 AND ($3 <= 0 OR r.pk < $3) ORDER BY r.pk DESC LIMIT $4",
		at.account, at.integration, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list the runs: %w", explained(err))
	}
	runs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (run directory.Run, err error) {
		stored := directory.StoredRun{Run: directory.Run{Key: key}}
		err = row.Scan(stored.Fields()...)
		stored.Lease = ""
		return stored.Run, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the runs: %w", explained(err))
	}
	return runs, nil
}

// Rejected implements [directory.Store].
func (s *Store) Rejected(ctx context.Context, key directory.Key, before int64, limit int) ([]directory.Rejected, error) {
	at, ok, err := s.where(ctx, key)
	if err != nil || !ok {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, "SELECT pk, run, id, reason FROM contactbridge.rejected WHERE account = $1 AND integration = $2 AND ($3 <= 0 OR pk < $3) ORDER BY pk DESC LIMIT $4",
		at.account, at.integration, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list rejected contacts: %w", explained(err))
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r directory.Rejected, err error) {
		err = row.Scan(&r.Seq, &r.Run, (*directory.Text)(&r.ID), (*directory.Text)(&r.Reason))
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("list rejected contacts: %w", explained(err))
	}
	return all, nil
}
