package api

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Wrong tokens that an address may send: so many at once, then one every so often.
const (
	guessBurst = 20
	guessEvery = 3 * time.Second
)

const mostRemembered = 10_000 // addresses and tokens; with more, all are forgotten

// guesses counts wrong tokens by address. A token that was good a while ago is let through whatever comes from its address:
// a telephone system is not shut out by somebody else behind the same proxy.
type guesses struct {
	clock func() time.Time

	mu        sync.Mutex
	addresses map[netip.Prefix]*rate.Limiter
	seed      maphash.Seed
	known     map[uint64]struct{} // by hash, which is enough to tell tokens that were good from guesses
}

func newGuesses(clock func() time.Time) *guesses {
	return &guesses{clock: clock, addresses: map[netip.Prefix]*rate.Limiter{}, seed: maphash.MakeSeed(), known: map[uint64]struct{}{}}
}

// wait is how many seconds an address must not try a token that nobody knows; 0: it may.
func (g *guesses) wait(address netip.Prefix, token string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	limiter := g.addresses[address]
	if limiter == nil {
		return 0
	}
	tokens := limiter.TokensAt(g.clock())
	if tokens >= 1 {
		return 0
	}
	if _, ok := g.known[maphash.String(g.seed, token)]; ok {
		return 0
	}
	return int(math.Ceil((1 - tokens) * guessEvery.Seconds()))
}

// bad notes a wrong token.
func (g *guesses) bad(address netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	limiter := g.addresses[address]
	if limiter == nil {
		if len(g.addresses) >= mostRemembered {
			clear(g.addresses)
		}
		limiter = rate.NewLimiter(rate.Every(guessEvery), guessBurst)
		g.addresses[address] = limiter
	}
	limiter.AllowN(g.clock(), 1)
}

// good notes a token that let somebody in.
func (g *guesses) good(token string) {
	hash := maphash.String(g.seed, token)
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.known) >= mostRemembered {
		clear(g.known)
	}
	g.known[hash] = struct{}{}
}
