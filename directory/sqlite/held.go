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

// name notes the contacts that the bridge says are deleted (D7); the run's end decides about them.
func (a *applier) name(ctx context.Context, page *directory.Page) error {
	var ids []any
	for _, id := range page.Named() {
		ids = append(ids, id)
	}
	gone, err := a.find(ctx, ids)
	if err != nil || len(gone) == 0 {
		return err
	}
	a.held = true
	values := make([]any, 0, noteNamed.columns*len(gone))
	for _, pk := range gone {
		values = append(values, pk, a.integration)
	}
	return a.tx.execMany(ctx, noteNamed, values)
}

// find returns the keys of the contacts with these ids.
func (a *applier) find(ctx context.Context, ids []any) (found []any, err error) {
	err = a.tx.queryMany(ctx, findContacts, []any{a.integration}, ids, func(rows *sql.Rows) error {
		var id, hash sql.RawBytes
		var pk int64
		err := rows.Scan(&id, &pk, &hash)
		found = append(found, pk)
		return err
	})
	return found, err
}

// spare marks rejected contacts as shown: they stay as they were (D8).
func (a *applier) spare(ctx context.Context, rejected []directory.Rejected) error {
	if len(rejected) == 0 || !a.held && !a.run.Judges() {
		return nil
	}
	var ids []any
	for i := range rejected {
		if rejected[i].ID != "" {
			ids = append(ids, rejected[i].ID)
		}
	}
	found, err := a.find(ctx, ids)
	if err != nil {
		return err
	}
	return a.shown(ctx, found)
}

// shown notes that the run showed contacts that were there: they are not gone, and wait for no yes.
func (a *applier) shown(ctx context.Context, contacts []any) error {
	if a.held {
		if err := a.tx.execMany(ctx, releaseHeld, contacts); err != nil {
			return err
		}
	}
	if !a.run.Judges() {
		return nil
	}
	values := make([]any, 0, markContacts.columns*len(contacts))
	for _, pk := range contacts {
		if pk.(int64) <= a.newest {
			values = append(values, a.run.ID, pk)
		}
	}
	return a.tx.execMany(ctx, markContacts, values)
}

// unshown notes the contacts older than the run that it did not show.
func (a *applier) unshown(ctx context.Context) error {
	if !a.run.Judges() || a.run.Evidence.Had == 0 {
		return nil
	}
	var marks int64
	// Marks are cheap to count. Where there are as many as there were contacts, everybody was shown.
	if err := a.tx.queryRow(ctx, "SELECT count(*) FROM seen WHERE run = ?", []any{a.run.ID}, &marks); err != nil || marks == a.run.Evidence.Had {
		return err
	}
	_, err := a.tx.ExecContext(ctx, `INSERT INTO held (contact, integration, named, run) SELECT c.pk, c.integration, 0, 0 FROM contacts c
		WHERE c.integration = ? AND c.pk <= ? AND NOT EXISTS (SELECT 1 FROM seen s WHERE s.run = ? AND s.contact = c.pk) ON CONFLICT (contact) DO NOTHING`,
		a.integration, a.newest, a.run.ID)
	a.held = true
	return err
}

// judge decides about the contacts that are to be deleted when the run ends (D8, D9). A run that judges decides anew about
// those that earlier runs held back: any of them that it showed is held back no longer.
func (a *applier) judge(ctx context.Context, guard directory.Guard) (*directory.GuardedError, error) {
	if err := a.unshown(ctx); err != nil || !a.held {
		return nil, err
	}
	which := " WHERE integration = ?1 AND run = 0"
	if a.run.Judges() {
		which = " WHERE integration = ?1"
	}
	var all, named int64
	if err := a.tx.queryRow(ctx, "SELECT count(*), coalesce(sum(named), 0) FROM held"+which, []any{a.integration}, &all, &named); err != nil || all == 0 {
		return nil, err
	}
	guarded := a.run.Decide(named, all-named, guard)
	if guarded == nil {
		n, err := deleteHeld(ctx, a.tx, a.integration, which)
		a.run.Deleted += n
		a.added -= n
		return nil, err
	}
	if _, err := a.tx.ExecContext(ctx, "UPDATE held SET run = ?2 WHERE integration = ?1 AND run = 0", a.integration, a.run.ID); err != nil {
		return nil, err
	}
	var err error
	guarded.Held, err = heldNow(ctx, a.tx, a.integration)
	return guarded, err
}

func heldNow(ctx context.Context, tx *writer, integration int64) (directory.Held, error) {
	var run, count int64
	err := tx.queryRow(ctx, "SELECT "+heldOf+" FROM integrations i WHERE i.pk = ?", []any{integration}, &run, &count)
	return directory.HeldBy(run, count), err
}

// deleteHeld deletes contacts that are held back, in steps, so that memory is bounded.
func deleteHeld(ctx context.Context, tx *writer, integration int64, which string) (n int64, err error) {
	for {
		var gone []any
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
		if n, err = deleteHeld(ctx, tx, integration, " WHERE integration = ?1 AND run > 0"); err != nil {
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
		result, err := tx.ExecContext(ctx, "DELETE FROM held WHERE integration = ? AND run > 0", integration)
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

// answer does what somebody said about what is held back, if it is still what they were shown.
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
