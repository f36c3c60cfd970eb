package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

func TestAccountsAreKept(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		made := w.clock.now()
		a := registry.Account{Name: "acme", Region: "GB", TimeZone: "Europe/London", Managed: true}
		ok(t, w.PutAccount(t.Context(), a))
		w.clock.advance(time.Hour)
		a.Region, a.Managed = "PT", false
		ok(t, w.PutAccount(t.Context(), a))
		ok(t, w.PutAccount(t.Context(), registry.Account{Name: "Zeta"}))
		a.Created = made
		want := []registry.Account{{Name: "Zeta", Created: w.clock.now()}, a} // by bytes on both databases
		if all := got(w.Accounts(t.Context()))(t); !cmp.Equal(all, want) {
			t.Error(cmp.Diff(want, all))
		}
		if one := got(w.Account(t.Context(), "acme"))(t); !cmp.Equal(one, a) {
			t.Error(cmp.Diff(a, one))
		}
		_, err := w.Account(t.Context(), "ACME")
		is(t, err, registry.ErrNotFound)
		for _, name := range []string{"", "a/b", "a b", "a:b", strings.Repeat("a", 65)} {
			if w.PutAccount(t.Context(), registry.Account{Name: name}) == nil {
				t.Errorf("an account can be named %q", name)
			}
		}
	})
}

// whole is an integration with everything in it.
func whole() registry.Integration {
	return registry.Integration{
		Key: crm, Bridge: "https://{{site}}.example.com/contact_sync", Validation: "https://example.com/check",
		Fields: []registry.Field{{Name: "site", Display: "Site", Mandatory: true, Type: "text", Help: "your site", Format: "https://{{site}}.example.com", Default: "main"}},
		OAuth: &registry.OAuth{
			Grant: "authorization_code", AuthorizeURL: "https://example.com/a", TokenURL: "https://example.com/t", ClientID: "c",
			Scopes: []string{"read"}, Params: map[string]string{"access_type": "offline"}, Field: "token",
		},
		Schedule: registry.Schedule{Cron: "15 6 * * *", Full: -1}, Limits: registry.Limits{Pages: 1, PageBytes: 2, Timeout: time.Second, Run: time.Hour},
		Guard: directory.NewGuard(0, 7), Paused: true, Managed: true,
	}
}

func TestIntegrationsAreKept(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		want := whole()
		is(t, w.AddIntegration(t.Context(), want, nil), registry.ErrNotFound) // its account
		ok(t, w.PutAccount(t.Context(), registry.Account{Name: "acme"}))
		ok(t, w.AddIntegration(t.Context(), want, map[string]string{"b": "2", "a": "1", "c": ""}))
		is(t, w.AddIntegration(t.Context(), want, nil), registry.ErrExists)
		want.Created, want.Updated = w.clock.now(), w.clock.now()
		want.AuthSet, want.Version, want.Status = []string{"a", "b"}, 1, registry.Status{Health: registry.HealthNew}
		if one := w.integration(t); !cmp.Equal(one, want) {
			t.Error(cmp.Diff(want, one))
		}
		w.clock.advance(time.Minute)
		changed := registry.Integration{Key: crm, Bridge: "https://elsewhere.example.com", Schedule: registry.Schedule{Every: time.Minute}}
		ok(t, w.ChangeIntegration(t.Context(), changed, registry.Change{}))
		changed.Created, changed.Updated, changed.AuthSet, changed.Version = want.Created, w.clock.now(), want.AuthSet, 2
		changed.Status = registry.Status{Health: registry.HealthNew, Due: w.clock.now()}
		if one := w.integration(t); !cmp.Equal(one, changed) {
			t.Error(cmp.Diff(changed, one))
		}
	})
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for name, err := range map[string]error{
			"account":             w.DeleteAccount(ctx, "nobody"),
			"integration":         w.DeleteIntegration(ctx, crm),
			"change":              w.ChangeIntegration(ctx, integration(crm), registry.Change{}),
			"auth":                w.SetAuth(ctx, crm, map[string]string{"a": "b"}),
			"ask":                 w.Ask(ctx, crm, registry.Ask{Run: true}),
			"pause":               w.Pause(ctx, crm, true),
			"token":               w.DeleteToken(ctx, "x"),
			"user":                w.DeleteUser(ctx, "x"),
			"webhook":             w.DeleteWebhook(ctx, "x"),
			"its secret":          w.SetSecret(ctx, registry.Owner(crm), "oauth", []byte("x")),
			"token's account":     w.PutToken(ctx, registry.Token{ID: "x", Name: "x", Account: "nobody"}, []byte("x"), true),
			"webhook's account":   w.PutWebhook(ctx, registry.Webhook{ID: "x", Account: "nobody"}, nil),
			"session's user":      w.PutSession(ctx, registry.Session{Digest: []byte("x"), User: "nobody"}),
			"auth to read":        second(w.Auth(ctx, crm)),
			"integration to read": second(w.Integration(ctx, crm)),
			"digest":              second(w.TokenByDigest(ctx, []byte("x"))),
			"subject":             second(w.UserBySubject(ctx, "")),
		} {
			if !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		ok(t, w.DeleteSession(ctx, []byte("x")))
		ok(t, w.TokenUsed(ctx, "x", w.clock.now()))
		ok(t, w.SetSecret(ctx, registry.Owner(crm), "oauth", nil))
	})
}

func TestIntegrationsAreListedInPages(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		var want, acme []directory.Key
		for _, account := range []string{"B", "a", "acme"} {
			ok(t, w.PutAccount(t.Context(), registry.Account{Name: account}))
			for _, name := range []string{"Z", "_", "x", "y"} {
				key := directory.Key{Account: account, Integration: name}
				ok(t, w.AddIntegration(t.Context(), integration(key), nil))
				want = append(want, key)
			}
		}
		acme = want[8:]
		for _, limit := range []int{0, 1, 3, 100} {
			for account, want := range map[string][]directory.Key{"": want, "acme": acme} {
				var all []directory.Key
				for after := (directory.Key{}); ; {
					page := got(w.Integrations(t.Context(), account, after, limit))(t)
					for _, i := range page {
						all = append(all, i.Key)
					}
					if limit == 0 || len(page) < limit {
						break
					}
					after = page[len(page)-1].Key
				}
				if !cmp.Equal(all, want) {
					t.Errorf("limit %d: %s", limit, cmp.Diff(want, all))
				}
			}
		}
	})
}

func TestDeletingAnAccountLeavesNothingOfIt(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for _, account := range []string{"acme", "acme-0", "acme0", "acmf"} {
			key := directory.Key{Account: account, Integration: "crm"}
			ok(t, w.PutAccount(ctx, registry.Account{Name: account}))
			ok(t, w.AddIntegration(ctx, integration(key), map[string]string{"password": "s3cret"}))
			ok(t, w.SetSecret(ctx, registry.Owner(key), "oauth", []byte("token")))
			ok(t, w.PutToken(ctx, registry.Token{ID: account, Name: "pbx", Account: account}, []byte(account), false))
			ok(t, w.PutWebhook(ctx, registry.Webhook{ID: account, Account: account}, nil))
			ok(t, w.SetSecret(ctx, registry.WebhookOwner(account), "signing", []byte("whs")))
			ok(t, w.AddEvent(ctx, &registry.Event{Kind: "run.failed", Account: account}))
		}
		ok(t, w.DeleteAccount(ctx, "acme"))
		if n := got(w.Reseal(ctx))(t); n != 9 {
			t.Errorf("%d secrets are left, want the other accounts' 9", n)
		}
		for name, n := range map[string]int{
			"integrations": len(got(w.Integrations(ctx, "", directory.Key{}, 0))(t)), "tokens": len(got(w.Tokens(ctx, ""))(t)),
			"webhooks": len(got(w.Webhooks(ctx, ""))(t)), "deliveries": len(got(w.Deliveries(ctx, registry.Wanted{Limit: 10, Hold: time.Minute}))(t)),
		} {
			if n != 3 {
				t.Errorf("%d %s are left, want the other accounts' 3", n, name)
			}
		}
		// The next account of this name inherits nothing.
		w.withCRM(t)
		if text := got(w.Secret(ctx, registry.Owner(crm), "oauth"))(t); text != nil {
			t.Errorf("it inherited %q", text)
		}
		if n := len(got(w.Events(ctx, registry.Filter{}))(t)); n != 4 {
			t.Errorf("%d events, want those of all", n)
		}
	})
}

func TestTokensAreUniqueInTheirAccount(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ok(t, w.PutAccount(ctx, registry.Account{Name: "acme"}))
		token := registry.Token{
			ID: "1", Name: "pbx", Account: "acme", Scopes: []registry.Scope{registry.ScopeCallers, registry.ScopeRead}, Managed: true, Expires: w.clock.now().Add(time.Hour),
		}
		ok(t, w.PutToken(ctx, token, []byte("digest"), false))
		token.Created = w.clock.now()
		if kept := got(w.TokenByDigest(ctx, []byte("digest")))(t); !cmp.Equal(kept, token) {
			t.Error(cmp.Diff(token, kept))
		}
		everybody := registry.Token{ID: "2", Name: "pbx", Scopes: []registry.Scope{registry.ScopeAdmin}}
		ok(t, w.PutToken(ctx, everybody, []byte("other"), false)) // of no account
		everybody.ID = "3"
		is(t, w.PutToken(ctx, everybody, []byte("third"), false), registry.ErrExists)
		everybody.Name = "new"
		is(t, w.PutToken(ctx, everybody, []byte("digest"), true), registry.ErrExists) // the same value

		w.clock.advance(time.Hour)
		ok(t, w.TokenUsed(ctx, "1", w.clock.now()))
		ok(t, w.TokenUsed(ctx, "1", w.clock.now().Add(-time.Minute))) // late news
		token.ID, token.Used = "4", w.clock.now()
		changed := token
		changed.Created, changed.Used = time.Time{}, time.Time{}
		ok(t, w.PutToken(ctx, changed, []byte("digest"), true))
		if list := got(w.Tokens(ctx, "acme"))(t); !cmp.Equal(list, []registry.Token{token}) {
			t.Error(cmp.Diff([]registry.Token{token}, list))
		}
		ok(t, w.PutToken(ctx, changed, []byte("new value"), true))
		if kept := got(w.TokenByDigest(ctx, []byte("new value")))(t); !kept.Used.IsZero() || !kept.Created.Equal(w.clock.now()) {
			t.Errorf("a new value is as used as the old one: %+v", kept)
		}
		_, err := w.TokenByDigest(ctx, []byte("digest"))
		is(t, err, registry.ErrNotFound)
		if n := len(got(w.Tokens(ctx, ""))(t)); n != 2 {
			t.Errorf("%d tokens", n)
		}
		ok(t, w.DeleteToken(ctx, "4"))
		_, err = w.TokenByDigest(ctx, []byte("new value"))
		is(t, err, registry.ErrNotFound)
	})
}

// A locked, demoted or removed administrator must not live on in the tokens that they made, or that these made.
func TestATokenEndsWithWhoMadeIt(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ok(t, w.PutAccount(ctx, registry.Account{Name: "acme"}))
		ok(t, w.PutAccount(ctx, registry.Account{Name: "beta"}))
		ok(t, w.PutUser(ctx, registry.User{ID: "root", Name: "root", Role: registry.RoleAdmin}))
		for name, change := range map[string]struct {
			do   func(u registry.User) error
			left []string
		}{
			"locked":    {func(u registry.User) error { u.Disabled = true; return w.ChangeUser(ctx, u) }, nil},
			"put":       {func(u registry.User) error { u.Disabled = true; return w.PutUser(ctx, u) }, nil},
			"demoted":   {func(u registry.User) error { u.Role = registry.RoleOperator; return w.ChangeUser(ctx, u) }, nil},
			"narrowed":  {func(u registry.User) error { u.Accounts = []string{"beta"}; return w.ChangeUser(ctx, u) }, []string{"beta"}},
			"removed":   {func(u registry.User) error { return w.DeleteUser(ctx, u.ID) }, nil},
			"renamed":   {func(u registry.User) error { u.Name += "2"; return w.ChangeUser(ctx, u) }, []string{"acme", "all", "beta", "child"}},
			"all ended": {func(registry.User) error { return w.DeleteToken(ctx, "all ended all") }, []string{"acme", "beta"}},
		} {
			u := registry.User{ID: name, Name: name, Role: registry.RoleAdmin}
			ok(t, w.PutUser(ctx, u))
			for _, token := range []registry.Token{{Name: "all"}, {Name: "child", Account: "acme", Parent: name + " all"}, {Name: "acme", Account: "acme"}, {Name: "beta", Account: "beta"}} {
				token.ID, token.Maker, token.MadeBy = name+" "+token.Name, name, "user "+name
				token.Name = token.ID
				ok(t, w.PutToken(ctx, token, []byte(token.ID), false))
			}
			ok(t, w.PutToken(ctx, registry.Token{ID: name + "'s neighbour", Name: name + "'s neighbour", Maker: "root"}, []byte(name+"'s neighbour"), false))
			before := got(w.Revocations(ctx))(t)
			ok(t, change.do(u))
			if after := got(w.Revocations(ctx))(t); after <= before {
				t.Errorf("%s: nobody is told", name)
			}
			var left []string
			for _, token := range []string{"acme", "all", "beta", "child"} {
				if _, err := w.TokenByDigest(ctx, []byte(name+" "+token)); err == nil {
					left = append(left, token)
				}
			}
			if !slices.Equal(left, change.left) {
				t.Errorf("%s: %q are left, want %q", name, left, change.left)
			}
			for _, token := range got(w.Tokens(ctx, ""))(t) { // what does not hold is not listed either
				if short, own := strings.CutPrefix(token.Name, name+" "); own && !slices.Contains(change.left, short) {
					t.Errorf("%s: %s is still listed", name, token.Name)
				}
			}
			ok(t, second(w.TokenByDigest(ctx, []byte(name+"'s neighbour"))))
		}
		// What is made in the moment in which its maker is locked does not hold either.
		ok(t, w.PutToken(ctx, registry.Token{ID: "late", Name: "late", Maker: "locked"}, []byte("late"), false))
		ok(t, w.PutToken(ctx, registry.Token{ID: "orphan", Name: "orphan", Parent: "locked all"}, []byte("orphan"), false))
		for _, digest := range []string{"late", "orphan"} {
			is(t, second(w.TokenByDigest(ctx, []byte(digest))), registry.ErrNotFound)
		}
		// A token of the configuration file with a changed value takes along everything that it made; one that stays does not.
		file := registry.Token{ID: "f1", Name: "file", Managed: true}
		ok(t, w.PutToken(ctx, file, []byte("f"), true))
		ok(t, w.PutToken(ctx, registry.Token{ID: "made", Name: "made", Parent: "f1"}, []byte("made"), false))
		file.ID = "f2"
		ok(t, w.PutToken(ctx, file, []byte("f"), true))
		ok(t, second(w.TokenByDigest(ctx, []byte("made"))))
		file.ID = "f3"
		ok(t, w.PutToken(ctx, file, []byte("new"), true))
		is(t, second(w.TokenByDigest(ctx, []byte("made"))), registry.ErrNotFound)
		if entries := got(w.Audit(ctx, registry.Filter{Subject: "locked all"}))(t); len(entries) != 1 || entries[0].Action != "token.end" {
			t.Errorf("the audit log says %+v", entries)
		}
	})
}

func TestUsersAreFoundWithoutRegardToCase(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		zoe := registry.User{ID: "1", Name: "Zoë.Straße", Role: registry.RoleOperator, Accounts: []string{"acme"}, Password: "hash", Subject: "issuer 1", LastSeen: w.clock.now()}
		ok(t, w.PutUser(ctx, zoe))
		zoe.Created = w.clock.now()
		for _, name := range []string{"zoë.straße", "ZOË.STRASSE", "Zoe\u0308.Straße"} {
			if u := got(w.UserByName(ctx, name))(t); !cmp.Equal(u, zoe) {
				t.Error(cmp.Diff(zoe, u))
			}
		}
		is(t, w.PutUser(ctx, registry.User{ID: "2", Name: "ZOË.straße"}), registry.ErrExists)
		is(t, w.PutUser(ctx, registry.User{ID: "2", Name: "other", Subject: "issuer 1"}), registry.ErrExists)
		ok(t, w.PutUser(ctx, registry.User{ID: "2", Name: "adam"}))
		ok(t, w.PutUser(ctx, registry.User{ID: "3", Name: "eve"})) // nor do those without a subject share one
		zoe.Role, zoe.LastSeen = registry.RoleReader, time.Time{}
		w.clock.advance(time.Hour)
		ok(t, w.PutUser(ctx, zoe))
		u := got(w.UserBySubject(ctx, "issuer 1"))(t)
		if u.Role != registry.RoleReader || u.LastSeen.IsZero() || !u.Created.Equal(zoe.Created) {
			t.Errorf("%+v", u)
		}
		var names []string
		for _, u := range got(w.Users(ctx))(t) {
			names = append(names, u.Name)
		}
		if strings.Join(names, " ") != "adam eve Zoë.Straße" {
			t.Errorf("%q", names)
		}
	})
}

func TestTwoFirstVisitsMakeOneAdministrator(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		other := w.again(t, registry.OpenOptions{})
		var wait sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			db := w.DB
			if i%2 == 1 {
				db = other
			}
			wait.Go(func() {
				id := fmt.Sprint(i)
				errs[i] = db.CreateFirstUser(context.Background(), registry.User{ID: id, Name: "admin " + id, Role: registry.RoleAdmin})
			})
		}
		wait.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
			} else if !errors.Is(err, registry.ErrExists) {
				t.Error(err)
			}
		}
		if users := got(w.Users(t.Context()))(t); made != 1 || len(users) != 1 {
			t.Errorf("%d were made, %d are there", made, len(users))
		}
	})
}

// Between reading a user and keeping something of them, another user may have changed them.
func TestOnlyWhatIsMeantOfAUserIsChanged(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ok(t, w.PutUser(ctx, registry.User{ID: "1", Name: "jane", Role: registry.RoleAdmin, Password: "old"}))
		ok(t, w.PutUser(ctx, registry.User{ID: "2", Name: "zoe", Role: registry.RoleReader, Subject: "issuer 2"}))
		stale := got(w.UserByName(ctx, "jane"))(t)

		ok(t, w.SetPassword(ctx, "1", "old", "new"))
		is(t, w.SetPassword(ctx, "1", "old", "mine"), registry.ErrNotFound)
		is(t, w.SetPassword(ctx, "3", "", "x"), registry.ErrNotFound)

		ok(t, w.BindUser(ctx, "1", "issuer 1"))
		is(t, w.BindUser(ctx, "1", "issuer 3"), registry.ErrNotFound)
		ok(t, w.PutUser(ctx, registry.User{ID: "4", Name: "eve"}))
		is(t, w.BindUser(ctx, "4", "issuer 2"), registry.ErrExists)

		stale.Role, stale.Name, stale.Accounts = registry.RoleReader, "Jane Doe", []string{"acme"}
		ok(t, w.ChangeUser(ctx, stale))
		u := got(w.UserByName(ctx, "JANE DOE"))(t)
		if u.Password != "new" || u.Subject != "issuer 1" || u.Role != registry.RoleReader || !cmp.Equal(u.Accounts, []string{"acme"}) {
			t.Errorf("%+v", u)
		}
		stale.Name = "Zoe"
		is(t, w.ChangeUser(ctx, stale), registry.ErrExists)
		is(t, w.ChangeUser(ctx, registry.User{ID: "3", Name: "nobody"}), registry.ErrNotFound)

		open := func(digest, user, proved string) error {
			return w.OpenSession(ctx, registry.Session{Digest: []byte(digest), User: user, Created: w.clock.now(), Expires: w.clock.now().Add(time.Hour)}, proved)
		}
		is(t, open("a", "1", "old"), registry.ErrNotFound)
		is(t, open("b", "3", ""), registry.ErrNotFound)
		ok(t, open("c", "1", "new"))
		if s, u, err := w.SessionUser(ctx, []byte("c")); err != nil || u.ID != "1" || !u.LastSeen.Equal(w.clock.now()) || s.User != "1" {
			t.Errorf("%+v, %+v, %v", s, u, err)
		}
		stale.Name, stale.Disabled = "Jane Doe", true
		ok(t, w.ChangeUser(ctx, stale))
		is(t, open("d", "1", "new"), registry.ErrNotFound)
	})
}

func TestSessionsEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		jane := registry.User{ID: "1", Name: "jane", Role: registry.RoleAdmin, Created: w.clock.now()}
		start := func(digest string) registry.Session {
			s := registry.Session{Digest: []byte(digest), User: "1", Created: w.clock.now(), Expires: w.clock.now().Add(time.Hour), Agent: "Firefox"}
			ok(t, w.PutSession(ctx, s))
			return s
		}
		alive := func(digest string) bool {
			_, _, err := w.SessionUser(ctx, []byte(digest))
			if err != nil {
				is(t, err, registry.ErrNotFound)
			}
			return err == nil
		}
		ok(t, w.PutUser(ctx, jane))
		want := start("one")
		s, u, err := w.SessionUser(ctx, want.Digest)
		ok(t, err)
		if !cmp.Equal(s, want) || !cmp.Equal(u, jane) {
			t.Error(cmp.Diff(want, s), cmp.Diff(jane, u))
		}
		w.clock.advance(time.Hour)
		if alive("one") {
			t.Error("it has expired")
		}
		start("two")
		start("three")
		start("four")
		ok(t, w.DeleteSession(ctx, []byte("two")))
		ok(t, w.DeleteSessions(ctx, "1", []byte("three")))
		if alive("two") || !alive("three") || alive("four") {
			t.Error("all but three have ended")
		}
		jane.Disabled = true
		ok(t, w.PutUser(ctx, jane))
		if alive("three") {
			t.Error("its user is disabled")
		}
		jane.Disabled = false
		ok(t, w.PutUser(ctx, jane))
		ok(t, w.DeleteSessions(ctx, "1", nil))
		if alive("three") {
			t.Error("all have ended")
		}
		start("five")
		ok(t, w.DeleteUser(ctx, "1"))
		if alive("five") {
			t.Error("its user is gone")
		}
	})
}

func TestAuditEntriesAreNeverChanged(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		var want []registry.AuditEntry
		for i, action := range []string{"integration.add", "token.create", "contact.purge"} {
			e := registry.AuditEntry{Actor: "user jane", Action: action, Account: []string{"acme", "", "acme"}[i], Subject: "x", Detail: "a phrase"}
			ok(t, w.AddAudit(ctx, &e))
			if e.ID == 0 || !e.Time.Equal(w.clock.now()) {
				t.Errorf("%+v", e)
			}
			want = append([]registry.AuditEntry{e}, want...)
		}
		if err := w.exec(t, "UPDATE "+w.table("audit")+" SET actor = 'somebody else'"); err == nil || !strings.Contains(err.Error(), "never changed") {
			t.Errorf("changed: %v", err)
		}
		if all := got(w.Audit(ctx, registry.Filter{}))(t); !cmp.Equal(all, want) {
			t.Error(cmp.Diff(want, all))
		}
		if some := got(w.Audit(ctx, registry.Filter{Account: "acme", Before: want[0].ID}))(t); !cmp.Equal(some, want[2:]) {
			t.Error(cmp.Diff(want[2:], some))
		}
		if some := got(w.Audit(ctx, registry.Filter{Limit: 1}))(t); !cmp.Equal(some, want[:1]) {
			t.Error(cmp.Diff(want[:1], some))
		}
	})
}

func TestSamplesAndSettingsAreKept(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
		for _, s := range []registry.Sample{
			{Day: monday.AddDate(0, 0, 1).Add(5 * time.Hour), Account: "a", Contacts: 7},
			{Day: monday, Account: "a", Contacts: 1},
			{Day: monday.Add(time.Hour), Account: "a", Contacts: 5},
			{Day: monday, Account: "b", Contacts: 10},
			{Day: monday.AddDate(0, 0, -1), Account: "a", Contacts: 100},
		} {
			ok(t, w.PutSamples(ctx, s))
		}
		tuesday := monday.AddDate(0, 0, 1)
		for account, want := range map[string][]registry.Sample{
			"a": {{Day: monday, Account: "a", Contacts: 5}, {Day: tuesday, Account: "a", Contacts: 7}},
			"":  {{Day: monday, Contacts: 15}, {Day: tuesday, Contacts: 7}},
		} {
			if all := got(w.Samples(ctx, account, monday.Add(3*time.Hour)))(t); !cmp.Equal(all, want) {
				t.Error(cmp.Diff(want, all))
			}
		}
		if v := got(w.Setting(ctx, "x"))(t); v != "" {
			t.Errorf("%q", v)
		}
		ok(t, w.SetSetting(ctx, "x", "1"))
		ok(t, w.SetSetting(ctx, "x", "2"))
		if v := got(w.Setting(ctx, "x"))(t); v != "2" {
			t.Errorf("%q", v)
		}
	})
}

func TestWhatIsOldIsPruned(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		fill := func(name string) {
			ok(t, w.AddEvent(ctx, &registry.Event{Kind: name, Data: json.RawMessage(`{"n":1}`)}))
			for _, d := range got(w.Deliveries(ctx, registry.Wanted{Limit: 10, Hold: time.Minute}))(t) {
				ok(t, w.Delivered(ctx, d.ID, registry.Sending{}, time.Time{}))
			}
			ok(t, w.AddAudit(ctx, &registry.AuditEntry{Action: name}))
			ok(t, w.PutToken(ctx, registry.Token{ID: name, Name: name, Expires: w.clock.now().Add(time.Hour)}, []byte(name), false))
			ok(t, w.PutSession(ctx, registry.Session{Digest: []byte(name), User: "1", Expires: w.clock.now().Add(time.Hour)}))
			ok(t, w.SetSecret(ctx, registry.PendingOwner(name), "state", []byte("x")))
		}
		ok(t, w.PutUser(ctx, registry.User{ID: "1", Name: "jane"}))
		ok(t, w.PutWebhook(ctx, registry.Webhook{ID: "1"}, nil))
		ok(t, w.PutToken(ctx, registry.Token{ID: "0", Name: "for ever"}, []byte("0"), false))
		fill("ancient")
		w.clock.advance(300 * 24 * time.Hour)
		fill("old")
		w.clock.advance(100 * 24 * time.Hour)
		fill("new")
		ok(t, w.Prune(ctx, w.clock.now().Add(-90*24*time.Hour)))
		counts := map[string]int{
			"events": len(got(w.Events(ctx, registry.Filter{}))(t)), "audit": len(got(w.Audit(ctx, registry.Filter{}))(t)),
			"tokens": len(got(w.Tokens(ctx, ""))(t)), "secrets": got(w.Reseal(ctx))(t),
			"sessions": w.count(t, "sessions"), "deliveries": w.count(t, "deliveries"),
		}
		// The audit entry of a year and a month ago is gone, the one of a hundred days ago is not.
		if want := map[string]int{"events": 1, "audit": 2, "tokens": 2, "secrets": 1, "sessions": 1, "deliveries": 1}; !cmp.Equal(counts, want) {
			t.Error(cmp.Diff(want, counts))
		}
		keeper := w.again(t, registry.OpenOptions{Clock: w.clock.now, KeepAudit: 3 * 365 * 24 * time.Hour})
		w.clock.advance(2 * 365 * 24 * time.Hour)
		ok(t, keeper.Prune(ctx, w.clock.now()))
		if n := len(got(w.Audit(ctx, registry.Filter{}))(t)); n != 2 {
			t.Errorf("%d audit entries, want those that are to be kept for three years", n)
		}
		ok(t, w.Ping(ctx))
	})
}
