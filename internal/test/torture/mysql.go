package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/internal/test/mysqltest"
)

type mysqlDatabase struct {
	server *mysqltest.Server
	db     *sql.DB
	stamps stamping
}

func newMySQL(ctx context.Context, stamps stamping) (*mysqlDatabase, error) {
	server, err := mysqltest.Start(ctx, "--transaction-isolation=READ-COMMITTED")
	if err != nil {
		return nil, err
	}
	d := &mysqlDatabase{server: server, stamps: stamps}
	if d.db, err = server.Open("root", "", ""); err == nil {
		d.db.SetMaxIdleConns(20)
		_, err = d.db.ExecContext(ctx, `CREATE DATABASE crm; CREATE TABLE crm.customers (id bigint PRIMARY KEY, version bigint NOT NULL,
			updated_at `+stamps.mysqlType()+` NULL, deleted_at timestamp NULL, INDEX (updated_at, id)) ENGINE=InnoDB;
			CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'reader'; GRANT SELECT ON crm.customers TO reader@'127.0.0.1'; GRANT PROCESS ON *.* TO reader@'127.0.0.1'`)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *mysqlDatabase) source() string {
	return fmt.Sprintf(`{kind: mysql, dsn: %q, table: customers, id: id, updated: updated_at, deleted: deleted_at,
      fields: {name: "concat('Customer ', id)", title: version, phones: "concat('+1212', 2000000 + id)"}}`, d.server.DSN("reader", "reader", "crm"))
}

func (d *mysqlDatabase) crash(ctx context.Context) error {
	d.server.Kill()
	return d.server.Launch(ctx)
}

func (d *mysqlDatabase) close() error {
	if d.db != nil {
		d.db.Close()
	}
	return d.server.Stop()
}

func (d *mysqlDatabase) rows(ctx context.Context) (map[int64]int64, error) {
	return versions(ctx, d.db, "SELECT id, CASE WHEN deleted_at IS NULL THEN version ELSE -version END FROM crm.customers")
}

func (d *mysqlDatabase) begin(ctx context.Context, random *rand.Rand) (transaction, error) {
	tx, err := d.db.BeginTx(ctx, nil)
	// SYSDATE is the moment at which a row is written, NOW that at which its statement began.
	stamps := []string{"now(6)", "now(6)", "now()", "sysdate(6)"}
	return &mysqlTransaction{tx, d.stamps, d.stamps.mysql(stamps[random.IntN(4)]), random}, err
}

type mysqlTransaction struct {
	tx     *sql.Tx
	stamps stamping
	stamp  string
	random *rand.Rand
}

func (t *mysqlTransaction) put(ctx context.Context, ids, versions []int64, to moving) error {
	stamp := t.stamp
	if to != forward {
		stamp = t.stamps.mysqlMoved(to, t.random)
	}
	rows := make([]string, len(ids))
	for i, id := range ids {
		rows[i] = fmt.Sprintf("(%d, %d, %s)", id, versions[i], stamp)
	}
	_, err := t.tx.ExecContext(ctx, "INSERT INTO crm.customers (id, version, updated_at) VALUES "+strings.Join(rows, ", ")+
		" ON DUPLICATE KEY UPDATE version = VALUES(version), updated_at = VALUES(updated_at), deleted_at = NULL")
	return err
}

func (t *mysqlTransaction) markDeleted(ctx context.Context, ids, versions []int64) error {
	for i, id := range ids {
		_, err := t.tx.ExecContext(ctx, fmt.Sprintf("UPDATE crm.customers SET version = %d, updated_at = %s, deleted_at = now() WHERE id = %d", versions[i], t.stamp, id))
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *mysqlTransaction) remove(ctx context.Context, ids []int64) error {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = strconv.FormatInt(id, 10)
	}
	_, err := t.tx.ExecContext(ctx, "DELETE FROM crm.customers WHERE id IN ("+strings.Join(list, ", ")+")")
	return err
}

func (t *mysqlTransaction) commit(context.Context) error { return t.tx.Commit() }
func (t *mysqlTransaction) rollback(context.Context)     { _ = t.tx.Rollback() }

func (d *mysqlDatabase) now(ctx context.Context) (stamp string, err error) {
	return stamp, d.db.QueryRowContext(ctx, "SELECT CAST("+d.stamps.mysql("sysdate(6)")+" AS CHAR)").Scan(&stamp)
}

func (d *mysqlDatabase) changedAfter(ctx context.Context, stamp string, offset, limit int) ([]customer, error) {
	return changed(ctx, d.db, `SELECT id, version, deleted_at IS NOT NULL, CAST(updated_at AS CHAR) FROM crm.customers
		WHERE updated_at IS NOT NULL AND (? = '' OR updated_at > ?) ORDER BY updated_at LIMIT ? OFFSET ?`, stamp, stamp, limit, offset)
}
