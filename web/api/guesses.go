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
	addresses map[netip.Prefix]*tries
	seed      maphash.Seed
	known     map[uint64]struct{} // by hash, which is enough to tell tokens that were good from guesses
}

func newGuesses(clock func() time.Time) *guesses {
	return &guesses{clock: clock, addresses: map[netip.Prefix]*tries{}, seed: maphash.MakeSeed(), known: map[uint64]struct{}{}}
}

// try says how many seconds an address must not try a token that nobody knows. Where that is 0 it may, and judged is called once,
// with whether the token is wrong: until then the try counts as a wrong one, so that many at once are no more than many one after
// another.
func (g *guesses) try(address netip.Prefix, token string) (judged func(wrong bool), wait int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.of(address)
	_, known := g.known[maphash.String(g.seed, token)]
	if !known {
		if left := t.wrong.TokensAt(g.clock()) - float64(t.open); left < 1 {
			return nil, int(math.Ceil((1 - left) * guessEvery.Seconds()))
		}
		t.open++
	}
	return func(wrong bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !known {
			t.open--
		}
		if wrong {
			t.wrong.AllowN(g.clock(), 1)
		}
	}, 0
}

// tries are an address's.
type tries struct {
	wrong *rate.Limiter
	open  int // are being looked at
}

// of returns an address's tries. The caller holds the lock.
func (g *guesses) of(address netip.Prefix) *tries {
	t := g.addresses[address]
	if t == nil {
		if len(g.addresses) >= mostRemembered {
			clear(g.addresses)
		}
		t = &tries{wrong: rate.NewLimiter(rate.Every(guessEvery), guessBurst)}
		g.addresses[address] = t
	}
	return t
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
