package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/directory"
)

// heldOf selects what is held back of an integration i: the newest run that held back one of its contacts, and how many there are.
const heldOf = `(SELECT coalesce(max(h.run), 0) FROM contactbridge.held h WHERE h.account = i.account AND h.integration = i.id AND h.run > 0),
	(SELECT count(*) FROM contactbridge.held h WHERE h.account = i.account AND h.integration = i.id AND h.run > 0)`

// Name implements [directory.PageTx].
func (p *pageTx) Name(ctx context.Context, keys []int64) error {
	_, err := p.tx.Exec(ctx, `INSERT INTO contactbridge.held (account, contact, integration, named, run) SELECT DISTINCT $1::int, g.contact, $2::int, true, 0
		FROM unnest($3::bigint[]) AS g (contact) ON CONFLICT (account, contact) DO UPDATE SET named = true`, p.account, p.integration, keys)
	return err
}

// Release implements [directory.PageTx].
func (p *pageTx) Release(ctx context.Context, keys []int64) error {
	return release(ctx, p.tx, p.account, keys)
}

// release takes contacts out of those that are held back.
func release(ctx context.Context, tx pgx.Tx, account int32, contacts []int64) error {
	rows, err := tx.Query(ctx, "SELECT h.contact"+fromHeld, account, contacts)
	if err != nil {
		return err
	}
	held, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(held) == 0 {
		return err
	}
	var statements pgx.Batch
	for _, pk := range held {
		statements.Queue(releaseHeld, account, pk)
	}
	return tx.SendBatch(ctx, &statements).Close()
}

// Mark implements [directory.PageTx].
func (p *pageTx) Mark(_ context.Context, marks []byte) error {
	p.writes.Queue("INSERT INTO contactbridge.seen (account, run, page, marks) VALUES ($1, $2, $3, $4)", p.account, p.ID, p.Pages+1, marks)
	return nil
}

// Marks implements [directory.PageTx].
func (p *pageTx) Marks(ctx context.Context, visit func([]byte) error) error {
	rows, err := p.tx.Query(ctx, "SELECT marks FROM contactbridge.seen WHERE account = $1 AND run = $2", p.account, p.ID)
	if err != nil {
		return err
	}
	var marks []byte
	_, err = pgx.ForEachRow(rows, []any{&marks}, func() error { return visit(marks) })
	return err
}

// Older implements [directory.PageTx].
func (p *pageTx) Older(ctx context.Context, visit func(int64)) error {
	rows, err := p.tx.Query(ctx, "SELECT pk FROM contactbridge.contacts WHERE account = $1 AND integration = $2 AND pk <= $3", p.account, p.integration, p.Newest)
	if err != nil {
		return err
	}
	var key int64
	_, err = pgx.ForEachRow(rows, []any{&key}, func() error {
		visit(key)
		return nil
	})
	return err
}

// NameUnshown implements [directory.PageTx].
func (p *pageTx) NameUnshown(ctx context.Context, keys []int64) error {
	_, err := p.tx.Exec(ctx, `INSERT INTO contactbridge.held (account, contact, integration, named, run) SELECT $1, g.contact, $2, false, 0
		FROM unnest($3::bigint[]) AS g (contact) ON CONFLICT (account, contact) DO NOTHING`, p.account, p.integration, keys)
	return err
}

// Conditions of what is to be deleted of an integration.
const (
	allGone   = " FROM contactbridge.held WHERE account = $1 AND integration = $2"
	newlyGone = allGone + " AND run = 0"
	heldBack  = allGone + " AND run > 0"
)

func gone(all bool) string {
	if all {
		return allGone
	}
	return newlyGone
}

// Gone implements [directory.PageTx].
func (p *pageTx) Gone(ctx context.Context, all bool) (count, named int64, err error) {
	err = p.tx.QueryRow(ctx, "SELECT count(*), count(*) FILTER (WHERE named)"+gone(all), p.account, p.integration).Scan(&count, &named)
	return count, named, err
}

// DeleteGone implements [directory.PageTx].
func (p *pageTx) DeleteGone(ctx context.Context, all bool) (int64, error) {
	gone, err := takeHeld(ctx, p.tx, p.integrationKey, gone(all))
	if err != nil {
		return 0, err
	}
	left, err := leftBooks(ctx, p.tx, p.account, gone)
	if err != nil {
		return 0, err
	}
	p.books = append(p.books, left...)
	return deleteContacts(ctx, p.tx, p.account, gone)
}

// deleteHeld deletes the contacts that a condition chooses.
func (s *Store) deleteHeld(ctx context.Context, tx pgx.Tx, at integrationKey, which string) (int64, error) {
	gone, err := takeHeld(ctx, tx, at, which)
	if err != nil {
		return 0, err
	}
	return s.deleteContacts(ctx, tx, at.account, gone)
}

// takeHeld returns the contacts that a condition chooses, which are to be deleted.
func takeHeld(ctx context.Context, tx pgx.Tx, at integrationKey, which string) ([]int64, error) {
	rows, err := tx.Query(ctx, "DELETE"+which+" RETURNING contact", at.account, at.integration)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// HoldGone implements [directory.PageTx].
func (p *pageTx) HoldGone(ctx context.Context) (directory.Held, error) {
	if _, err := p.tx.Exec(ctx, "UPDATE contactbridge.held SET run = $3 WHERE account = $1 AND integration = $2 AND run = 0", p.account, p.integration, p.ID); err != nil {
		return directory.Held{}, err
	}
	return heldNow(ctx, p.tx, p.integrationKey)
}

func heldNow(ctx context.Context, tx pgx.Tx, at integrationKey) (directory.Held, error) {
	var run, count int64
	err := tx.QueryRow(ctx, "SELECT "+heldOf+" FROM contactbridge.integrations i WHERE i.account = $1 AND i.id = $2", at.account, at.integration).Scan(&run, &count)
	return directory.HeldBy(run, count), err
}

// Held implements [directory.Store].
func (s *Store) Held(ctx context.Context, key directory.Key, after int64, limit int) ([]directory.HeldContact, error) {
	at, ok, err := s.where(ctx, key)
	if err != nil || !ok {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT h.contact, h.named, c.data FROM contactbridge.held h
		JOIN contactbridge.contacts c ON c.account = h.account AND c.pk = h.contact
		WHERE h.account = $1 AND h.integration = $2 AND h.run > 0 AND h.contact > $3 ORDER BY h.contact LIMIT $4`, at.account, at.integration, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list the contacts that are held back: %w", explained(err))
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h directory.HeldContact, err error) {
		var data []byte
		h.Key = key
		if err = row.Scan(&h.Seq, &h.Named, &data); err == nil {
			err = h.Contact.UnmarshalJSON(data)
		}
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the contacts that are held back: %w", explained(err))
	}
	return all, nil
}

// DeleteHeld implements [directory.Store].
func (s *Store) DeleteHeld(ctx context.Context, key directory.Key, set string) (n int64, err error) {
	err = s.answer(ctx, key, set, func(tx pgx.Tx, at integrationKey) error {
		if n, err = s.deleteHeld(ctx, tx, at, heldBack); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE contactbridge.integrations SET contacts = contacts - $3 WHERE account = $1 AND id = $2", at.account, at.integration, n)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete the contacts of %s that are held back: %w", key.Integration, err)
	}
	return n, nil
}

// KeepHeld implements [directory.Store].
func (s *Store) KeepHeld(ctx context.Context, key directory.Key, set string) (n int64, err error) {
	err = s.answer(ctx, key, set, func(tx pgx.Tx, at integrationKey) error {
		tag, err := tx.Exec(ctx, "DELETE"+heldBack, at.account, at.integration)
		n = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("keep the contacts of %s that are held back: %w", key.Integration, err)
	}
	return n, nil
}

// answer applies a user's decision on the contacts that are held back, if they are still those that the user was shown.
func (s *Store) answer(ctx context.Context, key directory.Key, set string, do func(tx pgx.Tx, at integrationKey) error) error {
	return s.transaction(ctx, func(tx pgx.Tx) error {
		var held directory.Held
		at, _, err := lock(ctx, tx, key)
		switch {
		case err == nil:
			held, err = heldNow(ctx, tx, at)
		case errors.Is(err, pgx.ErrNoRows):
			err = nil
		}
		if err != nil {
			return err
		}
		if err := held.Check(set); err != nil {
			return err
		}
		return do(tx, at)
	})
}
