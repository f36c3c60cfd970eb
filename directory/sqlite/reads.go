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
	var heldBy, held int64
	agents, read := scannedAgents(&state.Agents)
	err := s.read.QueryRowContext(ctx, "SELECT i.checkpoint, i.contacts, "+heldOf+", "+agentColumns+" FROM integrations i WHERE i.pk = "+integrationOf, key.Account, key.Integration).
		Scan(append([]any{&state.Checkpoint, &state.Contacts, &heldBy, &held}, agents...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return state, nil
	}
	if err != nil {
		return state, fmt.Errorf("read the state of %s: %w", key.Integration, err)
	}
	read()
	state.Held = directory.HeldBy(heldBy, held)
	runs, err := s.Runs(ctx, key, 0, 1)
	if len(runs) > 0 {
		state.LastRun = &runs[0]
	}
	return state, err
}

// States implements [directory.Store]. Two statements, however many integrations there are.
func (s *Store) States(ctx context.Context, account string) ([]directory.State, error) {
	states, err := s.stateless(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("list the integrations: %w", err)
	}
	at := make(map[directory.Key]int, len(states))
	for n, state := range states {
		at[state.Key] = n
	}
	runs, err := s.newestRuns(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("list the newest runs: %w", err)
	}
	for n := range runs {
		if at, ok := at[runs[n].Key]; ok {
			states[at].LastRun = &runs[n]
		}
	}
	return states, nil
}

// stateless lists integrations without their newest runs.
func (s *Store) stateless(ctx context.Context, account string) ([]directory.State, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT a.name, i.name, i.checkpoint, i.contacts, `+heldOf+`, `+agentColumns+` FROM integrations i JOIN accounts a ON a.pk = i.account
		WHERE ? IN ('', a.name) AND i.name IS NOT NULL ORDER BY a.name, i.name`, account)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var states []directory.State
	for rows.Next() {
		var state directory.State
		var heldBy, held int64
		agents, read := scannedAgents(&state.Agents)
		if err := rows.Scan(append([]any{&state.Account, &state.Integration, &state.Checkpoint, &state.Contacts, &heldBy, &held}, agents...)...); err != nil {
			return nil, err
		}
		read()
		state.Held = directory.HeldBy(heldBy, held)
		states = append(states, state)
	}
	return states, rows.Err()
}

// newestRuns lists the newest run of each integration.
func (s *Store) newestRuns(ctx context.Context, account string) ([]directory.Run, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+runColumns+`, a.name, i.name FROM integrations i JOIN accounts a ON a.pk = i.account
		JOIN runs r ON r.pk = (SELECT max(n.pk) FROM runs n WHERE n.integration = i.pk) WHERE ? IN ('', a.name) AND i.name IS NOT NULL`, account)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var runs []directory.Run
	for rows.Next() {
		var run directory.StoredRun
		if err := rows.Scan(run.Fields(&run.Account, &run.Integration)...); err != nil {
			return nil, err
		}
		run.Lease = ""
		runs = append(runs, run.Run)
	}
	return runs, rows.Err()
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
		run := directory.StoredRun{Run: directory.Run{Key: key}}
		if err := rows.Scan(run.Fields()...); err != nil {
			return nil, err
		}
		run.Lease = ""
		runs = append(runs, run.Run)
	}
	return runs, rows.Err()
}

// orNewest is a bound that nothing reaches where none is given.
func orNewest(before int64) int64 {
	if before <= 0 {
		return math.MaxInt64
	}
	return before
}

// Rejected implements [directory.Store].
func (s *Store) Rejected(ctx context.Context, key directory.Key, before int64, limit int) ([]directory.Rejected, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT pk, run, id, reason FROM rejected WHERE integration = "+integrationOf+" AND pk < ? ORDER BY pk DESC LIMIT ?",
		key.Account, key.Integration, orNewest(before), limit)
	if err != nil {
		return nil, fmt.Errorf("list rejected contacts: %w", err)
	}
	defer rows.Close()
	var all []directory.Rejected
	for rows.Next() {
		var r directory.Rejected
		if err := rows.Scan(&r.Seq, &r.Run, &r.ID, &r.Reason); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}
