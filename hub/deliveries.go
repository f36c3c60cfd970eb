package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A delivery's body.
type delivered struct {
	ID      int64           `json:"id"`
	Time    time.Time       `json:"time"`
	Kind    string          `json:"kind"`
	Account string          `json:"account"`
	Subject string          `json:"subject"`
	Data    json.RawMessage `json:"data"`
}

// keptAnswer is how much of a receiver's answer is kept, in bytes.
const keptAnswer = 500

// TestEvent is the kind of event that a webhook is sent to try it.
const TestEvent = "webhook.test"

// send sends an event in the webhook's way, and says how that went.
func (h *Hub) send(ctx context.Context, d registry.Delivery) registry.Sending {
	ctx, cancel := context.WithTimeout(ctx, deliverTimeout)
	defer cancel()
	began := h.now()
	secret, err := h.Registry.Secret(ctx, webhookOwner(d.Webhook.ID), registry.SigningSecret)
	if err == nil && secret == nil {
		err = errors.New("its signing secret is gone")
	}
	var how registry.Sending
	if err == nil {
		how, err = h.sendBy(ctx, d, secret)
	}
	if how.Took = h.now().Sub(began); how.Took < 0 {
		how.Took = 0 // the clock was set
	}
	if err != nil {
		how.Problem = sayOf(err)
	}
	return how
}

// sayOf is an error with what to do about it, on one line.
func sayOf(err error) string {
	said := err.Error()
	if hint := failure.Of(err).Hint; hint != "" {
		said += ". " + hint
	}
	return cut(said, registry.MaxLogText)
}

func (h *Hub) sendBy(ctx context.Context, d registry.Delivery, secret []byte) (registry.Sending, error) {
	switch d.Webhook.Way {
	case registry.WayChat:
		return h.sendChat(ctx, d, string(secret))
	case registry.WayEmail:
		return h.sendMail(ctx, d)
	}
	body, err := json.Marshal(delivered(d.Event))
	if err != nil {
		return registry.Sending{}, err
	}
	at := strconv.FormatInt(h.now().Unix(), 10)
	return h.post(ctx, d.Webhook.URL, body, http.Header{
		"Contactbridge-Event":     {d.Event.Kind},
		"Contactbridge-Signature": {"t=" + at + ",v1=" + Sign(secret, at, body)},
	})
}

// post sends JSON through the guard of addresses. For events, header Contactbridge-Signature is t=UNIX SECONDS,v1=HMAC-SHA-256 in
// hexadecimal of "SECONDS.BODY", so that the receiver can tell who sent it, and when.
func (h *Hub) post(ctx context.Context, to string, body []byte, header http.Header) (how registry.Sending, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return how, errors.New("its URL cannot be read") // the cause would show it
	}
	request.Header = header
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "contactbridge-hub")
	response, err := h.Outbound.RoundTrip(request) // redirects are not followed
	if err != nil {
		return how, err
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // to its end, so that the connection can be used again
	how.Status, how.Answer = response.StatusCode, shownAnswer(answer)
	if response.StatusCode/100 != 2 {
		return how, fmt.Errorf("it answered %s", response.Status)
	}
	return how, nil
}

// shownAnswer is the beginning of an answer as it is kept: text without control characters.
func shownAnswer(answer []byte) string {
	text := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(answer), "\uFFFD"))
	return cut(strings.TrimSpace(text), keptAnswer)
}

// webhook returns a webhook that the actor may administrate.
func (h *Hub) webhook(ctx context.Context, id string) (registry.Webhook, error) {
	webhooks, err := h.Webhooks(ctx, "")
	if err != nil {
		return registry.Webhook{}, err
	}
	i := slices.IndexFunc(webhooks, func(w registry.Webhook) bool { return w.ID == id })
	if i < 0 {
		return registry.Webhook{}, missing("webhook", id)
	}
	return webhooks[i], permit(ctx, registry.ScopeAdmin, webhooks[i].Account)
}

// Webhook returns a webhook.
func (h *Hub) Webhook(ctx context.Context, id string) (registry.Webhook, error) {
	return h.webhook(ctx, id)
}

// Deliveries lists what a webhook was sent or will be, the newest first: those with an ID below before; 0: from the newest on.
func (h *Hub) Deliveries(ctx context.Context, id string, before int64, limit int) ([]registry.SentDelivery, error) {
	if _, err := h.webhook(ctx, id); err != nil {
		return nil, err
	}
	return h.Registry.Sent(ctx, id, before, limit)
}

// TestWebhook sends a webhook an event now, as it is sent real ones: signed, through the guard of addresses. It says how that went,
// whatever other deliveries wait, and changes nothing of them. A webhook that is disabled can be tried as well.
func (h *Hub) TestWebhook(ctx context.Context, id string) (registry.SentDelivery, error) {
	w, err := h.webhook(ctx, id)
	if err != nil {
		return registry.SentDelivery{}, err
	}
	actor := "hub"
	if a, ok := ActorOf(ctx); ok {
		actor = a.Name
	}
	e := registry.Event{Kind: TestEvent, Account: w.Account, Subject: w.ID}
	if w.Way != registry.WayEvents {
		e = registry.Event{Kind: registry.AlertEvent, Account: w.Account}
	}
	if e.Data, err = json.Marshal(map[string]any{"test": true, "by": actor}); err != nil {
		return registry.SentDelivery{}, err
	}
	d, err := h.Registry.AddTest(ctx, id, &e)
	if err != nil {
		return registry.SentDelivery{}, err
	}
	how := h.send(ctx, d)
	kept, cancel := lasting(ctx)
	defer cancel()
	if err := h.Registry.Tested(kept, d.ID, how); err != nil {
		return registry.SentDelivery{}, err
	}
	h.announce()
	if err := h.Note(kept, "webhook.test", w.Account, id, cut(how.String(), 200)); err != nil {
		return registry.SentDelivery{}, err
	}
	return h.Registry.SentDelivery(kept, d.ID)
}

// Redeliver sends an event again: at once, and then as often as a new one. It keeps its id, so that a receiver that had it can tell.
func (h *Hub) Redeliver(ctx context.Context, id string, delivery int64) error {
	w, err := h.webhook(ctx, id)
	if err != nil {
		return err
	}
	d, err := h.Registry.SentDelivery(ctx, delivery)
	if errors.Is(err, registry.ErrNotFound) || err == nil && d.Webhook.ID != id {
		return &failure.Error{Code: failure.NotFound, Message: fmt.Sprintf("unknown delivery %d", delivery), Hint: "Look at the list of deliveries: those that are over are kept for a week."}
	}
	if err != nil {
		return err
	}
	if w.Disabled {
		return &failure.Error{Code: failure.Conflict, Message: "the webhook is disabled", Hint: "Enable it first: what waits is sent then."}
	}
	if err := h.Registry.Again(ctx, delivery); err != nil {
		return err
	}
	return h.Note(ctx, "webhook.retry", w.Account, id, fmt.Sprintf("event %d, %s", d.Event.ID, d.Event.Kind))
}

// EnableWebhook goes on telling a webhook that was disabled because it took nothing for a day.
func (h *Hub) EnableWebhook(ctx context.Context, id string) error {
	w, err := h.webhook(ctx, id)
	if err != nil {
		return err
	}
	if !w.Disabled {
		return nil
	}
	if err := h.Registry.EnableWebhook(ctx, id); err != nil {
		return err
	}
	return h.Note(ctx, "webhook.enable", w.Account, id, hostOf(w.URL))
}
