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
	next int                    // numbers databases and users
	free map[string][]*Database // databases that are as they were, by what was prepared in them
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

// A Database is one that no other test has.
type Database struct {
	suite   *Suite
	before  *contents // when it was prepared; nil where nothing was
	session *pgx.Conn // restores a prepared database after each test: to start one costs the server more than most statements; nil for others

	Name string
	DSN  string // for user postgres
}

// Database gives an empty database and runs statements in it.
func (s *Suite) Database(t testing.TB, statements ...string) *Database {
	t.Helper()
	d, _ := s.take(t, "")
	t.Cleanup(func() { s.giveBack(t, "", d, d.empty) })
	if len(statements) > 0 {
		d.Exec(t, strings.Join(statements, ";\n"))
	}
	return d
}

// Prepared returns a database with the tables and rows that prepare made in it. Later tests that use the same name get the same tables again, with
// only the rows that prepare left, because making tables takes longer than many tests. There is one more session in it than the test starts.
func (s *Suite) Prepared(t testing.TB, name string, prepare func(d *Database)) *Database {
	t.Helper()
	d, isNew := s.take(t, name)
	if isNew {
		prepare(d)
		var err error
		if d.session, err = pgx.Connect(t.Context(), d.DSN); err != nil {
			t.Fatal(err)
		}
		d.before = d.look(t)
	}
	t.Cleanup(func() { s.giveBack(t, name, d, d.clear) })
	return d
}

// take returns a free database that was prepared under this name, or makes an empty one.
func (s *Suite) take(t testing.TB, prepared string) (d *Database, isNew bool) {
	t.Helper()
	server := s.Server(t)
	s.mu.Lock()
	free := s.free[prepared]
	if n := len(free); n > 0 {
		d = free[n-1]
		s.free[prepared] = free[:n-1]
		s.mu.Unlock()
		return d, false
	}
	s.mu.Unlock()
	name := s.name("test")
	s.admin(t, "CREATE DATABASE "+name)
	return &Database{suite: s, Name: name, DSN: server.DSN(name)}, true
}

// giveBack ends the sessions of a database and restores it. A database that restore did not restore is not used again.
func (s *Suite) giveBack(t testing.TB, prepared string, d *Database, restore func(context.Context, *pgx.Conn) (restored bool, err error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, kept := d.session, false
	if conn == nil {
		var err error
		if conn, err = pgx.Connect(ctx, d.DSN); err != nil {
			t.Error(err)
			return
		}
	}
	defer func() {
		if !kept || d.session == nil {
			leave(conn)
		}
	}()
	var clean bool
	err := conn.QueryRow(ctx, `WITH ended AS MATERIALIZED (SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid())
		SELECT NOT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database()) FROM ended`, pgx.QueryExecModeSimpleProtocol).Scan(&clean)
	if err != nil {
		t.Error(err)
		return
	}
	if !clean {
		t.Error("a test left a prepared transaction behind")
		return
	}
	restored, err := restore(ctx, conn)
	if err != nil {
		t.Error(err)
	}
	if !restored {
		return
	}
	kept = true
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == nil {
		s.free = map[string][]*Database{}
	}
	s.free[prepared] = append(s.free[prepared], d)
}

// empty removes everything.
func (d *Database) empty(ctx context.Context, conn *pgx.Conn) (restored bool, err error) {
	_, err = conn.Exec(ctx, `DO $$ DECLARE s name; BEGIN
		FOR s IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
			EXECUTE format('DROP SCHEMA %I CASCADE', s);
		END LOOP;
	END $$; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO public`)
	return err == nil, err
}

// contents describes a database: its tables, their rows and its sequences.
type contents struct {
	shape     string // of all that is not rows
	tables    []string
	rows      map[string]string // of the tables that are not empty: JSON
	sequences string            // a statement that sets them
}

// shape is a query for a digest of the tables, their columns, indexes, constraints and triggers, and of functions.
const shape = `SELECT md5(concat_ws(';',
	(SELECT string_agg(format('%s %s %s', oid, relkind, relchecks), ',' ORDER BY oid) FROM pg_class WHERE oid > 16383),
	(SELECT string_agg(format('%s %s %s', attrelid, attname, atttypid), ',' ORDER BY attrelid, attnum) FROM pg_attribute WHERE attrelid > 16383),
	(SELECT string_agg(format('%s %s', oid, tgenabled), ',' ORDER BY oid) FROM pg_trigger),
	(SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_constraint WHERE oid > 16383),
	(SELECT string_agg(format('%s %s', oid, md5(prosrc)), ',' ORDER BY oid) FROM pg_proc WHERE oid > 16383)))`

func (d *Database) look(t testing.TB) *contents {
	t.Helper()
	conn, c := d.session, &contents{rows: map[string]string{}}
	if err := conn.QueryRow(t.Context(), shape).Scan(&c.shape); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), `SELECT c.oid::regclass::text, (xpath('/row/rows/text()', query_to_xml(format(
			'SELECT encode(convert_to(json_agg(r)::text, ''UTF8''), ''hex'') AS rows FROM %s AS r', c.oid::regclass), false, true, '')))[1]::text
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`)
	if err != nil {
		t.Fatal(err)
	}
	var table string
	var held *string
	if _, err = pgx.ForEachRow(rows, []any{&table, &held}, func() error {
		if c.tables = append(c.tables, table); held != nil {
			c.rows[table] = *held
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(t.Context(), `SELECT coalesce('SELECT ' || string_agg(format('setval(%L, %s, %L)', format('%I.%I', schemaname, sequencename),
		coalesce(last_value, start_value), last_value IS NOT NULL), ', '), 'SELECT 1') FROM pg_sequences`).Scan(&c.sequences); err != nil {
		t.Fatal(err)
	}
	return c
}

// clear restores the rows and sequences that the database had after it was prepared. It deletes the rows of small tables, because TRUNCATE makes new
// files for each table, which takes longer. If a test changed more than rows, clear returns false.
func (d *Database) clear(ctx context.Context, conn *pgx.Conn) (restored bool, err error) {
	var now string
	if err := conn.QueryRow(ctx, shape, pgx.QueryExecModeSimpleProtocol).Scan(&now); err != nil || now != d.before.shape {
		return false, err
	}
	var kept strings.Builder
	for table, rows := range d.before.rows {
		fmt.Fprintf(&kept, `INSERT INTO %s OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_recordset(NULL::%[1]s, convert_from(decode('%s', 'hex'), 'UTF8')::json);`, table, rows)
	}
	_, err = conn.Exec(ctx, fmt.Sprintf(`BEGIN;
		SET LOCAL session_replication_role = replica; -- whatever refers to whatever
		DO $$ DECLARE t regclass; tables regclass[] := ARRAY['%s']::regclass[]; BEGIN
			IF (SELECT max(pg_table_size(x)) FROM unnest(tables) AS x) > 1000000 THEN
				EXECUTE 'TRUNCATE ' || array_to_string(tables, ', ');
				RETURN;
			END IF;
			FOREACH t IN ARRAY tables LOOP
				EXECUTE format('DELETE FROM %%s', t);
			END LOOP;
		END $$;
		%s
		%s;
		COMMIT`, strings.Join(d.before.tables, "', '"), kept.String(), d.before.sequences))
	return err == nil, err
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
