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
	driver "modernc.org/sqlite"

	"github.com/contactbridge/contactbridge/directory"
)

// applicationID marks the file as ours ("cbdr", in the header's application id).
const applicationID = 0x63626472

//go:embed migrations/*.sql
var migrations embed.FS

// prepare makes sure that there is a file, and returns its absolute path.
func (s *Store) prepare(path string, mustExist bool) (file string, err error) {
	if path == Memory {
		if s.trash, err = os.MkdirTemp("", "contactbridge-"); err != nil {
			return "", err
		}
		path = filepath.Join(s.trash, "contacts.db")
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return "", &directory.Error{Message: "it is a folder", Hint: "give the path of a file, for instance " + filepath.Join(path, "contacts.db")}
	case err == nil:
		return filepath.Abs(path)
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	case mustExist:
		return "", &directory.Error{
			Message: "nothing was synchronized into it yet", Err: ErrNoFile,
			Hint: "run 'contactbridge sync' into this file first, or give the path of the one that it writes (--db)",
		}
	}
	created, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fmt.Errorf("make the file: %w", err)
	}
	if err := created.Close(); err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// connect names the file and what all connections have in common.
func connect(file string, settings ...string) (*sql.DB, error) {
	dsn := (&url.URL{Scheme: "file", Path: file}).String() + "?_pragma=busy_timeout(15000)"
	for _, setting := range settings {
		dsn += "&" + setting
	}
	return sql.Open("sqlite", dsn)
}

// patiently tries again what other processes that open the file at the same moment may have made fail.
func patiently(ctx context.Context, try func() error) error {
	const attempts = 5
	for attempt := 1; ; attempt++ {
		err := explained(try())
		if err == nil || attempt == attempts || errors.As(err, new(*directory.Error)) && codeOf(err) != codeBusy {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(attempt) * 50 * time.Millisecond):
		}
	}
}

// refuseForeign looks into the file without changing it: even the switch to WAL would be a change.
func refuseForeign(ctx context.Context, file string) error {
	db, err := connect(file)
	if err != nil {
		return err
	}
	defer db.Close()
	ours, empty, err := recognize(ctx, db)
	if err == nil && !ours && !empty {
		err = &directory.Error{Message: "the file is another program's database", Hint: "choose another file: nothing was changed in this one"}
	}
	return err
}

// migrate brings the schema up to date. Of several processes that start at once, those who come second find the tables of the
// first in their way; they look again, and are content.
func migrate(ctx context.Context, db *sql.DB) error {
	_, empty, err := recognize(ctx, db)
	if err != nil {
		return err
	}
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	current, target := int64(0), newest(provider)
	if !empty {
		if current, err = provider.GetDBVersion(ctx); err != nil {
			return err
		}
	}
	switch {
	case current == target:
		return nil
	case current > target:
		return &directory.Error{
			Message: fmt.Sprintf("a newer contactbridge made the file (schema %d, this one knows %d)", current, target),
			Hint:    "update contactbridge, or choose another file",
		}
	}
	if _, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, folder, goose.WithGoMigrations(fillSearch(), respell()))
}

// newest is the version of the schema that this release makes.
func newest(provider *goose.Provider) int64 {
	sources := provider.ListSources()
	return sources[len(sources)-1].Version
}

// Result codes of SQLite.
const (
	codeBusy         = 5
	codeReadOnly     = 8
	codeCorrupt      = 11
	codeFull         = 13
	codeNotADatabase = 26
)

// codeOf is the result code of SQLite's error in the chain; 0 where there is none.
func codeOf(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() & 0xff // without what extends it
	}
	return 0
}

// explained adds what the operator can do about an error of SQLite.
func explained(err error) error {
	switch codeOf(err) {
	case codeBusy:
		return &directory.Error{Message: "another process is writing to the directory, for longer than usual", Hint: "wait for it, or end it, and try again", Err: err}
	case codeReadOnly:
		return &directory.Error{Message: "the directory cannot be written to", Hint: "give the user that runs contactbridge the right to write the file and its folder", Err: err}
	case codeFull:
		return &directory.Error{Message: "the disk is full", Hint: "make room where the directory lies, and try again", Err: err}
	case codeCorrupt, codeNotADatabase:
		return &directory.Error{Message: "it is no SQLite file, or a damaged one", Hint: "choose another file, or restore this one from a backup", Err: err}
	}
	return err
}

// recognize says whether the file is a directory, and whether there is nothing in it.
func recognize(ctx context.Context, db *sql.DB) (ours, empty bool, err error) {
	var id, tables int64
	err = db.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)").Scan(&id, &tables)
	return id == applicationID, tables == 0, err
}
