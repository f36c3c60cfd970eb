package hub_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A mailbox takes what receivers of alerts are sent by e-mail.
type mailbox struct {
	mu   sync.Mutex
	mail []hub.Mail
}

func (m *mailbox) send(_ context.Context, mail hub.Mail) (registry.Sending, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mail = append(m.mail, mail)
	return registry.Sending{Status: 250}, nil
}

// to lists the subjects of what an address was sent.
func (m *mailbox) to(address string) (subjects []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, mail := range m.mail {
		if mail.To == address {
			subjects = append(subjects, mail.Subject)
		}
	}
	return subjects
}

func (m *mailbox) texts() (all string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, mail := range m.mail {
		all += mail.Text + "\n"
	}
	return all
}

var fileActor = hub.Actor{Name: "configuration file", All: true, File: true, Scopes: []registry.Scope{registry.ScopeAdmin}}

// receiver declares a receiver of alerts by e-mail.
func (f *fixture) receiver(t *testing.T, id, account, address string) {
	t.Helper()
	must(t, f.DeclareWebhook(hub.WithActor(t.Context(), fileActor), registry.Webhook{
		ID: id, Account: account, URL: "mailto:" + address, Way: registry.WayEmail, Kinds: []string{registry.AlertEvent},
	}, "none"))
}

// An alarm is a hub with receivers of alerts, integrations whose health a test decides, and two processes that look for what is wrong.
type alarm struct {
	*fixture
	box   *mailbox
	other *hub.Hub
}

func newAlarm(t *testing.T) *alarm {
	t.Helper()
	a := &alarm{fixture: newHub(t), box: &mailbox{}}
	a.other = a.another(t, "two")
	for _, h := range []*hub.Hub{a.Hub, a.other} {
		h.Options.Alerts = &hub.Alerts{Stale: 4 * time.Hour, After: 5 * time.Minute, Repeat: 24 * time.Hour}
		h.Mail = a.box.send
	}
	must(t, a.PutAccount(t.Context(), registry.Account{Name: "other", TimeZone: "UTC"}))
	a.receiver(t, "alert-ops-email-1", "", "ops@example.com")
	a.receiver(t, "alert-acme-email-1", "acme", "it@acme.example")
	return a
}

// integration adds one, as if it had just run well.
func (a *alarm) integration(t *testing.T, account, name string) directory.Key {
	t.Helper()
	key := directory.Key{Account: account, Integration: name}
	must(t, a.AddIntegration(t.Context(), registry.Integration{Key: key, Bridge: "https://crm.example.com/" + name, Schedule: registry.Schedule{Every: time.Hour}}, nil))
	a.become(t, registry.Outcome{Health: registry.HealthOK, Fresh: a.clock.Now()}, key)
	return key
}

// become ends a run of each integration with an outcome.
func (a *alarm) become(t *testing.T, o registry.Outcome, keys ...directory.Key) {
	t.Helper()
	for _, key := range keys {
		must(t, a.Registry.Ask(t.Context(), key, registry.Ask{Run: true}))
	}
	claims, err := a.Registry.Claim(t.Context(), "test", 1000, time.Minute)
	must(t, err)
	for _, c := range claims {
		out := o
		if !slices.Contains(keys, c.Key) { // due by its schedule: as it was
			out = registry.Outcome{Health: c.Status.Health, Problem: c.Status.Problem, Failures: c.Status.Failures}
		}
		out.Due = a.clock.Now().Add(time.Hour)
		must(t, a.Registry.Release(t.Context(), c, out))
	}
}

// pass lets time pass; both processes look for what is wrong meanwhile, and send.
func (a *alarm) pass(t *testing.T, d time.Duration) {
	t.Helper()
	for end := a.clock.Now().Add(d); a.clock.Now().Before(end); a.clock.move(min(time.Minute, end.Sub(a.clock.Now()))) {
		must(t, a.CheckAlerts(t.Context()))
		must(t, a.other.CheckAlerts(t.Context()))
	}
	must(t, a.CheckAlerts(t.Context()))
	a.deliver(t)
}

// deliver sends what is due.
func (a *alarm) deliver(t *testing.T) {
	t.Helper()
	waiting := func() bool {
		for _, id := range []string{"alert-ops-email-1", "alert-acme-email-1"} {
			sent, err := a.Registry.Sent(t.Context(), id, 0, 1000)
			must(t, err)
			if slices.ContainsFunc(sent, func(d registry.SentDelivery) bool { return d.Ended.IsZero() }) {
				return true
			}
		}
		return false
	}
	if !waiting() {
		return
	}
	stop := work(t, a.Hub)
	defer stop()
	eventually(t, "everything is sent", func() bool { return !waiting() })
}

var broken = registry.Outcome{Health: registry.HealthBroken, Failures: 1, Problem: &registry.Problem{Code: "unauthorized", Message: "the password of agent 4711 is wrong", Hint: "Ask jane@acme.example."}}

func TestWhatIsBrokenIsToldOnceAndWhenItWorksAgain(t *testing.T) {
	t.Parallel()
	a := newAlarm(t)
	crm := a.integration(t, "acme", "crm")
	a.become(t, broken, crm)
	a.pass(t, 4*time.Minute)
	if got := a.box.to("ops@example.com"); len(got) != 0 {
		t.Errorf("too early: %v", got)
	}
	a.pass(t, 3*time.Hour)
	want := []string{"contactbridge: crm of acme is broken"}
	for _, to := range []string{"ops@example.com", "it@acme.example"} {
		if got := a.box.to(to); !slices.Equal(got, want) {
			t.Errorf("%s was told %v", to, got)
		}
	}
	if text := a.box.texts(); strings.Contains(text, "4711") || strings.Contains(text, "jane") || !strings.Contains(text, "unauthorized") {
		t.Errorf("the text is %s", text)
	}
	a.become(t, registry.Outcome{Health: registry.HealthOK, Fresh: a.clock.Now()}, crm)
	a.pass(t, 4*time.Minute)
	if got := a.box.to("ops@example.com"); !slices.Equal(got, want) {
		t.Errorf("it was resolved too early: %v", got)
	}
	a.pass(t, 10*time.Minute)
	want = append(want, "contactbridge: crm of acme works again")
	if got := a.box.to("ops@example.com"); !slices.Equal(got, want) {
		t.Errorf("told %v", got)
	}
	a.pass(t, time.Hour)
	if got := a.box.to("ops@example.com"); !slices.Equal(got, want) {
		t.Errorf("told %v", got)
	}
}

func TestWhatLastsIsToldAgain(t *testing.T) {
	t.Parallel()
	a := newAlarm(t)
	a.become(t, broken, a.integration(t, "acme", "crm"))
	a.pass(t, 6*time.Minute)
	for range 3 {
		a.clock.move(24 * time.Hour)
		a.pass(t, time.Minute)
	}
	want := []string{"contactbridge: crm of acme is broken", "contactbridge: crm of acme still is broken", "contactbridge: crm of acme still is broken", "contactbridge: crm of acme still is broken"}
	if got := a.box.to("ops@example.com"); !slices.Equal(got, want) {
		t.Errorf("told %v", got)
	}
}

// An integration that fails and recovers every few minutes makes no storm.
func TestWhatComesAndGoesIsNotTold(t *testing.T) {
	t.Parallel()
	a := newAlarm(t)
	crm := a.integration(t, "acme", "crm")
	for range 20 {
		a.become(t, registry.Outcome{Health: registry.HealthFailing, Failures: 3, Problem: &registry.Problem{Code: "unreachable"}}, crm)
		a.pass(t, 3*time.Minute)
		a.become(t, registry.Outcome{Health: registry.HealthOK, Fresh: a.clock.Now()}, crm)
		a.pass(t, 3*time.Minute)
	}
	if got := a.box.to("ops@example.com"); len(got) != 0 {
		t.Errorf("told %v", got)
	}
}

func TestWhatBecomesWorseIsTold(t *testing.T) {
	t.Parallel()
	a := newAlarm(t)
	crm := a.integration(t, "acme", "crm")
	a.become(t, registry.Outcome{Health: registry.HealthFailing, Failures: 3, Problem: &registry.Problem{Code: "unreachable"}}, crm)
	a.pass(t, 10*time.Minute)
	a.become(t, broken, crm)
	a.pass(t, 10*time.Minute)
	a.become(t, registry.Outcome{Health: registry.HealthFailing, Failures: 4, Problem: &registry.Problem{Code: "unreachable"}}, crm)
	a.pass(t, 10*time.Minute)
	want := []string{"contactbridge: crm of acme fails", "contactbridge: crm of acme is broken"}
	if got := a.box.to("ops@example.com"); !slices.Equal(got, want) {
		t.Errorf("told %v", got)
	}
}

// What no run mends in time is stale: by the integration's own schedule, not by one age for all.
func TestWhatIsStaleIsTold(t *testing.T) {
	t.Parallel()
	a := newAlarm(t)
	a.integration(t, "acme", "hourly")
	daily := directory.Key{Account: "acme", Integration: "daily"}
	must(t, a.AddIntegration(t.Context(), registry.Integration{Key: daily, Bridge: "https://crm.example.com/", Schedule: registry.Schedule{Every: 24 * time.Hour}}, nil))
	a.become(t, registry.Outcome{Health: registry.HealthOK, Fresh: a.clock.Now()}, daily)
	a.clock.move(6 * time.Hour)
	a.pass(t, 10*time.Minute)
	if got, want := a.box.to("ops@example.com"), []string{"contactbridge: hourly of acme is stale"}; !slices.Equal(got, want) {
		t.Errorf("told %v", got)
	}
}

// A bridge that is down may break thousands of integrations at once: that is one message for each receiver, about its own account.
func TestManyAtOnceAreOneMessage(t *testing.T) {
	t.Parallel()
	a := newAlarm(t)
	var all []directory.Key
	for _, account := range []string{"acme", "other"} {
		for n := range 30 {
			all = append(all, a.integration(t, account, "crm"+string(rune('a'+n%26))+string(rune('a'+n/26))))
		}
	}
	a.become(t, broken, all...)
	a.pass(t, 30*time.Minute)
	if got, want := a.box.to("ops@example.com"), []string{"contactbridge: 60 integrations need attention"}; !slices.Equal(got, want) {
		t.Errorf("told %v", got)
	}
	if got, want := a.box.to("it@acme.example"), []string{"contactbridge: 30 integrations need attention"}; !slices.Equal(got, want) {
		t.Errorf("told %v", got)
	}
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	for _, m := range a.box.mail {
		if m.To == "it@acme.example" && strings.Contains(m.Text, "of other") {
			t.Errorf("another account's integration is told: %s", m.Text)
		}
		if strings.Count(m.Text, "is broken") != 20 || !strings.Contains(m.Text, "other integrations.") {
			t.Errorf("the text is %s", m.Text)
		}
	}
}

// Whoever pauses or removes an integration knows.
func TestWhatIsPausedOrRemovedIsNotTold(t *testing.T) {
	t.Parallel()
	a := newAlarm(t)
	paused, removed := a.integration(t, "acme", "paused"), a.integration(t, "acme", "removed")
	a.become(t, broken, paused, removed)
	a.pass(t, 10*time.Minute)
	before := len(a.box.to("ops@example.com"))
	must(t, a.Pause(t.Context(), paused, true))
	must(t, a.RemoveIntegration(t.Context(), removed))
	a.pass(t, time.Hour)
	if got := a.box.to("ops@example.com"); len(got) != before {
		t.Errorf("told %v", got)
	}
	if left, err := a.Registry.Alerts(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("%+v are left, %v", left, err)
	}
}

// Two processes that look at the same moment tell one message: the one without the right does nothing, and one that has lost it does not
// either.
func TestOneProcessTells(t *testing.T) {
	t.Parallel()
	a := newAlarm(t)
	a.become(t, broken, a.integration(t, "acme", "crm"))
	a.pass(t, 4*time.Minute)
	a.clock.move(2 * time.Minute)
	var both sync.WaitGroup
	for _, h := range []*hub.Hub{a.Hub, a.other} {
		both.Go(func() {
			if err := h.CheckAlerts(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	a.deliver(t)
	if got := a.box.to("ops@example.com"); len(got) != 1 {
		t.Errorf("told %v", got)
	}
	err := a.Registry.Tell(t.Context(), "alerts", "one that slept", nil, nil, []registry.Telling{{Data: []byte(`{}`)}})
	if err == nil {
		t.Error("a process without the right told something")
	}
}

// A chat is told in its own shape, through the guard of addresses, and its address stays a secret.
func TestAChatIsTold(t *testing.T) {
	t.Parallel()
	a := newAlarm(t)
	got := make(chan string, 9)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.URL.Path + " " + string(body)
		_, _ = io.WriteString(w, "ok")
	}))
	t.Cleanup(server.Close)
	ctx := hub.WithActor(t.Context(), fileActor)
	must(t, a.DeclareWebhook(ctx, registry.Webhook{ID: "alert-room-chat", URL: "http://chat/…", Way: registry.WayChat, Kinds: []string{registry.AlertEvent}}, server.URL+"/services/S3CRET"))
	tested, err := a.TestWebhook(ctx, "alert-room-chat")
	if err != nil || tested.Problem != "" || tested.Answer != "ok" {
		t.Fatalf("%+v, %v", tested, err)
	}
	path, body, _ := strings.Cut(<-got, " ")
	var said struct{ Text string }
	if err := json.Unmarshal([]byte(body), &said); err != nil || path != "/services/S3CRET" || !strings.Contains(said.Text, "test of contactbridge's alerts") {
		t.Errorf("it was sent %s %s", path, body)
	}
	server.Close()
	tested, err = a.TestWebhook(ctx, "alert-room-chat")
	if err != nil || tested.Problem == "" || strings.Contains(tested.Problem, "S3CRET") {
		t.Errorf("%+v, %v", tested, err)
	}
	entries, err := a.Audit(t.Context(), registry.Filter{})
	must(t, err)
	for _, e := range entries {
		if strings.Contains(e.Detail+e.Subject, "S3CRET") {
			t.Errorf("the audit log says %+v", e)
		}
	}
}
