package hub_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// An ear is a bridge that notes which passwords and access tokens it is sent.
type ear struct {
	*httptest.Server
	mu   sync.Mutex
	sent []string
}

func newEar(t *testing.T) *ear {
	t.Helper()
	e := &ear{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Auth map[string]string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		e.mu.Lock()
		e.sent = append(e.sent, body.Auth["password"]+body.Auth["access_token"])
		e.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"contacts":[{"id":"1","name":"Jane"}]}`))
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *ear) was() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.sent)
}

// claimed is the fixture's integration in the hands of a worker.
func (f *fixture) claimed(t *testing.T) registry.Claim {
	t.Helper()
	claims, err := f.Claim(t.Context(), 1, time.Minute)
	must(t, err)
	if len(claims) != 1 {
		t.Fatalf("%d claims", len(claims))
	}
	return claims[0]
}

// A claim tells an address of the moment when it was taken. What is sent, and where, is read together: new credentials never go
// to the old address.
func TestAClaimFromBeforeAChangeSendsNothingToTheOldAddress(t *testing.T) {
	f, before, after := newHub(t), newEar(t), newEar(t)
	must(t, f.AddIntegration(t.Context(), registry.Integration{Key: crmKey, Bridge: before.URL}, map[string]string{"password": "old"}))
	c := f.claimed(t)
	changed := f.view(t).Integration
	changed.Bridge = after.URL
	must(t, f.ChangeIntegration(t.Context(), changed, map[string]string{"password": "new"}))
	f.RunClaim(t.Context(), c)
	if sent := before.was(); len(sent) > 0 {
		t.Errorf("the old address was sent %q", sent)
	}
	if sent := after.was(); !slices.Equal(sent, []string{"new"}) {
		t.Errorf("the new address was sent %q", sent)
	}
	if v := f.view(t); v.Status.Health != registry.HealthOK || v.State.Contacts != 1 {
		t.Errorf("%+v, %d contacts", v.Status, v.State.Contacts)
	}
}

// Access tokens of one client are not used for another one: its contacts may be another tenant's (D8, D10).
func TestAccessTokensGoWithTheClientThatTheyWereGivenTo(t *testing.T) {
	f, b := newHub(t), newEar(t)
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		client, _, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": client + r.Form.Get("client_id") + r.Form.Get("tenant"), "token_type": "Bearer", "expires_in": 36000})
	}))
	t.Cleanup(tokens.Close)
	o := registry.OAuth{Grant: hub.ClientCredentials, TokenURL: tokens.URL, ClientID: "one"}
	must(t, f.AddIntegration(t.Context(), registry.Integration{Key: crmKey, Bridge: b.URL, OAuth: &o}, map[string]string{"client_secret": "x"}))
	f.RunClaim(t.Context(), f.claimed(t))
	for _, change := range []func(o *registry.OAuth){
		func(o *registry.OAuth) { o.ClientID = "two" },
		func(o *registry.OAuth) { o.Params = map[string]string{"tenant": "-b"} },
	} {
		changed := f.view(t).Integration
		again := *changed.OAuth
		change(&again)
		changed.OAuth = &again
		must(t, f.ChangeIntegration(t.Context(), changed, nil))
		must(t, f.Ask(t.Context(), crmKey, registry.Ask{Run: true}))
		f.RunClaim(t.Context(), f.claimed(t))
	}
	if sent := b.was(); !slices.Equal(sent, []string{"one", "two", "two-b"}) {
		t.Errorf("the bridge was sent the tokens %q", sent)
	}
}

// A yes, or a no, that comes while a run ends is not forgotten: nothing waits afterwards, and the integration's health says so (D9).
func TestAnAnswerWhileARunEndsIsTheLast(t *testing.T) {
	for name, say := range map[string]func(f *fixture, set string) (int64, error){
		"yes": func(f *fixture, set string) (int64, error) { return f.AcceptDeletions(t.Context(), crmKey, set) },
		"no":  func(f *fixture, set string) (int64, error) { return f.RefuseDeletions(t.Context(), crmKey, set) },
	} {
		t.Run(name, func(t *testing.T) {
			f, c := newHub(t), newCRM(t, 40)
			f.add(t, c)
			f.RunClaim(t.Context(), f.claimed(t))
			c.becomes(t, 20)
			must(t, f.Ask(t.Context(), crmKey, registry.Ask{Full: true}))
			claim := f.claimed(t)
			done := make(chan struct{})
			go func() { // as soon as the directory holds them back, before the run's outcome is written
				defer close(done)
				eventually(t, "deletions wait", func() bool {
					state, err := f.Store().State(t.Context(), crmKey)
					must(t, err)
					if state.Held.Count == 0 {
						return false
					}
					n, err := say(f, state.Held.Set)
					if n != 20 || err != nil {
						t.Errorf("the answer: %d, %v", n, err)
					}
					return true
				})
			}()
			f.Observe = func(directory.Run) { <-done }
			f.RunClaim(t.Context(), claim)
			if v := f.view(t); v.Status.Health != registry.HealthOK || v.Status.Problem != nil || v.State.Held.Count != 0 {
				t.Errorf("%+v, %+v", v.Status, v.State.Held)
			}
		})
	}
}

// What an integration's problem says is how many deletions wait now, not how many there were.
func TestTheProblemCountsWhatWaitsNow(t *testing.T) {
	f, c := newHub(t), newCRM(t, 100)
	f.add(t, c)
	f.RunClaim(t.Context(), f.claimed(t))
	c.becomes(t, 60)
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Full: true}))
	f.RunClaim(t.Context(), f.claimed(t))
	since := f.view(t).Status.Problem.Since
	f.clock.move(time.Hour)
	c.answer(nil)
	for n := range 99 { // they are changed, so that an incremental run shows all but one
		p := person(n)
		p.Name += " again"
		c.Put(p)
	}
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Run: true}))
	f.RunClaim(t.Context(), f.claimed(t))
	v := f.view(t)
	if v.State.Held.Count != 1 || v.Status.Health != registry.HealthGuarded || !v.Status.Problem.Since.Equal(since) {
		t.Fatalf("%+v, %+v", v.State.Held, v.Status)
	}
	if want := "the deletion of 1 contact waits for a decision"; v.Status.Problem.Message != want {
		t.Errorf("%q, want %q", v.Status.Problem.Message, want)
	}
}

// A worker that comes too late finds that the integration is being removed: that is not a failure of a run.
func TestAClaimOfAnIntegrationThatIsBeingRemovedIsNoFailure(t *testing.T) {
	f, b := newHub(t), newEar(t)
	must(t, f.AddIntegration(t.Context(), registry.Integration{Key: crmKey, Bridge: b.URL}, map[string]string{"password": "x"}))
	c := f.claimed(t)
	must(t, f.Registry.BeginRemoval(t.Context(), crmKey))
	f.RunClaim(t.Context(), c)
	if sent, kinds := b.was(), f.events(t); len(sent) > 0 || slices.Contains(kinds, "run.failed") {
		t.Errorf("the bridge was sent %q; events %v", sent, kinds)
	}
	if free, err := f.Registry.Removable(t.Context(), crmKey); err != nil || !free {
		t.Errorf("it is still claimed: %v", err)
	}
}
