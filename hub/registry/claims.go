package registry

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// What is asked, as it is stored.
const (
	askRun = 1 << iota
	askFull
	askResume // once a yes to deletions, which came with askFull
	askCancel

	askAnyRun = askRun | askFull | askResume // what makes an integration ready
)

func (a Ask) bits() (bits int64) {
	for i, asked := range []bool{a.Run, a.Full, a.Resume, a.Cancel} {
		if asked {
			bits |= 1 << i
		}
	}
	return bits
}

func askOf(bits int64) Ask {
	return Ask{Run: bits&askRun != 0, Full: bits&askFull != 0, Resume: bits&askResume != 0, Cancel: bits&askCancel != 0}
}

// What a worker gets: taken is what it is to answer, without what comes later.
const claimColumns = integrationColumns + ", taken, token, late"

func scanClaim(row scanner) (c Claim, err error) {
	var taken int64
	c.Integration, err = scanIntegration(row, &taken, &c.Token, stamp{&c.Late})
	c.Status.Asked = askOf(taken)
	return c, err
}

// Expired claims go first: they have waited longest. Both lists come out of an index that holds nothing else, so it does not
// matter how many integrations are not due.
const claimDue = `WITH picked (its_account, its_name) AS MATERIALIZED (
		SELECT account, name FROM (SELECT account, name FROM hub.integrations WHERE token <> '' AND until <= $1 AND (ready > 0 OR taken > 0)
			ORDER BY until LIMIT $2 {skip}) AS dead
		UNION ALL
		SELECT account, name FROM (SELECT account, name FROM hub.integrations WHERE token = '' AND ready > 0 AND ready <= $1
			ORDER BY ready LIMIT $2 {skip}) AS due
		LIMIT $2)
	UPDATE hub.integrations SET token = $3, worker = $4, until = $5, touched = 0,
		late = CASE WHEN token = '' THEN ready ELSE late END, taken = taken | (asked & 7), asked = asked & 8
	FROM picked WHERE account = its_account AND name = its_name
	RETURNING ` + claimColumns

// Claim gives a worker up to limit integrations that are due or asked for and that no living claim holds, the latest first.
// Any number of processes may claim at once; none gets what another got. A claim whose worker has shown no sign of life for
// as long as it holds is given to the next worker that asks, unless the integration was paused or switched off meanwhile.
func (d *DB) Claim(ctx context.Context, worker string, limit int, hold time.Duration) ([]Claim, error) {
	if limit <= 0 {
		return nil, nil
	}
	var claims []Claim
	err := d.change(ctx, func(s session) error {
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		claims, err = list(ctx, s, scanClaim, claimDue, now, limit, random(), worker, now+hold.Microseconds())
		return err
	})
	slices.SortFunc(claims, func(a, b Claim) int { return a.Late.Compare(b.Late) })
	return claims, wrap(err, "claim what is due")
}

// Claimed returns the claim that a token proves, taken over by this worker, or [ErrClaimLost]. The claim has a new token
// from then on, so that a job that is delivered twice runs once.
func (d *DB) Claimed(ctx context.Context, key directory.Key, token, worker string, hold time.Duration) (Claim, error) {
	now, err := d.now(ctx, d.read())
	if err != nil {
		return Claim{}, err
	}
	c, err := one(ctx, d.write(), scanClaim, `UPDATE hub.integrations SET token = $4, worker = $5, until = $6
		WHERE account = $1 AND name = $2 AND token = $3 AND token <> '' RETURNING `+claimColumns,
		key.Account, key.Integration, token, random(), worker, now+hold.Microseconds())
	return c, wrap(lost(err), "claim integration %s", Owner(key))
}

// lost is what it means that there is no row with the claim's token.
func lost(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrClaimLost
	}
	return err
}

// Renew shows a sign of life and reports what was asked for since; [ErrClaimLost] where another worker has it, or where the
// integration was deleted.
func (d *DB) Renew(ctx context.Context, c Claim, hold time.Duration) (Ask, error) {
	now, err := d.now(ctx, d.read())
	if err != nil {
		return Ask{}, err
	}
	asked, err := one(ctx, d.write(), value[int64], `UPDATE hub.integrations SET until = $4
		WHERE account = $1 AND name = $2 AND token = $3 AND token <> '' RETURNING asked`,
		c.Account, c.Key.Integration, c.Token, now+hold.Microseconds())
	return askOf(asked), wrap(lost(err), "renew the claim of integration %s", Owner(c.Key))
}

// Release gives a claim back with what came of it. What the claim's Asked held is answered; what was asked for meanwhile
// stays asked for, but for Cancel; so does (without Resume, where a full run was asked for meanwhile), from Due on, what is to be asked Again. An integration that was paused or switched off meanwhile is not due; one whose schedule
// was changed or that was resumed meanwhile, or that turned out broken while its credentials were changed, is due at once.
// [ErrClaimLost] where another worker has it, or where the integration was deleted.
func (d *DB) Release(ctx context.Context, c Claim, o Outcome) error {
	problem, err := encoded(o.Problem)
	if err != nil {
		return err
	}
	now, err := d.now(ctx, d.read())
	if err != nil {
		return err
	}
	again := now
	if !o.Due.IsZero() {
		again = micros(o.Due)
	}
	err = d.write().must(ctx, `UPDATE hub.integrations SET token = '', worker = '', until = 0, late = 0, taken = 0, touched = 0,
		asked_at = CASE WHEN asked & 7 = 0 THEN CAST($13 AS BIGINT) ELSE asked_at END, asked = asked & 7 | CAST($12 AS INTEGER) & CASE WHEN asked & 2 = 0 THEN 7 ELSE 3 END,
		health = $4, problem = $5, failures = $6,
		due = CASE WHEN paused OR NOT scheduled THEN 0 WHEN touched = 2 OR touched = 1 AND $7 THEN CAST($8 AS BIGINT) ELSE CAST($9 AS BIGINT) END,
		fresh = COALESCE(NULLIF(CAST($10 AS BIGINT), 0), fresh), last_full = COALESCE(NULLIF(CAST($11 AS BIGINT), 0), last_full)
		WHERE account = $1 AND name = $2 AND token = $3 AND token <> ''`,
		c.Account, c.Key.Integration, c.Token, o.Health, problem, o.Failures, o.Health == HealthBroken, now, micros(o.Due), micros(o.Fresh), micros(o.LastFull),
		o.Again.bits()&askAnyRun, again)
	return wrap(lost(err), "release integration %s", Owner(c.Key))
}

// Ask adds to what is asked of an integration. One who asks for a full run means a new one: Resume is forgotten. Cancel is for the run that is under way, and nothing where there is none.
func (d *DB) Ask(ctx context.Context, key directory.Key, ask Ask) error {
	now, err := d.now(ctx, d.read())
	if err != nil {
		return err
	}
	bits := ask.bits()
	err = d.write().must(ctx, `UPDATE hub.integrations SET asked_at = CASE WHEN asked & 7 = 0 THEN $3 ELSE asked_at END,
		asked = asked & CASE WHEN $4 & 2 = 0 THEN 15 ELSE 11 END | CASE WHEN token = '' THEN CAST($4 AS INTEGER) ELSE CAST($5 AS INTEGER) END WHERE account = $1 AND name = $2`,
		key.Account, key.Integration, now, bits&askAnyRun, bits)
	return wrap(err, "integration %s", Owner(key))
}

// Pause pauses or resumes an integration. A run under way goes on. Resuming makes one that has a schedule due.
func (d *DB) Pause(ctx context.Context, key directory.Key, paused bool) error {
	now, err := d.now(ctx, d.read())
	if err != nil {
		return err
	}
	err = d.write().must(ctx, `UPDATE hub.integrations SET
		due = CASE WHEN $3 OR NOT scheduled THEN 0 WHEN paused THEN $4 ELSE due END,
		touched = CASE WHEN paused AND NOT $3 THEN 2 ELSE touched END, updated = CASE WHEN paused = $3 THEN updated ELSE $4 END, paused = $3
		WHERE account = $1 AND name = $2`, key.Account, key.Integration, paused, now)
	return wrap(err, "integration %s", Owner(key))
}
