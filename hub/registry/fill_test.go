package registry_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// table is a table's name in the world's database.
func (w *world) table(name string) string {
	if registry.IsPostgres(w.at) {
		return "contactbridge.hub_" + name
	}
	return name
}

// open is the database without the registry.
func (w *world) open(t testing.TB) *sql.DB {
	t.Helper()
	driver := "sqlite"
	if registry.IsPostgres(w.at) {
		driver = "pgx"
	}
	db, err := sql.Open(driver, w.at)
	ok(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// exec does what nobody but an intruder does.
func (w *world) exec(t testing.TB, text string) error {
	t.Helper()
	db := w.open(t)
	defer db.Close()
	_, err := db.ExecContext(t.Context(), text)
	return err
}

// count counts a table's rows.
func (w *world) count(t testing.TB, table string) (n int) {
	t.Helper()
	db := w.open(t)
	defer db.Close()
	ok(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+w.table(table)).Scan(&n))
	return n
}

// fill makes account many with n integrations, of which so many are due, one a microsecond; the others are due in a day.
func (w *world) fill(t testing.TB, n, due int) {
	t.Helper()
	ok(t, w.PutAccount(t.Context(), registry.Account{Name: "many"}))
	now := w.clock.now()
	ok(t, w.exec(t, fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO %s (account, name, config, scheduled, paused, managed, created, updated, due)
		SELECT 'many', 'i' || i, '{"bridge":"%s"}', TRUE, FALSE, FALSE, 1, 1, CASE WHEN i <= %d THEN %d + i ELSE %d + i END FROM n`,
		n, w.table("integrations"), strings.Repeat("https://bridge.example.com/", 8), due, now.Add(-time.Hour).UnixMicro(), now.Add(24*time.Hour).UnixMicro())))
	if registry.IsPostgres(w.at) {
		ok(t, w.exec(t, "VACUUM ANALYZE "+w.table("integrations")))
	}
}

// second is the error of a call that gives a value as well.
func second[T any](_ T, err error) error { return err }
