package hub_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

func TestAnIntegrationRunsAtOnceAndThenByItsSchedule(t *testing.T) {
	f, c := newHub(t), newCRM(t, 25)
	f.add(t, c)
	work(t, f.Hub)
	v := f.until(t, registry.HealthOK)
	if v.State.Contacts != 25 || !v.Status.Fresh.Equal(f.clock.Now()) || !v.Status.LastFull.Equal(f.clock.Now()) {
		t.Errorf("%+v", v)
	}
	wait := v.Status.Due.Sub(f.clock.Now())
	if wait <= 0 || wait > 10*time.Minute {
		t.Fatalf("it is due in %s", wait)
	}
	c.Put(person(25))
	f.clock.move(wait)
	eventually(t, "the second run has come", func() bool { return f.view(t).State.Contacts == 26 && f.view(t).Status.Worker == "" })
	runs := f.runs(t)
	if len(runs) != 2 || runs[0].Kind != directory.Incremental || runs[0].Created != 1 {
		t.Errorf("%+v", runs)
	}
	if next := f.view(t).Status.Due; !next.Equal(v.Status.Due.Add(10 * time.Minute)) {
		t.Errorf("after %s comes %s", v.Status.Due, next)
	}
	if got := f.events(t); !slices.Equal(got, []string{"run.finished", "run.finished"}) {
		t.Error(got)
	}
}

func TestEverythingIsReadAgainAfterAWeek(t *testing.T) {
	f, c := newHub(t), newCRM(t, 3)
	f.add(t, c)
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	f.clock.move(registry.DefaultFull)
	eventually(t, "a second complete run has come", func() bool { return len(f.runs(t)) == 2 && f.view(t).Status.Worker == "" })
	if runs := f.runs(t); runs[0].Kind != directory.Initial || !f.view(t).Status.LastFull.Equal(f.clock.Now()) {
		t.Errorf("%+v", runs[0])
	}
}

func TestWrongCredentialsAreNotHammered(t *testing.T) {
	f, c := newHub(t), newCRM(t, 3)
	f.add(t, c)
	c.mu.Lock()
	c.password = "changed"
	c.mu.Unlock()
	work(t, f.Hub)
	v := f.until(t, registry.HealthBroken)
	if p := v.Status.Problem; p == nil || p.Code != "unauthorized" || p.Hint == "" || !v.Status.Due.IsZero() {
		t.Errorf("%+v", v.Status)
	}
	if last := f.runs(t)[0]; last.Error == "" || last.Hint != v.Status.Problem.Hint {
		t.Errorf("the history says %q, hint %q", last.Error, last.Hint)
	}
	asked := c.asked()
	f.clock.move(24 * time.Hour)
	result, err := f.Test(t.Context(), crmKey) // takes its time: a run that came by itself would have asked meanwhile
	must(t, err)
	if result.OK || result.Problem.Code != "unauthorized" || c.asked() != asked+1 {
		t.Errorf("%+v, %d requests", result, c.asked()-asked)
	}
	must(t, f.ChangeIntegration(t.Context(), v.Integration, map[string]string{"password": "changed"}))
	f.until(t, registry.HealthOK)
	if got := f.events(t); !slices.Equal(got, []string{"run.failed", "integration.broken", "run.finished", "integration.mended"}) {
		t.Error(got)
	}
}

func TestWhatMayMendItselfIsTriedAgainLater(t *testing.T) {
	f, c := newHub(t), newCRM(t, 3)
	f.add(t, c)
	c.answer(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "200") // longer than one run is patient
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	work(t, f.Hub)
	v := f.until(t, registry.HealthFailing)
	if wait := v.Status.Due.Sub(f.clock.Now()); v.Status.Failures != 1 || wait < 200*time.Second || wait > 10*time.Minute {
		t.Errorf("%d failures, again in %s", v.Status.Failures, wait)
	}
	c.answer(nil)
	f.clock.move(v.Status.Due.Sub(f.clock.Now()))
	f.until(t, registry.HealthOK)
}

func TestABridgeThatAnswersNonsenseIsBrokenAfterThreeRuns(t *testing.T) {
	f, c := newHub(t), newCRM(t, 3)
	f.add(t, c)
	c.answer(func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write([]byte("<html>It works!</html>"))
		return true
	})
	work(t, f.Hub)
	for n := 1; n < 3; n++ {
		eventually(t, "it has failed", func() bool { v := f.view(t); return v.Status.Failures == n && v.Status.Worker == "" })
		f.clock.move(f.view(t).Status.Due.Sub(f.clock.Now()))
	}
	if v := f.until(t, registry.HealthBroken); v.Status.Problem.Code != "bad_answer" || v.Status.Failures != 3 {
		t.Errorf("%+v", v.Status)
	}
}

func TestGuardedDeletionsWaitForAYes(t *testing.T) {
	f, c := newHub(t), newCRM(t, 40)
	f.add(t, c)
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	half := newCRM(t, 20) // the same external service; its other half is gone without notice
	c.answer(func(w http.ResponseWriter, r *http.Request) bool {
		half.handler.ServeHTTP(w, r)
		return true
	})
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Full: true}))
	v := f.until(t, registry.HealthGuarded)
	if v.State.Contacts != 40 || !strings.Contains(v.Status.Problem.Message, "20 of 40") {
		t.Errorf("%d contacts, %+v", v.State.Contacts, v.Status.Problem)
	}
	if last := f.runs(t)[0]; !strings.Contains(last.Hint, "accept the deletions") || last.Hint != v.Status.Problem.Hint {
		t.Errorf("the history's hint is %q, the integration's %q", last.Hint, v.Status.Problem.Hint)
	}
	f.clock.move(v.Status.Due.Sub(f.clock.Now()))
	eventually(t, "an everyday run has come", func() bool { return len(f.runs(t)) == 3 && f.view(t).Status.Worker == "" })
	if v := f.view(t); v.Status.Health != registry.HealthGuarded {
		t.Errorf("an everyday run made it %s", v.Status.Health)
	}
	held, list, err := f.Held(t.Context(), crmKey, 0, 100)
	must(t, err)
	if held.Count != 20 || len(list) != 20 || held != f.view(t).State.Held {
		t.Errorf("held back: %+v, %d contacts", held, len(list))
	}
	if n, err := f.AcceptDeletions(t.Context(), crmKey, held.Set); n != 20 || err != nil {
		t.Errorf("the confirmation: %d, %v", n, err)
	}
	if v := f.view(t); v.Status.Health != registry.HealthOK || v.Status.Problem != nil || v.State.Contacts != 20 {
		t.Errorf("%d contacts, %+v", v.State.Contacts, v.Status)
	}
}

func TestPausedIntegrationsRunOnlyWhenAsked(t *testing.T) {
	f, c := newHub(t), newCRM(t, 3)
	f.add(t, c, func(i *registry.Integration) { i.Paused = true })
	work(t, f.Hub)
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Run: true}))
	f.until(t, registry.HealthOK)
	f.clock.move(time.Hour)
	must(t, f.Pause(t.Context(), crmKey, false))
	eventually(t, "it runs by itself again", func() bool { return len(f.runs(t)) == 2 })
}

func TestARunIsCancelled(t *testing.T) {
	f, c := newHub(t), newCRM(t, 30)
	hold := make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release)
	c.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
		return false
	})
	f.add(t, c)
	work(t, f.Hub)
	eventually(t, "the run is under way", func() bool { return f.view(t).Status.Worker != "" && len(f.Running()) == 1 })
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Cancel: true}))
	eventually(t, "the run is over", func() bool { return f.view(t).Status.Worker == "" && len(f.Running()) == 0 })
	if got := f.events(t); !slices.Equal(got, []string{"run.cancelled"}) {
		t.Error(got)
	}
	if asked := f.view(t).Status.Asked; asked != (registry.Ask{}) {
		t.Errorf("it is still asked for %+v", asked)
	}
}

// Two processes on one registry: each run is one process's.
func TestNoTwoRunsOfAnIntegrationOverlap(t *testing.T) {
	f, c := newHub(t), newCRM(t, 100)
	f.add(t, c)
	work(t, f.Hub)
	work(t, f.another(t, "two"))
	for n := range 5 {
		f.until(t, registry.HealthOK)
		eventually(t, "the run has come", func() bool { return len(f.runs(t)) == n+1 && f.view(t).Status.Worker == "" })
		f.clock.move(f.view(t).Status.Due.Sub(f.clock.Now()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.most != 1 {
		t.Errorf("%d requests at once", c.most)
	}
}

// A worker that was told to stop gives its run to the next one, which goes on with it.
func TestAStoppedWorkersRunGoesOn(t *testing.T) {
	f, c := newHub(t), newCRM(t, 50)
	reached, hold := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var mu sync.Mutex
	pages := 0
	c.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		pages++
		third := pages == 3
		mu.Unlock()
		if third {
			once.Do(func() { close(reached) })
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		return false
	})
	f.add(t, c)
	stop := work(t, f.Hub)
	<-reached
	stop()
	close(hold)
	c.answer(nil)
	work(t, f.another(t, "two"))
	if v := f.until(t, registry.HealthOK); v.State.Contacts != 50 {
		t.Errorf("%d contacts", v.State.Contacts)
	}
	runs := f.runs(t)
	if oldest := runs[len(runs)-1]; oldest.Contacts != 50 || oldest.State != directory.Done {
		t.Errorf("the run was not gone on with: %+v", runs)
	}
}

func TestOneHostIsAskedByFewRunsAtOnce(t *testing.T) {
	f, c := newHub(t), newCRM(t, 20)
	f.Options.PerHost, f.Options.Workers = 2, 10
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		i := registry.Integration{Key: directory.Key{Account: "acme", Integration: name}, Bridge: c.url}
		must(t, f.AddIntegration(t.Context(), i, good))
	}
	work(t, f.Hub)
	eventually(t, "all have run", func() bool {
		f.clock.move(time.Second) // those that found no room are tried again a little later
		o, err := f.Overview(t.Context(), "acme")
		must(t, err)
		return o.ByHealth[registry.HealthOK] == 5 && o.Contacts == 100
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.most > 2 {
		t.Errorf("%d requests at once", c.most)
	}
}
