package console_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console"
)

// eventful makes a run with something to say, and returns the path of its page.
func (s *site) eventful(t testing.TB) string {
	t.Helper()
	key := directory.Key{Account: "acme", Integration: "eventful"}
	var asked atomic.Int64
	good := newBridge(t, 10, customers(35)...)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 2 {
			http.Error(w, `{"error":{"code":"unavailable","message":"the database <b>is</b> away"}}`, http.StatusServiceUnavailable)
			return
		}
		good.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	ctx := context.Background()
	if err := s.hub.AddIntegration(ctx, registry.Integration{Key: key, Bridge: front.URL + "/crm/contact_sync"}, map[string]string{"username": "agent", "password": "s3cret"}); err != nil {
		t.Fatal(err)
	}
	s.waitFor(t, key, registry.HealthOK)
	runs, err := s.hub.Runs(ctx, key, 0, 1)
	if err != nil || len(runs) != 1 {
		t.Fatal(runs, err)
	}
	log, err := s.hub.Registry.RunLog(ctx, key, runs[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 60 { // as a run of two minutes would have them
		at := runs[0].Started.Add(time.Duration(2*n) * time.Second)
		log.Points = append(log.Points, registry.RunPoint{Time: at, Pages: int64(n), Contacts: int64(n*n*3 + 40*n)})
	}
	if err := s.hub.Registry.PutRunLog(ctx, key, runs[0].ID, log); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s/runs/%d", console.IntegrationPage(key), runs[0].ID)
}

// delivered makes a webhook with deliveries of all kinds, and returns the path of its page.
func (s *site) delivered(t testing.TB) string {
	t.Helper()
	ctx := context.Background()
	var asked atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1)%2 == 0 {
			http.Error(w, "<b>closed</b> for lunch", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "thank you")
	}))
	t.Cleanup(receiver.Close)
	w, _, err := s.hub.AddWebhook(ctx, registry.Webhook{URL: receiver.URL + "/hooks/contacts", Account: "acme", Kinds: []string{"contact.purged"}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.hub.TestWebhook(ctx, w.ID); err != nil {
			t.Fatal(err)
		}
	}
	return "/webhooks/" + w.ID
}

func TestAPageShowsOneRun(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	path := s.eventful(t)
	admins := s.administrator(t)
	reader := s.user(t, admins, "rea", registry.RoleReader, "acme")
	page := reader.must(path).text
	for _, want := range []string{"Try 1 of 4 to read a page failed", "The run is complete: 35 contacts on 4 pages", "Contacts a second", "the database &lt;b&gt;is&lt;/b&gt; away"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "sse-connect") {
		t.Error("a run that is over is watched")
	}
	if quiet := reader.must(console.IntegrationPage(key) + "/runs/1").text; !strings.Contains(quiet, "A run over every contact began.") {
		t.Error("a quiet run says nothing")
	}
	if list := reader.must(console.IntegrationPage(key)).text; !strings.Contains(list, `href="`+console.IntegrationPage(key)+`/runs/1"`) {
		t.Error("the integration's page does not lead to its runs")
	}
	for _, none := range []string{"/runs/4711", "/runs/0", "/runs/x", "/runs/-1"} {
		if a := reader.get(console.IntegrationPage(key) + none); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", none, a.StatusCode)
		}
	}
}

func TestInABrowserARunIsWatchedUntilItEnds(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	v := s.administrator(t)
	pages := make(chan struct{})
	good := newBridge(t, 10, customers(45)...)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-pages:
		case <-r.Context().Done():
			return
		}
		good.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	key := directory.Key{Account: "acme", Integration: "slow"}
	if err := s.hub.AddIntegration(context.Background(), registry.Integration{Key: key, Bridge: front.URL + "/crm/contact_sync", Limits: registry.Limits{Timeout: time.Minute}},
		map[string]string{"username": "agent", "password": "s3cret"}); err != nil {
		t.Fatal(err)
	}
	pages <- struct{}{}
	pages <- struct{}{}
	b := s.browser(t)
	b.borrow(v)
	b.open(console.IntegrationPage(key))
	b.click("Look at this run")
	b.sees("Full run")
	b.until("a page of it", `document.querySelector("#run .tiles dd").innerText >= "1"`)
	b.run(chromedp.Evaluate(`window.stays = true`, nil))
	close(pages)
	b.sees("The run is complete: 45 contacts on 5 pages")
	b.until("the same page", `window.stays === true`)
	b.accessible("a run that has ended")
	b.quiet()
}

func TestAPageShowsWhatAWebhookWasSent(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	path := s.delivered(t)
	v := s.administrator(t)
	page := v.must(path).text
	for _, want := range []string{"webhook.test", "Delivered", "Failed", "It answered 503", "&lt;b&gt;closed&lt;/b&gt; for lunch", "thank you", "Send a test", "Send again"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if a := v.post(path, path+"/test"); a.StatusCode != http.StatusOK || !strings.Contains(a.text, "The test was not taken: it answered 503") {
		t.Errorf("%d: %s", a.StatusCode, a.text)
	}
	if a := v.post(path, path+"/test"); a.StatusCode != http.StatusOK || !strings.Contains(a.text, "The test was taken") {
		t.Errorf("%d: %s", a.StatusCode, a.text)
	}
	id := strings.TrimPrefix(path, "/webhooks/")
	list, err := s.hub.Deliveries(context.Background(), id, 0, 100)
	if err != nil || len(list) != 5 {
		t.Fatal(list, err)
	}
	if a := v.post(path, fmt.Sprintf("%s/deliveries/%d/retry", path, list[4].ID)); a.to() != path+"?done=retry" {
		t.Errorf("%d %s", a.StatusCode, a.to())
	}
	eventually(t, "it is sent again", func() bool {
		d, err := s.hub.Registry.SentDelivery(context.Background(), list[4].ID)
		return err == nil && d.Attempts == 1 && d.Tried.After(list[4].Tried)
	})
	if disabled, err := s.hub.Registry.DisableWebhook(context.Background(), id); err != nil || !disabled {
		t.Fatal(disabled, err)
	}
	if page := v.must(path).text; !strings.Contains(page, "It took nothing for a day") || strings.Contains(page, "Send again") {
		t.Error("nothing says that it is disabled")
	}
	if a := v.post(path, path+"/enable"); a.to() != path+"?done=enabled" {
		t.Errorf("%d %s", a.StatusCode, a.to())
	}
}

func TestTheAuditLogTellsWhoSignedIn(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	v := s.administrator(t)
	s.user(t, v, "grace", registry.RoleOperator)
	for _, name := range []string{"grace", "my-secret-passphrase"} {
		s.visitor(t).post("/sign-in", "/sign-in", "name", name, "password", "wrong-password")
	}
	page := v.must("/audit?action=session.").text
	for _, want := range []string{"by first visit, from 127.0.0.1/32", "by password, from 127.0.0.1/32", "wrong password, from 127.0.0.1/32", "unknown name, from 127.0.0.1/32"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "my-secret-passphrase") || strings.Contains(page, "user.add") {
		t.Error("the page shows what it must not, or what is not of sessions")
	}
	only := v.must("/audit?actor=user+grace").text
	if !strings.Contains(only, "session.start") || strings.Contains(only, ">user ada<") {
		t.Error("the filter by a name shows others, too")
	}
	if a := v.get("/audit?since=yesterday"); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, "This is not a day") {
		t.Errorf("%d", a.StatusCode)
	}
	a := v.post("/audit", "/audit.csv?action=session.&actor=user+grace")
	rows, err := csv.NewReader(strings.NewReader(a.text)).ReadAll()
	if err != nil || len(rows) < 2 || a.Header.Get("Content-Disposition") != `attachment; filename="audit.csv"` {
		t.Fatalf("%v, %d rows, %v", err, len(rows), a.Header)
	}
	for _, row := range rows[1:] {
		if row[2] != "user grace" || !strings.HasPrefix(row[3], "session.") {
			t.Errorf("the file holds %v", row)
		}
	}
}

// Those who guess for long do not fill the audit log, which is kept for a year.
func TestRefusedSignInsDoNotFillTheAuditLog(t *testing.T) {
	s := newSite(t)
	s.administrator(t)
	for n := range 300 {
		v := s.visitor(t)
		v.post("/sign-in", "/sign-in", "name", fmt.Sprintf("user%d", n), "password", "wrong-password")
	}
	entries, err := s.hub.Registry.Audit(context.Background(), registry.Filter{Action: "session.refuse", Limit: 1000})
	if err != nil || len(entries) == 0 || len(entries) > 110 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

// The pages of a run, of a webhook and of the audit log fit every window, and keep nobody out.
func TestInABrowserWhatIsWatchedFitsEveryWindow(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	run, webhook := s.eventful(t), s.delivered(t)
	v := s.administrator(t)
	b := s.browser(t)
	b.borrow(v)
	for path, name := range map[string]string{run: "one-run", webhook: "webhook", "/audit?action=session.&since=2026-01-01": "audit-filtered"} {
		b.open(path)
		for _, width := range []int64{390, 1024, 1280} {
			b.run(chromedp.EmulateViewport(width, 860))
			var over int
			b.run(chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &over))
			if over > 0 {
				t.Errorf("%s is %d px wider than a window of %d", path, over, width)
			}
			if width == 390 {
				b.picture(name + "-390")
			}
		}
		b.picture(name)
		b.accessible(path)
		b.dark(true)
		b.contrasts(path + ", dark")
		b.dark(false)
	}
	b.quiet()
}
