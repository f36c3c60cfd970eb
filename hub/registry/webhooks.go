package registry

import (
	"context"
	"encoding/json"
	"time"
)

const webhookColumns = "w.id, COALESCE(w.account, ''), w.url, w.kinds, w.managed, w.disabled, w.created, w.way"

func webhookFields(w *Webhook) []any {
	return []any{&w.ID, &w.Account, &w.URL, stored(&w.Kinds), &w.Managed, &w.Disabled, stamp{&w.Created}, &w.Way}
}

func scanWebhook(row scanner) (w Webhook, err error) {
	err = row.Scan(webhookFields(&w)...)
	return w, err
}

// PutWebhook makes or changes a webhook by its ID, with the secret that signs what it is sent; [ErrNotFound] where there is no such
// account. Created stays what it was.
func (d *DB) PutWebhook(ctx context.Context, w Webhook, secret []byte) error {
	err := d.change(ctx, func(s session) error {
		_, err := s.exec(ctx, `INSERT INTO hub.webhooks (id, account, url, kinds, managed, disabled, created, way) VALUES ($1, NULLIF($2, ''), $3, $4, $5, $6, $7, $8)
			ON CONFLICT (id) DO UPDATE SET account = excluded.account, url = excluded.url, kinds = excluded.kinds,
				managed = excluded.managed, disabled = excluded.disabled, way = excluded.way, failures = 0`,
			w.ID, w.Account, w.URL, encodedList(w.Kinds), w.Managed, w.Disabled, d.orNow(w.Created), w.Way)
		if err != nil {
			return s.named(err, "account "+w.Account)
		}
		return d.setSecret(ctx, s, kindSecret, WebhookOwner(w.ID), SigningSecret, secret)
	})
	return wrap(err, "webhook %s", w.ID)
}

// SigningSecret is the name of the secret that signs what a webhook is sent.
const SigningSecret = "signing"

// DisableWebhook ends a webhook's deliveries until it is put again. It reports false where they have ended already, and where the
// webhook is gone.
func (d *DB) DisableWebhook(ctx context.Context, id string) (bool, error) {
	n, err := d.write().exec(ctx, "UPDATE hub.webhooks SET disabled = TRUE WHERE id = $1 AND NOT disabled", id)
	return n > 0, wrap(err, "webhook %s", id)
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
	into := append([]any{&d.ID, &d.Attempts, &d.Failing}, webhookFields(&d.Webhook)...)
	err = row.Scan(append(into, eventFields(&d.Event, &data)...)...)
	d.Event.Data = json.RawMessage(data)
	return d, err
}

// A Wanted says which deliveries a process takes.
type Wanted struct {
	Limit   int           // at most so many
	Hold    time.Duration // for so long no other process gets their webhooks
	Healthy []string      // not those of these accounts' webhooks that took the last one; "" is the webhooks of all accounts
	Failing []string      // nor those of these accounts' webhooks that did not
}

// Deliveries takes deliveries that are due: the oldest of each webhook that no process is sending to. A webhook is sent one
// at a time, whatever process sends it. Those of a disabled webhook wait.
//
// Both rows are locked, and what makes a delivery due is asked of its own row: PostgreSQL looks again at locked rows only, and
// another process may have taken and ended the delivery since the statement began.
func (d *DB) Deliveries(ctx context.Context, wanted Wanted) (taken []Delivery, err error) {
	if wanted.Limit <= 0 {
		return nil, nil
	}
	err = d.change(ctx, func(s session) error {
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		args := []any{now, wanted.Limit}
		except := ""
		for _, lane := range []struct {
			condition string
			accounts  []string
		}{{"w.failures = 0", wanted.Healthy}, {"w.failures > 0", wanted.Failing}} {
			if out := notIn("COALESCE(w.account, '')", lane.accounts, &args); out != "" {
				except += " AND NOT (" + lane.condition + " AND NOT (TRUE" + out + "))"
			}
		}
		// The delivery is locked as well, and its time looked at again: another process may have ended it, and freed its webhook, since
		// this statement began to read.
		taken, err = list(ctx, s, scanDelivery, `SELECT d.id, d.attempts, w.failures > 0, `+webhookColumns+`, `+eventColumns+`
			FROM hub.webhooks w JOIN hub.deliveries d ON d.id = (SELECT q.id FROM hub.deliveries q
				WHERE q.webhook = w.id AND q.next > 0 AND q.next <= $1 ORDER BY q.next, q.id LIMIT 1)
			JOIN hub.events e ON e.id = d.event
			WHERE NOT w.disabled AND w.held <= $1 AND d.next > 0 AND d.next <= $1`+except+` ORDER BY d.next, d.id LIMIT $2 {skip w, d}`, args...)
		if err != nil {
			return err
		}
		for _, delivery := range taken {
			if _, err := s.exec(ctx, "UPDATE hub.webhooks SET held = $2 WHERE id = $1", delivery.Webhook.ID, now+wanted.Hold.Microseconds()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap(err, "take what is to be delivered")
	}
	return taken, nil
}

// Delivered ends a delivery, or plans its next attempt: next is zero where it is over. How says how the attempt went. Its webhook can be
// sent the next one. A delivery that is gone with its webhook is not an error.
func (d *DB) Delivered(ctx context.Context, id int64, how Sending, next time.Time) error {
	now, ended := micros(d.clock()), int64(0)
	if next.IsZero() {
		ended = now
	}
	err := d.change(ctx, func(s session) error {
		_, err := s.exec(ctx, `UPDATE hub.webhooks SET held = 0, failures = CASE WHEN $2 = '' THEN 0 ELSE failures + 1 END
			WHERE id = (SELECT webhook FROM hub.deliveries WHERE id = $1)`, id, how.Problem)
		if err != nil {
			return err
		}
		_, err = s.exec(ctx, `UPDATE hub.deliveries SET attempts = attempts + 1, problem = $2, next = $3, ended = $4, status = $5, took = $6, answer = $7, tried = $8
			WHERE id = $1`, id, how.Problem, micros(next), ended, how.Status, how.Took.Microseconds(), how.Answer, now)
		return err
	})
	return wrap(err, "note delivery %d", id)
}
