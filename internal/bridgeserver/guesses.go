package bridgeserver

import (
	"hash/maphash"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/clock"
)

// Wrong credentials that an address may send: so many at once, then one every so often; at one endpoint, and at all together.
const (
	guessBurst    = 20
	guessEvery    = 3 * time.Second
	guessBurstAll = 60
	guessEveryAll = time.Second
)

const mostRemembered = 10_000 // addresses, and credentials; with more, all are forgotten

// guesses count wrong credentials by address and endpoint. Credentials that were good are looked at wherever they come from: a
// synchronizer is not locked out by somebody else at its address, and nobody is by guesses from another one.
type guesses struct {
	clock  clock.Clock
	client func(*http.Request) netip.Prefix
	seed   maphash.Seed

	mu    sync.Mutex
	wrong map[guesser]*tries
	good  map[uint64]struct{} // by hash, which is enough to tell what was good from guesses
}

// A guesser is an address at an endpoint; at all of them where that is empty.
type guesser struct {
	address  netip.Prefix
	endpoint string
}

func newGuesses(clock clock.Clock, client func(*http.Request) netip.Prefix) *guesses {
	return &guesses{clock: clock, client: client, seed: maphash.MakeSeed(), wrong: map[guesser]*tries{}, good: map[uint64]struct{}{}}
}

// at are the guesses at one endpoint.
func (g *guesses) at(endpoint string) bridge.Guesses { return endpointGuesses{g, endpoint} }

type endpointGuesses struct {
	*guesses
	endpoint string
}

// Try implements [bridge.Guesses].
func (e endpointGuesses) Try(r *http.Request, auth bridge.Auth) (judged func(bridge.Verdict), wait time.Duration) {
	address, hash := e.client(r), e.hash(auth)
	e.mu.Lock()
	defer e.mu.Unlock()
	here := e.of(guesser{address, e.endpoint}, guessEvery, guessBurst)
	all := e.of(guesser{address, ""}, guessEveryAll, guessBurstAll)
	_, known := e.good[hash]
	if !known {
		now := e.clock.Now()
		if wait := max(here.wait(now), all.wait(now)); wait > 0 {
			return nil, wait
		}
		here.open++
		all.open++
	}
	return func(v bridge.Verdict) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if !known {
			here.open--
			all.open--
		}
		e.note(hash, v)
		if v == bridge.Wrong {
			here.wrong.AllowN(e.clock.Now(), 1)
			all.wrong.AllowN(e.clock.Now(), 1)
		}
	}, 0
}

// note remembers which credentials are good. The caller holds the lock.
func (e endpointGuesses) note(hash uint64, v bridge.Verdict) {
	switch v {
	case bridge.Wrong:
		delete(e.good, hash) // they may have been good once
	case bridge.Good:
		if len(e.good) >= mostRemembered {
			clear(e.good)
		}
		e.good[hash] = struct{}{}
	case bridge.Unknown:
	}
}

// tries are a guesser's.
type tries struct {
	wrong *rate.Limiter
	every time.Duration
	open  int // are being looked at
}

// of returns a guesser's tries. The caller holds the lock.
func (g *guesses) of(who guesser, every time.Duration, burst int) *tries {
	t := g.wrong[who]
	if t == nil {
		if len(g.wrong) >= mostRemembered {
			clear(g.wrong)
		}
		t = &tries{wrong: rate.NewLimiter(rate.Every(every), burst), every: every}
		g.wrong[who] = t
	}
	return t
}

// wait is how long the guesser must not guess.
func (t *tries) wait(now time.Time) time.Duration {
	return time.Duration(max(0, 1+float64(t.open)-t.wrong.TokensAt(now)) * float64(t.every))
}

// hash tells credentials apart. Those of two endpoints differ, whatever they are.
func (e endpointGuesses) hash(auth bridge.Auth) uint64 {
	var h maphash.Hash
	h.SetSeed(e.seed)
	write := func(text string) {
		_, _ = h.WriteString(text)
		_ = h.WriteByte(0)
	}
	write(e.endpoint)
	for _, name := range slices.Sorted(maps.Keys(auth)) {
		write(name)
		write(auth[name])
	}
	return h.Sum64()
}
