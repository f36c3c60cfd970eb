package synchronizer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/source/memory"
	"github.com/contactbridge/contactbridge/synchronizer"
)

var key = directory.Key{Account: "acme", Integration: "crm"}

// quick makes failing tests fail at once instead of waiting for a better day.
var quick = synchronizer.Options{Retry: synchronizer.Retry{Attempts: 3, First: time.Millisecond}}

func openStore(t testing.TB) directory.Store {
	t.Helper()
	return openStoreAt(t, filepath.Join(t.TempDir(), "contacts.db"), time.Now)
}

func openStoreAt(t testing.TB, path string, clock func() time.Time) directory.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path, sqlite.WithClock(clock))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// person is the nth contact, in its vth version.
func person(n, v int) contact.Contact {
	return contact.Contact{
		ID: fmt.Sprintf("c%03d", n), Name: fmt.Sprintf("Person %d", n), Title: fmt.Sprint(v),
		Phones: []string{fmt.Sprintf("+1415555%04d", n)},
	}
}

// people is an external service with n contacts.
func people(n int) *memory.Store {
	crm := memory.NewStore(nil)
	for i := range n {
		crm.Put(person(i+1, 1))
	}
	return crm
}

// handler is the bridge of an external service, size contacts to a page.
func handler(crm *memory.Store, size int) *bridge.Handler {
	return &bridge.Handler{
		Name:         "crm",
		Open:         func(context.Context, bridge.Auth) (bridge.Source, error) { return crm.Source(), nil },
		Authenticate: bridge.AllowAnyone,
		Limits:       bridge.Limits{Contacts: size},
	}
}

// serve serves a handler over loopback and returns a client of it.
func serve(t *testing.T, h http.Handler) *bridge.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	client := &bridge.Client{URL: server.URL + "/crm/contact_sync"}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// servePiped serves a handler over connections in memory, so that time limits go by the clock of a bubble.
func servePiped(t *testing.T, h http.Handler) *bridge.Client {
	t.Helper()
	pipes := &pipes{calls: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(pipes) }()
	client := &bridge.Client{
		URL:  "http://bridge.test/crm/contact_sync",
		HTTP: &http.Client{Transport: &http.Transport{DialContext: pipes.dial}},
	}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
		<-served
	})
	return client
}

// pipes are a network in memory.
type pipes struct {
	calls  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.calls <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.calls:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// inProcess lets a client speak to a handler without a network.
type inProcess struct{ http.Handler }

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

func connect(h http.Handler) *bridge.Client {
	return &bridge.Client{URL: "http://bridge.test/crm/contact_sync", HTTP: &http.Client{Transport: inProcess{h}}}
}

// A recorder keeps events.
type recorder struct {
	mu     sync.Mutex
	events []synchronizer.Event
}

func (r *recorder) record(e synchronizer.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *recorder) count(kind synchronizer.EventKind) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// bridgeFunc is a bridge in a function.
type bridgeFunc func(ctx context.Context, q bridge.PageRequest) (*bridge.Page, error)

func (f bridgeFunc) Page(ctx context.Context, q bridge.PageRequest) (*bridge.Page, error) {
	return f(ctx, q)
}

// stored is how many contacts the directory holds.
func stored(t *testing.T, store directory.Store) int64 {
	t.Helper()
	state, err := store.State(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return state.Contacts
}

// mustRun does a run that has to succeed.
func mustRun(t *testing.T, s synchronizer.Synchronizer, opts synchronizer.Options) synchronizer.Report {
	t.Helper()
	report, err := s.Run(t.Context(), key, opts)
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	return report
}

// page writes an answer by hand: offset "" ends the run.
func page(next, checkpoint, context string, ids ...string) string {
	type wire struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	contacts := []wire{}
	for _, id := range ids {
		contacts = append(contacts, wire{id, "Person " + id})
	}
	list, err := json.Marshal(contacts)
	if err != nil {
		panic(err)
	}
	fields := []string{`"contacts":` + string(list)}
	if next != "" {
		fields = append(fields, fmt.Sprintf(`"next_offset":%q`, next))
	}
	if checkpoint != "" {
		fields = append(fields, fmt.Sprintf(`"synchronization_checkpoint":%q`, checkpoint))
	}
	if context != "" {
		fields = append(fields, `"context":`+context)
	}
	return "{" + strings.Join(fields, ",") + "}"
}

// meta holds the fields of a request.
type meta struct {
	Checkpoint string          `json:"synchronization_checkpoint"`
	Offset     string          `json:"offset"`
	Context    json.RawMessage `json:"context"`
}

// scripted is a bridge that writes what answer returns.
func scripted(answer func(w http.ResponseWriter, ask meta)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Meta meta `json:"meta"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		answer(w, body.Meta)
	})
}
