package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

const (
	matchColumns = `SELECT i.name, n.reversed, n.full, n.raw, n.extension, c.data
	FROM numbers n JOIN contacts c ON c.pk = n.contact JOIN integrations i ON i.pk = c.integration WHERE `
	matchOrder = ` ORDER BY i.name, c.id, n.position LIMIT ?`

	queryByDigits = matchColumns + `n.account = (SELECT pk FROM accounts WHERE name = ?) AND n.reversed = ? AND n.full = ?` + matchOrder
	queryByEnding = matchColumns + `n.account = (SELECT pk FROM accounts WHERE name = ?) AND n.reversed >= ? AND n.reversed < ?` + matchOrder
)

// ByE164 implements [directory.Store].
func (s *Store) ByE164(ctx context.Context, account string, numbers []string, limit int) ([]directory.Match, error) {
	var matches []directory.Match
	for _, number := range numbers {
		if len(matches) >= limit {
			break
		}
		digits, full := strings.CutPrefix(number, "+")
		rows, err := s.byDigits.QueryContext(ctx, account, reverse(digits), full, limit-len(matches))
		if matches, err = collect(rows, err, account, matches); err != nil {
			return nil, fmt.Errorf("look up a number: %w", err)
		}
	}
	return matches, nil
}

// BySuffix implements [directory.Store].
func (s *Store) BySuffix(ctx context.Context, account, digits string, limit int) ([]directory.Match, error) {
	if len(digits) < directory.MinSuffix || strings.Trim(digits, "0123456789") != "" {
		return nil, fmt.Errorf("look up the ending of a number: %q is not %d digits or more", digits, directory.MinSuffix)
	}
	from := reverse(digits)
	// ':' follows '9': every number that begins so lies between.
	rows, err := s.byEnding.QueryContext(ctx, account, from, from+":", limit)
	matches, err := collect(rows, err, account, nil)
	if err != nil {
		return nil, fmt.Errorf("look up the ending of a number: %w", err)
	}
	return matches, nil
}

func collect(rows *sql.Rows, err error, account string, matches []directory.Match) ([]directory.Match, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		m := directory.Match{Key: directory.Key{Account: account}}
		var reversed string
		var full bool
		var data sql.RawBytes
		if err := rows.Scan(&m.Integration, &reversed, &full, &m.Number.Raw, &m.Number.Extension, &data); err != nil {
			return nil, err
		}
		if err := m.Contact.UnmarshalJSON(data); err != nil {
			return nil, err
		}
		m.Number.Match = reverse(reversed)
		if full {
			m.Number.E164 = "+" + m.Number.Match
			if m.Number.Raw == "" {
				m.Number.Raw = m.Number.E164
			}
		}
		matches = append(matches, m)
	}
	return matches, rows.Err()
}

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
	runs, err := s.Runs(ctx, key, 1)
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
	rows, err := s.read.QueryContext(ctx, "SELECT a.name, i.name FROM integrations i JOIN accounts a ON a.pk = i.account WHERE ? IN ('', a.name) ORDER BY a.name, i.name", account)
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
func (s *Store) Runs(ctx context.Context, key directory.Key, limit int) ([]directory.Run, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+runColumns+" FROM runs r WHERE r.integration = "+integrationOf+" ORDER BY r.pk DESC LIMIT ?", key.Account, key.Integration, limit)
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
