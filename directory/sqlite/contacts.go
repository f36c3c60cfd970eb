package sqlite

import (
	"context"
	"database/sql"

	"github.com/contactbridge/contactbridge/directory"
)

// Keys implements [directory.PageTx].
func (p *pageTx) Keys(ctx context.Context, ids []string) (keys []int64, err error) {
	return keysOf(ctx, p.tx, p.integration, ids)
}

// keysOf returns the keys of an integration's contacts with these ids.
func keysOf(ctx context.Context, tx *writer, integration int64, ids []string) (keys []int64, err error) {
	err = tx.queryMany(ctx, findContacts, []any{integration}, anyOf(ids), func(rows *sql.Rows) error {
		var id, hash sql.RawBytes
		var key int64
		err := rows.Scan(&id, &key, &hash)
		keys = append(keys, key)
		return err
	})
	return keys, err
}

// anyOf are values as parameters of a statement.
func anyOf[T any](values []T) []any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v
	}
	return all
}

// Find implements [directory.PageTx].
func (p *pageTx) Find(ctx context.Context, fates *directory.Fates) error {
	found := func(rows *sql.Rows) error {
		var id, hash sql.RawBytes
		var key int64
		err := rows.Scan(&id, &key, &hash)
		if err == nil {
			fates.Found(id, key, hash)
		}
		return err
	}
	if after, last, ok := fates.Likely(); ok {
		if err := p.tx.query(ctx, contactsBetween, []any{p.integration, after, last}, found); err != nil {
			return err
		}
	}
	missing := fates.Missing()
	if p.Pages > 0 { // the contacts of the first one are always found by their ids
		if err := p.tx.touch(ctx, len(missing)); err != nil {
			return err
		}
	}
	return p.tx.queryMany(ctx, findContacts, []any{p.integration}, anyOf(missing), found)
}

// Write implements [directory.PageTx].
func (p *pageTx) Write(ctx context.Context, created, changed []*directory.Fate) error {
	if err := p.tx.touch(ctx, len(created)+len(changed)); err != nil {
		return err
	}
	if err := p.rewrite(ctx, changed); err != nil {
		return err
	}
	if err := p.create(ctx, created); err != nil {
		return err
	}
	if err := p.judgeBooks(ctx, created, changed); err != nil {
		return err
	}
	if err := p.writeTerms(ctx, created, changed); err != nil {
		return err
	}
	return p.writeNumbers(ctx, append(created, changed...))
}

// terms writes what a contact is found by into the page's buffer.
func (p *pageTx) terms(f *directory.Fate) string {
	ready := f.Words(p.account, p.integration)
	if ready != "" && len(p.booksOf[f.Key]) == 0 {
		return ready
	}
	start := len(p.buffer)
	p.buffer = searchTerms(p.buffer, p.account, p.integration, &f.Record.Contact, f.Record.Numbers)
	for _, book := range p.booksOf[f.Key] {
		p.buffer = appendBook(append(p.buffer, ' '), book)
	}
	text := string(p.buffer[start:])
	p.buffer = p.buffer[:start]
	return text
}

// nextKey is a key that no contact ever had: by it a run tells which contacts are older than itself.
func (p *pageTx) nextKey(ctx context.Context) (next int64, err error) {
	err = p.tx.queryRow(ctx, "SELECT "+newestKey+" + 1", nil, &next)
	return next, err
}

func (p *pageTx) create(ctx context.Context, made []*directory.Fate) error {
	if len(made) == 0 {
		return nil
	}
	next, err := p.nextKey(ctx)
	if err != nil {
		return err
	}
	values, size := make([]any, 0, makeContacts.columns*min(len(made), mostAtOnce)), 0
	for _, f := range made {
		f.Key = next
		next++
		text := f.JSON(&p.buffer)
		values = append(values, f.Key, p.integration, f.ID, f.Hash[:], text, p.Started.UnixMilli())
		if size += len(text); size >= mostText || len(values) >= makeContacts.columns*mostAtOnce {
			if err := p.tx.execMany(ctx, makeContacts, values); err != nil {
				return err
			}
			values, size, p.buffer = values[:0], 0, p.buffer[:0]
		}
	}
	return p.tx.execMany(ctx, makeContacts, values)
}

// What is gathered before it is written: pages of giant contacts have millions of numbers.
const (
	mostAtOnce = 10_000  // rows
	mostText   = 4 << 20 // bytes of contacts
)

// rewrite replaces what changed contacts say, and takes their numbers away.
func (p *pageTx) rewrite(ctx context.Context, changed []*directory.Fate) error {
	for _, f := range changed {
		if _, err := p.tx.ExecContext(ctx, updateContact, f.Hash[:], f.JSON(&p.buffer), p.Started.UnixMilli(), f.Key); err != nil {
			return err
		}
		if err := dropNumbers(ctx, p.tx, f.Key); err != nil {
			return err
		}
	}
	return nil
}

// Rehash implements [directory.PageTx].
func (p *pageTx) Rehash(ctx context.Context, same []*directory.Fate) error {
	for _, f := range same {
		if _, err := p.tx.ExecContext(ctx, rehash, f.Hash[:], f.Key); err != nil {
			return err
		}
	}
	return nil
}

func dropNumbers(ctx context.Context, tx *writer, contact int64) error {
	_, err := tx.ExecContext(ctx, deleteNumbers, numberKey(contact, 0), numberKey(contact+1, 0))
	return err
}

func (p *pageTx) writeTerms(ctx context.Context, made, changed []*directory.Fate) error {
	if len(made) >= awaitFrom {
		if err := p.await(ctx, made); err != nil {
			return err
		}
		made = nil
	}
	for _, f := range made {
		if _, err := p.tx.ExecContext(ctx, makeTerms, f.Key, p.terms(f)); err != nil {
			return err
		}
	}
	for _, f := range changed {
		if err := setTerms(ctx, p.tx, f.Key, p.terms(f)); err != nil {
			return err
		}
	}
	return nil
}

func (p *pageTx) writeNumbers(ctx context.Context, write []*directory.Fate) error {
	values := make([]any, 0, makeNumbers.columns*min(2*len(write), mostAtOnce))
	for _, f := range write {
		numbers := f.Record.Numbers
		for place := range numbers[:min(maxNumbers, len(numbers))] {
			n := &numbers[place]
			match, full := n.Digits()
			if match == "" {
				continue
			}
			values = append(values, numberKey(f.Key, place), p.account, ending(match), directory.Reverse(match), full, n.Written(), n.Extension)
		}
		if len(values) >= makeNumbers.columns*mostAtOnce {
			if err := p.tx.execMany(ctx, makeNumbers, values); err != nil {
				return err
			}
			values = values[:0]
		}
	}
	return p.tx.execMany(ctx, makeNumbers, values)
}

// drop deletes contacts by pk, with what finds them. One that stands there twice is counted once.
func drop(ctx context.Context, tx *writer, contacts []int64) (n int64, err error) {
	if err := tx.touch(ctx, len(contacts)); err != nil {
		return 0, err
	}
	for _, pk := range contacts {
		if err := dropNumbers(ctx, tx, pk); err != nil {
			return 0, err
		}
		if _, err := tx.ExecContext(ctx, deleteTerms, pk); err != nil {
			return 0, err
		}
	}
	if err := leaveBooks(ctx, tx, contacts); err != nil {
		return 0, err
	}
	keys := anyOf(contacts)
	if err := tx.execMany(ctx, dropAwaiting, keys); err != nil {
		return 0, err
	}
	if err := tx.execMany(ctx, releaseHeld, keys); err != nil {
		return 0, err
	}
	err = deleteContacts.chunks(keys, func(text string, values []any) error {
		result, err := tx.ExecContext(ctx, text, values...)
		if err != nil {
			return err
		}
		gone, err := result.RowsAffected()
		n += gone
		return err
	})
	return n, err
}
