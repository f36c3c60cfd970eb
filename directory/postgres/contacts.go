package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/directory"
)

// Keys implements [directory.PageTx].
func (p *pageTx) Keys(ctx context.Context, ids []string) ([]int64, error) {
	return keysOf(ctx, p.tx, p.integrationKey, asBytes(ids))
}

// asBytes are ids as the database has them.
func asBytes(ids []string) [][]byte {
	named := make([][]byte, len(ids))
	for i, id := range ids {
		named[i] = []byte(id)
	}
	return named
}

// keysOf returns the keys of an integration's contacts with these ids.
func keysOf(ctx context.Context, tx pgx.Tx, at integrationKey, ids [][]byte) ([]int64, error) {
	rows, err := tx.Query(ctx, "SELECT c.pk"+fromNamed, at.account, at.integration, ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// Find implements [directory.PageTx].
func (p *pageTx) Find(ctx context.Context, fates *directory.Fates) error {
	if after, last, ok := fates.Likely(); ok {
		if err := p.found(ctx, fates, contactsBetween, after, last); err != nil {
			return err
		}
	}
	missing := fates.Missing()
	if len(missing) == 0 {
		return nil
	}
	return p.found(ctx, fates, "SELECT named.id, c.pk, c.hash"+fromNamed, asBytes(missing))
}

// found tells the fates of the contacts of the integration that a query finds.
func (p *pageTx) found(ctx context.Context, fates *directory.Fates, query string, args ...any) error {
	rows, err := p.tx.Query(ctx, query, append([]any{p.account, p.integration}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var id, hash []byte
	var pk int64
	for rows.Next() {
		if err := rows.Scan(&id, &pk, &hash); err != nil {
			return err
		}
		fates.Found(id, pk, hash)
	}
	return rows.Err()
}

// Write implements [directory.PageTx].
func (p *pageTx) Write(ctx context.Context, created, changed []*directory.Fate) error {
	if len(created)+len(changed) == 0 {
		return nil
	}
	books, err := p.keysAndBooks(ctx, created)
	if err != nil {
		return err
	}
	if err := p.judgeBooks(ctx, books, created, changed); err != nil {
		return err
	}
	p.rewrite(changed)
	if err := p.flush(ctx); err != nil {
		return err
	}
	if err := p.create(ctx, created); err != nil {
		return err
	}
	return p.writeNumbers(ctx, append(created, changed...))
}

// keysAndBooks gives new contacts keys that no contact ever had: by them a run tells which contacts are older than itself. It returns the
// account's books.
func (p *pageTx) keysAndBooks(ctx context.Context, made []*directory.Fate) (books []ruledBook, err error) {
	var both pgx.Batch
	if len(made) > 0 {
		both.Queue("SELECT nextval('contactbridge.contact_keys') FROM generate_series(1, $1)", len(made)).Query(func(rows pgx.Rows) error {
			for i := 0; rows.Next(); i++ {
				if err := rows.Scan(&made[i].Key); err != nil {
					return err
				}
			}
			return rows.Err()
		})
	}
	both.Queue(booksOfAccount, p.account).Query(func(rows pgx.Rows) (err error) {
		books, err = pgx.CollectRows(rows, readBook)
		return err
	})
	err = p.tx.SendBatch(ctx, &both).Close()
	return books, err
}

// A sheet is some contacts column by column, as arrays.
type sheet struct {
	pks    []int64
	ids    [][]byte
	hashes [][]byte
	data   [][]byte
	words  []string
}

func (p *pageTx) sheet(fates []*directory.Fate) *sheet {
	s := &sheet{}
	for _, f := range fates {
		r := f.Record
		s.pks = append(s.pks, f.Key)
		s.ids = append(s.ids, []byte(f.ID))
		s.hashes = append(s.hashes, f.Hash[:])
		s.data = append(s.data, f.JSON(&p.buffer))
		s.words = append(s.words, vector(p.words.of(p.account, r, p.booksOf[f.Key]).words))
	}
	return s
}

// create writes contacts that are new. Each row is made while PostgreSQL stores those before it.
func (p *pageTx) create(ctx context.Context, made []*directory.Fate) error {
	if len(made) == 0 {
		return nil
	}
	at := 0
	columns := []string{"account", "pk", "integration", "id", "hash", "data", "words", "changed"}
	return copyInto(ctx, p.tx, "contacts", columns, func(r *copyRow) (bool, error) {
		if at == len(made) {
			return false, nil
		}
		f := made[at]
		at++
		p.buffer = p.buffer[:0] // the row before is encoded
		r.start(len(columns))
		r.integer(p.account)
		r.bigint(f.Key)
		r.integer(p.integration)
		r.text(f.ID)
		r.content(f.Hash[:])
		r.content(f.JSON(&p.buffer))
		r.text(p.wordsOf(f))
		r.bigint(p.Started.UnixMilli())
		return true, ctx.Err()
	})
}

// wordsOf returns the words of a contact that is written, as a tsvector in binary format.
func (p *pageTx) wordsOf(f *directory.Fate) string {
	books := p.booksOf[f.Key]
	if ready := f.Words(int64(p.account), 0); ready != "" && len(books) == 0 {
		return ready
	}
	p.vector = p.words.of(p.account, f.Record, books).appendVector(p.vector[:0])
	return string(p.vector)
}

// rewrite replaces what changed contacts say, and takes their numbers away.
func (p *pageTx) rewrite(changed []*directory.Fate) {
	if len(changed) == 0 {
		return
	}
	s := p.sheet(changed)
	p.writes.Queue(`INSERT INTO contactbridge.contacts (account, integration, pk, id, hash, data, words, changed)
		SELECT $1, $2, c.pk, c.id, c.hash, c.data, c.words::tsvector, $8 FROM unnest($3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::text[]) AS c (pk, id, hash, data, words)
		ON CONFLICT (account, pk) DO UPDATE SET hash = EXCLUDED.hash, data = EXCLUDED.data, words = EXCLUDED.words, changed = EXCLUDED.changed`,
		p.account, p.integration, s.pks, s.ids, s.hashes, s.data, s.words, p.Started.UnixMilli())
	for _, f := range changed {
		p.writes.Queue(deleteNumbers, p.account, f.Key)
	}
}

// Rehash implements [directory.PageTx].
func (p *pageTx) Rehash(_ context.Context, same []*directory.Fate) error {
	for _, f := range same {
		p.writes.Queue(rehash, p.account, f.Key, f.Hash[:])
	}
	return nil
}

// writeNumbers writes the numbers of contacts that have none, or none left.
func (p *pageTx) writeNumbers(ctx context.Context, fates []*directory.Fate) error {
	if !slices.ContainsFunc(fates, func(f *directory.Fate) bool { return len(f.Record.Numbers) > 0 }) {
		return nil
	}
	columns := []string{"account", "contact", "position", "reversed", "isfull", "raw", "extension"}
	at, next := 0, 0 // contact, and place in its list
	return copyInto(ctx, p.tx, "numbers", columns, func(r *copyRow) (bool, error) {
		for at < len(fates) {
			f, place := fates[at], next
			if place == min(len(f.Record.Numbers), directory.MaxNumbers) {
				at, next = at+1, 0
				continue
			}
			next++
			n := &f.Record.Numbers[place]
			match, full := n.Digits()
			if match == "" {
				continue
			}
			r.start(len(columns))
			r.integer(p.account)
			r.bigint(f.Key)
			r.integer(int32(place))
			r.text(directory.Reverse(match))
			r.boolean(full)
			r.text(n.Written())
			r.text(n.Extension)
			return true, ctx.Err()
		}
		return false, ctx.Err()
	})
}
