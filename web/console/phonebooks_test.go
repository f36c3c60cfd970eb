package console_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

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
