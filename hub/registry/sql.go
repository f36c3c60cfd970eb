package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A dialect holds the SQL that differs between SQLite and PostgreSQL. In statements, hub. stands before every table,
// {lock …} where PostgreSQL locks what it reads, and {skip …} where it leaves out what others have locked: a transaction of
// SQLite has the whole file to itself. {soon} ends a WHERE: the transaction that changes such a row does not wait for the disk.
// {words $1} is a table whose column value holds the words of a list that $1 is as JSON. $1 is understood by both. Other words
// in braces are stored states ([stateWords]).
type dialect struct {
	words   *strings.Replacer
	refusal func(error) refusal
	explain func(error) error
}

// words replaces what a dialect says in its own words, and the names of stored states.
func words(own ...string) *strings.Replacer {
	return strings.NewReplacer(append(own, stateWords()...)...)
}

// A refusal says which rule of the schema a statement breaks.
type refusal int

const (
	refusedNot     refusal = iota
	refusedDouble          // there is another one
	refusedMissing         // what it belongs to is not there
)

// A session runs statements, in a transaction or not.
type session struct {
	*dialect
	q interface {
		ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
	}
}

// exec runs a statement and returns how many rows it changed.
func (s session) exec(ctx context.Context, text string, args ...any) (int64, error) {
	result, err := s.q.ExecContext(ctx, s.words.Replace(text), args...)
	if err != nil {
		return 0, s.explain(err)
	}
	return result.RowsAffected()
}

// batches are how many rows one statement inserts: few sizes, so that few statements are prepared.
var batches = []int{64, 8, 1}

// insert inserts rows of equally many values, many with one statement. head is the statement up to VALUES, tail what follows the values.
func (s session) insert(ctx context.Context, head string, rows [][]any, tail string) error {
	for _, size := range batches {
		for ; len(rows) >= size; rows = rows[size:] {
			var text strings.Builder
			text.WriteString(head)
			args := make([]any, 0, size*len(rows[0]))
			for i, row := range rows[:size] {
				text.WriteString([]string{"(", ", ("}[min(i, 1)])
				for j, v := range row {
					text.WriteString([]string{"$", ", $"}[min(j, 1)])
					args = append(args, v)
					text.WriteString(strconv.Itoa(len(args)))
				}
				text.WriteString(")")
			}
			text.WriteString(tail)
			if _, err := s.exec(ctx, text.String(), args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// must runs a statement that changes something, or else [ErrNotFound].
func (s session) must(ctx context.Context, text string, args ...any) error {
	n, err := s.exec(ctx, text, args...)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// named says what a refusal means: there is another one, or what it belongs to is missing.
func (s session) named(err error, parent string) error {
	switch s.refusal(err) {
	case refusedDouble:
		return ErrExists
	case refusedMissing:
		return fmt.Errorf("%s: %w", parent, ErrNotFound)
	}
	return err
}

// A scanner is one row.
type scanner interface{ Scan(into ...any) error }

// list reads all rows.
func list[T any](ctx context.Context, s session, scan func(scanner) (T, error), text string, args ...any) (all []T, err error) {
	rows, err := s.q.QueryContext(ctx, s.words.Replace(text), args...)
	if err != nil {
		return nil, s.explain(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, s.explain(err)
	}
	return all, nil
}

// one reads the only row, or returns [ErrNotFound].
func one[T any](ctx context.Context, s session, scan func(scanner) (T, error), text string, args ...any) (T, error) {
	all, err := list(ctx, s, scan, text, args...)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		var none T
		return none, err
	}
	return all[0], nil
}

// value scans rows of one column.
func value[T any](row scanner) (v T, err error) {
	err = row.Scan(&v)
	return v, err
}

// change does everything of f or nothing.
func (d *DB) change(ctx context.Context, f func(s session) error) error {
	tx, err := d.writer.BeginTx(ctx, nil)
	if err != nil {
		return d.explain(err)
	}
	defer tx.Rollback()
	if err := f(session{d.dialect, tx}); err != nil {
		return err
	}
	return d.explain(tx.Commit())
}

// read is a session that reads.
func (d *DB) read() session { return session{d.dialect, d.reader} }

// write is a session of single statements that write.
func (d *DB) write() session { return session{d.dialect, d.writer} }

// micros is a time as it is stored: Unix microseconds, 0 for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is a stored time.
func moment(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// A stamp is a time to be read from a row.
type stamp struct{ at *time.Time }

// Scan reads a stored time.
func (s stamp) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return errors.New("a stored time is not a number")
	}
	*s.at = moment(n)
	return nil
}

// A document is something that is stored as JSON, and as nothing where it is empty.
type document[T any] struct{ at *T }

func stored[T any](at *T) document[T] { return document[T]{at} }

// Scan reads a stored document.
func (d document[T]) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return errors.New("a stored document is not text")
	}
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), d.at)
}

// encoded writes a document as it is stored.
func encoded[T any](v *T) (string, error) {
	if v == nil {
		return "", nil
	}
	text, err := json.Marshal(v)
	return string(text), err
}

// encodedList writes a list of words as it is stored.
func encodedList[T ~string](words []T) string {
	if len(words) == 0 {
		return ""
	}
	text, _ := json.Marshal(words) // words can always be written
	return string(text)
}
