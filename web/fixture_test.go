package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/postgres"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/hub/secret"
	"github.com/contactbridge/contactbridge/internal/inside"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/source/memory"
	"github.com/contactbridge/contactbridge/web"
)

// database is the PostgreSQL server of tests that need one.
var database pgtest.Suite

func TestMain(m *testing.M) { os.Exit(database.Main(m)) }

// A fixture is a hub that serves, with an account acme that has an integration crm, and an account other that has none.
type fixture struct {
	hub    *hub.Hub
	store  directory.Store // the hub's
	server *httptest.Server
	bridge string // URL of a bridge's contact_sync
	admin  string // token for everything
	log    *buffer
	tokens int // made so far
}

const crm = "/api/v1/integrations/crm"

var people = []contact.Contact{
	{ID: "7", Name: "Jane Doe", Company: "Example Ltd", Phones: []string{"020 7946 0958"}, Emails: []string{"jane@example.com"}, URL: "https://crm.example.com/7"},
	{ID: "a/b c", Name: "Sam <Slash> & \"Co\"", Phones: []string{"+1 415 555 0100"}},
	{ID: "9", Name: "Jane Other", Phones: []string{"020 7946 0111"}, Emails: []string{"jane@example.com"}},
	{ID: "10", Name: "Abroad", Phones: []string{"+33 20 79 46 01 23"}},
	{ID: "11", Name: "Ann One", Phones: []string{"020 7946 0500"}},
	{ID: "12", Name: "Bob Two", Phones: []string{"020 7946 0500"}},
}

// newFixture makes a hub after its first run.
func newFixture(t testing.TB, change ...func(*web.HandlerOptions)) *fixture {
	t.Helper()
	h, store := newHub(t)
	return unserved(t).serve(t, h, store, change...)
}

// onBoth runs a test on a hub in files, and on one in PostgreSQL.
func onBoth(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Run("files", func(t *testing.T) { test(t, newFixture(t)) })
	t.Run("postgres", func(t *testing.T) {
		at := database.Database(t).DSN
		store, err := postgres.Open(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		h := hub.New(newRegistry(t, at), store)
		h.Outbound = http.DefaultTransport
		h.Inside = inside.New(inside.Options{Transport: http.DefaultTransport, Dial: new(net.Dialer).DialContext, Files: h.Registry})
		h.Options.OAuthClients = map[string]hub.OAuthClient{"hubspot": {ClientID: "hub", ClientSecret: "hush"}}
		test(t, unserved(t).serve(t, h, store))
	})
}

// unserved returns a fixture's bridge without a hub.
func unserved(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{log: &buffer{}}
	store := memory.NewStore(nil)
	store.Put(people...)
	bridgeServer := httptest.NewServer(&bridge.Handler{
		Open:         store.Factory().Open,
		Authenticate: bridge.RequireAuth(bridge.Auth{"username": "agent", "password": "s3cret"}),
	})
	t.Cleanup(bridgeServer.Close)
	f.bridge = bridgeServer.URL + "/crm/contact_sync"
	return f
}

// serve lets the fixture serve a hub on a store.
func (f *fixture) serve(t testing.TB, h *hub.Hub, store directory.Store, change ...func(*web.HandlerOptions)) *fixture {
	t.Helper()
	f.hub, f.store = h, store
	f.hub.Logger = slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	runs := web.NewRuns()
	f.hub.Observe = runs.Observe
	options := web.HandlerOptions{
		Collectors: []prometheus.Collector{runs}, Hub: f.hub, Version: "test", Logger: f.hub.Logger,
		CallerIDWithin: time.Minute, // what is answered in time depends on what else the machine does
	}
	for _, c := range change {
		c(&options)
	}
	f.server = httptest.NewServer(web.Handler(options))
	t.Cleanup(f.server.Close)
	f.populate(t)
	return f
}

// newHub makes a hub on databases of its own, and returns its store as well.
func newHub(t testing.TB) (*hub.Hub, directory.Store) {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	r := newRegistry(t, filepath.Join(dir, "hub.db"))
	store, err := sqlite.Open(ctx, filepath.Join(dir, "directory.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	h := hub.New(r, store)
	h.Outbound = http.DefaultTransport
	h.Inside = inside.New(inside.Options{Transport: http.DefaultTransport, Dial: new(net.Dialer).DialContext, Files: h.Registry})
	h.Options.OAuthClients = map[string]hub.OAuthClient{"hubspot": {ClientID: "hub", ClientSecret: "hush"}}
	h.DeclarePhonebooks(nil, &phonebook.LDAP{Listen: "127.0.0.1:3890", SizeLimit: 500})
	return h, store
}

func newRegistry(t testing.TB, at string) *registry.DB {
	t.Helper()
	ring, err := secret.Parse(secret.NewKey(), "test")
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.Open(context.Background(), at, registry.OpenOptions{Seal: ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// populate makes accounts, the integration and the token, and works until the first run is over.
func (f *fixture) populate(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		if err := f.hub.Work(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); working.Wait() })
	for _, a := range []registry.Account{{Name: "acme", Region: "GB"}, {Name: "other"}} {
		if err := f.hub.PutAccount(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	key := directory.Key{Account: "acme", Integration: "crm"}
	if err := f.hub.AddIntegration(ctx, registry.Integration{Key: key, Bridge: f.bridge}, map[string]string{"username": "agent", "password": "s3cret"}); err != nil {
		t.Fatal(err)
	}
	if err := f.hub.Ask(ctx, key, registry.Ask{Run: true}); err != nil { // at once
		t.Fatal(err)
	}
	f.admin = f.token(t, "", registry.ScopeAdmin)
	eventually(t, func() bool {
		i, err := f.hub.Integration(ctx, key)
		// An integration that was added runs at once. If it does so before it is asked to, it runs twice.
		return err == nil && i.Status.Health == registry.HealthOK && i.Status.Worker == "" && i.Status.Asked == registry.Ask{}
	})
	agents := []directory.Agent{{ID: "a1", Name: "Ann Lee", Email: "Ann@example.com"}, {ID: "a2", Name: "Bob", Email: "bob@example.com"}}
	if _, err := f.store.SetAgents(ctx, key, agents); err != nil {
		t.Fatal(err)
	}
}

// token makes a token.
func (f *fixture) token(t testing.TB, account string, scopes ...registry.Scope) string {
	t.Helper()
	f.tokens++
	name := fmt.Sprintf("token-%d", f.tokens)
	_, value, err := f.hub.CreateToken(context.Background(), registry.Token{Name: name, Account: account, Scopes: scopes}, "")
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// eventually waits for something that will be.
func eventually(t testing.TB, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatal("it did not happen within 10 s")
}

// A reply is an answer that was read.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a request; body may be empty.
func (f *fixture) ask(t testing.TB, method, path, token, body string, header ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, f.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header, string(text)}
}

// problem is the error of a reply.
func (r reply) problem(t testing.TB) (p struct{ Code, Message, Hint, Field, RequestID string }) {
	t.Helper()
	var body struct {
		Error struct {
			Code, Message, Hint, Field string
			RequestID                  string `json:"request_id"`
		}
	}
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatalf("%d: not an error body: %s", r.status, r.body)
	}
	return struct{ Code, Message, Hint, Field, RequestID string }(body.Error)
}

// A buffer is written by many.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
