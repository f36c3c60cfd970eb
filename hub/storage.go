package hub

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A storage notices when the hub's own databases cannot be written, such as on a full disk. While that lasts, runs would fail one
// after the other without any fault of theirs: instead, one at a time is tried, more and more seldom.
type storage struct {
	mu       sync.Mutex
	err      error // nil: it works, as far as is known
	since    time.Time
	failures int
	until    time.Time // when the next run is tried
	hit      map[directory.Key]*registry.Problem
}

// The pauses while a database cannot be written.
const (
	storageFirst   = 5 * time.Second
	storageLongest = time.Minute
)

// failed takes note of a failure and reports when to try again. Failures of runs that began together count once.
func (s *storage) failed(now time.Time, err error) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.since = now
	}
	s.err = err
	if !now.Before(s.until) {
		s.until = now.Add(min(storageLongest, storageFirst<<min(s.failures, 10)))
		s.failures++
	}
	return s.until
}

// works takes note that something was written.
func (s *storage) works() (after time.Duration, was bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, after = s.err != nil, time.Since(s.since)
	s.err, s.failures, s.until, s.hit = nil, 0, time.Time{}, nil
	return after, was
}

// hits takes note of an integration after its run failed for that: its status may be in the same database.
func (s *storage) hits(key directory.Key, p *registry.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		return
	}
	if s.hit == nil {
		s.hit = map[directory.Key]*registry.Problem{}
	}
	s.hit[key] = p
}

// problems returns those of the integrations that could not be written down.
func (s *storage) problems() map[directory.Key]*registry.Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.hit)
}

// room returns how many runs may begin: all, one that tries, or none.
func (s *storage) room(now time.Time, all int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err == nil:
		return all
	case now.Before(s.until):
		return 0
	}
	return min(all, 1)
}

// problem returns why the databases cannot be written. It returns nil where no failure is known, and where none was seen for some
// minutes.
func (s *storage) problem(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.After(s.until.Add(5 * storageLongest)) {
		return nil
	}
	return s.err
}

// asKnown returns an integration with what keeps it from working, even where that could not be written down.
func asKnown(i registry.Integration, unwritten map[directory.Key]*registry.Problem) registry.Integration {
	if p := unwritten[i.Key]; p != nil && (i.Status.Health == registry.HealthNew || i.Status.Health == registry.HealthOK) {
		i.Status.Health, i.Status.Problem, i.Status.Failures = registry.HealthFailing, p, max(1, i.Status.Failures)
	}
	return i
}

// Listed is [registry.DB.Integrations] of all accounts, with what this process knows besides.
func (h *Hub) Listed(ctx context.Context, after directory.Key, limit int) ([]registry.Integration, error) {
	list, err := h.Registry.Integrations(ctx, "", after, limit)
	unwritten := h.storage.problems()
	for n := range list {
		list[n] = asKnown(list[n], unwritten)
	}
	return list, err
}

// ownFault reports whether a run failed because the hub's own databases cannot be written: no bridge can help that, and no other
// integration fares better.
func ownFault(err error) bool { return registry.Unavailable(err) }

// storageFailed takes note that the databases cannot be written. It reports when to try again.
func (h *Hub) storageFailed(err error) time.Time {
	until := h.storage.failed(h.now(), err)
	h.seldom().Error("the hub's database cannot be written: runs wait until it can", "error", err)
	return until
}

func (h *Hub) storageWorks() {
	if after, was := h.storage.works(); was {
		h.log().Info("the hub's database can be written again", "after", after.Round(time.Second).String())
	}
}

// Writable returns nil unless this process has found that the hub's databases cannot be written.
func (h *Hub) Writable() error {
	if err := h.storage.problem(h.now()); err != nil {
		return errors.Join(errors.New("the hub's database cannot be written"), err)
	}
	return nil
}
