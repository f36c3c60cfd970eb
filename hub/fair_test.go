package hub_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/test/pace"
)

// tarPit returns a server that takes requests and says nothing, until the test ends.
func tarPit(t *testing.T) string {
	t.Helper()
	end := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-end:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(end) }) // before the server waits for its requests
	return server.URL
}

// A listener is a webhook's receiver.
type listener struct {
	url string

	mu   sync.Mutex
	got  []string // kinds
	busy int
	most int
}

func newListener(t *testing.T, slow time.Duration) *listener {
	t.Helper()
	l := &listener{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.busy++
		l.most = max(l.most, l.busy)
		l.mu.Unlock()
		time.Sleep(slow)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.busy--
		l.got = append(l.got, r.Header.Get("Contactbridge-Event"))
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.got)
}

func (f *fixture) hook(t *testing.T, account, url string) {
	t.Helper()
	_, _, err := f.AddWebhook(t.Context(), registry.Webhook{Account: account, URL: url})
	must(t, err)
}

func (f *fixture) happens(t *testing.T, account string) {
	t.Helper()
	must(t, f.Registry.AddEvent(t.Context(), &registry.Event{Kind: "run.failed", Account: account, Data: json.RawMessage(`{}`)}))
}

// Webhooks that take a request and say nothing delay no other account's.
func TestTarPitsDelayNobodyElse(t *testing.T) {
	t.Parallel()
	f := newHub(t)
	must(t, f.PutAccount(t.Context(), registry.Account{Name: "other"}))
	pit, other := tarPit(t), newListener(t, 0)
	for range 40 {
		f.hook(t, "acme", pit)
	}
	f.hook(t, "other", other.url)
	for range 3 {
		f.happens(t, "acme")
	}
	work(t, f.Hub)
	time.Sleep(1500 * time.Millisecond) // they hang
	began := time.Now()
	f.happens(t, "other")
	eventually(t, "the other account is told", func() bool { return other.count() == 1 })
	if took := time.Since(began); took > pace.Limit(3*time.Second) {
		t.Errorf("another account's webhook was told after %s", took)
	}
}

// Nor do they keep their own account's good webhooks waiting, once they are known to hang.
func TestTarPitsDoNotDelayTheirAccountsOthers(t *testing.T) {
	t.Parallel()
	f := newHub(t)
	pit, own := tarPit(t), newListener(t, 0)
	for range 12 {
		f.hook(t, "acme", pit)
	}
	for range 3 {
		f.happens(t, "acme")
	}
	work(t, f.Hub)
	eventually(t, "they are known to hang", func() bool { return f.tried(t) })
	f.hook(t, "acme", own.url)
	began := time.Now()
	f.happens(t, "acme")
	eventually(t, "the account's own is told", func() bool { return own.count() == 1 })
	if took := time.Since(began); took > pace.Limit(3*time.Second) {
		t.Errorf("the account's own webhook was told after %s", took)
	}
}

// tried is whether every webhook of an account was sent something that it did not take.
func (f *fixture) tried(t *testing.T) bool {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(f.dir, "hub.db"))
	must(t, err)
	defer db.Close()
	var n int
	must(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM webhooks WHERE account = 'acme' AND failures = 0").Scan(&n))
	return n == 0
}

// One webhook is sent one event at a time, in their order, however slow it is, by however many processes.
func TestAWebhookIsSentOneEventAtATime(t *testing.T) {
	f := newHub(t)
	slow := newListener(t, 50*time.Millisecond)
	f.hook(t, "acme", slow.url)
	for range 10 {
		f.happens(t, "acme")
	}
	work(t, f.Hub)
	work(t, f.another(t, "two"))
	eventually(t, "all are told", func() bool { return slow.count() == 10 })
	if slow.most != 1 {
		t.Errorf("%d at once", slow.most)
	}
}

// Tenants cannot raise what the operator allows: not when they add, change or try an integration. The operator's file can.
func TestCeilingsCannotBeRaised(t *testing.T) {
	f, c := newHub(t), newCRM(t, 1)
	f.Options.Ceilings = registry.Limits{Timeout: 20 * time.Second}
	most := hub.DefaultCeilings()
	tenant := hub.WithActor(t.Context(), hub.Actor{Name: "token acme", Accounts: []string{"acme"}, Scopes: []registry.Scope{registry.ScopeWrite}})
	operator := hub.WithActor(t.Context(), hub.Actor{Name: "command line", All: true, Scopes: []registry.Scope{registry.ScopeAdmin}})
	file := hub.WithActor(t.Context(), hub.Actor{Name: "configuration file", All: true, Scopes: []registry.Scope{registry.ScopeAdmin}, File: true})
	for name, l := range map[string]registry.Limits{
		"pages":      {Pages: most.Pages + 1},
		"page_bytes": {PageBytes: 1 << 62},
		"timeout":    {Timeout: 21 * time.Second},
		"run":        {Run: 87600 * time.Hour},
	} {
		i := registry.Integration{Key: directory.Key{Account: "acme", Integration: strings.ReplaceAll(name, "_", "-")}, Bridge: c.url, Limits: l}
		for who, ctx := range map[string]context.Context{"tenant": tenant, "operator": operator} {
			if err := f.AddIntegration(ctx, i, good); !isAbout(err, "limits."+name) {
				t.Errorf("%s adds with %s: %v", who, name, err)
			}
			if _, err := f.TestDraft(ctx, i, good); !isAbout(err, "limits."+name) {
				t.Errorf("%s tries with %s: %v", who, name, err)
			}
			plain := i
			plain.Limits, plain.Key.Integration = registry.Limits{}, "plain"
			must(t, f.AddIntegration(ctx, plain, good))
			plain.Limits = l
			if err := f.ChangeIntegration(ctx, plain, nil); !isAbout(err, "limits."+name) {
				t.Errorf("%s changes %s: %v", who, name, err)
			}
			must(t, f.RemoveIntegration(ctx, plain.Key))
		}
		i.Managed = true
		must(t, f.AddIntegration(file, i, good))
	}
}

func isAbout(err error, field string) bool {
	e := failure.Of(err)
	return e.Code == failure.Invalid && e.Field == field && e.Hint != ""
}

// The largest page that anyone may ask for by default fits into the memory of all pages.
func TestTheLargestPageFitsIntoTheBudget(t *testing.T) {
	if most := hub.DefaultCeilings().PageBytes; most < bridge.DefaultMaxBody || most*bridge.MemoryFactor > bridge.DefaultBudget {
		t.Errorf("%d bytes", most)
	}
}

// What was set before there was a ceiling works as if it were the ceiling, and does not keep the integration from being changed.
func TestOlderLimitsAreClampedWhereTheyAreUsed(t *testing.T) {
	f, c := newHub(t), newCRM(t, 30)
	f.add(t, c, func(i *registry.Integration) { i.Limits = registry.Limits{Timeout: time.Minute, Pages: 1000} })
	f.Options.Ceilings = registry.Limits{Timeout: 300 * time.Millisecond, Pages: 2}
	hang := tarPit(t)
	draft := f.view(t).Integration
	draft.Schedule = registry.Schedule{Off: true}
	must(t, f.ChangeIntegration(t.Context(), draft, nil))
	draft = f.view(t).Integration
	draft.Bridge = hang
	must(t, f.ChangeIntegration(t.Context(), draft, good))
	began := time.Now()
	if r := f.test(t); r.OK || time.Since(began) > pace.Limit(5*time.Second) {
		t.Errorf("%+v after %s", r, time.Since(began))
	}
	back := f.view(t).Integration
	back.Bridge = c.url
	must(t, f.ChangeIntegration(t.Context(), back, good))
	work(t, f.Hub)
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Run: true}))
	if v := f.until(t, registry.HealthFailing); !strings.Contains(v.Status.Problem.Message, "2 pages") {
		t.Errorf("%+v", v.Status.Problem)
	}
}

// Integrations that hang keep their own account's places, and never another account's.
func TestAnAccountDoesNotTakeAllWorkers(t *testing.T) {
	f, c := newHub(t), newCRM(t, 3)
	must(t, f.PutAccount(t.Context(), registry.Account{Name: "other", Region: "US"}))
	for n := range 12 { // more than there are workers, at hosts of their own
		key := directory.Key{Account: "acme", Integration: fmt.Sprintf("stuck%d", n)}
		must(t, f.AddIntegration(t.Context(), registry.Integration{Key: key, Bridge: tarPit(t), Limits: registry.Limits{Timeout: time.Minute}}, good))
	}
	work(t, f.Hub)
	eventually(t, "they hang", func() bool { return len(f.working(t, "acme")) == 4 })
	key := directory.Key{Account: "other", Integration: "crm"}
	must(t, f.AddIntegration(t.Context(), registry.Integration{Key: key, Bridge: c.url}, good))
	began := time.Now()
	eventually(t, "the other account's has run", func() bool {
		v, err := f.Integration(t.Context(), key)
		must(t, err)
		return v.Status.Health == registry.HealthOK
	})
	if took := time.Since(began); took > pace.Limit(5*time.Second) {
		t.Errorf("after %s", took)
	}
	if n := len(f.working(t, "acme")); n > 4 {
		t.Errorf("%d of 8 workers are one account's", n)
	}
}

// working lists an account's integrations that a worker has.
func (f *fixture) working(t *testing.T, account string) (names []string) {
	t.Helper()
	list, err := f.Registry.Integrations(t.Context(), account, directory.Key{}, 0)
	must(t, err)
	for _, i := range list {
		if i.Status.Worker != "" {
			names = append(names, i.Key.Integration)
		}
	}
	slices.Sort(names)
	return names
}

// Where there is one account only, it has all workers.
func TestOneAccountHasAllWorkers(t *testing.T) {
	f := newHub(t)
	if n := f.PerAccount(t.Context()); n != f.Workers() {
		t.Errorf("%d", n)
	}
	must(t, f.PutAccount(t.Context(), registry.Account{Name: "other"}))
	f.clock.move(time.Minute)
	if n := f.PerAccount(t.Context()); n != f.Workers()/2 {
		t.Errorf("%d of two accounts", n)
	}
	f.Options.PerAccount = 3
	if n := f.PerAccount(t.Context()); n != 3 {
		t.Errorf("%d, configured as 3", n)
	}
}

// People who try integrations take places as runs do: they cannot be used to ask a host, or to keep the hub busy, without bounds.
func TestTestsTakePlacesAsRunsDo(t *testing.T) {
	t.Parallel()
	f := newHub(t)
	f.Options.Workers, f.Options.PerHost = 8, 2
	pit := tarPit(t)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var mu sync.Mutex
	busy := 0
	for range 6 {
		all.Go(func() {
			_, err := f.TestDraft(ctx, registry.Integration{Key: crmKey, Bridge: pit, Limits: registry.Limits{Timeout: time.Minute}}, good)
			mu.Lock()
			defer mu.Unlock()
			if failure.Of(err).Code == failure.Busy {
				busy++
			}
		})
	}
	eventually(t, "those without a place are told", func() bool { mu.Lock(); defer mu.Unlock(); return busy == 4 })
	cancel()
	all.Wait()
	if r, err := f.TestDraft(t.Context(), registry.Integration{Key: crmKey, Bridge: newCRM(t, 1).url}, good); err != nil || !r.OK {
		t.Errorf("their places are free again: %v %+v", err, r)
	}
}

// A run has an end, even if its bridge always answers and never says that it is done.
func TestARunHasAnEnd(t *testing.T) {
	f, c := newHub(t), newCRM(t, 1)
	page := 0
	c.answer(func(w http.ResponseWriter, _ *http.Request) bool {
		page++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"next_offset":"%d","contacts":[]}`, page)
		time.Sleep(20 * time.Millisecond)
		return true
	})
	f.Options.Ceilings = registry.Limits{Run: 500 * time.Millisecond}
	f.add(t, c)
	work(t, f.Hub)
	if v := f.until(t, registry.HealthFailing); v.Status.Problem.Code != "too_long" {
		t.Errorf("%+v", v.Status.Problem)
	}
	if l := hub.DefaultLimits(); l.Run <= 0 {
		t.Errorf("a run has no end by itself: %+v", l)
	}
}
