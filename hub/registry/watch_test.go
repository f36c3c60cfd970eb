package registry_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// Logs of runs are those of the newest runs, go with their integration and with time, and are written for none that is gone.
func TestLogsOfRunsAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx, key := t.Context(), directory.Key{Account: "acme", Integration: "crm"}
		log := func(text string) registry.RunLog {
			return registry.RunLog{Lines: []registry.LogLine{{Time: w.clock.now(), Level: registry.LevelWarning, Text: text}}, Left: 3}
		}
		if err := w.PutRunLog(ctx, key, 1, log("x")); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("without an integration: %v", err)
		}
		ok(t, w.PutAccount(ctx, registry.Account{Name: "acme"}))
		ok(t, w.AddIntegration(ctx, registry.Integration{Key: key}, nil))
		for run := range int64(registry.KeptRunLogs + 20) {
			ok(t, w.PutRunLog(ctx, key, run+1, log("first")))
		}
		ok(t, w.PutRunLog(ctx, key, registry.KeptRunLogs, log("second")))
		if n := w.count(t, "run_logs"); n != registry.KeptRunLogs {
			t.Errorf("%d logs", n)
		}
		for run, want := range map[int64]int{20: 0, 21: 1, registry.KeptRunLogs + 20: 1} {
			if l := got(w.RunLog(ctx, key, run))(t); len(l.Lines) != want {
				t.Errorf("run %d: %+v", run, l)
			}
		}
		if l := got(w.RunLog(ctx, key, registry.KeptRunLogs))(t); l.Lines[0].Text != "second" || l.Left != 3 || !l.Lines[0].Time.Equal(w.clock.now()) {
			t.Errorf("%+v", l)
		}
		w.clock.advance(time.Hour)
		ok(t, w.PutRunLog(ctx, key, 4711, log("new")))
		ok(t, w.PruneRunLogs(ctx, w.clock.now()))
		if n := w.count(t, "run_logs"); n != 1 {
			t.Errorf("%d logs are left of old ones", n)
		}
		ok(t, w.BeginRemoval(ctx, key))
		ok(t, w.DeleteIntegration(ctx, key))
		if n := w.count(t, "run_logs"); n != 0 {
			t.Errorf("%d logs are left of an integration that was removed", n)
		}
	})
}

// What is told is stored with the decision to tell it, for the receivers of its account alone, and by the process that has the right.
func TestAlertsAreToldAllOrNone(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ok(t, w.PutAccount(ctx, registry.Account{Name: "acme"}))
		for id, hook := range map[string]registry.Webhook{
			"all": {Way: registry.WayEmail}, "acme": {Way: registry.WayChat, Account: "acme"}, "events": {}, "off": {Way: registry.WayEmail, Disabled: true},
		} {
			hook.ID = id
			ok(t, w.PutWebhook(ctx, hook, []byte("x")))
		}
		a := registry.Alert{Key: directory.Key{Account: "acme", Integration: "crm"}, Is: registry.ConditionBroken, Since: w.clock.now(), First: w.clock.now()}
		tell := func(holder string) error {
			return w.Tell(ctx, "alerts", holder, []registry.Alert{a}, nil, []registry.Telling{{Data: json.RawMessage(`{"to":"all"}`)}, {Account: "acme", Data: json.RawMessage(`{"to":"acme"}`)}})
		}
		if err := tell("one"); !errors.Is(err, registry.ErrClaimLost) {
			t.Errorf("without the right: %v", err)
		}
		if n := w.count(t, "events") + w.count(t, "alerts") + w.count(t, "deliveries"); n != 0 {
			t.Errorf("it stored %d rows", n)
		}
		if has := got(w.Hold(ctx, "alerts", "one", time.Minute))(t); !has {
			t.Fatal("nobody has the right")
		}
		ok(t, tell("one"))
		if err := tell("two"); !errors.Is(err, registry.ErrClaimLost) {
			t.Errorf("another process: %v", err)
		}
		w.clock.advance(2 * time.Minute)
		if err := tell("one"); !errors.Is(err, registry.ErrClaimLost) {
			t.Errorf("a process that slept: %v", err)
		}
		var told []string
		for _, d := range got(w.Deliveries(ctx, registry.Wanted{Limit: 10, Hold: time.Minute}))(t) {
			var data struct{ To string }
			ok(t, json.Unmarshal(d.Event.Data, &data))
			if d.Webhook.ID != data.To || d.Event.Kind != registry.AlertEvent {
				t.Errorf("%s is told %s", d.Webhook.ID, d.Event.Data)
			}
			told = append(told, d.Webhook.ID)
		}
		slices.Sort(told)
		if !slices.Equal(told, []string{"acme", "all"}) {
			t.Errorf("told are %v", told)
		}
		if kept := got(w.Alerts(ctx))(t); len(kept) != 1 || kept[0] != a {
			t.Errorf("%+v, want %+v", kept, a)
		}
	})
}

// How deliveries went is kept with them; a test takes no other delivery's place.
func TestHowADeliveryWentIsKept(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ok(t, w.PutWebhook(ctx, registry.Webhook{ID: "1"}, nil))
		ok(t, w.AddEvent(ctx, &registry.Event{Kind: "run.failed", Subject: "crm"}))
		taken := got(w.Deliveries(ctx, registry.Wanted{Limit: 1, Hold: time.Minute}))(t)[0]
		test := got(w.AddTest(ctx, "1", &registry.Event{Kind: "webhook.test"}))(t)
		how := registry.Sending{Status: 503, Took: 1500 * time.Millisecond, Answer: "closed", Problem: "it answered 503"}
		ok(t, w.Tested(ctx, test.ID, how))
		next := w.clock.now().Add(time.Minute)
		ok(t, w.Delivered(ctx, taken.ID, how, next))
		sent := got(w.Sent(ctx, "1", 0, 10))(t)
		if len(sent) != 2 || sent[0].ID != test.ID || sent[0].Ended.IsZero() || sent[0].Attempts != 1 || sent[0].Sending != how || !sent[0].Next.IsZero() {
			t.Fatalf("%+v", sent)
		}
		if d := sent[1]; d.Sending != how || !d.Next.Equal(next) || !d.Ended.IsZero() || !d.Tried.Equal(w.clock.now()) || d.Event.Subject != "crm" {
			t.Errorf("%+v", d)
		}
		if older := got(w.Sent(ctx, "1", test.ID, 10))(t); len(older) != 1 || older[0].ID != taken.ID {
			t.Errorf("%+v", older)
		}
		ok(t, w.Again(ctx, taken.ID))
		if again := got(w.Deliveries(ctx, registry.Wanted{Limit: 9, Hold: time.Minute}))(t); len(again) != 1 || again[0].ID != taken.ID || again[0].Attempts != 0 {
			t.Errorf("%+v", again)
		}
		if _, err := w.AddTest(ctx, "none", &registry.Event{Kind: "webhook.test"}); !errors.Is(err, registry.ErrNotFound) {
			t.Error(err)
		}
		if err := w.Again(ctx, 4711); !errors.Is(err, registry.ErrNotFound) {
			t.Error(err)
		}
	})
}
