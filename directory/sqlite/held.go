package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/contactbridge/contactbridge/directory"
)

// heldOf selects what is held back of an integration i: the newest run that held back one of its contacts, and how many there are.
const heldOf = `(SELECT coalesce(max(h.run), 0) FROM held h WHERE h.integration = i.pk AND h.run > 0),
	(SELECT count(*) FROM held h WHERE h.integration = i.pk AND h.run > 0)`

// Name implements [directory.PageTx].
func (p *pageTx) Name(ctx context.Context, keys []int64) error {
	return p.tx.execMany(ctx, noteNamed, p.ofIntegration(keys))
}

// Release implements [directory.PageTx].
func (p *pageTx) Release(ctx context.Context, keys []int64) error {
	return p.tx.execMany(ctx, releaseHeld, anyOf(keys))
}

// Mark implements [directory.PageTx].
func (p *pageTx) Mark(ctx context.Context, marks []byte) error {
	_, err := p.tx.ExecContext(ctx, "INSERT INTO seen (run, page, marks) VALUES (?, ?, ?)", p.ID, p.Pages+1, marks)
	return err
}

// Marks implements [directory.PageTx].
func (p *pageTx) Marks(ctx context.Context, visit func([]byte) error) error {
	return p.tx.query(ctx, "SELECT marks FROM seen WHERE run = ?", []any{p.ID}, func(rows *sql.Rows) error {
		var marks sql.RawBytes
		if err := rows.Scan(&marks); err != nil {
			return err
		}
		return visit(marks)
	})
}

// Older implements [directory.PageTx].
func (p *pageTx) Older(ctx context.Context, visit func(int64)) error {
	return p.tx.query(ctx, "SELECT pk FROM contacts WHERE integration = ? AND pk <= ?", []any{p.integration, p.Newest}, func(rows *sql.Rows) error {
		var key int64
		err := rows.Scan(&key)
		visit(key)
		return err
	})
}

// NameUnshown implements [directory.PageTx].
func (p *pageTx) NameUnshown(ctx context.Context, keys []int64) error {
	return p.tx.execMany(ctx, noteUnshown, p.ofIntegration(keys))
}

// ofIntegration are keys of contacts, each with the integration's.
func (p *pageTx) ofIntegration(keys []int64) []any {
	values := make([]any, 0, 2*len(keys))
	for _, key := range keys {
		values = append(values, key, p.integration)
	}
	return values
}

// Conditions of what is to be deleted of an integration.
const (
	allGone   = " WHERE integration = ?1"
	newlyGone = " WHERE integration = ?1 AND run = 0"
	heldBack  = " WHERE integration = ?1 AND run > 0"
)

func gone(all bool) string {
	if all {
		return allGone
	}
	return newlyGone
}

// Gone implements [directory.PageTx].
func (p *pageTx) Gone(ctx context.Context, all bool) (count, named int64, err error) {
	err = p.tx.queryRow(ctx, "SELECT count(*), coalesce(sum(named), 0) FROM held"+gone(all), []any{p.integration}, &count, &named)
	return count, named, err
}

// DeleteGone implements [directory.PageTx].
func (p *pageTx) DeleteGone(ctx context.Context, all bool) (int64, error) {
	return deleteHeld(ctx, p.tx, p.integration, gone(all))
}

// HoldGone implements [directory.PageTx].
func (p *pageTx) HoldGone(ctx context.Context) (directory.Held, error) {
	if _, err := p.tx.ExecContext(ctx, "UPDATE held SET run = ?2"+newlyGone, p.integration, p.ID); err != nil {
		return directory.Held{}, err
	}
	return heldNow(ctx, p.tx, p.integration)
}

func heldNow(ctx context.Context, tx *writer, integration int64) (directory.Held, error) {
	var run, count int64
	err := tx.queryRow(ctx, "SELECT "+heldOf+" FROM integrations i WHERE i.pk = ?", []any{integration}, &run, &count)
	return directory.HeldBy(run, count), err
}

// deleteHeld deletes contacts that are held back, in steps, so that memory is bounded.
func deleteHeld(ctx context.Context, tx *writer, integration int64, which string) (n int64, err error) {
	for {
		var gone []int64
		err := tx.query(ctx, "SELECT contact FROM held"+which+" LIMIT 10000", []any{integration}, func(rows *sql.Rows) error {
			var pk int64
			err := rows.Scan(&pk)
			gone = append(gone, pk)
			return err
		})
		if err != nil || len(gone) == 0 {
			return n, err
		}
		some, err := drop(ctx, tx, gone)
		if err != nil {
			return n, err
		}
		n += some
	}
}

// Held implements [directory.Store].
func (s *Store) Held(ctx context.Context, key directory.Key, after int64, limit int) ([]directory.HeldContact, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT h.contact, h.named, c.data FROM held h JOIN contacts c ON c.pk = h.contact
		WHERE h.integration = `+integrationOf+` AND h.run > 0 AND h.contact > ? ORDER BY h.contact LIMIT ?`, key.Account, key.Integration, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list the contacts that are held back: %w", err)
	}
	defer rows.Close()
	var all []directory.HeldContact
	for rows.Next() {
		h := directory.HeldContact{Entry: directory.Entry{Key: key}}
		var data sql.RawBytes
		if err := rows.Scan(&h.Seq, &h.Named, &data); err != nil {
			return nil, err
		}
		if err := h.Contact.UnmarshalJSON(data); err != nil {
			return nil, fmt.Errorf("read a contact that is held back: %w", err)
		}
		all = append(all, h)
	}
	return all, rows.Err()
}

// DeleteHeld implements [directory.Store].
func (s *Store) DeleteHeld(ctx context.Context, key directory.Key, set string) (n int64, err error) {
	err = s.answer(ctx, key, set, func(tx *writer, integration int64) error {
		if n, err = deleteHeld(ctx, tx, integration, heldBack); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE integrations SET contacts = contacts - ? WHERE pk = ?", n, integration)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete the contacts of %s that are held back: %w", key.Integration, err)
	}
	return n, nil
}

// KeepHeld implements [directory.Store].
func (s *Store) KeepHeld(ctx context.Context, key directory.Key, set string) (n int64, err error) {
	err = s.answer(ctx, key, set, func(tx *writer, integration int64) error {
		result, err := tx.ExecContext(ctx, "DELETE FROM held"+heldBack, integration)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("keep the contacts of %s that are held back: %w", key.Integration, err)
	}
	return n, nil
}

// answer applies a user's decision on the contacts that are held back, if they are still those that the user was shown.
func (s *Store) answer(ctx context.Context, key directory.Key, set string, do func(tx *writer, integration int64) error) error {
	return s.writer.transaction(ctx, func(tx *writer) error {
		var integration int64
		var held directory.Held
		err := tx.queryRow(ctx, "SELECT coalesce("+integrationOf+", 0)", []any{key.Account, key.Integration}, &integration)
		if err == nil && integration != 0 {
			held, err = heldNow(ctx, tx, integration)
		}
		if err != nil {
			return err
		}
		if err := held.Check(set); err != nil {
			return err
		}
		return do(tx, integration)
	})
}
