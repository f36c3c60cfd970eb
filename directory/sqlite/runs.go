package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

var (
	runColumns = directory.SelectRun(false) // of runs r

	findNewestRun = "SELECT " + runColumns + " FROM runs r WHERE r.integration = ? ORDER BY r.pk DESC LIMIT 1"
	// The key is the database's to give, and comes last where a run is saved.
	makeRun   = "INSERT INTO runs (integration, " + strings.Join(withoutKey(), ", ") + ") VALUES (?" + strings.Repeat(", ?", len(withoutKey())) + ")"
	updateRun = "UPDATE runs SET " + strings.Join(withoutKey(), " = ?, ") + " = ? WHERE pk = ?"
)

func withoutKey() []string { return directory.RunColumns()[1:] }

// newestKey is the greatest key that any contact has had so far.
const newestKey = "(SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'contacts')"

// newestRun reads an integration's newest run; nil where it has none.
func newestRun(ctx context.Context, tx *writer, integration int64) (*directory.StoredRun, error) {
	run := &directory.StoredRun{}
	err := tx.queryRow(ctx, findNewestRun, []any{integration}, run.Fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return run, err
}

// saveRun writes a run as it is now.
func saveRun(ctx context.Context, tx *writer, run *directory.StoredRun) error {
	values := run.Values()
	_, err := tx.ExecContext(ctx, updateRun, append(values[1:], values[0])...)
	return err
}

// StartRun implements [directory.Store].
func (s *Store) StartRun(ctx context.Context, key directory.Key, start directory.Start) (*directory.Run, error) {
	var run *directory.StoredRun
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

// resume goes on with the newest run, or abandons it; nil where there is nothing to go on with.
func (s *Store) resume(ctx context.Context, tx *writer, integration int64, start directory.Start) (*directory.StoredRun, error) {
	run, err := newestRun(ctx, tx, integration)
	if err != nil || run == nil {
		return nil, err
	}
	switch resumption, err := run.Continue(start, s.clock()); {
	case err != nil || resumption == directory.NothingToResume:
		return nil, err
	case resumption == directory.RunResumed:
		return run, saveRun(ctx, tx, run)
	}
	if err := unmark(ctx, tx, run.ID); err != nil {
		return nil, err
	}
	return nil, saveRun(ctx, tx, run)
}

// begin opens a new run from the integration's checkpoint, or an initial one.
func (s *Store) begin(ctx context.Context, tx *writer, integration int64, start directory.Start) (*directory.StoredRun, error) {
	var had, newest int64
	var checkpoint string
	err := tx.queryRow(ctx, "SELECT checkpoint, contacts, "+newestKey+" FROM integrations WHERE pk = ?", []any{integration}, &checkpoint, &had, &newest)
	if err != nil {
		return nil, err
	}
	run := directory.NewRun(start, checkpoint, had, newest, s.clock())
	result, err := tx.ExecContext(ctx, makeRun, append([]any{integration}, run.Values()[1:]...)...)
	if err != nil {
		return nil, err
	}
	if run.ID, err = result.LastInsertId(); err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM runs WHERE integration = ?1 AND pk <= (SELECT pk FROM runs WHERE integration = ?1 ORDER BY pk DESC LIMIT 1 OFFSET ?2)",
		integration, directory.KeptRuns)
	return run, err
}

// change changes a run that is this process's, and returns it as it is then.
func (s *Store) change(ctx context.Context, run *directory.Run, change func(tx *writer, o *owned) error) (*directory.Run, error) {
	var changed *directory.Run
	err := s.writer.transaction(ctx, func(tx *writer) error {
		o, err := own(ctx, tx, run, 0)
		if err != nil {
			return err
		}
		if err := change(tx, o); err != nil {
			return err
		}
		changed = &o.Run
		return saveRun(ctx, tx, &o.StoredRun)
	})
	return changed, err
}

// RestartRun implements [directory.Store].
func (s *Store) RestartRun(ctx context.Context, run *directory.Run) error {
	next, err := s.change(ctx, run, func(tx *writer, o *owned) error {
		if err := unmark(ctx, tx, run.ID); err != nil {
			return err
		}
		var had, newest int64
		err := tx.queryRow(ctx, "SELECT contacts, "+newestKey+" FROM integrations WHERE pk = ?", []any{o.integration}, &had, &newest)
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
	now := s.clock()
	_, err := s.change(ctx, run, func(_ *writer, o *owned) error {
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
	_, err := s.change(ctx, run, func(_ *writer, o *owned) error {
		o.Renew(s.clock(), lease)
		return nil
	})
	if err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	return nil
}
