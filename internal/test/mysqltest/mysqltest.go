package mysqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// A Suite is the server of a package's tests. It starts with the first test that asks.
type Suite struct {
	// Options are flags of mariadbd.
	Options []string

	start  sync.Once
	server *Server
	err    error

	mu   sync.Mutex
	next int // numbers databases and users
}

// Main runs a package's tests and stops the server after them. The package's TestMain is
//
//	func TestMain(m *testing.M) { os.Exit(server.Main(m)) }
func (s *Suite) Main(m *testing.M) (status int) {
	defer func() {
		if s.server == nil {
			return
		}
		if err := s.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "mysqltest:", err)
			status = max(status, 1)
		}
	}()
	return m.Run()
}

// Server returns the running server. A machine without MariaDB skips the test, or fails it where CI is "true".
func (s *Suite) Server(t testing.TB) *Server {
	t.Helper()
	s.start.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		s.server, s.err = Start(ctx, s.Options...)
	})
	if errors.Is(s.err, ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip(s.err)
	}
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.server
}

// name returns a name that no other test has.
func (s *Suite) name(prefix string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	return fmt.Sprintf("%s_%d", prefix, s.next)
}

// A Database is a database that no other test has; it is dropped when its test ends.
type Database struct {
	*sql.DB // as root; several statements may stand in one text

	Name string
	DSN  string // for root, as kind mysql takes it

	suite *Suite
}

// Database makes a database and runs statements in it.
func (s *Suite) Database(t testing.TB, statements ...string) *Database {
	t.Helper()
	server := s.Server(t)
	d := &Database{suite: s, Name: s.name("test")}
	d.DSN = server.DSN("root", "", d.Name)
	s.admin(t, "CREATE DATABASE "+d.Name)
	t.Cleanup(func() { s.admin(t, "DROP DATABASE "+d.Name) })
	var err error
	if d.DB, err = server.Open("root", "", d.Name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	for _, statement := range statements {
		d.Run(t, statement)
	}
	return d
}

// Run runs statements as root.
func (d *Database) Run(t testing.TB, statements string, args ...any) {
	t.Helper()
	if _, err := d.ExecContext(context.Background(), statements, args...); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// User makes a user with password "secret" who may read the database, with further global privileges such as "PROCESS". It returns the
// database's DSN for that user, who is dropped when the test ends.
func (d *Database) User(t testing.TB, privileges ...string) (dsn string) {
	t.Helper()
	name := d.suite.name("reader")
	d.Run(t, fmt.Sprintf("CREATE USER %s@'127.0.0.1' IDENTIFIED BY 'secret'; GRANT SELECT ON %s.* TO %[1]s@'127.0.0.1'", name, d.Name))
	t.Cleanup(func() { d.suite.admin(t, fmt.Sprintf("DROP USER %s@'127.0.0.1'", name)) })
	for _, privilege := range privileges {
		d.Run(t, fmt.Sprintf("GRANT %s ON *.* TO %s@'127.0.0.1'", privilege, name))
	}
	return d.suite.server.DSN(name, "secret", d.Name)
}

// admin runs a statement as root.
func (s *Suite) admin(t testing.TB, statement string) {
	t.Helper()
	db, err := s.server.Open("root", "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(context.Background(), statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}
