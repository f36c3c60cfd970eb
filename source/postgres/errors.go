package postgres

import (
	"errors"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// Diagnose implements [sqltable.Database].
func (db *database) Diagnose(err error) sqltable.Diagnosis {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return sqltable.Diagnosis{Error: connectionError(err)}
	}
	class := pg.Code[:min(2, len(pg.Code))]
	return sqltable.Diagnosis{
		Error:     serverError(pg, class),
		Statement: class == "42" || class == "22" || pg.Code == "3F000",
		Stale:     pg.Code == "0A000", // a plan for columns of other types
		Message:   pg.Message, Hint: statementHint(pg), Cause: &sqlState{pg},
	}
}

// statementHint says what to do about an expression that the server does not like.
func statementHint(pg *pgconn.PgError) string {
	switch {
	case pg.Hint != "":
		return "PostgreSQL's hint: " + pg.Hint
	case pg.Code == "42P01":
		return "Names are taken letter by letter, upper and lower case matter; another schema is written schema.name."
	case pg.Code == "42501":
		return grantSelect
	}
	return ""
}

const grantSelect = "GRANT SELECT on what is read to the user of dsn."

// serverError returns the error that the server answered with. Its text is PostgreSQL's own, which holds no credential.
func serverError(pg *pgconn.PgError, class string) error {
	e := &bridge.Error{Code: bridge.CodeSourceBroken, Message: "PostgreSQL refused a query: " + pg.Message, Err: &sqlState{pg}}
	switch {
	case class == "28":
		e.Code, e.Message = bridge.CodeUnauthorized, "the database refused the credentials"
		e.Hint = "Check the user and the password in dsn, and pg_hba.conf on the server."
	case pg.Code == "3D000":
		e.Message, e.Hint = "the database does not exist", "Check the database's name in dsn."
	case pg.Code == "42501":
		e.Hint = grantSelect
	case class == "42":
		e.Hint = "Check table, query, id, updated, deleted and fields: preview names the one."
	case pg.Code == "57014":
		e.Code, e.Message = bridge.CodeSourceTimeout, "the database cancelled a query that took too long"
		e.Hint = "Is there an index on (updated, id)? preview shows the statement that makes one."
	case class == "53":
		e.Code, e.RetryAfter = bridge.CodeSourceUnavailable, 10*time.Second
		e.Hint = "The server is out of connections, memory or disk."
	case pg.Code == "08P01":
		e.Message = "the server does not take the connection as it is made: " + pg.Message
		e.Hint = "Behind PgBouncer add default_query_exec_mode=exec to dsn."
	case pg.Code == "25006":
		e.Hint = "The bridge only reads: no expression of the source may write."
	case class == "57", class == "08", class == "40":
		e.Code, e.RetryAfter = bridge.CodeSourceUnavailable, 5*time.Second
		e.Hint = "The server is starting, stopping or failing over: try again."
	}
	return e
}

// A sqlState is the server's error without what it knows about the rows.
type sqlState struct{ pg *pgconn.PgError }

func (s *sqlState) Error() string { return "SQLSTATE " + s.pg.Code }

// connectionError returns the error of no connection, or of one that broke. The driver's own text names hosts and users, so only
// the innermost cause is kept.
func connectionError(err error) error {
	e := &bridge.Error{
		Code: bridge.CodeSourceUnavailable, Message: "the database cannot be reached", RetryAfter: 5 * time.Second,
		Hint: "Check that the server is running, and that host and port in dsn are right.",
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		e.Err = errors.New("its name cannot be resolved")
		e.Hint = "Is the host in dsn right? A user or password that is written into the URL itself must be percent-encoded; the value of ${NAME} there is escaped by itself."
	} else {
		e.Err = innermost(err)
	}
	return e
}

// innermost returns the first cause, without what was said around it.
func innermost(err error) error {
	for {
		switch e := err.(type) { //nolint:errorlint // this walks the chain
		case interface{ Unwrap() error }:
			if e.Unwrap() == nil {
				return err
			}
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			if len(e.Unwrap()) == 0 {
				return err
			}
			err = e.Unwrap()[0]
		default:
			return err
		}
	}
}
