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
	"github.com/contactbridge/contactbridge/source"
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
	clock  source.Clock
	client func(*http.Request) netip.Prefix
	seed   maphash.Seed

	mu    sync.Mutex
	wrong map[guesser]*rate.Limiter
	good  map[uint64]struct{} // by hash, which is enough to tell what was good from guesses
}

// A guesser is an address at an endpoint; at all of them where that is empty.
type guesser struct {
	address  netip.Prefix
	endpoint string
}

func newGuesses(clock source.Clock, client func(*http.Request) netip.Prefix) *guesses {
	return &guesses{clock: clock, client: client, seed: maphash.MakeSeed(), wrong: map[guesser]*rate.Limiter{}, good: map[uint64]struct{}{}}
}

// at are the guesses at one endpoint.
func (g *guesses) at(endpoint string) bridge.Guesses { return endpointGuesses{g, endpoint} }

type endpointGuesses struct {
	*guesses
	endpoint string
}

// Wait implements [bridge.Guesses].
func (e endpointGuesses) Wait(r *http.Request, auth bridge.Auth) time.Duration {
	address, hash := e.client(r), e.hash(auth)
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.good[hash]; known {
		return 0
	}
	return max(e.wait(guesser{address, e.endpoint}, guessEvery), e.wait(guesser{address, ""}, guessEveryAll))
}

// Judged implements [bridge.Guesses].
func (e endpointGuesses) Judged(r *http.Request, auth bridge.Auth, good bool) {
	address, hash := e.client(r), e.hash(auth)
	e.mu.Lock()
	defer e.mu.Unlock()
	if good {
		if len(e.good) >= mostRemembered {
			clear(e.good)
		}
		e.good[hash] = struct{}{}
		return
	}
	delete(e.good, hash) // they were good once
	e.count(guesser{address, e.endpoint}, guessEvery, guessBurst)
	e.count(guesser{address, ""}, guessEveryAll, guessBurstAll)
}

// wait is how long a guesser must not guess. The caller holds the lock.
func (g *guesses) wait(who guesser, every time.Duration) time.Duration {
	limiter := g.wrong[who]
	if limiter == nil {
		return 0
	}
	return time.Duration(max(0, 1-limiter.TokensAt(g.clock.Now())) * float64(every))
}

// count notes a wrong guess. The caller holds the lock.
func (g *guesses) count(who guesser, every time.Duration, burst int) {
	limiter := g.wrong[who]
	if limiter == nil {
		if len(g.wrong) >= mostRemembered {
			clear(g.wrong)
		}
		limiter = rate.NewLimiter(rate.Every(every), burst)
		g.wrong[who] = limiter
	}
	limiter.AllowN(g.clock.Now(), 1)
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
