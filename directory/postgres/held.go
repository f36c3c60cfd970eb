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

// name notes the contacts that the bridge says are deleted (D7); the run's end decides about them.
func (a *applier) name(ctx context.Context, page *directory.Page) error {
	var ids [][]byte
	for _, id := range page.Named() {
		ids = append(ids, []byte(id))
	}
	gone, err := a.find(ctx, ids)
	if err != nil || len(gone) == 0 {
		return err
	}
	a.held = true
	_, err = a.tx.Exec(ctx, `INSERT INTO contactbridge.held (account, contact, integration, named, run) SELECT DISTINCT $1::int, g.contact, $2::int, true, 0
		FROM unnest($3::bigint[]) AS g (contact) ON CONFLICT (account, contact) DO UPDATE SET named = true`, a.account, a.integration, gone)
	return err
}

// find returns the keys of the contacts with these ids.
func (a *applier) find(ctx context.Context, ids [][]byte) ([]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := a.tx.Query(ctx, "SELECT c.pk"+fromNamed, a.account, a.integration, ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// spare marks rejected contacts as shown: they stay as they were (D8).
func (a *applier) spare(ctx context.Context, rejected []directory.Rejected) error {
	if len(rejected) == 0 || !a.held && !a.run.Judges() {
		return nil
	}
	var ids [][]byte
	for i := range rejected {
		if rejected[i].ID != "" {
			ids = append(ids, []byte(rejected[i].ID))
		}
	}
	found, err := a.find(ctx, ids)
	if err != nil {
		return err
	}
	return a.shown(ctx, found)
}

// shown notes that the run showed contacts that were there: they are not gone, and wait for no yes.
func (a *applier) shown(ctx context.Context, contacts []int64) error {
	if len(contacts) == 0 {
		return nil
	}
	if a.held {
		if err := release(ctx, a.tx, a.account, contacts); err != nil {
			return err
		}
	}
	if !a.run.Judges() {
		return nil
	}
	var older []int64
	for _, pk := range contacts {
		if pk <= a.newest {
			older = append(older, pk)
		}
	}
	if len(older) > 0 {
		a.writes.Queue("INSERT INTO contactbridge.seen (account, run, contact) SELECT $1, $2, unnest($3::bigint[]) ON CONFLICT DO NOTHING", a.account, a.run.ID, older)
	}
	return nil
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

// unshown notes the contacts older than the run that it did not show.
func (a *applier) unshown(ctx context.Context) error {
	if !a.run.Judges() || a.run.Evidence.Had == 0 {
		return nil
	}
	var marks int64
	// Marks are cheap to count. Where there are as many as there were contacts, everybody was shown.
	err := a.tx.QueryRow(ctx, "SELECT count(*) FROM contactbridge.seen WHERE account = $1 AND run = $2", a.account, a.run.ID).Scan(&marks)
	if err != nil || marks == a.run.Evidence.Had {
		return err
	}
	_, err = a.tx.Exec(ctx, `INSERT INTO contactbridge.held (account, contact, integration, named, run) SELECT c.account, c.pk, c.integration, false, 0
		FROM contactbridge.contacts c WHERE c.account = $1 AND c.integration = $2 AND c.pk <= $3
		AND NOT EXISTS (SELECT FROM contactbridge.seen s WHERE s.account = (SELECT $1::int) AND s.run = $4 AND s.contact = c.pk OFFSET 0)
		ON CONFLICT (account, contact) DO NOTHING`, a.account, a.integration, a.newest, a.run.ID)
	a.held = true
	return err
}

// judge decides about the contacts that are to be deleted when the run ends (D8, D9). A run that judges decides anew about
// those that earlier runs held back: any of them that it showed is held back no longer.
func (a *applier) judge(ctx context.Context, guard directory.Guard) (*directory.GuardedError, error) {
	if err := a.unshown(ctx); err != nil || !a.held {
		return nil, err
	}
	rows, err := a.tx.Query(ctx, "SELECT contact, named FROM contactbridge.held WHERE account = $1 AND integration = $2 AND (run = 0 OR $3)",
		a.account, a.integration, a.run.Judges())
	if err != nil {
		return nil, err
	}
	var gone []int64
	var pk, named int64
	var isNamed bool
	_, err = pgx.ForEachRow(rows, []any{&pk, &isNamed}, func() error {
		gone = append(gone, pk)
		if isNamed {
			named++
		}
		return nil
	})
	if err != nil || len(gone) == 0 {
		return nil, err
	}
	guarded := a.run.Decide(named, int64(len(gone))-named, guard)
	if guarded == nil {
		if _, err := a.tx.Exec(ctx, "DELETE FROM contactbridge.held WHERE account = $1 AND integration = $2 AND (run = 0 OR $3)", a.account, a.integration, a.run.Judges()); err != nil {
			return nil, err
		}
		n, err := deleteContacts(ctx, a.tx, a.account, gone)
		a.run.Deleted += n
		a.added -= n
		return nil, err
	}
	if _, err := a.tx.Exec(ctx, "UPDATE contactbridge.held SET run = $3 WHERE account = $1 AND integration = $2 AND run = 0", a.account, a.integration, a.run.ID); err != nil {
		return nil, err
	}
	guarded.Held, err = heldNow(ctx, a.tx, a.place)
	return guarded, err
}

func heldNow(ctx context.Context, tx pgx.Tx, at place) (directory.Held, error) {
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
	err = s.answer(ctx, key, set, func(tx pgx.Tx, at place) error {
		rows, err := tx.Query(ctx, "DELETE FROM contactbridge.held WHERE account = $1 AND integration = $2 AND run > 0 RETURNING contact", at.account, at.integration)
		if err != nil {
			return err
		}
		gone, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		if n, err = deleteContacts(ctx, tx, at.account, gone); err != nil {
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
	err = s.answer(ctx, key, set, func(tx pgx.Tx, at place) error {
		tag, err := tx.Exec(ctx, "DELETE FROM contactbridge.held WHERE account = $1 AND integration = $2 AND run > 0", at.account, at.integration)
		n = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("keep the contacts of %s that are held back: %w", key.Integration, err)
	}
	return n, nil
}

// answer does what somebody said about what is held back, if it is still what they were shown.
func (s *Store) answer(ctx context.Context, key directory.Key, set string, do func(tx pgx.Tx, at place) error) error {
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
