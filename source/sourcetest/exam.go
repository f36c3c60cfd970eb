package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

// An exam is the running of one case. It collects failures and goes on where that makes sense.
type exam struct {
	t        testing.TB
	ctx      context.Context
	target   Target
	service  Service
	sources  []bridge.Source
	failures []string
}

// stopExam ends a case that cannot go on.
type stopExam struct{}

// maxFailures keeps the report of a broken source readable.
const maxFailures = 10

func (x *exam) failf(format string, args ...any) {
	x.failures = append(x.failures, fmt.Sprintf(format, args...))
	if len(x.failures) >= maxFailures {
		panic(stopExam{})
	}
}

// must ends the case on an error.
func (x *exam) must(err error, doing string) {
	if err != nil {
		x.failf("%s: %v", doing, err)
		panic(stopExam{})
	}
}

func (x *exam) close() {
	for _, src := range x.sources {
		if err := src.Close(); err != nil {
			x.failures = append(x.failures, fmt.Sprintf("close the source: %v", err))
		}
	}
	x.sources = nil
}

func (x *exam) open() bridge.Source {
	src, err := x.service.Open(x.ctx)
	x.must(err, "open the source")
	x.sources = append(x.sources, src)
	return src
}

// reopen closes every source and opens a new one, as after a restart.
func (x *exam) reopen() bridge.Source {
	x.close()
	return x.open()
}

func (x *exam) put(updated time.Time, contacts ...contact.Contact) {
	x.must(x.service.Put(updated, contacts...), "put contacts")
}

// long returns a stamp that was settled long before any run: i steps after yesterday.
func (x *exam) long(i int) time.Time {
	return x.service.Now().Truncate(time.Second).Add(-24*time.Hour + time.Duration(i)*time.Second)
}

// settle puts n contacts with stamps that were settled long ago, three to a stamp, in an order that is not theirs.
func (x *exam) settle(n int) []contact.Contact {
	var all []contact.Contact
	for i := range n {
		all = append(all, Full(i))
	}
	start := x.long(0)     // of all of them, however long it takes to put them
	if x.target.Unsorted { // it ignores stamps
		x.put(start, slices.Clone(all)...)
		return all
	}
	for group := (n - 1) / 3; group >= 0; group-- {
		x.put(start.Add(time.Duration(group)*time.Second), slices.Clone(all[group*3:min(group*3+3, n)])...)
	}
	return all
}

// Full makes a contact with every field set: two e-mail addresses, two phones, one website, and the custom field "Plan".
// Its id ascends with i by its bytes.
func Full(i int) contact.Contact {
	id := fmt.Sprintf("c%05d", i)
	return contact.Contact{
		ID: id, Name: "Jane Doe " + id, Title: "v0", Company: "Example Corp. " + id,
		Emails:       []string{id + "@example.com", id + "@example.org"},
		Phones:       []string{fmt.Sprintf("+1415555%04d", i%10000), fmt.Sprintf("(212) 555-%04d", i%10000)},
		Websites:     []string{"https://www.example.com/" + id},
		PhotoURL:     "https://img.example.com/" + id + ".png",
		Address:      "37, Famous St., New York, US",
		Twitter:      "jane_" + id,
		URL:          "https://crm.example.com/" + id,
		CustomFields: []contact.CustomField{{Key: "Plan", Value: "gold"}},
	}
}

// version returns the contact with a title that tells its version.
func version(c contact.Contact, v int) contact.Contact {
	c.Title = fmt.Sprintf("v%d", v)
	return c
}

// begin begins a run.
func (x *exam) begin(src bridge.Source, since bridge.Checkpoint) bridge.Run {
	run, err := src.Begin(x.ctx, since)
	x.must(err, fmt.Sprintf("begin a run from %s", show(since)))
	if run.Since != since && !run.Initial() { // one that is of no use any more may give a run that brings everything
		x.failf("Begin(%s) made a run since %s", show(since), show(run.Since))
	}
	return run
}

// read reads at most n changes after a position, all if n is 0, and keeps copies.
func (x *exam) read(src bridge.Source, run bridge.Run, after bridge.Position, n int) ([]bridge.Change, error) {
	var changes []bridge.Change
	for change, err := range src.Read(x.ctx, run, after, n) {
		if err != nil {
			return changes, err
		}
		changes = append(changes, keep(change))
		if n > 0 && len(changes) >= n && len(change.Position) > 0 { // a page may not end where there is no position
			break
		}
	}
	return changes, nil
}

func keep(c bridge.Change) bridge.Change {
	return bridge.Change{Contact: c.Contact.Clone(), Deleted: c.Deleted, Rejected: c.Rejected, Again: c.Again, Position: bytes.Clone(c.Position)}
}

// all reads a run from its start to its end.
func (x *exam) all(src bridge.Source, since bridge.Checkpoint) (bridge.Run, []bridge.Change, bridge.Checkpoint) {
	run := x.begin(src, since)
	changes, err := x.read(src, run, nil, 0)
	x.must(err, "read a run")
	return run, changes, src.Checkpoint(run, last(changes, nil), true)
}

// first returns the changes of a run until it looks once more at what may have been changed since it began (E12).
func first(changes []bridge.Change) []bridge.Change {
	return slices.DeleteFunc(slices.Clone(changes), func(c bridge.Change) bool { return c.Again })
}

// last returns the position after the last change, or the one given if there is no change.
func last(changes []bridge.Change, before bridge.Position) bridge.Position {
	if len(changes) == 0 {
		return before
	}
	return changes[len(changes)-1].Position
}

// A replica holds the contacts that a synchronizer has stored.
type replica struct {
	contacts   map[string]contact.Contact
	checkpoint bridge.Checkpoint
	pages      int
	shown      map[string]bool // by a run that restarted; nil in any other
	unsure     bool            // that run rejected a record without an id: it is unknown which contacts were shown (D8)
}

func newReplica() *replica { return &replica{contacts: map[string]contact.Contact{}} }

func (r *replica) apply(changes []bridge.Change) {
	for _, c := range changes {
		switch {
		case c.Deleted:
			delete(r.contacts, c.Contact.ID)
			continue
		case c.Rejected == "":
			r.contacts[c.Contact.ID] = c.Contact
		case c.Contact.ID == "":
			r.unsure = true
		}
		if r.shown != nil {
			r.shown[c.Contact.ID] = true
		}
	}
}

// begin notes whether a run restarted: it was to start from a checkpoint and brings everything instead (D10).
func (r *replica) begin(since bridge.Checkpoint, run bridge.Run) {
	r.shown, r.unsure = nil, false
	if since != "" && run.Initial() {
		r.shown = map[string]bool{}
	}
}

// mayJudge lets every initial run of a target judge that lists who is there: a contact that is deleted is not in its list (D7), and one that a
// run which died had stored is named by no other.
func (r *replica) mayJudge(target Target, run bridge.Run) {
	if (target.Unordered || target.Tokens) && run.Initial() {
		r.shown = map[string]bool{}
	}
}

// judge forgets the contacts that a complete run did not show, if it restarted: they are gone (D7). One that was rejected was
// shown, and stays as it was (D8).
func (r *replica) judge() {
	if r.shown == nil || r.unsure {
		return
	}
	for id := range r.contacts {
		if !r.shown[id] {
			delete(r.contacts, id)
		}
	}
}

// clone returns a second synchronizer that has stored the same.
func (r *replica) clone() *replica {
	c := &replica{contacts: make(map[string]contact.Contact, len(r.contacts)), checkpoint: r.checkpoint}
	for id, stored := range r.contacts {
		c.contacts[id] = stored
	}
	return c
}

// maxRestarts is how often a run is started again before the suite gives up.
const maxRestarts = 20

// sync makes one run in pages as a synchronizer does: every page by a source that may be another one, the checkpoint of
// every page kept (P9, D2), a refused offset answered with a new run from the last checkpoint (D3). between is called after
// every page but the last and may be nil. An error ended the run.
func (x *exam) sync(r *replica, size int, between func(page int)) error {
	src := x.open()
	since := r.checkpoint
	run := x.begin(src, since)
	r.begin(since, run)
	r.mayJudge(x.target, run)
	var at bridge.Position
	restarts := 0
	for page := 1; ; page++ {
		changes, err := x.read(src, run, at, size)
		if err != nil {
			if !x.target.Restarts || bridge.CodeOf(err) != bridge.CodeInvalidOffset || restarts >= maxRestarts {
				return err
			}
			restarts++
			run, at = x.begin(src, r.checkpoint), nil
			r.begin(r.checkpoint, run)
			r.mayJudge(x.target, run)
			continue
		}
		if x.target.Unsorted && !x.target.Tokens && !run.Initial() && len(changes) > 0 {
			x.failf("the run from %s brings everything and is not an initial one, so the bridge does not say so (D10, E10)", show(run.Since))
		}
		r.apply(changes)
		r.pages++
		at = last(changes, at)
		complete := len(changes) < size
		if c := src.Checkpoint(run, at, complete); c != "" {
			r.checkpoint = c
		}
		if complete {
			r.judge()
			return nil
		}
		if len(at) == 0 {
			x.failf("change %d of a page has no position: the run cannot be cut", len(changes))
			panic(stopExam{})
		}
		if between != nil {
			between(page)
		}
	}
}

// mustSync is sync for runs that must not fail.
func (x *exam) mustSync(r *replica, size int, between func(page int)) {
	x.must(x.sync(r, size, between), "synchronize")
}

// equal compares what was stored with what there is, contact by contact.
func (x *exam) equal(r *replica, want []contact.Contact, when string) {
	wanted := map[string]contact.Contact{}
	for _, c := range want {
		wanted[c.ID] = c
	}
	for _, c := range want {
		stored, ok := r.contacts[c.ID]
		if !ok {
			x.failf("%s: contact %s is missing", when, show(c.ID))
		} else if diff := contactDiff(c, stored); diff != "" {
			x.failf("%s: contact %s differs (-external service +read):\n%s", when, show(c.ID), diff)
		}
	}
	for id := range r.contacts {
		if _, ok := wanted[id]; !ok {
			x.failf("%s: contact %s was read, but the external service does not have it", when, show(id))
		}
	}
}

func contactDiff(a, b contact.Contact) string {
	return cmp.Diff(a, b, cmpopts.EquateEmpty())
}

// sameChanges compares two readings of the same changes, positions aside. What a run shows once more (E12) depends on what else happens
// on a server meanwhile, in other tests' tables too.
func (x *exam) sameChanges(got, want []bridge.Change, what string) {
	got, want = first(got), first(want)
	if a, b := ids(got), ids(want); a != b {
		x.failf("%s: read %s, want %s", what, a, b)
		return
	}
	for i := range got {
		if diff := contactDiff(want[i].Contact, got[i].Contact); diff != "" || got[i].Deleted != want[i].Deleted {
			x.failf("%s: contact %s differs (-first +second):\n%s", what, show(want[i].Contact.ID), diff)
		}
	}
}

// ids lists the ids of changes, deletions with a minus, shortened.
func ids(changes []bridge.Change) string {
	var list []string
	for _, c := range changes {
		id := show(c.Contact.ID)
		if c.Deleted {
			id = "-" + id
		}
		list = append(list, id)
	}
	if n := len(list); n > 40 {
		list = append(list[:20:20], fmt.Sprintf("… %d more …", n-30))
		list = append(list, ids(changes[n-10:]))
	}
	return strings.Join(list, " ")
}

// show returns a text that may be long or unreadable.
func show[S ~string](s S) string {
	if len(s) > 60 {
		return fmt.Sprintf("%.40q… (%d bytes)", string(s), len(s))
	}
	return fmt.Sprintf("%q", string(s))
}

// wantCode checks an error's code.
func (x *exam) wantCode(err error, want bridge.Code, doing string) {
	switch {
	case err == nil:
		x.failf("%s: no error, want %s", doing, want)
	case bridge.CodeOf(err) != want:
		x.failf("%s: %v (%s), want %s", doing, err, bridge.CodeOf(err), want)
	}
}

// isContextError reports whether an error comes from a context that is done.
func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
