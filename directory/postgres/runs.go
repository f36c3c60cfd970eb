package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/directory"
)

const runColumns = `r.pk, r.kind, r.state, r.since, r."offset", r.context, r.checkpoint, r.lease, r.lease_until, r.started, r.updated, r.finished, r.error,
	r.pages, r.contacts, r.created, r.changed, r.unchanged, r.deleted, r.rejected, r.bytes, r.hint,
	r.isfull, r.settings, r.doubt, r.interrupted, r.exact, r.restarts, r.had, r.brought`

// scanRun reads runColumns, then what else is selected.
func scanRun(row pgx.Row, run *directory.Run, more ...any) (leaseUntil time.Time, err error) {
	var until, started, updated, finished int64
	var since, offset, pageContext, checkpoint, problem, hint, settings []byte
	e := &run.Evidence
	err = row.Scan(append([]any{
		&run.ID, &run.Kind, &run.State, &since, &offset, &pageContext, &checkpoint, &run.Lease, &until, &started, &updated, &finished, &problem,
		&run.Pages, &run.Contacts, &run.Created, &run.Counts.Updated, &run.Unchanged, &run.Deleted, &run.Rejected, &run.Bytes, &hint,
		&run.Full, &settings, &e.Doubt, &e.Interrupted, &e.Exact, &e.Restarts, &e.Had, &e.Brought,
	}, more...)...)
	run.Since, run.Offset, run.Checkpoint, run.Error, run.Hint, run.Settings = string(since), string(offset), string(checkpoint), string(problem), string(hint), string(settings)
	if len(pageContext) > 0 {
		run.Context = pageContext
	}
	run.Started, run.Updated, run.Finished = moment(started), moment(updated), moment(finished)
	return moment(until), err
}

// place is where an integration's rows are.
type place struct{ account, integration int32 }

// StartRun implements [directory.Store].
func (s *Store) StartRun(ctx context.Context, key directory.Key, start directory.Start) (*directory.Run, error) {
	var run *directory.Run
	err := s.transaction(ctx, func(tx pgx.Tx) error {
		at, err := ensure(ctx, tx, key)
		if err != nil {
			return err
		}
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		if err := adopt(ctx, tx, at, start.Settings); err != nil {
			return err
		}
		if run, err = resume(ctx, tx, at, start, now); err != nil || run != nil {
			return err
		}
		run, err = begin(ctx, tx, at, start, now)
		return err
	})
	if underWay, ok := errors.AsType[*directory.UnderWayError](err); ok {
		underWay.Run.Key = key
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("start a run of %s: %w", key.Integration, err)
	}
	run.Key = key
	return run, nil
}

// ensure finds an integration, or makes it, and locks it: of several that start a run at once, one does.
func ensure(ctx context.Context, tx pgx.Tx, key directory.Key) (at place, err error) {
	at, _, err = lock(ctx, tx, key)
	if !errors.Is(err, pgx.ErrNoRows) {
		return at, err
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	if _, err := tx.Exec(ctx, "INSERT INTO contactbridge.accounts (name) VALUES ($1) ON CONFLICT DO NOTHING", []byte(key.Account)); err != nil {
		return at, err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO contactbridge.integrations (account, name, salt) SELECT id, $2, $3 FROM contactbridge.accounts WHERE name = $1
		ON CONFLICT DO NOTHING`, []byte(key.Account), []byte(key.Integration), salt); err != nil {
		return at, err
	}
	at, _, err = lock(ctx, tx, key)
	return at, err
}

// lock locks an integration until the transaction ends; [pgx.ErrNoRows] where there is none.
func lock(ctx context.Context, tx pgx.Tx, key directory.Key) (at place, salt []byte, err error) {
	var suppressed int64
	err = tx.QueryRow(ctx, lockIntegration, []byte(key.Account), []byte(key.Integration)).Scan(&at.account, &at.integration, &salt, &suppressed)
	return at, salt, err
}

// adopt notes the settings that the next run is made with. Where the checkpoint was made with others, it is forgotten, and so
// are the deletions that a run with those others named and did not come to decide about.
func adopt(ctx context.Context, tx pgx.Tx, at place, settings string) error {
	if settings == "" {
		return nil
	}
	var changed bool
	err := tx.QueryRow(ctx, "SELECT settings NOT IN ('', $3::bytea) FROM contactbridge.integrations WHERE account = $1 AND id = $2", at.account, at.integration, []byte(settings)).Scan(&changed)
	if err != nil {
		return err
	}
	if changed {
		if _, err := tx.Exec(ctx, "DELETE FROM contactbridge.held WHERE account = $1 AND integration = $2 AND run = 0", at.account, at.integration); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `UPDATE contactbridge.integrations SET checkpoint = CASE WHEN $4 THEN ''::bytea ELSE checkpoint END, settings = $3
		WHERE account = $1 AND id = $2 AND settings <> $3`, at.account, at.integration, []byte(settings), changed)
	return err
}

// resume goes on with the newest run where it was not finished and is fresh; nil where there is nothing to go on with. What is
// not gone on with is abandoned: the next run starts from the integration's checkpoint, which is that of a complete run.
func resume(ctx context.Context, tx pgx.Tx, at place, start directory.Start, now int64) (*directory.Run, error) {
	run := &directory.Run{}
	until, err := scanRun(tx.QueryRow(ctx, "SELECT "+runColumns+" FROM contactbridge.runs r WHERE r.account = $1 AND r.integration = $2 ORDER BY r.pk DESC LIMIT 1",
		at.account, at.integration), run)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	switch {
	case run.State == directory.Running && until.UnixMilli() > now:
		run.Lease = "" // it is the other's
		return nil, &directory.UnderWayError{Run: *run, Until: until}
	case run.State != directory.Running && run.State != directory.Failed:
		return nil, nil
	case start.Full || run.Pages == 0 || !run.MadeWith(start.Settings) || start.FreshFor <= 0 || run.Updated.Add(start.FreshFor).UnixMilli() < now:
		return nil, abandon(ctx, tx, at, run.ID, now)
	}
	run.Lease, run.State, run.Error, run.Hint, run.Finished, run.Resumed = rand.Text(), directory.Running, "", "", time.Time{}, true
	run.Resume()
	_, err = tx.Exec(ctx, `UPDATE contactbridge.runs SET state = $3, lease = $4, lease_until = $5, lease_ms = $6, error = '', hint = '', finished = 0,
		settings = $7, doubt = $8, interrupted = $9 WHERE account = $1 AND pk = $2`,
		at.account, run.ID, run.State, run.Lease, now+start.Lease.Milliseconds(), start.Lease.Milliseconds(),
		[]byte(run.Settings), run.Evidence.Doubt, run.Evidence.Interrupted)
	return run, err
}

// abandon says that a run is not gone on with. One that had failed ended then, not now.
func abandon(ctx context.Context, tx pgx.Tx, at place, run, now int64) error {
	if err := forget(ctx, tx, at, run); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "UPDATE contactbridge.runs SET state = $3, finished = CASE finished WHEN 0 THEN $4 ELSE finished END WHERE account = $1 AND pk = $2", at.account, run, directory.Abandoned, now)
	return err
}

// forget drops the marks of a run that judges no more.
func forget(ctx context.Context, tx pgx.Tx, at place, run int64) error {
	_, err := tx.Exec(ctx, "DELETE FROM contactbridge.seen WHERE account = $1 AND run = $2", at.account, run)
	return err
}

// newestKey is the greatest pk that any contact has had so far.
const newestKey = "(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM contactbridge.contact_keys)"

// keptRuns is how many runs of an integration are kept, the newest ones.
const keptRuns = 1000

// begin opens a new run from the integration's checkpoint, or an initial one.
func begin(ctx context.Context, tx pgx.Tx, at place, start directory.Start, now int64) (*directory.Run, error) {
	run := &directory.Run{State: directory.Running, Lease: rand.Text(), Full: start.Full, Settings: start.Settings, Started: moment(now), Updated: moment(now)}
	var had, newest int64
	var since []byte
	err := tx.QueryRow(ctx, "SELECT checkpoint, contacts, "+newestKey+" FROM contactbridge.integrations WHERE account = $1 AND id = $2", at.account, at.integration).
		Scan(&since, &had, &newest)
	if err != nil {
		return nil, err
	}
	if start.Full {
		since = nil
	}
	run.Begin(string(since), had)
	err = tx.QueryRow(ctx, `INSERT INTO contactbridge.runs (account, integration, kind, state, since, lease, lease_until, lease_ms, started, updated, newest, had, doubt, isfull, settings)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12, $13, $14) RETURNING pk`,
		at.account, at.integration, run.Kind, run.State, []byte(run.Since), run.Lease, now+start.Lease.Milliseconds(), start.Lease.Milliseconds(), now,
		newest, had, run.Evidence.Doubt, run.Full, []byte(run.Settings)).Scan(&run.ID)
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, `DELETE FROM contactbridge.runs WHERE account = $1 AND integration = $2 AND pk <=
		(SELECT pk FROM contactbridge.runs WHERE account = $1 AND integration = $2 ORDER BY pk DESC LIMIT 1 OFFSET $3)`, at.account, at.integration, keptRuns)
	return run, err
}

// owned is what a transaction must know of its run.
type owned struct {
	place
	run        *directory.Run // as it is stored
	newest     int64
	leaseMS    int64
	held       bool // contacts of the integration are to be deleted, by this run or a yes
	salt       []byte
	suppressed int64
}

const (
	lockIntegration = `SELECT i.account, i.id, i.salt, i.suppressed FROM contactbridge.integrations i JOIN contactbridge.accounts a ON a.id = i.account
		WHERE a.name = $1 AND i.name = $2 FOR UPDATE OF i`
	readRun = "SELECT " + runColumns + `, r.newest, r.lease_ms,
		EXISTS (SELECT FROM contactbridge.held h WHERE h.account = r.account AND h.integration = r.integration) FROM contactbridge.runs r
		WHERE r.account = (SELECT id FROM contactbridge.accounts WHERE name = $1) AND r.pk = $2`
)

// own makes sure that the run is still this process's (T8), and that the page is its next one; 0 is no page. Whoever writes
// locks the integration first, and reads its run after that: nobody writes beside it, and nobody waits for it in a circle.
func own(ctx context.Context, tx pgx.Tx, run *directory.Run, page int64) (owned, error) {
	o := owned{run: &directory.Run{Key: run.Key, Resumed: run.Resumed}}
	var both pgx.Batch
	both.Queue(lockIntegration, []byte(run.Account), []byte(run.Integration))
	both.Queue(readRun, []byte(run.Account), run.ID)
	answers := tx.SendBatch(ctx, &both)
	locked := answers.QueryRow().Scan(&o.account, &o.integration, &o.salt, &o.suppressed)
	_, err := scanRun(answers.QueryRow(), o.run, &o.newest, &o.leaseMS, &o.held)
	if closed := answers.Close(); err == nil && locked == nil {
		err = closed
	}
	switch {
	case errors.Is(locked, pgx.ErrNoRows), locked == nil && errors.Is(err, pgx.ErrNoRows):
		return o, directory.ErrLeaseLost
	case locked != nil:
		return o, locked
	case err != nil:
		return o, err
	case o.run.Lease != run.Lease:
		return o, directory.ErrLeaseLost
	case page != 0 && page != o.run.Pages+1:
		return o, directory.ErrOutOfOrder
	case o.run.State != directory.Running:
		return o, directory.ErrLeaseLost
	}
	return o, nil
}

// RestartRun implements [directory.Store].
func (s *Store) RestartRun(ctx context.Context, run *directory.Run) error {
	var next *directory.Run
	err := s.transaction(ctx, func(tx pgx.Tx) error {
		o, err := own(ctx, tx, run, 0)
		if err != nil {
			return err
		}
		if err := forget(ctx, tx, o.place, run.ID); err != nil {
			return err
		}
		next = o.run
		next.Restart()
		// What the first pass made may be gone from the second, so it counts as older than the run from here on.
		e := &next.Evidence
		err = tx.QueryRow(ctx, "SELECT contacts FROM contactbridge.integrations WHERE account = $1 AND id = $2", o.account, o.integration).Scan(&e.Had)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE contactbridge.runs SET "offset" = '', context = NULL, since = $3, kind = $4, doubt = $5, interrupted = $6, exact = $7,
			restarts = $8, brought = $9, had = $10, newest = `+newestKey+` WHERE account = $1 AND pk = $2`,
			o.account, run.ID, []byte(next.Since), next.Kind, e.Doubt, e.Interrupted, e.Exact, e.Restarts, e.Brought, e.Had)
		return err
	})
	if err != nil {
		return fmt.Errorf("restart the run: %w", err)
	}
	*run = *next
	return nil
}

// FailRun implements [directory.Store].
func (s *Store) FailRun(ctx context.Context, run *directory.Run, cause error, hint string) error {
	var now int64
	err := s.transaction(ctx, func(tx pgx.Tx) error {
		o, err := own(ctx, tx, run, 0)
		if err != nil {
			return err
		}
		if now, err = s.now(ctx, tx); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE contactbridge.runs SET state = $3, error = $4, finished = $5, hint = $6, lease_until = 0 WHERE account = $1 AND pk = $2",
			o.account, run.ID, directory.Failed, []byte(cause.Error()), now, []byte(hint))
		return err
	})
	if err != nil {
		return fmt.Errorf("end the run: %w", err)
	}
	run.State, run.Error, run.Hint, run.Finished = directory.Failed, cause.Error(), hint, moment(now)
	return nil
}

// RenewLease implements [directory.Store].
func (s *Store) RenewLease(ctx context.Context, run *directory.Run, lease time.Duration) error {
	err := s.transaction(ctx, func(tx pgx.Tx) error {
		o, err := own(ctx, tx, run, 0)
		if err != nil {
			return err
		}
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE contactbridge.runs SET lease_until = $3, lease_ms = $4 WHERE account = $1 AND pk = $2",
			o.account, run.ID, now+lease.Milliseconds(), lease.Milliseconds())
		return err
	})
	if err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	return nil
}
