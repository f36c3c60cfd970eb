package bridgeserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/bridgeserver"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
)

const password = "s3cr3t-P4ssw0rd"

const twoEndpoints = `
listen: 127.0.0.1:0
endpoints:
  crm:
    auth: {username: agent, password: "${PASSWORD}"}
    source:
      kind: memory
      contacts:
        - {id: 1, name: Jane, phones: (415) 555-2671, updated: 2024-05-01}
        - {id: 2, name: João, phones: +351 912 345 678, updated: 2024-05-02}
        - {id: 3, phones: none, updated: 2024-05-03}
    page: {contacts: 2}
    phones: {region: US}
  open:
    auth: none
    source: {kind: memory, contacts: [{id: 7, name: Ann}]}
`

// parse is a configuration in which ${PASSWORD} is the password.
func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("bridge.yaml", []byte(text), strictyaml.Environment{
		Lookup: func(name string) (string, bool) { return password, name == "PASSWORD" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// A running server.
type running struct {
	url    string
	client *http.Client
	logs   *buffer
	server *bridgeserver.Server
	stop   func() error // ends it and waits for that
}

// A buffer takes the log lines of many requests.
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

// serve serves a configuration until the test ends.
func serve(t *testing.T, cfg *config.Config, clock clock.Clock) *running {
	t.Helper()
	logs := &buffer{}
	logger := slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server, err := bridgeserver.New(cfg, bridgeserver.Options{Logger: logger, Version: "v1.2.3", Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	l, err := listener.Open(t.Context(), cfg.Listen)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l) }()
	transport := &http.Transport{}
	stop := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := stop(); err != nil {
			t.Errorf("end: %v", err)
		}
	})
	return &running{
		url: listener.URL(l, cfg.TLS.Enabled()), client: &http.Client{Transport: transport, Timeout: 20 * time.Second},
		logs: logs, server: server, stop: stop,
	}
}

// An answer is a response.
type answer struct {
	status int
	header http.Header
	body   string
	page   struct {
		NextOffset string `json:"next_offset"`
		Checkpoint string `json:"synchronization_checkpoint"`
		Contacts   []struct {
			ID     string   `json:"id"`
			Name   string   `json:"name"`
			Phones []string `json:"phones"`
		} `json:"contacts"`
		Error struct {
			Code, Message, Hint string
			RequestID           string `json:"request_id"`
		} `json:"error"`
	}
}

func (r *running) do(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := r.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, body: string(text)}
	_ = json.Unmarshal(text, &a.page) // metrics and ok are no JSON
	return a
}

func credentials(username, password string) string {
	text, _ := json.Marshal(map[string]any{"auth": map[string]string{"username": username, "password": password}})
	return string(text)
}

// certmagic counts what it asks for in a goroutine for each authority, for as long as the process lives, and looks after its lock's
// file for five seconds more than it is there.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.(*RingBufferRateLimiter).loop"),
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"))
}

func TestEveryPageOfARunIsServed(t *testing.T) {
	r := serve(t, parse(t, twoEndpoints), nil)
	first := r.do(t, "POST", "/crm/contact_sync", credentials("agent", password))
	if first.status != 200 || len(first.page.Contacts) != 2 || first.page.NextOffset == "" {
		t.Fatalf("first page: %d %s", first.status, first.body)
	}
	if got := first.page.Contacts[0]; got.Name != "Jane" || got.Phones[0] != "+14155552671" {
		t.Errorf("the first contact is %+v", got)
	}
	offset, _ := json.Marshal(first.page.NextOffset)
	body := strings.TrimSuffix(credentials("agent", password), "}") + `,"meta":{"offset":` + string(offset) + `}}`
	second := r.do(t, "POST", "/crm/contact_sync", body)
	if second.status != 200 || len(second.page.Contacts) != 1 || second.page.NextOffset != "" {
		t.Fatalf("second page: %d %s", second.status, second.body)
	}
	if got := second.page.Contacts[0]; got.Name != "none" || got.Phones[0] != "none" {
		t.Errorf("D6: the contact without a name is %+v", got)
	}
}

func TestCredentialsAreChecked(t *testing.T) {
	r := serve(t, parse(t, twoEndpoints), nil)
	for _, path := range []string{"/crm/contact_sync", "/crm/auth_validation"} {
		for name, body := range map[string]string{
			"a wrong password": credentials("agent", "wrong"), "a wrong username": credentials("other", password),
			"none": "{}", "an empty one": credentials("agent", ""),
		} {
			if a := r.do(t, "POST", path, body); a.status != 401 || a.page.Error.Code != "unauthorized" || strings.Contains(a.body, password) {
				t.Errorf("P13: %s at %s: %d %s", name, path, a.status, a.body)
			}
		}
	}
	if a := r.do(t, "POST", "/crm/auth_validation", credentials("agent", password)); a.status != 204 {
		t.Errorf("P13: good credentials: %d %s", a.status, a.body)
	}
	if a := r.do(t, "POST", "/open/contact_sync", "{}"); a.status != 200 {
		t.Errorf("auth: none: %d %s", a.status, a.body)
	}
}

func TestOtherPathsDoNotExist(t *testing.T) {
	r := serve(t, parse(t, twoEndpoints), nil)
	for _, path := range []string{"/", "/crm", "/crm/", "/crm/other", "/crm/x/contact_sync", "/nobody/contact_sync", "/crm/contact_sync/", "/contact_sync", "/metrics/x"} {
		a := r.do(t, "POST", path, "{}")
		if a.status != 404 || a.page.Error.Code != "not_found" || a.page.Error.Hint == "" || a.page.Error.RequestID != a.header.Get("X-Request-Id") {
			t.Errorf("D5: %s: %d %s", path, a.status, a.body)
		}
	}
	if a := r.do(t, "POST", "/crm//contact_sync", "{}"); a.status != 404 || !strings.Contains(a.page.Error.Hint, "/crm/contact_sync,") {
		t.Errorf("a doubled slash: %d %s", a.status, a.body)
	}
	for method, path := range map[string]string{"GET": "/crm/contact_sync", "PUT": "/crm/auth_validation", "POST": "/metrics", "DELETE": "/healthz"} {
		if a := r.do(t, method, path, ""); a.status != 405 || a.header.Get("Allow") == "" || a.page.Error.Hint == "" {
			t.Errorf("D5: %s %s: %d %v %s", method, path, a.status, a.header, a.body)
		}
	}
}

func TestRequestIDTravels(t *testing.T) {
	r := serve(t, parse(t, twoEndpoints), nil)
	for _, path := range []string{"/crm/contact_sync", "/nowhere"} {
		a := r.do(t, "POST", path, "{}", "X-Request-Id", "caller-42"+path[1:2])
		if id := "caller-42" + path[1:2]; a.header.Get("X-Request-Id") != id || a.page.Error.RequestID != id || !strings.Contains(r.logs.String(), `"request_id":"`+id+`"`) {
			t.Errorf("%s: header %q, body %s", path, a.header.Get("X-Request-Id"), a.body)
		}
	}
	if a := r.do(t, "POST", "/crm/contact_sync", "{}"); a.header.Get("X-Request-Id") == "" {
		t.Error("a request without an id gets none")
	}
}

func TestMetricsCountWhatIsServed(t *testing.T) {
	r := serve(t, parse(t, twoEndpoints), nil)
	r.do(t, "POST", "/crm/contact_sync", credentials("agent", password))
	r.do(t, "POST", "/crm/contact_sync", credentials("agent", "wrong"))
	r.do(t, "POST", "/nowhere", "{}")
	a := r.do(t, "GET", "/metrics", "")
	for _, line := range []string{
		`contactbridge_requests_total{code="ok",endpoint="crm",path="contact_sync"} 1`,
		`contactbridge_requests_total{code="unauthorized",endpoint="crm",path="contact_sync"} 1`,
		`contactbridge_requests_total{code="not_found",endpoint="",path=""} 1`,
		`contactbridge_contacts_total{endpoint="crm"} 2`,
		`contactbridge_left_out_contacts_total{endpoint="crm"} 0`,
		`contactbridge_pages_total{cut="contacts",endpoint="crm"} 1`,
		`contactbridge_request_duration_seconds_count{endpoint="crm",path="contact_sync"} 2`,
		`contactbridge_open_sources{endpoint="crm"} 0`,
		`version="v1.2.3"`,
		`go_goroutines `,
	} {
		if !strings.Contains(a.body, line) {
			t.Errorf("there is no %s", line)
		}
	}
	if !strings.Contains(a.body, `contactbridge_answer_bytes_total{endpoint="crm"} `) {
		t.Error("bytes are not counted")
	}
}

func TestNothingSaysThePassword(t *testing.T) {
	cfg := parse(t, strings.ReplaceAll(`
endpoints:
  crm:
    auth: {username: agent, password: "${PASSWORD}"}
    source: {kind: memory, contacts: [{id: 1}]}
  down:
    auth: none
    source: {kind: postgres, dsn: "postgres://u:${PASSWORD}@127.0.0.1:1/x", table: t, id: id}
  theirs:
    auth: source
    source: {kind: postgres, dsn: "postgres://u:{{auth.password}}@127.0.0.1:1/x", table: t, id: id}
`, "endpoints:", "listen: 127.0.0.1:0\nendpoints:"))
	r := serve(t, cfg, nil)
	var said strings.Builder
	for _, body := range []string{credentials("agent", password), credentials(password, "wrong"), `{"auth": "` + password + `"}`, `{"auth": {"password": "` + password} {
		for _, path := range []string{"/crm/contact_sync", "/down/contact_sync", "/theirs/contact_sync", "/theirs/auth_validation"} {
			a := r.do(t, "POST", path, body)
			fmt.Fprintln(&said, a.body, a.header)
		}
	}
	for _, path := range []string{"/readyz", "/metrics", "/healthz"} {
		said.WriteString(r.do(t, "GET", path, "").body)
	}
	said.WriteString(strings.Join(r.server.Describe(r.url), "\n"))
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	said.WriteString(r.logs.String())
	if i := strings.Index(said.String(), password); i >= 0 {
		t.Errorf("the password shows: …%s…", said.String()[max(0, i-200):i+40])
	}
	if !strings.Contains(said.String(), "source_unavailable") {
		t.Error("nothing failed: the test tests nothing")
	}
}

func TestTheSourceJudgesCredentials(t *testing.T) {
	var opened []bridge.Auth
	cfg := parse(t, `
listen: 127.0.0.1:0
endpoints:
  theirs:
    auth: source
    source: {kind: sqlite, path: "{{auth.tenant}}/{{auth.user}}.db", table: t, id: id}
`)
	replace(cfg, "theirs", &gated{opened: func(auth bridge.Auth) error {
		opened = append(opened, auth)
		if auth["user"] != "good" {
			return &bridge.Error{Code: bridge.CodeUnauthorized, Message: "no such user"}
		}
		return nil
	}})
	r := serve(t, cfg, nil)
	for body, want := range map[string]int{
		`{}`: 401, `{"auth":{"user":"good"}}`: 401, `{"auth":{"user":"","tenant":"x"}}`: 401,
	} {
		if a := r.do(t, "POST", "/theirs/contact_sync", body); a.status != want || len(opened) != 0 {
			t.Errorf("%s: %d %s, opened with %v", body, a.status, a.body, opened)
		}
	}
	if a := r.do(t, "POST", "/theirs/contact_sync", `{"auth":{"user":"bad","tenant":"x"}}`); a.status != 401 {
		t.Errorf("refused by the source: %d %s", a.status, a.body)
	}
	if a := r.do(t, "POST", "/theirs/contact_sync", `{"auth":{"user":"good","tenant":"x"}}`); a.status != 200 {
		t.Errorf("let in by the source: %d %s", a.status, a.body)
	}
}

func TestReadyTellsWhichEndpointIsNot(t *testing.T) {
	cfg := parse(t, twoEndpoints)
	var down atomic.Bool
	var opens atomic.Int64
	replace(cfg, "open", &gated{opened: func(bridge.Auth) error {
		opens.Add(1)
		if down.Load() {
			return &bridge.Error{Code: bridge.CodeSourceUnavailable, Message: "the database is down", Hint: "start it", Err: errors.New(password)}
		}
		return nil
	}})
	clock := &handClock{}
	r := serve(t, cfg, clock)
	if a := r.do(t, "GET", "/healthz", ""); a.status != 200 || a.body != "ok\n" {
		t.Errorf("healthz: %d %s", a.status, a.body)
	}
	if a := r.do(t, "GET", "/readyz", ""); a.status != 200 {
		t.Errorf("readyz: %d %s", a.status, a.body)
	}
	down.Store(true)
	if a := r.do(t, "GET", "/readyz", ""); a.status != 200 || opens.Load() != 1 {
		t.Errorf("asked again at once: %d, opened %d times: the answer should be kept", a.status, opens.Load())
	}
	clock.pass(6 * time.Second)
	a := r.do(t, "GET", "/readyz", "")
	var ready struct {
		Ready     bool
		Endpoints map[string]struct{ State, Code, Message, Hint string }
	}
	if err := json.Unmarshal([]byte(a.body), &ready); err != nil {
		t.Fatal(err)
	}
	open, crm := ready.Endpoints["open"], ready.Endpoints["crm"]
	if a.status != 503 || ready.Ready || crm.State != "ready" || open.State != "not_ready" || open.Code != "source_unavailable" || open.Hint != "start it" {
		t.Errorf("readyz: %d %s", a.status, a.body)
	}
	if a := r.do(t, "GET", "/healthz", ""); a.status != 200 {
		t.Errorf("a source that is down does not end the process: healthz %d", a.status)
	}
	down.Store(false)
	clock.pass(6 * time.Second)
	if a := r.do(t, "GET", "/readyz", ""); a.status != 200 {
		t.Errorf("up again: %d %s", a.status, a.body)
	}
}

func TestThePageUnderWayIsFinished(t *testing.T) {
	cfg := parse(t, twoEndpoints)
	g := &gated{reading: make(chan struct{}), gate: make(chan struct{})}
	replace(cfg, "open", g)
	r := serve(t, cfg, nil)
	got := make(chan answer, 1)
	go func() { got <- r.do(t, "POST", "/open/contact_sync", "{}") }()
	<-g.reading
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	waitFor(t, "the log to say that it stops", func() bool { return strings.Contains(r.logs.String(), "stopping") })
	waitFor(t, "the listener to close", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if g.closed.Load() {
		t.Error("the source was closed while a page was read from it")
	}
	close(g.gate)
	if a := <-got; a.status != 200 || len(a.page.Contacts) != 1 {
		t.Errorf("the page under way: %d %s", a.status, a.body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if !g.closed.Load() {
		t.Error("the source is still open")
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bridge.sock")
	cfg := parse(t, strings.Replace(twoEndpoints, "127.0.0.1:0", "unix:"+path, 1))
	// The remains of a killed bridge do not keep the next one from starting.
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	r := serve(t, cfg, nil)
	if r.url != "unix:"+path {
		t.Errorf("the URL is %s", r.url)
	}
	r.url = "http://bridge"
	r.client.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	if a := r.do(t, "POST", "/open/contact_sync", "{}"); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if _, err := listener.Open(t.Context(), cfg.Listen); err == nil {
		t.Error("a second bridge took over the socket of the first")
	}
	r.client.CloseIdleConnections()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestDescribeSaysWhatIsServedWhere(t *testing.T) {
	cfg := parse(t, `
endpoints:
  b: {auth: none, source: {kind: sqlite, path: x.db, table: people, id: id}}
  a: {auth: {k: v}, source: {kind: csv, path: people.csv, id: id}}
`)
	server, err := bridgeserver.New(cfg, bridgeserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	got := strings.Join(server.Describe("http://127.0.0.1:8080"), "\n")
	want := `bridge listening on http://127.0.0.1:8080
a: POST /a/contact_sync (csv, people.csv)
b: POST /b/contact_sync (sqlite, table people; open to anyone)`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// waitFor waits for a condition that must come about.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// replace gives an endpoint a source of the test's own.
func replace(cfg *config.Config, name string, factory source.Factory) {
	e := cfg.Endpoints[name]
	e.New = func(source.Deps) (source.Factory, error) { return factory, nil }
	cfg.Endpoints[name] = e
}

// gated is a source of one contact, which it gives when its gate opens.
type gated struct {
	opened  func(bridge.Auth) error
	reading chan struct{} // closed when a user reads; nil: not told
	gate    chan struct{} // nil: open
	closed  atomic.Bool
}

func (g *gated) Open(_ context.Context, auth bridge.Auth) (bridge.Source, error) {
	if g.opened != nil {
		if err := g.opened(auth); err != nil {
			return nil, err
		}
	}
	return gatedSource{g}, nil
}

func (g *gated) Close() error {
	g.closed.Store(true)
	return nil
}

type gatedSource struct{ *gated }

func (gatedSource) Begin(context.Context, bridge.Checkpoint) (bridge.Run, error) {
	return bridge.Run{}, nil
}

func (g gatedSource) Read(ctx context.Context, _ bridge.Run, _ bridge.Position, _ int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		if g.reading != nil {
			close(g.reading)
		}
		if g.gate != nil {
			select {
			case <-g.gate:
			case <-ctx.Done():
				yield(bridge.Change{}, ctx.Err())
				return
			}
		}
		change := bridge.Change{Position: bridge.Position("1")}
		change.Contact.ID, change.Contact.Name = "1", "Ann"
		yield(change, nil)
	}
}

func (gatedSource) Checkpoint(bridge.Run, bridge.Position, bool) bridge.Checkpoint { return "c" }
func (gatedSource) Close() error                                                   { return nil }

// handClock is a clock that the test moves.
type handClock struct {
	mu sync.Mutex
	by time.Duration
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC).Add(c.by)
}

func (c *handClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by += d
}

func (c *handClock) AfterFunc(time.Duration, func()) (stop func() bool) {
	return func() bool { return true }
}
