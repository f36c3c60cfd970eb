package synchronizer_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/synchronizer"
)

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if raceDetector && !given { // it takes ten times as long
		if err := flag.Set("rapid.checks", "15"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

func TestInitialRunBringsEveryContact(t *testing.T) {
	store := openStore(t)
	report := mustRun(t, synchronizer.Synchronizer{Bridge: serve(t, handler(people(25), 10)), Store: store}, quick)
	if report.Kind != directory.Initial || report.Pages != 3 || report.Contacts != 25 || report.Created != 25 || report.State != directory.Done {
		t.Errorf("report %+v", report)
	}
	if n := stored(t, store); n != 25 {
		t.Errorf("%d contacts in the directory, want 25", n)
	}
}

func TestSecondRunIsIncremental(t *testing.T) {
	crm, store := people(25), openStore(t)
	s := synchronizer.Synchronizer{Bridge: serve(t, handler(crm, 10)), Store: store}
	mustRun(t, s, quick)
	crm.Put(person(7, 2))
	crm.Delete("c008")
	report := mustRun(t, s, quick)
	if report.Kind != directory.Incremental || report.Updated != 1 || report.Deleted != 1 || report.Created != 0 {
		t.Errorf("report %+v", report)
	}
	if c, err := store.Contact(t.Context(), key, "c007"); err != nil || c.Title != "2" {
		t.Errorf("contact %+v, %v", c, err)
	}
}

func TestNumbersAreFound(t *testing.T) {
	store := openStore(t)
	mustRun(t, synchronizer.Synchronizer{
		Bridge: serve(t, handler(people(3), 10)), Store: store,
		Numbers: func(phones []string) (numbers []directory.Number) {
			for _, p := range phones {
				numbers = append(numbers, directory.Number{Raw: p, E164: p, Match: p[1:]})
			}
			return numbers
		},
	}, quick)
	matches, err := store.ByE164(t.Context(), key.Account, []string{"+14155550002"}, 10)
	if err != nil || len(matches) != 1 || matches[0].Contact.ID != "c002" {
		t.Errorf("matches %+v, %v", matches, err)
	}
}

func TestReportHasTheNamedKeys(t *testing.T) {
	report := mustRun(t, synchronizer.Synchronizer{Bridge: serve(t, handler(people(3), 10)), Store: openStore(t)}, quick)
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(maps.Keys(fields))
	want := []string{
		"account", "bytes", "checkpoint", "contacts", "created", "deleted", "integration", "judged", "kind", "pages", "rejected", "restarts",
		"resumed", "retries", "seconds", "state", "unchanged", "updated",
	}
	if !slices.Equal(got, want) {
		t.Errorf("keys %v\nwant %v", got, want)
	}
}

// failsAt answers like a bridge until the nth request, and then with an error.
func failsAt(n int, broken error, b synchronizer.Bridge) synchronizer.Bridge {
	requests := 0
	return bridgeFunc(func(ctx context.Context, q bridge.PageRequest) (*bridge.Page, error) {
		if requests++; requests == n {
			return nil, broken
		}
		return b.Page(ctx, q)
	})
}

func TestFailedRunKeepsWhatItStoredAndIsResumed(t *testing.T) {
	crm, store := people(25), openStore(t)
	client := serve(t, handler(crm, 10))
	broken := &bridge.Error{Code: bridge.CodeBadAnswer, Message: "nonsense", Hint: "Mend it."}
	report, err := (&synchronizer.Synchronizer{Bridge: failsAt(2, broken, client), Store: store}).Run(t.Context(), key, quick)
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "page 2: ") {
		t.Fatalf("error %v", err)
	}
	if report.Error == nil || report.Error.Hint != "Mend it." || report.State != directory.Failed || stored(t, store) != 10 {
		t.Errorf("report %+v, %d stored", report, stored(t, store))
	}
	crm.Put(person(1, 2)) // after the run's bound
	report = mustRun(t, synchronizer.Synchronizer{Bridge: client, Store: store}, quick)
	// Two pages of people, and one with what was changed since the run began (E12).
	if !report.Resumed || report.Kind != directory.Initial || report.Pages != 4 || report.Created != 25 {
		t.Errorf("resumed run %+v", report)
	}
	if c, err := store.Contact(t.Context(), key, "c001"); err != nil || c.Title != "2" {
		t.Errorf("what was committed before the resuming run is missing: %+v, %v", c, err)
	}
	if report.CatchUp == nil || report.CatchUp.Kind != directory.Incremental || report.CatchUp.Checkpoint != report.Checkpoint {
		t.Errorf("catch-up %+v", report.CatchUp)
	}
}

// Every event tells of its run, so that whoever follows runs by their key knows when it is over.
func TestEveryEventTellsOfItsRun(t *testing.T) {
	var kinds []synchronizer.EventKind
	s := synchronizer.Synchronizer{Bridge: serve(t, handler(people(120), 100)), Store: openStore(t), Progress: func(e synchronizer.Event) {
		if kinds = append(kinds, e.Kind); e.Run.Key != key || e.Run.ID == 0 {
			t.Errorf("an event of kind %d tells of the run %+v", e.Kind, e.Run)
		}
	}}
	mustRun(t, s, quick)
	if !slices.Contains(kinds, synchronizer.Indexing) {
		t.Errorf("the events are of the kinds %v: none tells that search is completed", kinds)
	}
}

func TestCancelledRunIsResumed(t *testing.T) {
	crm, store := people(25), openStore(t)
	client := serve(t, handler(crm, 10))
	ctx, cancel := context.WithCancel(t.Context())
	s := synchronizer.Synchronizer{Bridge: client, Store: store, Progress: func(e synchronizer.Event) {
		if e.Kind == synchronizer.PageStored {
			cancel()
		}
	}}
	report, err := s.Run(ctx, key, quick)
	ended := failure.Of(err)
	if ended.Code != synchronizer.CodeInterrupted || !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if !strings.Contains(ended.Hint, "goes on where this one stopped") {
		t.Errorf("hint %q", ended.Hint)
	}
	if report.Contacts != stored(t, store) {
		t.Errorf("%d reported, %d stored", report.Contacts, stored(t, store))
	}
	s.Progress = nil
	if report := mustRun(t, s, quick); !report.Resumed || stored(t, store) != 25 {
		t.Errorf("report %+v", report)
	}
}

// After a refused offset the run starts again from its last safe checkpoint (D3).
func TestRefusedOffsetRestartsTheRun(t *testing.T) {
	for name, refusal := range map[string]error{
		"our bridge":            &bridge.Error{Code: bridge.CodeInvalidOffset, Status: http.StatusBadRequest, Message: "no such offset"},
		"another bridge":        &bridge.Error{Code: bridge.CodeBadRequest, Status: http.StatusBadRequest, Message: "bad request"},
		"one that says expired": &bridge.Error{Code: bridge.CodeNotFound, Status: http.StatusGone, Message: "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			store, events := openStore(t), &recorder{}
			s := synchronizer.Synchronizer{Bridge: failsAt(2, refusal, serve(t, handler(people(25), 10))), Store: store, Progress: events.record}
			report := mustRun(t, s, quick)
			if report.Restarts != 1 || events.count(synchronizer.Restarted) != 1 || stored(t, store) != 25 {
				t.Errorf("report %+v, %d stored", report, stored(t, store))
			}
		})
	}
}

func TestBridgeThatRefusesItsOwnOffsetsIsGivenUp(t *testing.T) {
	store, requests := openStore(t), 0
	client := connect(scripted(func(w http.ResponseWriter, ask meta) {
		requests++
		if ask.Offset != "" {
			http.Error(w, `{"error":"what is that?"}`, http.StatusBadRequest)
			return
		}
		io.WriteString(w, page("2", "", "", "a"))
	}))
	_, err := (&synchronizer.Synchronizer{Bridge: client, Store: store}).Run(t.Context(), key, quick)
	ended := failure.Of(err)
	if ended.Code != bridge.CodeInvalidOffset || !strings.Contains(ended.Hint, "next_offset") {
		t.Fatalf("error %v", err)
	}
	if requests > 10 || stored(t, store) != 1 {
		t.Errorf("%d requests, %d stored", requests, stored(t, store))
	}
}

// A checkpoint that moves is progress, even where every offset is refused: such a run gets to its end.
func TestRestartsEndWhileTheCheckpointMoves(t *testing.T) {
	store := openStore(t)
	client := connect(scripted(func(w http.ResponseWriter, ask meta) {
		switch n := len(ask.Checkpoint); {
		case ask.Offset != "":
			w.WriteHeader(http.StatusBadRequest)
		case n == 12:
			io.WriteString(w, page("", ask.Checkpoint, ""))
		default:
			io.WriteString(w, page("more", ask.Checkpoint+"x", "", fmt.Sprint(n)))
		}
	}))
	report := mustRun(t, synchronizer.Synchronizer{Bridge: client, Store: store}, quick)
	if report.Restarts != 12 || stored(t, store) != 12 {
		t.Errorf("report %+v, %d stored", report, stored(t, store))
	}
}

func TestRefusedCheckpointSaysHowToStartOver(t *testing.T) {
	for name, answer := range map[string]string{
		"our bridge":     `{"error":{"code":"invalid_checkpoint","message":"no such checkpoint","hint":"x"}}`,
		"another bridge": `checkpoint?`,
	} {
		t.Run(name, func(t *testing.T) {
			refuses := false
			client := connect(scripted(func(w http.ResponseWriter, ask meta) {
				if refuses && ask.Checkpoint != "" {
					http.Error(w, answer, http.StatusBadRequest)
					return
				}
				io.WriteString(w, page("", "yesterday", "", "a"))
			}))
			s := synchronizer.Synchronizer{Bridge: client, Store: openStore(t)}
			mustRun(t, s, quick)
			refuses = true
			_, err := s.Run(t.Context(), key, quick)
			if err == nil || !strings.Contains(failure.Of(err).Hint, "--full") {
				t.Fatalf("error %v, hint %q", err, failure.Of(err).Hint)
			}
			full := quick
			full.Full = true
			mustRun(t, s, full)
		})
	}
}

// Wrong credentials are final: asking again may lock the account.
func TestWrongCredentialsAreAskedOnce(t *testing.T) {
	requests := 0
	client := connect(scripted(func(w http.ResponseWriter, _ meta) {
		requests++
		w.WriteHeader(http.StatusUnauthorized)
	}))
	_, err := (&synchronizer.Synchronizer{Bridge: client, Store: openStore(t)}).Run(t.Context(), key, quick)
	if bridge.CodeOf(err) != bridge.CodeUnauthorized || requests != 1 || failure.Of(err).Hint == "" {
		t.Errorf("error %v after %d requests", err, requests)
	}
}

func TestGuardedRunSaysHowToAccept(t *testing.T) {
	crm, store := people(30), openStore(t)
	client := serve(t, handler(crm, 10))
	mustRun(t, synchronizer.Synchronizer{Bridge: client, Store: store}, quick)
	few := synchronizer.Synchronizer{Bridge: serve(t, handler(people(15), 10)), Store: store}
	full := quick
	full.Full = true
	report, err := few.Run(t.Context(), key, full)
	ended := failure.Of(err)
	if ended.Code != synchronizer.CodeGuarded || !strings.Contains(ended.Hint, "--accept-deletions") {
		t.Fatalf("error %v", err)
	}
	if !strings.Contains(ended.Message, "15 of 30") || report.State != directory.Guarded || stored(t, store) != 30 {
		t.Errorf("message %q, report %+v, %d stored", ended.Message, report, stored(t, store))
	}
	held := report.Held
	if held == nil || held.Count != 15 || len(held.Contacts) != 15 || held.Contacts[0] != (synchronizer.HeldPerson{ID: "c016", Name: "Person 16"}) ||
		!strings.HasSuffix(strings.Fields(ended.Hint)[8], "--accept-deletions="+held.Set+";") {
		t.Fatalf("hint %q, held back: %+v", ended.Hint, held)
	}
	if n, err := store.DeleteHeld(t.Context(), key, held.Set); n != 15 || err != nil || stored(t, store) != 15 {
		t.Errorf("the confirmation deleted %d, %v; %d stored", n, err, stored(t, store))
	}
}

func TestContactWithoutIDIsCountedAndNamed(t *testing.T) {
	client := connect(scripted(func(w http.ResponseWriter, _ meta) {
		io.WriteString(w, `{"contacts":[{"id":"1","name":"A"},{"name":"Nobody"},{"id":"2","name":"B"}]}`)
	}))
	store := openStore(t)
	report := mustRun(t, synchronizer.Synchronizer{Bridge: client, Store: store}, quick)
	if report.Rejected != 1 || len(report.Rejections) != 1 || report.Rejections[0].Reason == "" || stored(t, store) != 2 {
		t.Errorf("report %+v", report)
	}
}

// While one page is stored the next is fetched, and no more than that one.
func TestFetchesOnePageAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		answers := bridgeFunc(func(_ context.Context, q bridge.PageRequest) (*bridge.Page, error) {
			n := asked.Add(1)
			answer := &bridge.Page{Contacts: []contact.Contact{{ID: "x", Name: "X"}}}
			if n < 4 {
				answer.NextOffset = q.Offset + "+"
			}
			return answer, nil
		})
		slow := &slowStore{Store: openStore(t), goOn: make(chan struct{})}
		done := make(chan error)
		go func() {
			_, err := (&synchronizer.Synchronizer{Bridge: answers, Store: slow}).Run(t.Context(), key, quick)
			done <- err
		}()
		for stored := range int64(3) {
			synctest.Wait()
			if n := asked.Load(); n != stored+2 {
				t.Errorf("%d pages asked for when %d were stored, want %d", n, stored, stored+2)
			}
			slow.goOn <- struct{}{}
		}
		slow.goOn <- struct{}{}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A slowStore stores when it is told to.
type slowStore struct {
	directory.Store
	goOn chan struct{}
}

func (s *slowStore) ApplyPage(ctx context.Context, run *directory.Run, page directory.PageChanges) error {
	<-s.goOn
	return s.Store.ApplyPage(ctx, run, page)
}

// A fullStore cannot store pages.
type fullStore struct{ directory.Store }

func (fullStore) ApplyPage(context.Context, *directory.Run, directory.PageChanges) error {
	return &failure.Error{Message: "the disk is full", Hint: "Make room."}
}

// What a store says to do is told: it knows more than the synchronizer.
func TestAStoresHintIsTold(t *testing.T) {
	store := openStore(t)
	s := synchronizer.Synchronizer{Bridge: serve(t, handler(people(5), 10)), Store: fullStore{store}}
	report, err := s.Run(t.Context(), key, quick)
	if ended := failure.Of(err); ended.Code != synchronizer.CodeDirectory || ended.Hint != "Make room." || err.Error() != "store a page in the directory: the disk is full" {
		t.Errorf("error %v, code %s, hint %q", err, ended.Code, ended.Hint)
	}
	if report.Error == nil || report.Error.Hint != "Make room." {
		t.Errorf("reported %+v", report.Error)
	}
	if state, err := store.State(t.Context(), key); err != nil || state.LastRun.Hint != "Make room." {
		t.Errorf("the history says %+v, %v", state.LastRun, err)
	}
}

// A page that takes longer than the lease does not lose the run.
func TestLeaseIsRenewedWhileAPageTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := openStore(t)
		slow := bridgeFunc(func(ctx context.Context, _ bridge.PageRequest) (*bridge.Page, error) {
			time.Sleep(time.Minute)
			_, err := store.StartRun(ctx, key, directory.Start{Lease: time.Second})
			if !errors.Is(err, directory.ErrUnderWay) {
				t.Errorf("another process could take the run over: %v", err)
			}
			return &bridge.Page{Contacts: []contact.Contact{person(1, 1)}}, nil
		})
		mustRun(t, synchronizer.Synchronizer{Bridge: slow, Store: store}, quick)
	})
}

// Two synchronizers on one integration: the second says that a run is under way.
func TestSecondSynchronizerSaysThatARunIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := openStore(t)
		slow := bridgeFunc(func(context.Context, bridge.PageRequest) (*bridge.Page, error) {
			time.Sleep(time.Minute)
			return &bridge.Page{}, nil
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			mustRun(t, synchronizer.Synchronizer{Bridge: slow, Store: store}, quick)
		}()
		synctest.Wait()
		for _, takeOver := range []bool{false, true} {
			began, events, opts := time.Now(), &recorder{}, quick
			opts.TakeOver = takeOver
			_, err := (&synchronizer.Synchronizer{Bridge: slow, Store: store, Progress: events.record}).Run(t.Context(), key, opts)
			ended := failure.Of(err)
			if ended.Code != synchronizer.CodeUnderWay || ended.Hint == "" {
				t.Errorf("error %v", err)
			}
			if took := time.Since(began); took > 2*synchronizer.DefaultLease || takeOver && events.count(synchronizer.Waiting) != 1 {
				t.Errorf("take over %v: after %v, %d times told to wait", takeOver, took, events.count(synchronizer.Waiting))
			}
		}
		<-done
	})
}

// A run goes on after its process was killed: in the next one, once its lease has ended.
func TestDeadRunIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, client := openStore(t), connect(handler(people(25), 10))
		run, err := store.StartRun(t.Context(), key, directory.Start{Lease: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		first, err := client.Page(t.Context(), bridge.PageRequest{})
		if err != nil {
			t.Fatal(err)
		}
		page := directory.PageChanges{Seq: 1, NextOffset: first.NextOffset, Context: first.Context, Checkpoint: first.Checkpoint}
		for _, c := range first.Contacts {
			page.Contacts = append(page.Contacts, directory.Record{Contact: c})
		}
		if err := store.ApplyPage(t.Context(), run, page); err != nil {
			t.Fatal(err)
		}
		opts := quick
		opts.TakeOver = true
		began := time.Now()
		report := mustRun(t, synchronizer.Synchronizer{Bridge: client, Store: store}, opts)
		if took := time.Since(began); took < time.Minute || took > 70*time.Second {
			t.Errorf("taken over after %v, want a minute", took)
		}
		if !report.Resumed || report.Pages != 3 || report.Created != 25 {
			t.Errorf("report %+v", report)
		}
	})
}

// A process that was asleep for longer than its lease finds its run in other hands, and leaves it there (T8).
func TestLostRunIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.db")
	store := openStoreAt(t, path, time.Now)
	later := openStoreAt(t, path, func() time.Time { return time.Now().Add(time.Hour) })
	client := connect(handler(people(25), 10))
	stolen := false
	thief := bridgeFunc(func(ctx context.Context, q bridge.PageRequest) (*bridge.Page, error) {
		if q.Offset != "" && !stolen {
			stolen = true
			if _, err := (&synchronizer.Synchronizer{Bridge: client, Store: later}).Run(t.Context(), key, quick); err != nil {
				t.Errorf("the other process: %v", err)
			}
		}
		return client.Page(ctx, q)
	})
	_, err := (&synchronizer.Synchronizer{Bridge: thief, Store: store}).Run(t.Context(), key, quick)
	ended := failure.Of(err)
	if ended.Code != synchronizer.CodeTakenOver {
		t.Errorf("error %v", err)
	}
	state, err := store.State(t.Context(), key)
	if err != nil || state.LastRun.State != directory.Done || state.Contacts != 25 {
		t.Errorf("state %+v, last run %+v, %v", state, state.LastRun, err)
	}
}
