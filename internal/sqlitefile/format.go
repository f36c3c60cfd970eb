// Package sqlitefile opens the SQLite files that contactbridge makes, the directory's and the registry's, in the one way that is
// safe for all of them: readable by their owner only, never another program's file, with the schema of this release, and with
// errors that say what to do.
package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/upgrade"
)

// A Format describes one kind of file: the mark in its header, and the schema that this release gives it.
type Format struct {
	Name          string                    // for people: "directory"
	Example       string                    // name that such a file may have, for hints: "contacts.db"
	ApplicationID int64                     // in the file's header
	Settings      []string                  // parameters of every connection, as the driver reads them: "_pragma=foreign_keys(1)"
	Migrations    fs.FS                     // SQL of the schema's versions
	Folder        string                    // of Migrations, in which they are
	GoMigrations  func() []*goose.Migration // those that need code; nil: none
	Versions      string                    // table of the versions that were applied
	Steps         map[int64]string          // what each version of the schema brings, for people
}

// Find returns the absolute path of a file, and whether there is one. A folder is an error.
func (f *Format) Find(path string) (file string, there bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", false, err
	case info.IsDir():
		return "", true, &failure.Error{Message: "it is a folder", Hint: "give the path of a file, for instance " + filepath.Join(path, f.Example)}
	default:
		there = true
	}
	file, err = filepath.Abs(path) // SQLite would take a path that begins with file: for a URL
	return file, there, err
}

// Make makes an empty file that only its owner can read: SQLite would let others read it. A file that is there stays as it is.
func Make(file string) error {
	made, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("make the file: %w", err)
	}
	return made.Close()
}

// busyTimeout is how long a statement waits for other processes, in milliseconds.
const busyTimeout = 15_000

// Connect opens a pool of connections to a file. They wait for other processes for 15 seconds. Settings are more parameters of
// each connection.
func (f *Format) Connect(file string, settings ...string) (*sql.DB, error) {
	dsn := fmt.Sprintf("%s?_pragma=busy_timeout(%d)", (&url.URL{Scheme: "file", Path: file}).String(), busyTimeout)
	for _, setting := range append(f.Settings[:len(f.Settings):len(f.Settings)], settings...) {
		dsn += "&" + setting
	}
	return sql.Open("sqlite", dsn)
}

// Writer opens the one connection that writes. The write-ahead log lets others read meanwhile. With synchronous=NORMAL a killed
// process loses nothing; after a power cut the last transactions may be missing, but never the middle of one.
func (f *Format) Writer(file string, settings ...string) (*sql.DB, error) {
	db, err := f.Connect(file, append([]string{"_pragma=journal_mode(wal)", "_pragma=synchronous(normal)", "_txlock=immediate"}, settings...)...)
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// Reader opens connections that only read, at most so many at once.
func (f *Format) Reader(file string, connections int, settings ...string) (*sql.DB, error) {
	db, err := f.Connect(file, append([]string{"_pragma=query_only(1)"}, settings...)...)
	if err == nil {
		db.SetMaxOpenConns(connections)
	}
	return db, err
}

// Check returns an error where the file is another program's database. It changes nothing: even the switch to a write-ahead log would
// be a change.
func (f *Format) Check(ctx context.Context, file string) error {
	return f.patiently(ctx, func() error {
		db, err := f.Connect(file)
		if err != nil {
			return err
		}
		defer db.Close()
		ours, empty, err := f.recognize(ctx, db)
		if err == nil && !ours && !empty {
			err = &failure.Error{Message: "the file is another program's database", Hint: "choose another file: nothing was changed in this one"}
		}
		return err
	})
}

// Plan returns what [Format.Upgrade] would do to a file, and changes nothing; nil where it would do nothing, or make everything.
func (f *Format) Plan(ctx context.Context, path string) (plan *upgrade.Plan, err error) {
	file, there, err := f.Find(path)
	if err != nil || !there {
		return nil, err
	}
	return plan, f.patiently(ctx, func() error {
		db, err := f.Reader(file, 1)
		if err != nil {
			return err
		}
		defer db.Close()
		ours, empty, err := f.recognize(ctx, db)
		if err != nil || empty || !ours {
			return err
		}
		provider, err := f.provider(db)
		if err != nil {
			return err
		}
		current, err := provider.GetDBVersion(ctx)
		if err != nil {
			return fmt.Errorf("read the schema's version: %w", err)
		}
		plan, err = upgrade.New(f.Name, current, provider.ListSources(), f.Steps)
		return err
	})
}

// Upgrade brings a file's schema up to date, on a connection that writes.
func (f *Format) Upgrade(ctx context.Context, db *sql.DB) error {
	return f.patiently(ctx, func() error { return f.upgrade(ctx, db) })
}

// upgrade does so once. Of several processes that start at once, those that come second find the tables of the first in their way;
// they look again, and are content.
func (f *Format) upgrade(ctx context.Context, db *sql.DB) error {
	_, empty, err := f.recognize(ctx, db)
	if err != nil {
		return err
	}
	provider, err := f.provider(db)
	if err != nil {
		return err
	}
	current, target := int64(0), newest(provider)
	if !empty {
		if current, err = provider.GetDBVersion(ctx); err != nil {
			return fmt.Errorf("read the schema's version: %w", err)
		}
	}
	switch {
	case current == target:
		return nil
	case current > target:
		return upgrade.Newer(f.Name, current, target)
	}
	if _, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", f.ApplicationID)); err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}

func (f *Format) provider(db *sql.DB) (*goose.Provider, error) {
	folder, err := fs.Sub(f.Migrations, f.Folder)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithTableName(f.Versions)}
	if f.GoMigrations != nil {
		options = append(options, goose.WithGoMigrations(f.GoMigrations()...))
	}
	return goose.NewProvider(database.DialectSQLite3, db, folder, options...)
}

// newest is the version of the schema that this release makes.
func newest(provider *goose.Provider) int64 {
	sources := provider.ListSources()
	return sources[len(sources)-1].Version
}

// recognize reports whether the file is one of ours, and whether there is nothing in it.
func (f *Format) recognize(ctx context.Context, db *sql.DB) (ours, empty bool, err error) {
	var id, tables int64
	err = db.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)").Scan(&id, &tables)
	return id == f.ApplicationID, tables == 0, err
}

// patiently tries again what other processes that open the file at the same moment may have made fail.
func (f *Format) patiently(ctx context.Context, try func() error) error {
	const attempts = 5
	for attempt := 1; ; attempt++ {
		err := f.Explain(try())
		if err == nil || attempt == attempts || failure.Of(err).Message != "" && Code(err) != Busy {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(attempt) * 50 * time.Millisecond):
		}
	}
}

// Copy writes a copy of a file to a new one, readable by its owner only, while the file is in use: the copy is how it stood when
// Copy was called. Where path is taken already, it returns an error that is [fs.ErrExist], and changes nothing.
func (f *Format) Copy(ctx context.Context, file, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	// The copy is made first, so that no other user can read it, not even for a moment; SQLite takes an empty file.
	made, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &failure.Error{Message: "there is a file in the backup's place", Hint: "choose another name: no file is overwritten", Err: err}
	}
	if err != nil {
		return fmt.Errorf("make the backup's file: %w", err)
	}
	if err = f.copyInto(ctx, file, path); err == nil {
		err = made.Sync() // SQLite leaves that to its caller
	}
	if err = errors.Join(err, made.Close()); err != nil {
		_ = os.Remove(path) // a copy that is not whole is useless
	}
	return f.Explain(err)
}

func (f *Format) copyInto(ctx context.Context, file, path string) error {
	db, err := f.Connect(file) // it reads, but SQLite does not do it on a connection that may only read
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", path)
	return err
}
