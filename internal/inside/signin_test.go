package inside_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/postgres"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/inside"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
)

var server pgtest.Suite

func TestMain(m *testing.M) { server.Main(m) }

// A watch is a clock that is moved by hand.
type watch struct {
	mu  sync.Mutex
	now time.Time
}

func (w *watch) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *watch) move(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// plain seals nothing.
type plain struct{}

func (plain) Seal(text []byte, _ string) ([]byte, error) { return text, nil }
func (plain) Open(text []byte, _ string) ([]byte, error) { return text, nil }

// A world is a HubSpot account at which people sign in, and the processes of a hub.
type world struct {
	hubSpot *vendors.HubSpot
	clock   *watch
	cloud   *vendors.Cloud
	at, dir string // registry and directory
	hubs    []*hub.Hub
	// before is called with each request to a service; it may be nil.
	before func(*http.Request)
}

const hubSpotSource = "source: {kind: hubspot}"

var (
	crm  = directory.Key{Account: "acme", Integration: "crm"}
	jane = hub.Actor{Name: "user jane", User: "u-jane", All: true, Scopes: []registry.Scope{registry.ScopeAdmin}}
	eve  = hub.Actor{Name: "user eve", User: "u-eve", Accounts: []string{"other"}, Scopes: []registry.Scope{registry.ScopeWrite}}
)

func newWorld(t *testing.T, at, dir string) *world {
	t.Helper()
	w := &world{clock: &watch{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}, cloud: &vendors.Cloud{}, at: at, dir: dir}
	w.hubSpot = vendors.NewHubSpot(w.clock.Now, 77)
	w.hubSpot.SetLimits()
	w.cloud.Add(w.hubSpot)
	for n := range 5 {
		w.hubSpot.Create(vendors.Fields{"firstname": fmt.Sprintf("Ann %d", n), "phone": fmt.Sprintf("+4420794600%02d", n)})
	}
	h := w.process(t, "one")
	for _, name := range []string{"acme", "other"} {
		must(t, h.PutAccount(t.Context(), registry.Account{Name: name, Region: "GB"}))
	}
	return w
}

// inFiles is a world whose hub is embedded.
func inFiles(t *testing.T) *world {
	dir := t.TempDir()
	return newWorld(t, filepath.Join(dir, "hub.db"), filepath.Join(dir, "directory.db"))
}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, test func(*testing.T, *world)) {
	t.Run("sqlite", func(t *testing.T) { test(t, inFiles(t)) })
	t.Run("postgres", func(t *testing.T) {
		dsn := server.Database(t).DSN
		test(t, newWorld(t, dsn, dsn))
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// process is one more process of the hub.
func (w *world) process(t *testing.T, name string) *hub.Hub {
	t.Helper()
	r, err := registry.Open(t.Context(), w.at, registry.OpenOptions{Seal: plain{}, Clock: w.clock.Now})
	must(t, err)
	var store directory.Store
	if registry.IsPostgres(w.dir) {
		store, err = postgres.Open(t.Context(), w.dir)
	} else {
		store, err = sqlite.Open(t.Context(), w.dir)
	}
	must(t, err)
	outside := roundTrip(func(r *http.Request) (*http.Response, error) {
		if w.before != nil {
			w.before(r)
		}
		return w.cloud.RoundTrip(r)
	})
	refuse := func(context.Context, string, string) (net.Conn, error) {
		return nil, fmt.Errorf("no connection is made here")
	}
	sources := inside.New(inside.Options{Transport: outside, Dial: refuse, Files: r})
	t.Cleanup(func() { must(t, sources.Close()); must(t, store.Close()); must(t, r.Close()) })
	h := hub.New(r, store)
	h.Inside, h.Outbound = sources, outside
	h.Options = hub.Options{
		Name: name, Clock: w.clock.Now, RetryFirst: time.Minute, PublicURL: "https://hub.example.com",
		OAuthClients: map[string]hub.OAuthClient{
			"hubspot": {ClientID: w.hubSpot.OAuth.ClientID, ClientSecret: w.hubSpot.OAuth.ClientSecret},
			"google":  {ClientID: "g", ClientSecret: "google's secret"},
		},
	}
	w.hubs = append(w.hubs, h)
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const callback = "https://hub.example.com/oauth/callback"

var draft = hub.SourceDraft{Account: "acme", Text: hubSpotSource, Client: "hubspot"}

// begin begins a sign-in of Jane's, and returns what her browser brings back once she has permitted the access.
func (w *world) begin(t *testing.T, r hub.SignInRequest) (hub.SignInBegun, hub.SignInAnswer) {
	t.Helper()
	r.Redirect = callback
	begun, err := w.hubs[0].BeginSignIn(hub.WithActor(t.Context(), jane), r)
	must(t, err)
	back, err := w.hubSpot.OAuth.Permit(begun.URL)
	must(t, err)
	q := back.Query()
	return begun, hub.SignInAnswer{State: q.Get("state"), Code: q.Get("code"), Binding: begun.Binding}
}

// signedIn returns what a sign-in gave.
func (w *world) signedIn(t *testing.T) string {
	t.Helper()
	begun, answer := w.begin(t, hub.SignInRequest{Draft: draft, Back: "/catalogue", Bound: true})
	landing, err := w.hubs[0].FinishSignIn(t.Context(), answer)
	must(t, err)
	if landing.Grant != begun.Grant || landing.Back != "/catalogue" {
		t.Fatalf("%+v", landing)
	}
	return begun.Grant
}

// add adds an integration that reads HubSpot by Jane's sign-in.
func (w *world) add(t *testing.T) {
	t.Helper()
	i := registry.Integration{Key: crm, Source: "hubspot", Schedule: registry.Schedule{Off: true}, OAuth: &registry.OAuth{Grant: hub.AuthorizationCode, Client: "hubspot"}}
	must(t, w.hubs[0].AddIntegration(hub.WithActor(t.Context(), jane), i, map[string]string{registry.SourceValue: hubSpotSource, registry.GrantValue: w.signedIn(t)}))
}

func (w *world) test(t *testing.T, n int) hub.TestResult {
	t.Helper()
	result, err := w.hubs[n].Test(t.Context(), crm)
	must(t, err)
	return result
}

// Whoever signs in sees their contacts before anything is kept, then keeps the integration, which runs.
func TestASignInBringsContacts(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		h, ctx := w.hubs[0], hub.WithActor(t.Context(), jane)
		how, client, err := h.SignInFor(ctx, hub.SourceDraft{Account: "acme", Text: hubSpotSource})
		if err != nil || client != "hubspot" || how.Title != "HubSpot" || how.AuthorizeURL != "https://app.hubspot.com/oauth/authorize" {
			t.Fatalf("%+v, %q, %v", how, client, err)
		}
		if _, err := h.PreviewSource(ctx, draft); !strings.Contains(fmt.Sprint(err), "nobody has signed in at HubSpot") {
			t.Errorf("without a sign-in: %v", err)
		}
		signed := draft
		signed.Grant = w.signedIn(t)
		p, err := h.PreviewSource(ctx, signed)
		if err != nil || len(p.Contacts) != 5 || !p.OK {
			t.Fatalf("%+v, %v", p, err)
		}
		i := registry.Integration{Key: crm, Source: "hubspot", Schedule: registry.Schedule{Every: time.Hour}, OAuth: &registry.OAuth{Client: "hubspot"}}
		auth := map[string]string{registry.SourceValue: hubSpotSource, registry.GrantValue: signed.Grant}
		must(t, h.AddIntegration(ctx, i, auth))
		w.run(t)
		v, err := h.Integration(ctx, crm)
		if err != nil || v.State.Contacts != 5 || v.Status.Health != registry.HealthOK {
			t.Errorf("%+v, %v", v, err)
		}
		i.Key.Integration = "again"
		if err := h.AddIntegration(ctx, i, auth); failure.Of(err).Field != "grant" {
			t.Errorf("a sign-in is good for two integrations: %v", err)
		}
		for _, name := range v.AuthSet {
			t.Errorf("%s is kept", name)
		}
		// Other fields are mapped without another sign-in; the test reads with the kept one.
		changed := hubSpotSource[:len(hubSpotSource)-1] + ", fields: {name: properties.firstname, phones: [properties.phone]}}"
		v.Integration.Version = 0
		must(t, h.ChangeIntegration(ctx, v.Integration, map[string]string{registry.SourceValue: changed}))
		if r := w.test(t, 0); !r.OK || r.Sample[0].Name != "Ann 0" {
			t.Errorf("after a change of the mapping: %+v", r)
		}
		ofIntegration := draft
		ofIntegration.Integration, ofIntegration.Text = "crm", changed
		if p, err := h.PreviewSource(ctx, ofIntegration); err != nil || len(p.Contacts) != 5 {
			t.Errorf("a change cannot be previewed: %+v, %v", p, err)
		}
	})
}

// run runs what is due until the integration is read.
func (w *world) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.hubs[0].Work(ctx) }()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		v, err := w.hubs[0].Integration(t.Context(), crm)
		must(t, err)
		if v.Status.Health != registry.HealthNew && v.Status.Worker == "" && (!v.Status.Asked.Run || v.Status.Health == registry.HealthBroken) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not run: %+v", v.Status)
		}
	}
	cancel()
	must(t, <-ended)
}

// Of two processes whose access token has expired, one uses the refresh token, which is good for once, and the other one takes what it got.
func TestTwoProcessesRefreshOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.hubSpot.OAuth.Rotates = true
		w.add(t)
		w.process(t, "two")
		for round := range 3 {
			w.clock.move(time.Hour)
			var both sync.WaitGroup
			results := make([]hub.TestResult, 2)
			for n := range results {
				both.Go(func() { results[n], _ = w.hubs[n].Test(context.WithoutCancel(t.Context()), crm) })
			}
			both.Wait()
			for n, r := range results {
				if !r.OK {
					t.Errorf("round %d, process %d: %+v", round, n, r.Problem)
				}
			}
			if n := w.hubSpot.OAuth.Granted(vendors.RefreshToken); n != round+1 {
				t.Errorf("round %d: the refresh token was used %d times", round, n)
			}
		}
	})
}

// A token that expires in the middle of a run is replaced, and the run goes on.
func TestATokenExpiresInTheMiddleOfARun(t *testing.T) {
	w := inFiles(t)
	w.hubSpot.OAuth.Rotates = true
	w.add(t)
	for n := range 400 { // two pages
		w.hubSpot.Create(vendors.Fields{"firstname": fmt.Sprintf("Bob %d", n), "phone": "+442079460099"})
	}
	searches := 0
	w.before = func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/contacts/search") {
			if searches++; searches == 2 {
				w.hubSpot.OAuth.Revoke()
			}
		}
	}
	must(t, w.hubs[0].Ask(t.Context(), crm, registry.Ask{Run: true}))
	w.run(t)
	v, err := w.hubs[0].Integration(t.Context(), crm)
	if err != nil || v.State.Contacts != 405 || v.Status.Health != registry.HealthOK || w.hubSpot.OAuth.Granted(vendors.RefreshToken) == 0 {
		t.Errorf("%d contacts, %+v, %v", v.State.Contacts, v.Status.Problem, err)
	}
}

// A grant that was revoked, and a rotated refresh token that was lost, need a person: the integration says so, and works after that.
func TestARevokedOrLostSignInAsksForAPerson(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, *world){
		"revoked": func(_ *testing.T, w *world) { w.hubSpot.OAuth.RevokeGrant() },
		"lost": func(t *testing.T, w *world) { // somebody else refreshed: what is kept is used up
			w.hubSpot.OAuth.Rotates = true
			form := url.Values{
				"grant_type": {"refresh_token"}, "refresh_token": {w.hubSpot.OAuth.Refresh()}, "client_id": {w.hubSpot.OAuth.ClientID}, "client_secret": {w.hubSpot.OAuth.ClientSecret},
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.hubapi.com/oauth/v1/token", strings.NewReader(form.Encode()))
			must(t, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			answer, err := w.cloud.RoundTrip(r)
			must(t, err)
			if answer.Body.Close(); answer.StatusCode != http.StatusOK {
				t.Fatal(answer.Status)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := inFiles(t)
			w.add(t)
			spoil(t, w)
			w.clock.move(time.Hour)
			must(t, w.hubs[0].Ask(t.Context(), crm, registry.Ask{Run: true}))
			w.run(t)
			v, err := w.hubs[0].Integration(t.Context(), crm)
			must(t, err)
			p := v.Status.Problem
			if v.Status.Health != registry.HealthBroken || !strings.Contains(p.Message, "HubSpot does not take the sign-in any more") || !strings.HasPrefix(p.Hint, "Sign in again") {
				t.Fatalf("%s: %+v", v.Status.Health, p)
			}
			_, answer := w.begin(t, hub.SignInRequest{Integration: "crm", Draft: hub.SourceDraft{Account: "acme"}})
			if landing, err := w.hubs[0].FinishSignIn(t.Context(), answer); err != nil || landing.Key != crm {
				t.Fatal(landing, err)
			}
			if r := w.test(t, 0); !r.OK {
				t.Errorf("after another sign-in: %+v", r.Problem)
			}
		})
	}
}

// What others bring back, or bring back again, connects nothing.
func TestAWayBackIsGoodForOneBrowserOnce(t *testing.T) {
	w := inFiles(t)
	h := w.hubs[0]
	request := hub.SignInRequest{Draft: draft, Back: "/catalogue", Bound: true}
	refused := func(what string, a hub.SignInAnswer) {
		t.Helper()
		if l, err := h.FinishSignIn(t.Context(), a); err == nil || failure.Of(err).Hint == "" || l.Grant != "" {
			t.Errorf("%s: %+v, %v", what, l, err)
		}
	}
	_, answer := w.begin(t, request)
	for what, binding := range map[string]string{"without what it keeps": "", "of another browser": "guessed"} {
		other := answer
		other.Binding = binding
		refused("a browser "+what, other)
	}
	unknown := answer
	unknown.State = "unknown"
	refused("an unknown state", unknown)
	refused("no state", hub.SignInAnswer{Code: "x"})
	if _, err := h.FinishSignIn(t.Context(), answer); err != nil {
		t.Errorf("the browser that began: %v", err)
	}
	refused("a state that was used", answer)

	// A code of another sign-in, which an attacker has brought about, does not fit.
	_, mine := w.begin(t, request)
	_, attackers := w.begin(t, request)
	mine.Code = attackers.Code
	refused("another's code", mine)

	_, late := w.begin(t, request)
	w.clock.move(11 * time.Minute)
	refused("a state of eleven minutes ago", late)

	_, denied := w.begin(t, request)
	denied.Code, denied.Refused = "", "<script>"
	l, err := h.FinishSignIn(t.Context(), denied)
	if err == nil || l.Back != "/catalogue" || strings.Contains(err.Error(), "script") {
		t.Errorf("a refusal: %+v, %v", l, err)
	}

	// Of many that bring the same state at once, one connects.
	_, once := w.begin(t, request)
	var all sync.WaitGroup
	good := make(chan bool, 8)
	for range 8 {
		all.Go(func() {
			_, err := h.FinishSignIn(context.WithoutCancel(t.Context()), once)
			good <- err == nil
		})
	}
	all.Wait()
	n := 0
	for range 8 {
		if <-good {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of 8 were taken", n)
	}
}

// A browser is sent to a page of this hub and nowhere else.
func TestTheWayBackLeadsToThisHub(t *testing.T) {
	w := inFiles(t)
	for _, back := range []string{
		"https://evil.example", "//evil.example", `/\evil.example`, `\\evil.example`, "/\t/evil.example", "javascript:alert(1)", "evil", "/ /x", "http:evil", "/a\r\nSet-Cookie: x",
	} {
		if _, err := w.hubs[0].BeginSignIn(t.Context(), hub.SignInRequest{Draft: draft, Redirect: callback, Back: back}); failure.Of(err).Field != "back" {
			t.Errorf("%q: %v", back, err)
		}
	}
}

// Another service cannot answer for the one that was asked, and a code goes to the service of its state with that service's client.
func TestServicesAreNotMixedUp(t *testing.T) {
	w := inFiles(t)
	_, answer := w.begin(t, hub.SignInRequest{Draft: draft})
	other := answer
	other.Issuer = "https://evil.example"
	if _, err := w.hubs[0].FinishSignIn(t.Context(), other); err == nil {
		t.Error("another issuer is taken")
	}
	_, answer = w.begin(t, hub.SignInRequest{Draft: draft})
	answer.Issuer = "https://app.hubspot.com"
	var asked []string
	w.before = func(r *http.Request) { asked = append(asked, r.URL.Host+r.URL.Path) }
	if _, err := w.hubs[0].FinishSignIn(t.Context(), answer); err != nil || fmt.Sprint(asked) != "[api.hubapi.com/oauth/v1/token]" {
		t.Error(asked, err)
	}
}

// What a sign-in gave is of use to who signed in, in their account, at the service they signed in at.
func TestASignInIsOfUseToNobodyElse(t *testing.T) {
	w := inFiles(t)
	h := w.hubs[0]
	grant := w.signedIn(t)
	for what, c := range map[string]struct {
		actor   hub.Actor
		account string
		text    string
		client  string
	}{
		"another user in their account": {eve, "other", hubSpotSource, "hubspot"},
		"the same user, other account":  {jane, "other", hubSpotSource, "hubspot"},
		"another user, this account":    {hub.Actor{Name: "user bob", User: "u-bob", All: true, Scopes: jane.Scopes}, "acme", hubSpotSource, "hubspot"},
		"another service":               {jane, "acme", "source: {kind: google}", "google"},
		"another client's service":      {jane, "acme", "source: {kind: google}", "hubspot"},
		"a base of their own":           {jane, "acme", "source: {kind: hubspot, base: 'https://evil.example'}", "hubspot"},
		"hosts of their own":            {jane, "acme", "source: {kind: hubspot, hosts: [.evil.example]}", "hubspot"},
		"a request of their own":        {jane, "acme", "source: {kind: hubspot, verify: {path: 'https://evil.example'}}", "hubspot"},
		"a link with the token":         {jane, "acme", "source: {kind: hubspot, link: 'https://evil.example/{{access_token}}'}", "hubspot"},
		"another way to authenticate":   {jane, "acme", "source: {kind: hubspot, auth: [{by: bearer, token: x}]}", "hubspot"},
		"headers with the token":        {jane, "acme", "source: {kind: hubspot, headers: {x: '{{access_token}}'}}", "hubspot"},
		"the token elsewhere":           {jane, "acme", "source: {kind: hubspot, client_id: '{{auth.access_token}}'}", "hubspot"},
		"any API":                       {jane, "acme", "source: {kind: rest, language: 1, url: 'https://evil.example'}", "hubspot"},
		"several sources":               {jane, "acme", "sources: {a: {kind: hubspot}, b: {kind: google}}", "hubspot"},
		"no client of the hub's":        {jane, "acme", "source: {kind: zoho, data_center: eu}", "zoho"},
	} {
		ctx := hub.WithActor(t.Context(), c.actor)
		asked := 0
		w.before = func(*http.Request) { asked++ }
		p, err := h.PreviewSource(ctx, hub.SourceDraft{Account: c.account, Text: c.text, Client: c.client, Grant: grant})
		if err == nil || failure.Of(err).Hint == "" {
			t.Errorf("%s: it is previewed: %+v, %v", what, p, err)
		}
		kind := strings.TrimRight(strings.Fields(c.text)[2], ",}")
		i := registry.Integration{Key: directory.Key{Account: c.account, Integration: "crm"}, Source: kind, OAuth: &registry.OAuth{Client: c.client}}
		if err := h.AddIntegration(ctx, i, map[string]string{registry.SourceValue: c.text, registry.GrantValue: grant}); err == nil {
			t.Errorf("%s: it is added", what)
		}
		if asked > 0 {
			t.Errorf("%s: something was asked", what)
		}
	}
	// The operator's client is for sources inside the hub: no bridge is sent what it gets.
	i := registry.Integration{Key: crm, Bridge: "https://evil.example/contact_sync", OAuth: &registry.OAuth{Client: "hubspot"}}
	if err := h.AddIntegration(hub.WithActor(t.Context(), jane), i, map[string]string{registry.GrantValue: grant}); failure.Of(err).Field != "oauth.client" {
		t.Errorf("a bridge: %v", err)
	}
	i = registry.Integration{Key: crm, Source: "hubspot", OAuth: &registry.OAuth{Client: "hubspot", TokenURL: "https://evil.example/token"}}
	if err := h.AddIntegration(hub.WithActor(t.Context(), jane), i, map[string]string{registry.SourceValue: hubSpotSource, registry.GrantValue: grant}); failure.Of(err).Field != "oauth" {
		t.Errorf("a token endpoint beside the client: %v", err)
	}
}

// Whoever changes an integration later leads what was signed in for nowhere else.
func TestASignInDoesNotFollowItsIntegrationElsewhere(t *testing.T) {
	w := inFiles(t)
	w.add(t)
	h := w.hubs[0]
	v, err := h.Integration(t.Context(), crm)
	must(t, err)
	i := v.Integration
	i.Version, i.OAuth = 0, nil
	must(t, h.ChangeIntegration(t.Context(), i, map[string]string{registry.SourceValue: "source: {kind: hubspot, access_token: '{{auth.access_token}}', base: 'https://evil.example'}"}))
	if tokens, err := h.Registry.Secret(t.Context(), registry.Owner(crm), registry.OAuthTokens); err != nil || tokens != nil {
		t.Errorf("the tokens are kept: %s, %v", tokens, err)
	}
}
