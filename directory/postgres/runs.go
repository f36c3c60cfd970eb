package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/directory"
)

var (
	runColumns = directory.SelectRun(false) // of runs r

	findNewestRun = "SELECT " + runColumns + " FROM contactbridge.runs r WHERE r.account = $1 AND r.integration = $2 ORDER BY r.pk DESC LIMIT 1"
	makeRun       = "INSERT INTO contactbridge.runs (account, integration, " + strings.Join(directory.RunColumns()[1:], ", ") + ") VALUES ($1, $2, " + parameters() + ") RETURNING pk"
	updateRun     = "UPDATE contactbridge.runs SET (" + strings.Join(directory.RunColumns()[1:], ", ") + ") = ROW (" + parameters() + ") WHERE account = $1 AND pk = $2"
)

// parameters are those of a run's columns but its key, from $3 on.
func parameters() string {
	var all []string
	for i := range directory.RunColumns()[1:] {
		all = append(all, fmt.Sprintf("$%d", i+3))
	}
	return strings.Join(all, ", ")
}

// runValues are the values of a run's columns, after what comes before its key.
func runValues(account int32, run *directory.StoredRun) []any {
	values := append([]any{account}, run.Values()...)
	for i, v := range values {
		if text, ok := v.(directory.Text); ok {
			values[i] = []byte(text)
		}
	}
	return values
}

// newestRun reads an integration's newest run; nil where it has none.
func newestRun(ctx context.Context, tx pgx.Tx, at integrationKey) (*directory.StoredRun, error) {
	run := &directory.StoredRun{}
	err := tx.QueryRow(ctx, findNewestRun, at.account, at.integration).Scan(run.Fields()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return run, err
}

// saveRun writes a run as it is now.
func saveRun(ctx context.Context, tx pgx.Tx, account int32, run *directory.StoredRun) error {
	_, err := tx.Exec(ctx, updateRun, runValues(account, run)...)
	return err
}

// An integrationKey is the key of an integration's rows.
type integrationKey struct{ account, integration int32 }

// StartRun implements [directory.Store].
func (s *Store) StartRun(ctx context.Context, key directory.Key, start directory.Start) (*directory.Run, error) {
	var run *directory.StoredRun
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
	return &run.Run, nil
}

// ensure finds an integration, or makes it, and locks it: of several that start a run at once, one does.
func ensure(ctx context.Context, tx pgx.Tx, key directory.Key) (at integrationKey, err error) {
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

// lock locks an integration until the transaction ends; it returns [pgx.ErrNoRows] if the integration is missing.
func lock(ctx context.Context, tx pgx.Tx, key directory.Key) (at integrationKey, salt []byte, err error) {
	var suppressed int64
	err = tx.QueryRow(ctx, lockIntegration, []byte(key.Account), []byte(key.Integration)).Scan(&at.account, &at.integration, &salt, &suppressed)
	return at, salt, err
}

// adopt notes the settings that the next run is made with. Where the checkpoint was made with others, it is forgotten, and so
// are the deletions that a run with those others named and did not come to decide about.
func adopt(ctx context.Context, tx pgx.Tx, at integrationKey, settings string) error {
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

// resume goes on with the newest run, or abandons it; nil where there is nothing to go on with.
func resume(ctx context.Context, tx pgx.Tx, at integrationKey, start directory.Start, now time.Time) (*directory.StoredRun, error) {
	run, err := newestRun(ctx, tx, at)
	if err != nil || run == nil {
		return nil, err
	}
	switch resumption, err := run.Continue(start, now); {
	case err != nil || resumption == directory.NothingToResume:
		return nil, err
	case resumption == directory.RunResumed:
		return run, saveRun(ctx, tx, at.account, run)
	}
	if err := forget(ctx, tx, at, run.ID); err != nil {
		return nil, err
	}
	return nil, saveRun(ctx, tx, at.account, run)
}

// forget drops the marks of a run that judges no more.
func forget(ctx context.Context, tx pgx.Tx, at integrationKey, run int64) error {
	_, err := tx.Exec(ctx, "DELETE FROM contactbridge.seen WHERE account = $1 AND run = $2", at.account, run)
	return err
}

// newestKey is the greatest pk that any contact has had so far.
const newestKey = "(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM contactbridge.contact_keys)"

// begin opens a new run from the integration's checkpoint, or an initial one.
func begin(ctx context.Context, tx pgx.Tx, at integrationKey, start directory.Start, now time.Time) (*directory.StoredRun, error) {
	var had, newest int64
	var checkpoint []byte
	err := tx.QueryRow(ctx, "SELECT checkpoint, contacts, "+newestKey+" FROM contactbridge.integrations WHERE account = $1 AND id = $2", at.account, at.integration).
		Scan(&checkpoint, &had, &newest)
	if err != nil {
		return nil, err
	}
	run := directory.NewRun(start, string(checkpoint), had, newest, now)
	values := runValues(at.account, run)
	values[1] = at.integration // in the place of the key, which is the database's to give
	if err := tx.QueryRow(ctx, makeRun, values...).Scan(&run.ID); err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, `DELETE FROM contactbridge.runs WHERE account = $1 AND integration = $2 AND pk <=
		(SELECT pk FROM contactbridge.runs WHERE account = $1 AND integration = $2 ORDER BY pk DESC LIMIT 1 OFFSET $3)`, at.account, at.integration, directory.KeptRuns)
	return run, err
}

// owned is a run that is this process's, and where it is.
type owned struct {
	directory.Owned
	integrationKey
	salt       []byte
	suppressed int64
}

var (
	lockIntegration = `SELECT i.account, i.id, i.salt, i.suppressed FROM contactbridge.integrations i JOIN contactbridge.accounts a ON a.id = i.account
		WHERE a.name = $1 AND i.name = $2 FOR UPDATE OF i`
	readRun = "SELECT " + runColumns + `,
		EXISTS (SELECT FROM contactbridge.held h WHERE h.account = r.account AND h.integration = r.integration) FROM contactbridge.runs r
		WHERE r.account = (SELECT id FROM contactbridge.accounts WHERE name = $1) AND r.pk = $2`
)

// own makes sure that the run is still this process's (T8), and that the page is its next one; 0 means no page. A transaction that writes
// locks the integration first, and reads its run after that: no other one writes beside it, and no two wait for each other.
func own(ctx context.Context, tx pgx.Tx, run *directory.Run, page int64) (*owned, error) {
	o := &owned{}
	var both pgx.Batch
	both.Queue(lockIntegration, []byte(run.Account), []byte(run.Integration))
	both.Queue(readRun, []byte(run.Account), run.ID)
	answers := tx.SendBatch(ctx, &both)
	locked := answers.QueryRow().Scan(&o.account, &o.integration, &o.salt, &o.suppressed)
	err := answers.QueryRow().Scan(o.Fields(&o.Held)...)
	if closed := answers.Close(); err == nil && locked == nil {
		err = closed
	}
	switch {
	case errors.Is(locked, pgx.ErrNoRows), locked == nil && errors.Is(err, pgx.ErrNoRows):
		return nil, directory.ErrLeaseLost
	case locked != nil:
		return nil, locked
	case err != nil:
		return nil, err
	}
	o.Key, o.Resumed = run.Key, run.Resumed
	return o, o.Check(run, page)
}

// change changes a run that is this process's, and returns it as it is then.
func (s *Store) change(ctx context.Context, run *directory.Run, change func(tx pgx.Tx, o *owned, now time.Time) error) (_ *directory.Run, now time.Time, err error) {
	var changed *directory.Run
	err = s.transaction(ctx, func(tx pgx.Tx) error {
		o, err := own(ctx, tx, run, 0)
		if err != nil {
			return err
		}
		if now, err = s.now(ctx, tx); err != nil {
			return err
		}
		if err := change(tx, o, now); err != nil {
			return err
		}
		changed = &o.Run
		return saveRun(ctx, tx, o.account, &o.StoredRun)
	})
	return changed, now, err
}

// RestartRun implements [directory.Store].
func (s *Store) RestartRun(ctx context.Context, run *directory.Run) error {
	next, _, err := s.change(ctx, run, func(tx pgx.Tx, o *owned, _ time.Time) error {
		if err := forget(ctx, tx, o.integrationKey, run.ID); err != nil {
			return err
		}
		var had, newest int64
		err := tx.QueryRow(ctx, "SELECT contacts, "+newestKey+" FROM contactbridge.integrations WHERE account = $1 AND id = $2", o.account, o.integration).Scan(&had, &newest)
		o.Restart(had, newest)
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
	_, now, err := s.change(ctx, run, func(_ pgx.Tx, o *owned, now time.Time) error {
		o.Fail(cause, hint, now)
		return nil
	})
	if err != nil {
		return fmt.Errorf("end the run: %w", err)
	}
	run.Fail(cause, hint, now)
	return nil
}

// RenewLease implements [directory.Store].
func (s *Store) RenewLease(ctx context.Context, run *directory.Run, lease time.Duration) error {
	_, _, err := s.change(ctx, run, func(_ pgx.Tx, o *owned, now time.Time) error {
		o.Renew(now, lease)
		return nil
	})
	if err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	return nil
}
