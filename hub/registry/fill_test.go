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

// fill makes account many with n integrations, of which so many are due, one a microsecond; the others are due in a day.
func (w *world) fill(t testing.TB, n, due int) {
	t.Helper()
	ok(t, w.PutAccount(t.Context(), registry.Account{Name: "many"}))
	driver, table := "sqlite", "integrations"
	if registry.IsPostgres(w.at) {
		driver, table = "pgx", "contactbridge.hub_integrations"
	}
	db, err := sql.Open(driver, w.at)
	ok(t, err)
	defer db.Close()
	now := w.clock.now()
	_, err = db.ExecContext(t.Context(), fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO %s (account, name, config, scheduled, paused, managed, created, updated, due)
		SELECT 'many', 'i' || i, '{"bridge":"%s"}', TRUE, FALSE, FALSE, 1, 1, CASE WHEN i <= %d THEN %d + i ELSE %d + i END FROM n`,
		n, table, strings.Repeat("https://bridge.example.com/", 8), due, now.Add(-time.Hour).UnixMicro(), now.Add(24*time.Hour).UnixMicro()))
	ok(t, err)
	if driver == "pgx" {
		_, err = db.ExecContext(t.Context(), "VACUUM ANALYZE "+table)
		ok(t, err)
	}
}
