package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactbridge/contactbridge/directory"
)

// ApplyPage implements [directory.Store].
func (s *Store) ApplyPage(ctx context.Context, run *directory.Run, page directory.PageChanges) error {
	return directory.StorePage(ctx, &s.orders, run, page, func(store func(directory.PageTx, *directory.Owned) error) error {
		return s.transaction(ctx, func(tx pgx.Tx) error {
			o, err := own(ctx, tx, run, page.Seq)
			if err != nil {
				return err
			}
			s.accounts.Store(run.Account, o.account)
			return store(&pageTx{owned: o, tx: tx, store: s}, &o.Owned)
		})
	})
}

// A pageTx stores one page in a transaction.
type pageTx struct {
	*owned
	tx    pgx.Tx
	store *Store

	writes pgx.Batch // sent together
	buffer []byte    // of contacts' JSON
	words  lexicon
	vector []byte

	booksOf map[int64][]int32 // of contacts that the page writes: the books that they are in
	books   []*bookChange
}

var _ directory.PageTx = (*pageTx)(nil)

// Prepare implements [directory.Preparer].
func (s *Store) Prepare(key directory.Key, page *directory.PageChanges) {
	known, ok := s.accounts.Load(key.Account)
	if !ok { // the process's first page of the account
		page.Ahead(0, 0, nil)
		return
	}
	account := known.(int32)
	var l lexicon
	page.Ahead(int64(account), 0, func(dst []byte, r *directory.Record) []byte {
		return l.of(account, r, nil).appendVector(dst)
	})
}

var _ directory.Preparer = (*Store)(nil)

// flush sends the writes that were queued, in one round trip.
func (p *pageTx) flush(ctx context.Context) error {
	if p.writes.Len() == 0 {
		return nil
	}
	err := p.tx.SendBatch(ctx, &p.writes).Close()
	p.writes = pgx.Batch{}
	return err
}

// Now implements [directory.PageTx].
func (p *pageTx) Now(ctx context.Context) (now time.Time, err error) {
	if p.store.clock != nil {
		if err := p.flush(ctx); err != nil {
			return time.Time{}, err
		}
		return p.store.now(ctx, p.tx)
	}
	p.writes.Queue(clockNow).QueryRow(func(row pgx.Row) error {
		var ms int64
		err := row.Scan(&ms)
		now = directory.Moment(ms)
		return err
	})
	err = p.flush(ctx)
	return now, err
}

// Suppressed implements [directory.PageTx].
func (p *pageTx) Suppressed(ctx context.Context, records []directory.Record) ([]bool, error) {
	if p.suppressed == 0 {
		return nil, nil
	}
	digests := make([][]byte, len(records))
	for i := range records {
		digests[i] = directory.SuppressedDigest(p.salt, records[i].Contact.ID)
	}
	rows, err := p.tx.Query(ctx, `SELECT EXISTS (SELECT FROM contactbridge.suppressed WHERE account = (SELECT $1::int) AND integration = $2 AND digest = d.digest OFFSET 0)
		FROM unnest($3::bytea[]) WITH ORDINALITY AS d (digest, n) ORDER BY d.n`, p.account, p.integration, digests)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[bool])
}

// Reject implements [directory.PageTx].
func (p *pageTx) Reject(_ context.Context, rejected []directory.Rejected) error {
	ids, reasons := make([][]byte, len(rejected)), make([][]byte, len(rejected))
	for i, r := range rejected {
		ids[i], reasons[i] = []byte(r.ID), []byte(r.Reason)
	}
	p.writes.Queue(`INSERT INTO contactbridge.rejected (account, integration, run, id, reason)
		SELECT $1, $2, $3, r.id, r.reason FROM unnest($4::bytea[], $5::bytea[]) WITH ORDINALITY AS r (id, reason, n) ORDER BY r.n`,
		p.account, p.integration, p.ID, ids, reasons)
	p.writes.Queue(`DELETE FROM contactbridge.rejected WHERE account = $1 AND integration = $2 AND pk <=
		(SELECT pk FROM contactbridge.rejected WHERE account = $1 AND integration = $2 ORDER BY pk DESC LIMIT 1 OFFSET $3)`, p.account, p.integration, directory.KeptRejected)
	return nil
}

// End implements [directory.PageTx].
func (p *pageTx) End(context.Context) error {
	if p.Kind == directory.Initial {
		p.writes.Queue("DELETE FROM contactbridge.seen WHERE account = $1 AND run = $2", p.account, p.ID)
	}
	p.writes.Queue("UPDATE contactbridge.integrations SET checkpoint = $3 WHERE account = $1 AND id = $2", p.account, p.integration, []byte(p.Checkpoint))
	return nil
}

// Save implements [directory.PageTx].
func (p *pageTx) Save(ctx context.Context) error {
	if p.Added != 0 {
		p.writes.Queue("UPDATE contactbridge.integrations SET contacts = contacts + $3 WHERE account = $1 AND id = $2", p.account, p.integration, p.Added)
	}
	p.writes.Queue(updateRun, runValues(p.account, &p.StoredRun)...)
	if err := p.flush(ctx); err != nil {
		return err
	}
	// Last: pages of the account's other integrations wait for the books until this transaction ends.
	return p.store.writeBooks(ctx, p.tx, p.account, p.books)
}

// deleteContacts deletes contacts with their numbers, takes them out of their books, and reports how many there were.
func (s *Store) deleteContacts(ctx context.Context, tx pgx.Tx, account int32, contacts []int64) (int64, error) {
	deleted, err := deleteContacts(ctx, tx, account, contacts)
	if err != nil {
		return 0, err
	}
	left, err := leftBooks(ctx, tx, account, contacts)
	if err != nil {
		return 0, err
	}
	return deleted, s.writeBooks(ctx, tx, account, left)
}

// deleteContacts deletes contacts with their numbers, and reports how many there were.
func deleteContacts(ctx context.Context, tx pgx.Tx, account int32, contacts []int64) (deleted int64, err error) {
	for some := range slices.Chunk(contacts, 1000) {
		var statements pgx.Batch
		for _, pk := range some {
			statements.Queue(deleteNumbers, account, pk)
			statements.Queue(deleteContact, account, pk).Exec(func(tag pgconn.CommandTag) error {
				deleted += tag.RowsAffected()
				return nil
			})
		}
		if err := tx.SendBatch(ctx, &statements).Close(); err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}
