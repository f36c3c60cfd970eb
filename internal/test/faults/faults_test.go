package faults_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/test/faults"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/postgres"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sqltable"
	"github.com/contactbridge/contactbridge/synchronizer"
)

var server pgtest.Suite

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait more than they work.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(server.Main(m))
}

var key = directory.Key{Account: "acme", Integration: "crm"}

// A path is the whole way from a database to a directory, with a proxy at either hop.
type path struct {
	db           *pgtest.Database
	toDB, toHTTP *faults.Proxy
	front        *front
	client       *bridge.Client
	store        directory.Store
}

// A front answers in the bridge's place, as a load balancer does, for some requests.
type front struct {
	next   http.Handler
	answer http.HandlerFunc
	left   atomic.Int64
	hit    atomic.Int64
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.left.Add(-1) >= 0 {
		f.hit.Add(1)
		io.Copy(io.Discard, r.Body)
		f.answer(w, r)
		return
	}
	f.next.ServeHTTP(hasty{w}, r)
}

// hasty leaves out how long the bridge wants to be left alone: the tests need not wait half a minute after every failure.
type hasty struct{ http.ResponseWriter }

func (h hasty) WriteHeader(status int) {
	h.Header().Del("Retry-After")
	h.ResponseWriter.WriteHeader(status)
}

const rows = 300

func newPath(t *testing.T) *path {
	t.Helper()
	p := &path{db: server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, name text, u timestamptz DEFAULT now())`,
		fmt.Sprintf(`INSERT INTO customers SELECT i, repeat('Customer ', 8) || i, now() - interval '1 hour' + (i / 7) * interval '1 s' FROM generate_series(1, %d) i`, rows),
		`CREATE INDEX ON customers (u, id)`)}
	p.toDB = proxy(t, fmt.Sprintf("127.0.0.1:%d", server.Server(t).Port))
	dsn, err := source.ParseTemplate(strings.Replace(p.db.DSN, fmt.Sprintf(":%d/", server.Server(t).Port), p.toDB.Addr()[strings.Index(p.toDB.Addr(), ":"):]+"/", 1))
	if err != nil {
		t.Fatal(err)
	}
	factory, err := postgres.New(postgres.Config{
		DSN: dsn, Config: sqltable.Config{Table: "customers", ID: "id", Updated: "u", Fields: record.Fields{Name: "name"}},
	}, source.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := factory.Close(); err != nil {
			t.Error(err)
		}
	})
	p.front = &front{next: &bridge.Handler{
		Name: "crm", Open: factory.Open, Authenticate: bridge.AllowAnyone, Limits: bridge.Limits{Contacts: 70, Time: time.Second, Hard: 2 * time.Second},
	}}
	web := httptest.NewServer(p.front)
	t.Cleanup(web.Close)
	p.toHTTP = proxy(t, web.Listener.Addr().String())
	p.client = &bridge.Client{URL: "http://" + p.toHTTP.Addr() + "/crm/contact_sync", Timeout: 4 * time.Second}
	t.Cleanup(p.client.CloseIdleConnections)
	if p.store, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "contacts.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func proxy(t *testing.T, target string) *faults.Proxy {
	t.Helper()
	p, err := faults.Start(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *path) run(ctx context.Context, full bool, attempts int) (synchronizer.Report, error) {
	s := synchronizer.Synchronizer{Bridge: p.client, Store: p.store}
	return s.Run(ctx, key, synchronizer.Options{Full: full, Retry: synchronizer.Retry{Attempts: attempts, First: time.Millisecond, Longest: 20 * time.Millisecond}})
}

// many attempts sit out whatever ends, on a slow machine too.
const many = 10

// work changes the database: a third of the rows, and new ones.
func (p *path) work(t *testing.T, round int) {
	t.Helper()
	p.db.Exec(t, fmt.Sprintf(`UPDATE customers SET name = 'Round %d of ' || id, u = now() WHERE id %% 3 = %[1]d %% 3;
		INSERT INTO customers (id, name) SELECT %d + i, 'New ' || i FROM generate_series(1, 20) i`, round, 1000*round))
}

// equal compares the directory with the database, row by row.
func (p *path) equal(t *testing.T) {
	t.Helper()
	list, err := p.db.Conn(t).Query(t.Context(), "SELECT id::text, name FROM customers")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for list.Next() {
		var id, name string
		if err := list.Scan(&id, &name); err != nil {
			t.Fatal(err)
		}
		want[id] = name
	}
	got := p.stored(t)
	for id, name := range want {
		if got[id] != name {
			t.Errorf("contact %s is %q in the directory and %q in the database", id, got[id], name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d contacts in the directory, %d in the database", len(got), len(want))
	}
}

func (p *path) stored(t *testing.T) map[string]string {
	t.Helper()
	got := map[string]string{}
	list, err := p.store.Contacts(t.Context(), key, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		got[c.ID] = c.Name
	}
	return got
}

// A trouble is one fault at one place of the path.
type trouble struct {
	name  string
	start func(p *path, times int)
	hit   func(p *path) bool
	// codes are the error codes with which a run may end while the trouble lasts; empty: it must succeed all the same.
	codes []bridge.Code
}

func network(hop string, at func(*path) *faults.Proxy, name string, fault faults.Fault, codes ...bridge.Code) trouble {
	return trouble{
		name: hop + ", " + name, codes: codes,
		start: func(p *path, times int) { at(p).Set(fault, times) },
		hit:   func(p *path) bool { return at(p).Hit() > 0 },
	}
}

func answered(name string, answer http.HandlerFunc, codes ...bridge.Code) trouble {
	return trouble{
		name: "load balancer, " + name, codes: codes,
		start: func(p *path, times int) {
			p.front.answer = answer
			p.front.left.Store(int64(times))
		},
		hit: func(p *path) bool { return p.front.hit.Load() > 0 },
	}
}

func status(code int, retryAfter, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

const badGateway = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"

func troubles() (list []trouble) {
	toHTTP := func(p *path) *faults.Proxy { return p.toHTTP }
	toDB := func(p *path) *faults.Proxy { return p.toDB }
	for _, hop := range []struct {
		name             string
		at               func(*path) *faults.Proxy
		bytes            int
		broken, timedOut bridge.Code
	}{
		{"bridge to synchronizer", toHTTP, 300, bridge.CodeUnreachable, bridge.CodeTimeout},
		{"database to bridge", toDB, 3000, bridge.CodeSourceUnavailable, bridge.CodeSourceTimeout},
	} {
		list = append(list,
			network(hop.name, hop.at, "latency", faults.Fault{Latency: 5 * time.Millisecond}),
			network(hop.name, hop.at, "refused", faults.Fault{Refuse: true}, hop.broken),
			network(hop.name, hop.at, "reset in mid-body", faults.Fault{Reset: hop.bytes}, hop.broken),
			network(hop.name, hop.at, "cut off in mid-body", faults.Fault{Cut: hop.bytes}, hop.broken),
			network(hop.name, hop.at, "slow drip", faults.Fault{Drip: 20, Latency: 100 * time.Millisecond}, hop.timedOut, hop.broken),
			network(hop.name, hop.at, "silence", faults.Fault{Silent: true}, hop.timedOut, hop.broken),
		)
	}
	const asJSON, asHTML = "application/json", "text/html"
	return append(list,
		answered("429", status(429, "", asJSON, `{}`), bridge.CodeRateLimited),
		answered("429 with Retry-After", status(429, "1", asJSON, `{}`), bridge.CodeRateLimited),
		answered("500", status(500, "", asJSON, `{}`), bridge.CodeInternal),
		answered("502 with a page", status(502, "", asHTML, badGateway), bridge.CodeSourceBroken, bridge.CodeSourceUnavailable),
		answered("503 with Retry-After", status(503, "1", asHTML, badGateway), bridge.CodeSourceUnavailable),
		answered("504", status(504, "", asHTML, badGateway), bridge.CodeSourceTimeout),
	)
}

// Whatever happens on the wire for a while is sat out; what lasts ends in an error that names it, with no contact deleted, and
// when it is over the next run makes the directory equal the database.
func TestFaultsOnTheWire(t *testing.T) {
	for _, trouble := range troubles() {
		for _, times := range []int{2, faults.Always} {
			name := trouble.name + ", for a while"
			if times == faults.Always {
				name = trouble.name + ", lasting"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := newPath(t)
				if _, err := p.run(t.Context(), false, many); err != nil {
					t.Fatal(err)
				}
				p.work(t, 1)
				trouble.start(p, times)
				attempts := many
				if times == faults.Always && len(trouble.codes) > 0 {
					attempts = 2
				}
				report, err := p.run(t.Context(), true, attempts)
				if !trouble.hit(p) {
					t.Fatal("the trouble was never met")
				}
				judge(t, p, trouble, times, report, err)
				for id := range rows {
					if _, kept := p.stored(t)[fmt.Sprint(id+1)]; !kept {
						t.Fatalf("contact %d was deleted", id+1)
					}
				}
				trouble.start(p, 0)
				p.work(t, 2)
				if _, err := p.run(t.Context(), false, many); err != nil {
					t.Fatal(err)
				}
				p.equal(t)
			})
		}
	}
}

// judge looks at how the run ended that had the trouble.
func judge(t *testing.T, p *path, trouble trouble, times int, report synchronizer.Report, err error) {
	t.Helper()
	if err == nil {
		p.equal(t)
		return
	}
	if times != faults.Always || len(trouble.codes) == 0 {
		t.Errorf("the run failed: %v", err)
		return
	}
	known := false
	for _, code := range trouble.codes {
		known = known || bridge.CodeOf(err) == code
	}
	if hint := failure.Of(err).Hint; !known || len(hint) < 20 || report.Retries == 0 {
		t.Errorf("%s after %d retries: %v (hint: %s), want one of %v", bridge.CodeOf(err), report.Retries, err, hint, trouble.codes)
	}
}

// A content type other than JSON does not matter where the body is the protocol's, and says nothing where it is not.
func TestWrongContentType(t *testing.T) {
	p := newPath(t)
	good := p.front.next
	p.front.next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		r.Header.Del("Accept-Encoding")
		good.ServeHTTP(answer, r)
		status(answer.Code, "", "text/html", answer.Body.String())(w, r)
	})
	if _, err := p.run(t.Context(), false, many); err != nil {
		t.Fatal(err)
	}
	p.equal(t)
	trouble := answered("a page with 200", status(200, "", "text/html", badGateway))
	trouble.start(p, 1)
	if _, err := p.run(t.Context(), true, many); bridge.CodeOf(err) != bridge.CodeBadAnswer {
		t.Errorf("an HTML page with 200: %v", err)
	}
	if n := len(p.stored(t)); n != rows {
		t.Errorf("%d contacts are left", n)
	}
}

func TestProxyDoesWhatItSays(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Write(make([]byte, 1000))
			conn.Close()
		}
	}()
	p := proxy(t, listener.Addr().String())
	read := func(fault faults.Fault) (int, error) {
		p.Set(fault, 1)
		conn, err := net.Dial("tcp", p.Addr())
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		all, err := io.ReadAll(conn)
		return len(all), err
	}
	if n, err := read(faults.Fault{}); n != 1000 || err != nil {
		t.Errorf("no fault: %d bytes, %v", n, err)
	}
	if n, err := read(faults.Fault{Cut: 400}); n != 400 || err != nil {
		t.Errorf("cut: %d bytes, %v", n, err)
	}
	if n, err := read(faults.Fault{Reset: 400}); n > 400 || err == nil {
		t.Errorf("reset: %d bytes, %v", n, err)
	}
	if n, err := read(faults.Fault{Refuse: true}); n != 0 || err == nil {
		t.Errorf("refused: %d bytes, %v", n, err)
	}
	if n, err := read(faults.Fault{Silent: true}); n != 0 || err != nil {
		t.Errorf("silent: %d bytes, %v", n, err)
	}
}
