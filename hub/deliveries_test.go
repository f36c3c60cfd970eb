package hub_test

import (
	"encoding/csv"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/outbound"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A receiver of a webhook answers as a test wants.
func receiver(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, body string)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		answer(w, r, string(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestATestIsSignedLikeAnEvent(t *testing.T) {
	t.Parallel()
	f := newHub(t)
	var secret string
	var right atomic.Bool
	url := receiver(t, func(w http.ResponseWriter, r *http.Request, body string) {
		at, mac, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Contactbridge-Signature"), "t="), ",v1=")
		right.Store(mac == hub.Sign([]byte(secret), at, []byte(body)) && r.Header.Get("Contactbridge-Event") == hub.TestEvent && strings.Contains(body, `"test":true`))
		_, _ = io.WriteString(w, "thank\x1b[31m\r\n you\u202e"+strings.Repeat("é", 1000))
	})
	w, secret0, err := f.AddWebhook(t.Context(), registry.Webhook{Account: "acme", URL: url, Kinds: []string{"run.failed"}})
	must(t, err)
	secret = secret0
	d, err := f.TestWebhook(t.Context(), w.ID)
	if err != nil || !right.Load() || d.Problem != "" || d.Status != 200 || d.Ended.IsZero() || d.Attempts != 1 {
		t.Errorf("%+v, %v, signed right: %v", d, err, right.Load())
	}
	if !strings.HasPrefix(d.Answer, "thank[31m   youé") || len(d.Answer) > 500 {
		t.Errorf("%d bytes of the answer are kept: %q", len(d.Answer), d.Answer)
	}
	list, err := f.Deliveries(t.Context(), w.ID, 0, 10)
	if err != nil || len(list) != 1 || list[0].ID != d.ID || list[0].Event.Kind != hub.TestEvent {
		t.Errorf("%+v, %v", list, err)
	}
	entries, err := f.Audit(t.Context(), registry.Filter{Action: "webhook.test"})
	if err != nil || len(entries) != 1 {
		t.Errorf("%+v, %v", entries, err)
	}
}

// A test goes through the same guard as events, whoever asks for it, and shows nothing of what it is kept from.
func TestATestIsGuarded(t *testing.T) {
	t.Parallel()
	f := newHub(t)
	var reached atomic.Bool
	url := receiver(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		reached.Store(true)
		_, _ = io.WriteString(w, "an inner secret")
	})
	f.Outbound = outbound.New(outbound.Policy{})
	w, _, err := f.AddWebhook(t.Context(), registry.Webhook{Account: "acme", URL: url})
	must(t, err)
	d, err := f.TestWebhook(t.Context(), w.ID)
	if err != nil || reached.Load() || d.Problem == "" || d.Answer != "" || d.Status != 0 {
		t.Errorf("%+v, %v, reached %v", d, err, reached.Load())
	}
}

// Redirects are not followed: not even to an address that may be asked.
func TestATestFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	f := newHub(t)
	var reached atomic.Bool
	to := receiver(t, func(http.ResponseWriter, *http.Request, string) { reached.Store(true) })
	url := receiver(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	})
	w, _, err := f.AddWebhook(t.Context(), registry.Webhook{Account: "acme", URL: url})
	must(t, err)
	d, err := f.TestWebhook(t.Context(), w.ID)
	if err != nil || reached.Load() || d.Status != 307 || d.Problem == "" {
		t.Errorf("%+v, %v, reached %v", d, err, reached.Load())
	}
}

func TestAnEventIsSentAgainWhenAUserAsksForThat(t *testing.T) {
	t.Parallel()
	f, c := newHub(t), newCRM(t, 1)
	var down atomic.Bool
	down.Store(true)
	bodies := make(chan string, 9)
	url := receiver(t, func(w http.ResponseWriter, _ *http.Request, body string) {
		if down.Load() {
			http.Error(w, "closed for lunch", http.StatusServiceUnavailable)
			return
		}
		bodies <- body
	})
	w, _, err := f.AddWebhook(t.Context(), registry.Webhook{Account: "acme", URL: url, Kinds: []string{"run.finished"}})
	must(t, err)
	f.add(t, c)
	work(t, f.Hub)
	sent := func() registry.SentDelivery {
		list, err := f.Deliveries(t.Context(), w.ID, 0, 10)
		must(t, err)
		if len(list) == 0 {
			return registry.SentDelivery{}
		}
		return list[0]
	}
	eventually(t, "it was tried", func() bool { return sent().Attempts == 1 })
	if d := sent(); d.Status != 503 || d.Answer != "closed for lunch" || d.Next.Sub(f.clock.Now()) != 10*time.Second || !d.Ended.IsZero() {
		t.Errorf("%+v", d)
	}
	down.Store(false)
	must(t, f.Redeliver(t.Context(), w.ID, sent().ID)) // the clock stands still: by itself it would not come
	first := <-bodies
	eventually(t, "it is over", func() bool { return !sent().Ended.IsZero() })
	if d := sent(); d.Problem != "" || d.Status != 200 {
		t.Errorf("%+v", d)
	}
	must(t, f.Redeliver(t.Context(), w.ID, sent().ID))
	if second := <-bodies; second != first {
		t.Errorf("first %s, then %s", first, second)
	}
}

func TestADisabledWebhookIsEnabled(t *testing.T) {
	t.Parallel()
	f := newHub(t)
	url := receiver(t, func(http.ResponseWriter, *http.Request, string) {})
	w, _, err := f.AddWebhook(t.Context(), registry.Webhook{Account: "acme", URL: url})
	must(t, err)
	if disabled, err := f.Registry.DisableWebhook(t.Context(), w.ID); err != nil || !disabled {
		t.Fatal(disabled, err)
	}
	d, err := f.TestWebhook(t.Context(), w.ID)
	if err != nil || d.Problem != "" {
		t.Errorf("a disabled one cannot be tried: %+v, %v", d, err)
	}
	if err := f.Redeliver(t.Context(), w.ID, d.ID); failure.Of(err).Code != failure.Conflict {
		t.Errorf("sent again: %v", err)
	}
	must(t, f.EnableWebhook(t.Context(), w.ID))
	must(t, f.Redeliver(t.Context(), w.ID, d.ID))
}

// An account's administrator sees its webhooks' deliveries, and nobody else's.
func TestDeliveriesAreTheirAccounts(t *testing.T) {
	t.Parallel()
	f := newHub(t)
	must(t, f.PutAccount(t.Context(), registry.Account{Name: "other"}))
	w, _, err := f.AddWebhook(t.Context(), registry.Webhook{Account: "acme", URL: "https://example.com/"})
	must(t, err)
	all, _, err := f.AddWebhook(t.Context(), registry.Webhook{URL: "https://example.com/all"})
	must(t, err)
	as := func(account string, scopes ...registry.Scope) hub.Actor {
		return hub.Actor{Name: "user jane", Accounts: []string{account}, Scopes: scopes}
	}
	for _, who := range []hub.Actor{as("other", registry.ScopeAdmin), as("acme", registry.ScopeRead, registry.ScopeWrite, registry.ScopeControl)} {
		ctx := hub.WithActor(t.Context(), who)
		_, listed := f.Deliveries(ctx, w.ID, 0, 10)
		_, tested := f.TestWebhook(ctx, w.ID)
		for what, err := range map[string]error{"list": listed, "test": tested, "retry": f.Redeliver(ctx, w.ID, 1), "enable": f.EnableWebhook(ctx, w.ID)} {
			if err == nil {
				t.Errorf("%v may %s", who.Accounts, what)
			}
		}
	}
	ctx := hub.WithActor(t.Context(), as("acme", registry.ScopeAdmin))
	if _, err := f.Deliveries(ctx, w.ID, 0, 10); err != nil {
		t.Error(err)
	}
	if _, err := f.Deliveries(ctx, all.ID, 0, 10); err == nil {
		t.Error("an account's administrator sees what is told of all accounts")
	}
}

// A cell of the export is calculated by no spreadsheet, and everything else stays as it was.
func TestTheExportOfTheAuditLogHoldsNoFormula(t *testing.T) {
	t.Parallel()
	f := newHub(t)
	evil := []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"}
	for _, text := range evil {
		must(t, f.Note(hub.WithActor(t.Context(), hub.Actor{Name: text, All: true}), text, "", text, text))
	}
	must(t, f.Note(t.Context(), "integration.add", "acme", "o'brien", "a, \"b\" = c"))
	var out strings.Builder
	must(t, f.WriteAudit(t.Context(), &out, registry.Filter{}))
	for _, text := range evil {
		if got := hub.NoFormula(text); got != "'"+text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	must(t, err)
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("a cell is %q", cell)
			}
		}
	}
	if !strings.Contains(out.String(), `o'brien,"a, ""b"" = c"`) {
		t.Error(out.String())
	}
	entries, err := f.Audit(t.Context(), registry.Filter{Action: "audit."})
	if err != nil || len(entries) != 1 || entries[0].Action != "audit.export" {
		t.Errorf("%+v, %v", entries, err)
	}
}

func TestTheAuditLogIsFiltered(t *testing.T) {
	t.Parallel()
	f := newHub(t)
	for n, who := range []string{"user jane", "user joe", "user jane"} {
		must(t, f.Note(hub.WithActor(t.Context(), hub.Actor{Name: who, All: true}), []string{"session.start", "webhook.add", "session_"}[n], "acme", "x", ""))
		f.clock.move(time.Hour)
	}
	start := f.clock.Now().Add(-3 * time.Hour)
	for _, c := range []struct {
		filter registry.Filter
		want   []string
	}{
		{registry.Filter{Actor: "user jane"}, []string{"session_", "session.start"}},
		{registry.Filter{Action: "session."}, []string{"session.start"}},
		{registry.Filter{Action: "session%"}, nil},
		{registry.Filter{Since: start.Add(time.Hour), Until: start.Add(2 * time.Hour)}, []string{"webhook.add"}},
		{registry.Filter{Subject: "x", Account: "acme", Actor: "user joe"}, []string{"webhook.add"}},
		{registry.Filter{Subject: "x", Limit: 1}, []string{"session_"}},
	} {
		entries, err := f.Audit(t.Context(), c.filter)
		must(t, err)
		var got []string
		for _, e := range entries {
			got = append(got, e.Action)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v finds %v", c.filter, got)
		}
	}
}
