package registry

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// A Condition is what is wrong with an integration. The worst is told.
type Condition string

// The conditions, the worst first.
const (
	ConditionBroken  Condition = "broken"  // it is not tried again until a user mends it
	ConditionGuarded Condition = "guarded" // deletions wait for a decision
	ConditionFailing Condition = "failing" // run after run fails
	ConditionStale   Condition = "stale"   // no run was complete for too long
)

// An Alert is what is wrong with an integration, and what was told of it.
type Alert struct {
	directory.Key `json:"-"`
	Is            Condition `json:"is,omitempty"`   // what is wrong; empty while nothing is
	Since         time.Time `json:"since"`          // since when Is is so
	Said          Condition `json:"said,omitempty"` // what was told last; empty: nothing yet
	Told          time.Time `json:"told,omitzero"`  // when
	First         time.Time `json:"first"`          // when this began
}

// AlertEvent is the kind of event by which receivers of alerts are told. Webhooks that are told of events are not told of it.
const AlertEvent = "alert"

// Unwell lists the integrations that something may be wrong with: those that are broken or guarded, that failed at least so many times in
// a row, or that run by themselves and whose last complete run began before a time. Those that are paused or being removed are left out.
func (d *DB) Unwell(ctx context.Context, failures int, before time.Time) ([]Integration, error) {
	all, err := list(ctx, d.read(), func(row scanner) (Integration, error) { return scanIntegration(row) }, "SELECT "+integrationColumns+` FROM hub.integrations
		WHERE going = 0 AND NOT paused AND (health IN ($1, $2) OR failures >= $3
			OR scheduled AND (CASE WHEN fresh > 0 THEN fresh ELSE created END) < $4) ORDER BY account, name`,
		string(HealthBroken), string(HealthGuarded), failures, micros(before))
	return all, wrap(err, "list the integrations that something is wrong with")
}

// Alerts lists what is kept of alerts, by account and name.
func (d *DB) Alerts(ctx context.Context) ([]Alert, error) {
	all, err := list(ctx, d.read(), func(row scanner) (a Alert, err error) {
		err = row.Scan(&a.Account, &a.Integration, stored(&a))
		return a, err
	}, "SELECT account, name, state FROM hub.alerts ORDER BY account, name")
	return all, wrap(err, "list the alerts")
}

// A Telling is what is to be told to receivers of alerts.
type Telling struct {
	Account string          // of the receivers; empty: those of all accounts
	Data    json.RawMessage // of the event
}

// Tell keeps the alerts that changed, forgets those that are over, and makes a delivery of every telling for each receiver of its account,
// all in one transaction: nothing is told twice, nothing is lost. It does nothing, and returns [ErrClaimLost], unless the holder still
// has the right ([DB.Hold]) that is named.
func (d *DB) Tell(ctx context.Context, right, holder string, changed []Alert, over []directory.Key, tellings []Telling) error {
	err := d.change(ctx, func(s session) error {
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		if _, err := one(ctx, s, value[string], "SELECT name FROM hub.leases WHERE name = $1 AND holder = $2 AND until > $3 {lock}", right, holder, now); err != nil {
			return lost(err)
		}
		for _, a := range changed {
			text, err := encoded(&a)
			if err != nil {
				return err
			}
			if _, err := s.exec(ctx, `INSERT INTO hub.alerts (account, name, state) VALUES ($1, $2, $3)
				ON CONFLICT (account, name) DO UPDATE SET state = excluded.state`, a.Account, a.Integration, text); err != nil {
				return err
			}
		}
		for _, key := range over {
			if _, err := s.exec(ctx, "DELETE FROM hub.alerts WHERE account = $1 AND name = $2", key.Account, key.Integration); err != nil {
				return err
			}
		}
		return d.tell(ctx, s, tellings, now)
	})
	return wrap(err, "keep the alerts")
}

func (d *DB) tell(ctx context.Context, s session, tellings []Telling, now int64) error {
	if len(tellings) == 0 {
		return nil
	}
	receivers, err := list(ctx, s, scanWebhook, "SELECT "+webhookColumns+" FROM hub.webhooks w WHERE NOT w.disabled AND w.way <> '' ORDER BY w.created, w.id")
	if err != nil {
		return err
	}
	for _, t := range tellings {
		e := &Event{Kind: AlertEvent, Account: t.Account, Data: t.Data}
		if err := addEvent(ctx, s, e, now); err != nil {
			return err
		}
		theirs := slices.DeleteFunc(slices.Clone(receivers), func(w Webhook) bool { return w.Account != t.Account })
		if err := addDeliveries(ctx, s, e, theirs, now); err != nil {
			return err
		}
	}
	return nil
}
