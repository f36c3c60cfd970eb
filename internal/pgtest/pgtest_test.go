package pgtest

import (
	"context"
	"errors"
	"os"
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
