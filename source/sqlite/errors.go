package sqlite

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// unavailable is the error of a file that cannot be opened.
func unavailable(what, hint string) error {
	return &bridge.Error{Code: bridge.CodeSourceUnavailable, Message: "the database file " + what, Hint: hint}
}

// wrap names the cause of an error so that a caller knows what to do. It keeps what names none.
func (f *factory) wrap(ctx context.Context, err error) error {
	var known *bridge.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return interrupted(ctx.Err())
	}
	switch code(err) {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return &bridge.Error{
			Code: bridge.CodeSourceUnavailable, Message: "the database file is locked", RetryAfter: 5 * time.Second, Err: text(err),
			Hint: "a writer keeps it locked; journal_mode=WAL lets others read meanwhile",
		}
	case lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_READONLY:
		return &bridge.Error{
			Code: bridge.CodeSourceUnavailable, Message: "the database file cannot be opened", Err: text(err),
			Hint: "check the permissions of the file and its folder; in WAL mode the folder must be writable, or the -shm file be there",
		}
	case lib.SQLITE_AUTH:
		return &bridge.Error{Code: bridge.CodeUnauthorized, Message: "the database refused access", Err: text(err)}
	case lib.SQLITE_INTERRUPT:
		return interrupted(context.Canceled)
	case lib.SQLITE_NOTADB, lib.SQLITE_CORRUPT:
		return &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: notDatabase, Err: text(err),
			Hint: "check path; PRAGMA integrity_check tells more",
		}
	case 0:
		return err
	}
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: "SQLite refused a query", Err: text(err),
		Hint: "check table, query, id, updated, deleted and fields: preview names the one",
	}
}

// notDatabase is the message where SQLite cannot make anything of a file.
const notDatabase = "the file is no SQLite database, or damaged"

// explain is wrap, and names the format of a file that is not a database.
func (s *Source) explain(ctx context.Context, err error) error {
	err = s.factory.wrap(ctx, err)
	e, ok := errors.AsType[*bridge.Error](err)
	if !ok || e.Message != notDatabase {
		return err
	}
	head := make([]byte, source.FormatBytes)
	file, opening := os.Open(s.db.location.name)
	if opening != nil {
		return err
	}
	n, _ := io.ReadFull(file, head) // fewer where the file is short
	_ = file.Close()                // it was only read
	if other, known := source.FormatOf(head[:n]); known && !strings.Contains(other.Name, "SQLite") {
		named := *e
		named.Message, named.Hint = "the file is "+other.Name+", not a SQLite database", other.Hint
		return &named
	}
	return err
}

// interrupted is the error of a context that is done.
func interrupted(cause error) error {
	if errors.Is(cause, context.Canceled) {
		return cause
	}
	return &bridge.Error{
		Code: bridge.CodeSourceTimeout, Message: "the database file did not answer in time", Err: cause,
		Hint: "is there an index on (updated, id)? preview shows the statement that makes one",
	}
}

// configProblem is an error of one key of the configuration.
func (f *factory) configProblem(ctx context.Context, key string, err error) error {
	if !isStatementError(err) {
		return f.wrap(ctx, err)
	}
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: "the source's " + key + " does not fit the database: " + text(err).Error(),
		Hint: "correct " + key + " in the endpoint's source",
	}
}

// probeError is the error of a lock that could not be tried.
func (f *factory) probeError(ctx context.Context, err error) error {
	switch code(err) {
	case lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM:
		return &bridge.Error{
			Code: bridge.CodeSourceUnavailable, Message: "the write lock cannot be tried", Err: text(err),
			Hint: "make the file writable for the bridge, or leave probe_lock out: then every run reads the overlap again",
		}
	}
	return f.wrap(ctx, err)
}

// code is SQLite's primary result code, 0 for other errors.
func code(err error) int {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func isBusy(err error) bool { return code(err) == lib.SQLITE_BUSY || code(err) == lib.SQLITE_LOCKED }

func isStatementError(err error) bool { return code(err) == lib.SQLITE_ERROR }

// text is SQLite's own words.
func text(err error) error {
	message := strings.TrimPrefix(err.Error(), "SQL logic error: ")
	if i := strings.LastIndex(message, " ("); i > 0 {
		message = message[:i]
	}
	return errors.New(message)
}
