// Package migrate moves an embedded hub, or a single directory file, into a PostgreSQL database: everything, or nothing of it.
//
// Both files are opened exclusively, so that a hub that runs is noticed, and what is read
// is one state. All rows go over in one transaction that ends with reading them back. A process that dies in the middle leaves
// an empty database.
//
// registry.go and directory.go list the tables with their columns, and what each column is in a file; copy.go copies a table and
// compares it. A column that a store gets must be added there: a test compares them with the schema.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactbridge/contactbridge/directory/postgres"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/hub/secret"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/postgresdb"
	"github.com/contactbridge/contactbridge/internal/sqlitefile"
)

// Options say what is moved, and how.
type Options struct {
	From string // data folder of an embedded hub, or the file of a single directory
	To   string // postgres:// URL of the database
	// Keys opens the keys that the new hub will have. It is asked only where something is sealed.
	Keys     func(context.Context) (*secret.Ring, error)
	Progress func(Progress) // nil: not reported
}

// A Progress is how far a move has come.
type Progress struct {
	What  string // "contacts", "indexes", "compare contacts", …
	Rows  int64  // so far
	Total int64  // about; 0 where it is not known
}

// A Result says what was moved.
type Result struct {
	To       string  `json:"to"` // the database, without a password
	Contacts int64   `json:"contacts"`
	Secrets  int     `json:"secrets"`            // sealed credentials; each was opened with Key
	Key      string  `json:"key,omitempty"`      // where the keys come from that the new hub must have
	Replaced int64   `json:"replaced,omitempty"` // texts with characters that PostgreSQL cannot hold
	Tables   []Count `json:"tables"`
	Seconds  float64 `json:"seconds"`
}

// A Count is a table and how many rows it has.
type Count struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// Errors of a move; compare with errors.Is.
var (
	ErrNothing  = errors.New("no hub and no directory found")
	ErrOccupied = errors.New("the database holds a hub already")
	ErrInUse    = sqlitefile.ErrInUse // another process has the files open
)

// Run moves it.
func Run(ctx context.Context, o Options) (_ *Result, err error) {
	started := time.Now()
	m := &mover{options: o, totals: map[string]int64{}}
	defer func() { err = errors.Join(err, m.close(context.WithoutCancel(ctx))) }()
	for _, step := range []func(context.Context) error{m.openSource, m.checkKeys, m.openTarget, m.move} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	m.result.Seconds = time.Since(started).Seconds()
	return &m.result, nil
}

type mover struct {
	options   Options
	registry  *sqlitefile.Alone // nil without a registry
	directory *sqlitefile.Alone
	target    *pgx.Conn
	totals    map[string]int64 // rows by table
	result    Result
}

func (m *mover) close(ctx context.Context) error {
	var errs []error
	if m.target != nil {
		errs = append(errs, m.target.Close(ctx))
	}
	if m.directory != nil {
		errs = append(errs, m.directory.Close())
	}
	if m.registry != nil {
		errs = append(errs, m.registry.Close())
	}
	return errors.Join(errs...)
}

// openSource opens the files of a hub's data folder, or the only one of a directory.
func (m *mover) openSource(ctx context.Context) (err error) {
	file := m.options.From
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNothing, err)
	}
	if info.IsDir() {
		file = filepath.Join(m.options.From, hubserver.DirectoryFile)
		hub := filepath.Join(m.options.From, hubserver.RegistryFile)
		for _, part := range []string{file, hub} {
			if _, err := os.Stat(part); err != nil {
				return fmt.Errorf("%w: %w", ErrNothing, err)
			}
		}
		if m.registry, err = registry.OpenAlone(ctx, hub); err != nil {
			return fmt.Errorf("open the registry %s: %w", hub, err)
		}
	}
	if m.directory, err = sqlite.OpenAlone(ctx, file); err != nil {
		return fmt.Errorf("open the directory %s: %w", file, err)
	}
	for _, t := range []*table{contactsTable, numbersTable} {
		var about int64 // some of them may be being forgotten
		if err := m.directory.Value(ctx, &about, "SELECT count(*) FROM "+t.name); err != nil {
			return err
		}
		m.totals[t.name] = about
	}
	return nil
}

// checkKeys makes sure that the new hub will be able to open what is sealed, before anything is written.
func (m *mover) checkKeys(ctx context.Context) (err error) {
	if m.registry == nil {
		return nil
	}
	if err := m.registry.Value(ctx, &m.result.Secrets, "SELECT count(*) FROM secrets"); err != nil || m.result.Secrets == 0 {
		return err
	}
	ring, err := m.options.Keys(ctx)
	if err != nil {
		return &failure.Error{
			Message: fmt.Sprintf("the key that opens the hub's %d sealed credentials cannot be read", m.result.Secrets), Err: err,
			Hint: "the new hub needs the old one's key: leave " + m.keyFile() + " where it is, or name the new hub's configuration with -c and put the key where that says (secrets)",
		}
	}
	if err := registry.CheckSecrets(ctx, m.registry, ring); err != nil {
		return &failure.Error{
			Message: fmt.Sprintf("the %s do not open what the hub has sealed", ring), Err: err,
			Hint: "give the new hub the old one's key, " + m.keyFile() + "; a credential that does not open there either must be set again, or its integration removed, first",
		}
	}
	m.result.Key = strings.TrimPrefix(ring.String(), "keys of ")
	return nil
}

// keyFile is where a hub's key lies unless it is told otherwise.
func (m *mover) keyFile() string { return filepath.Join(m.options.From, hubserver.KeyFile) }

// openTarget finds an empty database, and makes the tables there.
func (m *mover) openTarget(ctx context.Context) (err error) {
	if m.target, err = postgresdb.Connect(ctx, m.options.To); err != nil {
		return err
	}
	c := m.target.Config()
	m.result.To = c.Database + " at " + c.Host
	// Before anything is changed: opening it would bring an older hub's tables up to date.
	if err := m.mustBeEmpty(ctx, m.target); err != nil {
		return err
	}
	store, err := postgres.Open(ctx, m.options.To)
	if err != nil {
		return err
	}
	if err := store.Close(); err != nil {
		return err
	}
	hub, err := registry.Open(ctx, m.options.To, registry.OpenOptions{})
	if err != nil {
		return err
	}
	return hub.Close()
}

// empty are all tables that must hold nothing.
func empty() []*table {
	return slices.DeleteFunc(slices.Concat(registryTables(), directoryTables()), func(t *table) bool { return t.name == registryPrefix+counters })
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// mustBeEmpty refuses a database in which there is anything of a hub.
func (m *mover) mustBeEmpty(ctx context.Context, q querier) error {
	for _, t := range empty() {
		var there bool
		if err := q.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", t.String()).Scan(&there); err != nil {
			return fmt.Errorf("look into the database: %w", err)
		}
		if !there {
			continue
		}
		if err := q.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+t.String()+")").Scan(&there); err != nil {
			return fmt.Errorf("look into the database: %w", err)
		}
		if there {
			return &failure.Error{
				Message: "the database " + m.result.To, Err: ErrOccupied,
				Hint: "name an empty one: createdb; or, if what is there may go for good, DROP SCHEMA contactbridge CASCADE first. Stop every hub on it: one that declares accounts in its configuration fills it at once",
			}
		}
	}
	return nil
}

// lockWait is how long tables may be in use by others.
const lockWait = "10s"

// move does everything in one transaction.
func (m *mover) move(ctx context.Context) error {
	tx, err := m.target.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin the transaction: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // after Commit it does nothing
	if err := m.lock(ctx, tx); err != nil {
		return err
	}
	c := &copier{tx: tx, report: m.report}
	if m.registry != nil {
		if err := m.moveRegistry(ctx, c); err != nil {
			return fmt.Errorf("move the registry: %w", postgresdb.Explain(err))
		}
	}
	if err := m.moveDirectory(ctx, c); err != nil {
		return fmt.Errorf("move the directory: %w", postgresdb.Explain(err))
	}
	if err := c.verify(ctx); err != nil {
		return err
	}
	m.report("statistics", 0)
	for _, moved := range c.moved {
		if _, err := tx.Exec(ctx, "ANALYZE "+moved.table.String()); err != nil { // or the first questions are planned blindly
			return fmt.Errorf("count what is in %s: %w", moved.table, err)
		}
	}
	m.count(c.moved)
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// count returns the numbers of what was moved. The directory has accounts and integrations of its own, for those that ran.
func (m *mover) count(tables []moved) {
	for _, t := range tables {
		name := strings.TrimPrefix(t.name, registryPrefix)
		switch {
		case name == counters, m.registry != nil && (t.table == accountsTable || t.table == integrationsTable):
			continue
		case t.name == contactsTable.name:
			m.result.Contacts = t.rows
		}
		m.result.Tables = append(m.result.Tables, Count{name, t.rows})
	}
}

// lock keeps everybody else out of the tables, and makes sure once more that they are empty.
func (m *mover) lock(ctx context.Context, tx pgx.Tx) error {
	var names []string
	for _, t := range empty() {
		names = append(names, t.String())
	}
	for _, statement := range []string{
		"SET LOCAL lock_timeout = '" + lockWait + "'",
		"SET LOCAL statement_timeout = 0",
		"SET LOCAL idle_in_transaction_session_timeout = 0",
		"LOCK TABLE " + strings.Join(names, ", ") + " IN ACCESS EXCLUSIVE MODE",
	} {
		_, err := tx.Exec(ctx, statement)
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "55P03" {
			return &failure.Error{Message: "another process works in the database's tables", Hint: "stop every hub on it, or wait for another migration to end, and try again", Err: err}
		}
		if err != nil {
			return fmt.Errorf("lock the tables: %w", err)
		}
	}
	return m.mustBeEmpty(ctx, tx)
}

func (m *mover) report(what string, rows int64) {
	if m.options.Progress == nil {
		return
	}
	_, table, ok := strings.Cut(what, "compare ")
	if !ok {
		table = what
	}
	m.options.Progress(Progress{What: strings.Replace(what, registryPrefix, "", 1), Rows: rows, Total: m.totals[table]})
}
