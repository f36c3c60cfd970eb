package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"os"
	"path/filepath"

	"github.com/contactbridge/contactbridge/failure"
)

// ErrInUse says that another process has the file open.
var ErrInUse = errors.New("another process has it open")

// An Alone is a file that no other process has open, or can open before it is closed: what is read from it is all there will ever
// be. Nothing in it is changed.
type Alone struct {
	db   *sql.DB
	conn *sql.Conn
}

// patience is how long a process may take that is just closing the file, in milliseconds.
const patience = 2000

// OpenAlone opens a file alone: one that is there, with the schema of this release. What the operator can mend is a
// [*failure.Error]; a file that another process has open is [ErrInUse], one that is missing [fs.ErrNotExist].
func (f *Format) OpenAlone(ctx context.Context, path string) (_ *Alone, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err // SQLite would make one
	}
	// A connection in exclusive mode locks the whole file at its first read. In WAL mode, everybody who has a file open holds a
	// lock on it for as long as that is so, even if nothing is read or written.
	dsn := fmt.Sprintf("%s?mode=rw&_pragma=busy_timeout(%d)&_pragma=locking_mode(exclusive)&_pragma=query_only(1)",
		(&url.URL{Scheme: "file", Path: path}).String(), patience)
	a := &Alone{}
	if a.db, err = sql.Open("sqlite", dsn); err != nil {
		return nil, err
	}
	a.db.SetMaxOpenConns(1)
	if a.conn, err = a.db.Conn(ctx); err == nil {
		err = f.checkAlone(ctx, a)
	}
	if err != nil {
		return nil, errors.Join(explainAlone(err), a.Close())
	}
	return a, nil
}

// checkAlone takes the lock, and compares the file with its format.
func (f *Format) checkAlone(ctx context.Context, a *Alone) error {
	var id, tables int64
	err := a.conn.QueryRowContext(ctx, "SELECT application_id, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id").Scan(&id, &tables)
	if err != nil {
		return err
	}
	if id != f.ApplicationID {
		return &failure.Error{Message: "it is not a " + f.Name, Hint: "name a hub's data folder, or the file that contactbridge sync wrote (--db)"}
	}
	provider, err := f.provider(a.db)
	if err != nil {
		return err
	}
	var version int64
	if err := a.conn.QueryRowContext(ctx, "SELECT max(version_id) FROM "+f.Versions).Scan(&version); err != nil {
		return err
	}
	switch target := newest(provider); {
	case version < target:
		return &failure.Error{
			Message: fmt.Sprintf("an older contactbridge made the %s (schema %d, this one reads %d)", f.Name, version, target),
			Hint:    "start this release once where it is used, which brings it up to date: contactbridge hub --data FOLDER; or, for a single file, contactbridge sync … --db FILE",
		}
	case version > target:
		return &failure.Error{
			Message: fmt.Sprintf("a newer contactbridge made the %s (schema %d, this one reads %d)", f.Name, version, target),
			Hint:    "update contactbridge here as well",
		}
	}
	return nil
}

// Close lets others open the file.
func (a *Alone) Close() error {
	var errs []error
	if a.conn != nil {
		errs = append(errs, a.conn.Close())
	}
	return errors.Join(append(errs, a.db.Close())...)
}

// Each visits the rows that a query finds. Several queries may be read at the same time by one goroutine.
func (a *Alone) Each(ctx context.Context, query string, visit func(row *sql.Rows) error) (err error) {
	rows, err := a.conn.QueryContext(ctx, query)
	if err != nil {
		return explainAlone(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := visit(rows); err != nil {
			return explainAlone(err)
		}
	}
	return explainAlone(rows.Err())
}

// Rows returns the rows that a query finds, each with a value for every column: nil, int64, string or []byte. A row is good until
// the next one; an error is the last thing that comes.
func (a *Alone) Rows(ctx context.Context, query string) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		var row, into []any
		err := a.Each(ctx, query, func(rows *sql.Rows) error {
			if row == nil {
				columns, err := rows.Columns()
				if err != nil {
					return err
				}
				row, into = make([]any, len(columns)), make([]any, len(columns))
				for i := range row {
					into[i] = &row[i]
				}
			}
			if err := rows.Scan(into...); err != nil {
				return err
			}
			for i := range row {
				if b, ok := row[i].([]byte); ok && b == nil {
					row[i] = []byte{} // the driver's way of an empty value; nil would be no value
				}
			}
			if !yield(row, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

// errEnough ends a query when its reader wants no more rows.
var errEnough = errors.New("enough")

// Value reads the only value that a query finds.
func (a *Alone) Value(ctx context.Context, into any, query string, args ...any) error {
	return explainAlone(a.conn.QueryRowContext(ctx, query, args...).Scan(into))
}

// explainAlone adds what the operator can do about an error of SQLite.
func explainAlone(err error) error {
	switch Code(err) {
	case Busy:
		return &failure.Error{Message: "it is in use", Hint: "stop the hub, and whatever else has it open, and try again", Err: ErrInUse}
	case ReadOnly:
		return &failure.Error{Message: "it cannot be locked", Hint: "run this as the user that runs the hub, who may write the file and its folder", Err: err}
	case Corrupt, NotADatabase:
		return &failure.Error{Message: "it is not an SQLite file, or a damaged one", Hint: "name another file, or restore this one from a backup", Err: err}
	}
	return err
}
