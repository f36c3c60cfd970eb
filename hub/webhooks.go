package hub

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

const (
	deliverTimeout = 10 * time.Second
	deliverHold    = 3 * deliverTimeout
	deliverAtOnce  = 128 // by this process
	deliverLane    = 8   // of one account at once to webhooks that took the last one, and as many to those that did not
	firstPause     = 10 * time.Second
	longestPause   = time.Hour
	maxAttempts    = 32 // about a day
)

// webhookOwner is the name under which a webhook's secret is kept.
func webhookOwner(id string) string { return registry.WebhookOwner(id) }

// AddWebhook adds a webhook and returns the secret that its deliveries are signed with, shown this once.
func (h *Hub) AddWebhook(ctx context.Context, w registry.Webhook) (registry.Webhook, string, error) {
	w.ID, w.Managed, w.Way = newID(), false, registry.WayEvents
	secret := "whs_" + random(24)
	return w, secret, h.putWebhook(ctx, w, secret)
}

// DeclareWebhook makes or changes a webhook that the configuration file declares.
func (h *Hub) DeclareWebhook(ctx context.Context, w registry.Webhook, secret string) error {
	if err := permit(ctx, registry.ScopeAdmin, w.Account); err != nil {
		return err
	}
	if a, ok := ActorOf(ctx); ok && !a.File {
		return &failure.Error{Code: failure.Denied, Message: a.Name + " may not declare a webhook", Hint: "Only the configuration file does."}
	}
	kept, err := h.Registry.Webhooks(ctx, "")
	if err != nil {
		return err
	}
	sealed, err := h.Registry.Secret(ctx, webhookOwner(w.ID), registry.SigningSecret)
	if err != nil {
		return err
	}
	same := slices.ContainsFunc(kept, func(k registry.Webhook) bool {
		return k.ID == w.ID && k.URL == w.URL && k.Account == w.Account && k.Way == w.Way && slices.Equal(k.Kinds, w.Kinds) && !k.Disabled
	})
	if same && string(sealed) == secret {
		return nil
	}
	w.Managed = true
	return h.putWebhook(ctx, w, secret)
}

func (h *Hub) putWebhook(ctx context.Context, w registry.Webhook, secret string) error {
	if err := permit(ctx, registry.ScopeAdmin, w.Account); err != nil {
		return err
	}
	if w.Account != "" {
		if _, err := h.Account(ctx, w.Account); err != nil {
			return err
		}
	}
	var problems []error
	if w.Way == registry.WayEvents {
		problems = append(problems, checkURL("url", w.URL, nil))
	}
	for _, kind := range w.Kinds {
		if !slices.Contains(eventKinds, kind) && !(w.Way != registry.WayEvents && kind == registry.AlertEvent) {
			problems = append(problems, &failure.Error{Code: failure.Invalid, Field: "kinds", Message: fmt.Sprintf("unknown event %q", kind), Hint: "Choose from: " + strings.Join(eventKinds, ", ") + "."})
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	if err := h.Registry.PutWebhook(ctx, w, []byte(secret)); err != nil {
		return err
	}
	return h.Note(ctx, "webhook.set", w.Account, w.ID, hostOf(w.URL))
}

// Webhooks lists an account's webhooks.
func (h *Hub) Webhooks(ctx context.Context, account string) ([]registry.Webhook, error) {
	if account != "" {
		if err := permit(ctx, registry.ScopeAdmin, account); err != nil {
			return nil, err
		}
	}
	webhooks, err := h.Registry.Webhooks(ctx, account)
	a, ok := ActorOf(ctx)
	return slices.DeleteFunc(webhooks, func(w registry.Webhook) bool { return ok && !a.May(registry.ScopeAdmin, w.Account) }), err
}

// RemoveWebhook removes one.
func (h *Hub) RemoveWebhook(ctx context.Context, id string) error {
	w, err := h.webhook(ctx, id)
	if err != nil {
		return err
	}
	if err := unmanaged(ctx, w.Managed, "the webhook"); err != nil {
		return err
	}
	if err := h.Registry.DeleteWebhook(ctx, id); err != nil {
		return err
	}
	return h.Note(ctx, "webhook.remove", w.Account, id, hostOf(w.URL))
}

// deliverAll sends what is due to webhooks until ctx is done, and waits for what is under way. Each webhook has a queue of its own
// and is sent one event at a time; no account waits for another one's webhook. Webhooks that did not take the last one have places of
// their own: an account's that hang do not keep its others waiting either.
func (h *Hub) deliverAll(ctx context.Context) {
	var sending sync.WaitGroup
	defer sending.Wait()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	lanes := &lanes{}
	ended := make(chan struct{}, 1)
	for {
		due, err := h.Registry.Deliveries(ctx, lanes.wanted())
		if err != nil && ctx.Err() == nil {
			h.seldom().Error("could not deliver to webhooks", "error", err)
		}
		for _, d := range lanes.enter(due) {
			sending.Go(func() {
				if err := h.deliverOne(ctx, d); err != nil && ctx.Err() == nil {
					h.seldom().Error("could not note a delivery to a webhook", "error", err)
				}
				lanes.leave(d)
				select {
				case ended <- struct{}{}:
				default:
				}
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-ended:
		}
	}
}

// lanes count what is being sent, by account, and by whether the webhook took the last one.
type lanes struct {
	mu   sync.Mutex
	all  int
	busy map[lane]int
}

type lane struct {
	account string
	failing bool
}

func laneOf(d registry.Delivery) lane { return lane{d.Webhook.Account, d.Failing} }

// wanted returns which deliveries there are places for.
func (l *lanes) wanted() registry.Wanted {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := registry.Wanted{Limit: deliverAtOnce - l.all, Hold: deliverHold}
	for of, n := range l.busy {
		switch {
		case n < deliverLane:
		case of.failing:
			w.Failing = append(w.Failing, of.account)
		default:
			w.Healthy = append(w.Healthy, of.account)
		}
	}
	return w
}

// enter takes the places of deliveries. One query may bring some more of an account than it has places: they are sent all the same.
func (l *lanes) enter(due []registry.Delivery) []registry.Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy == nil {
		l.busy = map[lane]int{}
	}
	for _, d := range due {
		l.all++
		l.busy[laneOf(d)]++
	}
	return due
}

func (l *lanes) leave(d registry.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.busy[laneOf(d)]--; l.busy[laneOf(d)] == 0 {
		delete(l.busy, laneOf(d))
	}
}

// deliverOne sends one delivery and notes how it went.
func (h *Hub) deliverOne(ctx context.Context, d registry.Delivery) error {
	how := h.send(ctx, d)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	attempts := d.Attempts + 1
	switch {
	case how.Problem == "":
		return h.Registry.Delivered(ctx, d.ID, how, time.Time{})
	case attempts < maxAttempts:
		pause := min(longestPause, firstPause<<min(attempts-1, 20))
		return h.Registry.Delivered(ctx, d.ID, how, h.now().Add(pause))
	}
	if err := h.Registry.Delivered(ctx, d.ID, how, time.Time{}); err != nil {
		return err
	}
	return h.disable(ctx, d.Webhook, errors.New(how.Problem))
}

// disable ends a webhook's deliveries, once, unless it was removed meanwhile.
func (h *Hub) disable(ctx context.Context, w registry.Webhook, failed error) error {
	disabled, err := h.Registry.DisableWebhook(ctx, w.ID)
	if err != nil || !disabled {
		return err
	}
	h.log().Warn("a webhook is disabled: it took nothing for a day", "webhook", w.ID, "host", hostOf(w.URL), "error", failed)
	h.event(ctx, "webhook.disabled", w.Account, w.ID, map[string]any{"problem": failed.Error()})
	return nil
}

// Sign is the signature of a webhook's body, sent at a time in Unix seconds.
func Sign(secret []byte, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(at + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
