package acme_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/contactbridge/contactbridge/hub/secret"
	"github.com/contactbridge/contactbridge/internal/acme"
	"github.com/contactbridge/contactbridge/internal/test/pace"
	"github.com/contactbridge/contactbridge/internal/test/pebble"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/internal/test/ports"
)

var server pgtest.Suite

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

// domain is a test's own: certmagic keeps the challenges of a process by their domains, so that two tests with one would answer
// each other's.
func domain(t *testing.T) string { return strings.ToLower(t.Name()) + ".example.com" }

// A site is a server with certificates of its own.
type site struct {
	address string // of its HTTPS
	manager *acme.Manager
	logs    *buffer
	stop    func() error
}

// A buffer takes the log lines of many goroutines.
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

// listen opens a free port.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// serve serves on l until the test ends.
func serve(t *testing.T, l net.Listener, o acme.Options) *site {
	t.Helper()
	s := &site{address: l.Addr().String(), logs: &buffer{}}
	o.Domains, o.Email, o.Logger = []string{domain(t)}, "", slog.New(slog.NewTextHandler(s.logs, nil))
	var err error
	if s.manager, err = acme.New(t.Context(), l, o); err != nil {
		t.Fatal(err)
	}
	web := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }), TLSConfig: s.manager.TLS(),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), ReadHeaderTimeout: time.Minute,
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- s.manager.Run(ctx) }()
	go func() { _ = web.ServeTLS(l, "", ""); ended <- nil }()
	s.stop = sync.OnceValue(func() error {
		cancel()
		_ = web.Close()
		return errors.Join(<-ended, <-ended)
	})
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("end: %v", err)
		}
		if t.Failed() {
			t.Log(s.logs.String())
		}
	})
	return s
}

// shown returns the certificate that a site shows.
func shown(t *testing.T, address string, roots *x509.CertPool) (*x509.Certificate, error) {
	t.Helper()
	conn, err := (&tls.Dialer{Config: &tls.Config{ServerName: domain(t), RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}}}).Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// awaitAnother waits until a site shows a valid certificate that is not the old one, which may be nil.
func awaitAnother(t *testing.T, address string, roots *x509.CertPool, old *x509.Certificate) *x509.Certificate {
	t.Helper()
	deadline := time.Now().Add(pace.Limit(15 * time.Second))
	for {
		cert, err := shown(t, address, roots)
		if err == nil && (old == nil || cert.SerialNumber.Cmp(old.SerialNumber) != 0) {
			return cert
		}
		if time.Now().After(deadline) {
			t.Fatalf("no new certificate: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func roots(t *testing.T, a *pebble.Authority) *x509.CertPool {
	t.Helper()
	pool, err := acme.ReadRoots(a.Roots)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// A certificate is got by TLS-ALPN-01 at the server's own port, is renewed before it ends, and is found again after a restart.
func TestACertificateIsIssuedRenewedAndKept(t *testing.T) {
	t.Parallel()
	l := listen(t)
	authority := pebble.Start(t, pebble.Options{TLS: port(l), HTTP: ports.ForTest(t), Validity: 12 * time.Second})
	folder := t.TempDir()
	o := acme.Options{Directory: authority.Directory, Roots: roots(t, authority), Storage: acme.Folder(folder), CheckEvery: 200 * time.Millisecond}
	s := serve(t, l, o)
	issuers := authority.Issuers(t)
	first := awaitAnother(t, s.address, issuers, nil)
	expires := func() float64 {
		return testutil.ToFloat64(prometheus.Collector(s.manager))
	}
	if have := expires(); have < float64(time.Now().Unix()) {
		t.Errorf("the certificate's end is %v", have)
	}
	renewed := awaitAnother(t, s.address, issuers, first)
	if !renewed.NotAfter.After(first.NotAfter) {
		t.Errorf("the renewed one ends at %v, the first at %v", renewed.NotAfter, first.NotAfter)
	}
	if left := time.Until(first.NotAfter); left < 0 {
		t.Errorf("it was renewed %v after its end", -left)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if logs := s.logs.String(); !strings.Contains(logs, "a certificate was issued") || strings.Contains(logs, "level=ERROR") {
		t.Errorf("the log is\n%s", logs)
	}
	o.Roots = nil // the authority is not believed, so it gives nothing: what is kept needs nobody
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	again := serve(t, l, o)
	if kept := awaitAnother(t, again.address, issuers, first); kept.NotAfter.Before(renewed.NotAfter) {
		t.Errorf("after a restart the one of %v is shown", kept.NotAfter)
	}
}

// Where the authority does not reach the server at port 443, it is answered at port 80, and browsers are sent on from there.
func TestACertificateIsIssuedByHTTP(t *testing.T) {
	t.Parallel()
	plain := ports.ForTest(t)
	authority := pebble.Start(t, pebble.Options{TLS: ports.ForTest(t), HTTP: plain})
	s := serve(t, listen(t), acme.Options{
		Directory: authority.Directory, Roots: roots(t, authority), Storage: acme.Folder(t.TempDir()), HTTP: fmt.Sprintf("127.0.0.1:%d", plain),
	})
	awaitAnother(t, s.address, authority.Issuers(t), nil)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for method, want := range map[string]int{http.MethodGet: http.StatusMovedPermanently, http.MethodPost: http.StatusForbidden} {
		request, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("http://127.0.0.1:%d/console?a=b", plain), strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		request.Host = domain(t)
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if where := response.Header.Get("Location"); response.StatusCode != want || want == http.StatusMovedPermanently && where != "https://"+domain(t)+"/console?a=b" {
			t.Errorf("%s: %d, %q", method, response.StatusCode, where)
		}
	}
}

// Two processes on one database get one certificate between them, whichever of them the authority asks.
func TestTwoProcessesShareACertificate(t *testing.T) {
	t.Parallel()
	database := server.Database(t)
	ring, err := secret.Parse(secret.NewKey(), "the test")
	if err != nil {
		t.Fatal(err)
	}
	one, two := listen(t), listen(t)
	authority := pebble.Start(t, pebble.Options{TLS: port(one), HTTP: ports.ForTest(t), Validity: 15 * time.Second})
	var sites []*site
	for _, l := range []net.Listener{two, one} { // the authority only asks one, and two is the first to begin
		storage, err := acme.OpenDatabase(t.Context(), database.DSN, ring)
		if err != nil {
			t.Fatal(err)
		}
		sites = append(sites, serve(t, l, acme.Options{
			Directory: authority.Directory, Roots: roots(t, authority), Storage: storage, End: storage.Close, CheckEvery: 200 * time.Millisecond,
		}))
	}
	issuers := authority.Issuers(t)
	// One may be asked before a renewal and the other after it: what matters is that both come to show the same one.
	both := func(old *x509.Certificate) *x509.Certificate {
		t.Helper()
		deadline := time.Now().Add(pace.Limit(15 * time.Second))
		for {
			a, b := awaitAnother(t, sites[0].address, issuers, old), awaitAnother(t, sites[1].address, issuers, old)
			if a.SerialNumber.Cmp(b.SerialNumber) == 0 {
				return a
			}
			if time.Now().After(deadline) {
				t.Fatalf("they show %v and %v", a.SerialNumber, b.SerialNumber)
			}
		}
	}
	both(both(nil)) // and after its renewal
	// How many renewals there are depends on how long all this takes: the authority may want one at any moment.
	first := 0
	for _, s := range sites {
		first += strings.Count(s.logs.String(), `"a certificate was issued" domain=`+domain(t)+" renewal=false")
	}
	if first != 1 {
		t.Errorf("%d certificates were issued that renewed none", first)
	}
	for _, key := range []string{"PRIVATE KEY", "CERTIFICATE"} {
		var open int
		if err := database.Conn(t).QueryRow(t.Context(), "SELECT count(*) FROM contactbridge.certificates WHERE position($1::bytea IN value) > 0", []byte(key)).Scan(&open); err != nil {
			t.Fatal(err)
		}
		if open != 0 {
			t.Errorf("%d values hold %q", open, key)
		}
	}
}

// A server serves while the authority is down, says so, and has its certificate soon after the authority is back.
func TestAnAuthorityThatIsDownAtTheStart(t *testing.T) {
	t.Parallel()
	l := listen(t)
	authority := pebble.New(t, pebble.Options{TLS: port(l), HTTP: ports.ForTest(t)})
	s := serve(t, l, acme.Options{Directory: authority.Directory, Roots: roots(t, authority), Storage: acme.Folder(t.TempDir())})
	deadline := time.Now().Add(pace.Limit(20 * time.Second))
	for !strings.Contains(s.logs.String(), "no certificate yet") {
		if time.Now().After(deadline) {
			t.Fatalf("nothing is said: %s", s.logs.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
	if _, err := shown(t, s.address, nil); err == nil {
		t.Error("it shows a certificate")
	}
	if have := testutil.ToFloat64(prometheus.Collector(s.manager)); have != 0 {
		t.Errorf("the metric says %v", have)
	}
	authority.Start(t)
	awaitAnother(t, s.address, authority.Issuers(t), nil)
}

// The storage in a database keeps what certmagic expects of one.
func TestTheStorageInADatabase(t *testing.T) {
	t.Parallel()
	database := server.Database(t)
	key := secret.NewKey()
	open := func(keys string) *acme.Database {
		t.Helper()
		ring, err := secret.Parse(keys, "the test")
		if err != nil {
			t.Fatal(err)
		}
		storage, err := acme.OpenDatabase(t.Context(), database.DSN, ring)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := storage.Close(); err != nil {
				t.Error(err)
			}
		})
		return storage
	}
	ctx, s := t.Context(), open(key)
	for k, v := range map[string]string{"a/b/one": "1", "a/b/two": "2", "a/c": "3", "ab": "4", "a/_%/x": "5"} {
		if err := s.Store(ctx, k, []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := s.Load(ctx, "a/b/two"); err != nil || string(v) != "2" {
		t.Errorf("%q, %v", v, err)
	}
	if _, err := s.Load(ctx, "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder is loaded: %v", err)
	}
	if _, err := open(secret.NewKey()).Load(ctx, "a/c"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what another key sealed: %v", err)
	}
	for _, c := range []struct {
		path      string
		recursive bool
		want      string
	}{
		{"a", false, "a/_% a/b a/c"}, {"a", true, "a/_% a/_%/x a/b a/b/one a/b/two a/c"}, {"a/b", false, "a/b/one a/b/two"}, {"", false, "a ab"},
	} {
		keys, err := s.List(ctx, c.path, c.recursive)
		if have := strings.Join(keys, " "); err != nil || have != c.want {
			t.Errorf("%q: %q, %v", c.path, have, err)
		}
	}
	if info, err := s.Stat(ctx, "a/b"); err != nil || info.IsTerminal {
		t.Errorf("%+v, %v", info, err)
	}
	if info, err := s.Stat(ctx, "a/c"); err != nil || !info.IsTerminal || time.Since(info.Modified) > time.Hour {
		t.Errorf("%+v, %v", info, err)
	}
	if err := s.Delete(ctx, "a/_%"); err != nil || s.Exists(ctx, "a/_%/x") || !s.Exists(ctx, "a/b") || !s.Exists(ctx, "ab") {
		t.Errorf("after a deletion: %v", err)
	}
}

// One process at a time has a lock; one that died keeps it for a minute at most.
func TestALockIsOneProcesss(t *testing.T) {
	t.Parallel()
	database := server.Database(t)
	var storages []*acme.Database
	ring, err := secret.Parse(secret.NewKey(), "the test")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, err := acme.OpenDatabase(t.Context(), database.DSN, ring)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		storages = append(storages, s)
	}
	ctx := t.Context()
	if err := storages[0].Lock(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := storages[1].Lock(short, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("both have it: %v", err)
	}
	if err := storages[0].Unlock(ctx, "x"); err != nil {
		t.Error(err)
	}
	if err := storages[1].Lock(ctx, "x"); err != nil {
		t.Error(err)
	}
	if err := storages[0].Unlock(ctx, "x"); err == nil {
		t.Error("another process's lock was given back")
	}
	database.Exec(t, "UPDATE contactbridge.certificate_locks SET until = now() - interval '1 second'") // as if storages[1] had died
	if err := storages[0].Lock(ctx, "x"); err != nil {
		t.Error(err)
	}
	if err := storages[1].Unlock(ctx, "x"); err != nil {
		t.Error(err)
	}
	if err := storages[0].Unlock(ctx, "x"); err != nil {
		t.Error(err)
	}
}

var _ certmagic.Storage = acme.Folder("")
