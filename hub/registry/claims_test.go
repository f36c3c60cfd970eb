package registry_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

func TestANewIntegrationIsDueAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.withCRM(t)
		c := w.claim(t, "one")
		if !c.Late.Equal(w.clock.now()) || c.Status.Worker != "one" || !c.Status.Until.Equal(w.clock.now().Add(time.Minute)) || c.Token == "" {
			t.Errorf("%+v", c)
		}
		w.none(t)
		ok(t, w.Release(t.Context(), c, registry.Outcome{Health: registry.HealthOK, Due: w.clock.now().Add(time.Hour), Fresh: w.clock.now(), LastFull: w.clock.now()}))
		w.none(t)
		want := registry.Status{Health: registry.HealthOK, Due: w.clock.now().Add(time.Hour), Fresh: w.clock.now(), LastFull: w.clock.now()}
		if s := w.integration(t).Status; !cmp.Equal(s, want) {
			t.Error(cmp.Diff(want, s))
		}
		w.clock.advance(time.Hour + time.Second)
		if c = w.claim(t, "two"); !c.Late.Equal(want.Due) {
			t.Errorf("late since %v, want %v", c.Late, want.Due)
		}
	})
}

func TestADeadWorkersClaimIsHandedOutAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.withCRM(t)
		dead := w.claim(t, "dead")
		w.clock.advance(time.Minute - time.Microsecond)
		w.none(t)
		w.clock.advance(time.Microsecond)
		c := w.claim(t, "next")
		if c.Token == dead.Token || !c.Late.Equal(dead.Late) {
			t.Errorf("%+v", c)
		}
		_, err := w.Renew(t.Context(), dead, time.Minute)
		is(t, err, registry.ErrClaimLost)
		_, err = w.Claimed(t.Context(), crm, dead.Token, "dead", time.Minute)
		is(t, err, registry.ErrClaimLost)
		is(t, w.Release(t.Context(), dead, registry.Outcome{Health: registry.HealthBroken}), registry.ErrClaimLost)
		if s := w.integration(t).Status; s.Worker != "next" || s.Health != registry.HealthNew {
			t.Errorf("the dead worker left its mark: %+v", s)
		}
		got(w.Renew(t.Context(), c, time.Minute))(t)
	})
}

func TestASignOfLifeKeepsAClaim(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.withCRM(t)
		c := w.claim(t, "one")
		for range 3 {
			w.clock.advance(50 * time.Second)
			got(w.Renew(t.Context(), c, time.Minute))(t)
			w.none(t)
		}
		w.clock.advance(2 * time.Minute) // late, but nobody took it
		got(w.Renew(t.Context(), c, time.Minute))(t)
		w.none(t)
	})
}

func TestAJobThatIsDeliveredTwiceRunsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.withCRM(t)
		c := w.claim(t, "scheduler")
		first := got(w.Claimed(t.Context(), crm, c.Token, "worker", 2*time.Minute))(t)
		if first.Status.Worker != "worker" || first.Bridge != c.Bridge || !first.Late.Equal(c.Late) {
			t.Errorf("%+v", first)
		}
		_, err := w.Claimed(t.Context(), crm, c.Token, "another", time.Minute)
		is(t, err, registry.ErrClaimLost)
		got(w.Renew(t.Context(), first, time.Minute))(t)
		_, err = w.Claimed(t.Context(), crm, "", "another", time.Minute)
		is(t, err, registry.ErrClaimLost)
	})
}

// TestOneIsClaimedOnce lets eight workers, half of them in another process, take 500 integrations.
func TestOneIsClaimedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		const n, workers = 500, 8
		w.fill(t, n, n)
		other := w.again(t, registry.OpenOptions{Clock: w.clock.now})
		var mu sync.Mutex
		seen := map[directory.Key]int{}
		var wait sync.WaitGroup
		for i := range workers {
			db := w.DB
			if i%2 == 1 {
				db = other
			}
			wait.Go(func() {
				for {
					claims, err := db.Claim(context.Background(), fmt.Sprint("worker ", i), 7, time.Hour)
					if err != nil {
						t.Error(err)
					}
					if len(claims) == 0 {
						return
					}
					mu.Lock()
					for _, c := range claims {
						seen[c.Key]++
					}
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		for key, times := range seen {
			if times != 1 {
				t.Errorf("%v was claimed %d times", key, times)
			}
		}
		// One that others had locked for a moment may have been left out by all.
		rest := got(w.Claim(t.Context(), "rest", n, time.Hour))(t)
		if len(seen)+len(rest) != n {
			t.Errorf("%d of %d were claimed", len(seen)+len(rest), n)
		}
	})
}

func TestTheLatestIsClaimedFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ok(t, w.PutAccount(t.Context(), registry.Account{Name: "acme"}))
		for _, name := range []string{"c", "a", "b"} {
			ok(t, w.AddIntegration(t.Context(), integration(directory.Key{Account: "acme", Integration: name}), nil))
			w.clock.advance(time.Second)
		}
		var order string
		for range 3 {
			for _, c := range got(w.Claim(t.Context(), "w", 1, time.Minute))(t) {
				order += c.Key.Integration
			}
		}
		if order != "cab" {
			t.Errorf("order %s", order)
		}
	})
}

func TestPausedOffAndBrokenOnesRunWhenAskedTo(t *testing.T) {
	for name, stop := range map[string]func(t *testing.T, w *world){
		"paused": func(t *testing.T, w *world) { ok(t, w.Pause(t.Context(), crm, true)) },
		"off": func(t *testing.T, w *world) {
			i := w.integration(t)
			i.Schedule = registry.Schedule{Off: true}
			ok(t, w.ChangeIntegration(t.Context(), i, registry.Change{}))
		},
		"broken": func(t *testing.T, w *world) {
			ok(t, w.Release(t.Context(), w.claim(t, "one"), registry.Outcome{Health: registry.HealthBroken}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				w.withCRM(t)
				stop(t, w)
				w.clock.advance(24 * time.Hour)
				w.none(t)
				for _, ask := range []registry.Ask{{Run: true}, {Full: true}, {Run: true, Full: true}} {
					asked := w.clock.now()
					ok(t, w.Ask(t.Context(), crm, ask))
					w.clock.advance(time.Second)
					c := w.claim(t, "two")
					if c.Status.Asked != ask || !c.Late.Equal(asked) {
						t.Errorf("asked %+v at %v, want %+v at %v", c.Status.Asked, c.Late, ask, asked)
					}
					w.none(t)
					ok(t, w.Release(t.Context(), c, registry.Outcome{Health: registry.HealthBroken}))
					w.none(t)
				}
			})
		})
	}
}

func TestWhatIsAskedDuringARunStays(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.withCRM(t)
		ok(t, w.Ask(t.Context(), crm, registry.Ask{Run: true}))
		c := w.claim(t, "one")
		ok(t, w.Ask(t.Context(), crm, registry.Ask{Run: true}))
		ok(t, w.Ask(t.Context(), crm, registry.Ask{Full: true, Cancel: true}))
		want := registry.Ask{Run: true, Full: true, Cancel: true}
		if asked := got(w.Renew(t.Context(), c, time.Minute))(t); asked != want {
			t.Errorf("%+v since, want %+v", asked, want)
		}
		ok(t, w.Release(t.Context(), c, registry.Outcome{Health: registry.HealthOK, Due: w.clock.now().Add(time.Hour)}))
		want.Cancel = false
		if c = w.claim(t, "two"); c.Status.Asked != want {
			t.Errorf("%+v, want %+v", c.Status.Asked, want)
		}
	})
}

// Who asks for a full run means a new one, whatever was to be gone on with before.
func TestAFullRunThatSomebodyAsksForIsANewOne(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.withCRM(t)
		c := w.claim(t, "one")
		again := registry.Ask{Run: true, Full: true, Resume: true}
		due := w.clock.now().Add(time.Minute)
		ok(t, w.Release(t.Context(), c, registry.Outcome{Health: registry.HealthFailing, Due: due, Again: again}))
		if s := w.integration(t).Status; s.Asked != again || !s.AskedFor.Equal(due) {
			t.Errorf("%+v for %v, want %+v for %v", s.Asked, s.AskedFor, again, due)
		}
		ok(t, w.Ask(t.Context(), crm, registry.Ask{Run: true}))
		if s := w.integration(t).Status; s.Asked != again {
			t.Errorf("after another ask: %+v, want %+v", s.Asked, again)
		}
		ok(t, w.Ask(t.Context(), crm, registry.Ask{Full: true}))
		want := registry.Ask{Run: true, Full: true}
		w.clock.advance(time.Hour)
		c = w.claim(t, "two")
		if c.Status.Asked != want {
			t.Errorf("%+v, want %+v", c.Status.Asked, want)
		}
		// While a run is under way, as well.
		ok(t, w.Ask(t.Context(), crm, registry.Ask{Full: true}))
		ok(t, w.Release(t.Context(), c, registry.Outcome{Health: registry.HealthFailing, Due: due, Again: again}))
		if s := w.integration(t).Status; s.Asked != want {
			t.Errorf("asked meanwhile: %+v, want %+v", s.Asked, want)
		}
		ok(t, w.Release(t.Context(), w.claim(t, "two"), registry.Outcome{Health: registry.HealthBroken, Again: again}))
		if s := w.integration(t).Status; s.Asked != again || !s.AskedFor.IsZero() {
			t.Errorf("broken: %+v for %v, want %+v when it is corrected", s.Asked, s.AskedFor, again)
		}
	})
}

func TestSettledIsWhatWasGuarded(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.withCRM(t)
		for _, health := range []registry.Health{registry.HealthGuarded, registry.HealthFailing} {
			ok(t, w.Ask(t.Context(), crm, registry.Ask{Run: true}))
			ok(t, w.Release(t.Context(), w.claim(t, "one"), registry.Outcome{Health: health, Problem: &registry.Problem{Code: "x"}}))
			ok(t, w.Settle(t.Context(), crm, &registry.Problem{Code: "another run's"}))
			if s := w.integration(t).Status; s.Health != health {
				t.Errorf("%s became %s by the answer to another problem", health, s.Health)
			}
			ok(t, w.Settle(t.Context(), crm, w.integration(t).Status.Problem))
			s := w.integration(t).Status
			if settled := s.Health == registry.HealthOK && s.Problem == nil; settled != (health == registry.HealthGuarded) {
				t.Errorf("%s became %s, %+v", health, s.Health, s.Problem)
			}
		}
	})
}

func TestADeadWorkersAsksAreNotForgotten(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.withCRM(t)
		ok(t, w.Pause(t.Context(), crm, true))
		ok(t, w.Ask(t.Context(), crm, registry.Ask{Full: true}))
		w.claim(t, "dead")
		ok(t, w.Ask(t.Context(), crm, registry.Ask{Run: true}))
		w.clock.advance(time.Hour)
		want := registry.Ask{Run: true, Full: true}
		if c := w.claim(t, "next"); c.Status.Asked != want {
			t.Errorf("%+v, want %+v", c.Status.Asked, want)
		}
		if s := w.integration(t).Status; s.Asked != want {
			t.Errorf("not answered yet, but shown is %+v", s.Asked)
		}
	})
}

func TestNothingIsCancelledWhereNothingRuns(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.withCRM(t)
		ok(t, w.Ask(t.Context(), crm, registry.Ask{Cancel: true}))
		c := w.claim(t, "one")
		if asked := got(w.Renew(t.Context(), c, time.Minute))(t); asked.Cancel || c.Status.Asked.Cancel {
			t.Error("the next run was cancelled")
		}
		ok(t, w.Ask(t.Context(), crm, registry.Ask{Cancel: true}))
		if asked := got(w.Renew(t.Context(), c, time.Minute))(t); !asked.Cancel {
			t.Error("the run was not cancelled")
		}
		ok(t, w.Release(t.Context(), c, registry.Outcome{Health: registry.HealthOK}))
		if s := w.integration(t).Status; s.Asked != (registry.Ask{}) {
			t.Errorf("%+v is still asked", s.Asked)
		}
	})
}

func TestPausingStopsTakeOver(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.withCRM(t)
		w.claim(t, "dead")
		ok(t, w.Pause(t.Context(), crm, true))
		w.clock.advance(time.Hour)
		w.none(t)
		ok(t, w.Pause(t.Context(), crm, false))
		w.claim(t, "next")
	})
}

func TestWhatChangesDuringARunDecidesWhatIsDue(t *testing.T) {
	later := func(w *world) time.Time { return w.clock.now().Add(24 * time.Hour) }
	for name, c := range map[string]struct {
		change func(t *testing.T, w *world)
		health registry.Health
		due    func(w *world) time.Time
	}{
		"nothing": {func(*testing.T, *world) {}, registry.HealthOK, later},
		"paused":  {func(t *testing.T, w *world) { ok(t, w.Pause(t.Context(), crm, true)) }, registry.HealthOK, func(*world) time.Time { return time.Time{} }},
		"paused and resumed": {func(t *testing.T, w *world) {
			ok(t, w.Pause(t.Context(), crm, true))
			ok(t, w.Pause(t.Context(), crm, false))
		}, registry.HealthOK, func(w *world) time.Time { return w.clock.now() }},
		"new schedule": {func(t *testing.T, w *world) {
			i := w.integration(t)
			i.Schedule.Every = time.Minute
			ok(t, w.ChangeIntegration(t.Context(), i, registry.Change{}))
		}, registry.HealthOK, func(w *world) time.Time { return w.clock.now() }},
		"no schedule": {func(t *testing.T, w *world) {
			i := w.integration(t)
			i.Schedule.Off = true
			ok(t, w.ChangeIntegration(t.Context(), i, registry.Change{}))
		}, registry.HealthOK, func(*world) time.Time { return time.Time{} }},
		"credentials of a good one": {func(t *testing.T, w *world) {
			ok(t, w.SetAuth(t.Context(), crm, map[string]string{"password": "new"}))
		}, registry.HealthOK, later},
		"credentials of a broken one": {func(t *testing.T, w *world) {
			ok(t, w.SetAuth(t.Context(), crm, map[string]string{"password": "new"}))
		}, registry.HealthBroken, func(w *world) time.Time { return w.clock.now() }},
		"the same credentials": {func(t *testing.T, w *world) {
			ok(t, w.SetAuth(t.Context(), crm, map[string]string{"password": "s3cret"}))
		}, registry.HealthBroken, later},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				w.withCRM(t)
				claim := w.claim(t, "one")
				c.change(t, w)
				ok(t, w.Release(t.Context(), claim, registry.Outcome{Health: c.health, Due: later(w)}))
				if s := w.integration(t).Status; !s.Due.Equal(c.due(w)) {
					t.Errorf("due %v, want %v", s.Due, c.due(w))
				}
			})
		})
	}
}

func TestMendingABrokenOneMakesItDue(t *testing.T) {
	for name, mend := range map[string]func(t *testing.T, w *world){
		"credentials": func(t *testing.T, w *world) { ok(t, w.SetAuth(t.Context(), crm, map[string]string{"password": "new"})) },
		"address": func(t *testing.T, w *world) {
			i := w.integration(t)
			i.Bridge = "https://elsewhere.example.com/contact_sync"
			ok(t, w.ChangeIntegration(t.Context(), i, registry.Change{}))
		},
		"resumed": func(t *testing.T, w *world) {
			ok(t, w.Pause(t.Context(), crm, true))
			ok(t, w.Pause(t.Context(), crm, false))
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				w.withCRM(t)
				since := w.clock.now()
				problem := &registry.Problem{Code: "unauthorized", Message: "wrong password", Hint: "set it", Since: since}
				ok(t, w.Release(t.Context(), w.claim(t, "one"), registry.Outcome{Health: registry.HealthBroken, Problem: problem, Failures: 3}))
				w.clock.advance(time.Hour)
				w.none(t)
				ok(t, w.ChangeIntegration(t.Context(), w.integration(t), registry.Change{})) // nothing was changed
				w.none(t)
				mend(t, w)
				if s := w.claim(t, "two").Status; s.Health != registry.HealthBroken || s.Failures != 3 || !cmp.Equal(s.Problem, problem) {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestADeletedIntegrationsClaimIsLost(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.withCRM(t)
		c := w.claim(t, "one")
		ok(t, w.DeleteIntegration(t.Context(), crm))
		ok(t, w.AddIntegration(t.Context(), integration(crm), nil))
		_, err := w.Renew(t.Context(), c, time.Minute)
		is(t, err, registry.ErrClaimLost)
		is(t, w.Release(t.Context(), c, registry.Outcome{Health: registry.HealthOK}), registry.ErrClaimLost)
	})
}

// TestClaimsGoByTheDatabasesClock has no clock: on PostgreSQL the server's counts, whatever the processes think.
func TestClaimsGoByTheDatabasesClock(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		db := w.again(t, registry.OpenOptions{Seal: w.ring})
		ok(t, db.PutAccount(t.Context(), registry.Account{Name: "acme"}))
		ok(t, db.AddIntegration(t.Context(), integration(crm), nil))
		claims := got(db.Claim(t.Context(), "one", 1, time.Minute))(t)
		now := got(db.Now(t.Context()))(t)
		if len(claims) != 1 || time.Since(now).Abs() > 10*time.Second || now.Sub(claims[0].Late) > 10*time.Second {
			t.Errorf("%+v at %v", claims, now)
		}
	})
}
