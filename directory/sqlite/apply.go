package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// ApplyPage implements [directory.Store].
func (s *Store) ApplyPage(ctx context.Context, run *directory.Run, page directory.PageChanges) error {
	return directory.StorePage(ctx, &s.orders, run, page, func(store func(directory.PageTx, *directory.Owned) error) error {
		return s.writer.transaction(ctx, func(tx *writer) error {
			o, err := own(ctx, tx, run, page.Seq)
			if err != nil {
				return err
			}
			s.storing.Store(run.Key, storing{account: o.account, integration: o.integration})
			return store(&pageTx{owned: o, tx: tx, clock: s.clock}, &o.Owned)
		})
	})
}

// storing says where the pages of an integration's runs were stored last. Keys are never used again, so that what was prepared for
// others is not used.
type storing struct{ account, integration int64 }

// Prepare implements [directory.Preparer].
func (s *Store) Prepare(key directory.Key, page *directory.PageChanges) {
	known, ok := s.storing.Load(key)
	if !ok { // the run's first page
		page.Ahead(0, 0, nil)
		return
	}
	at := known.(storing)
	page.Ahead(at.account, at.integration, func(dst []byte, r *directory.Record) []byte {
		return searchTerms(dst, at.account, at.integration, &r.Contact, r.Numbers)
	})
}

var _ directory.Preparer = (*Store)(nil)

// A pageTx stores one page in a transaction.
type pageTx struct {
	*owned
	tx     *writer
	clock  func() time.Time
	buffer []byte // of contacts' JSON and search terms

	booksOf map[int64][]int64 // of contacts that the page writes: the books that they are in
}

var _ directory.PageTx = (*pageTx)(nil)

// Now implements [directory.PageTx].
func (p *pageTx) Now(context.Context) (time.Time, error) { return p.clock(), nil }

// Reject implements [directory.PageTx].
func (p *pageTx) Reject(ctx context.Context, rejected []directory.Rejected) error {
	for _, r := range rejected {
		if _, err := p.tx.ExecContext(ctx, "INSERT INTO rejected (integration, run, id, reason) VALUES (?, ?, ?, ?)", p.integration, p.ID, r.ID, r.Reason); err != nil {
			return err
		}
	}
	_, err := p.tx.ExecContext(ctx, `DELETE FROM rejected WHERE integration = ?1 AND pk <=
		(SELECT pk FROM rejected WHERE integration = ?1 ORDER BY pk DESC LIMIT 1 OFFSET ?2)`, p.integration, directory.KeptRejected)
	return err
}

// End implements [directory.PageTx].
func (p *pageTx) End(ctx context.Context) error {
	if err := unmark(ctx, p.tx, p.ID); err != nil {
		return err
	}
	_, err := p.tx.ExecContext(ctx, "UPDATE integrations SET checkpoint = ? WHERE pk = ?", p.Checkpoint, p.integration)
	return err
}

// Save implements [directory.PageTx].
func (p *pageTx) Save(ctx context.Context) error {
	if p.Added != 0 {
		if _, err := p.tx.ExecContext(ctx, "UPDATE integrations SET contacts = contacts + ? WHERE pk = ?", p.Added, p.integration); err != nil {
			return err
		}
	}
	return saveRun(ctx, p.tx, &p.StoredRun)
}

// owned is a run that is this process's, and the keys of its integration and account.
type owned struct {
	directory.Owned
	integration, account int64
}

var findOwned = "SELECT " + runColumns + `, r.integration, i.account, EXISTS (SELECT 1 FROM held h WHERE h.integration = r.integration)
	FROM runs r JOIN integrations i ON i.pk = r.integration WHERE r.pk = ?`

// own reads the run and makes sure that it is still this process's (T8), and that the page is its next one; 0 means no page.
func own(ctx context.Context, tx *writer, run *directory.Run, page int64) (*owned, error) {
	o := &owned{}
	err := tx.queryRow(ctx, findOwned, []any{run.ID}, o.Fields(&o.integration, &o.account, &o.Held)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, directory.ErrLeaseLost
	}
	if err != nil {
		return nil, err
	}
	o.Key, o.Resumed = run.Key, run.Resumed
	return o, o.Check(run, page)
}

// unmark drops the marks of a run that judges no more.
func unmark(ctx context.Context, tx *writer, run int64) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM seen WHERE run = ?", run)
	return err
}
