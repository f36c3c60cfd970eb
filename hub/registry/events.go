package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

const eventColumns = "e.id, e.time, e.kind, e.account, e.subject, e.data"

func eventFields(e *Event, data *string) []any {
	return []any{&e.ID, stamp{&e.Time}, &e.Kind, &e.Account, &e.Subject, data}
}

func scanEvent(row scanner) (e Event, err error) {
	var data string
	err = row.Scan(eventFields(&e, &data)...)
	e.Data = json.RawMessage(data)
	return e, err
}

// AddEvent keeps an event, sets its ID and Time, and makes a delivery of it for every webhook that wants it, all or nothing. IDs become
// visible in their order, so that a reader who continues after the last one that it saw misses no event. Data that is empty
// becomes {}. Events that come while others are being written are written together: that order lets only one transaction of
// all processes write events at a time. Where ctx ends first, the event may be kept nevertheless.
func (d *DB) AddEvent(ctx context.Context, e *Event) error {
	return wrap(d.events.add(ctx, e, d.addEvents), "keep event %s", e.Kind)
}

// addEvents keeps events in one transaction, and sets their IDs and Times.
func (d *DB) addEvents(ctx context.Context, events []*Event) error {
	return d.change(ctx, func(s session) error {
		webhooks, err := webhooksOf(ctx, s, events)
		if err != nil {
			return err
		}
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		if err := numberEvents(ctx, s, events, now); err != nil {
			return err
		}
		for _, e := range events {
			theirs := slices.DeleteFunc(slices.Clone(webhooks), func(w Webhook) bool { return w.Account != "" && w.Account != e.Account })
			if err := addDeliveries(ctx, s, e, theirs, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// webhooksOf lists the webhooks that events may be for, the oldest first.
func webhooksOf(ctx context.Context, s session, events []*Event) ([]Webhook, error) {
	accounts := make([]string, 0, len(events))
	for _, e := range events {
		accounts = append(accounts, e.Account)
	}
	text, err := json.Marshal(accounts)
	if err != nil {
		return nil, err
	}
	return list(ctx, s, scanWebhook, "SELECT "+webhookColumns+` FROM hub.webhooks w
		WHERE NOT w.disabled AND (w.account IS NULL OR w.account IN (SELECT value FROM {words $1})) ORDER BY w.created, w.id`, string(text))
}

// addEvent keeps an event, and sets its ID and Time.
func addEvent(ctx context.Context, s session, e *Event, now int64) (err error) {
	return numberEvents(ctx, s, []*Event{e}, now)
}

// numberEvents gives events their IDs and Times, and keeps them.
func numberEvents(ctx context.Context, s session, events []*Event, now int64) error {
	// The row is locked until the end: no event gets a later ID before these can be seen.
	last, err := one(ctx, s, value[int64], "UPDATE hub.counters SET value = value + $1 WHERE name = 'events' RETURNING value", len(events))
	if err != nil {
		return err
	}
	rows := make([][]any, 0, len(events))
	for i, e := range events {
		if len(e.Data) == 0 {
			e.Data = json.RawMessage("{}")
		}
		e.ID, e.Time = last-int64(len(events)-1-i), moment(now)
		rows = append(rows, []any{e.ID, now, e.Kind, e.Account, e.Subject, string(e.Data)})
	}
	return s.insert(ctx, "INSERT INTO hub.events (id, time, kind, account, subject, data) VALUES ", rows, "")
}

// MaxWaiting is how many deliveries wait for one webhook: of events that come while there are so many, it is not told.
const MaxWaiting = 10_000

// addDeliveries makes a delivery for every webhook that wants the event.
func addDeliveries(ctx context.Context, s session, e *Event, webhooks []Webhook, now int64) error {
	for _, w := range webhooks {
		if len(w.Kinds) > 0 && !slices.Contains(w.Kinds, e.Kind) {
			continue
		}
		// From where it is: it may have been deleted meanwhile. A queue that is not emptied does not grow for ever.
		_, err := s.exec(ctx, `INSERT INTO hub.deliveries (webhook, event, next)
			SELECT id, CAST($2 AS BIGINT), CAST($3 AS BIGINT) FROM hub.webhooks WHERE id = $1 AND $4 >
				(SELECT count(*) FROM (SELECT 1 FROM hub.deliveries WHERE webhook = $1 AND next > 0 LIMIT $4) AS waiting)`, w.ID, e.ID, now, MaxWaiting)
		if err != nil {
			return err
		}
	}
	return nil
}

// chosen is the condition of a filter, and its parameters.
func (f Filter) chosen() (condition string, args []any) {
	conditions := []string{"TRUE"}
	add := func(set bool, text string, arg any) {
		if set {
			args = append(args, arg)
			conditions = append(conditions, fmt.Sprintf(text, len(args)))
		}
	}
	add(f.Account != "", "account = $%d", f.Account)
	add(f.Subject != "", "subject = $%d", f.Subject)
	add(f.Actor != "", "actor = $%d", f.Actor)
	add(f.Action != "", "substr(action, 1, length(CAST($%[1]d AS TEXT))) = $%[1]d", f.Action)
	add(!f.Since.IsZero(), "time >= $%d", micros(f.Since))
	add(!f.Until.IsZero(), "time < $%d", micros(f.Until))
	add(f.After > 0, "id > $%d", f.After)
	add(f.Before > 0, "id < $%d", f.Before)
	return strings.Join(conditions, " AND "), args
}

// limit is how many rows a filter wants at most.
func (f Filter) limit() int {
	if f.Limit <= 0 {
		return 100
	}
	return min(f.Limit, math.MaxInt32)
}

// Events lists what a filter chooses, ascending.
func (d *DB) Events(ctx context.Context, f Filter) ([]Event, error) {
	f.Before, f.Actor, f.Action = 0, "", ""
	condition, args := f.chosen()
	all, err := list(ctx, d.read(), scanEvent, fmt.Sprintf("SELECT %s FROM hub.events e WHERE %s ORDER BY id LIMIT %d",
		eventColumns, condition, f.limit()), args...)
	return all, wrap(err, "list events")
}

// LastEvent returns the newest event's ID; 0 if no event exists.
func (d *DB) LastEvent(ctx context.Context) (int64, error) {
	id, err := one(ctx, d.read(), value[int64], "SELECT COALESCE(max(id), 0) FROM hub.events")
	return id, wrap(err, "find the newest event")
}
