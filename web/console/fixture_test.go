package console_test

import (
	"context"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/hub/secret"
	"github.com/contactbridge/contactbridge/internal/demo/sample"
	"github.com/contactbridge/contactbridge/internal/inside"
	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/source/memory"
	"github.com/contactbridge/contactbridge/web"
	"github.com/contactbridge/contactbridge/web/console"
)

// password is good enough for the console.
const password = "correct horse battery staple"

// A site is a hub at work with its console, and a bridge beside it.
type site struct {
	hub    *hub.Hub
	store  directory.Store // the hub's
	server *httptest.Server
	bridge *fakeBridge
	log    *buffer
	clock  *clock
	dir    string // of the databases
}

// A clock is the console's; it can be put forward.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// A fakeBridge is a real bridge in front of contacts in memory. Its password can be changed and its pages can be held.
type fakeBridge struct {
	*httptest.Server

	mu       sync.Mutex
	store    *memory.Store
	password string
	held     chan struct{} // nil: pages flow
}

func newBridge(t testing.TB, limit int, contacts ...contact.Contact) *fakeBridge {
	t.Helper()
	b := &fakeBridge{store: memory.NewStore(nil), password: "s3cret"}
	b.store.Put(contacts...)
	handler := &bridge.Handler{
		Open: func(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
			return b.contacts().Factory().Open(ctx, auth)
		},
		Limits: bridge.Limits{Contacts: limit},
		Authenticate: func(auth bridge.Auth) error {
			b.mu.Lock()
			want := bridge.Auth{"username": "agent", "password": b.password}
			b.mu.Unlock()
			return bridge.RequireAuth(want)(auth)
		},
	}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		held := b.held
		b.mu.Unlock()
		if held != nil && strings.HasSuffix(r.URL.Path, "contact_sync") {
			select {
			case <-held:
			case <-r.Context().Done():
				return
			}
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(b.Close)
	return b
}

// hold keeps pages back; each value that is sent lets one through, and release all.
func (b *fakeBridge) hold() chan struct{} {
	held := make(chan struct{})
	b.mu.Lock()
	b.held = held
	b.mu.Unlock()
	return held
}

func (b *fakeBridge) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held != nil {
		close(b.held)
		b.held = nil
	}
}

func (b *fakeBridge) contacts() *memory.Store {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.store
}

// forget leaves the bridge with these contacts only, and tells nobody that there were others.
func (b *fakeBridge) forget(contacts ...contact.Contact) {
	store := memory.NewStore(nil)
	store.Put(contacts...)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.store = store
}

func (b *fakeBridge) setPassword(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.password = text
}

func (b *fakeBridge) url() string { return b.URL + "/crm/contact_sync" }

// customers are made-up people.
func customers(n int) []contact.Contact {
	list := make([]contact.Contact, 0, n)
	for _, c := range sample.All(7, time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), 4*n) {
		if strings.ContainsFunc(c.FirstName+c.LastName+c.Company, func(r rune) bool { return r > 0x24f }) || len(list) == n {
			continue // machines that test have no fonts for them: the documentation's pictures would show boxes
		}
		one := contact.Contact{
			ID: fmt.Sprint(c.ID), Name: c.FirstName + " " + c.LastName, Company: c.Company, Title: c.Title, Emails: []string{c.Email},
			Phones: []string{c.E164}, URL: fmt.Sprintf("https://crm.example.com/customers/%d", c.ID), Address: c.City,
			CustomFields: []contact.CustomField{{Key: "Plan", Value: c.Plan}},
		}
		if c.Mobile != "" {
			one.Phones = append(one.Phones, c.Mobile)
		}
		list = append(list, one)
	}
	return list
}

var jane = contact.Contact{
	ID: "jane-7", Name: "Jane Doe", Company: "Example Ltd", Title: "Head of Support", Phones: []string{"020 7946 0958"},
	Emails: []string{"jane@example.com"}, URL: "https://crm.example.com/customers/jane-7",
	CustomFields: []contact.CustomField{{Key: "Plan", Value: "Enterprise"}, {Key: "Renewal", Value: "March"}},
}

// again returns the hub's registry as another process of the hub opens it.
func (s *site) again(t testing.TB) *registry.DB {
	t.Helper()
	r, err := registry.Open(context.Background(), filepath.Join(s.dir, "hub.db"), registry.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// newHub makes a hub on databases of its own in a folder, and returns its store as well.
func newHub(t testing.TB, dir string) (*hub.Hub, directory.Store) {
	t.Helper()
	ctx := context.Background()
	ring, err := secret.Parse(secret.NewKey(), "test")
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.Open(ctx, filepath.Join(dir, "hub.db"), registry.OpenOptions{Seal: ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	store, err := sqlite.Open(ctx, filepath.Join(dir, "directory.db"), sqlite.WithJudges(phonebook.Judges))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	h := hub.New(r, store)
	h.Outbound = http.DefaultTransport
	return h, store
}

// newSite makes a hub without a user, an account or an integration, and serves its console.
func newSite(t testing.TB, change ...func(*console.Options)) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{log: &buffer{}, clock: &clock{}, dir: dir}
	s.hub, s.store = newHub(t, dir)
	s.hub.Inside = inside.New(inside.Options{Transport: http.DefaultTransport, Dial: new(net.Dialer).DialContext, Files: s.hub.Registry})
	s.bridge = newBridge(t, 20, append(customers(95), jane)...)
	stopping := make(chan struct{})
	o := console.Options{
		Hub: s.hub, Logger: slog.New(slog.NewTextHandler(s.log, nil)), Clock: s.clock.now, Version: "0.1.0", Stopping: stopping,
	}
	for _, c := range change {
		c(&o)
	}
	pages, err := console.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewServer(web.Handler(web.HandlerOptions{Hub: s.hub, Logger: o.Logger, Console: pages, IntegrationPage: console.IntegrationPage}))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.log)
		}
	})
	t.Cleanup(func() { close(stopping); s.server.CloseClientConnections(); s.server.Close() })
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		if err := s.hub.Work(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { s.bridge.release(); cancel(); working.Wait() })
	return s
}

// furnish makes an account with an integration after its first run.
func (s *site) furnish(t testing.TB) directory.Key {
	t.Helper()
	ctx, key := context.Background(), directory.Key{Account: "acme", Integration: "crm"}
	if err := s.hub.PutAccount(ctx, registry.Account{Name: "acme", Region: "GB", TimeZone: "Europe/London"}); err != nil {
		t.Fatal(err)
	}
	s.connect(t, key, s.bridge)
	return key
}

// connect adds an integration and waits for its first run.
func (s *site) connect(t testing.TB, key directory.Key, b *fakeBridge) {
	t.Helper()
	ctx := context.Background()
	i := registry.Integration{Key: key, Bridge: b.url(), Fields: []registry.Field{{Name: "username"}, {Name: "password", Type: "password"}}}
	if err := s.hub.AddIntegration(ctx, i, map[string]string{"username": "agent", "password": "s3cret"}); err != nil {
		t.Fatal(err)
	}
	if err := s.hub.Ask(ctx, key, registry.Ask{Run: true}); err != nil {
		t.Fatal(err)
	}
	s.waitFor(t, key, registry.HealthOK)
}

// waitFor waits until no run is under way. One that is well is not asked for another one either; one that failed goes on being
// asked for what it could not do.
func (s *site) waitFor(t testing.TB, key directory.Key, health registry.Health) {
	t.Helper()
	eventually(t, "health "+string(health), func() bool {
		i, err := s.hub.Integration(context.Background(), key)
		return err == nil && i.Status.Health == health && i.Status.Worker == "" && (health != registry.HealthOK || i.Status.Asked == registry.Ask{})
	})
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); {
		if time.Now().After(end) {
			t.Fatal("waited in vain for", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// A visitor is a user's browser without JavaScript.
type visitor struct {
	t      testing.TB
	site   *site
	client *http.Client
}

func (s *site) visitor(t testing.TB) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, site: s, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// An answer is a response that was read.
type answer struct {
	*http.Response
	text string // body
}

func (a answer) to() string { return a.Header.Get("Location") }

func (v *visitor) do(r *http.Request) answer {
	v.t.Helper()
	response, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer{response, string(body)}
}

func (v *visitor) request(method, path string, form url.Values) *http.Request {
	v.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, v.site.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (v *visitor) get(path string) answer { return v.do(v.request("GET", path, nil)) }

// must is get of a page that must be there.
func (v *visitor) must(path string) answer {
	v.t.Helper()
	a := v.get(path)
	if a.StatusCode != http.StatusOK {
		v.t.Fatalf("%s: %d %s %s", path, a.StatusCode, a.to(), problemIn(a.text))
	}
	return a
}

var tokenInput = regexp.MustCompile(`name="csrf" value="([^"]*)"`)

// token is that of a page's forms.
func (v *visitor) token(page string) string {
	v.t.Helper()
	found := tokenInput.FindStringSubmatch(v.must(page).text)
	if found == nil {
		v.t.Fatal(page, "has no form")
	}
	return html.UnescapeString(found[1])
}

// post sends a form of a page.
func (v *visitor) post(page, action string, pairs ...string) answer {
	v.t.Helper()
	form := url.Values{"csrf": {v.token(page)}}
	for n := 0; n < len(pairs); n += 2 {
		form.Add(pairs[n], pairs[n+1])
	}
	return v.do(v.request("POST", action, form))
}

// goes is post that must lead on to another page.
func (v *visitor) goes(page, action string, pairs ...string) answer {
	v.t.Helper()
	a := v.post(page, action, pairs...)
	if a.StatusCode != http.StatusSeeOther {
		v.t.Fatalf("%s: %d %s", action, a.StatusCode, problemIn(a.text))
	}
	return a
}

var problemText = regexp.MustCompile(`(?s)class="(?:problem|field-problem)".*?</p>`)

func problemIn(page string) string { return problemText.FindString(page) }

// administrator makes the first user, signed in.
func (s *site) administrator(t testing.TB) *visitor {
	t.Helper()
	v := s.visitor(t)
	v.goes("/setup", "/setup", "name", "ada", "new-password", password, "again", password)
	return v
}

// user makes a user with a role, signed in with a password of their own.
func (s *site) user(t testing.TB, admin *visitor, name string, role registry.Role, accounts ...string) *visitor {
	t.Helper()
	made := admin.post("/users/new", "/users/new", "name", name, "role", string(role), "accounts", strings.Join(accounts, " "), "sign-in", "password")
	given := secretInput.FindStringSubmatch(made.text)
	if given == nil {
		t.Fatal(made.StatusCode, problemIn(made.text))
	}
	v := s.visitor(t)
	v.goes("/sign-in", "/sign-in", "name", name, "password", given[1])
	v.goes("/", "/settings/password", "password", given[1], "new-password", password+" too", "again", password+" too")
	return v
}

var secretInput = regexp.MustCompile(`id="secret"[^>]* value="([^"]*)"`)
