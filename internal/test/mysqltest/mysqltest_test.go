package mysqltest_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/contactbridge/contactbridge/internal/test/mysqltest"
)

var server mysqltest.Suite

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

func TestReadersReadAndNothingElse(t *testing.T) {
	d := server.Database(t, "CREATE TABLE customers (id int PRIMARY KEY, name text) ENGINE=InnoDB", "INSERT INTO customers VALUES (1, 'Zoë')")
	if dsn := d.User(t, "PROCESS"); dsn == "" || dsn == d.DSN {
		t.Errorf("the reader's DSN is %q", dsn)
	}
	reader, err := server.Server(t).Open("reader_2", "secret", d.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var name string
	if err := reader.QueryRow("SELECT name FROM customers").Scan(&name); err != nil || name != "Zoë" {
		t.Errorf("read %q, %v", name, err)
	}
	if _, err := reader.Exec("DELETE FROM customers"); err == nil {
		t.Error("the reader deleted a row")
	}
}

// What was committed outlives the server.
func TestAKilledServerComesBack(t *testing.T) {
	s, err := mysqltest.Start(t.Context())
	if err != nil {
		server.Server(t) // skips or fails
		t.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	db, err := s.Open("root", "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE DATABASE d; CREATE TABLE d.t (i int) ENGINE=InnoDB; INSERT INTO d.t VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := s.Launch(context.Background()); err != nil {
		t.Fatal(err)
	}
	var i int
	if err := db.QueryRow("SELECT i FROM d.t").Scan(&i); err != nil || i != 7 {
		t.Errorf("read %d, %v", i, err)
	}
}

// A server that starts leaves the temporary tables of the others alone.
func TestServersHaveTheirOwnTemporaryTables(t *testing.T) {
	db, err := server.Server(t).Open("root", "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var folder string
	if err := db.QueryRow("SELECT @@tmpdir").Scan(&folder); err != nil {
		t.Fatal(err)
	}
	table := filepath.Join(folder, "#sql-temptable-1-1-0.MAI")
	if err := os.WriteFile(table, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(table)
	if os.Geteuid() == 0 {
		owner, err := os.Stat(filepath.Join(filepath.Dir(folder), "data"))
		if err == nil {
			err = os.Chown(table, int(owner.Sys().(*syscall.Stat_t).Uid), -1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	other, err := mysqltest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Stop() }()
	if _, err := os.Stat(table); err != nil {
		t.Errorf("the start of another server deleted it: %v", err)
	}
}
