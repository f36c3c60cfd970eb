package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// shared is the server of a test binary. Starting one takes a second, so all tests of a package share it.
type shared struct {
	start  sync.Once
	server *Server
	err    error

	mu   sync.Mutex
	next int      // numbers databases and users
	free []string // databases that are empty again
}

// A Suite is the server of a package's tests and what they need of it. It starts with the first test that asks, unless the
// environment variable PGTEST_SERVER is the port of one that runs already, for the tests of several packages.
type Suite struct {
	// Private says that the server must be the tests' own, since they look at what belongs to all of a server: transaction
	// ids and snapshots, which sessions of other databases are part of.
	Private bool

	shared
}

// settings are those that the tests of any package need.
var settings = []string{"wal_level=logical", "max_connections=300"}

// ForMany starts a server for the tests of many packages.
func ForMany(ctx context.Context) (*Server, error) { return Start(ctx, settings...) }

// Main runs a package's tests and stops the server after them. The package's TestMain is
//
//	func TestMain(m *testing.M) { os.Exit(server.Main(m)) }
func (s *Suite) Main(m interface{ Run() int }) (status int) {
	defer func() {
		if s.server == nil {
			return
		}
		if err := s.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			status = max(status, 1)
		}
	}()
	return m.Run()
}

// Server is the running server. A machine without PostgreSQL skips the test, or fails it where CI is "true".
func (s *Suite) Server(t testing.TB) *Server {
	t.Helper()
	s.start.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if port, err := strconv.Atoi(os.Getenv("PGTEST_SERVER")); err == nil && !s.Private {
			s.server, s.err = Attach(port)
			return
		}
		s.server, s.err = Start(ctx, settings...)
	})
	if errors.Is(s.err, ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip(s.err)
	}
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.server
}

// name returns one that no other test has, of this process or another.
func (s *Suite) name(prefix string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	return fmt.Sprintf("%s_%d_%d", prefix, os.Getpid(), s.next)
}

// A Database is an empty database that no other test has; it is emptied when its test ends.
type Database struct {
	suite *Suite
	Name  string
	DSN   string // for user postgres
}

// Database gives a database and runs statements in it.
func (s *Suite) Database(t testing.TB, statements ...string) *Database {
	t.Helper()
	server := s.Server(t)
	name, used := s.reuse()
	if !used {
		name = s.name("test")
		s.admin(t, "CREATE DATABASE "+name)
	}
	d := &Database{suite: s, Name: name, DSN: server.DSN(name)}
	t.Cleanup(func() { s.recycle(t, d) })
	if len(statements) > 0 {
		d.Exec(t, strings.Join(statements, ";\n"))
	}
	return d
}

// reuse takes an empty database: making a new one takes a while.
func (s *Suite) reuse() (name string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) == 0 {
		return "", false
	}
	name = s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	return name, true
}

// recycle empties a database and ends its sessions. One that does not become empty is not used again.
func (s *Suite) recycle(t testing.TB, d *Database) {
	t.Helper()
	d.Exec(t, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	conn, err := pgx.Connect(context.Background(), d.DSN)
	if err != nil {
		t.Error(err)
		return
	}
	defer leave(conn)
	var clean bool
	err = conn.QueryRow(context.Background(), "SELECT NOT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database())").Scan(&clean)
	if err != nil || !clean {
		t.Errorf("a test left a prepared transaction behind (%v)", err)
		return
	}
	d.Exec(t, `DO $$ DECLARE s name; BEGIN
		FOR s IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
			EXECUTE format('DROP SCHEMA %I CASCADE', s);
		END LOOP;
	END $$; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO public`)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, d.Name)
}

// admin runs a statement as user postgres in database postgres.
func (s *Suite) admin(t testing.TB, statement string) {
	t.Helper()
	run(t, s.server.DSN("postgres"), statement)
}

func run(t testing.TB, dsn, sql string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer leave(conn)
	if _, err := conn.Exec(ctx, sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// leave ends a session and waits until the server has forgotten it. pgx does not wait, and a session that is about to end is
// still one of those that a source counts.
func leave(conn *pgx.Conn) {
	session, err := conn.PgConn().Hijack()
	if err != nil { // it is closed already, after an error
		return
	}
	defer session.Conn.Close()
	_ = session.Conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := session.Conn.Write([]byte{'X', 0, 0, 0, 4}); err == nil { // Terminate
		_, _ = io.Copy(io.Discard, session.Conn) // until the server's process has ended
	}
}

// Exec runs statements as user postgres.
func (d *Database) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	run(t, d.DSN, sql, args...)
}

// Conn is a connection of its own for user postgres, such as for a transaction that stays open.
func (d *Database) Conn(t testing.TB) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// User makes a user with a password who may read every table that there is, and what is granted besides. It returns the
// database's DSN for that user. Roles belong to the server: the user is dropped when the test ends.
func (d *Database) User(t testing.TB, roles ...string) (dsn string) {
	t.Helper()
	name := d.suite.name("reader")
	d.Exec(t, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD 'secret'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO %[1]s", name))
	t.Cleanup(func() { d.suite.admin(t, "DROP ROLE "+name) })
	t.Cleanup(func() { run(t, d.DSN, "DROP OWNED BY "+name) })
	for _, role := range roles {
		d.Exec(t, fmt.Sprintf("GRANT %s TO %s", role, name))
	}
	return d.suite.server.DSNFor(name, "secret", d.Name)
}
