package directory

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/contact"
)

// This file is the one place that says what it means to store a page (E5, D7 to D9), in which order. A store only reads and writes.

// An Owned is a run as a transaction finds it: it is this process's, and no other process changes it before the transaction ends.
type Owned struct {
	StoredRun
	Held  bool  // contacts of the integration are to be deleted, by this run or a confirmation
	Added int64 // contacts more, or fewer, than when the transaction began
}

// A PageTx is a store's transaction in which one page of an [Owned] run is stored. Keys are the store's keys of contacts.
type PageTx interface {
	// Suppressed says of each record whether its contact was purged and must not come back; nil where none was.
	Suppressed(ctx context.Context, records []Record) ([]bool, error)
	// Keys returns the keys of the contacts with these ids, as far as there are such contacts, in any order.
	Keys(ctx context.Context, ids []string) ([]int64, error)
	// Find calls fates.Found for those contacts of the fates that there are. It looks among those of [Fates.Likely] first, because to read
	// contacts in the order of their keys takes a fraction of the time of finding each by its id.
	Find(ctx context.Context, fates *Fates) error
	// Write writes contacts that are new, and gives them keys that no contact ever had, and replaces those that changed.
	Write(ctx context.Context, created, changed []*Fate) error
	// Rehash replaces the hashes of contacts that stay as they are.
	Rehash(ctx context.Context, same []*Fate) error

	// Name notes contacts of which the bridge says that they are deleted.
	Name(ctx context.Context, keys []int64) error
	// Release forgets of contacts that they are to be deleted, if they are.
	Release(ctx context.Context, keys []int64) error
	// Mark keeps the marks of the page that is being stored, some bytes, until the run ends or begins again.
	Mark(ctx context.Context, marks []byte) error
	// Marks visits the marks of all pages of the run, in any order. Empty ones say that contacts were purged since the run began.
	Marks(ctx context.Context, visit func(marks []byte) error) error
	// Older visits the keys of the integration's contacts up to [StoredRun.Newest], in any order. Visit does not use the store.
	Older(ctx context.Context, visit func(key int64)) error
	// NameUnshown notes contacts that the run did not show as to be deleted, unless they are noted already.
	NameUnshown(ctx context.Context, keys []int64) error

	// Gone counts the contacts of the integration that are to be deleted, and those of them that the bridge named. Without all,
	// those that earlier runs held back are not among them.
	Gone(ctx context.Context, all bool) (gone, named int64, err error)
	// DeleteGone deletes them, and returns how many there were.
	DeleteGone(ctx context.Context, all bool) (int64, error)
	// HoldGone holds back those that no earlier run held back, and returns all that are held back.
	HoldGone(ctx context.Context) (Held, error)

	// Reject keeps rejected contacts, the newest [KeptRejected].
	Reject(ctx context.Context, rejected []Rejected) error
	// Now returns the time, after everything before was written.
	Now(ctx context.Context) (time.Time, error)
	// End drops the run's marks, and makes its checkpoint the integration's.
	End(ctx context.Context) error
	// Save writes the run, and Added to the integration's number of contacts.
	Save(ctx context.Context) error
}

// Orders hold, for each run that a store works on, the order after the page that was stored last. The zero value is ready for use. Several
// goroutines may use it at once.
type Orders struct{ runs sync.Map } // Key → runOrder

// A runOrder is the order of one run. A later run of the same integration does not use it.
type runOrder struct {
	run int64
	order
}

func (o *Orders) of(run *Run) order {
	if known, ok := o.runs.Load(run.Key); ok && known.(runOrder).run == run.ID {
		return known.(runOrder).order
	}
	return order{}
}

func (o *Orders) note(run *Run, after order) {
	if run.State != Running {
		o.runs.Delete(run.Key)
		return
	}
	o.runs.Store(run.Key, runOrder{run.ID, after})
}

// StorePage implements [Store.ApplyPage]. In runs a transaction, and calls store in it with the run, once [StoredRun.Check] has passed.
func StorePage(ctx context.Context, orders *Orders, run *Run, page PageChanges, in func(store func(tx PageTx, o *Owned) error) error) error {
	if page.Seq < 1 {
		return fmt.Errorf("store page %d: %w", page.Seq, ErrOutOfOrder)
	}
	var a pageApplier
	err := in(func(tx PageTx, o *Owned) error {
		a = pageApplier{PageTx: tx, Owned: o, order: orders.of(run)}
		return a.apply(ctx, &page)
	})
	if err != nil {
		return fmt.Errorf("store page %d: %w", page.Seq, err)
	}
	*run = a.Run
	orders.note(run, a.order)
	if a.guarded != nil {
		return a.guarded
	}
	return nil
}

// A pageApplier stores one page.
type pageApplier struct {
	PageTx
	*Owned
	order   order   // after the page before, then after this one
	older   []int64 // keys of the contacts that the page shows and that are older than the run
	guarded *GuardedError
}

func (a *pageApplier) apply(ctx context.Context, page *PageChanges) error {
	a.Show(page)
	contacts, purged, err := a.leaveOutSuppressed(ctx, page.Contacts)
	if err != nil {
		return err
	}
	if err := a.name(ctx, page); err != nil {
		return err
	}
	if err := a.store(ctx, contacts, page.Reading); err != nil {
		return err
	}
	if err := a.spare(ctx, page.Rejected); err != nil {
		return err
	}
	if err := a.mark(ctx); err != nil {
		return err
	}
	if err := a.reject(ctx, append(page.Rejected[:len(page.Rejected):len(page.Rejected)], purged...)); err != nil {
		return err
	}
	a.Pages++
	a.Bytes += page.Bytes
	a.Offset, a.Context = page.NextOffset, page.Context
	if page.Checkpoint != "" {
		a.Checkpoint = page.Checkpoint
	}
	now, err := a.Now(ctx) // the lease counts from now, not from when the page began
	if err != nil {
		return err
	}
	if page.Last() {
		if err := a.finish(ctx, page.Guard, now); err != nil {
			return err
		}
	}
	a.Updated = Moment(now.UnixMilli())
	a.Renew(now, a.LeaseFor)
	return a.Save(ctx)
}

// leaveOutSuppressed takes contacts that were purged on request out of a page.
func (a *pageApplier) leaveOutSuppressed(ctx context.Context, records []Record) (kept []Record, rejected []Rejected, err error) {
	if len(records) == 0 {
		return nil, nil, nil
	}
	suppressed, err := a.Suppressed(ctx, records)
	if err != nil || suppressed == nil {
		return records, nil, err
	}
	for i := range records {
		if suppressed[i] {
			rejected = append(rejected, Rejected{Reason: ReasonPurged})
			continue
		}
		kept = append(kept, records[i])
	}
	return kept, rejected, nil
}

// name notes the contacts that the bridge says are deleted (D7); the run's end decides about them.
func (a *pageApplier) name(ctx context.Context, page *PageChanges) error {
	keys, err := a.keys(ctx, page.Named())
	if err != nil || len(keys) == 0 {
		return err
	}
	a.Held = true
	return a.Name(ctx, keys)
}

func (a *pageApplier) keys(ctx context.Context, ids []string) ([]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return a.Keys(ctx, ids)
}

// store writes the contacts that are new or changed, and notes those that it shows again.
func (a *pageApplier) store(ctx context.Context, records []Record, reading Reading) error {
	if len(records) == 0 {
		return nil
	}
	fates, err := newFates(records)
	if err != nil {
		return err
	}
	fates.before = a.order
	if err := a.Find(ctx, fates); err != nil {
		return err
	}
	a.order = fates.order()
	if err := fates.decide(ctx, records, reading, &a.Counts); err != nil {
		return err
	}
	var created, changed, reread []*Fate
	there := make([]int64, 0, len(fates.List))
	for _, f := range fates.List {
		switch {
		case f.Key == 0:
			created = append(created, f)
			continue
		case f.rewrite:
			changed = append(changed, f)
		case f.reread:
			reread = append(reread, f)
		}
		there = append(there, f.Key)
	}
	if len(reread) > 0 {
		if err := a.Rehash(ctx, reread); err != nil {
			return err
		}
	}
	a.Added += int64(len(created))
	if err := a.shown(ctx, there); err != nil {
		return err
	}
	return a.Write(ctx, created, changed)
}

// spare marks rejected contacts as shown: they stay as they were (D8).
func (a *pageApplier) spare(ctx context.Context, rejected []Rejected) error {
	if !a.Held && !a.Judges() {
		return nil
	}
	var ids []string
	for i := range rejected {
		if rejected[i].ID != "" {
			ids = append(ids, rejected[i].ID)
		}
	}
	keys, err := a.keys(ctx, ids)
	if err != nil {
		return err
	}
	return a.shown(ctx, keys)
}

// shown notes that the run showed contacts that were there: they are not gone, and wait for no yes.
func (a *pageApplier) shown(ctx context.Context, keys []int64) error {
	if len(keys) == 0 {
		return nil
	}
	if a.Held {
		if err := a.Release(ctx, keys); err != nil {
			return err
		}
	}
	if !a.Judges() {
		return nil
	}
	for _, key := range keys {
		if key <= a.Newest {
			a.older = append(a.older, key)
		}
	}
	return nil
}

// mark notes which contacts the page has shown, for the judgement at the run's end.
func (a *pageApplier) mark(ctx context.Context) error {
	if len(a.older) == 0 {
		return nil
	}
	return a.Mark(ctx, packKeys(a.older))
}

func (a *pageApplier) reject(ctx context.Context, rejected []Rejected) error {
	if len(rejected) == 0 {
		return nil
	}
	a.Counts.Rejected += int64(len(rejected))
	return a.Reject(ctx, rejected[max(0, len(rejected)-KeptRejected):])
}

// finish ends a complete run: who is gone (E6), and where the next run starts (D2).
func (a *pageApplier) finish(ctx context.Context, guard Guard, now time.Time) error {
	a.State = Done
	if err := a.judge(ctx, guard); err != nil {
		return err
	}
	if a.guarded != nil {
		a.State, a.Error, a.Hint = Guarded, a.guarded.Error(), a.guarded.Explain().Hint
	}
	a.Offset, a.Context = "", nil
	a.Finished = Moment(now.UnixMilli())
	return a.End(ctx)
}

// judge decides about the contacts that are to be deleted when the run ends (D8, D9). A run that judges decides anew about
// those that earlier runs held back: any of them that it showed is held back no longer.
func (a *pageApplier) judge(ctx context.Context, guard Guard) error {
	if err := a.unshown(ctx); err != nil || !a.Held {
		return err
	}
	all := a.Judges()
	gone, named, err := a.Gone(ctx, all)
	if err != nil || gone == 0 {
		return err
	}
	if a.guarded = a.Decide(named, gone-named, guard); a.guarded != nil {
		a.guarded.Held, err = a.HoldGone(ctx)
		return err
	}
	n, err := a.DeleteGone(ctx, all)
	a.Deleted += n
	a.Added -= n
	return err
}

// unshown notes the contacts older than the run that it did not show.
func (a *pageApplier) unshown(ctx context.Context) error {
	if !a.Judges() || a.Evidence.Had == 0 {
		return nil
	}
	var shown keySet
	purged := false
	err := a.Marks(ctx, func(marks []byte) error {
		purged = purged || len(marks) == 0
		return shown.add(marks)
	})
	if err != nil || shown.count == a.Evidence.Had && !purged { // as many as there were: everybody
		return err
	}
	var unshown []int64
	err = a.Older(ctx, func(key int64) {
		if !shown.has(key) {
			unshown = append(unshown, key)
		}
	})
	if err != nil || len(unshown) == 0 {
		return err
	}
	a.Held = true
	return a.NameUnshown(ctx, unshown)
}

// A Hash tells whether a contact has changed: the first half is a digest of everything that is stored of it, its numbers among it. The
// other one is of what the contact says and of how its numbers were read ([Reading]): where that is the same, so are the numbers, and
// need not be read again. It is zero where that is not known, and missing in what older releases stored.
type Hash [32]byte

// A Fate says what happens to one id of a page.
type Fate struct {
	ID     string
	Key    int64   // of the contact; 0 for one that is new, until the store gives it one
	Hash   Hash    // of what is stored, then of what is to be
	Record *Record // the id's last one in the page, with its numbers; nil where the contact stays as it is

	there   bool // in the directory, or earlier in the page
	rewrite bool
	reread  bool // its numbers were read in another way, and are the same
}

// JSON appends the contact's JSON to a buffer, and returns it. What was appended before stays where it is when the buffer grows.
func (f *Fate) JSON(buffer *[]byte) []byte {
	if a := f.Record.ahead; a != nil {
		return a.json
	}
	start := len(*buffer)
	*buffer = f.Record.Contact.AppendJSON(*buffer)
	return (*buffer)[start:len(*buffer):len(*buffer)]
}

// Fates are those of a page's ids, in the order in which these come.
type Fates struct {
	List   []*Fate
	byID   map[string]*Fate
	before order // after the run's page before
	sought int   // contacts that were sought by their ids
}

// An order says where a page's contacts end among the keys, and how many other keys lie between them. last is 0 where they are not in the
// order of their keys.
type order struct {
	last, gaps int64
	misses     int // pages in a row whose contacts were elsewhere than was likely
}

const (
	nearKeys   = 8 // keys from a contact to the next one of the same page
	mostMisses = 3 // pages after which a run finds its contacts by their ids alone
)

// newFates returns the fates of records, and [contact.ErrNoID] where one has no id.
func newFates(records []Record) (*Fates, error) {
	f := &Fates{List: make([]*Fate, 0, len(records)), byID: make(map[string]*Fate, len(records))}
	all := make([]Fate, len(records))
	for i := range records {
		id := records[i].Contact.ID
		if id == "" {
			return nil, contact.ErrNoID
		}
		if f.byID[id] == nil {
			all[i].ID = id
			f.byID[id] = &all[i]
			f.List = append(f.List, &all[i])
		}
	}
	return f, nil
}

// Likely returns a range of keys that probably holds the contacts of the page. A key in the range is greater than after and at most last. The
// range starts after the keys of the run's previous page, because a bridge often sends contacts in the order in which they were stored. ok is
// false if there is no such range.
func (f *Fates) Likely() (after, last int64, ok bool) {
	last = f.before.last + int64(len(f.List)) + f.before.gaps
	return f.before.last, last, f.before.last > 0 && f.before.misses < mostMisses
}

// Found tells that there is a contact with this id, with its key and the hash that is stored of it. It may be none of the page's.
func (f *Fates) Found(id []byte, key int64, hash []byte) {
	fate := f.byID[string(id)]
	if fate == nil {
		return
	}
	fate.Key, fate.there = key, true
	copy(fate.Hash[:], hash)
}

// Missing returns the ids of which no contact was found yet: all of the page's, or those that were not where [Fates.Likely] said.
func (f *Fates) Missing() []string {
	var ids []string
	for _, fate := range f.List {
		if !fate.there {
			ids = append(ids, fate.ID)
		}
	}
	f.sought = len(ids)
	return ids
}

// order returns the order after the page. The page's contacts are in the order of their keys if at least half of them follow the contact before
// them, and if there are not more other keys between them than contacts.
func (f *Fates) order() order {
	o := order{misses: f.misses()}
	steps, before := int64(0), int64(0)
	for _, fate := range f.List {
		if !fate.there {
			continue
		}
		if step := fate.Key - before; before > 0 && 0 < step && step <= nearKeys {
			steps++
			o.last, o.gaps = fate.Key, o.gaps+step-1
		}
		before = fate.Key
	}
	if 2*steps < int64(len(f.List)) || o.gaps > steps {
		o.last, o.gaps = 0, 0
	}
	return o
}

// misses returns how many pages in a row were elsewhere, with this one. A page whose contacts are all new says nothing about that.
func (f *Fates) misses() int {
	if _, _, looked := f.Likely(); !looked {
		return f.before.misses
	}
	there := 0
	for _, fate := range f.List {
		if fate.there {
			there++
		}
	}
	likely := len(f.List) - f.sought
	switch elsewhere := there - likely; {
	case elsewhere > likely:
		return f.before.misses + 1
	case likely > 0:
		return 0
	}
	return f.before.misses
}

// decide decides and counts what each record makes of its contact. An id that comes twice is counted twice.
func (f *Fates) decide(ctx context.Context, records []Record, reading Reading, counts *Counts) error {
	way := reading.digest()
	for i := range records {
		if err := ctx.Err(); err != nil { // giant contacts take their time
			return err
		}
		f.byID[records[i].Contact.ID].decide(&records[i], reading, way, counts)
	}
	counts.Contacts += int64(len(records))
	return nil
}

func (f *Fate) decide(r *Record, reading Reading, way [16]byte, counts *Counts) {
	content := r.contentHash()
	read := readHash(content, r, reading, way)
	if f.there && read != [16]byte{} && read == [16]byte(f.Hash[16:]) {
		counts.Unchanged++
		return
	}
	if r.Unread {
		r.Numbers, r.Unread = reading.Numbers(r.Contact.Phones), false
	}
	whole := digest(content, r.Numbers)
	switch {
	case !f.there:
		f.there, f.rewrite = true, true
		counts.Created++
	case [16]byte(f.Hash[:16]) != whole:
		f.rewrite = true
		counts.Updated++
	default:
		f.reread = read != [16]byte{}
		counts.Unchanged++
	}
	f.Record = r
	copy(f.Hash[:16], whole[:])
	copy(f.Hash[16:], read[:])
}

// readHash is the second half of a record's [Hash]; zero where it is not known how numbers are read.
func readHash(content [16]byte, r *Record, reading Reading, way [16]byte) [16]byte {
	if reading.Name == "" {
		return [16]byte{}
	}
	if len(r.Contact.Phones) == 0 {
		return content
	}
	for i := range content {
		content[i] ^= way[i]
	}
	return content
}

// digest is the hash of everything that is stored of a contact: the same phones may give other numbers, in another region.
func digest(content [16]byte, numbers []Number) [16]byte {
	if len(numbers) == 0 {
		return content
	}
	var space [512]byte
	b := append(space[:0], content[:]...)
	for i := range numbers {
		n := &numbers[i]
		for _, s := range [...]string{n.E164, n.Match, n.Raw, n.Extension} {
			b = append(append(b, s...), 0)
		}
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

func (r *Reading) digest() [16]byte {
	sum := sha256.Sum256([]byte(r.Name))
	return [16]byte(sum[:16])
}
