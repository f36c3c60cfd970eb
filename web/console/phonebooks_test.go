package console_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/phonebook"
)

// withPhonebook makes a site with a phonebook that some devices have read.
func withPhonebook(t testing.TB) *site {
	t.Helper()
	config := []phonebook.Config{{
		Name: "desk", Account: "acme", Where: "name != ''", Numbers: phonebook.Numbers{Format: phonebook.National, Region: "GB", OutsidePrefix: "9"},
		HTTP:    &phonebook.HTTP{User: "phones", Password: "geheim-123", SecretPath: "verborgen-456"},
		LDAP:    &phonebook.LDAP{Listen: "0.0.0.0:1389", Base: "dc=acme", BindDN: "cn=phones,dc=acme", Password: "geheim-789"},
		CardDAV: &phonebook.CardDAV{User: "mobiles", Password: "geheim-123"},
	}}
	s := newSite(t)
	ctx := context.Background()
	s.hub.DeclarePhonebooks(config, &phonebook.LDAP{Listen: "0.0.0.0:1389", SizeLimit: 500})
	if err := s.hub.SetPhonebooks(ctx); err != nil {
		t.Fatal(err)
	}
	key := s.furnish(t)
	var err error
	for more := true; more; {
		if more, err = s.store.FillBooks(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []registry.Reader{
		{Way: "carddav", Name: "mobiles", Address: "10.1.2.3", Device: "DAVx5/4.4-ose", Copies: true},
		{Way: "ldap", Name: "cn=phones,dc=acme", Address: "10.1.2.4"},
		{Way: "http", Address: "10.1.2.5", Device: "<script>alert(1)</script>", Copies: true},
	} {
		r.Account, r.Book, r.Last = "acme", "desk", s.clock.now()
		s.hub.NoteReader(r)
	}
	if _, err := s.hub.Purge(ctx, "acme", []directory.Ref{{Integration: key.Integration, ID: customers(1)[0].ID}}); err != nil {
		t.Fatal(err)
	}
	return s
}

const deskPage = "/phonebooks-of/acme/desk"

func TestPhonebookIsShownWithoutItsSecrets(t *testing.T) {
	s := withPhonebook(t)
	v := s.administrator(t)
	if page := v.must("/phonebooks-of").text; !strings.Contains(page, `href="`+deskPage+`"`) || !strings.Contains(page, "2 not since a purge") {
		t.Errorf("the list is %s", page)
	}
	page := v.must(deskPage + "?q=020+7946+0958").text
	for _, want := range []string{
		"Jane Doe", "902079460958", "/phonebooks/desk/yealink.xml", "(|(telephoneNumber=%)(mobile=%))", "cn=phones,dc=acme", "/dav/desk/", `class="qr"`, "DAVx5/4.4-ose", "10.1.2.4",
		"2 devices have", "not since the purge", "name != &#39;&#39;", "The file takes 1,000 entries: all fit.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, secret := range []string{"geheim", "verborgen", "<script>alert"} {
		if strings.Contains(page, secret) {
			t.Errorf("the page shows %q", secret)
		}
	}
	if page := v.must(deskPage + "?q=jan").text; !strings.Contains(page, "Jane Doe") {
		t.Error("the beginning of a name finds nobody")
	}
	if page := v.must(deskPage + "?q=zzzz").text; !strings.Contains(page, "Telephones show nothing.") {
		t.Error("it is not said that nobody is found")
	}
	for _, path := range []string{"/phonebooks-of/acme/other", "/phonebooks-of/zeta/desk"} {
		if a := v.get(path); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
	if err := s.hub.PutAccount(context.Background(), registry.Account{Name: "other", Region: "GB"}); err != nil {
		t.Fatal(err)
	}
	if a := s.user(t, v, "zed", registry.RoleAdmin, "other").get(deskPage); a.StatusCode != http.StatusNotFound || strings.Contains(a.text, "DAVx5") {
		t.Errorf("a user of another account: %d", a.StatusCode)
	}
}

func TestInABrowserAPhonebookIsShown(t *testing.T) {
	s := withPhonebook(t)
	b := s.browser(t)
	b.signIn()
	for _, width := range []int64{390, 1024, 1280} {
		b.run(chromedp.EmulateViewport(width, 1400))
		for _, page := range []struct{ name, path, sees string }{{"phonebooks", "/phonebooks-of", "not since a purge"}, {"phonebook", deskPage + "?q=jan", "What do telephones show?"}} {
			b.open(page.path)
			b.sees(page.sees)
			if page.name == "phonebook" {
				b.run(chromedp.Evaluate(`document.querySelectorAll("details").forEach((d, n) => d.open = n < 2)`, nil))
			}
			if width == 390 {
				b.accessible(page.name)
			}
			var over int
			b.run(chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &over))
			if over > 0 {
				b.t.Errorf("%s is %d pixels wider than a window of %d", page.name, over, width)
			}
			b.picture(fmt.Sprintf("%s-%d", page.name, width))
		}
	}
	b.quiet()
}

// served waits until what a device asks for is answered like this.
func (s *site) served(t testing.TB, method, path, user, password string, want int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r, err := http.NewRequestWithContext(context.Background(), method, s.server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if user != "" {
			r.SetBasicAuth(user, password)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s as %q: %d, want %d", path, user, answer.StatusCode, want)
		}
	}
}

// fills keeps filling the phonebooks of a site, as a hub's process does.
func (s *site) fills(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { s.hub.KeepPhonebooks(ctx) })
	work.Go(func() {
		for ctx.Err() == nil {
			if _, err := s.store.FillBooks(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-ctx.Done():
			case <-s.hub.KeptBooks():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() { cancel(); work.Wait() })
}

func TestInABrowserAPhonebookIsMadeAndACredentialRevoked(t *testing.T) {
	s := withPhonebook(t)
	s.fills(t)
	b := s.browser(t)
	b.signIn()
	b.run(chromedp.EmulateViewport(1280, 1000))
	b.open("/phonebooks-of")
	b.click("Add a phonebook")
	b.sees("Who is in it")
	b.accessible("a new phonebook")
	b.looks("phonebook-new")
	b.fill("name", "sales")
	b.fill("where", "compny")
	b.click("Add")
	b.sees("compny")
	b.fill("where", "name != ''")
	b.click("Add")
	b.sees("No device can read the phonebook yet.")
	b.accessible("a phonebook without a credential")
	b.fill("name", "reception")
	b.click("Make a credential")
	b.sees("This is shown once. Copy it now.")
	b.accessible("a credential")
	b.looks("credential")
	var secret string
	b.run(chromedp.Value("#secret", &secret, chromedp.ByQuery))
	b.sees("cn=reception,ou=sales,o=acme")
	s.served(t, "GET", "/phonebooks/acme.sales/yealink.xml", "reception", secret, http.StatusOK)
	s.served(t, "PROPFIND", "/dav/acme.sales/", "reception", secret, http.StatusMultiStatus)
	b.click("Done")
	b.sees("reception")
	b.sees("Revoke…")
	b.looks("phonebook-made")
	b.click("Revoke…")
	b.sees("Devices that use it are refused from now on")
	b.click("Revoke it")
	b.sees("The credential is revoked.")
	s.served(t, "GET", "/phonebooks/acme.sales/yealink.xml", "reception", secret, http.StatusUnauthorized)
	s.served(t, "PROPFIND", "/dav/acme.sales/", "reception", secret, http.StatusUnauthorized)
	b.click("Change")
	b.fill("title", "Our customers")
	b.click("Save")
	b.sees("The changes are saved.")
	b.click("Remove…")
	b.click("Remove it")
	b.sees("It was removed.")
	b.quiet()
	if s.hub.Books().Of("acme", "sales") != nil {
		t.Error("the phonebook is served still")
	}
}

// looks takes a picture at each width, and finds that nothing is wider than the window.
func (b *tab) looks(name string) {
	b.t.Helper()
	for _, width := range []int64{390, 1024, 1280} {
		b.run(chromedp.EmulateViewport(width, 1400))
		var over int
		b.run(chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &over))
		if over > 0 {
			b.t.Errorf("%s is %d pixels wider than a window of %d", name, over, width)
		}
		b.picture(fmt.Sprintf("%s-%d", name, width))
	}
}

func TestASecretOfAPhonebookIsShownOnce(t *testing.T) {
	s := withPhonebook(t)
	v := s.administrator(t)
	for _, kind := range []string{"password", "digest", "path"} {
		page := v.post(deskPage, deskPage+"/credentials", "name", "a-"+kind, "kind", kind)
		_, rest, found := strings.Cut(page.text, `id="secret"`)
		_, rest, _ = strings.Cut(rest, `value="`)
		secret, _, _ := strings.Cut(rest, `"`)
		if page.StatusCode != http.StatusOK || !found || len(secret) < 20 {
			t.Fatalf("%s: %d %s", kind, page.StatusCode, page.text)
		}
		if sealed := strings.Contains(page.text, "keeps it sealed"); sealed != (kind == "digest") {
			t.Errorf("%s: that it is kept sealed is said: %v", kind, sealed)
		}
		if kind == "path" {
			secret = strings.Split(secret, "/")[5]
		}
		if again := v.must(deskPage).text; strings.Contains(again, secret) || !strings.Contains(again, "a-"+kind) {
			t.Errorf("%s: the page shows the secret again, or not the name", kind)
		}
	}
	if page := v.post(deskPage, deskPage+"/credentials", "name", "a-path", "kind", "path"); page.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page.text, "already") {
		t.Errorf("the same name again: %d", page.StatusCode)
	}
	for _, path := range []string{"/edit", "/credentials/unknown/revoke"} {
		if page := v.get(deskPage + path); page.StatusCode != http.StatusConflict && page.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, page.StatusCode)
		}
	}
	reader := s.user(t, v, "rita", registry.RoleReader, "acme")
	if page := reader.must(deskPage).text; strings.Contains(page, "Revoke…") || strings.Contains(page, "Make a credential") {
		t.Error("a reader is offered what they may not do")
	}
	if page := reader.post(deskPage, deskPage+"/credentials", "name", "mine", "kind", "password"); page.StatusCode != http.StatusForbidden {
		t.Errorf("a reader makes a credential: %d", page.StatusCode)
	}
	if page := reader.post(deskPage, deskPage+"/credentials/a-path/revoke"); page.StatusCode != http.StatusForbidden {
		t.Errorf("a reader revokes a credential: %d", page.StatusCode)
	}
}

// TestAFormKeepsWhatItDoesNotAskFor: an integration that is not ticked any more, because it was not shown, would let devices read all contacts.
func TestAFormKeepsWhatItDoesNotAskFor(t *testing.T) {
	s := withPhonebook(t)
	v := s.administrator(t)
	ctx := context.Background()
	put := func(integrations ...string) {
		t.Helper()
		if _, err := s.hub.PutPhonebook(ctx, registry.Phonebook{Account: "acme", Name: "lobby", Settings: registry.PhonebookSettings{
			Integrations: integrations, HTTP: &registry.PhonebookHTTP{Title: "Lobby"}, CardDAV: &registry.PhonebookDAV{Title: "Mobiles"},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	ticked := func(name string) bool {
		t.Helper()
		page := v.must("/phonebooks-of/acme/lobby/edit").text
		return regexp.MustCompile(`<input[^>]*name="integration"[^>]*value="` + name + `"[^>]*checked`).MatchString(page)
	}
	put("crm")
	if !ticked("crm") {
		t.Error("the account's only integration is not shown as chosen")
	}
	const last = "zz-130"
	for i := range 131 {
		i := registry.Integration{Key: directory.Key{Account: "acme", Integration: fmt.Sprintf("zz-%03d", i)}, Bridge: s.bridge.url()}
		if err := s.hub.AddIntegration(ctx, i, nil); err != nil {
			t.Fatal(err)
		}
	}
	put(last)
	if !ticked(last) {
		t.Errorf("%s is not shown as chosen", last)
	}
	settings := func() registry.PhonebookSettings {
		t.Helper()
		p, err := s.hub.PhonebookOf(ctx, "acme", "lobby")
		if err != nil {
			t.Fatal(err)
		}
		return *p.Settings
	}
	for _, step := range []struct{ title, http, carddav string }{{"Lobby", "Lobby", "Mobiles"}, {"Foyer", "Foyer", "Foyer"}} {
		v.post("/phonebooks-of/acme/lobby/edit", "/phonebooks-of/acme/lobby/edit",
			"title", step.title, "integration", last, "numbers.format", "e164", "http.first", "name", "way", "http", "way", "carddav")
		if have := settings(); have.HTTP.Title != step.http || have.CardDAV.Title != step.carddav || !slices.Equal(have.Integrations, []string{last}) {
			t.Errorf("with the title %q saved: %q, %q, %q", step.title, have.HTTP.Title, have.CardDAV.Title, have.Integrations)
		}
	}
}
