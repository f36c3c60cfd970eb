// Package guesses holds off callers that keep on guessing passwords, tokens and other credentials.
package guesses

import (
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A Key says which wrong tries are counted together. A part that is empty stands for all: a Key with no subject counts every
// wrong try of its address.
type Key struct {
	Address netip.Prefix
	Subject string // a user, an endpoint
}

// A Rule says how many wrong tries a key has, and how long it waits afterwards.
type Rule struct {
	Free    int           // wrong tries that need no wait
	Wait    time.Duration // after the last free one, then after each further one
	MaxWait time.Duration // Wait doubles up to this; equal to Wait: it does not double
	Forget  time.Duration // all is forgotten that long after the last wrong try
	Clear   bool          // a good try makes the key's wrong tries forgotten
}

// A Count is a key with its rule: the same one in every try. Of counts with the same key the first is taken.
type Count struct {
	Key
	Rule
}

// A Verdict says what came of a try.
type Verdict int

// The verdicts.
const (
	Unknown Verdict = iota // something else failed before that was known: it does not count
	Wrong
	Good
)

// maxRemembered is how many keys, and how many secrets, are remembered.
const maxRemembered = 100_000

// A Limiter counts wrong tries. Use [New]. Its methods may be called concurrently.
type Limiter struct {
	clock func() time.Time
	seed  maphash.Seed

	mu    sync.Mutex
	tries map[Key]*tries
	good  map[uint64]struct{} // secrets by hash, which is enough to tell good ones from guesses
}

// tries are those of one key.
type tries struct {
	rule  Rule
	wrong int
	open  int       // are being judged
	last  time.Time // the last wrong try
	until time.Time // nothing is tried before
}

// New returns a limiter that has counted nothing.
func New(clock func() time.Time) *Limiter {
	return &Limiter{clock: clock, seed: maphash.MakeSeed(), tries: map[Key]*tries{}, good: map[uint64]struct{}{}}
}

// Try says how long a caller must wait before its try is judged. Where that is 0 the try is judged now, and judged is called
// with the verdict; calls after the first one do nothing. Until then the try counts as a wrong try for each key, so that many
// tries at once are no more than many one after another.
//
// A secret that was good, and not wrong since, never waits: no user is locked out by someone who guesses from the same
// address. An empty secret is not remembered.
func (l *Limiter) Try(secret string, counts ...Count) (judged func(Verdict), wait time.Duration) {
	t := &try{limiter: l, hash: maphash.String(l.seed, secret), secret: secret != ""}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	t.keys = l.of(counts, now)
	if _, good := l.good[t.hash]; good && t.secret {
		return t.judged, 0
	}
	for _, k := range t.keys {
		wait = max(wait, k.wait(now))
	}
	if wait > 0 {
		return nil, wait
	}
	for _, k := range t.keys {
		k.open++
	}
	t.open = true
	return t.judged, 0
}

// Trusted reports whether a secret was good, and not wrong since: it is tried without a wait. A try of it that proves good changes nothing,
// unless a rule says [Rule.Clear], so that only one that does not need be told by Try.
func (l *Limiter) Trusted(secret string) bool {
	if secret == "" {
		return false
	}
	hash := maphash.String(l.seed, secret)
	l.mu.Lock()
	defer l.mu.Unlock()
	_, good := l.good[hash]
	return good
}

// A try is one that may be judged.
type try struct {
	limiter *Limiter
	keys    []*tries
	hash    uint64
	secret  bool // there is one to remember
	open    bool // counts as a wrong try until it is judged
	done    bool
}

func (t *try) judged(v Verdict) {
	l := t.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.done {
		return
	}
	t.done = true
	for _, k := range t.keys {
		if t.open {
			k.open--
		}
		k.note(v, l.clock())
	}
	if t.secret {
		l.remember(t.hash, v)
	}
}

// wait returns how long the next try must wait.
func (t *tries) wait(now time.Time) time.Duration {
	switch {
	case t.wrong+t.open < t.rule.Free:
		return 0
	case t.open > 0: // one at a time from here on
		return max(t.until.Sub(now), t.rule.Wait)
	}
	return max(t.until.Sub(now), 0)
}

// note counts what a try was.
func (t *tries) note(v Verdict, now time.Time) {
	switch {
	case v == Wrong:
		t.wrong++
		t.last = now
		if beyond := t.wrong - t.rule.Free; beyond >= 0 {
			t.until = now.Add(min(t.rule.MaxWait, t.rule.Wait<<min(beyond, 20)))
		}
	case v == Good && t.rule.Clear:
		t.wrong, t.until = 0, time.Time{}
	}
}

// forgotten reports whether the last wrong try was too long ago to count.
func (t *tries) forgotten(now time.Time) bool { return now.Sub(t.last) > t.rule.Forget }

// of returns the tries of each key, without those that are forgotten. The caller holds the lock.
func (l *Limiter) of(counts []Count, now time.Time) []*tries {
	var all []*tries
	for _, c := range counts {
		t := l.tries[c.Key]
		switch {
		case t == nil:
			l.makeRoom(now)
			t = &tries{rule: c.Rule}
			l.tries[c.Key] = t
		case t.forgotten(now):
			t.wrong, t.until = 0, time.Time{}
		}
		if !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all
}

// makeRoom forgets a tenth of the keys or more when there are too many: those with old tries, then any.
func (l *Limiter) makeRoom(now time.Time) {
	if len(l.tries) < maxRemembered {
		return
	}
	for key, t := range l.tries {
		if t.open == 0 && t.forgotten(now) {
			delete(l.tries, key)
		}
	}
	for key, t := range l.tries {
		if len(l.tries) <= maxRemembered/10*9 {
			return
		}
		if t.open == 0 {
			delete(l.tries, key)
		}
	}
}

// remember keeps which secrets are good. With too many, all are forgotten. The caller holds the lock.
func (l *Limiter) remember(hash uint64, v Verdict) {
	switch v {
	case Wrong:
		delete(l.good, hash) // it may have been good once
	case Good:
		if len(l.good) >= maxRemembered {
			clear(l.good)
		}
		l.good[hash] = struct{}{}
	case Unknown:
	}
}
