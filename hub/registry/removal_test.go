package registry_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// From the moment that a user removes an account, its tokens are good for nothing, in any process; those of other
// accounts, and of all, still are.
func TestTokensEndWhenTheirAccountIsBeingRemoved(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.withCRM(t)
		ok(t, w.PutAccount(ctx, registry.Account{Name: "beta"}))
		for n, account := range []string{"acme", "beta", ""} {
			ok(t, w.PutToken(ctx, registry.Token{ID: fmt.Sprint("t", n), Account: account, Name: "phones", Scopes: []registry.Scope{registry.ScopeAdmin}}, []byte{byte(n)}, false))
		}
		before := got(w.Revocations(ctx))(t)
		ok(t, w.BeginAccountRemoval(ctx, "acme"))
		if got(w.Revocations(ctx))(t) <= before {
			t.Error("other processes are not told")
		}
		is(t, second(w.TokenByDigest(ctx, []byte{0})), registry.ErrNotFound)
		for n := byte(1); n < 3; n++ {
			ok(t, second(w.TokenByDigest(ctx, []byte{n})))
		}
	})
}

// Configuration and auth values are read as they are at one moment, whatever is changed meanwhile.
func TestConfigurationAndAuthValuesAreOfOneMoment(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.withCRM(t)
		done := make(chan error, 1)
		go func() {
			for n := range 200 {
				i := integration(crm)
				i.Bridge = fmt.Sprintf("https://%d.example.com", n)
				if err := w.ChangeIntegration(ctx, i, registry.Change{Auth: map[string]string{"site": i.Bridge}}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for reads := 0; ; reads++ {
			i, auth, err := w.Configured(ctx, crm)
			ok(t, err)
			if site, there := auth["site"]; there && site != i.Bridge {
				t.Fatalf("%s with the auth values of %s", i.Bridge, site)
			}
			select {
			case err := <-done:
				if ok(t, err); reads == 0 {
					t.Error("nothing was read meanwhile")
				}
				ok(t, w.BeginRemoval(ctx, crm))
				_, _, err = w.Configured(ctx, crm)
				is(t, err, registry.ErrNotFound)
				return
			default:
			}
		}
	})
}

// From the moment that a user removes an integration, nobody sees it, changes it or runs it.
func TestAnIntegrationThatIsBeingRemovedIsNoOnes(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.withCRM(t)
		ok(t, w.Ask(ctx, crm, registry.Ask{Run: true, Full: true}))
		ok(t, w.BeginRemoval(ctx, crm))
		ok(t, w.BeginRemoval(ctx, crm))
		w.clock.advance(365 * 24 * time.Hour)
		if claims := got(w.Claim(ctx, "worker", 10, time.Minute))(t); len(claims) != 0 {
			t.Errorf("it was claimed: %+v", claims)
		}
		for what, err := range map[string]error{
			"read":   second(w.Integration(ctx, crm)),
			"auth":   second(w.Auth(ctx, crm)),
			"change": w.ChangeIntegration(ctx, registry.Integration{Key: crm}, registry.Change{}),
			"set":    w.SetAuth(ctx, crm, map[string]string{"a": "b"}),
			"secret": w.SetSecret(ctx, registry.Owner(crm), "oauth", []byte("x")),
			"ask":    w.Ask(ctx, crm, registry.Ask{Run: true}),
			"pause":  w.Pause(ctx, crm, false),
		} {
			if is(t, err, registry.ErrNotFound); t.Failed() {
				t.Log(what)
			}
		}
		for _, account := range []string{"", "acme"} {
			if all := got(w.Integrations(ctx, account, directory.Key{}, 0))(t); len(all) != 0 {
				t.Errorf("it is listed: %+v", all)
			}
		}
		is(t, w.AddIntegration(ctx, registry.Integration{Key: crm}, nil), registry.ErrGoing)
		if hidden := got(w.Hidden(ctx, "acme"))(t); !slices.Equal(hidden, []string{"crm"}) {
			t.Errorf("hidden: %v", hidden)
		}
		if keys := got(w.Removals(ctx))(t); !slices.Equal(keys, []directory.Key{crm}) || !got(w.Removable(ctx, crm))(t) {
			t.Errorf("to be removed: %v", keys)
		}
		ok(t, w.DeleteIntegration(ctx, crm))
		if keys := got(w.Removals(ctx))(t); len(keys) != 0 {
			t.Errorf("to be removed: %v", keys)
		}
		ok(t, w.AddIntegration(ctx, registry.Integration{Key: crm}, nil))
		if hidden := got(w.Hidden(ctx, "acme"))(t); len(hidden) != 0 {
			t.Errorf("a new one is hidden: %v", hidden)
		}
	})
}

// A run under way is asked to end, and its claim is waited for: whether its worker ends it, dies, or has not begun.
func TestARemovalWaitsForTheClaim(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for name, end := range map[string]func(registry.Claim){
			"released": func(c registry.Claim) {
				if ask := got(w.Renew(ctx, c, time.Minute))(t); !ask.Cancel {
					t.Errorf("the worker was not told: %+v", ask)
				}
				ok(t, w.Release(ctx, c, registry.Outcome{Health: registry.HealthOK, Due: w.clock.now(), Again: registry.Ask{Run: true}}))
			},
			"died": func(registry.Claim) { w.clock.advance(time.Hour) },
			"in queue": func(c registry.Claim) {
				is(t, second(w.Claimed(ctx, crm, c.Token, "other", time.Minute)), registry.ErrClaimLost)
			},
		} {
			w.withCRM(t)
			c := w.claim(t, "worker")
			ok(t, w.BeginRemoval(ctx, crm))
			if got(w.Removable(ctx, crm))(t) {
				t.Errorf("%s: a run is under way", name)
			}
			end(c)
			if !got(w.Removable(ctx, crm))(t) {
				t.Errorf("%s: nobody runs it", name)
			}
			if claims := got(w.Claim(ctx, "next", 10, time.Minute))(t); len(claims) != 0 {
				t.Errorf("%s: it was claimed again", name)
			}
			ok(t, w.DeleteIntegration(ctx, crm))
			ok(t, w.DeleteAccount(ctx, "acme"))
		}
	})
}

// Nobody removes what is left of an integration while one of its name is added, or after.
func TestASweepAndANewIntegrationExcludeEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		if got(w.Sweep(ctx, crm, time.Minute))(t) {
			t.Error("nothing was removed")
		}
		w.withCRM(t)
		is(t, second(w.SweepUnknown(ctx, crm, time.Minute)), registry.ErrExists)
		ok(t, w.DeleteIntegration(ctx, crm))
		if !got(w.Sweep(ctx, crm, time.Minute))(t) || got(w.Sweep(ctx, crm, time.Minute))(t) {
			t.Error("one may sweep, and only one")
		}
		is(t, w.AddIntegration(ctx, registry.Integration{Key: crm}, nil), registry.ErrGoing)
		ok(t, w.Swept(ctx, crm))
		ok(t, w.AddIntegration(ctx, registry.Integration{Key: crm}, nil))
		if got(w.Sweep(ctx, crm, time.Minute))(t) {
			t.Error("there is one of its name")
		}
		for n := range 20 { // at the same moment
			key := directory.Key{Account: "acme", Integration: fmt.Sprintf("i%d", n)}
			ok(t, w.AddIntegration(ctx, registry.Integration{Key: key}, nil))
			ok(t, w.DeleteIntegration(ctx, key))
			var swept atomic.Bool
			var added error
			var both sync.WaitGroup
			both.Go(func() {
				mine, err := w.Sweep(ctx, key, time.Minute)
				if err != nil {
					t.Error(err)
				}
				swept.Store(mine)
			})
			both.Go(func() { added = w.AddIntegration(ctx, registry.Integration{Key: key}, nil) })
			both.Wait()
			if swept.Load() == (added == nil) {
				t.Errorf("swept: %v, added: %v", swept.Load(), added)
			}
		}
	})
}

func TestAnAccountThatIsBeingRemovedTakesNothingNew(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.withCRM(t)
		ok(t, w.BeginAccountRemoval(ctx, "acme"))
		is(t, w.AddIntegration(ctx, registry.Integration{Key: directory.Key{Account: "acme", Integration: "new"}}, nil), registry.ErrGoing)
		is(t, w.PutAccount(ctx, registry.Account{Name: "acme"}), registry.ErrGoing)
		is(t, second(w.Account(ctx, "acme")), registry.ErrNotFound)
		if all := got(w.Accounts(ctx))(t); len(all) != 0 {
			t.Errorf("it is listed: %+v", all)
		}
		if names := got(w.AccountRemovals(ctx))(t); len(names) != 0 {
			t.Errorf("%v, but it has an integration", names)
		}
		ok(t, w.DeleteIntegration(ctx, crm))
		if names := got(w.AccountRemovals(ctx))(t); !slices.Equal(names, []string{"acme"}) {
			t.Errorf("%v", names)
		}
		ok(t, w.DeleteAccount(ctx, "acme"))
		ok(t, w.PutAccount(ctx, registry.Account{Name: "acme"}))
	})
}

// Two who change the same integration do not lose each other's change.
func TestAChangeOfAnOlderVersionIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.withCRM(t)
		i := w.integration(t)
		mine, theirs := i, i
		theirs.Validation = "https://bridge.example.com/auth"
		ok(t, w.ChangeIntegration(ctx, theirs, registry.Change{}))
		mine.Schedule = registry.Schedule{Off: true}
		is(t, w.ChangeIntegration(ctx, mine, registry.Change{Auth: map[string]string{"password": "new"}, ForgetTokens: true}), registry.ErrChanged)
		if now := w.integration(t); now.Schedule != i.Schedule || now.Version != i.Version+1 {
			t.Errorf("%+v", now)
		}
		mine.Version = 0 // whatever it is
		ok(t, w.ChangeIntegration(ctx, mine, registry.Change{}))
		for what, change := range map[string]func() error{
			"auth":  func() error { return w.SetAuth(ctx, crm, map[string]string{"password": "another"}) },
			"pause": func() error { return w.Pause(ctx, crm, true) },
		} {
			before := w.integration(t).Version
			ok(t, change())
			if after := w.integration(t).Version; after != before+1 {
				t.Errorf("%s: version %d after %d", what, after, before)
			}
			ok(t, change())
			if after := w.integration(t).Version; after != before+1 {
				t.Errorf("%s, which is so already: version %d after %d", what, after, before)
			}
		}
	})
}

// Configuration, auth values and tokens change together or not at all (a sealer without its key fails in the middle).
func TestAChangeIsWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.withCRM(t)
		ok(t, w.SetAuth(ctx, crm, map[string]string{"password": "old"}))
		ok(t, w.SetSecret(ctx, registry.Owner(crm), registry.OAuthTokens, []byte("token")))
		before := w.integration(t)
		changed := before
		changed.Bridge = "https://elsewhere.example.com"
		change := registry.Change{Auth: map[string]string{"password": "new"}, ForgetTokens: true}
		if err := w.again(t, registry.OpenOptions{Clock: w.clock.now}).ChangeIntegration(ctx, changed, change); err == nil {
			t.Fatal("auth values were kept without a key")
		}
		if now := w.integration(t); now.Bridge != before.Bridge || string(got(w.Secret(ctx, registry.Owner(crm), registry.OAuthTokens))(t)) != "token" {
			t.Errorf("half of it was done: %+v", now)
		}
		ok(t, w.ChangeIntegration(ctx, changed, change))
		if now, auth := w.integration(t), got(w.Auth(ctx, crm))(t); now.Bridge != changed.Bridge || auth["password"] != "new" {
			t.Errorf("%+v %v", now, auth)
		}
		if token := got(w.Secret(ctx, registry.Owner(crm), registry.OAuthTokens))(t); token != nil {
			t.Errorf("the token is still there: %s", token)
		}
	})
}

// What a bridge gave is told from what a user set, and not kept for another bridge.
func TestLearnedValuesAreKnown(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.withCRM(t)
		ok(t, w.SetAuth(ctx, crm, map[string]string{"username": "agent"}))
		version := w.integration(t).Version
		ok(t, w.LearnAuth(ctx, crm, map[string]string{"tenant": "7", "zone": "eu"}, version))
		if i := w.integration(t); !slices.Equal(i.Learned, []string{"tenant", "zone"}) || !slices.Equal(i.AuthSet, []string{"password", "tenant", "username", "zone"}) {
			t.Errorf("%v of %v", i.Learned, i.AuthSet)
		}
		is(t, w.LearnAuth(ctx, crm, map[string]string{"tenant": "8"}, version), registry.ErrChanged)
		ok(t, w.SetAuth(ctx, crm, map[string]string{"tenant": "7", "zone": ""}))
		if i := w.integration(t); len(i.Learned) != 0 || got(w.Auth(ctx, crm))(t)["tenant"] != "7" {
			t.Errorf("%v", i.Learned)
		}
	})
}

// Only one process at a time may do what it holds; one that died stands in nobody's way for long.
func TestALeaseIsOneProcesss(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		hold := func(holder string) bool { t.Helper(); return got(w.Hold(ctx, "refresh", holder, time.Minute))(t) }
		if !hold("one") || hold("two") || !hold("one") {
			t.Error("it is the first one's")
		}
		ok(t, w.Free(ctx, "refresh", "two"))
		if hold("two") {
			t.Error("another one gave it back")
		}
		ok(t, w.Free(ctx, "refresh", "one"))
		if !hold("two") {
			t.Error("it was given back")
		}
		w.clock.advance(time.Minute)
		if !hold("one") {
			t.Error("its holder has died")
		}
	})
}

// A run that is asked for is due now, also while a retry waits.
func TestAskingGoesBeforeARetry(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.withCRM(t)
		ok(t, w.Ask(ctx, crm, registry.Ask{Run: true, Full: true}))
		c := w.claim(t, "worker")
		later := w.clock.now().Add(10 * time.Hour)
		ok(t, w.Release(ctx, c, registry.Outcome{Health: registry.HealthFailing, Due: later, Again: c.Status.Asked}))
		ok(t, w.Ask(ctx, crm, registry.Ask{Cancel: true})) // nothing runs
		if claims := got(w.Claim(ctx, "worker", 1, time.Minute))(t); len(claims) != 0 {
			t.Fatalf("it was to wait: %+v", claims)
		}
		ok(t, w.Ask(ctx, crm, registry.Ask{Run: true}))
		if c := w.claim(t, "worker"); !c.Status.Asked.Full {
			t.Errorf("what was asked before is forgotten: %+v", c.Status.Asked)
		}
	})
}

// What was asked of an integration that broke is done when it is mended, and not before.
func TestAsksSurviveARefusal(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.withCRM(t)
		ok(t, w.Ask(ctx, crm, registry.Ask{Run: true, Full: true}))
		c := w.claim(t, "worker")
		ok(t, w.Release(ctx, c, registry.Outcome{Health: registry.HealthBroken, Again: c.Status.Asked}))
		w.clock.advance(365 * 24 * time.Hour)
		if claims := got(w.Claim(ctx, "worker", 1, time.Minute))(t); len(claims) != 0 {
			t.Fatalf("it is broken: %+v", claims)
		}
		if asked := w.integration(t).Status.Asked; !asked.Full {
			t.Errorf("it is not shown: %+v", asked)
		}
		ok(t, w.SetAuth(ctx, crm, map[string]string{"password": "right"}))
		if c := w.claim(t, "worker"); !c.Status.Asked.Full {
			t.Errorf("it is forgotten: %+v", c.Status.Asked)
		}
	})
}

// The key of the settings' digests is the same for all processes, and after a rotation.
func TestTheSettingsKeyStays(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		keys := make([]string, 4)
		var all sync.WaitGroup
		for n := range keys {
			db := w.again(t, registry.OpenOptions{Seal: w.ring, Clock: w.clock.now})
			all.Go(func() {
				key, err := db.SettingsKey(t.Context())
				if err != nil {
					t.Error(err)
				}
				keys[n] = string(key)
			})
		}
		all.Wait()
		if slices.Sort(keys); keys[0] == "" || keys[0] != keys[3] {
			t.Errorf("%q", keys)
		}
		got(w.Reseal(t.Context()))(t)
		if key := got(w.SettingsKey(t.Context()))(t); string(key) != keys[0] {
			t.Errorf("%q after %q", key, keys[0])
		}
	})
}
