// Package postgresdb opens the PostgreSQL databases that hold contactbridge's tables, the directory's and the registry's, and
// brings their tables up to date. All tables lie in one schema, and any number of processes may start on a database at once.
package postgresdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/upgrade"
)

// Schema holds all tables.
const Schema = "contactbridge"

const oldestServer = 130000

// Tables describe the tables of one part of contactbridge, and how they come to be what this release needs.
type Tables struct {
	Name         string                    // of the part, for people: "directory"
	Lock         int64                     // advisory lock of the process that brings them up to date
	Migrations   fs.FS                     // SQL of their versions
	Folder       string                    // of Migrations, in which they are
	GoMigrations func() []*goose.Migration // those that need code; nil: none
	Versions     string                    // table of the versions that were applied, with its schema
	Steps        map[int64]string          // what each version of the tables brings, for people
}

// Parse reads a database's URL, postgres://user:password@host/name. A process holds at most so many connections, unless the URL
// says otherwise (pool_max_conns). No error holds the password.
func Parse(dsn string, connections int32) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil { // the cause may hold a piece of the password
		return nil, &failure.Error{
			Message: "the database's URL cannot be read",
			Hint:    "write it as postgres://user:password@host:5432/name, with %40 for @, %2F for /, %3A for : and %25 for % in the password",
		}
	}
	if u, err := url.Parse(dsn); err == nil && !u.Query().Has("pool_max_conns") {
		cfg.MaxConns = connections
	}
	cfg.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, CancelRequestDelay: cancelAfter, DeadlineDelay: breakAfter}
	}
	return cfg, nil
}

// When the caller of a statement has given up, the statement may run for cancelAfter. Then the server is asked to cancel it. If that does not
// help, the connection is closed after breakAfter. Without these limits the driver closes it at once: every late answer costs a connection,
// and opening new ones keeps a busy server busy.
const (
	cancelAfter = 500 * time.Millisecond
	breakAfter  = 2 * time.Second
)

// Connect opens a single connection. No error holds the password.
func Connect(ctx context.Context, dsn string) (*pgx.Conn, error) {
	cfg, err := Parse(dsn, 1)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	return conn, Explain(err)
}

// Upgrade makes the tables or brings them up to date. Of processes that start at once, one does it and the others wait, on a
// connection of their own. The lock is a transaction's: a pooler in between, such as PgBouncer, would keep a session's for ever. Where
// there is nothing to do, it takes no lock and no second connection.
func (t *Tables) Upgrade(ctx context.Context, pool *pgxpool.Pool) error {
	if done, err := t.upToDate(ctx, pool); err != nil || done {
		return Explain(err)
	}
	return Explain(t.alone(ctx, pool.Config().ConnConfig, func() error {
		if err := makeSchema(ctx, pool); err != nil {
			return fmt.Errorf("make the schema %s: %w", Schema, err)
		}
		return t.up(ctx, pool)
	}))
}

// upToDate reports whether the tables are those of this release. A version is noted in the transaction that makes it. Goose would ask pg_tables
// first, a view whose plan takes longer than all of this.
func (t *Tables) upToDate(ctx context.Context, pool *pgxpool.Pool) (bool, error) {
	there, err := t.there(ctx, pool)
	if err != nil || !there {
		return false, err
	}
	var current *int64
	if err := pool.QueryRow(ctx, "SELECT max(version_id) FROM "+t.Versions).Scan(&current); err != nil || current == nil {
		return false, err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := t.provider(db)
	if err != nil {
		return false, err
	}
	sources := provider.ListSources()
	return *current == sources[len(sources)-1].Version, nil
}

// there reports whether there are such tables, of any version.
func (t *Tables) there(ctx context.Context, pool *pgxpool.Pool) (there bool, err error) {
	err = pool.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", t.Versions).Scan(&there)
	return there, err
}

// alone does something while no other process does it to these tables.
func (t *Tables) alone(ctx context.Context, cfg *pgx.ConnConfig, do func() error) error {
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
		return &failure.Error{Message: fmt.Sprintf("the server is PostgreSQL %d", server/10000), Hint: "use 13 or newer"}
	}
	lock, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := lock.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", t.Lock); err != nil {
		return err
	}
	return do()
}

// makeSchema makes the schema if it is missing: a user who may not make one can be given one.
func makeSchema(ctx context.Context, pool *pgxpool.Pool) error {
	var there bool
	if err := pool.QueryRow(ctx, "SELECT to_regnamespace($1) IS NOT NULL", Schema).Scan(&there); err != nil || there {
		return err
	}
	_, err := pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+Schema)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Code == "23505" || e.Code == "42P06") {
		return nil // another part made it at the same moment
	}
	return err
}

// Plan returns what [Tables.Upgrade] would do to a database, and changes nothing; nil where it would do nothing, or make everything.
func (t *Tables) Plan(ctx context.Context, dsn string) (*upgrade.Plan, error) {
	cfg, err := Parse(dsn, 1)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, Explain(err)
	}
	defer pool.Close()
	if there, err := t.there(ctx, pool); err != nil || !there {
		return nil, Explain(err)
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := t.provider(db)
	if err != nil {
		return nil, err
	}
	current, err := provider.GetDBVersion(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the schema's version: %w", Explain(err))
	}
	return upgrade.New(t.Name, current, provider.ListSources(), t.Steps)
}

func (t *Tables) provider(db *sql.DB) (*goose.Provider, error) {
	folder, err := fs.Sub(t.Migrations, t.Folder)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithTableName(t.Versions)}
	if t.GoMigrations != nil {
		options = append(options, goose.WithGoMigrations(t.GoMigrations()...))
	}
	return goose.NewProvider(database.DialectPostgres, db, folder, options...)
}

func (t *Tables) up(ctx context.Context, pool *pgxpool.Pool) error {
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := t.provider(db)
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("read the schema's version: %w", err)
	case current == target:
		return nil
	case current > target:
		return upgrade.Newer(t.Name, current, target)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}

// Explain adds what the operator can do about an error of PostgreSQL.
func Explain(err error) error {
	if err == nil || failure.Of(err).Message != "" {
		return err
	}
	if errors.As(err, new(*pgconn.ConnectError)) && !errors.As(err, new(*pgconn.PgError)) {
		return &failure.Error{Message: "the database cannot be reached", Hint: "is the server running, and are host and port in the URL right?", Err: err}
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
			return &failure.Error{Message: known.message, Hint: known.hint, Err: err}
		}
	}
	return err
}
