package vendors

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fields are a record's values by the vendor's names, in the vendor's shape.
type Fields map[string]any

// A Record is one version of one record. It is not changed after it was made.
type Record struct {
	ID         string
	Fields     Fields
	Created    time.Time
	Updated    time.Time // the stamp that people see; zero means that it has none
	Changed    time.Time // when this version was written, by the vendor's clock
	Change     int64     // the number of the change, over all records of the store
	Deleted    time.Time // zero while it is there
	Purged     bool      // deleted for good: no list shows it
	MergedInto string    // the record that took its place
	visible    time.Time // when lists begin to show this version
}

// Gone reports whether the record is deleted.
func (r *Record) Gone() bool { return !r.Deleted.IsZero() }

// A Store holds the records of one object of one tenant.
type Store struct {
	// Granularity is that of the vendor's stamps: they are cut to it.
	Granularity time.Duration
	// NewID makes the id of the n-th record.
	NewID func(n int) string
	// Merged gives a record its fields when another one is merged into it; nil leaves them.
	Merged func(winner Fields, loser string) Fields

	now      func() time.Time
	lock     sync.Mutex
	lag      time.Duration
	versions map[string][]*Record // the ones that a list may still show, oldest first
	change   int64
	made     int
	pending  time.Time // until when a change is not visible yet
	list     []*Record // what is visible, while nothing changes
	listOf   int64
}

// newStore returns an empty store.
func newStore(now func() time.Time, granularity time.Duration, newID func(n int) string) *Store {
	return &Store{Granularity: granularity, NewID: newID, now: now, versions: map[string][]*Record{}, listOf: -1, change: 1} // 0 is the number before all, of a token for everything
}

// numbers makes ids that are numbers, from the one after a first on.
func numbers(first int) func(int) string {
	return func(n int) string { return fmt.Sprint(first + n) }
}

// uuids makes ids that look like UUIDs, in their order.
func uuids(prefix string) func(int) string {
	return func(n int) string { return fmt.Sprintf("%s%012x", prefix, n) }
}

// Lag makes lists show each later change only after a time, though it is stamped when it is made.
func (s *Store) Lag(d time.Duration) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.lag = d
}

// Create adds a record with a new id, stamped now.
func (s *Store) Create(fields Fields) (id string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.made++
	id = s.NewID(s.made)
	s.write(&Record{ID: id, Fields: maps.Clone(fields), Created: s.now(), Updated: s.now()})
	return id
}

// Put adds or replaces a record, with any stamp; the zero time means none. A record that was deleted is back.
func (s *Store) Put(updated time.Time, id string, fields Fields) {
	s.lock.Lock()
	defer s.lock.Unlock()
	created := updated
	if before := s.last(id); before != nil {
		created = before.Created
	}
	if now := s.now(); created.IsZero() || created.After(now) {
		created = now
	}
	s.write(&Record{ID: id, Fields: maps.Clone(fields), Created: created, Updated: updated})
}

// Update changes some fields of a record, stamped now. A nil value stays as a value: null.
func (s *Store) Update(id string, fields Fields) {
	s.edit(id, func(r *Record) {
		maps.Copy(r.Fields, fields)
		r.Updated = s.now()
	})
}

// Delete deletes a record softly, at a time; its stamp is not changed.
func (s *Store) Delete(at time.Time, id string) {
	s.edit(id, func(r *Record) { r.Deleted = at })
}

// Purge deletes a record for good: nothing shows that it was there.
func (s *Store) Purge(id string) {
	s.edit(id, func(r *Record) { r.Deleted, r.Purged = s.now(), true })
}

// Restore brings a deleted record back, stamped now.
func (s *Store) Restore(id string) {
	s.edit(id, func(r *Record) { r.Deleted, r.MergedInto, r.Updated = time.Time{}, "", s.now() })
}

// Merge deletes a record in favour of another one, which takes its place and is stamped now.
func (s *Store) Merge(loser, winner string) {
	s.edit(loser, func(r *Record) { r.Deleted, r.MergedInto = s.now(), winner })
	s.edit(winner, func(r *Record) {
		r.Updated = s.now()
		if s.Merged != nil {
			r.Fields = s.Merged(r.Fields, loser)
		}
	})
}

// Get returns a record as it is now, whether lists show it yet or not; nil means that there is none.
func (s *Store) Get(id string) *Record {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.last(id)
}

// edit writes a new version of a record that is there.
func (s *Store) edit(id string, change func(*Record)) {
	s.lock.Lock()
	defer s.lock.Unlock()
	before := s.last(id)
	if before == nil {
		return
	}
	next := *before
	next.Fields = maps.Clone(before.Fields)
	change(&next)
	s.write(&next)
}

func (s *Store) last(id string) *Record {
	versions := s.versions[id]
	if len(versions) == 0 {
		return nil
	}
	return versions[len(versions)-1]
}

// write adds a version.
func (s *Store) write(r *Record) {
	now := s.now()
	s.change++
	r.Change, r.Changed, r.visible = s.change, now, now.Add(s.lag)
	if r.Fields == nil {
		r.Fields = Fields{}
	}
	if s.Granularity > 0 {
		r.Created, r.Updated, r.Deleted = r.Created.Truncate(s.Granularity), r.Updated.Truncate(s.Granularity), r.Deleted.Truncate(s.Granularity)
	}
	if r.visible.After(s.pending) {
		s.pending = r.visible
	}
	versions := s.versions[r.ID]
	if n := len(versions); n > 0 && !versions[n-1].visible.After(now) {
		versions = versions[n-1:] // nothing shows the older ones any more
	}
	s.versions[r.ID] = append(slices.Clip(versions), r)
}

// Visible returns every record that lists show now, deleted ones too, purged ones not. The caller does not change it.
func (s *Store) Visible() []*Record {
	s.lock.Lock()
	defer s.lock.Unlock()
	now := s.now()
	if s.listOf == s.change {
		return s.list
	}
	list := make([]*Record, 0, len(s.versions))
	for _, versions := range s.versions {
		for _, r := range slices.Backward(versions) {
			if r.visible.After(now) {
				continue
			}
			if !r.Purged {
				list = append(list, r)
			}
			break
		}
	}
	if !s.pending.After(now) {
		s.list, s.listOf = list, s.change
	}
	return list
}

// last change returns the number of the newest change that lists show.
func (s *Store) lastChange() int64 {
	s.lock.Lock()
	defer s.lock.Unlock()
	now, newest := s.now(), s.change
	for _, versions := range s.versions {
		for _, r := range versions {
			if r.visible.After(now) {
				newest = min(newest, r.Change-1)
			}
		}
	}
	return newest
}

// Live returns how many records are not deleted.
func (s *Store) Live() int {
	n := 0
	for _, r := range s.Visible() {
		if !r.Gone() {
			n++
		}
	}
	return n
}

// where returns the records that a test takes, in a new list.
func where(records []*Record, test func(*Record) bool) []*Record {
	var kept []*Record
	for _, r := range records {
		if test(r) {
			kept = append(kept, r)
		}
	}
	return kept
}

// live reports whether a record is not deleted.
func live(r *Record) bool { return !r.Gone() }

// A key is one key of an order.
type key struct {
	value func(*Record) any
	desc  bool
}

// order sorts records by keys. Records that are equal in all of them are in an order that is another one for every salt: vendors
// that promise none change it from query to query.
func order(records []*Record, salt int, keys ...key) {
	slices.SortFunc(records, func(a, b *Record) int {
		for _, k := range keys {
			if c := compare(k.value(a), k.value(b)); c != 0 {
				if k.desc {
					return -c
				}
				return c
			}
		}
		return cmp.Or(cmp.Compare(scatter(a.ID, salt), scatter(b.ID, salt)), strings.Compare(a.ID, b.ID))
	})
}

// scatter is FNV-1a of a salt and an id: sorting calls it often.
func scatter(id string, salt int) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := (offset ^ uint64(salt)) * prime
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * prime
	}
	return h ^ h>>29
}

// byID is the order of ids.
func byID(r *Record) any { return ident(r.ID) }

// byUpdated is the order of stamps.
func byUpdated(r *Record) any { return stampOf(r.Updated) }

// deletionStamp is the stamp of a record whose deletion moves it.
func deletionStamp(r *Record) time.Time {
	if r.Deleted.After(r.Updated) {
		return r.Deleted
	}
	return r.Updated
}

// stampOf returns a time as a value; nil for the zero time.
func stampOf(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// cut returns a part of a list: at most so many records from a place on.
func cut(records []*Record, from, most int) []*Record {
	from = min(max(from, 0), len(records))
	return records[from:min(from+most, len(records))]
}
