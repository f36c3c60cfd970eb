package hubserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/sqlitefile"
)

// LockFile is in the data folder of an embedded hub. The process that serves the hub holds a lock on it, which ends with the
// process however that ends. Commands beside the hub do not take it.
const LockFile = "hub.lock"

// A lock is an exclusive transaction on a database without content: SQLite locks files alike on every system.
type lock struct {
	db   *sql.DB
	held *sql.Conn
}

// lockFolder takes the lock of a data folder, which it creates if it is missing. Where another process holds the lock it returns a
// [failure.Conflict] after a moment: one that is just being replaced may still be ending.
func lockFolder(ctx context.Context, folder string) (_ *lock, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, folderError(folder, err)
	}
	path, err := filepath.Abs(filepath.Join(folder, LockFile))
	if err != nil {
		return nil, err
	}
	if err := sqlitefile.Make(path); err != nil {
		return nil, folderError(folder, err)
	}
	dsn := (&url.URL{Scheme: "file", Path: path}).String() + "?_pragma=busy_timeout(1500)&_pragma=journal_mode(off)"
	l := &lock{}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.db, err = sql.Open("sqlite", dsn); err != nil {
		return nil, fmt.Errorf("lock the hub's folder: %w", err)
	}
	if l.held, err = l.db.Conn(ctx); err == nil {
		_, err = l.held.ExecContext(ctx, "BEGIN EXCLUSIVE")
	}
	if sqlitefile.Code(err) == sqlitefile.Busy {
		return nil, &failure.Error{
			Code: failure.Conflict, Message: "another hub is running on the folder " + folder,
			Hint: "End that one first, or give this one a folder of its own with --data. Several processes can share a hub whose database is PostgreSQL.",
		}
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return l, nil
}

// folderError says that the hub's folder cannot be used.
func folderError(folder string, err error) error {
	return &failure.Error{
		Message: "the hub cannot write to its folder " + folder, Err: err,
		Hint: "Give the user that runs the hub the right to write there, or name another folder with --data or data in the configuration.",
	}
}

// Close gives the lock back. A nil lock has nothing to give back.
func (l *lock) Close() error {
	if l == nil {
		return nil
	}
	var errs []error
	if l.held != nil {
		errs = append(errs, l.held.Close())
	}
	if l.db != nil {
		errs = append(errs, l.db.Close())
	}
	return errors.Join(errs...)
}
