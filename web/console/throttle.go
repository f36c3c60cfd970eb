package console

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// A throttle holds off those who keep on guessing passwords: by user and address together first, then by address for those who
// try many users, then by user for those who come from many addresses. A browser in which the user has signed in before is
// not counted with those: guesses from many addresses do not keep a user out of their own browser.
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

// A guesser is somebody who tries a password.
type guesser struct {
	user    string // whose password it is said to be: [guessed]; empty for none
	known   bool   // the user has signed in with this browser before
	address netip.Prefix
}

// guessed returns the key by which tries of a user's password are counted: all spellings that the registry takes for one name are
// one, and a long one takes no more room than a short one.
func guessed(name string) string {
	sum := sha256.Sum256([]byte(registry.FoldName(name)))
	return string(sum[:])
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
	freeByKnown   = 20 // in all browsers in which the user has signed in before
)

func newThrottle(clock func() time.Time) *throttle {
	return &throttle{clock: clock, guesses: map[guessKey]*guess{}}
}

// keys are what one attempt counts for, with how many failures are free.
func (g guesser) keys() map[guessKey]int {
	if g.known {
		return map[guessKey]int{{user: "known " + g.user}: freeByKnown, {address: g.address}: freeByAddress}
	}
	return map[guessKey]int{
		{user: g.user, address: g.address}: freeByBoth,
		{address: g.address}:               freeByAddress,
		{user: g.user}:                     freeByUser,
	}
}

// take counts an attempt as failed before it is judged, so that attempts at the same time count as well; or says how long to
// wait, and counts nothing.
func (t *throttle) take(g guesser) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	t.forget(now)
	all := g.keys()
	for key := range all {
		if kept := t.guesses[key]; kept != nil {
			wait = max(wait, kept.until.Sub(now))
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
func (t *throttle) good(g guesser) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key := range g.keys() {
		if key.user != "" && (key.address.IsValid() || g.known) {
			delete(t.guesses, key)
		} else if kept := t.guesses[key]; kept != nil && kept.failures > 0 {
			kept.failures--
			kept.until = time.Time{}
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
