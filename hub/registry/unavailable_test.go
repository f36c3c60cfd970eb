package registry_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// What could not be written is not claimed: a disk that is full when the transaction ends must not make runs without a claim.
func TestWhatIsNotWrittenIsNotClaimed(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.withCRM(t)
		w.breakCommits(t)
		claims, err := w.Claim(t.Context(), "worker", 10, time.Minute)
		if err == nil || len(claims) != 0 {
			t.Errorf("%d claims, %v", len(claims), err)
		}
	})
}

// breakCommits makes a change of an integration fail when its transaction ends.
func (w *world) breakCommits(t *testing.T) {
	t.Helper()
	ok(t, w.exec(t, fmt.Sprintf("CREATE TABLE broken (x TEXT REFERENCES %s (name) DEFERRABLE INITIALLY DEFERRED)", w.table("accounts"))))
	if !registry.IsPostgres(w.at) {
		ok(t, w.exec(t, "CREATE TRIGGER breaks AFTER UPDATE ON integrations BEGIN INSERT INTO broken VALUES ('nobody'); END"))
		return
	}
	ok(t, w.exec(t, "CREATE FUNCTION breaks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO broken VALUES ('nobody'); RETURN NULL; END $$"))
	ok(t, w.exec(t, "CREATE TRIGGER breaks AFTER UPDATE ON "+w.table("integrations")+" FOR EACH STATEMENT EXECUTE FUNCTION breaks()"))
}

// A database's own trouble is told from what is wrong with one statement.
func TestUnavailableIsTheDatabasesOwnTrouble(t *testing.T) {
	file := (&world{at: filepath.Join(t.TempDir(), "x.db")}).open(t)
	file.SetMaxOpenConns(1)
	for _, text := range []string{"CREATE TABLE t (x BLOB)", "PRAGMA max_page_count = 10"} {
		if _, err := file.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	_, full := file.ExecContext(t.Context(), "INSERT INTO t VALUES (zeroblob(1000000))")
	_, wrong := file.ExecContext(t.Context(), "INSERT INTO nothing VALUES (1)")
	_, err := file.ExecContext(t.Context(), "PRAGMA query_only = 1")
	ok(t, err)
	_, readOnly := file.ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
	_, unreachable := pgx.Connect(t.Context(), "postgres://nobody@127.0.0.1:1/none?connect_timeout=2")
	for name, err := range map[string]error{
		"SQLite is full": full, "SQLite is read-only": readOnly, "PostgreSQL cannot be reached": unreachable,
		"PostgreSQL is full":         &pgconn.PgError{Code: "53100"},
		"PostgreSQL has I/O errors":  &pgconn.PgError{Code: "58030"},
		"PostgreSQL is a standby":    &pgconn.PgError{Code: "25006"},
		"PostgreSQL is shut down":    &pgconn.PgError{Code: "57P01"},
		"PostgreSQL has no sessions": &pgconn.PgError{Code: "53300"},
	} {
		if err == nil || !registry.Unavailable(fmt.Errorf("store a page: %w", err)) || !registry.Unavailable(errors.Join(errors.New("x"), err)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = sqlite.Open(t.Context(), t.TempDir()) // a folder
	for name, err := range map[string]error{
		"nothing": nil, "a statement": wrong, "a folder": err, "given up": context.Canceled, "a value": &pgconn.PgError{Code: "XX000"},
		"a conflict": &pgconn.PgError{Code: "40001"}, "not found": registry.ErrNotFound,
	} {
		if registry.Unavailable(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
