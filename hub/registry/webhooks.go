package registry

import (
	"context"
	"encoding/json"
	"time"
)

const webhookColumns = "w.id, COALESCE(w.account, ''), w.url, w.kinds, w.managed, w.disabled, w.created"

func webhookFields(w *Webhook) []any {
	return []any{&w.ID, &w.Account, &w.URL, stored(&w.Kinds), &w.Managed, &w.Disabled, stamp{&w.Created}}
}

func scanWebhook(row scanner) (w Webhook, err error) {
	err = row.Scan(webhookFields(&w)...)
	return w, err
}

// PutWebhook makes or changes a webhook by its ID; [ErrNotFound] where there is no such account. Its signing secret is
// [DB.SetSecret]'s. Created stays what it was.
func (d *DB) PutWebhook(ctx context.Context, w Webhook) error {
	s := d.write()
	_, err := s.exec(ctx, `INSERT INTO hub.webhooks (id, account, url, kinds, managed, disabled, created) VALUES ($1, NULLIF($2, ''), $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET account = excluded.account, url = excluded.url, kinds = excluded.kinds,
			managed = excluded.managed, disabled = excluded.disabled`,
		w.ID, w.Account, w.URL, encodedList(w.Kinds), w.Managed, w.Disabled, d.orNow(w.Created))
	return wrap(s.named(err, "account "+w.Account), "webhook %s", w.ID)
}

// Webhooks lists an account's, the oldest first; all where account is empty.
func (d *DB) Webhooks(ctx context.Context, account string) ([]Webhook, error) {
	all, err := listOf(ctx, d.read(), scanWebhook, "SELECT "+webhookColumns+" FROM hub.webhooks w", account, "w.created, w.id")
	return all, wrap(err, "list the webhooks")
}

// DeleteWebhook deletes one with its deliveries and its secret, or returns [ErrNotFound].
func (d *DB) DeleteWebhook(ctx context.Context, id string) error {
	err := d.change(ctx, func(s session) error {
		if err := s.must(ctx, "DELETE FROM hub.webhooks WHERE id = $1", id); err != nil {
			return err
		}
		_, err := s.exec(ctx, "DELETE FROM hub.secrets WHERE owner = $1", WebhookOwner(id))
		return err
	})
	return wrap(err, "webhook %s", id)
}

func scanDelivery(row scanner) (d Delivery, err error) {
	var data string
	into := append([]any{&d.ID, &d.Attempts}, webhookFields(&d.Webhook)...)
	err = row.Scan(append(into, eventFields(&d.Event, &data)...)...)
	d.Event.Data = json.RawMessage(data)
	return d, err
}

// Deliveries takes up to limit deliveries that are due, the oldest first, and holds them for a while, so that no other process
// takes them. Those of a disabled webhook wait.
func (d *DB) Deliveries(ctx context.Context, limit int, hold time.Duration) (taken []Delivery, err error) {
	err = d.change(ctx, func(s session) error {
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		taken, err = list(ctx, s, scanDelivery, `SELECT d.id, d.attempts, `+webhookColumns+`, `+eventColumns+`
			FROM hub.deliveries d JOIN hub.webhooks w ON w.id = d.webhook JOIN hub.events e ON e.id = d.event
			WHERE d.next > 0 AND d.next <= $1 AND NOT w.disabled ORDER BY d.next, d.id LIMIT $2 {skip d}`, now, limit)
		if err != nil {
			return err
		}
		for _, delivery := range taken {
			if _, err := s.exec(ctx, "UPDATE hub.deliveries SET next = $2 WHERE id = $1", delivery.ID, now+hold.Microseconds()); err != nil {
				return err
			}
		}
		return nil
	})
	return taken, wrap(err, "take what is to be delivered")
}

// Delivered ends a delivery, or plans its next attempt: next is zero where it is over. Problem is empty where it went well. A
// delivery that is gone with its webhook is no error.
func (d *DB) Delivered(ctx context.Context, id int64, problem string, next time.Time) error {
	ended := int64(0)
	if next.IsZero() {
		ended = micros(d.clock())
	}
	_, err := d.write().exec(ctx, "UPDATE hub.deliveries SET attempts = attempts + 1, problem = $2, next = $3, ended = $4 WHERE id = $1",
		id, problem, micros(next), ended)
	return wrap(err, "note delivery %d", id)
}
