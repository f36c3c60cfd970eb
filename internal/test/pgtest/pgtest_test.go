package pgtest

import (
	"context"
	"errors"
	"os"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
)

var server Suite

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

func TestDatabasesAreSeparate(t *testing.T) {
	a := server.Database(t, "CREATE TABLE only_here (id int)")
	b := server.Database(t)
	conn := b.Conn(t)
	var there bool
	if err := conn.QueryRow(t.Context(), "SELECT to_regclass('only_here') IS NOT NULL").Scan(&there); err != nil || there {
		t.Fatalf("a table of database %s is seen in %s (%v)", a.Name, b.Name, err)
	}
}

func TestUsersNeedTheirPassword(t *testing.T) {
	db := server.Database(t, "CREATE TABLE customers (id int)")
	dsn := db.User(t, "pg_read_all_stats")
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "SELECT * FROM customers"); err != nil {
		t.Fatal(err)
	}
	cfg := conn.Config().Copy()
	cfg.Password = "wrong"
	if wrong, err := pgx.ConnectConfig(t.Context(), cfg); err == nil {
		wrong.Close(t.Context())
		t.Fatal("a wrong password was accepted")
	}
}

func TestServerSurvivesACrash(t *testing.T) {
	own, err := Start(t.Context())
	if errors.Is(err, ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { own.Stop() })
	run(t, own.DSN("postgres"), "CREATE TABLE kept (id int)")
	own.Kill()
	if err := own.Launch(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, own.DSN("postgres"), "SELECT * FROM kept")
	if err := own.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(own.Dir); !os.IsNotExist(err) {
		t.Fatalf("the folder is still there: %v", err)
	}
}

func TestAServerOfAnotherProcessIsUsedAndNotEnded(t *testing.T) {
	running := server.Server(t)
	t.Setenv("PGTEST_SERVER", strconv.Itoa(running.Port))
	others := Suite{shared: shared{next: 1000}} // as in another process: other names
	t.Cleanup(func() {                          // after the database was given back
		if err := others.server.Stop(); err != nil {
			t.Error(err)
		}
		run(t, running.DSN("postgres"), "SELECT 1")
	})
	others.Database(t, "CREATE TABLE here (id int)")
	if others.server == running || others.server.Port != running.Port {
		t.Fatalf("port %d is used, want %d", others.server.Port, running.Port)
	}
	own := Suite{Private: true}
	if got := own.Server(t); got.Port == running.Port {
		t.Error("a suite that needs a server of its own got the shared one")
	}
	if err := own.server.Stop(); err != nil {
		t.Error(err)
	}
}

// What one test leaves in a prepared database, the next one does not find.
func TestPreparedDatabasesBecomeWhatTheyWere(t *testing.T) {
	prepared := 0
	prepare := func(d *Database) {
		prepared++
		d.Exec(t, `CREATE TABLE kept (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what bytea, at timestamptz);
			CREATE TABLE filled (n bigint REFERENCES kept);
			INSERT INTO kept (what, at) VALUES ('\x00ff', '2026-01-01 00:00:00.000001Z'), (NULL, NULL)`)
	}
	names := map[string]bool{}
	use := func(change string) {
		t.Run(change, func(t *testing.T) {
			d := server.Prepared(t, "a test", prepare)
			names[d.Name] = true
			var rows string
			if err := d.Conn(t).QueryRow(t.Context(), "SELECT (SELECT string_agg(k::text, ' ' ORDER BY n) FROM kept AS k) || ' ' || (SELECT count(*) FROM filled)").Scan(&rows); err != nil {
				t.Fatal(err)
			}
			if want := `(1,"\\x00ff","2026-01-01 00:00:00.000001+00") (2,,) 0`; rows != want {
				t.Errorf("it holds %s, not %s", rows, want)
			}
			d.Exec(t, "SET timezone = 'UTC'; "+change)
		})
	}
	use("INSERT INTO filled VALUES (1), (2)")
	use("DELETE FROM kept; INSERT INTO kept (at) VALUES (now())")
	use("INSERT INTO filled SELECT 1 FROM generate_series(1, 50000)") // enough for it to be truncated
	use("INSERT INTO kept DEFAULT VALUES; INSERT INTO filled SELECT 3 FROM kept")
	if prepared != 1 || len(names) != 1 {
		t.Errorf("it was prepared %d times, as %v", prepared, names)
	}
	use("ALTER TABLE filled ADD CHECK (n < 4)")
	use("SELECT 1")
	if prepared != 2 || len(names) != 2 {
		t.Errorf("after a change of the tables it was prepared %d times in all, as %v", prepared, names)
	}
}
