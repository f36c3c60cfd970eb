package hub

import (
	"context"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
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

// share returns how many places there are in all, for tests, for an account and for a host. One account of several gets half of
// the workers: what keeps all of its integrations busy leaves the others' alone.
func (h *Hub) share(ctx context.Context) share {
	return share{all: h.Workers(), tests: max(1, h.Workers()/2), account: h.PerAccount(ctx), host: h.perHost()}
}

// PerAccount returns how many runs of one account this process does at once.
func (h *Hub) PerAccount(ctx context.Context) int {
	if h.Options.PerAccount > 0 {
		return h.Options.PerAccount
	}
	several, err := h.several.get(ctx, h.now(), struct{}{}, regionFresh, h.Registry.SeveralAccounts, isNotFound)
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

// free returns the number of free places.
func (s *slots) free(most share) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return most.all - s.all
}

// full returns the accounts that have all of their places.
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

const testPatience = 5 * time.Second // that a user who tries an integration waits for a place

// enterTest takes a place for a test of an integration, or returns a [failure.Busy] error after some seconds without one.
func (h *Hub) enterTest(ctx context.Context, account, host string) error {
	began := time.Now()
	for !h.slots.enter(account, host, h.share(ctx), true) {
		if time.Since(began) > testPatience {
			return &failure.Error{
				Code: failure.Busy, Message: "the hub is busy with as many runs and tests of this account, or of this bridge's host, as it does at once",
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
