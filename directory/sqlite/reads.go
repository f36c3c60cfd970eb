package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

const integrationOf = `(SELECT i.pk FROM integrations i JOIN accounts a ON a.pk = i.account WHERE a.name = ? AND i.name = ?)`

// Contact implements [directory.Store].
func (s *Store) Contact(ctx context.Context, key directory.Key, id string) (contact.Contact, error) {
	var c contact.Contact
	var data []byte
	err := s.read.QueryRowContext(ctx, "SELECT data FROM contacts WHERE integration = "+integrationOf+" AND id = ?", key.Account, key.Integration, id).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return c, fmt.Errorf("contact %s of %s: %w", id, key.Integration, directory.ErrNotFound)
	}
	if err == nil {
		err = c.UnmarshalJSON(data)
	}
	if err != nil {
		return c, fmt.Errorf("read a contact: %w", err)
	}
	return c, nil
}

// Contacts implements [directory.Store].
func (s *Store) Contacts(ctx context.Context, key directory.Key, after string, limit int) ([]contact.Contact, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT data FROM contacts WHERE integration = "+integrationOf+" AND id > ? ORDER BY id LIMIT ?", key.Account, key.Integration, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read contacts: %w", err)
	}
	defer rows.Close()
	var contacts []contact.Contact
	for rows.Next() {
		var data sql.RawBytes
		if err := rows.Scan(&data); err != nil {
			return nil, err
		}
		var c contact.Contact
		if err := c.UnmarshalJSON(data); err != nil {
			return nil, fmt.Errorf("read contacts: %w", err)
		}
		contacts = append(contacts, c)
	}
	return contacts, rows.Err()
}

// State implements [directory.Store].
func (s *Store) State(ctx context.Context, key directory.Key) (directory.State, error) {
	state := directory.State{Key: key}
	err := s.read.QueryRowContext(ctx, "SELECT checkpoint, contacts FROM integrations WHERE pk = "+integrationOf, key.Account, key.Integration).
		Scan(&state.Checkpoint, &state.Contacts)
	if errors.Is(err, sql.ErrNoRows) {
		return state, nil
	}
	if err != nil {
		return state, fmt.Errorf("read the state of %s: %w", key.Integration, err)
	}
	runs, err := s.Runs(ctx, key, 0, 1)
	if len(runs) > 0 {
		state.LastRun = &runs[0]
	}
	return state, err
}

// States implements [directory.Store].
func (s *Store) States(ctx context.Context, account string) ([]directory.State, error) {
	keys, err := s.keys(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("list the integrations: %w", err)
	}
	states := make([]directory.State, 0, len(keys))
	for _, key := range keys {
		state, err := s.State(ctx, key)
		if err != nil {
			return nil, err
		}
		states = append(states, state)
	}
	return states, nil
}

func (s *Store) keys(ctx context.Context, account string) ([]directory.Key, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT a.name, i.name FROM integrations i JOIN accounts a ON a.pk = i.account WHERE ? IN ('', a.name) AND i.name IS NOT NULL ORDER BY a.name, i.name", account)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []directory.Key
	for rows.Next() {
		var key directory.Key
		if err := rows.Scan(&key.Account, &key.Integration); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}

// Runs implements [directory.Store].
func (s *Store) Runs(ctx context.Context, key directory.Key, before int64, limit int) ([]directory.Run, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+runColumns+" FROM runs r WHERE r.integration = "+integrationOf+" AND r.pk < ? ORDER BY r.pk DESC LIMIT ?",
		key.Account, key.Integration, orNewest(before), limit)
	if err != nil {
		return nil, fmt.Errorf("list the runs: %w", err)
	}
	defer rows.Close()
	var runs []directory.Run
	for rows.Next() {
		run := directory.Run{Key: key}
		if _, err := scanRun(rows, &run); err != nil {
			return nil, err
		}
		run.Lease = ""
		runs = append(runs, run)
	}
	return runs, rows.Err()
}

// orNewest is a bound that no run reaches where none is given.
func orNewest(before int64) int64 {
	if before <= 0 {
		return math.MaxInt64
	}
	return before
}

// Rejected implements [directory.Store].
func (s *Store) Rejected(ctx context.Context, key directory.Key, limit int) ([]directory.Rejected, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT id, reason FROM rejected WHERE integration = "+integrationOf+" ORDER BY pk DESC LIMIT ?", key.Account, key.Integration, limit)
	if err != nil {
		return nil, fmt.Errorf("list rejected contacts: %w", err)
	}
	defer rows.Close()
	var all []directory.Rejected
	for rows.Next() {
		var r directory.Rejected
		if err := rows.Scan(&r.ID, &r.Reason); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}
