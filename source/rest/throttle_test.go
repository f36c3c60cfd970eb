package rest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contactbridge/contactbridge/internal/clock"
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
