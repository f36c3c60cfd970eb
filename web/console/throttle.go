package console

import (
	"net/netip"
	"sync"
	"time"
)

// A throttle holds off who keeps on guessing passwords: by user and address together first, then by address for those who
// try many users, then by user for those who come from many addresses. The owner of an account that is guessed at from
// elsewhere is held off last, and never for longer than maxWait.
type throttle struct {
	clock func() time.Time

	mu      sync.Mutex
	guesses map[guessKey]*guess
}

// A guessKey is what failures are counted by; parts that are empty count for all.
type guessKey struct {
	user    string
	address netip.Prefix
}

type guess struct {
	failures int
	last     time.Time
	until    time.Time // nobody is let in before
}

const (
	firstWait  = 15 * time.Second // after the allowance, doubling
	maxWait    = 15 * time.Minute
	forgetting = time.Hour // without a failure
	maxGuesses = 100_000

	freeByBoth    = 5
	freeByAddress = 20
	freeByUser    = 30
)

func newThrottle(clock func() time.Time) *throttle {
	return &throttle{clock: clock, guesses: map[guessKey]*guess{}}
}

// keys are what one attempt counts for, with how many failures are free.
func keys(user string, address netip.Prefix) map[guessKey]int {
	return map[guessKey]int{
		{user: user, address: address}: freeByBoth,
		{address: address}:             freeByAddress,
		{user: user}:                   freeByUser,
	}
}

// take counts an attempt as failed before it is judged, so that attempts at the same time count as well; or says how long to
// wait, and counts nothing.
func (t *throttle) take(user string, address netip.Prefix) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	t.forget(now)
	all := keys(user, address)
	for key := range all {
		if g := t.guesses[key]; g != nil {
			wait = max(wait, g.until.Sub(now))
		}
	}
	if wait > 0 {
		return wait
	}
	for key, free := range all {
		t.count(key, free, now)
	}
	return 0
}

func (t *throttle) count(key guessKey, free int, now time.Time) {
	g := t.guesses[key]
	if g == nil {
		g = &guess{}
		t.guesses[key] = g
	}
	if now.Sub(g.last) > forgetting {
		g.failures = 0
	}
	g.failures++
	g.last = now
	if beyond := g.failures - free; beyond >= 0 {
		g.until = now.Add(min(maxWait, firstWait<<min(beyond, 10)))
	}
}

// good takes an attempt back that was right after all, and what went before it from there.
func (t *throttle) good(user string, address netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.guesses, guessKey{user: user, address: address})
	for _, key := range []guessKey{{address: address}, {user: user}} {
		if g := t.guesses[key]; g != nil && g.failures > 0 {
			g.failures--
			g.until = time.Time{}
		}
	}
}

// forget makes room: of old guesses, and of any if there are too many.
func (t *throttle) forget(now time.Time) {
	if len(t.guesses) < maxGuesses {
		return
	}
	for key, g := range t.guesses {
		if now.Sub(g.last) > forgetting {
			delete(t.guesses, key)
		}
	}
	for key := range t.guesses {
		if len(t.guesses) < maxGuesses {
			return
		}
		delete(t.guesses, key)
	}
}
