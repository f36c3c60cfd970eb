package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/contactbridge/contactbridge/directory"
)

// ApplyPage implements [directory.Store].
func (s *Store) ApplyPage(ctx context.Context, run *directory.Run, page directory.Page) error {
	if page.Last != (page.NextOffset == "") {
		return fmt.Errorf("store page %d: the last page, and no other, comes without an offset for the next one", page.Seq)
	}
	if page.Seq < 1 {
		return fmt.Errorf("store page %d: %w", page.Seq, directory.ErrOutOfOrder)
	}
	var stored *directory.Run
	var guarded *directory.GuardedError
	err := s.writer.transaction(ctx, func(tx *writer) (err error) {
		a := applier{tx: tx, now: s.now}
		if a.owned, err = own(ctx, tx, run, page.Seq); err != nil {
			return err
		}
		stored = a.run
		guarded, err = a.apply(ctx, &page)
		return err
	})
	if err != nil {
		return fmt.Errorf("store page %d: %w", page.Seq, err)
	}
	*run = *stored
	if guarded != nil {
		return guarded
	}
	return nil
}

// An applier stores one page in a transaction.
type applier struct {
	owned
	tx  *writer
	now func() int64 // Unix ms

	added  int64  // contacts more, or fewer, than before
	buffer []byte // of contacts' JSON and search terms
}

func (a *applier) apply(ctx context.Context, page *directory.Page) (guarded *directory.GuardedError, err error) {
	a.run.Show(page)
	if err := a.name(ctx, page); err != nil {
		return nil, err
	}
	contacts, purged, err := a.leaveOutSuppressed(ctx, page.Contacts)
	if err != nil {
		return nil, err
	}
	if err := a.store(ctx, contacts); err != nil {
		return nil, err
	}
	if err := a.spare(ctx, page.Rejected); err != nil {
		return nil, err
	}
	if err := a.reject(ctx, slices.Concat(page.Rejected, purged)); err != nil {
		return nil, err
	}
	a.run.Pages++
	a.run.Bytes += page.Bytes
	a.run.Offset, a.run.Context = page.NextOffset, page.Context
	if page.Checkpoint != "" {
		a.run.Checkpoint = page.Checkpoint
	}
	if page.Last {
		if guarded, err = a.finish(ctx, page.Guard); err != nil {
			return nil, err
		}
	}
	return guarded, a.save(ctx)
}

// json writes a contact's JSON into the page's buffer. What was written before stays where it is when the buffer grows.
func (a *applier) json(r *directory.Record) []byte {
	start := len(a.buffer)
	a.buffer = r.Contact.AppendJSON(a.buffer)
	return a.buffer[start:len(a.buffer):len(a.buffer)]
}

// terms writes what a contact is found by into the buffer likewise.
func (a *applier) terms(r *directory.Record) string {
	start := len(a.buffer)
	a.buffer = searchTerms(a.buffer, a.account, a.integration, &r.Contact, r.Numbers)
	text := string(a.buffer[start:])
	a.buffer = a.buffer[:start]
	return text
}

// keptRejected is how many rejected contacts of an integration are kept, the newest ones; all are counted.
const keptRejected = 1000

func (a *applier) reject(ctx context.Context, rejected []directory.Rejected) error {
	if len(rejected) == 0 {
		return nil
	}
	a.run.Rejected += int64(len(rejected))
	for _, r := range rejected[max(0, len(rejected)-keptRejected):] {
		if _, err := a.tx.ExecContext(ctx, "INSERT INTO rejected (integration, run, id, reason) VALUES (?, ?, ?, ?)", a.integration, a.run.ID, r.ID, r.Reason); err != nil {
			return err
		}
	}
	_, err := a.tx.ExecContext(ctx, `DELETE FROM rejected WHERE integration = ?1 AND pk <=
		(SELECT pk FROM rejected WHERE integration = ?1 ORDER BY pk DESC LIMIT 1 OFFSET ?2)`, a.integration, keptRejected)
	return err
}

// finish ends a complete run: who is gone (E6), and where the next run starts (D2).
func (a *applier) finish(ctx context.Context, guard directory.Guard) (guarded *directory.GuardedError, err error) {
	a.run.State = directory.Done
	if guarded, err = a.judge(ctx, guard); err != nil {
		return nil, err
	}
	if guarded != nil {
		a.run.State, a.run.Error, a.run.Hint = directory.Guarded, guarded.Error(), guarded.Hint()
	}
	a.run.Offset, a.run.Context = "", nil
	a.run.Finished = moment(a.now())
	if err := unmark(ctx, a.tx, a.run.ID); err != nil {
		return nil, err
	}
	_, err = a.tx.ExecContext(ctx, "UPDATE integrations SET checkpoint = ? WHERE pk = ?", a.run.Checkpoint, a.integration)
	return guarded, err
}

// save writes the run as it is after the page. The lease counts from now, not from when the page began.
func (a *applier) save(ctx context.Context) error {
	r, now := a.run, a.now()
	r.Updated = moment(now)
	if a.added != 0 {
		if _, err := a.tx.ExecContext(ctx, "UPDATE integrations SET contacts = contacts + ? WHERE pk = ?", a.added, a.integration); err != nil {
			return err
		}
	}
	var finished int64
	if !r.Finished.IsZero() {
		finished = r.Finished.UnixMilli()
	}
	e := &r.Evidence
	_, err := a.tx.ExecContext(ctx, `UPDATE runs SET kind = ?, state = ?, "offset" = ?, context = ?, checkpoint = ?, lease_until = ?, updated = ?, finished = ?,
		error = ?, hint = ?, doubt = ?, exact = ?, brought = ?,
		pages = ?, contacts = ?, created = ?, changed = ?, unchanged = ?, deleted = ?, rejected = ?, bytes = ? WHERE pk = ?`,
		r.Kind, r.State, r.Offset, []byte(r.Context), r.Checkpoint, now+a.leaseMS, now, finished, r.Error, r.Hint, e.Doubt, e.Exact, e.Brought,
		r.Pages, r.Contacts, r.Created, r.Counts.Updated, r.Unchanged, r.Deleted, r.Rejected, r.Bytes, r.ID)
	return err
}

// owned is what a transaction must know of its run.
type owned struct {
	run                  *directory.Run // as it is stored
	integration, account int64
	newest               int64
	leaseMS              int64
	held                 bool // contacts of the integration are to be deleted, by this run or a yes
}

// own reads the run and makes sure that it is still this process's (T8), and that the page is its next one; 0 is no page.
func own(ctx context.Context, tx *writer, run *directory.Run, page int64) (owned, error) {
	o := owned{run: &directory.Run{Key: run.Key, Resumed: run.Resumed}}
	row, err := tx.prepared(ctx, "SELECT "+runColumns+`, r.integration, i.account, r.newest, r.lease_ms, EXISTS (SELECT 1 FROM held h WHERE h.integration = r.integration)
		FROM runs r JOIN integrations i ON i.pk = r.integration WHERE r.pk = ?`)
	if err != nil {
		return o, err
	}
	_, err = scanRun(row.QueryRowContext(ctx, run.ID), o.run, &o.integration, &o.account, &o.newest, &o.leaseMS, &o.held)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return o, directory.ErrLeaseLost
	case err != nil:
		return o, err
	case o.run.Lease != run.Lease:
		return o, directory.ErrLeaseLost
	case page != 0 && page != o.run.Pages+1:
		return o, directory.ErrOutOfOrder
	case o.run.State != directory.Running:
		return o, directory.ErrLeaseLost
	}
	return o, nil
}

// unmark drops the marks of a run that judges no more.
func unmark(ctx context.Context, tx *writer, run int64) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM seen WHERE run = ?", run)
	return err
}
