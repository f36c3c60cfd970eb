// Package memory is a source of contacts that are held in memory: those of a configuration, to try without a database, or
// those of a test. It is the reference of the source contract: it knows its own transactions, so its horizon is exact.
package memory

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// A Store is an external service in memory: contacts, each stamped when it was changed, written in transactions. It is used
// by many goroutines at once.
type Store struct {
	clock clock.Clock
	fixed bool // the contacts of a configuration, which are never written

	endpoint string // the endpoint with this configuration; empty for a store that is written to

	mu      sync.Mutex
	latest  int64 // no transaction begins before it, though the clock may go back (T13)
	open    map[*Tx]struct{}
	rows    map[string]*row
	commits int64   // how many transactions were committed
	orders  *orders // nil after a change
}

// A row is one contact. It is never changed, only replaced.
type row struct {
	contact contact.Contact
	stamped bool
	updated int64 // microseconds, see stamp.Microseconds; of no meaning if not stamped
	deleted bool
	commit  int64 // the transaction that wrote it, counted from 1; 0 for the contacts of a configuration
}

// orders are the rows in the orders in which they are read.
type orders struct {
	byID    []*row // all
	byPlace []*row // those that are stamped, by (updated, id)
	nulls   []*row // the others, by id
}

// NewStore returns an empty store. Its stamps come from the clock; nil means [clock.System].
func NewStore(now clock.Clock) *Store {
	if now == nil {
		now = clock.System{}
	}
	return &Store{clock: now, open: map[*Tx]struct{}{}, rows: map[string]*row{}}
}

// now returns the time, never earlier than before.
func (s *Store) now() int64 {
	s.latest = max(s.latest, stamp.Microseconds(s.clock.Now()))
	return s.latest
}

// A Tx is a transaction: what it writes is invisible until it is committed. It is used by one goroutine at a time.
type Tx struct {
	store  *Store
	begin  int64
	writes []write
}

// A write makes the new row of a contact from its old one, which may be nil. nil: the contact stays as it is.
type write struct {
	id   string
	make func(old *row) *row
}

// Begin starts a transaction. While it is open no run's horizon goes beyond its begin (E2), so it must be ended.
func (s *Store) Begin() *Tx {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := &Tx{store: s, begin: s.now()}
	s.open[tx] = struct{}{}
	return tx
}

// Put adds or replaces a contact, stamped with the transaction's begin, as a database's now() is.
func (t *Tx) Put(c contact.Contact) { t.put(c, true, t.begin) }

// PutAt adds or replaces a contact with a stamp of the caller's; the zero time means none (E9). A stamp before the
// transaction's begin may be missed by incremental runs, as in every external service with wrong stamps.
func (t *Tx) PutAt(c contact.Contact, updated time.Time) {
	t.put(c, !updated.IsZero(), stamp.Microseconds(updated))
}

func (t *Tx) put(c contact.Contact, stamped bool, updated int64) {
	made := &row{contact: c.Clone(), stamped: stamped, updated: updated}
	t.writes = append(t.writes, write{id: c.ID, make: func(*row) *row { return made }})
}

// Delete says that a contact is gone, stamped with the transaction's begin. A contact that there never was stays unknown.
func (t *Tx) Delete(id string) {
	t.writes = append(t.writes, write{id: id, make: func(old *row) *row {
		if old == nil {
			return nil
		}
		return &row{contact: contact.Contact{ID: id, Name: old.contact.Name}, stamped: true, updated: t.begin, deleted: true}
	}})
}

// Commit makes everything visible at once. It does nothing if the transaction has ended.
func (t *Tx) Commit() {
	s := t.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.open[t]; !open {
		return
	}
	delete(s.open, t)
	s.commits++
	for _, w := range t.writes {
		if made := w.make(s.rows[w.id]); made != nil {
			made.commit = s.commits
			s.rows[w.id] = made
			s.orders = nil
		}
	}
}

// Rollback forgets what was written. It does nothing if the transaction has ended.
func (t *Tx) Rollback() {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	delete(t.store.open, t)
}

// Put adds or replaces contacts in one transaction: all have one stamp.
func (s *Store) Put(contacts ...contact.Contact) {
	tx := s.Begin()
	for _, c := range contacts {
		tx.Put(c)
	}
	tx.Commit()
}

// Delete deletes a contact in a transaction of its own.
func (s *Store) Delete(id string) {
	tx := s.Begin()
	tx.Delete(id)
	tx.Commit()
}

// load puts a row in place without a transaction, before the store is used.
func (s *Store) load(c contact.Contact, updated time.Time, deleted bool) {
	s.rows[c.ID] = &row{contact: c, stamped: !updated.IsZero(), updated: stamp.Microseconds(updated), deleted: deleted}
}

// horizon returns the stamp up to which everything is visible and nothing can appear any more (E2), and whether any row is
// stamped at all.
func (s *Store) horizon() (stamp int64, sorted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stamp = s.now()
	for tx := range s.open {
		stamp = min(stamp, tx.begin)
	}
	sorted = !s.fixed
	if o := s.sorted(); s.fixed && len(o.byPlace) > 0 {
		// The author of a configuration writes a newer stamp, or the newest one again if it is a day.
		sorted, stamp = true, min(stamp, o.byPlace[len(o.byPlace)-1].updated)
	}
	return stamp - 1, sorted // what is stamped with that very microsecond may still come
}

// committed returns how many transactions have been committed.
func (s *Store) committed() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commits
}

// snapshot returns the rows in their orders, as they are now. It must not be changed.
func (s *Store) snapshot() *orders {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sorted()
}

func (s *Store) sorted() *orders {
	if s.orders != nil {
		return s.orders
	}
	o := &orders{byID: make([]*row, 0, len(s.rows))}
	for _, r := range s.rows {
		o.byID = append(o.byID, r)
	}
	slices.SortFunc(o.byID, func(a, b *row) int { return cmp.Compare(a.contact.ID, b.contact.ID) })
	for _, r := range o.byID {
		if r.stamped {
			o.byPlace = append(o.byPlace, r)
		} else {
			o.nulls = append(o.nulls, r)
		}
	}
	slices.SortStableFunc(o.byPlace, func(a, b *row) int { return cmp.Compare(a.updated, b.updated) })
	s.orders = o
	return o
}
