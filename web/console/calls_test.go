package console_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// called lets a site with two integrations be asked about calls of all kinds, and returns when they are kept.
func called(t testing.TB, s *site) {
	t.Helper()
	ctx := context.Background()
	s.furnish(t)
	callers := registry.Callers{Ranges: []string{"+44161496xxxx: Manchester Works Ltd"}, Unmasked: true}
	if err := s.hub.PutAccount(ctx, registry.Account{Name: "acme", Region: "GB", TimeZone: "Europe/London", Callers: callers}); err != nil {
		t.Fatal(err)
	}
	help := newBridge(t, 20, jane, contact.Contact{ID: "h-1", Name: "Joan Roe", Company: "Other Ltd", Phones: []string{"020 7946 0700"}},
		contact.Contact{ID: "h-2", Name: "Jim Poe", Company: "Third Ltd", Phones: []string{"020 7946 0700"}}, contact.Contact{ID: "h-3", Name: "Bia Souza", Phones: []string{"+55 11 9876-5432"}})
	s.connect(t, directory.Key{Account: "acme", Integration: "helpdesk"}, help)
	if err := s.hub.PutAccount(ctx, registry.Account{Name: "other", Region: "GB"}); err != nil {
		t.Fatal(err)
	}
	s.connect(t, directory.Key{Account: "other", Integration: "crm"}, newBridge(t, 20, contact.Contact{ID: "o", Name: "Only There", Phones: []string{"+44 20 7946 0801"}}))
	time.Sleep(6 * time.Second) // what the hub knows of an account is kept for some seconds
	keep, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { s.hub.KeepCalls(keep); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	asked := []string{"020 7946 0958", "+442079460700", "+5511998765432", "+441614960123", "anonymous", "0000000000", "+442079469999", "555-0100"}
	for _, number := range asked {
		if _, err := s.hub.Call(ctx, "acme", number, "", caller.LookupOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the calls to be kept", func() bool {
		calls, err := s.hub.Calls(ctx, "acme", 0, 100)
		return err == nil && len(calls) == len(asked)
	})
	// The days before.
	var days []registry.Recognition
	for n := 1; n <= 20; n++ {
		days = append(days, registry.Recognition{Account: "acme", Day: s.clock.now().AddDate(0, 0, -n), Asked: 200, Named: int64(190 - 4*n), Ambiguous: 5, Unknown: int64(4 * n)})
	}
	if err := s.hub.Registry.AddRecognition(ctx, days); err != nil {
		t.Fatal(err)
	}
}

// TestInABrowserWhyACallIsNamed looks at the explanation, the last calls and the chart, on a phone, a tablet and a desk.
func TestInABrowserWhyACallIsNamed(t *testing.T) {
	s := newSite(t)
	called(t, s)
	b := s.browser(t)
	b.signIn()
	for _, width := range []int64{390, 1024, 1280} {
		b.run(chromedp.EmulateViewport(width, 1100))
		for _, page := range []struct{ name, path, sees string }{
			{"overview", "/?account=acme", "Calls that were named"},
			{"ambiguous", "/calling?account=acme&number=%2B442079460700", "nothing decides between those that agree as well"},
			{"elsewhere", "/calling?account=acme&number=%2B442079460801", "Another account knows this number: other."},
		} {
			b.open(page.path)
			b.sees(page.sees)
			if width == 390 { // the words are the same at every width
				b.accessible(page.name)
			}
			var over int
			b.run(chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &over))
			if over > 0 {
				b.t.Errorf("%s is %d pixels wider than a window of %d", page.name, over, width)
			}
			b.picture(fmt.Sprintf("explain-%s-%d", page.name, width))
		}
		b.open("/calling?account=acme")
		b.click("+5511998765432")
		b.sees("BR, 2012-07-29/2016-11-06")
		b.picture(fmt.Sprintf("explain-calls-%d", width))
	}
	b.quiet()
}

// TestLastCallsAreShownToWhoMaySeeTheAccount: with what was kept of them, and nothing of other accounts.
func TestLastCallsAreShownToWhoMaySeeTheAccount(t *testing.T) {
	s := newSite(t)
	called(t, s)
	v := s.administrator(t)
	page := v.must("/calling?account=acme").text
	for _, want := range []string{"Last calls", "Jane Doe", "ambiguous", "renumbered", "range", "withheld", "dummy", "unknown"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if page := v.must("/calling?account=other").text; !strings.Contains(page, "No calls are kept yet") || strings.Contains(page, "Jane Doe") {
		t.Errorf("another account's page shows: %s", page)
	}
	if page := v.must("/calling?account=other&number=%2B442079460958").text; !strings.Contains(page, "Another account knows this number: acme.") || strings.Contains(page, "Jane") {
		t.Errorf("the whole hub's administrator sees: %s", page)
	}
	mine := s.user(t, v, "zed", registry.RoleAdmin, "other")
	if page := mine.must("/calling?account=other&number=%2B442079460958").text; strings.Contains(page, "acme") || strings.Contains(page, "Another account") {
		t.Errorf("an administrator of one account sees: %s", page)
	}
}
