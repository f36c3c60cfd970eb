package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the SQLite driver

	"github.com/contactbridge/contactbridge/internal/demo/sample"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/internal/test/ports"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// A laboratory has what the benchmarks share: the command, and a PostgreSQL with the customers for those that need it.
type laboratory struct {
	contacts, big int
	repeat        int
	dir, binary   string
	keep          string         // a folder with data sets of runs before; empty: none are kept
	only          []string       // the rows that are wanted; empty: all
	postgres      *pgtest.Server // nil until a benchmark needs it
	sqlitePath    string
	longest       time.Duration // of all answers of bridges
}

const (
	seed   = 20260105
	secret = "s3cret"
)

// columns are the customers' in both databases, but for the types.
const columns = `id, first_name, last_name, company, title, email, email2, phone, mobile, city, plan, created_at, updated_at`

// fields is how every benchmark maps them.
const fields = `{name: "first_name || ' ' || last_name", company: company, title: title, emails: [email, email2], phones: [phone, mobile],
        address: city, url: "'https://crm.example.com/customers/' || id", custom_fields: {Plan: plan, Customer since: created_at}}`

// selected are the expressions of fields as SQL, for the limits.
const selected = `id, first_name || ' ' || last_name AS name, company, title, email, email2, phone, mobile, city AS address,
  'https://crm.example.com/customers/' || id AS url, plan, created_at, updated_at`

func newLaboratory(ctx context.Context, contacts, big, repeat int, smoke bool) (*laboratory, error) {
	dir, err := os.MkdirTemp("", "contactbridge-bench-")
	if err != nil {
		return nil, err
	}
	l := &laboratory{contacts: contacts, big: big, repeat: repeat, dir: dir, binary: filepath.Join(dir, "contactbridge"), sqlitePath: filepath.Join(dir, "crm.db")}
	if smoke {
		l.big = contacts * 2
	}
	if err := l.build(ctx); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// build compiles the command that is measured, unless CONTACTBRIDGE_BINARY names one that is built already.
func (l *laboratory) build(ctx context.Context) error {
	if built := os.Getenv("CONTACTBRIDGE_BINARY"); built != "" {
		l.binary = built
		return nil
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-o", l.binary, "github.com/contactbridge/contactbridge/cmd/contactbridge").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build contactbridge: %w\n%s", err, out)
	}
	return nil
}

// startPostgres starts the server and fills it, once.
func (l *laboratory) startPostgres(ctx context.Context) (err error) {
	if l.postgres != nil {
		return nil
	}
	if l.postgres, err = pgtest.Start(ctx, "shared_buffers=1GB", "max_wal_size=4GB", "autovacuum=off"); err != nil {
		return err
	}
	if err := l.fillPostgres(ctx, "customers", l.contacts); err != nil {
		return fmt.Errorf("fill PostgreSQL: %w", err)
	}
	return nil
}

func (l *laboratory) close() {
	if l.postgres != nil {
		if err := l.postgres.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "bench: stop PostgreSQL:", err)
		}
	}
	_ = os.RemoveAll(l.dir)
}

func (l *laboratory) connect(ctx context.Context) (*pgx.Conn, error) {
	return l.connectTo(ctx, "postgres")
}

func (l *laboratory) connectTo(ctx context.Context, database string) (*pgx.Conn, error) {
	return pgx.Connect(ctx, l.postgres.DSN(database))
}

var start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// fillPostgres makes a table of n customers with the index that a bridge wants.
func (l *laboratory) fillPostgres(ctx context.Context, table string, n int) error {
	conn, err := l.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `CREATE TABLE `+table+` (id bigint PRIMARY KEY, first_name text, last_name text, company text, title text,
		email text, email2 text, phone text, mobile text, city text, plan text, created_at timestamptz, updated_at timestamptz)`); err != nil {
		return err
	}
	g, left := sample.New(seed, start), n
	_, err = conn.CopyFrom(ctx, pgx.Identifier{table}, strings.Split(columns, ", "), pgx.CopyFromFunc(func() ([]any, error) {
		if left == 0 {
			return nil, nil
		}
		left--
		c := g.Next()
		return []any{int64(c.ID), c.FirstName, c.LastName, c.Company, c.Title, c.Email, null(c.Email2), c.Phone, null(c.Mobile), c.City, c.Plan, c.Created, c.Updated}, nil
	}))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE INDEX ON "+table+" (updated_at, id)")
	if err == nil {
		_, err = conn.Exec(ctx, "VACUUM ANALYZE "+table)
	}
	return err
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (l *laboratory) fillSQLite(ctx context.Context) error {
	db, err := sql.Open("sqlite", l.sqlitePath)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `PRAGMA journal_mode = wal;
		CREATE TABLE customers (id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, company TEXT, title TEXT,
		email TEXT, email2 TEXT, phone TEXT, mobile TEXT, city TEXT, plan TEXT, created_at TEXT, updated_at TEXT);`); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert, err := tx.PrepareContext(ctx, "INSERT INTO customers ("+columns+") VALUES (?"+strings.Repeat(", ?", 12)+")")
	if err != nil {
		return err
	}
	const layout = "2006-01-02 15:04:05.000"
	g := sample.New(seed, start)
	for range l.contacts {
		c := g.Next()
		if _, err := insert.ExecContext(ctx, c.ID, c.FirstName, c.LastName, c.Company, c.Title, c.Email, null(c.Email2), c.Phone, null(c.Mobile),
			c.City, c.Plan, c.Created.Format(layout), c.Updated.Format(layout)); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "CREATE INDEX customers_changed ON customers (updated_at, id); ANALYZE")
	return err
}

// A server is a running `contactbridge serve` with one endpoint.
type server struct {
	address string
	process *exec.Cmd
	output  *bytes.Buffer
}

func (s *server) url() string { return "http://" + s.address + "/crm/contact_sync" }

// serve starts the bridge. phones is the endpoint's phones setting.
func (l *laboratory) serve(ctx context.Context, source, phones string) (*server, error) {
	address, err := ports.Address()
	if err != nil {
		return nil, err
	}
	s := &server{address: address, output: new(bytes.Buffer)}
	config := fmt.Sprintf("listen: %s\nlog: {level: warn}\nendpoints:\n  crm:\n    auth: {username: agent, password: %s}\n    phones: %s\n    source: %s\n", s.address, secret, phones, source)
	path := filepath.Join(l.dir, "bridge.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	s.process = exec.CommandContext(ctx, l.binary, "serve", "-c", path)
	s.process.Stdout, s.process.Stderr = s.output, s.output
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	return s, s.waitUntilReady()
}

// waitUntilReady waits until the process answers; where it does not, it is stopped.
func (s *server) waitUntilReady() error {
	for range 1000 {
		if response, err := http.Get("http://" + s.address + "/healthz"); err == nil {
			response.Body.Close()
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.stop()
	return fmt.Errorf("%s did not come up: %s", s.process.Args[1], s.output)
}

func (s *server) stop() {
	_ = s.process.Process.Signal(syscall.SIGTERM)
	_ = s.process.Wait()
}

// watchMemory returns the most that a process had in memory until it ended, in MiB. What the system counts of a process that has ended
// (Rusage.Maxrss) would not do: it begins with the memory of the process that started it, which is this one.
func watchMemory(pid int, ended <-chan struct{}) (most float64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if now, err := peakMemoryOf(pid); err == nil {
			most = max(most, now)
		}
		select {
		case <-ended:
			return most
		case <-tick.C:
		}
	}
}

// peakMemory is the most that a living process had in memory, in MiB.
func (s *server) peakMemory() (float64, error) { return peakMemoryOf(s.process.Process.Pid) }

func peakMemoryOf(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, errors.New("no VmHWM in /proc/PID/status")
}

func (l *laboratory) postgresSource(table string) string {
	return fmt.Sprintf("{kind: postgres, dsn: %q, table: %s, id: id, updated: updated_at, fields: %s}", l.postgres.DSN("postgres"), table, fields)
}

func (l *laboratory) sqliteSource() string {
	return fmt.Sprintf("{kind: sqlite, path: %q, table: customers, id: id, updated: updated_at, fields: %s}", l.sqlitePath, fields)
}

// A synced run is what `contactbridge sync` took.
type synced struct {
	stored     time.Duration // until every contact was stored and found by its numbers, the process's start included
	searchable time.Duration // until the process ended, and search found all of them
	memory     float64       // peak, in MiB
}

// synchronize runs `contactbridge sync`.
func (l *laboratory) synchronize(ctx context.Context, url, db string, more ...string) (synced, error) {
	args := append([]string{"sync", url, "--json", "--db", db, "--region", "US", "--auth", "username=agent", "--auth", "password=" + secret}, more...)
	cmd := exec.CommandContext(ctx, l.binary, args...)
	var output, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &log
	started := time.Now()
	if err := cmd.Start(); err != nil {
		return synced{}, fmt.Errorf("sync: %w", err)
	}
	ended, peak := make(chan struct{}), make(chan float64)
	go func() { peak <- watchMemory(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	s := synced{searchable: time.Since(started)}
	close(ended)
	s.memory = <-peak
	if err != nil {
		return synced{}, fmt.Errorf("sync: %w: %s", err, log.Bytes())
	}
	var report synchronizer.Report
	if err := json.Unmarshal(output.Bytes(), &report); err != nil {
		return synced{}, fmt.Errorf("read the report of sync: %w", err)
	}
	s.stored = s.searchable - time.Duration(report.SearchSeconds*float64(time.Second))
	return s, nil
}
