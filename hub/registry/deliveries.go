package registry

import (
	"context"
	"fmt"
	"math"
	"time"
)

// A Sending is how the last attempt of a delivery went.
type Sending struct {
	Status  int           // of HTTP, or of SMTP; 0: there was no answer
	Took    time.Duration // until the answer, or until it was given up
	Answer  string        // its beginning
	Problem string        // empty where the receiver took it
}

// A SentDelivery is a delivery and how it stands.
type SentDelivery struct {
	Delivery
	Sending           // of the last attempt
	Tried   time.Time // when that was; zero: never
	Next    time.Time // when it is tried again; zero: it is over
	Ended   time.Time // zero: it waits
}

const sentColumns = "d.status, d.took, d.answer, d.problem, d.tried, d.next, d.ended"

func scanSent(row scanner) (d SentDelivery, err error) {
	var data string
	var took int64
	into := append([]any{&d.ID, &d.Attempts, &d.Failing}, webhookFields(&d.Webhook)...)
	into = append(append(into, eventFields(&d.Event, &data)...), &d.Status, &took, &d.Answer, &d.Problem, stamp{&d.Tried}, stamp{&d.Next}, stamp{&d.Ended})
	err = row.Scan(into...)
	d.Event.Data, d.Took = []byte(data), time.Duration(took)*time.Microsecond
	return d, err
}

const sentFrom = `SELECT d.id, d.attempts, w.failures > 0, ` + webhookColumns + `, ` + eventColumns + `, ` + sentColumns + `
	FROM hub.deliveries d JOIN hub.webhooks w ON w.id = d.webhook JOIN hub.events e ON e.id = d.event `

// Sent lists a webhook's deliveries, the newest first: those with an ID below before; 0: from the newest on.
func (d *DB) Sent(ctx context.Context, webhook string, before int64, limit int) ([]SentDelivery, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	all, err := list(ctx, d.read(), scanSent, sentFrom+"WHERE d.webhook = $1 AND d.id < $2 ORDER BY d.id DESC LIMIT $3", webhook, before, limit)
	return all, wrap(err, "list the deliveries of webhook %s", webhook)
}

// SentDelivery returns one delivery, or [ErrNotFound].
func (d *DB) SentDelivery(ctx context.Context, id int64) (SentDelivery, error) {
	one, err := one(ctx, d.read(), scanSent, sentFrom+"WHERE d.id = $1", id)
	return one, wrap(err, "delivery %d", id)
}

// AddTest keeps an event for one webhook alone, with a delivery that no process takes: the caller sends it, once, and says how that went
// ([DB.Tested]). It returns [ErrNotFound] where there is no such webhook.
func (d *DB) AddTest(ctx context.Context, webhook string, e *Event) (Delivery, error) {
	var made Delivery
	err := d.change(ctx, func(s session) error {
		w, err := one(ctx, s, scanWebhook, "SELECT "+webhookColumns+" FROM hub.webhooks w WHERE w.id = $1", webhook)
		if err != nil {
			return err
		}
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		if err := addEvent(ctx, s, e, now); err != nil {
			return err
		}
		id, err := one(ctx, s, value[int64], "INSERT INTO hub.deliveries (webhook, event, next, ended, problem) VALUES ($1, $2, 0, $3, $4) RETURNING id",
			webhook, e.ID, now, "the process that sent it has ended")
		made = Delivery{ID: id, Webhook: w, Event: *e}
		return err
	})
	return made, wrap(err, "test webhook %s", webhook)
}

// Tested says how a test went. It changes nothing of its webhook.
func (d *DB) Tested(ctx context.Context, id int64, how Sending) error {
	now := micros(d.clock())
	_, err := d.write().exec(ctx, `UPDATE hub.deliveries SET attempts = 1, problem = $2, status = $3, took = $4, answer = $5, tried = $6, ended = $6 WHERE id = $1`,
		id, how.Problem, how.Status, how.Took.Microseconds(), how.Answer, now)
	return wrap(err, "note test %d", id)
}

// Again makes a delivery due at once, as if it had never been tried; [ErrNotFound] where there is none.
func (d *DB) Again(ctx context.Context, id int64) error {
	now, err := d.now(ctx, d.read())
	if err != nil {
		return err
	}
	return wrap(d.write().must(ctx, "UPDATE hub.deliveries SET attempts = 0, next = $2, ended = 0 WHERE id = $1", id, now), "delivery %d", id)
}

// EnableWebhook goes on with the deliveries of one that was disabled, those that wait included; [ErrNotFound] where there is none.
func (d *DB) EnableWebhook(ctx context.Context, id string) error {
	return wrap(d.write().must(ctx, "UPDATE hub.webhooks SET disabled = FALSE, failures = 0, held = 0 WHERE id = $1", id), "webhook %s", id)
}

// Webhook returns one, or [ErrNotFound].
func (d *DB) Webhook(ctx context.Context, id string) (Webhook, error) {
	w, err := one(ctx, d.read(), scanWebhook, "SELECT "+webhookColumns+" FROM hub.webhooks w WHERE w.id = $1", id)
	return w, wrap(err, "webhook %s", id)
}

// String says in a phrase how an attempt went, for logs and command lines.
func (s Sending) String() string {
	switch {
	case s.Problem != "":
		return s.Problem
	case s.Status != 0:
		return fmt.Sprintf("taken, status %d", s.Status)
	}
	return "taken"
}
