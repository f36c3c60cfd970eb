// Package postgres is the directory past one machine: a PostgreSQL database that any number of processes share.
//
// A page is one transaction, and its run's row is locked in it, so that of two workers on one run only one writes (T8). Leases
// are judged by the database's clock: machines need not agree about the time. All tables lie in the schema contactbridge and are
// keyed by account first.
package postgres

import (
	"context"
	"embed"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/internal/postgresdb"
	"github.com/contactbridge/contactbridge/internal/upgrade"
)

//go:embed migrations/*.sql
var migrations embed.FS

const poolSize = 16 // connections of a process, unless the URL says pool_max_conns

// tables are a directory's. Their lock is "cbdr".
var tables = &postgresdb.Tables{
	Name: "directory", Lock: 0x63626472, Versions: postgresdb.Schema + ".directory_migrations",
	Migrations: migrations, Folder: "migrations", GoMigrations: func() []*goose.Migration { return []*goose.Migration{respell()} },
	Steps: map[int64]string{
		1: "contacts, numbers, runs", 2: "what to do about a failed run", 3: "deletions that wait for a decision",
		9:  "every contact is entered anew, so that it is found by other spellings, which takes a while",
		10: "when each contact was changed last", 11: "agents",
		12: "which contacts are in which phonebook", 13: "the words of names in phonebooks",
		15: "which contacts each page of a run has shown",
		17: "numbers of integrations and phonebooks that every node of a cluster can give",
	},
}

// A Store is a directory in a PostgreSQL database.
type Store struct {
	pool  *pgxpool.Pool
	clock func() time.Time // nil: the database's
	rules *directory.Rules // of books

	accounts sync.Map // name → id; neither ever changes once it is there
	orders   directory.Orders
}

var _ directory.Store = (*Store)(nil)

// An Option changes how a directory is opened.
type Option func(*Store)

// WithClock sets the clock that leases and times are taken from, instead of the database's.
func WithClock(clock func() time.Time) Option { return func(s *Store) { s.clock = clock } }

// WithJudges says what the rules of books mean. Without it the store changes no book but for contacts that are deleted, and notes that
// the others are to be judged by a process that knows.
func WithJudges(judges directory.Judges) Option {
	return func(s *Store) { s.rules = directory.NewRules(judges) }
}

// Plan returns what opening the directory in a database would change in it; nil where it would change nothing.
func Plan(ctx context.Context, dsn string) (*upgrade.Plan, error) { return tables.Plan(ctx, dsn) }

// Open opens the directory in a database, postgres://user:password@host/name, and makes its tables if they are missing, or
// brings them up to date. Any number of processes may do so at once. What can be mended by the operator is a
// [*failure.Error]; no error holds the password.
func Open(ctx context.Context, dsn string, opts ...Option) (*Store, error) {
	cfg, err := postgresdb.Parse(dsn, poolSize)
	if err != nil {
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	s := &Store{pool: pool}
	for _, set := range opts {
		set(s)
	}
	if err := tables.Upgrade(ctx, pool); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open the directory on PostgreSQL: %w", err)
	}
	return s, nil
}

// Close closes the connections.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// transaction does everything of f or nothing. A caller who gives up before the commit gets nothing; one who gives up during it
// gets its outcome all the same, if it comes within commitGrace, or would not know whether to hand the page over again.
func (s *Store) transaction(ctx context.Context, f func(tx pgx.Tx) error) error {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return explained(err)
	}
	ended, end := outlive(ctx, commitGrace)
	defer end()
	defer func() { _ = tx.Rollback(ended) }() // no-op after a commit
	if err := f(tx); err != nil {
		return explained(err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return explained(tx.Commit(ended))
}

// commitGrace is how long a transaction may take to end when its caller has gone.
const commitGrace = 5 * time.Second

// outlive is a context that ends a while after ctx does.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() {
		stop()
		cancel()
	}
}

const clockNow = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"

// now is the time, to the millisecond.
func (s *Store) now(ctx context.Context, tx pgx.Tx) (time.Time, error) {
	if s.clock != nil {
		return directory.Moment(s.clock().UnixMilli()), nil
	}
	var now int64
	err := tx.QueryRow(ctx, clockNow).Scan(&now)
	return directory.Moment(now), err
}

// explained adds what the operator can do about an error of PostgreSQL.
func explained(err error) error { return postgresdb.Explain(err) }
