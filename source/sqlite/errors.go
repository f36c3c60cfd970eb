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
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// unavailable returns the error of a file that cannot be opened.
func unavailable(what, hint string) error {
	return &bridge.Error{Code: bridge.CodeSourceUnavailable, Message: "the database file " + what, Hint: hint}
}

// Diagnose implements [sqltable.Database].
func (db *database) Diagnose(err error) sqltable.Diagnosis {
	e := &bridge.Error{Code: bridge.CodeSourceUnavailable, Err: text(err)}
	switch code(err) {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		e.Message, e.RetryAfter = "the database file is locked", 5*time.Second
		e.Hint = "A writer keeps it locked; journal_mode=WAL lets others read meanwhile."
	case lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_READONLY:
		e.Message = "the database file cannot be opened"
		e.Hint = "Check the permissions of the file and its folder; in WAL mode the folder must be writable, or the -shm file be there."
	case lib.SQLITE_AUTH:
		e.Code, e.Message = bridge.CodeUnauthorized, "the database refused access"
	case lib.SQLITE_INTERRUPT:
		return sqltable.Diagnosis{Error: context.Canceled}
	case lib.SQLITE_NOTADB, lib.SQLITE_CORRUPT:
		e.Code = bridge.CodeSourceBroken
		e.Message, e.Hint = db.format()
	case lib.SQLITE_ERROR:
		e.Code, e.Message = bridge.CodeSourceBroken, "SQLite refused a query"
		e.Hint = "Check table, query, id, updated, deleted and fields: preview names the one."
		return sqltable.Diagnosis{Error: e, Statement: true, Message: text(err).Error()}
	case 0:
		return sqltable.Diagnosis{}
	default:
		e.Code, e.Message = bridge.CodeSourceBroken, "SQLite refused a query"
	}
	return sqltable.Diagnosis{Error: e}
}

// format says what is wrong with a file that SQLite can make nothing of: it may be one of another format.
func (db *database) format() (message, hint string) {
	message, hint = "the file is not an SQLite database, or damaged", "Check path; PRAGMA integrity_check tells more."
	head := make([]byte, source.FormatBytes)
	file, err := os.Open(db.location.name)
	if err != nil {
		return message, hint
	}
	n, _ := io.ReadFull(file, head) // fewer where the file is short
	_ = file.Close()                // it was only read
	if other, known := source.FormatOf(head[:n], db.formats); known && !strings.Contains(other.Name, "SQLite") {
		return "the file is " + other.Name + ", not an SQLite database", other.Hint
	}
	return message, hint
}

// probeError returns the error of a lock that could not be tried.
func probeError(err error) error {
	switch code(err) {
	case lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM:
		return &bridge.Error{
			Code: bridge.CodeSourceUnavailable, Message: "the write lock cannot be tried", Err: text(err),
			Hint: "Make the file writable for the bridge, or leave probe_lock out: then every run reads the overlap again.",
		}
	}
	return err
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

// text is SQLite's own words.
func text(err error) error {
	message := strings.TrimPrefix(err.Error(), "SQL logic error: ")
	if i := strings.LastIndex(message, " ("); i > 0 {
		message = message[:i]
	}
	return errors.New(message)
}
