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
	next := *run
	var guarded *directory.GuardedError
	err := s.writer.transaction(ctx, func(tx *writer) error {
		o, err := s.own(ctx, tx, run)
		if err != nil {
			return err
		}
		if page.Seq != o.pages+1 {
			return directory.ErrOutOfOrder
		}
		a := applier{tx: tx, owned: o, run: &next, now: s.now()}
		guarded, err = a.apply(ctx, page)
		return err
	})
	if err != nil {
		return fmt.Errorf("store page %d: %w", page.Seq, err)
	}
	*run = next
	if guarded != nil {
		return guarded
	}
	return nil
}

// An applier stores one page in a transaction.
type applier struct {
	owned
	tx  *writer
	run *directory.Run // as it will be
	now int64          // Unix ms

	added int64 // contacts more, or fewer, than before
}

func (a *applier) apply(ctx context.Context, page directory.Page) (*directory.GuardedError, error) {
	shown, err := a.store(ctx, page.Contacts)
	if err != nil {
		return nil, err
	}
	if err := a.markSeen(ctx, shown); err != nil {
		return nil, err
	}
	if err := a.deleteNamed(ctx, page); err != nil {
		return nil, err
	}
	if err := a.reject(ctx, page.Rejected); err != nil {
		return nil, err
	}
	a.run.Pages++
	a.run.Bytes += page.Bytes
	a.run.Offset, a.run.Context = page.NextOffset, page.Context
	if page.Checkpoint != "" {
		a.run.Checkpoint = page.Checkpoint
	}
	var guarded *directory.GuardedError
	if page.Last {
		if guarded, err = a.finish(ctx, page.Guard); err != nil {
			return nil, err
		}
	}
	return guarded, a.save(ctx)
}

// fate is what becomes of one id of the page.
type fate struct {
	pk       int64 // 0 until it is known
	hash     [16]byte
	there    bool // in the directory or earlier in the page
	rewrite  bool
	existed  bool // before this page
	position int  // of the id's last record in the page
}

// store writes the contacts that are new or changed and returns the pks of those that were there before.
func (a *applier) store(ctx context.Context, records []directory.Record) (shown []int64, err error) {
	fates, order, err := a.fates(ctx, records)
	if err != nil {
		return nil, err
	}
	for i := range records {
		f := fates[records[i].Contact.ID]
		hash := records[i].Contact.Hash()
		f.position = i
		switch {
		case !f.there:
			f.there, f.rewrite = true, true
			a.run.Created++
		case f.hash != hash:
			f.rewrite = true
			a.run.Counts.Updated++
		default:
			a.run.Unchanged++
		}
		f.hash = hash
	}
	a.run.Contacts += int64(len(records))

	next, err := a.nextKey(ctx)
	if err != nil {
		return nil, err
	}
	var write []*fate
	var changed []int64
	for _, f := range order {
		if f.existed {
			shown = append(shown, f.pk)
		}
		if !f.rewrite {
			continue
		}
		if f.existed {
			changed = append(changed, f.pk)
		} else {
			f.pk = next
			next++
			a.added++
		}
		write = append(write, f)
	}
	if err := a.deleteNumbers(ctx, changed); err != nil {
		return nil, err
	}
	if err := a.writeContacts(ctx, write, records); err != nil {
		return nil, err
	}
	return shown, a.writeNumbers(ctx, write, records)
}

// fates looks up which of the page's ids are there already. order holds each id once, as the page does.
func (a *applier) fates(ctx context.Context, records []directory.Record) (fates map[string]*fate, order []*fate, err error) {
	fates = make(map[string]*fate, len(records))
	ids := make([]any, 0, len(records))
	order = make([]*fate, 0, len(records))
	all := make([]fate, len(records))
	for i := range records {
		id := records[i].Contact.ID
		if _, twice := fates[id]; twice {
			continue
		}
		fates[id] = &all[i]
		order = append(order, &all[i])
		ids = append(ids, id)
	}
	for chunk := range slices.Chunk(ids, chunkSize) {
		err := a.query(ctx, "SELECT id, pk, hash FROM contacts WHERE integration = ? AND id IN ("+marks(len(chunk))+")", append([]any{a.integration}, chunk...),
			func(rows *sql.Rows) error {
				var id string
				var pk int64
				var hash sql.RawBytes
				if err := rows.Scan(&id, &pk, &hash); err != nil {
					return err
				}
				f := fates[id]
				f.pk, f.there, f.existed = pk, true, true
				copy(f.hash[:], hash)
				return nil
			})
		if err != nil {
			return nil, nil, err
		}
	}
	return fates, order, nil
}

// nextKey is a pk that no contact ever had.
func (a *applier) nextKey(ctx context.Context) (next int64, err error) {
	err = a.tx.queryRow(ctx, "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'contacts'", nil, &next)
	return next, err
}

func (a *applier) writeContacts(ctx context.Context, write []*fate, records []directory.Record) error {
	var data []byte
	for chunk := range slices.Chunk(write, chunkSize) {
		values := make([]any, 0, 5*len(chunk))
		// One buffer holds all of the chunk's JSON; it is cut up when it does not grow any more.
		data = data[:0]
		ends := make([]int, len(chunk))
		for i, f := range chunk {
			data = records[f.position].Contact.AppendJSON(data)
			ends[i] = len(data)
		}
		from := 0
		for i, f := range chunk {
			values = append(values, f.pk, a.integration, records[f.position].Contact.ID, f.hash[:], data[from:ends[i]])
			from = ends[i]
		}
		_, err := a.exec(ctx, "INSERT INTO contacts (pk, integration, id, hash, data) VALUES "+tuples(len(chunk), 5)+
			" ON CONFLICT (pk) DO UPDATE SET hash = excluded.hash, data = excluded.data", values)
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) writeNumbers(ctx context.Context, write []*fate, records []directory.Record) error {
	const columns = 7
	values := make([]any, 0, columns*chunkSize)
	flush := func() error {
		if len(values) == 0 {
			return nil
		}
		_, err := a.exec(ctx, "INSERT INTO numbers (contact, position, account, reversed, full, raw, extension) VALUES "+tuples(len(values)/columns, columns), values)
		values = values[:0]
		return err
	}
	for _, f := range write {
		for position, n := range records[f.position].Numbers {
			if n.Match == "" {
				continue
			}
			values = append(values, f.pk, position, a.account, reverse(n.Match), n.E164 != "", n.Raw, n.Extension)
			if len(values) == cap(values) {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	return flush()
}

func (a *applier) deleteNumbers(ctx context.Context, contacts []int64) error {
	for chunk := range slices.Chunk(contacts, chunkSize) {
		if _, err := a.exec(ctx, "DELETE FROM numbers WHERE contact IN ("+marks(len(chunk))+")", anys(chunk)); err != nil {
			return err
		}
	}
	return nil
}

// markSeen notes who was shown, where the run will judge those who were not (E6).
func (a *applier) markSeen(ctx context.Context, shown []int64) error {
	if !a.judges || a.had == 0 {
		return nil
	}
	for chunk := range slices.Chunk(shown, chunkSize) {
		values := make([]any, 0, 2*len(chunk))
		for _, pk := range chunk {
			if pk <= a.newest {
				values = append(values, a.run.ID, pk)
			}
		}
		if len(values) == 0 {
			continue
		}
		if _, err := a.exec(ctx, "INSERT OR IGNORE INTO seen (run, contact) VALUES "+tuples(len(values)/2, 2), values); err != nil {
			return err
		}
	}
	return nil
}

// deleteNamed deletes the contacts that the bridge says are gone (D7). One that the same page shows stays: nothing is deleted
// by mistake.
func (a *applier) deleteNamed(ctx context.Context, page directory.Page) error {
	if len(page.Deleted) == 0 {
		return nil
	}
	shown := make(map[string]bool, len(page.Contacts))
	for i := range page.Contacts {
		shown[page.Contacts[i].Contact.ID] = true
	}
	for chunk := range slices.Chunk(page.Deleted, chunkSize) {
		ids := []any{a.integration}
		for _, id := range chunk {
			if !shown[id] {
				ids = append(ids, id)
			}
		}
		var gone []int64
		err := a.query(ctx, "SELECT pk FROM contacts WHERE integration = ? AND id IN ("+marks(len(ids)-1)+")", ids, func(rows *sql.Rows) error {
			var pk int64
			err := rows.Scan(&pk)
			gone = append(gone, pk)
			return err
		})
		if err != nil {
			return err
		}
		if err := a.deleteContacts(ctx, gone); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) deleteContacts(ctx context.Context, contacts []int64) error {
	if err := a.deleteNumbers(ctx, contacts); err != nil {
		return err
	}
	for chunk := range slices.Chunk(contacts, chunkSize) {
		result, err := a.exec(ctx, "DELETE FROM contacts WHERE pk IN ("+marks(len(chunk))+")", anys(chunk))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		a.run.Deleted += n
		a.added -= n
	}
	return nil
}

// maxRejected is how many rejected contacts of one run are kept; all are counted.
const maxRejected = 1000

func (a *applier) reject(ctx context.Context, rejected []directory.Rejected) error {
	for i, r := range rejected {
		if a.run.Rejected+int64(i) >= maxRejected {
			break
		}
		if _, err := a.exec(ctx, "INSERT INTO rejected (integration, run, id, reason) VALUES (?, ?, ?, ?)", []any{a.integration, a.run.ID, r.ID, r.Reason}); err != nil {
			return err
		}
	}
	a.run.Rejected += int64(len(rejected))
	return nil
}

// finish ends a complete run: who is gone (E6), and where the next run starts (D2).
func (a *applier) finish(ctx context.Context, guard directory.Guard) (guarded *directory.GuardedError, err error) {
	a.run.State = directory.Done
	if a.judges && a.had > 0 {
		if guarded, err = a.deleteUnseen(ctx, guard); err != nil {
			return nil, err
		}
	}
	if guarded != nil {
		a.run.State = directory.Guarded
		a.run.Error = guarded.Error()
	}
	a.run.Offset, a.run.Context = "", nil
	a.run.Finished = moment(a.now)
	if _, err := a.exec(ctx, "DELETE FROM seen WHERE run = ?", []any{a.run.ID}); err != nil {
		return nil, err
	}
	_, err = a.exec(ctx, "UPDATE integrations SET checkpoint = ? WHERE pk = ?", []any{a.run.Checkpoint, a.integration})
	return guarded, err
}

const unseen = `FROM contacts c WHERE c.integration = ? AND c.pk <= ? AND NOT EXISTS (SELECT 1 FROM seen s WHERE s.run = ? AND s.contact = c.pk)`

func (a *applier) deleteUnseen(ctx context.Context, guard directory.Guard) (*directory.GuardedError, error) {
	which := []any{a.integration, a.newest, a.run.ID}
	var count int64
	if err := a.tx.queryRow(ctx, "SELECT count(*) "+unseen, which, &count); err != nil {
		return nil, err
	}
	if guard.Refuses(count, a.had) {
		return &directory.GuardedError{Deleted: count, Total: a.had}, nil
	}
	for count > 0 {
		var gone []int64
		err := a.query(ctx, "SELECT c.pk "+unseen+" LIMIT 10000", which, func(rows *sql.Rows) error {
			var pk int64
			err := rows.Scan(&pk)
			gone = append(gone, pk)
			return err
		})
		if err != nil || len(gone) == 0 {
			return nil, err
		}
		if err := a.deleteContacts(ctx, gone); err != nil {
			return nil, err
		}
		count -= int64(len(gone))
	}
	return nil, nil
}

// save writes the run as it is after the page.
func (a *applier) save(ctx context.Context) error {
	r := a.run
	r.Updated = moment(a.now)
	if a.added != 0 {
		if _, err := a.exec(ctx, "UPDATE integrations SET contacts = contacts + ? WHERE pk = ?", []any{a.added, a.integration}); err != nil {
			return err
		}
	}
	var finished int64
	if !r.Finished.IsZero() {
		finished = r.Finished.UnixMilli()
	}
	_, err := a.exec(ctx, `UPDATE runs SET state = ?, "offset" = ?, context = ?, checkpoint = ?, lease_until = ?, updated = ?, finished = ?, error = ?,
		pages = ?, contacts = ?, created = ?, changed = ?, unchanged = ?, deleted = ?, rejected = ?, bytes = ? WHERE pk = ?`,
		[]any{
			r.State, r.Offset, []byte(r.Context), r.Checkpoint, a.now + a.leaseMS, a.now, finished, r.Error,
			r.Pages, r.Contacts, r.Created, r.Counts.Updated, r.Unchanged, r.Deleted, r.Rejected, r.Bytes, r.ID,
		})
	return err
}

func (a *applier) exec(ctx context.Context, statement string, values []any) (sql.Result, error) {
	return a.tx.ExecContext(ctx, statement, values...)
}

func (a *applier) query(ctx context.Context, statement string, values []any, each func(*sql.Rows) error) (err error) {
	rows, err := a.tx.QueryContext(ctx, statement, values...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
