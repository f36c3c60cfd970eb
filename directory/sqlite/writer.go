package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// A writer is the one connection that writes. It keeps its statements prepared: with a hundred rows to a statement, parsing
// them would cost a fifth of storing a page.
type writer struct {
	db         *sql.DB
	conn       *sql.Conn
	turn       chan struct{} // holds one token; its holder writes
	statements map[string]*sql.Stmt
	places     int // of the file that were gone to: see touch
	clock      func() time.Time
	rules      *directory.Rules // of books
}

// The cache is in KiB. It takes twice its size in memory, since the driver's allocator gives a page the next power of two.
const (
	smallCache = "PRAGMA cache_size = -2000"
	largeCache = "PRAGMA cache_size = -16000"

	manyPlaces = 1000
)

// newWriter opens the file for writing. The log is moved into the file every 32 MiB only: numbers come in no order, so a page of
// contacts touches a thousand leaves of their index, the same ones again and again. What is deleted is overwritten at once, so that a
// person who is purged later has left no trace of earlier versions.
func newWriter(path string) (*writer, error) {
	db, err := format.Writer(path,
		"_pragma=cache_size(-16000)", "_pragma=wal_autocheckpoint(8000)", "_pragma=journal_size_limit(67108864)", "_pragma=secure_delete(1)")
	if err != nil {
		return nil, err
	}
	w := &writer{db: db, turn: make(chan struct{}, 1), statements: map[string]*sql.Stmt{}}
	w.turn <- struct{}{}
	return w, nil
}

// attach takes the connection for good. Until then the database may be used directly (migrations, with a large cache).
func (w *writer) attach(ctx context.Context) (err error) {
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return err
	}
	_, err = w.conn.ExecContext(ctx, smallCache)
	return err
}

// touch notes that so many contacts were found by their ids, written or deleted, each of which has its places in the file. Once they
// are many the cache is enlarged, for as long as the file is open. A run that reads the file from its beginning to its end gains nothing by a
// large cache: to fill and to empty it would take a tenth of its time.
func (w *writer) touch(ctx context.Context, contacts int) error {
	before := w.places
	w.places = min(before+contacts, manyPlaces)
	if before == manyPlaces || w.places < manyPlaces {
		return nil
	}
	_, err := w.conn.ExecContext(ctx, largeCache)
	return err
}

// transaction does everything of f or nothing. Other processes' writers wait meanwhile.
func (w *writer) transaction(ctx context.Context, f func(w *writer) error) error {
	select {
	case <-w.turn:
		defer func() { w.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if _, err := w.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		// Given up at this moment, it may have begun all the same; where it has not, this only says so.
		_, _ = w.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return explained(err)
	}
	err := f(w)
	if err == nil {
		err = ctx.Err()
	}
	// From here on nothing is interrupted, so that it is known whether the transaction was stored.
	ctx = context.WithoutCancel(ctx)
	if err == nil {
		_, err = w.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		// After some errors SQLite has rolled back by itself; then this one says so, and that is all right.
		_, _ = w.ExecContext(ctx, "ROLLBACK")
	}
	return explained(err)
}

// prepared is a statement that stays prepared. There are few of them: every text is a constant, or a [many] in one of its sizes.
func (w *writer) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, ok := w.statements[text]; ok {
		return s, nil
	}
	s, err := w.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	w.statements[text] = s
	return s, nil
}

func (w *writer) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	s, err := w.prepared(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (w *writer) execMany(ctx context.Context, m many, values []any) error {
	return m.chunks(values, func(text string, values []any) error {
		_, err := w.ExecContext(ctx, text, values...)
		return err
	})
}

// query visits the rows that the statement finds.
func (w *writer) query(ctx context.Context, text string, args []any, visit func(*sql.Rows) error) (err error) {
	s, err := w.prepared(ctx, text)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := visit(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// queryMany is query for many rows; first are the parameters that stand before theirs.
func (w *writer) queryMany(ctx context.Context, m many, first, values []any, visit func(*sql.Rows) error) error {
	return m.chunks(values, func(text string, values []any) error {
		return w.query(ctx, text, append(first[:len(first):len(first)], values...), visit)
	})
}

// queryRow reads one row into the targets; it returns sql.ErrNoRows if the row is missing.
func (w *writer) queryRow(ctx context.Context, text string, args []any, into ...any) error {
	s, err := w.prepared(ctx, text)
	if err != nil {
		return err
	}
	return s.QueryRowContext(ctx, args...).Scan(into...)
}

// emptyLog moves the log into the file and cuts it off, so that nothing of what was deleted stays in it. It gives up, without an
// error, if a reader keeps an old state for longer than a transaction waits.
func (w *writer) emptyLog(ctx context.Context) error {
	select {
	case <-w.turn:
		defer func() { w.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var busy, pages, moved int64
	return w.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
}

func (w *writer) close() error {
	var errs []error
	for _, s := range w.statements {
		errs = append(errs, s.Close())
	}
	if w.conn != nil {
		errs = append(errs, w.conn.Close())
	}
	return errors.Join(append(errs, w.db.Close())...)
}
