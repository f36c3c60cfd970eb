package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactbridge/contactbridge/contact"
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
	err := s.transaction(ctx, func(tx pgx.Tx) (err error) {
		a := applier{tx: tx, store: s}
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
	tx    pgx.Tx
	store *Store

	added  int64     // contacts more, or fewer, than before
	writes pgx.Batch // sent together
	buffer []byte    // of contacts' JSON
}

func (a *applier) apply(ctx context.Context, page *directory.Page) (guarded *directory.GuardedError, err error) {
	a.run.Show(page)
	given := page.Rejected
	if err := a.suppress(ctx, page); err != nil {
		return nil, err
	}
	if err := a.name(ctx, page); err != nil {
		return nil, err
	}
	if err := a.put(ctx, page.Contacts); err != nil {
		return nil, err
	}
	if err := a.spare(ctx, given); err != nil {
		return nil, err
	}
	a.reject(page.Rejected)
	if err := a.flush(ctx); err != nil {
		return nil, err
	}
	a.run.Pages++
	a.run.Bytes += page.Bytes
	a.run.Offset, a.run.Context = page.NextOffset, page.Context
	if page.Checkpoint != "" {
		a.run.Checkpoint = page.Checkpoint
	}
	now, err := a.store.now(ctx, a.tx)
	if err != nil {
		return nil, err
	}
	if page.Last {
		if guarded, err = a.finish(ctx, page.Guard, now); err != nil {
			return nil, err
		}
	}
	a.save(now)
	return guarded, a.flush(ctx)
}

// flush sends the writes that were queued, in one round trip.
func (a *applier) flush(ctx context.Context) error {
	if a.writes.Len() == 0 {
		return nil
	}
	err := a.tx.SendBatch(ctx, &a.writes).Close()
	a.writes = pgx.Batch{}
	return err
}

// suppress takes out of the page whoever was purged.
func (a *applier) suppress(ctx context.Context, page *directory.Page) error {
	if a.suppressed == 0 {
		return nil
	}
	digests := make([][]byte, len(page.Contacts))
	for i := range page.Contacts {
		digests[i] = digestOf(a.salt, page.Contacts[i].Contact.ID)
	}
	rows, err := a.tx.Query(ctx, `SELECT d.digest FROM unnest($3::bytea[]) AS d (digest) WHERE EXISTS (
		SELECT FROM contactbridge.suppressed WHERE account = (SELECT $1::int) AND integration = $2 AND digest = d.digest OFFSET 0)`, a.account, a.integration, digests)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil || len(found) == 0 {
		return err
	}
	purged := map[string]bool{}
	for _, digest := range found {
		purged[string(digest)] = true
	}
	var kept []directory.Record
	for i := range page.Contacts {
		if purged[string(digests[i])] {
			page.Rejected = append(page.Rejected[:len(page.Rejected):len(page.Rejected)], directory.Rejected{Reason: directory.ReasonPurged})
			continue
		}
		kept = append(kept, page.Contacts[i])
	}
	page.Contacts = kept
	return nil
}

// digestOf is what is kept of an id that must not come back.
func digestOf(salt []byte, id string) []byte {
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(id))
	return mac.Sum(nil)
}

// keptRejected is how many rejected contacts of an integration are kept, the newest ones; all are counted.
const keptRejected = 1000

func (a *applier) reject(rejected []directory.Rejected) {
	if len(rejected) == 0 {
		return
	}
	a.run.Rejected += int64(len(rejected))
	rejected = rejected[max(0, len(rejected)-keptRejected):]
	ids, reasons := make([][]byte, len(rejected)), make([][]byte, len(rejected))
	for i, r := range rejected {
		ids[i], reasons[i] = []byte(r.ID), []byte(r.Reason)
	}
	a.writes.Queue(`INSERT INTO contactbridge.rejected (account, integration, run, id, reason)
		SELECT $1, $2, $3, r.id, r.reason FROM unnest($4::bytea[], $5::bytea[]) WITH ORDINALITY AS r (id, reason, n) ORDER BY r.n`,
		a.account, a.integration, a.run.ID, ids, reasons)
	a.writes.Queue(`DELETE FROM contactbridge.rejected WHERE account = $1 AND integration = $2 AND pk <=
		(SELECT pk FROM contactbridge.rejected WHERE account = $1 AND integration = $2 ORDER BY pk DESC LIMIT 1 OFFSET $3)`, a.account, a.integration, keptRejected)
}

// finish ends a complete run: who is gone (E6), and where the next run starts (D2).
func (a *applier) finish(ctx context.Context, guard directory.Guard, now int64) (guarded *directory.GuardedError, err error) {
	a.run.State = directory.Done
	if guarded, err = a.judge(ctx, guard); err != nil {
		return nil, err
	}
	if guarded != nil {
		a.run.State, a.run.Error, a.run.Hint = directory.Guarded, guarded.Error(), guarded.Hint()
	}
	a.run.Offset, a.run.Context = "", nil
	a.run.Finished = moment(now)
	if a.run.Kind == directory.Initial {
		a.writes.Queue("DELETE FROM contactbridge.seen WHERE account = $1 AND run = $2", a.account, a.run.ID)
	}
	a.writes.Queue("UPDATE contactbridge.integrations SET checkpoint = $3 WHERE account = $1 AND id = $2", a.account, a.integration, []byte(a.run.Checkpoint))
	return guarded, nil
}

// save writes the run as it is after the page. The lease counts from now, not from when the page began.
func (a *applier) save(now int64) {
	r := a.run
	r.Updated = moment(now)
	if a.added != 0 {
		a.writes.Queue("UPDATE contactbridge.integrations SET contacts = contacts + $3 WHERE account = $1 AND id = $2", a.account, a.integration, a.added)
	}
	var finished int64
	if !r.Finished.IsZero() {
		finished = r.Finished.UnixMilli()
	}
	a.writes.Queue(`UPDATE contactbridge.runs SET kind = $20, doubt = $21, exact = $22, brought = $23, state = $3, "offset" = $4, context = $5, checkpoint = $6, lease_until = $7, updated = $8, finished = $9, error = $10,
		pages = $11, contacts = $12, created = $13, changed = $14, unchanged = $15, deleted = $16, rejected = $17, bytes = $18, hint = $19 WHERE account = $1 AND pk = $2`,
		a.account, r.ID, r.State, []byte(r.Offset), []byte(r.Context), []byte(r.Checkpoint), now+a.leaseMS, now, finished, []byte(r.Error),
		r.Pages, r.Contacts, r.Created, r.Counts.Updated, r.Unchanged, r.Deleted, r.Rejected, r.Bytes, []byte(r.Hint),
		r.Kind, r.Evidence.Doubt, r.Evidence.Exact, r.Evidence.Brought)
}

// json writes a contact's JSON into the page's buffer. What was written before stays where it is when the buffer grows.
func (a *applier) json(r *directory.Record) []byte {
	start := len(a.buffer)
	a.buffer = r.Contact.AppendJSON(a.buffer)
	return a.buffer[start:len(a.buffer):len(a.buffer)]
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

// checkIDs refuses contacts that have no id.
func checkIDs(records []directory.Record) error {
	for i := range records {
		if records[i].Contact.ID == "" {
			return contact.ErrNoID
		}
	}
	return nil
}
