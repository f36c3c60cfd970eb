package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

// A fate is what becomes of one id of a page.
type fate struct {
	pk      int64    // 0 for a contact that is new
	hash    [16]byte // of what is stored, then of what is to be
	there   bool     // in the directory, or earlier in the page
	rewrite bool
	record  int // the id's last record in the page
}

// store writes the contacts that are new or changed, and notes those that it shows again.
func (a *applier) store(ctx context.Context, records []directory.Record) error {
	fates, err := a.fates(ctx, records)
	if err != nil {
		return err
	}
	var made, changed []*fate
	var there []any
	next, err := a.nextKey(ctx)
	if err != nil {
		return err
	}
	for _, f := range fates {
		switch {
		case f.pk == 0:
			f.pk = next
			next++
			made = append(made, f)
			continue
		case f.rewrite:
			changed = append(changed, f)
		}
		there = append(there, f.pk)
	}
	a.added += int64(len(made))
	if err := a.shown(ctx, there); err != nil {
		return err
	}
	if err := a.rewrite(ctx, changed, records); err != nil {
		return err
	}
	if err := a.create(ctx, made, records); err != nil {
		return err
	}
	if err := a.writeTerms(ctx, made, changed, records); err != nil {
		return err
	}
	return a.writeNumbers(ctx, append(made, changed...), records)
}

// fates says what becomes of each of the page's ids, in their order, and counts it. An id that comes twice is counted twice.
func (a *applier) fates(ctx context.Context, records []directory.Record) ([]*fate, error) {
	byID := make(map[string]*fate, len(records))
	order := make([]*fate, 0, len(records))
	ids := make([]any, 0, len(records))
	all := make([]fate, len(records))
	for i := range records {
		id := records[i].Contact.ID
		if id == "" {
			return nil, contact.ErrNoID
		}
		if byID[id] == nil {
			byID[id] = &all[i]
			order = append(order, &all[i])
			ids = append(ids, id)
		}
	}
	err := a.tx.queryMany(ctx, findContacts, []any{a.integration}, ids, func(rows *sql.Rows) error {
		var id, hash sql.RawBytes
		var pk int64
		if err := rows.Scan(&id, &pk, &hash); err != nil {
			return err
		}
		f := byID[string(id)]
		f.pk, f.there = pk, true
		copy(f.hash[:], hash)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range records {
		if err := ctx.Err(); err != nil { // giant contacts take their time
			return nil, err
		}
		f := byID[records[i].Contact.ID]
		f.record = i
		a.decide(f, digest(&records[i]))
	}
	a.run.Contacts += int64(len(records))
	return order, nil
}

// decide counts what a record makes of its contact.
func (a *applier) decide(f *fate, hash [16]byte) {
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

// digest is the hash of everything that is stored of a record: the same phones may give other numbers, in another region.
func digest(r *directory.Record) [16]byte {
	var space [512]byte
	hash := r.Contact.Hash()
	if len(r.Numbers) == 0 {
		return hash
	}
	b := append(space[:0], hash[:]...)
	for i := range r.Numbers {
		n := &r.Numbers[i]
		for _, s := range [...]string{n.E164, n.Match, n.Raw, n.Extension} {
			b = append(append(b, s...), 0)
		}
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

// nextKey is a pk that no contact ever had: by it a run tells which contacts are older than itself.
func (a *applier) nextKey(ctx context.Context) (next int64, err error) {
	err = a.tx.queryRow(ctx, "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'contacts'", nil, &next)
	return next, err
}

func (a *applier) create(ctx context.Context, made []*fate, records []directory.Record) error {
	values, size := make([]any, 0, makeContacts.columns*min(len(made), mostAtOnce)), 0
	for _, f := range made {
		r := &records[f.record]
		text := a.json(r)
		values = append(values, f.pk, a.integration, r.Contact.ID, f.hash[:], text)
		if size += len(text); size >= mostText || len(values) >= makeContacts.columns*mostAtOnce {
			if err := a.tx.execMany(ctx, makeContacts, values); err != nil {
				return err
			}
			values, size, a.buffer = values[:0], 0, a.buffer[:0]
		}
	}
	return a.tx.execMany(ctx, makeContacts, values)
}

// What is gathered before it is written: pages of giant contacts have millions of numbers.
const (
	mostAtOnce = 10_000  // rows
	mostText   = 4 << 20 // bytes of contacts
)

// rewrite replaces what changed contacts say, and takes their numbers away.
func (a *applier) rewrite(ctx context.Context, changed []*fate, records []directory.Record) error {
	for _, f := range changed {
		if _, err := a.tx.ExecContext(ctx, updateContact, f.hash[:], a.json(&records[f.record]), f.pk); err != nil {
			return err
		}
		if err := dropNumbers(ctx, a.tx, f.pk); err != nil {
			return err
		}
	}
	return nil
}

func dropNumbers(ctx context.Context, tx *writer, contact int64) error {
	_, err := tx.ExecContext(ctx, deleteNumbers, numberKey(contact, 0), numberKey(contact+1, 0))
	return err
}

func (a *applier) writeTerms(ctx context.Context, made, changed []*fate, records []directory.Record) error {
	for _, f := range made {
		if _, err := a.tx.ExecContext(ctx, makeTerms, f.pk, a.terms(&records[f.record])); err != nil {
			return err
		}
	}
	for _, f := range changed {
		if _, err := a.tx.ExecContext(ctx, updateTerms, a.terms(&records[f.record]), f.pk); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) writeNumbers(ctx context.Context, write []*fate, records []directory.Record) error {
	values := make([]any, 0, makeNumbers.columns*min(2*len(write), mostAtOnce))
	for _, f := range write {
		numbers := records[f.record].Numbers
		for place := range numbers[:min(maxNumbers, len(numbers))] {
			n := &numbers[place]
			match, full := n.Match, n.E164 != ""
			if full {
				match = n.E164[1:]
			}
			if match == "" {
				continue
			}
			raw := n.Raw
			if raw == n.E164 {
				raw = "" // the usual case where the bridge formats numbers
			}
			values = append(values, numberKey(f.pk, place), a.account, ending(match), directory.Reverse(match), full, raw, n.Extension)
		}
		if len(values) >= makeNumbers.columns*mostAtOnce {
			if err := a.tx.execMany(ctx, makeNumbers, values); err != nil {
				return err
			}
			values = values[:0]
		}
	}
	return a.tx.execMany(ctx, makeNumbers, values)
}

// drop deletes contacts by pk, with what finds them. One that stands there twice is counted once.
func drop(ctx context.Context, tx *writer, contacts []any) (n int64, err error) {
	for _, pk := range contacts {
		if err := dropNumbers(ctx, tx, pk.(int64)); err != nil {
			return 0, err
		}
		if _, err := tx.ExecContext(ctx, deleteTerms, pk); err != nil {
			return 0, err
		}
	}
	if err := tx.execMany(ctx, releaseHeld, contacts); err != nil {
		return 0, err
	}
	err = deleteContacts.chunks(contacts, func(text string, values []any) error {
		result, err := tx.ExecContext(ctx, text, values...)
		if err != nil {
			return err
		}
		gone, err := result.RowsAffected()
		n += gone
		return err
	})
	return n, err
}
