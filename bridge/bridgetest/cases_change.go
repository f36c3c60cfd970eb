package bridgetest

import (
	"context"
	"fmt"
	"sync"
)

// changes holds the common knowledge of the cases about changes: where the next incremental run starts, and what has arrived.
type changes struct {
	since   string
	arrived map[uint64]bool // in any incremental run
	deleted map[uint64]bool
	made    int // ids made up so far
}

// changing reports whether contacts can be changed and incremental runs read; if not, the case is skipped.
func (s *session) changing(v *verdict) bool {
	return s.changeable(v) && s.hasCheckpoint(v) && s.ran(v)
}

// changeable reports whether contacts can be changed; if not, the case is skipped.
func (s *session) changeable(v *verdict) bool {
	switch {
	case s.target.Mutate == nil:
		v.skip("the check was given no command that changes contacts")
	case !s.usable(v):
	case !s.full.complete:
		v.skip("the full run did not come to its end")
	case len(s.samples.first) == 0:
		v.skip("there is no contact to change")
	default:
		if s.changes == nil {
			s.changes = &changes{since: s.full.checkpoint, arrived: map[uint64]bool{}, deleted: map[uint64]bool{}}
		}
		return true
	}
	return false
}

// mutate changes a contact; if the command fails, the case is skipped, since then nothing was proved.
func (s *session) mutate(ctx context.Context, v *verdict, verb Verb, id string) (string, bool) {
	newID, err := s.carrier.mutate(ctx, verb, id)
	if err != nil {
		v.skip("the command that changes contacts failed on %s %s: %v", verb, id, err)
		return "", false
	}
	if newID == "" {
		newID = id
	}
	return newID, true
}

// freshID makes up an id like those that the bridge has.
func (s *session) freshID() string {
	s.changes.made++
	n := s.changes.made
	switch {
	case s.samples.numbers:
		return fmt.Sprint(s.samples.greatest + uint64(n))
	case uuid.MatchString(s.samples.first[0]):
		return fmt.Sprintf("c0bc0bc0-c0bc-4c0b-8c0b-%012d", n)
	}
	return fmt.Sprintf("cbcheck-%d", n)
}

// catchUp reads the next incremental run and goes on after it.
func (s *session) catchUp(ctx context.Context, v *verdict) *run {
	r := s.follow(ctx, plan{label: "incremental run after a change", since: s.changes.since})
	if r.stopped != "" {
		v.fail(r.failed, "page %d of an incremental run after a change: %s", len(r.pages)+1, r.stopped)
	}
	for h := range r.where {
		s.changes.arrived[h] = true
	}
	if r.complete && r.checkpoint != "" {
		s.changes.since = r.checkpoint
	}
	return r
}

// absentees returns the ids that neither the next run nor, after a pause, the one after it brings: a contact that comes
// late is not lost.
func (s *session) absentees(ctx context.Context, v *verdict, ids []string) []string {
	for tries := range 2 {
		if tries > 0 {
			s.carrier.sleep(ctx, s.options.Pause)
		}
		r := s.catchUp(ctx, v)
		var left []string
		for _, id := range ids {
			if !r.has(s.hash(id)) {
				left = append(left, id)
			}
		}
		if ids = left; len(ids) == 0 {
			return nil
		}
	}
	return ids
}

func changeCreated(ctx context.Context, s *session, v *verdict) {
	if !s.changing(v) {
		return
	}
	id, ok := s.mutate(ctx, v, Create, s.freshID())
	if !ok {
		return
	}
	s.created = append(s.created, id)
	if len(s.absentees(ctx, v, []string{id})) > 0 {
		v.fail(nil, "the contact %q was created and did not come with the next two runs", id)
	}
}

func changeUpdated(ctx context.Context, s *session, v *verdict) {
	if !s.changing(v) {
		return
	}
	s.carrier.sleep(ctx, s.options.Pause) // the moment of the creation must be over: that is another case
	id := s.samples.first[0]
	if _, ok := s.mutate(ctx, v, Update, id); !ok {
		return
	}
	if len(s.absentees(ctx, v, []string{id})) > 0 {
		v.fail(nil, "the contact %q was updated and did not come with the next two runs", id)
	}
}

// changeSameMoment updates contacts one after the other as fast as it can, with a run after each: where times are cut, a
// contact has the moment that the run before took its checkpoint from.
func changeSameMoment(ctx context.Context, s *session, v *verdict) {
	if !s.changing(v) {
		return
	}
	if s.failed("change-updated") {
		v.skip("updates don't arrive at all")
		return
	}
	const rounds = 6
	for i := range min(rounds, len(s.samples.first)) {
		id := s.samples.first[i]
		if _, ok := s.mutate(ctx, v, Update, id); !ok {
			return
		}
		if len(s.absentees(ctx, v, []string{id})) > 0 {
			v.fail(nil, "the contact %q was updated right after a run and did not come with the next two", id)
			return
		}
	}
}

// A watch is a contact that is changed while a full run is read.
type watch struct {
	id     string
	page   int // how many pages had been read when its change was committed
	before uint64
	last   uint64 // its content when it came last
	after  bool   // it came after its change
}

// changeDrift reads a second full run, in which contacts change between and during pages, and compares it with the first.
func changeDrift(ctx context.Context, s *session, v *verdict) {
	ties, during, deleted := s.verdict("change-ties"), s.verdict("change-during"), s.verdict("change-deleted")
	verdicts := []*verdict{v, ties, during, deleted}
	if !s.changeable(v) {
		reason := s.book[v.id].skip
		for _, other := range verdicts {
			other.skip("%s", reason)
		}
		return
	}
	gone := s.deleteCreated(ctx, deleted)
	if len(s.full.pages) < 2 {
		for _, other := range []*verdict{v, ties, during} {
			other.skip("the full run has one page only")
		}
	}
	d := &drift{s: s, v: during, watches: s.toWatch()}
	r := s.follow(ctx, plan{label: "full run while contacts change", each: d.each(ctx), visit: d.visit})
	d.group.Wait()
	if r.stopped != "" {
		v.fail(r.failed, "page %d of a full run while contacts change: %s", len(r.pages)+1, r.stopped)
		return
	}
	for _, id := range gone {
		if r.has(s.hash(id)) {
			deleted.fail(nil, "the contact %q was deleted and still comes with a full run", id)
		}
	}
	if r.checkpoint != "" {
		s.changes.since = r.checkpoint
	}
	if s.hasCheckpoint(during) && s.ran(during) {
		d.judgeArrivals(ctx)
	}
	s.judgeLost(ctx, v, r)
	s.judgeTies(ties, d.unknown)
}

func (s *session) deleteCreated(ctx context.Context, v *verdict) []string {
	if len(s.created) == 0 {
		v.skip("no contact could be created, so none was deleted")
		return nil
	}
	var gone []string
	for _, id := range s.created {
		if _, ok := s.mutate(ctx, v, Delete, id); ok {
			gone = append(gone, id)
			s.changes.deleted[s.hash(id)] = true
		}
	}
	s.created = nil
	return gone
}

// drift changes contacts while a full run is read.
type drift struct {
	s       *session
	v       *verdict
	watches []*watch
	unknown []string // ids that the first full run had not
	group   sync.WaitGroup
	mu      sync.Mutex
	pages   int
}

// toWatch picks contacts from the beginning and the end of the full run.
func (s *session) toWatch() []*watch {
	var watches []*watch
	add := func(ids []string, most int) {
		for i := len(ids) - 1; i >= 0 && most > 0; i, most = i-1, most-1 {
			watches = append(watches, &watch{id: ids[i], page: -1})
		}
	}
	add(s.samples.first, 3)
	if len(s.full.pages) > 2 {
		add(s.samples.last, 1)
	}
	return watches
}

// each changes all contacts but one between the first two pages, and the last one while the second page is made.
func (d *drift) each(ctx context.Context) func(*run, visited) bool {
	return func(r *run, _ visited) bool {
		d.group.Wait()
		d.pages = len(r.pages)
		if d.pages != 1 {
			return true
		}
		for _, w := range d.watches[1:] {
			d.change(ctx, w)
		}
		d.group.Go(func() { d.change(ctx, d.watches[0]) })
		return true
	}
}

func (d *drift) change(ctx context.Context, w *watch) {
	_, ok := d.s.mutate(ctx, d.v, Update, w.id)
	d.mu.Lock()
	defer d.mu.Unlock()
	if ok {
		w.page, w.before, w.after = d.pages, w.last, false
	}
}

func (d *drift) visit(id string, raw []byte) {
	h := d.s.hash(id)
	if !d.s.full.has(h) && !d.s.changes.arrived[h] && len(d.unknown) < mostFindings {
		d.unknown = append(d.unknown, id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.watches {
		if w.id == id {
			w.last = d.s.hash(string(raw))
			w.after = w.page >= 0
		}
	}
}

// judgeArrivals demands every changed contact, from the pages after its change or from the next run.
func (d *drift) judgeArrivals(ctx context.Context) {
	var due []string
	for _, w := range d.watches {
		if w.page >= 0 && !w.after {
			due = append(due, w.id)
		}
	}
	for _, id := range d.s.absentees(ctx, d.v, due) {
		d.v.fail(nil, "the contact %q was updated while a full run was read; neither the rest of the run nor the next two brought it", id)
	}
}

// judgeLost looks for contacts that the first full run brought and the second one didn't, and that are still there.
func (s *session) judgeLost(ctx context.Context, v *verdict, r *run) {
	lost := map[int]map[uint64]bool{} // by page of the first full run
	for h, page := range s.full.where {
		if !r.has(h) && !s.changes.deleted[h] && !s.changes.arrived[h] {
			if lost[int(page)] == nil {
				lost[int(page)] = map[uint64]bool{}
			}
			lost[int(page)][h] = true
		}
	}
	looked := 0
	for k := range s.full.pages {
		if lost[k] == nil || looked == mostFindings {
			continue
		}
		looked++
		for _, page := range []int{k, max(k-1, 0)} { // it may have slid to the page before
			if id, e := s.stillOn(ctx, page, lost[k]); id != "" {
				v.fail(e, "the contact %q is there and was not in a full run during which contacts of its first page changed", id)
				break
			}
		}
	}
}

// judgeTies judges contacts that only the second full run brought although they were not created meanwhile.
func (s *session) judgeTies(v *verdict, unknown []string) {
	for _, id := range unknown {
		if h := s.hash(id); !s.changes.arrived[h] && !s.changes.deleted[h] {
			v.fail(nil, "the contact %q was not in the first full run although it had been there: "+
				"it came once contacts before it had changed and the page boundaries had moved", id)
		}
	}
}
