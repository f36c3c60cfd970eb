package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
)

// A moving says what becomes of a row's stamp when it is put.
type moving string

// What becomes of stamps.
const (
	forward moving = ""     // it is the transaction's
	back    moving = "back" // an old one: only a run that reads everything can see the row's new version (E12)
	null    moving = "null" // none, with the same consequence (E9)
	odd     moving = "odd"  // no stamp of the column's form, or one of the future: seen by every run (E11)
)

// hidden reports whether an incremental run cannot see the version that was put with it.
func (m moving) hidden() bool { return m == back || m == null }

// A stamping says how a database writes stamps: as times, or as milliseconds since 1970.
type stamping string

const (
	asTimes   stamping = "times"
	asNumbers stamping = "numbers"
)

func (s stamping) check() error {
	if s != asTimes && s != asNumbers {
		return errors.New("no such stamps: expected times or numbers")
	}
	return nil
}

// oddNumbers are not milliseconds: seconds of now, "never", and a version.
var oddNumbers = []int64{1_790_000_000, 99_999_999_999_999, 7}

// postgresType returns the type of the column.
func (s stamping) postgresType() string {
	if s == asNumbers {
		return "bigint"
	}
	return "timestamptz"
}

// postgres makes a stamp of a function of time.
func (s stamping) postgres(now string) string {
	if s == asNumbers {
		return "(extract(epoch FROM " + now + ") * 1000)::bigint"
	}
	return now
}

// postgresMoved returns the stamp of a row that does not get the transaction's.
func (s stamping) postgresMoved(m moving, random *rand.Rand) any {
	switch {
	case m == null:
		return nil
	case m == odd && s == asNumbers:
		return oddNumbers[random.IntN(len(oddNumbers))]
	case m == odd:
		return "2101-01-01 00:00:00+00"
	case s == asNumbers:
		return int64(1_000_000_000_000)
	}
	return "2001-09-09 00:00:00+00"
}

// mysqlType returns the type of the column.
func (s stamping) mysqlType() string {
	if s == asNumbers {
		return "bigint"
	}
	return "timestamp(6)"
}

// mysql makes a stamp of a function of time.
func (s stamping) mysql(now string) string {
	if s == asNumbers {
		return "CAST(floor(unix_timestamp(" + now + ") * 1000) AS SIGNED)"
	}
	return now
}

// mysqlMoved returns the same as postgresMoved for MySQL, as SQL.
func (s stamping) mysqlMoved(m moving, random *rand.Rand) string {
	switch {
	case m == null:
		return "NULL"
	case s == asNumbers:
		return fmt.Sprint(s.postgresMoved(m, random))
	case m == odd: // the type ends in 2038
		return "'2037-12-31 00:00:00'"
	}
	return "'2001-09-09 00:00:00'"
}

// sqliteNow returns the expression of a transaction's stamp.
func (s stamping) sqliteNow() string {
	if s == asNumbers {
		return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
	}
	return "strftime('%Y-%m-%d %H:%M:%f', 'now')"
}

// sqliteMoved returns the same for SQLite.
func (s stamping) sqliteMoved(m moving, random *rand.Rand) any {
	switch {
	case s == asNumbers || m == null:
		return s.postgresMoved(m, random)
	case m == odd:
		return "2101-01-01 00:00:00.000"
	}
	return "2001-09-09 00:00:00.000"
}

// parse returns a stamp as SQLite compares it; everything is after an empty one.
func (s stamping) parse(text string) any {
	if number, err := strconv.ParseInt(text, 10, 64); s == asNumbers && err == nil {
		return number
	} else if s == asNumbers {
		return int64(0)
	}
	return text
}
