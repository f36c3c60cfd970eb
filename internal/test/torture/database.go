package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "modernc.org/sqlite" // the SQLite driver

	"github.com/contactbridge/contactbridge/internal/test/pgtest"
)

// A database is the external service under torture: one table of customers with a version each.
type database interface {
	begin(ctx context.Context, random *rand.Rand) (transaction, error)
	// rows reads id → version of every customer, negative where it is marked as deleted.
	rows(ctx context.Context) (map[int64]int64, error)
	// source is the bridge's source configuration, in YAML, with the margins that this database needs.
	source() string
	// crash kills the database server and starts it again; errNoServer if there is no server.
	crash(ctx context.Context) error
	close() error
}

// A transaction writes customers. It chooses its stamps as its database's users would.
type transaction interface {
	put(ctx context.Context, ids, versions []int64, to moving) error
	markDeleted(ctx context.Context, ids, versions []int64) error
	remove(ctx context.Context, ids []int64) error
	commit(ctx context.Context) error
	rollback(ctx context.Context)
}

var errNoServer = errors.New("the database has no server to kill")

type postgresDatabase struct {
	server *pgtest.Server
	pool   *pgxpool.Pool
	stamps stamping
}

func newPostgres(ctx context.Context, stamps stamping) (*postgresDatabase, error) {
	server, err := pgtest.Start(ctx)
	if err != nil {
		return nil, err
	}
	d := &postgresDatabase{server: server, stamps: stamps}
	if d.pool, err = pgxpool.New(ctx, server.DSN("postgres")+"&pool_max_conns=40"); err == nil {
		_, err = d.pool.Exec(ctx, `
			CREATE TABLE customers (id bigint PRIMARY KEY, version bigint NOT NULL, updated_at `+stamps.postgresType()+`, deleted_at timestamptz);
			CREATE INDEX ON customers (updated_at, id);
			CREATE USER reader PASSWORD 'reader'; GRANT SELECT ON customers TO reader; GRANT pg_read_all_stats TO reader;`)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *postgresDatabase) source() string {
	return fmt.Sprintf(`{kind: postgres, dsn: %q, table: customers, id: id, updated: updated_at, deleted: deleted_at,
      fields: {name: "'Customer ' || id", title: version, phones: "'+1212' || (2000000 + id)"}}`, d.server.DSNFor("reader", "reader", "postgres"))
}

func (d *postgresDatabase) crash(ctx context.Context) error {
	d.server.Kill()
	return d.server.Launch(ctx)
}

func (d *postgresDatabase) close() error {
	if d.pool != nil {
		d.pool.Close()
	}
	return d.server.Stop()
}

func (d *postgresDatabase) rows(ctx context.Context) (map[int64]int64, error) {
	rows, err := d.pool.Query(ctx, "SELECT id, CASE WHEN deleted_at IS NULL THEN version ELSE -version END FROM customers")
	if err != nil {
		return nil, err
	}
	all := map[int64]int64{}
	var id, v int64
	_, err = pgx.ForEachRow(rows, []any{&id, &v}, func() error { all[id] = v; return nil })
	return all, err
}

func (d *postgresDatabase) begin(ctx context.Context, random *rand.Rand) (transaction, error) {
	tx, err := d.pool.Begin(ctx)
	stamps := []string{"now()", "now()", "statement_timestamp()", "clock_timestamp()"}
	return &postgresTransaction{tx, d.stamps, d.stamps.postgres(stamps[random.IntN(4)]), random}, err
}

type postgresTransaction struct {
	tx     pgx.Tx
	stamps stamping
	stamp  string
	random *rand.Rand
}

func (t *postgresTransaction) put(ctx context.Context, ids, versions []int64, to moving) error {
	stamp, args := t.stamp, []any{ids, versions}
	if to != forward {
		stamp, args = "$3::"+t.stamps.postgresType(), append(args, t.stamps.postgresMoved(to, t.random))
	}
	_, err := t.tx.Exec(ctx, `INSERT INTO customers AS c (id, version, updated_at)
		SELECT i, v, `+stamp+` FROM unnest($1::bigint[], $2::bigint[]) AS new (i, v)
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at, deleted_at = NULL`, args...)
	return err
}

func (t *postgresTransaction) markDeleted(ctx context.Context, ids, versions []int64) error {
	_, err := t.tx.Exec(ctx, `UPDATE customers SET version = v, updated_at = `+t.stamp+`, deleted_at = now()
		FROM unnest($1::bigint[], $2::bigint[]) AS new (i, v) WHERE id = i`, ids, versions)
	return err
}

func (t *postgresTransaction) remove(ctx context.Context, ids []int64) error {
	_, err := t.tx.Exec(ctx, "DELETE FROM customers WHERE id = ANY ($1)", ids)
	return err
}

func (t *postgresTransaction) commit(ctx context.Context) error { return t.tx.Commit(ctx) }
func (t *postgresTransaction) rollback(ctx context.Context)     { _ = t.tx.Rollback(ctx) }

type sqliteDatabase struct {
	path   string
	db     *sql.DB
	stamps stamping
}

func newSQLite(ctx context.Context, dir string, stamps stamping) (*sqliteDatabase, error) {
	path := filepath.Join(dir, "crm.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(30000)&_pragma=journal_mode(wal)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, `
		CREATE TABLE customers (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, updated_at, deleted_at);
		CREATE INDEX customers_changed ON customers (updated_at, id)`)
	return &sqliteDatabase{path, db, stamps}, err
}

func (d *sqliteDatabase) source() string {
	return fmt.Sprintf(`{kind: sqlite, path: %q, table: customers, id: id, updated: updated_at, deleted: deleted_at, overlap: 10s,
      fields: {name: "'Customer ' || id", title: version, phones: "'+1212' || (2000000 + id)"}}`, d.path)
}

func (d *sqliteDatabase) crash(context.Context) error { return errNoServer }
func (d *sqliteDatabase) close() error                { return d.db.Close() }

func (d *sqliteDatabase) rows(ctx context.Context) (map[int64]int64, error) {
	return versions(ctx, d.db, "SELECT id, CASE WHEN deleted_at IS NULL THEN version ELSE -version END FROM customers")
}

// versions reads id → version.
func versions(ctx context.Context, db *sql.DB, query string) (map[int64]int64, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[int64]int64{}
	for rows.Next() {
		var id, v int64
		if err := rows.Scan(&id, &v); err != nil {
			return nil, err
		}
		all[id] = v
	}
	return all, rows.Err()
}

func (d *sqliteDatabase) begin(ctx context.Context, random *rand.Rand) (transaction, error) {
	var tx *sql.Tx
	err := errBusy
	// On a busy machine a writer may wait longer for its turn than SQLite has patience.
	for err != nil && strings.Contains(err.Error(), errBusy.Error()) && ctx.Err() == nil {
		tx, err = d.db.BeginTx(ctx, nil)
	}
	if err != nil {
		return nil, err
	}
	// An application's transaction stamps what it writes with the moment at which it began.
	var stamp any
	err = tx.QueryRowContext(ctx, "SELECT "+d.stamps.sqliteNow()).Scan(&stamp)
	return &sqliteTransaction{tx, d.stamps, stamp, random}, err
}

var errBusy = errors.New("SQLITE_BUSY")

type sqliteTransaction struct {
	tx     *sql.Tx
	stamps stamping
	stamp  any
	random *rand.Rand
}

func (t *sqliteTransaction) put(ctx context.Context, ids, versions []int64, to moving) error {
	stamp := t.stamp
	if to != forward {
		stamp = t.stamps.sqliteMoved(to, t.random)
	}
	for i, id := range ids {
		if _, err := t.tx.ExecContext(ctx, `INSERT INTO customers (id, version, updated_at) VALUES (?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at, deleted_at = NULL`, id, versions[i], stamp); err != nil {
			return err
		}
	}
	return nil
}

func (t *sqliteTransaction) markDeleted(ctx context.Context, ids, versions []int64) error {
	for i, id := range ids {
		if _, err := t.tx.ExecContext(ctx, "UPDATE customers SET version = ?, updated_at = ?, deleted_at = ? WHERE id = ?", versions[i], t.stamp, t.stamp, id); err != nil {
			return err
		}
	}
	return nil
}

func (t *sqliteTransaction) remove(ctx context.Context, ids []int64) error {
	for _, id := range ids {
		if _, err := t.tx.ExecContext(ctx, "DELETE FROM customers WHERE id = ?", id); err != nil {
			return err
		}
	}
	return nil
}

func (t *sqliteTransaction) commit(context.Context) error { return t.tx.Commit() }
func (t *sqliteTransaction) rollback(context.Context)     { _ = t.tx.Rollback() }
