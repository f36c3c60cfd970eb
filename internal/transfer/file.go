package transfer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	driver "modernc.org/sqlite"

	"github.com/contactbridge/contactbridge/directory"
)

// A Format is what a file must be.
type Format struct {
	Name          string // what it is, for people: "directory"
	ApplicationID int64  // in the file's header
	Versions      string // table of the migrations that were applied
	Version       int64  // the one that this release reads
}

// ErrInUse says that another process has the file open.
var ErrInUse = errors.New("another process has it open")

// A File is a SQLite file that nobody else has open, and that nobody else can open before it is closed: what is read from it is
// all there will ever be. Nothing in it is changed.
type File struct {
	db   *sql.DB
	conn *sql.Conn
}

// patience is how long a process may take that is just closing the file, in milliseconds.
const patience = 2000

// OpenFile opens a file alone. What the operator can mend is a [*directory.Error]; a file that somebody has open is [ErrInUse].
func OpenFile(ctx context.Context, path string, format Format) (_ *File, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err // SQLite would make one
	}
	// A connection in exclusive mode locks the whole file at its first read. In WAL mode, everybody who has a file open holds a
	// lock on it for as long as that is so, even if nothing is read or written.
	dsn := (&url.URL{Scheme: "file", Path: path}).String() +
		fmt.Sprintf("?mode=rw&_pragma=busy_timeout(%d)&_pragma=locking_mode(exclusive)&_pragma=query_only(1)", patience)
	f := &File{}
	if f.db, err = sql.Open("sqlite", dsn); err != nil {
		return nil, err
	}
	f.db.SetMaxOpenConns(1)
	if f.conn, err = f.db.Conn(ctx); err == nil {
		err = f.check(ctx, format)
	}
	if err != nil {
		return nil, errors.Join(explained(err), f.Close())
	}
	return f, nil
}

// check takes the lock, and sees whether the file is what it must be.
func (f *File) check(ctx context.Context, format Format) error {
	var id, version int64
	err := f.conn.QueryRowContext(ctx, "SELECT application_id, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id").Scan(&id, &version)
	if err != nil {
		return err
	}
	if id != format.ApplicationID {
		return &directory.Error{Message: "it is no " + format.Name, Hint: "name a hub's data folder, or the file that contactbridge sync wrote (--db)"}
	}
	if err := f.conn.QueryRowContext(ctx, "SELECT max(version_id) FROM "+format.Versions).Scan(&version); err != nil {
		return err
	}
	switch {
	case version < format.Version:
		return &directory.Error{
			Message: fmt.Sprintf("an older contactbridge made the %s (schema %d, this one reads %d)", format.Name, version, format.Version),
			Hint:    "start this release once where it is used, which brings it up to date: contactbridge hub --data FOLDER; or, for a single file, contactbridge sync … --db FILE",
		}
	case version > format.Version:
		return &directory.Error{
			Message: fmt.Sprintf("a newer contactbridge made the %s (schema %d, this one reads %d)", format.Name, version, format.Version),
			Hint:    "update contactbridge here as well",
		}
	}
	return nil
}

// Close lets others open the file.
func (f *File) Close() error {
	var errs []error
	if f.conn != nil {
		errs = append(errs, f.conn.Close())
	}
	return errors.Join(append(errs, f.db.Close())...)
}

// Rows reads what a query finds. Several may be read at the same time by one goroutine.
func (f *File) Rows(ctx context.Context, query string, args ...any) Rows {
	return func(yield func([]any, error) bool) {
		if err := f.each(ctx, query, args, yield); err != nil {
			yield(nil, explained(err))
		}
	}
}

func (f *File) each(ctx context.Context, query string, args []any, yield func([]any, error) bool) (err error) {
	rows, err := f.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	row, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range row {
		into[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i := range row {
			if b, ok := row[i].([]byte); ok && b == nil {
				row[i] = []byte{} // the driver's way of an empty value; nil would be none
			}
		}
		if !yield(row, nil) {
			return nil
		}
	}
	return rows.Err()
}

// Value reads the only value that a query finds.
func (f *File) Value(ctx context.Context, into any, query string, args ...any) error {
	return explained(f.conn.QueryRowContext(ctx, query, args...).Scan(into))
}

// Result codes of SQLite.
const (
	codeBusy         = 5
	codeReadOnly     = 8
	codeCorrupt      = 11
	codeNotADatabase = 26
)

// explained adds what the operator can do about an error of SQLite.
func explained(err error) error {
	e, ok := errors.AsType[*driver.Error](err)
	if !ok || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch e.Code() & 0xff {
	case codeBusy:
		return &directory.Error{Message: "it is in use", Hint: "stop the hub, and whatever else has it open, and try again", Err: ErrInUse}
	case codeReadOnly:
		return &directory.Error{Message: "it cannot be locked", Hint: "run this as the user that runs the hub, who may write the file and its folder", Err: err}
	case codeCorrupt, codeNotADatabase:
		return &directory.Error{Message: "it is no SQLite file, or a damaged one", Hint: "name another file, or restore this one from a backup", Err: err}
	}
	return err
}
