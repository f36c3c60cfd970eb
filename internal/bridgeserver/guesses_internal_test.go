package bridgeserver

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/clock"
)

// stillClock is a clock that is set.
type stillClock struct {
	clock.System
	now time.Time
}

func (c *stillClock) Now() time.Time { return c.now }

// Guesses that are sent all at once are no more than those that are sent one after another, however long a look at them takes.
func TestGuessesAtOnceAreHeldOffToo(t *testing.T) {
	clock := &stillClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	g := newGuesses(clock, func(*http.Request) netip.Prefix { return netip.MustParsePrefix("192.0.2.1/32") })
	at, good := g.at("crm"), bridge.Auth{"password": "right"}
	judged, _ := at.Try(nil, good)
	judged(bridge.Good)
	for round, most := range []int{guessBurst, 1, 1} {
		var open []func(bridge.Verdict)
		for i := range 200 {
			if judged, wait := at.Try(nil, bridge.Auth{"password": fmt.Sprint(i)}); wait == 0 {
				open = append(open, judged)
			}
		}
		if len(open) != most {
			t.Errorf("round %d: %d of 200 guesses are looked at; want %d", round, len(open), most)
		}
		if _, wait := at.Try(nil, good); wait != 0 {
			t.Errorf("round %d: good credentials wait %v", round, wait)
		}
		for _, judged := range open {
			judged(bridge.Wrong)
		}
		clock.now = clock.now.Add(guessEvery)
	}
	// What was not judged, since the source is away, is no guess.
	for range 3 * guessBurst {
		clock.now = clock.now.Add(guessEvery)
		judged, wait := at.Try(nil, bridge.Auth{"password": "other"})
		if wait != 0 {
			t.Fatalf("held off for %v", wait)
		}
		judged(bridge.Unknown)
	}
}
