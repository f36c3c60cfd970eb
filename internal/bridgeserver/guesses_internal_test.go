package bridgeserver

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/guesses"
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
	s := &Server{config: &config.Config{}, guesses: guesses.New(clock.Now)}
	at, good := s.guessesAt("crm"), bridge.Auth{"password": "right"}
	r := &http.Request{RemoteAddr: "192.0.2.1:5"}
	judged, _ := at.Try(r, good)
	judged(bridge.Good)
	for round, most := range []int{20, 1, 1} {
		var open []func(bridge.Verdict)
		for i := range 200 {
			if judged, wait := at.Try(r, bridge.Auth{"password": fmt.Sprint(i)}); wait == 0 {
				open = append(open, judged)
			}
		}
		if len(open) != most {
			t.Errorf("round %d: %d of 200 guesses are looked at; want %d", round, len(open), most)
		}
		if _, wait := at.Try(r, good); wait != 0 {
			t.Errorf("round %d: good credentials wait %v", round, wait)
		}
		for _, judged := range open {
			judged(bridge.Wrong)
		}
		clock.now = clock.now.Add(3 * time.Second)
	}
	// What was not judged, since the source is away, is not a guess.
	for range 60 {
		clock.now = clock.now.Add(3 * time.Second)
		judged, wait := at.Try(r, bridge.Auth{"password": "other"})
		if wait != 0 {
			t.Fatalf("held off for %v", wait)
		}
		judged(bridge.Unknown)
	}
}
