package hub

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// slots are this process's places for what asks bridges: runs, and people who try an integration.
type slots struct {
	mu       sync.Mutex
	all      int
	tests    int
	accounts map[string]int
	hosts    map[string]int
}

// A share is how many places there are at most.
type share struct{ all, tests, account, host int }

// share is what this hub's options leave to an account and to a host. One account of several gets half of the workers: what keeps
// all of its integrations busy leaves the others' alone.
func (h *Hub) share(ctx context.Context) share {
	return share{all: h.Workers(), tests: max(1, h.Workers()/2), account: h.PerAccount(ctx), host: h.perHost()}
}

// PerAccount is how many runs of one account this process does at once.
func (h *Hub) PerAccount(ctx context.Context) int {
	if h.Options.PerAccount > 0 {
		return h.Options.PerAccount
	}
	several, err := h.several.get(h.now(), struct{}{}, regionFresh, func() (bool, error) {
		accounts, err := h.Registry.Accounts(ctx)
		return len(accounts) > 1, err
	}, isNotFound)
	if err != nil || several {
		return max(1, h.Workers()/2)
	}
	return h.Workers()
}

// enter takes a place, and reports whether there was one.
func (s *slots) enter(account, host string, most share, test bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= most.all || s.accounts[account] >= most.account || s.hosts[host] >= most.host || test && s.tests >= most.tests {
		return false
	}
	if s.accounts == nil {
		s.accounts, s.hosts = map[string]int{}, map[string]int{}
	}
	s.all++
	s.accounts[account]++
	s.hosts[host]++
	if test {
		s.tests++
	}
	return true
}

func (s *slots) leave(account, host string, test bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if test {
		s.tests--
	}
	for of, name := range map[*map[string]int]string{&s.accounts: account, &s.hosts: host} {
		if (*of)[name]--; (*of)[name] <= 0 {
			delete(*of, name)
		}
	}
}

// free is how many places nobody has.
func (s *slots) free(most share) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return most.all - s.all
}

// full are the accounts that have all of their places.
func (s *slots) full(most share) (accounts []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, n := range s.accounts {
		if n >= most.account {
			accounts = append(accounts, name)
		}
	}
	return accounts
}

const testPatience = 5 * time.Second // that somebody who tries an integration waits for a place

// enterTest takes a place for trying an integration, or says that there is none.
func (h *Hub) enterTest(ctx context.Context, account, host string) error {
	patience := time.Now().Add(testPatience)
	for !h.slots.enter(account, host, h.share(ctx), true) {
		if time.Now().After(patience) {
			return &Error{
				Kind: Busy, Message: "the hub is busy with as many runs and tests of this account, or of this bridge's host, as it does at once",
				Hint: "Try again in a moment. workers, per_account and per_host in the hub's configuration say how many there may be.",
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// working knows how to stop this process's runs.
type working struct {
	mu    sync.Mutex
	stops map[directory.Key]context.CancelCauseFunc
}

func (w *working) add(key directory.Key, stop context.CancelCauseFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stops == nil {
		w.stops = map[directory.Key]context.CancelCauseFunc{}
	}
	w.stops[key] = stop
}

func (w *working) remove(key directory.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.stops, key)
}

// stop ends the run of an integration, where this process does it.
func (w *working) stop(key directory.Key, cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if stop := w.stops[key]; stop != nil {
		stop(cause)
	}
}

// A storage notices when the hub's own databases cannot be written, such as on a full disk. While that lasts, runs would fail one
// after the other without any fault of theirs: instead, one at a time is tried, more and more seldom.
type storage struct {
	mu       sync.Mutex
	err      error // nil: it works, as far as is known
	since    time.Time
	failures int
	until    time.Time // when the next run is tried
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
	s.err, s.failures, s.until = nil, 0, time.Time{}
	return after, was
}

// room is how many runs may begin: all, one that tries, or none.
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

// problem is what keeps the databases from being written; nil where nothing is known of it, or not any more: what was not tried
// again for some minutes is news of another time.
func (s *storage) problem(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.After(s.until.Add(5 * storageLongest)) {
		return nil
	}
	return s.err
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

// Writable is nil unless this process has found that the hub's databases cannot be written.
func (h *Hub) Writable() error {
	if err := h.storage.problem(h.now()); err != nil {
		return errors.Join(errors.New("the hub's database cannot be written"), err)
	}
	return nil
}
