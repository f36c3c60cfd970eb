package bridgeserver

import (
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/guesses"
	"github.com/contactbridge/contactbridge/internal/listener"
)

// endpointGuesses counts wrong credentials at one endpoint, by address.
type endpointGuesses struct {
	limiter  *guesses.Limiter
	proxies  listener.Proxies
	endpoint string
}

func (s *Server) guessesAt(endpoint string) bridge.Guesses {
	return endpointGuesses{s.guesses, listener.ParseProxies(s.config.Network.Proxies), endpoint}
}

// Try implements [bridge.Guesses].
func (e endpointGuesses) Try(r *http.Request, auth bridge.Auth) (judged func(bridge.Verdict), wait time.Duration) {
	note, wait := e.limiter.Try(e.secret(auth), e.counts(e.proxies.Client(r))...)
	if wait > 0 {
		return nil, wait
	}
	return func(v bridge.Verdict) {
		switch v {
		case bridge.Wrong:
			note(guesses.Wrong)
		case bridge.Good:
			note(guesses.Good)
		case bridge.Unknown:
			note(guesses.Unknown)
		}
	}, 0
}

// counts says how many wrong credentials may come from an address: so many at once, then one every so often; at this endpoint,
// and at all endpoints together.
func (e endpointGuesses) counts(address netip.Prefix) []guesses.Count {
	count := func(endpoint string, free int, every time.Duration) guesses.Count {
		return guesses.Count{
			Key:  guesses.Key{Address: address, Subject: endpoint},
			Rule: guesses.Rule{Free: free, Wait: every, MaxWait: every, Forget: time.Minute},
		}
	}
	return []guesses.Count{count(e.endpoint, 20, 3*time.Second), count("", 60, time.Second)}
}

// secret writes credentials in one text. Those of two endpoints differ, whatever they are.
func (e endpointGuesses) secret(auth bridge.Auth) string {
	parts := []string{e.endpoint}
	for _, name := range slices.Sorted(maps.Keys(auth)) {
		parts = append(parts, name, auth[name])
	}
	return strings.Join(parts, "\x00")
}
