package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

const runColumns = `r.pk, r.kind, r.state, r.since, r."offset", r.context, r.checkpoint, r.lease, r.lease_until, r.started, r.updated, r.finished, r.error,
	r.pages, r.contacts, r.created, r.changed, r.unchanged, r.deleted, r.rejected, r.bytes, r.hint,
	r.isfull, r.settings, r.doubt, r.interrupted, r.exact, r.restarts, r.had, r.brought`

const newestRun = "SELECT " + runColumns + " FROM runs r WHERE r.integration = ? ORDER BY r.pk DESC LIMIT 1"

// scanRun reads runColumns, then what else is selected.
func scanRun(row interface{ Scan(...any) error }, run *directory.Run, more ...any) (leaseUntil time.Time, err error) {
	var until, started, updated, finished int64
	var pageContext []byte
	e := &run.Evidence
	err = row.Scan(append([]any{
		&run.ID, &run.Kind, &run.State, &run.Since, &run.Offset, &pageContext, &run.Checkpoint, &run.Lease, &until, &started, &updated, &finished, &run.Error,
		&run.Pages, &run.Contacts, &run.Created, &run.Counts.Updated, &run.Unchanged, &run.Deleted, &run.Rejected, &run.Bytes, &run.Hint,
		&run.Full, &run.Settings, &e.Doubt, &e.Interrupted, &e.Exact, &e.Restarts, &e.Had, &e.Brought,
	}, more...)...)
	if len(pageContext) > 0 {
		run.Context = pageContext
	}
	run.Started, run.Updated, run.Finished = moment(started), moment(updated), moment(finished)
	return moment(until), err
}

// StartRun implements [directory.Store].
func (s *Store) StartRun(ctx context.Context, key directory.Key, start directory.Start) (*directory.Run, error) {
	var run *directory.Run
	err := s.writer.transaction(ctx, func(tx *writer) error {
		integration, err := ensureIntegration(ctx, tx, key)
		if err != nil {
			return err
		}
		if err := adopt(ctx, tx, integration, start.Settings); err != nil {
			return err
		}
		if run, err = s.resume(ctx, tx, integration, start); err != nil || run != nil {
			return err
		}
		run, err = s.begin(ctx, tx, integration, start)
		return err
	})
	if err != nil {
		var underWay *directory.UnderWayError
		if errors.As(err, &underWay) {
			underWay.Run.Key = key
			return nil, err
		}
		return nil, fmt.Errorf("start a run of %s: %w", key.Integration, err)
	}
	run.Key = key
	return run, nil
}

func ensureIntegration(ctx context.Context, tx *writer, key directory.Key) (pk int64, err error) {
	if _, err := tx.ExecContext(ctx, "INSERT INTO accounts (name) VALUES (?) ON CONFLICT DO NOTHING", key.Account); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO integrations (account, name) SELECT pk, ? FROM accounts WHERE name = ? ON CONFLICT DO NOTHING", key.Integration, key.Account); err != nil {
		return 0, err
	}
	err = tx.queryRow(ctx, "SELECT i.pk FROM integrations i JOIN accounts a ON a.pk = i.account WHERE a.name = ? AND i.name = ?", []any{key.Account, key.Integration}, &pk)
	return pk, err
}

// adopt notes the settings that the next run is made with. Where the checkpoint was made with others, it is forgotten, and so
// are the deletions that a run with those others named and did not come to decide about.
func adopt(ctx context.Context, tx *writer, integration int64, settings string) error {
	if settings == "" {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM held WHERE integration = ?1 AND run = 0
		AND (SELECT i.settings NOT IN ('', ?2) FROM integrations i WHERE i.pk = ?1)`, integration, settings); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE integrations SET checkpoint = CASE settings WHEN '' THEN checkpoint ELSE '' END, settings = ?1
		WHERE pk = ?2 AND settings <> ?1`, settings, integration)
	return err
}

// resume goes on with the newest run where it was not finished and is fresh; nil where there is nothing to go on with. What is not
// gone on with is abandoned: the next run starts from the integration's checkpoint. The abandoned one's may be further, and would
// be as safe with an orderly bridge (P9); with any other the checkpoint of a complete run is the one that can be trusted.
func (s *Store) resume(ctx context.Context, tx *writer, integration int64, start directory.Start) (*directory.Run, error) {
	run := &directory.Run{}
	newest, err := tx.prepared(ctx, newestRun)
	if err != nil {
		return nil, err
	}
	until, err := scanRun(newest.QueryRowContext(ctx, integration), run)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	now := s.clock()
	switch {
	case run.State == directory.Running && until.After(now):
		run.Lease = "" // it is the other's
		return nil, &directory.UnderWayError{Run: *run, Until: until}
	case run.State != directory.Running && run.State != directory.Failed:
		return nil, nil
	case start.Full || run.Pages == 0 || !run.MadeWith(start.Settings) || start.FreshFor <= 0 || run.Updated.Add(start.FreshFor).Before(now):
		return nil, s.abandon(ctx, tx, run.ID)
	}
	run.Lease, run.State, run.Error, run.Hint, run.Finished, run.Resumed = rand.Text(), directory.Running, "", "", time.Time{}, true
	run.Resume()
	_, err = tx.ExecContext(ctx, `UPDATE runs SET state = ?, lease = ?, lease_until = ?, lease_ms = ?, error = '', hint = '', finished = 0,
		settings = ?, doubt = ?, interrupted = ? WHERE pk = ?`,
		run.State, run.Lease, now.Add(start.Lease).UnixMilli(), start.Lease.Milliseconds(), run.Settings, run.Evidence.Doubt, run.Evidence.Interrupted, run.ID)
	return run, err
}

// abandon says that a run is not gone on with. One that had failed ended then, not now.
func (s *Store) abandon(ctx context.Context, tx *writer, run int64) error {
	if err := unmark(ctx, tx, run); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE runs SET state = ?, finished = CASE finished WHEN 0 THEN ? ELSE finished END WHERE pk = ?", directory.Abandoned, s.now(), run)
	return err
}

// begin opens a new run from the integration's checkpoint, or an initial one.
func (s *Store) begin(ctx context.Context, tx *writer, integration int64, start directory.Start) (*directory.Run, error) {
	now := s.clock()
	run := &directory.Run{State: directory.Running, Lease: rand.Text(), Full: start.Full, Settings: start.Settings, Started: moment(now.UnixMilli()), Updated: moment(now.UnixMilli())}
	var had, newest int64
	var checkpoint string
	err := tx.queryRow(ctx, `SELECT checkpoint, contacts, (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'contacts') FROM integrations WHERE pk = ?`,
		[]any{integration}, &checkpoint, &had, &newest)
	if err != nil {
		return nil, err
	}
	if start.Full {
		checkpoint = ""
	}
	run.Begin(checkpoint, had)
	result, err := tx.ExecContext(ctx, `INSERT INTO runs (integration, kind, state, since, lease, lease_until, lease_ms, started, updated, newest, had, doubt, isfull, settings)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		integration, run.Kind, run.State, run.Since, run.Lease, now.Add(start.Lease).UnixMilli(), start.Lease.Milliseconds(), now.UnixMilli(), now.UnixMilli(),
		newest, had, run.Evidence.Doubt, run.Full, run.Settings)
	if err != nil {
		return nil, err
	}
	if run.ID, err = result.LastInsertId(); err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM runs WHERE integration = ?1 AND pk <= (SELECT pk FROM runs WHERE integration = ?1 ORDER BY pk DESC LIMIT 1 OFFSET ?2)", integration, keptRuns)
	return run, err
}

// keptRuns is how many runs of an integration are kept, the newest ones.
const keptRuns = 1000

// RestartRun implements [directory.Store].
func (s *Store) RestartRun(ctx context.Context, run *directory.Run) error {
	var next *directory.Run
	err := s.writer.transaction(ctx, func(tx *writer) error {
		o, err := own(ctx, tx, run, 0)
		if err != nil {
			return err
		}
		if err := unmark(ctx, tx, run.ID); err != nil {
			return err
		}
		next = o.run
		next.Restart()
		// What the first pass made may be gone from the second, so it counts as older than the run from here on.
		if err := tx.queryRow(ctx, "SELECT contacts FROM integrations WHERE pk = ?", []any{o.integration}, &next.Evidence.Had); err != nil {
			return err
		}
		e := &next.Evidence
		_, err = tx.ExecContext(ctx, `UPDATE runs SET "offset" = '', context = NULL, since = ?, kind = ?,
			doubt = ?, interrupted = ?, exact = ?, restarts = ?, brought = ?, had = ?,
			newest = (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'contacts') WHERE pk = ?`,
			next.Since, next.Kind, e.Doubt, e.Interrupted, e.Exact, e.Restarts, e.Brought, e.Had, run.ID)
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
	now := s.now()
	err := s.writer.transaction(ctx, func(tx *writer) error {
		if _, err := own(ctx, tx, run, 0); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE runs SET state = ?, error = ?, hint = ?, finished = ?, lease_until = 0 WHERE pk = ?", directory.Failed, cause.Error(), hint, now, run.ID)
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
	err := s.writer.transaction(ctx, func(tx *writer) error {
		if _, err := own(ctx, tx, run, 0); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE runs SET lease_until = ?, lease_ms = ? WHERE pk = ?", s.clock().Add(lease).UnixMilli(), lease.Milliseconds(), run.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	return nil
}
