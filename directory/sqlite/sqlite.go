// Package sqlite is the embedded directory: one SQLite file.
//
// One connection writes, a few read beside it (WAL). A page is one transaction, and with it goes the place where the next page
// starts, so a crash leaves whole pages and a run that can be resumed. The file is opened with synchronous=NORMAL: a killed
// process loses nothing; after a power cut the last pages may be missing together with their resume state, and the
// run that is then resumed brings them again.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver

	"github.com/contactbridge/contactbridge/directory"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks the file as ours ("cbdr", in the header's application id).
const applicationID = 0x63626472

// ErrNoFile says that there is no directory at the path.
var ErrNoFile = errors.New("there is no directory file")

// A Store is a directory in a SQLite file.
type Store struct {
	write *sql.DB // one connection
	read  *sql.DB
	clock func() time.Time

	byDigits *sql.Stmt // on read: the query that every call waits for
}

var _ directory.Store = (*Store)(nil)

// An Option changes how a directory is opened.
type Option func(*options)

type options struct {
	clock     func() time.Time
	mustExist bool
}

// WithClock sets the clock that leases and times are taken from.
func WithClock(clock func() time.Time) Option { return func(o *options) { o.clock = clock } }

// MustExist makes Open fail with [ErrNoFile] instead of making a new directory.
func MustExist() Option { return func(o *options) { o.mustExist = true } }

// Open opens the directory in a file and makes it where there is none, readable by its owner only. Any number of processes may
// have it open at once.
func Open(ctx context.Context, path string, opts ...Option) (*Store, error) {
	o := options{clock: time.Now}
	for _, set := range opts {
		set(&o)
	}
	if err := prepareFile(path, o.mustExist); err != nil {
		return nil, err
	}
	s := &Store{clock: o.clock}
	if err := s.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("open the directory %s: %w", path, err), s.Close())
	}
	return s, nil
}

func prepareFile(path string, mustExist bool) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder, not a directory file", path)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case mustExist:
		return fmt.Errorf("%w: %s", ErrNoFile, path)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("make the directory file: %w", err)
	}
	return file.Close()
}

func (s *Store) open(ctx context.Context, path string) (err error) {
	if s.write, err = connect(path, "_txlock=immediate", "_pragma=synchronous(normal)", "_pragma=cache_size(-24000)"); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if s.read, err = connect(path, "_pragma=query_only(1)", "_pragma=cache_size(-4000)"); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(4)
	s.read.SetMaxIdleConns(4)
	s.byDigits, err = s.read.PrepareContext(ctx, queryByDigits)
	return err
}

func connect(path string, settings ...string) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dsn := (&url.URL{Scheme: "file", Path: absolute}).String() + "?_pragma=busy_timeout(15000)&_pragma=journal_mode(wal)&_pragma=temp_store(memory)"
	for _, setting := range settings {
		dsn += "&" + setting
	}
	return sql.Open("sqlite", dsn)
}

// migrate brings the file's schema up to date and refuses files that are not ours or newer than we are.
func (s *Store) migrate(ctx context.Context) error {
	var id, tables int64
	err := s.write.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)").Scan(&id, &tables)
	if err != nil {
		return fmt.Errorf("not a SQLite file, or damaged: %w", err)
	}
	if id != applicationID && tables > 0 {
		return errors.New("the file is another program's database; choose another file")
	}
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.write, folder)
	if err != nil {
		return err
	}
	current, target := int64(0), provider.ListSources()[len(provider.ListSources())-1].Version
	if tables > 0 {
		if current, err = provider.GetDBVersion(ctx); err != nil {
			return err
		}
	}
	switch {
	case current == target:
		return nil
	case current > target:
		return fmt.Errorf("the file was made by a newer contactbridge (schema %d, this one knows %d); update contactbridge", current, target)
	}
	if _, err := s.write.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}

// Close closes the file.
func (s *Store) Close() error {
	var errs []error
	if s.byDigits != nil {
		errs = append(errs, s.byDigits.Close())
	}
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// inTransaction does everything of f or nothing.
func (s *Store) inTransaction(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (s *Store) now() int64 { return s.clock().UnixMilli() }

// moment is a stored time; zero for 0.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
