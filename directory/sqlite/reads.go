package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

const (
	matchColumns = `SELECT i.name, c.id, n.position, n.reversed, n.full, n.raw, n.extension, c.data
	FROM numbers n JOIN contacts c ON c.pk = n.contact JOIN integrations i ON i.pk = c.integration
	WHERE n.account = (SELECT pk FROM accounts WHERE name = ?) AND `

	byDigits = matchColumns + `n.reversed = ? AND n.full = ?`
	byEnding = matchColumns + `n.reversed >= ? AND n.reversed < ?`

	few     = ` LIMIT ?` // in any order: sorting costs SQLite more than finding
	ordered = ` ORDER BY i.name, c.id, n.position LIMIT ?`
)

// ByE164 implements [directory.Store].
func (s *Store) ByE164(ctx context.Context, account string, numbers []string, limit int) ([]directory.Match, error) {
	var all []found
	for _, number := range numbers {
		digits, full := strings.CutPrefix(number, "+")
		hits, err := s.find(ctx, s.byDigits, byDigits, limit, account, reverse(digits), full)
		if err != nil {
			return nil, fmt.Errorf("look up a number: %w", err)
		}
		all = append(all, hits...)
	}
	return matches(all, len(numbers) > 1, account, limit)
}

// BySuffix implements [directory.Store].
func (s *Store) BySuffix(ctx context.Context, account, digits string, limit int) ([]directory.Match, error) {
	if len(digits) < directory.MinSuffix || strings.Trim(digits, "0123456789") != "" {
		return nil, fmt.Errorf("look up the ending of a number: %q is not %d digits or more", digits, directory.MinSuffix)
	}
	from := reverse(digits)
	// ':' follows '9': every number that begins so lies between.
	hits, err := s.find(ctx, s.byEnding, byEnding, limit, account, from, from+":")
	if err != nil {
		return nil, fmt.Errorf("look up the ending of a number: %w", err)
	}
	return matches(hits, false, account, limit)
}

// A found is a number that was found, and the contact it belongs to.
type found struct {
	integration, id string
	position        int64
	number          directory.Number
	data            []byte // the contact's JSON
}

func compareFound(a, b found) int {
	return cmp.Or(strings.Compare(a.integration, b.integration), strings.Compare(a.id, b.id), cmp.Compare(a.position, b.position))
}

// find returns the first hits in order, at most limit. Few are sorted here; only where there are more than limit does SQLite have
// to sort all of them.
func (s *Store) find(ctx context.Context, quick *sql.Stmt, query string, limit int, args ...any) ([]found, error) {
	rows, err := quick.QueryContext(ctx, append(args, limit+1)...)
	hits, err := collect(rows, err)
	if err != nil {
		return nil, err
	}
	if len(hits) <= limit {
		slices.SortFunc(hits, compareFound)
		return hits, nil
	}
	rows, err = s.read.QueryContext(ctx, query+ordered, append(args, limit)...)
	return collect(rows, err)
}

func collect(rows *sql.Rows, err error) ([]found, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var hits []found
	for rows.Next() {
		var f found
		var reversed string
		var full bool
		n := &f.number
		if err := rows.Scan(&f.integration, &f.id, &f.position, &reversed, &full, &n.Raw, &n.Extension, &f.data); err != nil {
			return nil, err
		}
		n.Match = reverse(reversed)
		if full {
			n.E164 = "+" + n.Match
		}
		if full && n.Raw == "" {
			n.Raw = n.E164
		}
		hits = append(hits, f)
	}
	return hits, rows.Err()
}

// matches decodes the first hits, at most limit.
func matches(hits []found, several bool, account string, limit int) ([]directory.Match, error) {
	if several {
		slices.SortFunc(hits, compareFound)
		hits = slices.CompactFunc(hits, func(a, b found) bool { return compareFound(a, b) == 0 })
	}
	hits = hits[:min(limit, len(hits))]
	matches := make([]directory.Match, len(hits))
	for i := range hits {
		m := &matches[i]
		m.Account, m.Integration, m.Number = account, hits[i].integration, hits[i].number
		if err := m.Contact.UnmarshalJSON(hits[i].data); err != nil {
			return nil, fmt.Errorf("read contact %s of %s: %w", hits[i].id, hits[i].integration, err)
		}
	}
	return matches, nil
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
