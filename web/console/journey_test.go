package console_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console"
)

func TestInABrowserFromTheFirstVisitToTheFirstCaller(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	b.open("/")
	b.sees("Welcome")
	b.accessible("first visit")
	b.picture("first-visit")
	b.signIn()
	b.sees("Connect your first external service")
	b.accessible("empty overview")
	b.picture("empty")

	b.click("Add an integration")
	b.click("A bridge of your own")
	b.fill("account", "acme")
	b.fill("region", "GB")
	b.fill("time_zone", "Europe/London")
	b.fill("bridge", s.bridge.url())
	b.fill("auth-0-value", "agent")
	b.fill("auth-1-value", "wrong")
	b.picture("add")
	b.click("Test the connection")
	b.sees("the credentials are wrong") // the word alone is on the page before the answer
	b.fill("auth-1-value", "s3cret")
	b.click("Test the connection")
	b.sees("The connection works")
	b.accessible("a tested connection")

	held := s.bridge.hold()
	b.click("Save and start")
	b.sees("The integration was added")
	held <- struct{}{}
	held <- struct{}{}
	b.sees("run under way") // without a click: events tell
	b.sees("40")
	b.accessible("a run under way")
	b.picture("run")
	s.bridge.release()
	b.sees("Up to date")
	b.sees("Complete")

	b.fill("number", "(44) 20 7946-0958")
	b.sees("the same number")
	b.accessible("who is calling")
	b.picture("calling")
	b.click("Jane Doe")
	b.sees("Enterprise")
	b.quiet()
}

func TestInABrowserContactsAreFoundWhileOneTypes(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	other := newBridge(t, 20, contact.Contact{
		ID: "T-99", Name: "Jane Doe (Example)", Phones: []string{"+44 20 7946 0958"}, Emails: []string{"jane@example.com", "jd@mail.example"},
		URL: "https://desk.example.com/users/99", CustomFields: []contact.CustomField{{Key: "Open tickets", Value: "3"}},
	})
	s.connect(t, directory.Key{Account: "acme", Integration: "helpdesk"}, other)
	v := s.administrator(t)
	b := s.browser(t)
	b.borrow(v)
	b.open("/contacts")
	b.fill("q", "jan do")
	b.sees("Jane Doe")
	b.accessible("contacts")
	b.picture("contacts")
	b.click("Jane Doe")
	b.sees("2 records")
	b.sees("Open in helpdesk")
	b.accessible("a person")
	b.picture("person")

	b.click("Purge…")
	b.sees("Ticked now: 1 record") // the other has another name
	b.accessible("purge")
	b.picture("purge")
	b.run(chromedp.Click(`input[value="helpdesk/T-99"]`, chromedp.ByQuery))
	b.click("Purge what is ticked")
	b.sees("The records were purged.")
	b.fill("q", "jane doe")
	b.sees("No contact was found.")
	b.quiet()
}

func TestInABrowserABrokenIntegrationIsRepaired(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	s.bridge.setPassword("changed")
	v := s.administrator(t)
	b := s.browser(t)
	b.borrow(v)
	b.open(console.IntegrationPage(key))
	b.click("Run now")
	b.sees("Broken")
	b.open("/")
	b.sees("Needs attention")
	b.accessible("overview with a broken integration")
	b.click("crm")
	b.sees("Correct the credentials…")
	b.accessible("a broken integration")
	b.picture("broken")
	b.click("Correct the credentials…")
	b.fill("auth-1-value", "changed")
	b.click("Save")
	b.sees("The changes are saved.")
	b.sees("Up to date")
	b.quiet()
}

// guard makes a full run that shows some contacts only, so that the guard stops its deletions.
func (s *site) guard(t testing.TB, key directory.Key, b *fakeBridge, left ...contact.Contact) {
	t.Helper()
	b.forget(left...)
	if err := s.hub.Ask(context.Background(), key, registry.Ask{Run: true, Full: true}); err != nil {
		t.Fatal(err)
	}
	s.waitFor(t, key, registry.HealthGuarded)
}

func TestInABrowserGuardedDeletionsSayHowMany(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	s.guard(t, key, s.bridge, customers(56)...)
	v := s.administrator(t)
	b := s.browser(t)
	b.borrow(v)
	b.open("/")
	b.sees("Waiting for a decision")
	b.click("crm")
	b.sees("the run did not show 40 of the 96 contacts")
	b.accessible("guarded deletions")
	b.picture("guarded")
	b.click("Look at the deletions…")
	b.sees("40 contacts are deleted from the hub, of 96")
	b.sees("A complete run did not show it")
	b.accessible("accept deletions")
	b.picture("accept")
	b.click("Delete 40 contacts")
	b.sees("The deletions are accepted")
	b.sees("Up to date")
	b.sees("56")
	b.quiet()
}

func TestInABrowserEveryRoleSeesWhatItMay(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	admin := s.administrator(t)
	for _, c := range []struct {
		role    registry.Role
		sees    []string
		without []string
	}{
		{registry.RoleReader, []string{"Settings", "Contacts"}, []string{"Run now", "Change…", "Users", "API tokens", "Audit log", "Add an integration"}},
		{registry.RoleOperator, []string{"Run now", "Change…"}, []string{"Users", "API tokens", "Audit log"}},
		{registry.RoleAdmin, []string{"Run now", "Change…", "Users", "API tokens", "Audit log"}, nil},
	} {
		v := s.user(t, admin, "some-"+string(c.role), c.role)
		b := s.browser(t)
		b.borrow(v)
		b.open(console.IntegrationPage(key))
		b.sees("Up to date")
		text := b.text()
		for _, words := range c.sees {
			if !strings.Contains(text, words) {
				t.Errorf("%s does not see %q", c.role, words)
			}
		}
		for _, words := range c.without {
			if strings.Contains(text, words) {
				t.Errorf("%s sees %q", c.role, words)
			}
		}
		b.quiet()
	}
}

func TestInABrowserOnATelephoneNothingIsWiderThanTheScreen(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	v := s.administrator(t)
	b := s.browser(t)
	b.phone()
	b.borrow(v)
	for _, path := range everyPage(key) {
		b.open(path)
		var over int
		b.run(chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &over))
		if over > 0 {
			t.Errorf("%s is %d pixels too wide", path, over)
		}
	}
	b.open("/")
	b.picture("phone")
	b.click("Menu")
	b.sees("Close the menu")
	b.picture("phone-menu")
	b.click("Contacts")
	b.fill("q", "jane")
	b.sees("Jane Doe")
	b.accessible("a telephone")
	b.quiet()
}

func TestInABrowserTheKeyboardIsEnough(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	v := s.administrator(t)
	b := s.browser(t)
	b.borrow(v)
	b.open("/")
	b.run(chromedp.KeyEvent(kb.Tab))
	if focus := b.focus(); !strings.Contains(focus, "Skip to the content") {
		t.Error("the first stop is", focus)
	}
	b.run(chromedp.KeyEvent(kb.Enter))
	if focus := b.focus(); !strings.HasPrefix(focus, "MAIN") {
		t.Error("skipping leads to", focus)
	}
	b.tabTo("crm")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.sees("Runs")
	b.tabTo("Run now")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.sees("A run was asked for.")
	b.run(chromedp.KeyEvent("/"))
	if focus := b.focus(); !strings.Contains(focus, "caller-number") {
		t.Error("the slash leads to", focus)
	}
	b.run(chromedp.KeyEvent("02079460958"))
	b.sees("the same number")
	b.tabTo("Jane Doe")
	b.run(chromedp.KeyEvent(kb.Escape))
	if focus := b.focus(); !strings.Contains(focus, "caller-number") {
		t.Error("Escape leads to", focus)
	}
	b.run(chromedp.KeyEvent(kb.Enter))
	b.sees("Who is calling?")
	b.quiet()
}

// focus describes the focused element: its tag, id and words, and whether that can be seen.
func (b *tab) focus() (what string) {
	b.t.Helper()
	b.run(chromedp.Evaluate(`(() => {
		const e = document.activeElement, s = getComputedStyle(e);
		const seen = e.tagName === "MAIN" || e.tagName === "BODY" || s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2;
		return e.tagName + " " + e.id + " " + e.innerText + (seen ? "" : " UNSEEN");
	})()`, &what))
	return what
}

// tabTo goes on by the Tab key until what has these words has the focus.
func (b *tab) tabTo(words string) {
	b.t.Helper()
	for range 60 {
		b.run(chromedp.KeyEvent(kb.Tab))
		focus := b.focus()
		if strings.Contains(focus, "UNSEEN") {
			b.t.Error("the focus cannot be seen on", focus)
		}
		if strings.Contains(focus, words) {
			return
		}
	}
	b.t.Fatal("the Tab key does not lead to", words)
}

func TestInABrowserWithoutJavaScriptEverythingWorks(t *testing.T) {
	s := newSite(t)
	b := s.browser(t, emulation.SetScriptExecutionDisabled(true))
	b.open("/")
	b.plainly("Welcome")
	b.types("name", "ada")
	b.types("new-password", password)
	b.types("again", password)
	b.click("Make the administrator")
	b.plainly("Connect your first external service")
	b.click("Add an integration")
	b.click("A bridge of your own")
	b.types("account", "acme")
	b.types("bridge", s.bridge.url())
	b.types("auth-0-value", "agent")
	b.click("Add a field")
	b.plainly("Field 3")
	b.types("auth-1-value", "s3cret")
	b.click("Save and start")
	b.plainly("The integration was added")
	key := directory.Key{Account: "acme", Integration: "crm"}
	s.waitFor(t, key, registry.HealthOK)
	b.click("Test the connection")
	b.plainly("The connection works")
	b.types("number", "+44 20 7946 0958")
	b.click("Look up")
	b.plainly("Jane Doe")
	b.click("Contacts")
	b.types("q", "jane")
	b.click("Search")
	b.click("Jane Doe")
	b.plainly("Enterprise")
	b.click("Integrations")
	b.click("crm")
	b.click("Pause")
	b.plainly("The integration is paused.")
}

// plainly waits until the page holds words, without a script.
func (b *tab) plainly(words string) {
	b.t.Helper()
	b.run(chromedp.WaitVisible(fmt.Sprintf(`//body//*[contains(normalize-space(.), %q)]`, words), chromedp.BySearch))
}

// types is fill without a script.
func (b *tab) types(name, text string) {
	b.t.Helper()
	b.run(chromedp.SendKeys(fmt.Sprintf(`input[name=%q]`, name), text, chromedp.ByQuery))
}

func TestInABrowserNoPageKeepsAnybodyOut(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	s.history(t, key)
	v := s.administrator(t)
	s.user(t, v, "grace@example.com", registry.RoleOperator)
	v.post("/tokens", "/tokens", "name", "pbx", "account", "acme", "scope", "callers:read", "days", "365")
	v.post("/webhooks", "/webhooks", "url", "https://example.com/hooks/contactbridge", "account", "acme", "kind", "run.failed")
	b := s.browser(t)
	b.borrow(v)
	for _, path := range everyPage(key) {
		b.dark(false)
		b.open(path)
		b.accessible(path)
		b.dark(true)
		b.contrasts(path + ", dark")
	}
	b.dark(false)
	for path, name := range map[string]string{
		"/tokens": "tokens", "/users": "users", "/audit": "audit", "/settings": "settings", console.IntegrationPage(key): "integration",
	} {
		b.open(path)
		b.picture(name)
	}
	b.quiet()
}

// history makes what charts show: ninety days of contacts, and some runs.
func (s *site) history(t testing.TB, key directory.Key) {
	t.Helper()
	ctx, today := context.Background(), time.Now().UTC().Truncate(24*time.Hour)
	for day := range 90 {
		n := int64(41_000 + 180*day + 900*(day/30) + day*day%37*20)
		err := s.hub.Registry.PutSamples(ctx, registry.Sample{Day: today.AddDate(0, 0, day-90), Account: key.Account, Contacts: n})
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range 6 {
		before, err := s.hub.Runs(ctx, key, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		s.bridge.contacts().Put(customers(5 + 6*(n%3))...)
		if err := s.hub.Ask(ctx, key, registry.Ask{Run: true, Full: n == 2}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "another run", func() bool {
			runs, err := s.hub.Runs(ctx, key, 0, 1)
			return err == nil && runs[0].ID > before[0].ID && runs[0].State == directory.Done
		})
	}
	s.waitFor(t, key, registry.HealthOK)
}

func TestInABrowserTheOverviewBeginsWithWhatIsBroken(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	s.history(t, key)
	for name, n := range map[string]int{"helpdesk": 60, "webshop": 80, "erp": 30, "newsletter": 45} {
		s.connect(t, directory.Key{Account: "acme", Integration: name}, newBridge(t, 50, customers(n)...))
	}
	mailing := newBridge(t, 50, customers(70)...)
	s.connect(t, directory.Key{Account: "acme", Integration: "events"}, mailing)
	s.guard(t, directory.Key{Account: "acme", Integration: "events"}, mailing, customers(40)...)
	s.bridge.setPassword("changed")
	if err := s.hub.Ask(context.Background(), key, registry.Ask{Run: true}); err != nil {
		t.Fatal(err)
	}
	s.waitFor(t, key, registry.HealthBroken)
	v := s.administrator(t)
	b := s.browser(t)
	b.borrow(v)
	b.open("/")
	b.sees("Needs attention")
	text := b.text()
	order := []int{strings.Index(text, "crm"), strings.Index(text, "events"), strings.Index(text, "Freshness"), strings.Index(text, "webshop")}
	for n := 1; n < len(order); n++ {
		if order[n] < order[n-1] || order[0] < 0 {
			t.Error("what is broken does not come first:", order)
		}
	}
	b.picture("overview")
	b.dark(true)
	b.picture("overview-dark")
	b.dark(false)
	s.bridge.setPassword("s3cret")
	if err := s.hub.Ask(context.Background(), key, registry.Ask{Run: true}); err != nil {
		t.Fatal(err)
	}
	// The page follows by itself.
	b.until("the mended integration", `[...document.querySelectorAll("#overview tbody tr")].some(r => r.innerText.includes("crm") && r.innerText.includes("Up to date"))`)
	b.run(chromedp.Evaluate(`window.scrollTo(0, document.body.scrollHeight)`, nil))
	b.picture("overview-chart")
	b.quiet()
}

// What a run says may be long: at no width does the table of runs leave its page, nor is any of it cut off.
func TestInABrowserTheTableOfRunsFitsItsPage(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	s.guard(t, key, s.bridge, customers(56)...)
	v := s.administrator(t)
	b := s.browser(t)
	b.borrow(v)
	for _, width := range []int64{320, 390, 600, 767, 769, 833, 834, 900, 1024, 1056, 1058, 1100, 1280, 1429, 1430, 1600} {
		b.run(chromedp.EmulateViewport(width, 900))
		b.open(console.IntegrationPage(key))
		b.sees("Runs")
		// Fonts of other machines are wider than this one's.
		b.run(chromedp.Evaluate(`document.querySelector("[aria-labelledby=runs] table").style.letterSpacing = "0.05em"`, nil))
		var wide []string
		b.run(chromedp.Evaluate(`(() => {
			const wide = [], table = document.querySelector("[aria-labelledby=runs] table"), main = document.querySelector("main")
			if (document.documentElement.scrollWidth > document.documentElement.clientWidth) wide.push("the page, by " + (document.documentElement.scrollWidth - document.documentElement.clientWidth))
			const edge = Math.min(main.getBoundingClientRect().right - parseFloat(getComputedStyle(main).paddingRight), table.getBoundingClientRect().right)
			for (const e of [table, ...table.querySelectorAll("tbody *")]) {
				const box = e.getBoundingClientRect()
				if (box.right > edge + 1 || e.matches("td, th, span, bdi") && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline" && !e.matches(".visually-hidden"))
					wide.push(e.tagName + " " + e.className + " " + e.textContent.trim().slice(0, 40))
			}
			return wide
		})()`, &wide))
		if len(wide) > 0 {
			t.Errorf("at %d pixels: %q", width, wide[:min(len(wide), 4)])
		}
		b.picture(fmt.Sprint("runs-", width))
	}
}
