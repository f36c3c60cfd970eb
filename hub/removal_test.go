package hub_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// callers counts whom a call from a number finds.
func (f *fixture) callers(t *testing.T, number string) int {
	t.Helper()
	answer, err := f.Lookup(t.Context(), "acme", number, "", caller.LookupOptions{})
	must(t, err)
	return len(answer.Matches)
}

func (f *fixture) contacts(t *testing.T, key directory.Key) int64 {
	t.Helper()
	state, err := f.Store().State(t.Context(), key)
	must(t, err)
	return state.Contacts
}

// held makes a bridge's second page wait until the function is called.
func (c *crm) hold(t *testing.T) (reached <-chan struct{}, release func()) {
	t.Helper()
	hold, at := make(chan struct{}), make(chan struct{})
	release = sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release)
	tell := sync.OnceFunc(func() { close(at) })
	var mu sync.Mutex
	pages := 0
	c.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		pages++
		wait := pages > 1
		mu.Unlock()
		if wait {
			tell()
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		return false
	})
	return at, release
}

// A slowStore forgets slowly, as a directory with millions of contacts does; what comes meanwhile comes.
type slowStore struct {
	directory.Store
	forgetting chan struct{}
	goOn       chan struct{}
}

func (s *slowStore) Forget(ctx context.Context, key directory.Key) error {
	s.forgetting <- struct{}{}
	select {
	case <-s.goOn:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.Store.Forget(ctx, key)
}

// An integration that comes due while it is being removed is not run again, not listed, and no call finds its contacts.
func TestARemovedIntegrationStaysRemoved(t *testing.T) {
	t.Parallel()
	f, c := newHub(t), newCRM(t, 40)
	f.add(t, c)
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	if n := f.callers(t, "(415) 555-0007"); n != 1 {
		t.Fatalf("a call finds %d before", n)
	}
	slow := &slowStore{Store: f.Store(), forgetting: make(chan struct{}), goOn: make(chan struct{})}
	other := f.another(t, "two")
	other.SetStore(slow)
	removed := make(chan error, 1)
	go func() { removed <- other.RemoveIntegration(context.Background(), crmKey) }()
	<-slow.forgetting
	f.clock.move(time.Hour) // it would be due now, and what the cache of look-ups knows is old
	asked := c.asked()
	if _, err := f.Integration(t.Context(), crmKey); failure.Of(err).Code != failure.NotFound {
		t.Errorf("it is still there: %v", err)
	}
	if err := f.Ask(t.Context(), crmKey, registry.Ask{Run: true}); failure.Of(err).Code != failure.NotFound {
		t.Errorf("it can be asked to run: %v", err)
	}
	if err := f.AddIntegration(t.Context(), registry.Integration{Key: crmKey, Bridge: c.url}, good); failure.Of(err).Code != failure.Conflict {
		t.Errorf("another one of its name: %v", err)
	}
	f.sees(t, "while it is being removed", 0)
	close(slow.goOn)
	must(t, <-removed)
	time.Sleep(2 * time.Second) // workers look every second
	if n := f.contacts(t, crmKey); n != 0 || c.asked() != asked {
		t.Errorf("%d contacts, %d requests after it was removed", n, c.asked()-asked)
	}
	f.sees(t, "afterwards", 0)
	f.add(t, c)
	f.until(t, registry.HealthOK)
	f.clock.move(time.Minute)
	f.sees(t, "of a new one with its name", 1)
}

// sees tries everything that finds contacts.
func (f *fixture) sees(t *testing.T, when string, want int) {
	t.Helper()
	for n := range 2 { // by E.164, and by its end
		number := []string{"(415) 555-0007", "5550007"}[n]
		if got := f.callers(t, number); got != want {
			t.Errorf("%s a call from %s finds %d", when, number, got)
		}
	}
	found, err := f.Search(t.Context(), "acme", directory.Query{Text: "Person 7"})
	must(t, err)
	if len(found) != want {
		t.Errorf("%s a search finds %d", when, len(found))
	}
	byEmail, err := f.ByEmail(t.Context(), "acme", "p7@example.com")
	must(t, err)
	if len(byEmail) != want {
		t.Errorf("%s an e-mail address finds %d", when, len(byEmail))
	}
	_, err = f.Contact(t.Context(), crmKey, "c007")
	if (err == nil) != (want == 1) {
		t.Errorf("%s a contact's page: %v", when, err)
	}
	_, err = f.Attribute(t.Context(), crmKey, caller.Subject{Number: "(415) 555-0007"})
	if (err == nil) != (want == 1) {
		t.Errorf("%s its record: %v", when, err)
	}
}

// A run under way is cancelled by a removal, in whatever process it is, and nothing of it stays.
func TestARemovalCancelsTheRun(t *testing.T) {
	t.Parallel()
	for _, elsewhere := range []bool{false, true} {
		t.Run(fmt.Sprintf("elsewhere=%v", elsewhere), func(t *testing.T) {
			f, c := newHub(t), newCRM(t, 40)
			reached, _ := c.hold(t)
			f.add(t, c)
			remover := f.Hub
			if elsewhere {
				remover = f.another(t, "two")
			}
			work(t, f.Hub)
			<-reached
			must(t, remover.RemoveIntegration(t.Context(), crmKey))
			if n := f.contacts(t, crmKey); n != 0 {
				t.Errorf("%d contacts", n)
			}
			if running := f.Running(); len(running) != 0 {
				t.Errorf("%+v", running)
			}
		})
	}
}

// A removal that its process does not live to finish is finished by any worker: at every step.
func TestARemovalSurvivesACrash(t *testing.T) {
	for name, crash := range map[string]func(f *fixture){
		"after it was marked": func(*fixture) {},
		"while it is forgotten": func(f *fixture) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_ = f.Store().Forget(ctx, crmKey)
		},
		"after it was forgotten": func(f *fixture) { must(t, f.Store().Forget(t.Context(), crmKey)) },
	} {
		t.Run(name, func(t *testing.T) {
			f, c := newHub(t), newCRM(t, 25)
			f.add(t, c)
			stop := work(t, f.Hub)
			f.until(t, registry.HealthOK)
			stop()
			must(t, f.Registry.BeginRemoval(t.Context(), crmKey))
			crash(f)
			work(t, f.another(t, "two"))
			eventually(t, "the removal is finished", func() bool {
				keys, err := f.Registry.Removals(t.Context())
				must(t, err)
				return len(keys) == 0 && f.contacts(t, crmKey) == 0
			})
		})
	}
}

// Contacts that a worker stores after it slept through the removal are removed as well; what contactbridge sync keeps in the
// same directory stays.
func TestWhatALateWorkerStoresGoesAndWhatSyncKeepsStays(t *testing.T) {
	f, c := newHub(t), newCRM(t, 25)
	f.add(t, c)
	must(t, f.RemoveIntegration(t.Context(), crmKey))
	foreign := directory.Key{Account: "acme", Integration: "by-sync"}
	for _, key := range []directory.Key{crmKey, foreign} {
		f.store(t, key, person(7))
	}
	f.clock.move(time.Minute)
	if n := f.callers(t, "(415) 555-0007"); n != 1 {
		t.Errorf("a call finds %d, want the one that sync keeps", n)
	}
	work(t, f.Hub)
	eventually(t, "what the late worker stored is gone", func() bool { return f.contacts(t, crmKey) == 0 })
	f.clock.move(365 * 24 * time.Hour)
	time.Sleep(100 * time.Millisecond)
	if n := f.contacts(t, foreign); n != 1 {
		t.Errorf("%d contacts of what no hub ever had", n)
	}
	// They go when a user removes them by name.
	must(t, f.RemoveIntegration(t.Context(), foreign))
	if n := f.contacts(t, foreign); n != 0 {
		t.Errorf("%d contacts after they were removed", n)
	}
	if err := f.RemoveIntegration(t.Context(), foreign); failure.Of(err).Code != failure.NotFound {
		t.Errorf("removed twice: %v", err)
	}
}

// store stores a contact as a run does.
func (f *fixture) store(t *testing.T, key directory.Key, c contact.Contact) {
	t.Helper()
	run, err := f.Store().StartRun(t.Context(), key, directory.Start{Lease: time.Minute})
	must(t, err)
	must(t, f.Store().ApplyPage(t.Context(), run, directory.PageChanges{
		Seq: 1, Checkpoint: "1", Contacts: []directory.Record{{Contact: c, Numbers: caller.Numbers(c.Phones, "US")}},
	}))
}

// An account goes with all of its integrations, whatever they are doing, and takes nothing new meanwhile.
func TestARemovedAccountStaysRemoved(t *testing.T) {
	f, c := newHub(t), newCRM(t, 40)
	reached, _ := c.hold(t)
	f.add(t, c)
	idle := directory.Key{Account: "acme", Integration: "idle"}
	must(t, f.AddIntegration(t.Context(), registry.Integration{Key: idle, Bridge: c.url, Schedule: registry.Schedule{Off: true}}, good))
	f.store(t, idle, person(1))
	work(t, f.Hub)
	<-reached
	must(t, f.RemoveAccount(t.Context(), "acme"))
	if accounts, err := f.Accounts(t.Context()); err != nil || len(accounts) != 0 {
		t.Errorf("%v %v", accounts, err)
	}
	for _, key := range []directory.Key{crmKey, idle} {
		if n := f.contacts(t, key); n != 0 {
			t.Errorf("%d contacts of %s", n, key.Integration)
		}
	}
	if _, err := f.Registry.Account(t.Context(), "acme"); !errors.Is(err, registry.ErrNotFound) {
		t.Error(err)
	}
	must(t, f.PutAccount(t.Context(), registry.Account{Name: "acme", Region: "US"}))
}
