package hub_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/source/memory"
)

// A clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// plain seals nothing: sealing has its own tests.
type plain struct{}

func (plain) Seal(text []byte, _ string) ([]byte, error) { return text, nil }
func (plain) Open(text []byte, _ string) ([]byte, error) { return text, nil }

// A fixture is a hub with its databases, at a time of its own.
type fixture struct {
	*hub.Hub
	clock *clock
	dir   string
}

func newHub(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{clock: &clock{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}, dir: t.TempDir()}
	f.Hub = f.another(t, "one")
	must(t, f.PutAccount(t.Context(), registry.Account{Name: "acme", Region: "US", TimeZone: "UTC"}))
	return f
}

// another is one more process on the same databases.
func (f *fixture) another(t *testing.T, name string) *hub.Hub {
	t.Helper()
	r, err := registry.Open(t.Context(), filepath.Join(f.dir, "hub.db"), registry.OpenOptions{Seal: plain{}, Clock: f.clock.Now})
	must(t, err)
	store, err := sqlite.Open(t.Context(), filepath.Join(f.dir, "directory.db"))
	must(t, err)
	t.Cleanup(func() { store.Close(); r.Close() })
	h := hub.New(r, store)
	h.Outbound, h.Options = http.DefaultTransport, hub.Options{Name: name, Clock: f.clock.Now, RetryFirst: time.Minute}
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// work runs what is due until the test ends or the function is called.
func work(t *testing.T, h *hub.Hub) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Work(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("work: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// eventually waits for what must come about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come about that %s", what)
		}
	}
}

// A crm is a bridge with contacts, credentials and moods that a test decides.
type crm struct {
	*memory.Store
	url     string
	handler http.Handler

	mu       sync.Mutex
	password string
	fail     func(w http.ResponseWriter, r *http.Request) bool // answers in the bridge's place
	requests int
	busy     int
	most     int // requests at once
}

func newCRM(t *testing.T, contacts int) *crm {
	t.Helper()
	c := &crm{Store: memory.NewStore(nil), password: "s3cret"}
	for n := range contacts {
		c.Put(person(n))
	}
	c.handler = &bridge.Handler{Open: c.Factory().Open, Authenticate: c.judge, Digest: "memory", Limits: bridge.Limits{Contacts: 10}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail := c.enter()
		defer c.leave()
		if fail == nil || !fail(w, r) {
			c.handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL + "/crm/contact_sync"
	return c
}

func person(n int) contact.Contact {
	return contact.Contact{ID: fmt.Sprintf("c%03d", n), Name: fmt.Sprintf("Person %d", n), Phones: []string{fmt.Sprintf("(415) 555-%04d", n)}, Emails: []string{fmt.Sprintf("p%d@example.com", n)}}
}

func (c *crm) judge(auth bridge.Auth) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bridge.RequireAuth(bridge.Auth{"username": "agent", "password": c.password})(auth)
}

func (c *crm) enter() func(http.ResponseWriter, *http.Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	c.busy++
	c.most = max(c.most, c.busy)
	return c.fail
}

func (c *crm) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
}

func (c *crm) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests
}

// answer makes the bridge answer something else; nil: itself again.
func (c *crm) answer(fail func(http.ResponseWriter, *http.Request) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = fail
}

var crmKey = directory.Key{Account: "acme", Integration: "crm"}

var good = map[string]string{"username": "agent", "password": "s3cret"}

// add adds an integration named crm.
func (f *fixture) add(t *testing.T, c *crm, change ...func(*registry.Integration)) {
	t.Helper()
	i := registry.Integration{Key: crmKey, Bridge: c.url, Schedule: registry.Schedule{Every: 10 * time.Minute}}
	for _, each := range change {
		each(&i)
	}
	must(t, f.AddIntegration(t.Context(), i, good))
}

func (f *fixture) view(t *testing.T) hub.IntegrationView {
	t.Helper()
	v, err := f.Integration(t.Context(), crmKey)
	must(t, err)
	return v
}

// until waits until the integration's health is so, and no worker has it.
func (f *fixture) until(t *testing.T, health registry.Health) hub.IntegrationView {
	t.Helper()
	eventually(t, "the integration is "+string(health), func() bool {
		v := f.view(t)
		return v.Status.Health == health && v.Status.Worker == ""
	})
	return f.view(t)
}

func (f *fixture) runs(t *testing.T) []directory.Run {
	t.Helper()
	runs, err := f.Runs(t.Context(), crmKey, 0, 100)
	must(t, err)
	return runs
}

// events lists the kinds of event so far.
func (f *fixture) events(t *testing.T) (kinds []string) {
	t.Helper()
	events, err := f.Events(t.Context(), registry.Filter{Limit: 1000})
	must(t, err)
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}
