package hub_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A fullStore has no room for pages while it is full.
type fullStore struct {
	directory.Store

	mu      sync.Mutex
	problem error
	tried   int
}

func (s *fullStore) ApplyPage(ctx context.Context, run *directory.Run, page directory.PageChanges) error {
	s.mu.Lock()
	s.tried++
	problem := s.problem
	s.mu.Unlock()
	if problem != nil {
		return fmt.Errorf("store page 1: %w", problem)
	}
	return s.Store.ApplyPage(ctx, run, page)
}

func (s *fullStore) set(problem error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem = problem
}

func (s *fullStore) attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tried
}

// While the hub's own database has no room, runs do not fail one after the other: one is tried now and then. The hub and its
// integrations say what is wrong, and everything goes on by itself once there is room.
func TestAFullDiskPausesRunsAndIsTold(t *testing.T) {
	t.Parallel()
	f, c := newHub(t), newCRM(t, 3)
	f.Options.PerHost = 100
	full := &fullStore{Store: f.Store(), problem: &pgconn.PgError{Code: "53100", Message: "could not extend file: No space left on device"}}
	f.SetStore(full)
	const integrations = 20
	for n := range integrations {
		i := registry.Integration{Key: directory.Key{Account: "acme", Integration: fmt.Sprintf("i%d", n)}, Bridge: c.url}
		must(t, f.AddIntegration(t.Context(), i, good))
	}
	must(t, f.Ready(t.Context()))
	work(t, f.Hub)
	eventually(t, "it is noticed", func() bool { return f.Ready(t.Context()) != nil })
	time.Sleep(2500 * time.Millisecond)
	first := full.attempts()
	if first > f.Workers() {
		t.Errorf("%d runs failed before anything paused", first)
	}
	list, err := f.Integrations(t.Context(), "acme", directory.Key{}, 0)
	must(t, err)
	told := 0
	for _, v := range list {
		if p := v.Status.Problem; v.Status.Health == registry.HealthFailing && p.Code == "storage" && p.Hint != "" {
			told++
		}
	}
	if told != first {
		t.Errorf("%d of %d integrations that failed say why", told, first)
	}
	for range 3 { // it is tried again, seldom, by one run
		before := full.attempts()
		f.clock.move(time.Minute)
		eventually(t, "it is tried again", func() bool { return full.attempts() > before })
		time.Sleep(1500 * time.Millisecond)
		if n := full.attempts() - before; n != 1 {
			t.Errorf("%d runs tried at once", n)
		}
	}
	full.set(nil)
	eventually(t, "everything has run by itself", func() bool {
		f.clock.move(10 * time.Second)
		o, err := f.Overview(t.Context(), "acme")
		must(t, err)
		return o.ByHealth[registry.HealthOK] == integrations
	})
	must(t, f.Ready(t.Context()))
}

// A store that refuses one integration's page for a reason of that page keeps no other integration waiting.
func TestOneBadPagePausesNobodyElse(t *testing.T) {
	f, c := newHub(t), newCRM(t, 3)
	store := &fullStore{Store: f.Store(), problem: &pgconn.PgError{Code: "XX000", Message: "invalid tsvector"}}
	f.SetStore(store)
	f.add(t, c)
	work(t, f.Hub)
	f.until(t, registry.HealthFailing)
	store.set(nil)
	must(t, f.Ready(t.Context()))
	i := registry.Integration{Key: directory.Key{Account: "acme", Integration: "other"}, Bridge: c.url}
	must(t, f.AddIntegration(t.Context(), i, good))
	eventually(t, "the other one has run", func() bool {
		v, err := f.Integration(t.Context(), i.Key)
		must(t, err)
		return v.Status.Health == registry.HealthOK
	})
}

// What was found out long ago, and not tried again since, does not keep a hub from being ready.
func TestAnOldProblemIsForgotten(t *testing.T) {
	f, c := newHub(t), newCRM(t, 3)
	f.SetStore(&fullStore{Store: f.Store(), problem: &pgconn.PgError{Code: "53100"}})
	f.add(t, c)
	stop := work(t, f.Hub)
	f.until(t, registry.HealthFailing)
	stop()
	if err := f.Ready(t.Context()); err == nil {
		t.Error("it is ready")
	}
	f.clock.move(time.Hour)
	must(t, f.Ready(t.Context()))
}

// Where not even the registry can be written, the process that found out says so.
func TestAProblemThatCannotBeWrittenDownIsShown(t *testing.T) {
	f, c := newHub(t), newCRM(t, 3)
	f.SetStore(&fullStore{Store: f.Store(), problem: &pgconn.PgError{Code: "53100"}})
	f.add(t, c)
	db, err := sql.Open("sqlite", filepath.Join(f.dir, "hub.db"))
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), "CREATE TRIGGER full BEFORE UPDATE ON integrations WHEN NEW.token = '' BEGIN SELECT RAISE(ABORT, 'full'); END")
	must(t, err)
	work(t, f.Hub)
	eventually(t, "it is shown", func() bool {
		v := f.view(t)
		return v.Status.Health == registry.HealthFailing && v.Status.Problem.Code == "storage"
	})
	list, err := f.Integrations(t.Context(), "", directory.Key{}, 0)
	must(t, err)
	if list[0].Status.Health != registry.HealthFailing {
		t.Errorf("in the list it is %s", list[0].Status.Health)
	}
}
