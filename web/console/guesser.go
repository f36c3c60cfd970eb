package console

import (
	"crypto/sha256"
	"net/netip"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/guesses"
)

// A guesser is a client that tries a password.
type guesser struct {
	user    string // the user with this password, as far as it is said: [guessed]; empty if unknown
	known   bool   // the user has signed in with this browser before
	address netip.Prefix
}

// guessed returns the key by which tries of a user's password are counted: all spellings that the registry takes for one name are
// one, and a long one takes no more room than a short one.
func guessed(name string) string {
	sum := sha256.Sum256([]byte(registry.FoldName(name)))
	return string(sum[:])
}

// counts returns what a try counts for: user and address together, the address for those who try many users, and the user for
// those who come from many addresses. A browser in which the user has signed in before does not count with the latter: guesses
// from many addresses do not keep a user out of their own browser. Without a user, the tries of all addresses count together.
func (g guesser) counts() []guesses.Count {
	count := func(free int, clearing bool, subject string, address netip.Prefix) guesses.Count {
		return guesses.Count{
			Key:  guesses.Key{Address: address, Subject: subject},
			Rule: guesses.Rule{Free: free, Wait: 15 * time.Second, MaxWait: 15 * time.Minute, Forget: time.Hour, Clear: clearing},
		}
	}
	byAddress := count(20, false, "", g.address)
	if g.known {
		return []guesses.Count{byAddress, count(20, true, "known "+g.user, netip.Prefix{})}
	}
	return []guesses.Count{byAddress, count(30, false, g.user, netip.Prefix{}), count(5, true, g.user, g.address)}
}

// try says how long a guesser must wait before a password is looked at; see [guesses.Limiter.Try]. No password is remembered.
func (c *Console) try(g guesser) (judged func(guesses.Verdict), wait time.Duration) {
	return c.guesses.Try("", g.counts()...)
}
