package registry

import (
	"errors"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactbridge/contactbridge/internal/sqlitefile"
)

// Unavailable reports whether an error is a database's own trouble, the registry's or the directory's: its disk is full or
// broken, it is read-only, or it cannot be reached. Nothing that is written fares better then, whatever it is.
func Unavailable(err error) bool {
	switch sqlitefile.Code(err) {
	case sqlitefile.ReadOnly, sqlitefile.IO, sqlitefile.Full, sqlitefile.CantOpen:
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code[:min(2, len(e.Code))] {
		case "08", "53", "58": // connection, resources, system
			return true
		}
		return e.Code == "25006" || e.Code == "57P01" || e.Code == "57P02" || e.Code == "57P03" // read-only, shutting down
	}
	_, connect := errors.AsType[*pgconn.ConnectError](err)
	return connect || databaseGone(err)
}

// databaseGone reports whether a connection to PostgreSQL broke.
func databaseGone(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if pgconn.SafeToRetry(err) {
			_, network := errors.AsType[net.Error](err)
			return network
		}
	}
	return false
}
