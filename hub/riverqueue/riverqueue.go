// Package riverqueue lets River, a job queue in PostgreSQL, carry a hub's due integrations to workers on any number of machines.
//
// What is due, and who may run it, is the registry's knowledge: a job only carries a claim. A job that comes twice, or late,
// finds its claim gone and does nothing; if a worker dies, its job is replaced by a new one as soon as its claim has expired.
package riverqueue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

const (
	schema    = "contactbridge_jobs" // of River's tables
	queueName = "runs"

	tickEvery = time.Second
	waitHold  = time.Minute           // how long a claim may wait in the queue
	workHold  = 15 * time.Second      // a worker without a sign of life for so long has died
	fetchRest = 20 * time.Millisecond // between two looks into the queue: short runs would otherwise leave workers without one
	backlog   = 4                     // jobs that wait for each worker of this process before it claims no more
	connects  = 4                     // connections for the queue's own work
	tidyEvery = 10 * time.Minute
)

// A Queue is River on one database. Use [Open].
type Queue struct{ pool *pgxpool.Pool }

var _ hub.Dispatcher = (*Queue)(nil)

// Open connects to the database and makes River's tables, or brings them up to date, in a schema of their own. Any number of
// processes may do so at once.
func Open(ctx context.Context, dsn string) (*Queue, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("open the job queue: the database URL cannot be read") // the cause may hold the password
	}
	cfg.MaxConns = max(cfg.MaxConns, connects)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the job queue: %w", err)
	}
	q := &Queue{pool: pool}
	if err := q.migrate(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open the job queue: %w", err)
	}
	return q, nil
}

// migrationLock is a PostgreSQL advisory lock: processes that start together make the tables one after the other. It is a
// transaction's: a pooler in between, such as PgBouncer, would keep a session's for ever.
const migrationLock = 0x636f6e7461637462

func (q *Queue) migrate(ctx context.Context) error {
	lock, err := q.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := lock.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return err
	}
	if _, err := q.pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+schema); err != nil {
		return err
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(q.pool), &rivermigrate.Config{Schema: schema, Logger: quiet()})
	if err != nil {
		return err
	}
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// Close gives the connections back.
func (q *Queue) Close() { q.pool.Close() }

// A job is one claim on its way to a worker.
type job struct {
	Account     string `json:"account"`
	Integration string `json:"integration"`
	Token       string `json:"token"`
}

// Kind implements [river.JobArgs].
func (job) Kind() string { return "contactbridge.run" }

// A worker runs jobs in this process.
type worker struct {
	river.WorkerDefaults[job]
	hub   *hub.Hub
	ended func() // tells that a job is done
}

// Timeout says that a run may take as long as it does: its own limits end it.
func (*worker) Timeout(*river.Job[job]) time.Duration { return -1 }

// Work does the run that a job is for. What comes of it is in the registry: the job itself always succeeds.
func (w *worker) Work(ctx context.Context, j *river.Job[job]) error {
	defer w.ended()
	key := directory.Key{Account: j.Args.Account, Integration: j.Args.Integration}
	c, err := w.hub.Registry.Claimed(ctx, key, j.Args.Token, w.hub.Name(), workHold)
	switch {
	case errors.Is(err, registry.ErrClaimLost), errors.Is(err, registry.ErrNotFound):
		return nil // another job carries it by now, or it is gone
	case err != nil:
		return fmt.Errorf("take the claim: %w", err) // it expires, and is handed out again
	}
	w.hub.RunClaim(ctx, c)
	return nil
}

// Dispatch brings what is due into the queue, and runs what comes out of it in this process, until ctx is done.
func (q *Queue) Dispatch(ctx context.Context, h *hub.Hub) error {
	workers := river.NewWorkers()
	drain := newDrain(h.Workers())
	if err := river.AddWorkerSafely(workers, &worker{hub: h, ended: drain.ended}); err != nil {
		return err
	}
	log := logger(h.Logger)
	client, err := river.NewClient(riverpgxv5.New(q.pool), &river.Config{
		Schema: schema, Workers: workers, Logger: log, JobTimeout: -1,
		Queues:            map[string]river.QueueConfig{queueName: {MaxWorkers: h.Workers()}},
		FetchCooldown:     fetchRest,
		FetchPollInterval: tickEvery,
		// A job that is done says nothing that the runs do not.
		CompletedJobRetentionPeriod: 10 * time.Minute, DiscardedJobRetentionPeriod: time.Hour, CancelledJobRetentionPeriod: time.Hour,
	})
	if err != nil {
		return fmt.Errorf("set up the job queue: %w", err)
	}
	// River is stopped by us, so that runs end at a page's end and give their claims back.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the job queue: %w", err)
	}
	q.fill(ctx, h, client, drain, log)
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	if err := client.StopAndCancel(patience); err != nil {
		return fmt.Errorf("stop the job queue: %w", err)
	}
	return nil
}

// A drain tells when so many jobs have ended that the queue wants more. Where much is due, one look a second would bound how much a
// process does, however short its runs are.
type drain struct {
	each  int64 // jobs
	count atomic.Int64
	low   chan struct{} // gets a value after each of them
}

func newDrain(each int) *drain { return &drain{each: int64(each), low: make(chan struct{}, 1)} }

func (d *drain) ended() {
	if d.count.Add(1)%d.each != 0 {
		return
	}
	select {
	case d.low <- struct{}{}:
	default:
	}
}

// fill brings what is due into the queue until ctx is done: once a second, and where more is due than the queue takes, again whenever as
// many jobs have ended as this process does at once.
func (q *Queue) fill(ctx context.Context, h *hub.Hub, client *river.Client[pgx.Tx], drain *drain, log *slog.Logger) {
	tick, tidy := time.NewTicker(tickEvery), time.NewTicker(tidyEvery)
	defer tick.Stop()
	defer tidy.Stop()
	for {
		more, err := q.enqueue(ctx, h, client)
		if err != nil && ctx.Err() == nil {
			log.Error("could not queue what is due", "error", err)
		}
		low := drain.low
		if !more {
			low = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-low:
		case <-tidy.C:
			if err := q.tidy(ctx); err != nil && ctx.Err() == nil {
				log.Error("could not tidy the queue", "error", err)
			}
		}
	}
}

// tidy deletes the jobs that died with their workers. River would wait for them for ever: a run may take as long as it does.
func (q *Queue) tidy(ctx context.Context) error {
	_, err := q.pool.Exec(ctx, "DELETE FROM "+schema+".river_job WHERE state = 'running' AND attempted_at < now() - interval '1 day'")
	return err
}

// enqueue claims what is due and makes a job of each claim. It claims no more than workers get to soon: what waits too long
// is claimed again, and its first job is for nothing. Nor does it let one account fill the queue: what is more than its share of
// what waits is left where it is. It reports whether more may be due than the queue took.
func (q *Queue) enqueue(ctx context.Context, h *hub.Hub, client *river.Client[pgx.Tx]) (more bool, err error) {
	waiting, full, err := q.waiting(ctx, backlog*h.PerAccount(ctx))
	if err != nil {
		return false, fmt.Errorf("count the jobs that wait: %w", err)
	}
	room := backlog*h.Workers() - waiting
	claims, err := h.Claim(ctx, room, waitHold, full...)
	if err != nil || len(claims) == 0 {
		return err == nil && room <= 0, err
	}
	jobs := make([]river.InsertManyParams, 0, len(claims))
	for _, c := range claims {
		jobs = append(jobs, river.InsertManyParams{
			Args:       job{Account: c.Account, Integration: c.Key.Integration, Token: c.Token},
			InsertOpts: &river.InsertOpts{Queue: queueName, MaxAttempts: 1},
		})
	}
	// Where this fails, the claims expire and are handed out again.
	if _, err := client.InsertManyFast(ctx, jobs); err != nil {
		return false, fmt.Errorf("queue %d runs: %w", len(jobs), err)
	}
	return len(claims) == room || len(full) > 0, nil
}

// waiting counts the jobs that wait, and names the accounts of which at least so many do.
func (q *Queue) waiting(ctx context.Context, most int) (all int, full []string, err error) {
	rows, err := q.pool.Query(ctx, "SELECT args->>'account', count(*) FROM "+schema+".river_job WHERE state = 'available' GROUP BY 1")
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var account string
		var n int
		if err := rows.Scan(&account, &n); err != nil {
			return 0, nil, err
		}
		if all += n; n >= most {
			full = append(full, account)
		}
	}
	return all, full, rows.Err()
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// logger keeps River's own chatter out of the hub's log, and what repeats while the database is away.
func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return quiet()
	}
	return slog.New(warnings{hub.Seldom(l.Handler())})
}

// warnings lets only warnings and worse through.
type warnings struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}
