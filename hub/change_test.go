package hub_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A fragile sealer seals nothing any more once it is broken: what a change does after its configuration fails.
type fragile struct {
	plain
	mu     sync.Mutex
	broken bool
}

func (s *fragile) Seal(text []byte, context string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return nil, errors.New("the key is gone")
	}
	return s.plain.Seal(text, context)
}

func (s *fragile) set(broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = broken
}

// Kept credentials are never beside an address that they were not given for: not for a moment, not where the caller hangs up, and not
// where the database fails in the middle.
func TestCredentialsAndAddressChangeTogether(t *testing.T) {
	f, c := newHub(t), newCRM(t, 1)
	var mu sync.Mutex
	var stolen []string
	mallory := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := make([]byte, 1<<10)
		n, _ := r.Body.Read(body)
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(string(body[:n]), "s3cret") {
			stolen = append(stolen, string(body[:n]))
		}
	}))
	t.Cleanup(mallory.Close)
	f.add(t, c, func(i *registry.Integration) { i.Schedule = registry.Schedule{Every: registry.MinEvery} })
	mallorys := map[string]string{"username": "mallory", "password": "mine"}
	check := func() {
		t.Helper()
		auth, err := f.Registry.Auth(t.Context(), crmKey)
		must(t, err)
		if i := f.view(t); (i.Bridge == c.url) != (auth["password"] == "s3cret") {
			t.Fatalf("%s with the password %q", i.Bridge, auth["password"])
		}
	}
	for range 40 { // the caller hangs up, as in the middle of it as can be
		changed := f.view(t).Integration
		changed.Bridge, changed.Version = mallory.URL, 0
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(rand.N(1500*time.Microsecond), cancel)
		_ = f.ChangeIntegration(ctx, changed, mallorys)
		cancel()
		check()
		back := f.view(t).Integration
		back.Bridge = c.url
		must(t, f.ChangeIntegration(t.Context(), back, good))
		check()
	}
	sealer := &fragile{}
	f.Registry = reopened(t, f, sealer)
	changed := f.view(t).Integration
	changed.Bridge = mallory.URL
	sealer.set(true)
	if err := f.ChangeIntegration(t.Context(), changed, mallorys); err == nil {
		t.Error("a change without its credentials")
	}
	check()
	fresh := registry.Integration{Key: crmKey, Bridge: c.url}
	fresh.Key.Integration = "fresh"
	if err := f.AddIntegration(t.Context(), fresh, good); err == nil {
		t.Error("an integration without its credentials")
	}
	if _, err := f.Integration(t.Context(), fresh.Key); failure.Of(err).Code != failure.NotFound {
		t.Errorf("half of an integration was added: %v", err)
	}
	if len(stolen) > 0 {
		t.Errorf("mallory's server was sent %q", stolen)
	}
}

// reopened returns the fixture's registry with another sealer.
func reopened(t *testing.T, f *fixture, seal registry.Sealer) *registry.DB {
	t.Helper()
	r, err := registry.Open(t.Context(), f.dir+"/hub.db", registry.OpenOptions{Seal: seal, Clock: f.clock.Now})
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// A change is judged with what it meets: values that came in between are not sent to where they were not given for.
func TestAChangeThatMeetsAnotherIsJudgedAgain(t *testing.T) {
	f, c := newHub(t), newCRM(t, 1)
	f.add(t, c)
	read := f.view(t).Integration
	must(t, f.ChangeIntegration(t.Context(), f.view(t).Integration, map[string]string{"api_key": "precious"}))
	read.Bridge = "https://mallory.example.com/contact_sync"
	all := map[string]string{"username": "mallory", "password": "mine"} // everything that there was when it was read
	if err := f.ChangeIntegration(t.Context(), read, all); failure.Of(err).Code != failure.Conflict {
		t.Errorf("a change of an older version: %v", err)
	}
	read.Version = 0
	if err := f.ChangeIntegration(t.Context(), read, all); failure.Of(err).Code != failure.Invalid || !strings.Contains(err.Error(), "api_key") {
		t.Errorf("a value goes to where it was not given for: %v", err)
	}
	if i := f.view(t); i.Bridge != c.url {
		t.Errorf("it is at %s", i.Bridge)
	}
}

// Values that a bridge gives are for that bridge.
func TestLearnedValuesAreNotForAnotherBridge(t *testing.T) {
	f, c := newHub(t), newCRM(t, 1)
	asked, goOn := make(chan struct{}), make(chan struct{})
	validation := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-goOn
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"tenant":"7"}`))
	}))
	t.Cleanup(validation.Close)
	f.add(t, c, func(i *registry.Integration) { i.Validation = validation.URL })
	tested := make(chan error, 1)
	go func() { _, err := f.Test(context.Background(), crmKey); tested <- err }()
	<-asked
	changed := f.view(t).Integration
	changed.Bridge = "https://other.example.com/contact_sync"
	must(t, f.ChangeIntegration(t.Context(), changed, good))
	close(goOn)
	if err := <-tested; failure.Of(err).Code != failure.Conflict {
		t.Errorf("the test says %v", err)
	}
	if set := f.view(t).AuthSet; strings.Join(set, " ") != "password username" {
		t.Errorf("kept are %v", set)
	}
}

// The audit log names the actor of every change, even if the caller has hung up since.
func TestWhatWasDoneIsInTheAuditLog(t *testing.T) {
	f := newHub(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	must(t, f.Note(ctx, "integration.add", "acme", "crm", "host x"))
	entries, err := f.Audit(t.Context(), registry.Filter{})
	must(t, err)
	if entries[0].Subject != "crm" {
		t.Errorf("%+v", entries[0])
	}
}

// A request to an integration is not forgotten when its run is refused or waits for a retry.
func TestAsksSurviveRefusalsAndRetries(t *testing.T) {
	f, c := newHub(t), newCRM(t, 3)
	f.add(t, c)
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	c.answer(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "36000")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Run: true}))
	v := f.until(t, registry.HealthFailing)
	if !v.Status.Asked.Run {
		t.Errorf("it waits, but %+v is asked", v.Status.Asked)
	}
	c.answer(nil)
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Run: true})) // the bridge is mended, and a user knows
	f.until(t, registry.HealthOK)

	c.answer(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusUnauthorized); return true })
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Full: true}))
	if v := f.until(t, registry.HealthBroken); !v.Status.Asked.Full {
		t.Errorf("broken, and %+v is asked", v.Status.Asked)
	}
	asked := c.asked()
	f.clock.move(24 * time.Hour)
	time.Sleep(1500 * time.Millisecond)
	if c.asked() != asked {
		t.Error("a broken integration was tried again")
	}
	c.answer(nil)
	must(t, f.ChangeIntegration(t.Context(), f.view(t).Integration, good))
	f.until(t, registry.HealthOK)
	if last := f.runs(t)[0]; last.Kind != "initial" {
		t.Errorf("the full run that was asked for was %+v", last)
	}
}

// A firewall that says 403 for a minute breaks nothing, at the bridge or at the token endpoint; a 401 is the bridge's own word.
func TestOne403BreaksNothing(t *testing.T) {
	t.Parallel()
	for status, health := range map[int]registry.Health{http.StatusForbidden: registry.HealthFailing, http.StatusUnauthorized: registry.HealthBroken} {
		f, c := newHub(t), newCRM(t, 3)
		c.answer(func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "<html>Request blocked</html>", status)
			return true
		})
		f.add(t, c)
		work(t, f.Hub)
		v := f.until(t, health)
		if status != http.StatusForbidden {
			continue
		}
		c.answer(nil)
		f.clock.move(v.Status.Due.Sub(f.clock.Now()))
		f.until(t, registry.HealthOK)
		c.answer(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(status); return true })
		for n := 1; n <= 3; n++ { // for good
			f.clock.move(f.view(t).Status.Due.Sub(f.clock.Now()))
			eventually(t, "it has failed again", func() bool { v := f.view(t); return v.Status.Failures == n && v.Status.Worker == "" })
		}
		f.until(t, registry.HealthBroken)
	}
	for answer, health := range map[string]registry.Health{
		"<html>Request blocked</html>": registry.HealthFailing, `{"error":"access_denied"}`: registry.HealthBroken,
	} {
		f, c := newHub(t), newCRM(t, 3)
		tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(answer))
		}))
		t.Cleanup(tokens.Close)
		f.addOAuth(t, c, &provider{url: tokens.URL}, hub.ClientCredentials)
		must(t, f.Ask(t.Context(), crmKey, registry.Ask{Run: true}))
		work(t, f.Hub)
		f.until(t, health)
	}
}
