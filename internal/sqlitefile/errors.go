package sqlitefile

import (
	"errors"

	driver "modernc.org/sqlite"

	"github.com/contactbridge/contactbridge/failure"
)

// Result codes of SQLite (https://www.sqlite.org/rescode.html).
const (
	Busy         = 5
	ReadOnly     = 8
	IO           = 10
	Corrupt      = 11
	Full         = 13
	CantOpen     = 14
	NotADatabase = 26

	// Extended ones.
	ForeignKey = 787
	PrimaryKey = 1555
	Unique     = 2067
)

// Code returns the result code of SQLite's error in the chain, without its extension; 0 if there is no such error.
func Code(err error) int { return ExtendedCode(err) & 0xff }

// ExtendedCode returns the extended result code of SQLite's error in the chain; 0 if there is no such error.
func ExtendedCode(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code()
	}
	return 0
}

// Explain adds what the operator can do about an error of SQLite.
func (f *Format) Explain(err error) error {
	switch Code(err) {
	case Busy:
		return &failure.Error{Message: "another process is writing to the " + f.Name + ", for longer than usual", Hint: "wait for it, or end it, and try again", Err: err}
	case ReadOnly:
		return &failure.Error{Message: "the " + f.Name + " cannot be written to", Hint: "give the user that runs contactbridge the right to write the file and its folder", Err: err}
	case Full:
		return &failure.Error{Message: "the disk is full", Hint: "make room where the " + f.Name + " lies, and try again", Err: err}
	case Corrupt, NotADatabase:
		return &failure.Error{Message: "it is not an SQLite file, or a damaged one", Hint: "choose another file, or restore this one from a backup", Err: err}
	}
	return err
}
