package synchronizer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// A list is an external service with a bridge that counts: an offset is a place in the list, as P3 allows.
type list struct {
	ids        []string
	perPage    int
	checkpoint string
	exact      bool
	down       bool // from the second page on
	refuse     int  // so many requests with an offset are refused
	restarted  bool // the checkpoint is unknown
	requests   int
}

func newList(n int) *list {
	l := &list{perPage: 10, checkpoint: "c"}
	for i := range n {
		l.ids = append(l.ids, fmt.Sprintf("%03d", i))
	}
	return l
}

func (l *list) Page(_ context.Context, q bridge.PageRequest) (*bridge.Page, error) {
	l.requests++
	if q.Checkpoint != "" && !l.restarted {
		return &bridge.Page{Checkpoint: q.Checkpoint}, nil // nobody was created or updated
	}
	from := 0
	if q.Offset != "" {
		if l.down {
			return nil, &bridge.Error{Code: bridge.CodeNotFound, Message: "down"}
		}
		if l.refuse > 0 {
			l.refuse--
			return nil, &bridge.Error{Code: bridge.CodeInvalidOffset, Status: http.StatusBadRequest, Message: "no such offset"}
		}
		fmt.Sscan(q.Offset, &from)
	}
	p := &bridge.Page{Checkpoint: l.checkpoint, Exact: l.exact, Restarted: l.restarted && q.Checkpoint != "" && q.Offset == ""}
	for _, id := range l.ids[min(from, len(l.ids)):min(from+l.perPage, len(l.ids))] {
		p.Contacts = append(p.Contacts, contact.Contact{ID: id, Name: id})
	}
	if from+l.perPage < len(l.ids) {
		p.NextOffset = fmt.Sprint(from + l.perPage)
	}
	return p, nil
}

// has makes sure that everybody of the list is in the directory.
func (l *list) has(t *testing.T, store directory.Store) {
	t.Helper()
	for _, id := range l.ids {
		if _, err := store.Contact(t.Context(), key, id); err != nil {
			t.Errorf("%s is in the external service and not in the directory: %v", id, err)
		}
	}
}

var fullRun = synchronizer.Options{Full: true, Retry: quick.Retry}

// D8: contacts that slid over the place where a run was interrupted are not gone.
func TestInterruptedRunDeletesNobody(t *testing.T) {
	l, store := newList(100), openStore(t)
	s := synchronizer.Synchronizer{Bridge: l, Store: store}
	mustRun(t, s, quick)
	l.down = true
	if report, err := s.Run(t.Context(), key, fullRun); err == nil || report.Pages != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	l.down, l.ids = false, l.ids[7:]
	report := mustRun(t, s, quick)
	if !report.Resumed || report.Judged || report.Doubt != directory.DoubtInterrupted || report.Deleted != 0 {
		t.Errorf("report %+v", report)
	}
	l.has(t, store)
	if report := mustRun(t, s, fullRun); !report.Judged || report.Deleted != 7 {
		t.Errorf("an uninterrupted run: %+v", report)
	}
	l.has(t, store)
}

// D8: at exact positions an interruption does no harm.
func TestInterruptedRunAtExactPositionsJudges(t *testing.T) {
	l, store := newList(100), openStore(t)
	l.exact = true
	s := synchronizer.Synchronizer{Bridge: l, Store: store}
	mustRun(t, s, quick)
	l.down = true
	if _, err := s.Run(t.Context(), key, fullRun); err == nil {
		t.Fatal("it did not fail")
	}
	l.down, l.ids = false, l.ids[:95]
	if report := mustRun(t, s, quick); !report.Resumed || !report.Judged || report.Deleted != 5 {
		t.Errorf("report %+v", report)
	}
}

// A resumed run with deletions that wait is followed by another one as well: what was committed meanwhile is no reason to wait.
func TestGuardedRunThatWasResumedIsFollowedByAnother(t *testing.T) {
	for name, again := range map[string]func(l *list){
		"caught up":     func(*list) {},
		"guarded again": func(l *list) { l.restarted, l.ids = true, l.ids[:50] },
	} {
		t.Run(name, func(t *testing.T) {
			l, store := newList(100), openStore(t)
			l.exact = true
			changes := bridgeFunc(func(ctx context.Context, q bridge.PageRequest) (*bridge.Page, error) {
				p, err := l.Page(ctx, q)
				if err == nil && q.Checkpoint != "" && q.Offset == "" {
					p.Contacts = append(p.Contacts, contact.Contact{ID: "new", Name: "new"})
				}
				if err == nil && p.NextOffset == "" {
					again(l)
				}
				return p, err
			})
			s := synchronizer.Synchronizer{Bridge: changes, Store: store}
			mustRun(t, synchronizer.Synchronizer{Bridge: l, Store: store}, quick)
			l.down = true
			if _, err := s.Run(t.Context(), key, fullRun); err == nil {
				t.Fatal("it did not fail")
			}
			l.down, l.ids = false, l.ids[:60]
			report, err := s.Run(t.Context(), key, quick)
			guarded, ok := errors.AsType[*directory.GuardedError](err)
			if !ok || !report.Resumed || report.CatchUp == nil || report.Error == nil || report.Error.Code != synchronizer.CodeGuarded {
				t.Fatalf("%v, report %+v", err, report)
			}
			if _, err := store.Contact(t.Context(), key, "new"); err != nil {
				t.Errorf("the contact that was new when the run was called: %v", err)
			}
			state, err := store.State(t.Context(), key)
			if err != nil || guarded.Held != state.Held || report.Held == nil || report.Held.Set != state.Held.Set {
				t.Errorf("%+v waits, %v; the error says %+v, the report %+v", state.Held, err, guarded.Held, report.Held)
			}
		})
	}
}

// D8: a retry inside one process is not an interruption.
func TestRetriesAreNoInterruption(t *testing.T) {
	l, store := newList(30), openStore(t)
	mustRun(t, synchronizer.Synchronizer{Bridge: l, Store: store}, quick)
	l.ids = l.ids[:25]
	failing := failsAt(2, &bridge.Error{Code: bridge.CodeSourceUnavailable, Status: http.StatusServiceUnavailable, Message: "down"}, l)
	report := mustRun(t, synchronizer.Synchronizer{Bridge: failing, Store: store}, fullRun)
	if report.Retries != 1 || !report.Judged || report.Deleted != 5 {
		t.Errorf("report %+v", report)
	}
}

// A resumed run read up to the moment when it began. Where the bridge sets no checkpoint, everything is read again after it.
func TestResumedRunWithoutCheckpointIsFollowedByAnother(t *testing.T) {
	l, store := newList(20), openStore(t)
	l.checkpoint, l.down = "", true
	names := bridgeFunc(func(ctx context.Context, q bridge.PageRequest) (*bridge.Page, error) {
		p, err := l.Page(ctx, q)
		if err == nil && !l.down {
			for i := range p.Contacts {
				p.Contacts[i].Name = "new"
			}
		}
		return p, err
	})
	s := synchronizer.Synchronizer{Bridge: names, Store: store}
	if _, err := s.Run(t.Context(), key, quick); err == nil {
		t.Fatal("it did not fail")
	}
	l.down = false
	report := mustRun(t, s, quick)
	if !report.Resumed || report.CatchUp == nil || report.CatchUp.Kind != directory.Initial {
		t.Errorf("report %+v", report)
	}
	if c, err := store.Contact(t.Context(), key, "003"); err != nil || c.Name != "new" {
		t.Errorf("contact 003 was changed before the run was called: %+v, %v", c, err)
	}
}

// D8: a full run begins again when its offset is refused: again from nothing, and judges.
func TestFullRunWhoseOffsetIsRefusedStaysFull(t *testing.T) {
	l, store := newList(100), openStore(t)
	s := synchronizer.Synchronizer{Bridge: l, Store: store}
	mustRun(t, s, quick)
	l.refuse, l.ids = 1, l.ids[:95]
	report := mustRun(t, s, fullRun)
	if report.Kind != directory.Initial || !report.Judged || report.Restarts != 1 || report.Deleted != 5 {
		t.Errorf("report %+v", report)
	}
	// A bridge that refuses every offset keeps nobody from the end, but proves nothing.
	l.refuse, l.ids = 1000, l.ids[:90]
	report = mustRun(t, s, fullRun)
	if report.Kind != directory.Incremental || report.Judged || report.Doubt != directory.DoubtRefused || stored(t, store) != 95 {
		t.Errorf("report %+v, %d stored", report, stored(t, store))
	}
}

// D10: a bridge that does not know the checkpoint says so, and answers with everybody.
func TestRestartedRunJudges(t *testing.T) {
	l, store := newList(100), openStore(t)
	s := synchronizer.Synchronizer{Bridge: l, Store: store}
	mustRun(t, s, quick)
	l.restarted, l.ids, l.checkpoint = true, l.ids[:95], "d"
	report := mustRun(t, s, quick)
	if report.Kind != directory.Initial || !report.Judged || report.Deleted != 5 || report.Contacts != 95 || report.Checkpoint != "d" {
		t.Errorf("report %+v", report)
	}
}

// D8: a run belongs to its settings, and so does a checkpoint.
func TestOtherSettingsReadEverythingAgain(t *testing.T) {
	one, other, store := newList(100), newList(90), openStore(t)
	with := func(settings string) synchronizer.Options {
		return synchronizer.Options{Settings: settings, Retry: quick.Retry}
	}
	s := synchronizer.Synchronizer{Bridge: one, Store: store}
	mustRun(t, s, with("one"))
	one.down = true
	if _, err := s.Run(t.Context(), key, synchronizer.Options{Full: true, Settings: "one", Retry: quick.Retry}); err == nil {
		t.Fatal("it did not fail")
	}
	s.Bridge = other
	report := mustRun(t, s, with("other"))
	if report.Resumed || report.Kind != directory.Initial || report.Contacts != 90 || report.Deleted != 10 {
		t.Errorf("report %+v", report)
	}
	if report = mustRun(t, s, with("other")); report.Kind != directory.Incremental {
		t.Errorf("with the same settings: %+v", report)
	}
}

// D8: a contact that could not be taken was shown; without an id it may be any.
func TestRejectedContactsAreNotGone(t *testing.T) {
	store, bad := openStore(t), ""
	client := connect(scripted(func(w http.ResponseWriter, _ meta) {
		if bad == "" {
			io.WriteString(w, page("", "c", "", "1", "2", "3", "4", "5"))
			return
		}
		fmt.Fprintf(w, `{"contacts":[{"id":"1","name":"A"},%s],"synchronization_checkpoint":"c"}`, bad)
	}))
	s := synchronizer.Synchronizer{Bridge: client, Store: store}
	mustRun(t, s, quick)
	bad = `{"id":"5","name":"E","phones":[{}]}`
	if report := mustRun(t, s, fullRun); report.Rejected != 1 || report.Deleted != 3 || stored(t, store) != 2 {
		t.Errorf("with an id: %+v, %d stored", report, stored(t, store))
	}
	bad = `{"name":"E"}`
	if report := mustRun(t, s, fullRun); report.Rejected != 1 || report.Deleted != 0 || report.Doubt != directory.DoubtNameless || stored(t, store) != 2 {
		t.Errorf("without an id: %+v, %d stored", report, stored(t, store))
	}
}

// D9: the guard also stands in front of deletions that the bridge names.
func TestNamedDeletionsAreGuarded(t *testing.T) {
	store, gone := openStore(t), 0
	b := bridgeFunc(func(_ context.Context, q bridge.PageRequest) (*bridge.Page, error) {
		if q.Checkpoint == "" {
			l := newList(100)
			l.perPage = 100
			return l.Page(t.Context(), q)
		}
		at := 0
		fmt.Sscan(q.Offset, &at)
		p := &bridge.Page{Checkpoint: "d"}
		for n := range min(5, gone-at) {
			p.Deleted = append(p.Deleted, fmt.Sprintf("%03d", at+n))
		}
		if at+5 < gone {
			p.NextOffset = fmt.Sprint(at + 5)
		}
		return p, nil
	})
	s := synchronizer.Synchronizer{Bridge: b, Store: store}
	mustRun(t, s, quick)
	gone = 60
	report, err := s.Run(t.Context(), key, quick)
	guarded, ok := errors.AsType[*directory.GuardedError](err)
	if !ok || guarded.Named != 60 || stored(t, store) != 100 || report.Held == nil || report.Held.Count != 60 || !report.Held.Contacts[0].Named {
		t.Fatalf("60 named in pages of 5: %v, %+v", err, report)
	}
	gone = 5
	if report := mustRun(t, s, quick); report.Deleted != 0 { // those wait already
		t.Errorf("report %+v", report)
	}
	if n, err := store.DeleteHeld(t.Context(), key, report.Held.Set); n != 60 || err != nil || stored(t, store) != 40 {
		t.Errorf("the confirmation: %d, %v", n, err)
	}
}

func TestARunThatBringsNobodyAsks(t *testing.T) {
	l, store := newList(3), openStore(t)
	s := synchronizer.Synchronizer{Bridge: l, Store: store}
	mustRun(t, s, quick)
	l.ids = nil
	if report, err := s.Run(t.Context(), key, fullRun); bridge.CodeOf(err) != synchronizer.CodeGuarded || report.State != directory.Guarded || stored(t, store) != 3 {
		t.Errorf("%v, %+v", err, report)
	}
}
