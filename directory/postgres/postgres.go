// Package postgres is the directory past one machine: a PostgreSQL database that any number of processes share.
//
// A page is one transaction, and its run's row is locked in it, so that of two workers on one run only one writes (T8). Leases
// are judged by the database's clock: machines need not agree about the time. All tables lie in the schema contactbridge and are
// keyed by account first.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/contactbridge/contactbridge/directory"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	poolSize = 16 // connections of a process, unless the URL says pool_max_conns

	// migrationLock is the advisory lock of whoever brings the schema up to date ("cbdr").
	migrationLock = 0x63626472
	versions      = "contactbridge.directory_migrations"
	oldestServer  = 130000
)

// A Store is a directory in a PostgreSQL database.
type Store struct {
	pool  *pgxpool.Pool
	clock func() time.Time // nil: the database's

	accounts sync.Map // name → id; neither ever changes once it is there
}

var _ directory.Store = (*Store)(nil)

// An Option changes how a directory is opened.
type Option func(*Store)

// WithClock sets the clock that leases and times are taken from, instead of the database's.
func WithClock(clock func() time.Time) Option { return func(s *Store) { s.clock = clock } }

// Open opens the directory in a database, postgres://user:password@host/name, and makes its tables where there are none, or
// brings them up to date. Any number of processes may do so at once. What can be mended by the operator is a
// [*directory.Error]; no error holds the password.
func Open(ctx context.Context, dsn string, opts ...Option) (*Store, error) {
	cfg, err := parse(dsn)
	if err != nil {
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	if u, err := url.Parse(dsn); err == nil && !u.Query().Has("pool_max_conns") {
		cfg.MaxConns = poolSize
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	s := &Store{pool: pool}
	for _, set := range opts {
		set(s)
	}
	if err := s.migrate(ctx, cfg.ConnConfig); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open the directory on PostgreSQL: %w", explained(err))
	}
	return s, nil
}

// Connect opens a single connection to a directory's database, for what is no store's work. Its errors are as those of [Open].
func Connect(ctx context.Context, dsn string) (*pgx.Conn, error) {
	cfg, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	return conn, explained(err)
}

func parse(dsn string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil { // the cause may hold a piece of the password
		return nil, &directory.Error{
			Message: "the database's URL cannot be read",
			Hint:    "write it as postgres://user:password@host:5432/name, with %40 for @, %2F for /, %3A for : and %25 for % in the password",
		}
	}
	return cfg, nil
}

// Close closes the connections.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// migrate brings the schema up to date. Of processes that start at once, one does it and the others wait, on a connection of
// their own. The lock is a transaction's: a pooler in between, such as PgBouncer, would keep a session's for ever.
func (s *Store) migrate(ctx context.Context, cfg *pgx.ConnConfig) (err error) {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var server int
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&server); err != nil {
		return err
	}
	if server < oldestServer {
		return &directory.Error{Message: fmt.Sprintf("the server is PostgreSQL %d", server/10000), Hint: "use 13 or newer"}
	}
	lock, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := lock.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return err
	}
	if err := makeSchema(ctx, s.pool); err != nil {
		return fmt.Errorf("make the schema contactbridge: %w", err)
	}
	return s.up(ctx)
}

// makeSchema makes the schema where there is none: a user who may not make one can be given one.
func makeSchema(ctx context.Context, conn *pgxpool.Pool) error {
	var there bool
	if err := conn.QueryRow(ctx, "SELECT to_regnamespace('contactbridge') IS NOT NULL").Scan(&there); err != nil || there {
		return err
	}
	_, err := conn.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS contactbridge")
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Code == "23505" || e.Code == "42P06") {
		return nil // the registry made it at the same moment
	}
	return err
}

func (s *Store) up(ctx context.Context) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	table, err := database.NewStore(database.DialectPostgres, versions)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider("", db, folder, goose.WithStore(table), goose.WithGoMigrations(respell()))
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return &directory.Error{
			Message: fmt.Sprintf("a newer contactbridge made the directory (schema %d, this one knows %d)", current, target),
			Hint:    "update contactbridge, or choose another database",
		}
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
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
	defer func() { _ = tx.Rollback(ended) }() // no-op behind a commit
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

// now is the time in Unix ms.
func (s *Store) now(ctx context.Context, tx pgx.Tx) (now int64, err error) {
	if s.clock != nil {
		return s.clock().UnixMilli(), nil
	}
	err = tx.QueryRow(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").Scan(&now)
	return now, err
}

// moment is a stored time, Unix milliseconds; zero for 0.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// explained adds what the operator can do about an error of PostgreSQL.
func explained(err error) error {
	if err == nil || errors.As(err, new(*directory.Error)) {
		return err
	}
	if errors.As(err, new(*pgconn.ConnectError)) && !errors.As(err, new(*pgconn.PgError)) {
		return &directory.Error{Message: "the database cannot be reached", Hint: "is the server running, and are host and port in the URL right?", Err: err}
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	for _, known := range []struct{ code, message, hint string }{
		{"28", "the database refused the credentials", "check the user and the password in the URL, and pg_hba.conf on the server"},
		{"3D000", "the database does not exist", "make it with createdb, or correct its name in the URL"},
		{"42501", "the database user lacks a privilege", "CREATE SCHEMA contactbridge AUTHORIZATION the user of the URL"},
		{"26000", "a pooler such as PgBouncer lost a prepared statement", "add default_query_exec_mode=exec to the URL"},
		{"42P05", "a pooler such as PgBouncer mixed prepared statements up", "add default_query_exec_mode=exec to the URL"},
		{"25006", "the database is read-only", "give the primary's address, not a standby's"},
		{"53", "the server is out of connections, memory or disk", "raise its limit, or lower pool_max_conns in the URL"},
	} {
		if len(e.Code) >= len(known.code) && e.Code[:len(known.code)] == known.code {
			return &directory.Error{Message: known.message, Hint: known.hint, Err: err}
		}
	}
	return err
}
