package console_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

func TestAFirstVisitMakesTheAdministratorAndTheFirstIntegration(t *testing.T) {
	s := newSite(t)
	v := s.visitor(t)
	if a := v.get("/contacts"); a.to() != "/sign-in?next=%2Fcontacts" {
		t.Fatal(a.StatusCode, a.to())
	}
	if a := v.get("/sign-in"); a.to() != "/setup" {
		t.Fatal(a.StatusCode, a.to())
	}
	v = s.administrator(t)
	if a := v.must("/"); !strings.Contains(a.text, "Connect your first external service") {
		t.Fatal(a.text)
	}
	if a := s.visitor(t).get("/setup"); a.to() != "/sign-in" {
		t.Fatal("a second first visit:", a.StatusCode, a.to())
	}
	a := v.goes("/integrations/new", "/integrations/new", "account", "acme", "region", "gb", "time_zone", "Europe/London",
		"bridge", s.bridge.url(), "when", "every", "every", "30m", "full", "7", "guard-share", "20", "guard-min", "10",
		"auth-0-name", "username", "auth-0-type", "text", "auth-0-value", "agent",
		"auth-1-name", "password", "auth-1-type", "password", "auth-1-value", "s3cret", "do", "save")
	if a.to() != "/integrations/acme/crm?done=added" {
		t.Fatal(a.to())
	}
	eventually(t, "the first run", func() bool {
		return strings.Contains(v.must("/integrations/acme/crm").text, "Up to date")
	})
	page := v.must("/integrations/acme/crm").text
	for _, want := range []string{"password and username", "every 30 minutes", "every week", ">96<", "Run now"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q in %s", want, page[strings.Index(page, "<main"):])
		}
	}
	if strings.Contains(page, "s3cret") {
		t.Error("the page shows the password")
	}
	if a := v.must("/contacts?account=acme&q=jane+do"); !strings.Contains(a.text, "Jane Doe") {
		t.Error("Jane is not found")
	}
	if a := v.must("/calling?account=acme&number=%2844%29+20+7946+0958"); !strings.Contains(a.text, "Jane Doe") {
		t.Error(a.text)
	}
}

func TestMoreRejectedContactsThanAPageShowsAreSpokenOf(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	v := s.administrator(t)
	ctx, key := context.Background(), directory.Key{Account: "acme", Integration: "shop"}
	i := registry.Integration{Key: key, Bridge: s.bridge.url(), Paused: true} // no worker runs it besides
	if err := s.hub.AddIntegration(ctx, i, map[string]string{"username": "agent", "password": "s3cret"}); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{50, 1} {
		run, err := s.store.StartRun(ctx, key, directory.Start{Lease: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		page := directory.PageChanges{Seq: 1}
		for i := range n {
			page.Rejected = append(page.Rejected, directory.Rejected{ID: fmt.Sprintf("faulty-%d-of-%d", i, n), Reason: "has no name"})
		}
		if err := s.store.ApplyPage(ctx, run, page); err != nil {
			t.Fatal(err)
		}
		text := v.must("/integrations/acme/shop").text
		if shown := strings.Count(text, "faulty-"); shown != 50 {
			t.Errorf("%d are shown", shown)
		}
		if said := strings.Contains(text, "the newest 50"); said != (n == 1) {
			t.Errorf("after %d: that there are more is said: %t", n, said)
		}
	}
}

// Colleagues at one switchboard are five people: the page of one of them ticks nobody else.
func TestAPurgeTicksNobodyElse(t *testing.T) {
	s := newSite(t)
	for n := range 5 {
		s.bridge.contacts().Put(contact.Contact{ID: fmt.Sprint("desk-", n), Name: "Colleague " + string(rune('A'+n)), Phones: []string{"020 7946 0000"}})
	}
	s.bridge.contacts().Put(contact.Contact{ID: "jane-8", Name: "Doe, Jane", Emails: []string{"jane@example.com"}})
	s.furnish(t)
	v := s.administrator(t)
	ticked := regexp.MustCompile(`name="ref" value="([^"]*)" checked`)
	for id, want := range map[string][]string{"desk-1": {"crm/desk-1"}, "jane-7": {"crm/jane-7", "crm/jane-8"}} {
		page := v.must("/person/purge?account=acme&integration=crm&id=" + id).text
		var got []string
		for _, found := range ticked.FindAllStringSubmatch(page, -1) {
			got = append(got, found[1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q are ticked, want %q", id, got, want)
		}
		if all := strings.Count(page, `name="ref"`); id == "desk-1" && all != 5 {
			t.Errorf("%d records are shown, want five", all)
		}
	}
}

// Under "All accounts" every account is asked, by its own country, and the answer says which knows the caller.
func TestWhoIsCallingAsksEveryAccount(t *testing.T) {
	s := newSite(t)
	s.furnish(t) // acme, where nobody has this number
	ctx := context.Background()
	for _, account := range []string{"aaa", "zeta"} {
		if err := s.hub.PutAccount(ctx, registry.Account{Name: account, Region: "US"}); err != nil {
			t.Fatal(err)
		}
	}
	s.connect(t, directory.Key{Account: "zeta", Integration: "shop"}, newBridge(t, 20, contact.Contact{ID: "z", Name: "Zoe Zulu", Phones: []string{"(415) 555-0100"}}))
	v := s.administrator(t)
	for path, want := range map[string][]string{
		"/calling?number=415-555-0100":                {"Zoe Zulu", `href="/?account=zeta"`, "Asked: aaa, acme and zeta."},
		"/calling?number=%2B14155550100&account=":     {"Zoe Zulu", "Asked: aaa, acme and zeta."},
		"/calling?number=%2B14155550100&account=aaa":  {"No contact has this number in the account aaa."},
		"/calling?number=%2B14155550100&account=zeta": {"Zoe Zulu"},
		"/calling?number=%2B14155550199":              {"No contact has this number in aaa, acme and zeta."},
		"/calling?number=020+7946+0958":               {"Jane Doe", `href="/?account=acme"`},
	} {
		for _, live := range []bool{false, true} {
			r := v.request("GET", path, nil)
			if live {
				r.Header.Set("HX-Request", "true")
			}
			page := v.do(r).text
			for _, part := range want {
				if !strings.Contains(page, part) {
					t.Errorf("%s, live %v: it does not say %q", path, live, part)
				}
			}
		}
	}
	mine := s.user(t, v, "zed", registry.RoleReader, "aaa", "acme") // who may not see zeta
	if page := mine.must("/calling?number=%2B14155550100").text; strings.Contains(page, "Zulu") || strings.Contains(page, "zeta") || !strings.Contains(page, "No contact has this number in aaa and acme.") {
		t.Error("another account's caller is shown, or the answer does not say who was asked")
	}
}

// Entries of several accounts stand in one list: a time is the same whichever account is chosen, and its zone is named.
func TestTheAuditLogsTimesAreInOneZone(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	if err := s.hub.PutAccount(context.Background(), registry.Account{Name: "beta", Region: "US", TimeZone: "America/New_York"}); err != nil {
		t.Fatal(err)
	}
	v := s.administrator(t)
	v.post("/tokens", "/tokens", "name", "pbx", "account", "beta", "scope", "callers:read")
	row := regexp.MustCompile(`(?s)<time[^>]*>[^<]*</time>(?:[^t]|t[^o])*?token\.create`)
	of := func(page string) string {
		all := v.must(page).text
		if !strings.Contains(all, "UTC") {
			t.Errorf("%s names no zone", page)
		}
		return regexp.MustCompile(`<time[^>]*>[^<]*</time>`).FindString(row.FindString(all))
	}
	if all, one := of("/audit"), of("/audit?account=beta"); all == "" || all != one || !strings.Contains(all, "UTC") {
		t.Errorf("under all accounts %q, under one %q", all, one)
	}
}

// A name that was taken from a URL goes with it; one that was typed stays.
func TestAGuessedNameGoesWithItsURL(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	v := s.administrator(t)
	hidden := regexp.MustCompile(`name="guessed" value="([^"]*)"`)
	for _, c := range []struct{ first, guess, second, want string }{
		{"http://127.0.0.1:1", "bridge", s.bridge.URL + "/shop/contact_sync", "shop"},
		{"http://[::1]:1/contact_sync", "bridge", s.bridge.URL + "/other/contact_sync", "other"},
		{"http://bridge.example.com", "bridge", "http://crm.example.com/contact_sync", "crm"},
	} {
		page := v.post("/integrations/new", "/integrations/new", "account", "acme", "bridge", c.first, "name", "", "every", "nonsense").text
		guessed := hidden.FindStringSubmatch(page)
		if guessed == nil || guessed[1] != c.guess || !strings.Contains(page, `value="`+c.guess+`"`) {
			t.Errorf("%s: guessed %q, want %q", c.first, guessed, c.guess)
			continue
		}
		page = v.post("/integrations/new", "/integrations/new", "account", "acme", "bridge", c.second, "name", c.guess, "guessed", c.guess, "every", "nonsense").text
		if guessed := hidden.FindStringSubmatch(page); guessed == nil || guessed[1] != c.want {
			t.Errorf("%s after %s: guessed %q, want %q", c.second, c.first, guessed, c.want)
		}
		page = v.post("/integrations/new", "/integrations/new", "account", "acme", "bridge", c.second, "name", "typed", "guessed", c.guess, "every", "nonsense").text
		if !strings.Contains(page, `value="typed"`) || hidden.MatchString(page) {
			t.Error("a name that was typed is lost")
		}
	}
}

// Of who was purged nothing is kept, and the list of what was not taken says so.
func TestAPurgedContactIsNotSaidToLackAnID(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	v := s.administrator(t)
	v.goes("/person/purge?account=acme&integration=crm&id=jane-7", "/person/purge", "account", "acme", "ref", "crm/jane-7")
	if err := s.hub.Ask(context.Background(), key, registry.Ask{Run: true, Full: true}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the full run", func() bool {
		return strings.Contains(v.must("/integrations/acme/crm").text, "purged: its id is not kept")
	})
	if strings.Contains(v.must("/integrations/acme/crm").text, "without an id") {
		t.Error("it is said to lack an id")
	}
}
