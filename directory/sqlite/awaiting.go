package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
)

// Entering a contact into the search index takes longer than all the rest of storing it. What finds the new contacts of a large page
// therefore goes into the table awaiting first, in the page's transaction, and into the index when the run is over
// ([Store.CompleteSearch]). A crash loses nothing: the end of the next run, or the hub's housekeeping, goes on. Ids, numbers and
// e-mail addresses find the contacts at once.

var (
	awaitFrom   = 50   // new contacts of a page from which on they wait
	enterAtOnce = 4000 // contacts that one transaction enters: another one's page waits for it
)

var (
	makeAwaiting = many{begin: "INSERT OR FAIL INTO awaiting (contact, integration, terms) VALUES ", item: "(?, ?, ?)", columns: 3}
	dropAwaiting = many{begin: "DELETE FROM awaiting WHERE contact IN (", item: "?", end: ")", columns: 1}
)

const (
	updateAwaiting = "UPDATE awaiting SET terms = ?1 WHERE contact = ?2"
	nextAwaiting   = " FROM awaiting WHERE integration = ?1 AND contact <= ?2"
	// One statement for many rows: the index writes out once what it collects.
	enterAwaiting = "INSERT INTO search (rowid, terms) SELECT contact, terms" + nextAwaiting + " ORDER BY contact"
)

// await keeps what finds new contacts for later.
func (p *pageTx) await(ctx context.Context, made []*directory.Fate) error {
	values, size := make([]any, 0, makeAwaiting.columns*min(len(made), mostAtOnce)), 0
	for _, f := range made {
		terms := p.terms(f)
		values = append(values, f.Key, p.integration, terms)
		if size += len(terms); size >= mostText || len(values) >= makeAwaiting.columns*mostAtOnce {
			if err := p.tx.execMany(ctx, makeAwaiting, values); err != nil {
				return err
			}
			values, size = values[:0], 0
		}
	}
	return p.tx.execMany(ctx, makeAwaiting, values)
}

// termsOf returns what finds a contact.
func termsOf(ctx context.Context, tx *writer, contact int64) (terms string, err error) {
	err = tx.queryRow(ctx, "SELECT terms FROM search WHERE rowid = ?", []any{contact}, &terms)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.queryRow(ctx, "SELECT terms FROM awaiting WHERE contact = ?", []any{contact}, &terms)
	}
	return terms, err
}

// setTerms changes what finds a contact. It stands in one of the two places.
func setTerms(ctx context.Context, tx *writer, contact int64, terms string) error {
	for _, statement := range []string{updateTerms, updateAwaiting} {
		if _, err := tx.ExecContext(ctx, statement, terms, contact); err != nil {
			return err
		}
	}
	return nil
}

// awaitingByEmail finds the contacts that wait and have one of the words of e-mail addresses.
func (s *Store) awaitingByEmail(ctx context.Context, account string, pk int64, words [][]byte, limit int) ([]directory.Entry, error) {
	where, args := make([]string, len(words)), []any{pk}
	for i, word := range words {
		where[i] = "instr(a.terms, ?) > 0"
		args = append(args, string(word))
	}
	return s.entries(ctx, account, `awaiting a CROSS JOIN contacts c ON c.pk = a.contact JOIN integrations i ON i.pk = c.integration
		WHERE i.account = ? AND i.name IS NOT NULL AND (`+strings.Join(where, " OR ")+`) ORDER BY i.name, c.id LIMIT ?`,
		directory.MaxRanked, append(args, limit)...)
}

// Unsearchable implements [directory.Store].
func (s *Store) Unsearchable(ctx context.Context, account string) (n int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT count(*) FROM awaiting WHERE integration IN
		(SELECT i.pk FROM integrations i JOIN accounts a ON a.pk = i.account WHERE a.name = ? AND i.name IS NOT NULL)`, account).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count what search does not find yet: %w", err)
	}
	return n, nil
}

// CompleteSearch implements [directory.Store].
func (s *Store) CompleteSearch(ctx context.Context, key directory.Key) error {
	for more := true; more; {
		err := s.writer.transaction(ctx, func(tx *writer) (err error) {
			more, err = enterSome(ctx, tx, key)
			return err
		})
		if err != nil {
			return fmt.Errorf("enter contacts into the search index: %w", err)
		}
	}
	return nil
}

// enterSome enters the contacts of an integration, or of any one, that have waited longest.
func enterSome(ctx context.Context, tx *writer, key directory.Key) (more bool, err error) {
	var integration, last int64
	if key == (directory.Key{}) {
		err = tx.queryRow(ctx, "SELECT coalesce((SELECT integration FROM awaiting LIMIT 1), 0)", nil, &integration)
	} else {
		err = tx.queryRow(ctx, "SELECT coalesce("+integrationOf+", 0)", []any{key.Account, key.Integration}, &integration)
	}
	if err != nil || integration == 0 {
		return false, err
	}
	err = tx.queryRow(ctx, "SELECT coalesce(max(contact), 0) FROM (SELECT contact FROM awaiting WHERE integration = ? ORDER BY contact LIMIT ?)",
		[]any{integration, enterAtOnce}, &last)
	if err != nil || last == 0 {
		return false, err
	}
	if err := tx.touch(ctx, enterAtOnce); err != nil {
		return false, err
	}
	for _, statement := range []string{enterAwaiting, "DELETE" + nextAwaiting} {
		if _, err := tx.ExecContext(ctx, statement, integration, last); err != nil {
			return false, err
		}
	}
	return true, nil
}
