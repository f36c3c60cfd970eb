package hub_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A provider gives access tokens, of which the last one is good, and refresh tokens that are good for once.
type provider struct {
	url string

	mu      sync.Mutex
	asked   []url.Values
	given   int
	refresh string
	refuse  string // error code to answer with; empty: gives tokens
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	server := httptest.NewServer(http.HandlerFunc(p.token))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = r.ParseForm()
	p.asked = append(p.asked, r.PostForm)
	_, password, _ := r.BasicAuth()
	w.Header().Set("Content-Type", "application/json")
	refusal := p.refuse
	switch {
	case refusal == "" && password != "hush" && r.PostForm.Get("client_secret") != "hush":
		refusal = "invalid_client"
	case r.PostForm.Get("grant_type") == "refresh_token" && r.PostForm.Get("refresh_token") != p.refresh:
		refusal = "invalid_grant"
	}
	if refusal != "" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":%q,"error_description":"secret words"}`, refusal)
		return
	}
	p.given++
	p.refresh = fmt.Sprintf("refresh-%d", p.given)
	fmt.Fprintf(w, `{"access_token":"access-%d","refresh_token":%q,"token_type":"Bearer","expires_in":3600}`, p.given, p.refresh)
}

func (p *provider) current() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("access-%d", p.given)
}

// requests are the requests to the provider.
func (p *provider) requests() []url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]url.Values(nil), p.asked...)
}

// expire makes every token that was given worthless, though no answer says so.
func (p *provider) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.given += 100
}

func (p *provider) refuseWith(code string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = code
}

// takesTokens makes a bridge take the provider's current token only.
func (c *crm) takesTokens(p *provider) {
	c.handler = &bridge.Handler{Open: c.Factory().Open, Digest: "memory", Limits: bridge.Limits{Contacts: 10}, Authenticate: func(auth bridge.Auth) error {
		return bridge.RequireAuth(bridge.Auth{"access_token": p.current()})(bridge.Auth{"access_token": auth["access_token"]})
	}}
}

// addOAuth adds an integration that gets its token from the provider.
func (f *fixture) addOAuth(t *testing.T, c *crm, p *provider, grant string) {
	t.Helper()
	must(t, f.AddIntegration(t.Context(), registry.Integration{
		Key: crmKey, Bridge: c.url, Schedule: registry.Schedule{Off: true},
		OAuth: &registry.OAuth{Grant: grant, TokenURL: p.url + "/token", AuthorizeURL: p.url + "/authorize", ClientID: "hub", Scopes: []string{"contacts"}},
	}, map[string]string{"client_secret": "hush"}))
}

// finish completes a sign-in with a code.
func (f *fixture) finish(ctx context.Context, state string) (directory.Key, error) {
	landing, err := f.FinishSignIn(ctx, hub.SignInAnswer{State: state, Code: "the-code"})
	return landing.Key, err
}

func (f *fixture) test(t *testing.T) hub.TestResult {
	t.Helper()
	result, err := f.Test(t.Context(), crmKey)
	must(t, err)
	return result
}

func TestClientCredentialsGetATokenAndAnotherWhereItIsRefused(t *testing.T) {
	f, c, p := newHub(t), newCRM(t, 25), newProvider(t)
	c.takesTokens(p)
	f.addOAuth(t, c, p, hub.ClientCredentials)
	if r := f.test(t); !r.OK {
		t.Fatalf("%+v", r.Problem)
	}
	if r := f.test(t); !r.OK || len(p.requests()) != 1 {
		t.Errorf("the token is not kept: %+v, %d requests", r.Problem, len(p.requests()))
	}
	p.expire()
	if r := f.test(t); !r.OK || len(p.requests()) != 2 {
		t.Errorf("a refused token: %+v, %d requests", r.Problem, len(p.requests()))
	}
	if got := p.requests()[0]; got.Get("grant_type") != "client_credentials" || got.Get("scope") != "contacts" {
		t.Errorf("it asked for %v", got)
	}
}

func TestOneRequestGetsOneNewToken(t *testing.T) {
	f, c, p := newHub(t), newCRM(t, 1), newProvider(t)
	c.handler = &bridge.Handler{Open: c.Factory().Open, Authenticate: bridge.RequireAuth(bridge.Auth{"access_token": "never"})}
	f.addOAuth(t, c, p, hub.ClientCredentials)
	r := f.test(t)
	if r.OK || r.Problem.Code != string(bridge.CodeUnauthorized) {
		t.Errorf("%+v", r)
	}
	if c.asked() != 2 || len(p.requests()) != 2 {
		t.Errorf("the bridge was asked %d times, the provider %d", c.asked(), len(p.requests()))
	}
}

func TestManyThatNeedATokenGetTheSame(t *testing.T) {
	f, c, p := newHub(t), newCRM(t, 1), newProvider(t)
	c.takesTokens(p)
	f.addOAuth(t, c, p, hub.ClientCredentials)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if r, err := f.Test(t.Context(), crmKey); err != nil || !r.OK {
				t.Errorf("%v %+v", err, r.Problem)
			}
		})
	}
	all.Wait()
	if n := len(p.requests()); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
}

func TestSomebodyLetsTheHubIn(t *testing.T) {
	f, c, p := newHub(t), newCRM(t, 3), newProvider(t)
	c.takesTokens(p)
	f.addOAuth(t, c, p, hub.AuthorizationCode)
	r := f.test(t)
	if r.OK || !strings.Contains(r.Problem.Message, "the integration is not connected") || !strings.Contains(r.Problem.Hint, "connect crm") {
		t.Errorf("before: %+v", r.Problem)
	}
	to, err := f.BeginOAuth(t.Context(), crmKey, "https://hub.example.com/oauth/callback")
	must(t, err)
	u, err := url.Parse(to)
	must(t, err)
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("client_id") != "hub" || q.Get("redirect_uri") != "https://hub.example.com/oauth/callback" {
		t.Errorf("the browser goes to %s", to)
	}
	key, err := f.finish(t.Context(), q.Get("state"))
	must(t, err)
	exchange := p.requests()[0]
	if key != crmKey || exchange.Get("code") != "the-code" || exchange.Get("code_verifier") == "" {
		t.Errorf("%v: %v", key, exchange)
	}
	if _, err := f.finish(t.Context(), q.Get("state")); err == nil {
		t.Error("a state is good twice")
	}
	if r := f.test(t); !r.OK {
		t.Errorf("let in: %+v", r.Problem)
	}
	p.expire()
	if r := f.test(t); !r.OK {
		t.Errorf("refreshed: %+v", r.Problem)
	}
	if last := p.requests()[len(p.requests())-1]; last.Get("grant_type") != "refresh_token" {
		t.Errorf("it asked for %v", last)
	}
}

func TestARefusedGrantSaysWhatToDoAndIsNotHammered(t *testing.T) {
	f, c, p := newHub(t), newCRM(t, 3), newProvider(t)
	c.takesTokens(p)
	p.refuseWith("invalid_client")
	f.addOAuth(t, c, p, hub.ClientCredentials)
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Run: true}))
	work(t, f.Hub)
	v := f.until(t, registry.HealthBroken)
	problem := v.Status.Problem
	if !strings.Contains(problem.Message, "invalid_client") || !strings.Contains(problem.Hint, "client_secret") || strings.Contains(problem.Message, "secret words") {
		t.Errorf("%+v", problem)
	}
	if !v.Status.Due.IsZero() || c.asked() != 0 {
		t.Errorf("due %s, the bridge was asked %d times", v.Status.Due, c.asked())
	}
}

// Two processes that need a token at the same moment use a refresh token once: some providers take its second use for a theft.
func TestOneProcessRefreshesAtATime(t *testing.T) {
	f, c, p := newHub(t), newCRM(t, 1), newProvider(t)
	c.takesTokens(p)
	f.addOAuth(t, c, p, hub.AuthorizationCode)
	f.connect(t)
	hubs := []*hub.Hub{f.Hub, f.another(t, "two"), f.another(t, "three")}
	for range 5 {
		p.expire()
		before := len(p.requests())
		var all sync.WaitGroup
		for _, h := range hubs {
			all.Go(func() {
				if r, err := h.Test(t.Context(), crmKey); err != nil || !r.OK {
					t.Errorf("%v %+v", err, r.Problem)
				}
			})
		}
		all.Wait()
		if n := len(p.requests()) - before; n != 1 {
			t.Errorf("the provider was asked %d times", n)
		}
	}
}

// connect connects the integration, as a user does in a browser.
func (f *fixture) connect(t *testing.T) {
	t.Helper()
	to, err := f.BeginOAuth(t.Context(), crmKey, "https://hub.example.com/oauth/callback")
	must(t, err)
	u, err := url.Parse(to)
	must(t, err)
	_, err = f.finish(t.Context(), u.Query().Get("state"))
	must(t, err)
}

// A refresh token is used up when the provider answers: what it gave is not lost where it cannot be saved at that moment.
func TestATokenThatCannotBeSavedIsNotLost(t *testing.T) {
	f, c, p := newHub(t), newCRM(t, 1), newProvider(t)
	c.takesTokens(p)
	f.addOAuth(t, c, p, hub.AuthorizationCode)
	f.connect(t)
	sealer := &fragile{}
	f.Registry = reopened(t, f, sealer)
	p.expire()
	sealer.set(true)
	if r := f.test(t); !r.OK {
		t.Errorf("with a new token that is not saved: %+v", r.Problem)
	}
	asked := len(p.requests())
	if r := f.test(t); !r.OK || len(p.requests()) != asked {
		t.Errorf("again: %+v, %d requests", r.Problem, len(p.requests())-asked)
	}
	sealer.set(false)
	if r := f.test(t); !r.OK {
		t.Errorf("it can be saved again: %+v", r.Problem)
	}
	if r, err := f.another(t, "two").Test(t.Context(), crmKey); err != nil || !r.OK || len(p.requests()) != asked {
		t.Errorf("another process has it: %v %+v, %d requests", err, r.Problem, len(p.requests())-asked)
	}
}

// A token that comes while the integration is sent elsewhere does not go there.
func TestALateTokenIsNotForAnotherPlace(t *testing.T) {
	f, c, p := newHub(t), newCRM(t, 1), newProvider(t)
	c.takesTokens(p)
	asked, goOn := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-goOn
		p.token(w, r)
	}))
	t.Cleanup(slow.Close)
	f.addOAuth(t, c, &provider{url: slow.URL}, hub.ClientCredentials)
	tested := make(chan struct{})
	go func() { defer close(tested); _, _ = f.Test(context.Background(), crmKey) }()
	<-asked
	other := newCRM(t, 1)
	var mu sync.Mutex
	got := ""
	other.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		body := make([]byte, 1<<10)
		n, _ := r.Body.Read(body)
		mu.Lock()
		defer mu.Unlock()
		got = string(body[:n])
		return false
	})
	changed := f.view(t).Integration
	changed.Bridge, changed.OAuth.TokenURL = other.url, p.url+"/token"
	must(t, f.ChangeIntegration(t.Context(), changed, map[string]string{"client_secret": "hush"}))
	close(goOn)
	<-tested
	first := p.current()
	f.test(t)
	mu.Lock()
	defer mu.Unlock()
	if strings.Contains(got, first+`"`) {
		t.Errorf("the new bridge was sent the old one's token: %s", got)
	}
}
