package rest

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/source"
)

func TestNoWindowHasMoreRequestsThanTheServiceTakes(t *testing.T) {
	for name, limit := range map[string]Throttle{
		"a window":       {Requests: 10, Per: time.Second},
		"one at a time":  {Requests: 5, Per: time.Second, Burst: 1},
		"a large window": {Requests: 6000, Per: 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket(limit, clock.System{})
				var sent []time.Time
				began := time.Now()
				for range 3 * min(limit.Requests, mostSent) {
					if err := b.take(context.Background()); err != nil {
						t.Fatal(err)
					}
					sent = append(sent, time.Now())
					if len(sent)%7 == 0 {
						time.Sleep(limit.Per / 1000) // requests take time
					}
				}
				for i := limit.Requests; i < len(sent); i++ {
					if between := sent[i].Sub(sent[i-limit.Requests]); between < limit.Per {
						t.Fatalf("%d requests within %v", limit.Requests+1, between)
					}
				}
				if took, least := time.Since(began), limit.Per*time.Duration(len(sent))/time.Duration(limit.Requests); took > least+limit.Per/2 {
					t.Errorf("%d requests took %v, and %v would do", len(sent), took, least)
				}
			})
		})
	}
}

func TestARequestThatCannotWaitGivesItsPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(Throttle{Requests: 1, Per: 5 * time.Second}, clock.System{})
		if err := b.take(context.Background()); err != nil {
			t.Fatal(err)
		}
		soon, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		for range 10 {
			if err := b.take(soon); err == nil {
				t.Fatal("a request came too early")
			}
		}
		began := time.Now()
		if err := b.take(context.Background()); err != nil || time.Since(began) > 6*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// What a pause that the service asked for says is not that of a limit of the configuration.
func TestAPauseOfTheServiceIsNotOurLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		soon, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		paused := newBucket(Throttle{}, clock.System{})
		paused.pause(time.Minute)
		said := failure.Of(paused.take(soon))
		if said.Code != bridge.CodeRateLimited || strings.Contains(said.Hint, "throttle") || !strings.Contains(said.Message, "asked for a pause") {
			t.Errorf("%v, %q", said, said.Hint)
		}
		limited := newBucket(Throttle{Requests: 1, Per: time.Minute}, clock.System{})
		if err := limited.take(soon); err != nil {
			t.Fatal(err)
		}
		if said := failure.Of(limited.take(soon)); said.Code != bridge.CodeRateLimited || !strings.Contains(said.Hint, "throttle") {
			t.Errorf("%v, %q", said, said.Hint)
		}
	})
}

// A service may say that the next request may come at once: that is not that it says nothing.
func TestAWaitOfNothingIsSaid(t *testing.T) {
	now := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	c := &client{factory: &factory{language: &Language{}, deps: source.Deps{Clock: clock.System{}}}}
	for text, want := range map[string]time.Duration{
		"0": 0, "0.0": 0, "7": 7 * time.Second, "": defaultWait, "soon": defaultWait, now.Add(-time.Hour).Format(http.TimeFormat): 0, now.Add(time.Minute).Format(http.TimeFormat): time.Minute,
	} {
		a := &answer{header: http.Header{"Retry-After": {text}, "Date": {now.Format(http.TimeFormat)}}}
		if got := c.waitOf(a, Reaction{}); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
