package registry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// What is asked of an integration, as it is stored: a bit for each. Column asked holds what no claim has taken, column taken what the
// claim answers.
const (
	askRun = 1 << iota
	askFull
	askResume // once a confirmation of deletions, which came with askFull
	askCancel

	askAnyRun = askRun | askFull | askResume // what makes an integration ready: see column ready
	askAll    = askAnyRun | askCancel
)

// What was changed of an integration since it was claimed, as column touched holds it. The greater one counts.
const (
	untouched = iota
	touchedAuth
	touchedSchedule // or its configuration, or it was resumed: it is due when the claim ends
)

// stateWords are how statements write those values.
func stateWords() (words []string) {
	for word, value := range map[string]int{
		"{full}": askFull, "{cancel}": askCancel, "{any run}": askAnyRun, "{new runs}": askRun | askFull, "{all}": askAll, "{all but resume}": askAll &^ askResume,
		"{untouched}": untouched, "{auth changed}": touchedAuth, "{schedule changed}": touchedSchedule,
	} {
		words = append(words, word, strconv.Itoa(value))
	}
	return words
}

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

// What a worker gets: taken is the request that it is to answer, without requests that come later.
const claimColumns = integrationColumns + ", taken, token, late"

func scanClaim(row scanner) (c Claim, err error) {
	var taken int64
	c.Integration, err = scanIntegration(row, &taken, &c.Token, stamp{&c.Late})
	c.Status.Asked = askOf(taken)
	return c, err
}

// No statement of a claim waits until the disk has it ({soon}): a server that loses its last moments forgets who has an integration, or
// that its run is over. Then it is run once more, as after a claim that expired: one whose claim is not known writes nothing.
//
// Expired claims go first: they have waited longest. Both lists come out of an index that holds nothing else, so it does not
// matter how many integrations are not due. %[1]s leaves out accounts.
const claimDue = `WITH picked (its_account, its_name) AS MATERIALIZED (
		SELECT account, name FROM (SELECT account, name FROM hub.integrations WHERE token <> '' AND until <= $1 AND (ready > 0 OR taken > 0)
			AND going = 0%[1]s ORDER BY until LIMIT $2 {skip}) AS dead
		UNION ALL
		SELECT account, name FROM (SELECT account, name FROM hub.integrations WHERE token = '' AND ready > 0 AND ready <= $1
			AND going = 0%[1]s ORDER BY ready LIMIT $2 {skip}) AS due
		LIMIT $2)
	UPDATE hub.integrations SET token = $3, worker = $4, until = $5, touched = {untouched},
		late = CASE WHEN token = '' THEN ready ELSE late END, taken = taken | (asked & {any run}), asked = asked & {cancel}
	FROM picked WHERE account = its_account AND name = its_name{soon}
	RETURNING ` + claimColumns

// Claim gives a worker up to limit integrations that are due or asked for and that no living claim holds, the latest first, except
// those of some accounts. Any number of processes may claim at once; no integration goes to two of them. A claim
// from a worker without a sign of life for as long as it holds is given to the next worker that asks, unless the integration
// was paused or switched off meanwhile.
func (d *DB) Claim(ctx context.Context, worker string, limit int, hold time.Duration, except ...string) ([]Claim, error) {
	if limit <= 0 {
		return nil, nil
	}
	var claims []Claim
	err := d.change(ctx, func(s session) error {
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		args := []any{now, limit, random(), worker, now + hold.Microseconds()}
		text := fmt.Sprintf(claimDue, notIn("account", except, &args))
		claims, err = list(ctx, s, scanClaim, text, args...)
		return err
	})
	if err != nil {
		return nil, wrap(err, "claim what is due") // what was not written is not claimed
	}
	slices.SortFunc(claims, func(a, b Claim) int { return a.Late.Compare(b.Late) })
	return claims, nil
}

// notIn returns a condition that leaves out values of a column, which become parameters; empty without values.
func notIn(column string, values []string, args *[]any) string {
	if len(values) == 0 {
		return ""
	}
	return " AND " + column + " NOT IN (" + places(values, args) + ")"
}

// places appends values to a statement's arguments, and returns where they stand.
func places(values []string, args *[]any) string {
	all := make([]string, 0, len(values))
	for _, v := range values {
		*args = append(*args, v)
		all = append(all, "$"+strconv.Itoa(len(*args)))
	}
	return strings.Join(all, ", ")
}

// Claimed returns the claim that a token proves, taken over by this worker, or [ErrClaimLost]. The claim has a new token
// from then on, so that a job that is delivered twice runs once.
func (d *DB) Claimed(ctx context.Context, key directory.Key, token, worker string, hold time.Duration) (Claim, error) {
	now, err := d.now(ctx, d.read())
	if err != nil {
		return Claim{}, err
	}
	c, err := one(ctx, d.write(), scanClaim, `UPDATE hub.integrations SET token = $4, worker = $5, until = $6
		WHERE account = $1 AND name = $2 AND token = $3 AND token <> '' AND going = 0{soon} RETURNING `+claimColumns,
		key.Account, key.Integration, token, random(), worker, now+hold.Microseconds())
	if errors.Is(err, ErrNotFound) { // while it is removed, nothing waits for the claim's end
		if _, err := d.write().exec(ctx, `UPDATE hub.integrations SET token = '', worker = '', until = 0, taken = 0
			WHERE account = $1 AND name = $2 AND token = $3 AND going > 0`, key.Account, key.Integration, token); err != nil {
			return Claim{}, wrap(err, "claim integration %s", Owner(key))
		}
	}
	return c, wrap(lost(err), "claim integration %s", Owner(key))
}

// lost returns the error for a claim with a token that no row has.
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
		WHERE account = $1 AND name = $2 AND token = $3 AND token <> ''{soon} RETURNING asked`,
		c.Account, c.Key.Integration, c.Token, now+hold.Microseconds())
	return askOf(asked), wrap(lost(err), "renew the claim of integration %s", Owner(c.Key))
}

// Release gives a claim back with what came of it. What the claim's Asked held is answered; what was asked for meanwhile
// stays asked for, but for Cancel; so does (without Resume, where a full run was asked for meanwhile), from Due on, what is to be
// asked Again: where it is not due, until it is mended or a user asks. An integration that was paused or switched off meanwhile
// is not due; one with a schedule that
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
	again := int64(never)
	if !o.Due.IsZero() {
		again = micros(o.Due)
	}
	err = d.write().must(ctx, `UPDATE hub.integrations SET token = '', worker = '', until = 0, late = 0, taken = 0, touched = {untouched},
		asked_at = CASE WHEN asked & {any run} = 0 THEN CAST($13 AS BIGINT) ELSE asked_at END,
		asked = CASE WHEN going > 0 THEN 0 ELSE asked & {any run} | CAST($12 AS INTEGER) & CASE WHEN asked & {full} = 0 THEN {any run} ELSE {new runs} END END,
		health = $4, problem = $5, failures = $6,
		due = CASE WHEN paused OR NOT scheduled OR going > 0 THEN 0 WHEN touched = {schedule changed} OR touched = {auth changed} AND $7 THEN CAST($8 AS BIGINT) ELSE CAST($9 AS BIGINT) END,
		fresh = COALESCE(NULLIF(CAST($10 AS BIGINT), 0), fresh), last_full = COALESCE(NULLIF(CAST($11 AS BIGINT), 0), last_full)
		WHERE account = $1 AND name = $2 AND token = $3 AND token <> ''{soon}`,
		c.Account, c.Key.Integration, c.Token, o.Health, problem, o.Failures, o.Health == HealthBroken, now, micros(o.Due), micros(o.Fresh), micros(o.LastFull),
		o.Again.bits()&askAnyRun, again)
	return wrap(lost(err), "release integration %s", Owner(c.Key))
}

// never is the due time of an integration that waits for a user.
const never = math.MaxInt64

// Ask adds to what is asked of an integration, and asks for it now, whatever a retry waits for. Cancel is for the run that is
// under way; without one it does nothing. One who asks for a full run means a new one: Resume is forgotten.
func (d *DB) Ask(ctx context.Context, key directory.Key, ask Ask) error {
	now, err := d.now(ctx, d.read())
	if err != nil {
		return err
	}
	bits := ask.bits()
	err = d.write().must(ctx, `UPDATE hub.integrations SET
		asked_at = CASE WHEN CAST($4 AS INTEGER) <> 0 AND (asked & {any run} = 0 OR asked_at > $3) THEN $3 ELSE asked_at END,
		asked = asked & CASE WHEN CAST($4 AS INTEGER) & {full} = 0 THEN {all} ELSE {all but resume} END | CASE WHEN token = '' THEN CAST($4 AS INTEGER) ELSE CAST($5 AS INTEGER) END
		WHERE account = $1 AND name = $2 AND going = 0`,
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
		touched = CASE WHEN paused AND NOT $3 THEN {schedule changed} ELSE touched END, updated = CASE WHEN paused = $3 THEN updated ELSE $4 END, paused = $3,
		version = CASE WHEN paused = $3 THEN version ELSE version + 1 END WHERE account = $1 AND name = $2 AND going = 0`, key.Account, key.Integration, paused, now)
	return wrap(err, "integration %s", Owner(key))
}
