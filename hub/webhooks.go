package hub

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/contactbridge/contactbridge/hub/registry"
)

const (
	signingSecret  = "signing"
	deliverAtOnce  = 8
	deliverTimeout = 10 * time.Second
	firstPause     = 10 * time.Second
	longestPause   = time.Hour
	maxAttempts    = 32 // about a day
)

// webhookOwner is what a webhook's secret is kept under.
func webhookOwner(id string) string { return registry.WebhookOwner(id) }

// AddWebhook adds a webhook and returns the secret that its deliveries are signed with, shown this once.
func (h *Hub) AddWebhook(ctx context.Context, w registry.Webhook) (registry.Webhook, string, error) {
	w.ID, w.Managed = newID(), false
	secret := "whs_" + random(24)
	return w, secret, h.putWebhook(ctx, w, secret)
}

// DeclareWebhook makes or changes a webhook that the configuration file declares.
func (h *Hub) DeclareWebhook(ctx context.Context, w registry.Webhook, secret string) error {
	if err := permit(ctx, registry.ScopeAdmin, w.Account); err != nil {
		return err
	}
	if a, ok := ActorOf(ctx); ok && !a.File {
		return &Error{Kind: Denied, Message: a.Name + " may not declare a webhook", Hint: "Only the configuration file does."}
	}
	kept, err := h.Registry.Webhooks(ctx, "")
	if err != nil {
		return err
	}
	sealed, err := h.Registry.Secret(ctx, webhookOwner(w.ID), signingSecret)
	if err != nil {
		return err
	}
	same := slices.ContainsFunc(kept, func(k registry.Webhook) bool {
		return k.ID == w.ID && k.URL == w.URL && k.Account == w.Account && slices.Equal(k.Kinds, w.Kinds) && !k.Disabled
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
	if err := checkURL("url", w.URL, nil); err != nil {
		return err
	}
	for _, kind := range w.Kinds {
		if !slices.Contains(eventKinds, kind) {
			return &Error{Kind: Invalid, Field: "kinds", Message: fmt.Sprintf("there is no event %q", kind), Hint: "Choose from: " + strings.Join(eventKinds, ", ") + "."}
		}
	}
	if err := h.Registry.PutWebhook(ctx, w); err != nil {
		return err
	}
	if err := h.Registry.SetSecret(ctx, webhookOwner(w.ID), signingSecret, []byte(secret)); err != nil {
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
	webhooks, err := h.Webhooks(ctx, "")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(webhooks, func(w registry.Webhook) bool { return w.ID == id })
	if i < 0 {
		return missing("webhook", id)
	}
	w := webhooks[i]
	if err := permit(ctx, registry.ScopeAdmin, w.Account); err != nil {
		return err
	}
	if err := unmanaged(ctx, w.Managed, "the webhook"); err != nil {
		return err
	}
	if err := h.Registry.DeleteWebhook(ctx, id); err != nil {
		return err
	}
	if err := h.Registry.SetSecret(ctx, webhookOwner(id), signingSecret, nil); err != nil {
		return err
	}
	return h.Note(ctx, "webhook.remove", w.Account, id, hostOf(w.URL))
}

// deliver sends the deliveries that are due.
func (h *Hub) deliver(ctx context.Context) error {
	for ctx.Err() == nil {
		// No more than are sent at once: what waited here would be another process's when its hold ends.
		due, err := h.Registry.Deliveries(ctx, deliverAtOnce, 3*deliverTimeout)
		if err != nil || len(due) == 0 {
			return err
		}
		var group errgroup.Group
		for _, d := range due {
			group.Go(func() error { return h.deliverOne(ctx, d) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// deliverOne sends one delivery and notes how it went.
func (h *Hub) deliverOne(ctx context.Context, d registry.Delivery) error {
	failed := h.send(ctx, d)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	attempts := d.Attempts + 1
	switch {
	case failed == nil:
		return h.Registry.Delivered(ctx, d.ID, "", time.Time{})
	case attempts < maxAttempts:
		pause := min(longestPause, firstPause<<min(attempts-1, 20))
		return h.Registry.Delivered(ctx, d.ID, failed.Error(), h.now().Add(pause))
	}
	if err := h.Registry.Delivered(ctx, d.ID, failed.Error(), time.Time{}); err != nil {
		return err
	}
	return h.disable(ctx, d.Webhook.ID, failed)
}

// disable ends a webhook's deliveries, once, unless it was removed meanwhile.
func (h *Hub) disable(ctx context.Context, id string, failed error) error {
	all, err := h.Registry.Webhooks(ctx, "")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(w registry.Webhook) bool { return w.ID == id && !w.Disabled })
	if i < 0 {
		return nil
	}
	w := all[i]
	w.Disabled = true
	if err := h.Registry.PutWebhook(ctx, w); err != nil {
		return err
	}
	h.log().Warn("a webhook is disabled: it took nothing for a day", "webhook", w.ID, "host", hostOf(w.URL), "error", failed)
	h.event(ctx, "webhook.disabled", w.Account, w.ID, map[string]any{"problem": failed.Error()})
	return nil
}

// A delivery's body.
type delivered struct {
	ID      int64           `json:"id"`
	Time    time.Time       `json:"time"`
	Kind    string          `json:"kind"`
	Account string          `json:"account"`
	Subject string          `json:"subject"`
	Data    json.RawMessage `json:"data"`
}

// send posts an event. Header Contactbridge-Signature is t=UNIX SECONDS,v1=HMAC-SHA-256 in hexadecimal of "SECONDS.BODY", so that
// the receiver can tell who sent it, and when.
func (h *Hub) send(ctx context.Context, d registry.Delivery) error {
	body, err := json.Marshal(delivered(d.Event))
	if err != nil {
		return err
	}
	secret, err := h.Registry.Secret(ctx, webhookOwner(d.Webhook.ID), signingSecret)
	if err != nil {
		return err
	}
	if secret == nil {
		return errors.New("its signing secret is gone")
	}
	ctx, cancel := context.WithTimeout(ctx, deliverTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Webhook.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	at := strconv.FormatInt(h.now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "contactbridge-hub")
	request.Header.Set("Contactbridge-Event", d.Event.Kind)
	request.Header.Set("Contactbridge-Signature", "t="+at+",v1="+Sign(secret, at, body))
	response, err := h.Outbound.RoundTrip(request) // redirects are not followed
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection can be used again
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %s", response.Status)
	}
	return nil
}

// Sign is the signature of a webhook's body, sent at a time in Unix seconds.
func Sign(secret []byte, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(at + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
