package registry_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/hub/registry"
)

func TestEventsAreChosen(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		var all []registry.Event
		if last := got(w.LastEvent(ctx))(t); last != 0 {
			t.Errorf("last event %d of none", last)
		}
		for i, e := range []registry.Event{
			{Kind: "run.finished", Account: "acme", Subject: "crm", Data: json.RawMessage(`{"run":1}`)},
			{Kind: "run.failed", Account: "acme", Subject: "erp"},
			{Kind: "run.finished", Account: "other", Subject: "crm"},
		} {
			ok(t, w.AddEvent(ctx, &e))
			if e.ID != int64(i+1) || !e.Time.Equal(w.clock.now()) {
				t.Errorf("%+v", e)
			}
			all = append(all, e)
			w.clock.advance(time.Second)
		}
		for _, c := range []struct {
			filter registry.Filter
			want   []registry.Event
		}{
			{registry.Filter{}, all},
			{registry.Filter{After: 1}, all[1:]},
			{registry.Filter{Limit: 2}, all[:2]},
			{registry.Filter{Account: "acme"}, all[:2]},
			{registry.Filter{Account: "acme", Subject: "erp"}, all[1:2]},
			{registry.Filter{After: 3}, nil},
		} {
			if found := got(w.Events(ctx, c.filter))(t); !cmp.Equal(found, c.want) {
				t.Errorf("%+v: %s", c.filter, cmp.Diff(c.want, found))
			}
		}
		if last := got(w.LastEvent(ctx))(t); last != 3 {
			t.Errorf("last event %d", last)
		}
	})
}

// TestAReaderWhoGoesOnMissesNoEvent reads after the last id that it saw while eight writers in two processes add events: whatever
// shows up later must have a later id.
func TestAReaderWhoGoesOnMissesNoEvent(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		const writers, each = 8, 40
		ok(t, w.PutWebhook(t.Context(), registry.Webhook{ID: "1"}, nil)) // makes the transactions longer
		other := w.again(t, registry.OpenOptions{})
		var wait sync.WaitGroup
		for i := range writers {
			db := w.DB
			if i%2 == 1 {
				db = other
			}
			wait.Go(func() {
				for range each {
					if err := db.AddEvent(context.Background(), &registry.Event{Kind: "run.finished", Account: "acme"}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		written := make(chan struct{})
		go func() { wait.Wait(); close(written) }()
		seen, last := 0, int64(0)
		for done := false; ; {
			events := got(w.Events(t.Context(), registry.Filter{After: last, Limit: 1000}))(t)
			for _, e := range events {
				if e.ID <= last {
					t.Fatalf("event %d came after %d", e.ID, last)
				}
				last = e.ID
			}
			seen += len(events)
			if done {
				break
			}
			select {
			case <-written:
				done = true // look once more
			default:
			}
		}
		if seen != writers*each {
			t.Errorf("saw %d of %d events", seen, writers*each)
		}
		if n := w.count(t, "deliveries"); n != writers*each {
			t.Errorf("%d deliveries of %d events", n, writers*each)
		}
	})
}

func TestWebhooksGetWhatTheyWant(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for _, account := range []string{"acme", "other"} {
			ok(t, w.PutAccount(ctx, registry.Account{Name: account}))
		}
		hooks := []registry.Webhook{
			{ID: "a all", Managed: true},
			{ID: "b acme", Account: "acme"},
			{ID: "c other", Account: "other"},
			{ID: "d failed", Kinds: []string{"run.failed", "integration.broken"}},
			{ID: "e finished", Kinds: []string{"run.finished"}},
			{ID: "f off", Disabled: true},
		}
		for i := range hooks {
			hooks[i].URL, hooks[i].Created = "https://example.com/hook", w.clock.now()
			ok(t, w.PutWebhook(ctx, hooks[i], nil))
		}
		if all := got(w.Webhooks(ctx, ""))(t); !cmp.Equal(all, hooks) {
			t.Error(cmp.Diff(hooks, all))
		}
		if some := got(w.Webhooks(ctx, "acme"))(t); !cmp.Equal(some, hooks[1:2]) {
			t.Error(cmp.Diff(hooks[1:2], some))
		}
		e := registry.Event{Kind: "run.failed", Account: "acme", Subject: "crm", Data: json.RawMessage(`{"run":7}`)}
		ok(t, w.AddEvent(ctx, &e))
		var to []string
		for _, d := range got(w.Deliveries(ctx, registry.Wanted{Limit: 10, Hold: time.Minute}))(t) {
			to = append(to, d.Webhook.ID)
			if !cmp.Equal(d.Event, e) || d.Attempts != 0 || d.Webhook.URL == "" {
				t.Errorf("%+v", d)
			}
		}
		if want := []string{"a all", "b acme", "d failed"}; !cmp.Equal(to, want) {
			t.Error(cmp.Diff(want, to))
		}
	})
}

func TestADeliveryIsTriedUntilItIsOver(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		take := func(n, attempts int) []registry.Delivery {
			t.Helper()
			taken := got(w.Deliveries(ctx, registry.Wanted{Limit: 10, Hold: time.Minute}))(t)
			if len(taken) != n || n > 0 && taken[0].Attempts != attempts {
				t.Fatalf("%+v", taken)
			}
			return taken
		}
		ok(t, w.PutWebhook(ctx, registry.Webhook{ID: "1"}, nil))
		ok(t, w.AddEvent(ctx, &registry.Event{Kind: "run.failed"}))
		take(1, 0) // by a process that died
		take(0, 0)
		w.clock.advance(time.Minute)
		d := take(1, 0)[0]
		ok(t, w.Delivered(ctx, d.ID, registry.Sending{Problem: "503"}, w.clock.now().Add(time.Hour)))
		w.clock.advance(59 * time.Minute)
		take(0, 0)
		w.clock.advance(time.Minute)
		ok(t, w.PutWebhook(ctx, registry.Webhook{ID: "1", Disabled: true}, nil))
		take(0, 0)
		ok(t, w.PutWebhook(ctx, registry.Webhook{ID: "1"}, nil))
		ok(t, w.Delivered(ctx, take(1, 1)[0].ID, registry.Sending{}, time.Time{}))
		w.clock.advance(24 * time.Hour)
		take(0, 0)
		ok(t, w.DeleteWebhook(ctx, "1"))
		ok(t, w.Delivered(ctx, d.ID, registry.Sending{}, time.Time{}))
	})
}

func TestADeliveryIsTakenOnceAndOneOfAWebhookAtATime(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		const n, webhooks = 20, 3
		for id := range webhooks {
			ok(t, w.PutWebhook(t.Context(), registry.Webhook{ID: fmt.Sprint(id)}, nil))
		}
		for range n {
			ok(t, w.AddEvent(t.Context(), &registry.Event{Kind: "run.failed"}))
		}
		var mu sync.Mutex
		seen, busy := map[int64]int{}, map[string]int{}
		count := func(d registry.Delivery, by int) {
			mu.Lock()
			defer mu.Unlock()
			if busy[d.Webhook.ID] += by; busy[d.Webhook.ID] > 1 {
				t.Errorf("%d deliveries of webhook %s at once", busy[d.Webhook.ID], d.Webhook.ID)
			}
			if by > 0 {
				seen[d.ID]++
			}
		}
		all := func() bool { mu.Lock(); defer mu.Unlock(); return len(seen) == n*webhooks }
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for deadline := time.Now().Add(time.Minute); !all() && time.Now().Before(deadline); {
					taken, err := w.Deliveries(context.Background(), registry.Wanted{Limit: 5, Hold: time.Hour})
					if err != nil {
						t.Error(err)
						return
					}
					for _, d := range taken {
						count(d, 1)
						count(d, -1)
						if err := w.Delivered(context.Background(), d.ID, registry.Sending{}, time.Time{}); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wait.Wait()
		for id, times := range seen {
			if times != 1 {
				t.Errorf("delivery %d was taken %d times", id, times)
			}
		}
		if len(seen) != n*webhooks {
			t.Errorf("%d of %d were taken", len(seen), n*webhooks)
		}
	})
}

// An account with webhooks that hang has no more places than it is given, and others' are not asked about.
func TestDeliveriesOfFullAccountsAreLeftOut(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for _, account := range []string{"acme", "other"} {
			ok(t, w.PutAccount(ctx, registry.Account{Name: account}))
			for _, id := range []string{"sick", "well"} {
				ok(t, w.PutWebhook(ctx, registry.Webhook{ID: account + " " + id, Account: account}, nil))
			}
			ok(t, w.AddEvent(ctx, &registry.Event{Kind: "run.failed", Account: account}))
		}
		for _, d := range got(w.Deliveries(ctx, registry.Wanted{Limit: 10, Hold: time.Minute}))(t) {
			problem, next := "", time.Time{}
			if strings.HasSuffix(d.Webhook.ID, "sick") {
				problem, next = "503", w.clock.now()
			}
			ok(t, w.Delivered(ctx, d.ID, registry.Sending{Problem: problem}, next))
		}
		for _, account := range []string{"acme", "other"} {
			ok(t, w.AddEvent(ctx, &registry.Event{Kind: "run.failed", Account: account}))
		}
		for _, c := range []struct {
			wanted registry.Wanted
			ids    []string
		}{
			{registry.Wanted{Healthy: []string{"acme"}}, []string{"acme sick", "other sick", "other well"}},
			{registry.Wanted{Failing: []string{"acme", ""}}, []string{"acme well", "other sick", "other well"}},
			{registry.Wanted{Healthy: []string{"acme"}, Failing: []string{"acme", "other"}}, []string{"other well"}},
			{registry.Wanted{}, []string{"acme sick", "acme well", "other sick", "other well"}},
		} {
			c.wanted.Limit, c.wanted.Hold = 10, time.Microsecond
			var ids []string
			for _, d := range got(w.Deliveries(ctx, c.wanted))(t) {
				ids = append(ids, d.Webhook.ID)
			}
			slices.Sort(ids)
			if !slices.Equal(ids, c.ids) {
				t.Errorf("without %v and %v: %v", c.wanted.Healthy, c.wanted.Failing, ids)
			}
			w.clock.advance(time.Minute)
		}
	})
}

// A queue that nobody empties does not grow for ever.
func TestAWebhooksQueueIsBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ok(t, w.PutWebhook(ctx, registry.Webhook{ID: "1"}, nil))
		ok(t, w.AddEvent(ctx, &registry.Event{Kind: "run.failed"}))
		ok(t, w.exec(t, fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO %s (webhook, event, next) SELECT '1', 1, 1 FROM n`, registry.MaxWaiting, w.table("deliveries"))))
		ok(t, w.AddEvent(ctx, &registry.Event{Kind: "run.failed"}))
		if n := w.count(t, "deliveries"); n != registry.MaxWaiting {
			t.Errorf("%d deliveries", n)
		}
		ok(t, w.Delivered(ctx, got(w.Deliveries(ctx, registry.Wanted{Limit: 1, Hold: time.Minute}))(t)[0].ID, registry.Sending{}, time.Time{}))
		ok(t, w.AddEvent(ctx, &registry.Event{Kind: "run.failed"}))
		if n := w.count(t, "deliveries"); n != registry.MaxWaiting+1 {
			t.Errorf("%d deliveries after one was over", n)
		}
	})
}
