package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/contactbridge/contactbridge/directory"
)

// poolSize is how many connections a process holds unless the URL says so with pool_max_conns.
const poolSize = 8

// migrationLock is the advisory lock of whoever brings the schema up to date ("cbhb").
const migrationLock = 0x63626862

func postgresDialect() *dialect {
	return &dialect{
		// The directory may share the schema, so the registry's tables say whose they are. The schema stands before each of
		// them: a search_path would be lost behind a pooler.
		words: strings.NewReplacer("hub.", "contactbridge.hub_",
			"{lock}", "FOR UPDATE", "{skip}", "FOR UPDATE SKIP LOCKED", "{skip w, d}", "FOR UPDATE OF w, d SKIP LOCKED"),
		refusal: refusedByPostgres,
		explain: explainedPostgres,
	}
}

func openPostgres(ctx context.Context, at string, o Options) (*DB, error) {
	d := &DB{dialect: postgresDialect(), options: o}
	if err := d.connectPostgres(ctx, at); err != nil {
		return nil, errors.Join(fmt.Errorf("open the registry on PostgreSQL: %w", err), d.Close())
	}
	return d, nil
}

func (d *DB) connectPostgres(ctx context.Context, at string) error {
	config, err := pgxpool.ParseConfig(at)
	if err != nil {
		// The driver's text may hold a piece of the password.
		return &directory.Error{
			Message: "the database's URL cannot be read",
			Hint:    "write it as postgres://user:password@host:5432/name, with %40 for @, %2F for /, %3A for : and %25 for % in the password",
		}
	}
	if u, err := url.Parse(at); err == nil && !u.Query().Has("pool_max_conns") {
		config.MaxConns = poolSize
	}
	if d.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	d.writer = stdlib.OpenDBFromPool(d.pool)
	d.reader = d.writer
	return migratePostgres(ctx, config.ConnConfig, d.writer)
}

// migratePostgres brings the schema up to date. Of processes that start at once, one does it and the others wait, on a
// connection of their own. The lock is a transaction's: a pooler in between, such as PgBouncer, would keep a session's for ever.
func migratePostgres(ctx context.Context, config *pgx.ConnConfig, db *sql.DB) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return explainedPostgres(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	lock, err := conn.Begin(ctx)
	if err != nil {
		return explainedPostgres(err)
	}
	defer func() { _ = lock.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := lock.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return explainedPostgres(err)
	}
	if err := makeSchema(ctx, db); err != nil {
		return explainedPostgres(fmt.Errorf("make the schema contactbridge: %w", err))
	}
	return explainedPostgres(migrate(ctx, db))
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, db *sql.DB) error {
	statements, err := fs.Sub(migrations, "migrations/postgres")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(database.DialectPostgres, db, statements, goose.WithTableName("contactbridge.registry_migrations"))
	if err != nil {
		return err
	}
	sources := provider.ListSources()
	target := sources[len(sources)-1].Version
	current, err := provider.GetDBVersion(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("read the schema's version: %w", err)
	case current == target:
		return nil
	case current > target:
		return &directory.Error{
			Message: fmt.Sprintf("a newer contactbridge made the registry (schema %d, this one knows %d)", current, target),
			Hint:    "update contactbridge here as well, or choose another database",
		}
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}

// makeSchema makes the schema where there is none: a user who may not make one can be given one.
func makeSchema(ctx context.Context, db *sql.DB) error {
	var there bool
	if err := db.QueryRowContext(ctx, "SELECT to_regnamespace('contactbridge') IS NOT NULL").Scan(&there); err != nil || there {
		return err
	}
	_, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS contactbridge")
	if refusedByPostgres(err) == refusedDouble { // the directory made it at the same moment
		return nil
	}
	return err
}

func refusedByPostgres(err error) refusal {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "23505", "42P06":
			return refusedDouble
		case "23503":
			return refusedMissing
		}
	}
	return refusedNot
}

// explainedPostgres adds what the operator can do about an error of PostgreSQL.
func explainedPostgres(err error) error {
	if errors.As(err, new(*directory.Error)) {
		return err
	}
	if errors.As(err, new(*pgconn.ConnectError)) && !errors.As(err, new(*pgconn.PgError)) {
		return &directory.Error{Message: "the database cannot be reached", Hint: "is the server running, and are host and port in the URL right?", Err: err}
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	switch class := e.Code[:min(2, len(e.Code))]; {
	case class == "28":
		return &directory.Error{Message: "the database refused the credentials", Hint: "check the user and the password in the URL, and pg_hba.conf on the server", Err: err}
	case e.Code == "3D000":
		return &directory.Error{Message: "the database does not exist", Hint: "make it with createdb, or correct its name in the URL", Err: err}
	case e.Code == "42501":
		return &directory.Error{Message: "the database user lacks a privilege", Hint: "CREATE SCHEMA contactbridge AUTHORIZATION the user of the URL", Err: err}
	case e.Code == "26000" || e.Code == "42P05":
		return &directory.Error{Message: "a pooler such as PgBouncer mixed prepared statements up", Hint: "add default_query_exec_mode=exec to the URL", Err: err}
	case e.Code == "25006":
		return &directory.Error{Message: "the database is read-only", Hint: "give the primary's address, not a standby's", Err: err}
	case class == "53":
		return &directory.Error{Message: "the server is out of connections, memory or disk", Hint: "raise its limit, or lower pool_max_conns in the URL", Err: err}
	}
	return err
}
