package registry_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/hub/secret"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
)

var server pgtest.Suite

func TestMain(m *testing.M) {
	status := server.Main(m)
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// A world is an empty registry, its clock, and the way to open it again.
type world struct {
	*registry.DB
	at    string
	clock *clock
	key   string
	ring  *secret.Ring
}

type clock struct{ micros atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

func newWorld(t testing.TB, at string) *world {
	t.Helper()
	key := secret.NewKey()
	ring, err := secret.Parse(key, "the test")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{at: at, key: key, ring: ring, clock: &clock{}}
	w.clock.micros.Store(time.Date(2026, 3, 1, 12, 0, 0, 123_000, time.UTC).UnixMicro())
	w.DB = w.again(t, registry.OpenOptions{Seal: ring, Clock: w.clock.now})
	return w
}

// again opens the registry as another process would.
func (w *world) again(t testing.TB, o registry.OpenOptions) *registry.DB {
	t.Helper()
	db, err := registry.Open(t.Context(), w.at, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newWorld(t, filepath.Join(t.TempDir(), "hub.db"))) })
	t.Run("postgres", func(t *testing.T) { test(t, newWorld(t, emptyRegistry(t))) })
}

// ok ends the test on an error.
func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is wants one of the package's errors.
func is(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// got ends the test on an error, or gives the value.
func got[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

var crm = directory.Key{Account: "acme", Integration: "crm"}

// integration is a plain one that is due every hour.
func integration(key directory.Key) registry.Integration {
	return registry.Integration{Key: key, Bridge: "https://bridge.example.com/crm/contact_sync", Schedule: registry.Schedule{Every: time.Hour}}
}

// withCRM makes account acme with integration crm.
func (w *world) withCRM(t testing.TB, change ...func(*registry.Integration)) {
	t.Helper()
	ok(t, w.PutAccount(t.Context(), registry.Account{Name: "acme", Region: "GB"}))
	i := integration(crm)
	for _, f := range change {
		f(&i)
	}
	ok(t, w.AddIntegration(t.Context(), i, map[string]string{"username": "agent", "password": "s3cret"}))
}

// claim takes the only claim that there is.
func (w *world) claim(t testing.TB, worker string) registry.Claim {
	t.Helper()
	claims := got(w.Claim(t.Context(), worker, 10, time.Minute))(t)
	if len(claims) != 1 {
		t.Fatalf("%d claims, want 1", len(claims))
	}
	return claims[0]
}

// none wants nothing to be claimed.
func (w *world) none(t testing.TB) {
	t.Helper()
	if claims := got(w.Claim(t.Context(), "nobody", 10, time.Minute))(t); len(claims) != 0 {
		t.Fatalf("%d claims, want none: %+v", len(claims), claims)
	}
}

func (w *world) integration(t testing.TB) registry.Integration {
	t.Helper()
	return got(w.Integration(t.Context(), crm))(t)
}

// emptyRegistry is a PostgreSQL database with the tables of a registry, and nothing that anybody has put there.
func emptyRegistry(t testing.TB) (dsn string) {
	t.Helper()
	return server.Prepared(t, "registry", func(d *pgtest.Database) {
		db, err := registry.Open(t.Context(), d.DSN, registry.OpenOptions{})
		if err == nil {
			err = db.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}).DSN
}
