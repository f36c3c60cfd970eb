package postgres

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactbridge/contactbridge/bridge"
)

// A configError is a configuration that does not fit the database.
type configError struct {
	key, message, hint string
}

func (e *configError) Error() string { return e.key + ": " + e.message }

// wrap names the cause of an error so that a caller knows what to do. It keeps what names none.
func (f *factory) wrap(ctx context.Context, err error) error {
	var known *bridge.Error
	var config *configError
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.As(err, &config):
		return &bridge.Error{Code: bridge.CodeSourceBroken, Message: "the source's configuration does not fit the database: " + config.Error(), Hint: config.hint}
	case ctx.Err() != nil:
		return interrupted(ctx.Err())
	case errors.As(err, &pg):
		return serverError(pg)
	}
	return connectionError(err)
}

// interrupted is the error of a context that is done.
func interrupted(cause error) error {
	if errors.Is(cause, context.Canceled) {
		return cause
	}
	return &bridge.Error{
		Code: bridge.CodeSourceTimeout, Message: "the database did not answer in time", Err: cause,
		Hint: "is there an index on (updated, id)? preview shows the statement that makes one; otherwise the database is overloaded, or a lock is held",
	}
}

// serverError is the error that the server answered with. Its text is PostgreSQL's own, which holds no credential.
func serverError(pg *pgconn.PgError) error {
	e := &bridge.Error{Code: bridge.CodeSourceBroken, Message: "PostgreSQL refused a query: " + pg.Message, Err: &sqlState{pg}}
	switch class := pg.Code[:min(2, len(pg.Code))]; {
	case class == "28":
		e.Code, e.Message = bridge.CodeUnauthorized, "the database refused the credentials"
		e.Hint = "check the user and the password in dsn, and pg_hba.conf on the server"
	case pg.Code == "3D000":
		e.Message, e.Hint = "the database does not exist", "check the database's name in dsn"
	case pg.Code == "42501":
		e.Hint = "GRANT SELECT on what is read to the user of dsn"
	case class == "42":
		e.Hint = "check table, query, id, updated, deleted and fields: preview names the one"
	case pg.Code == "57014":
		e.Code, e.Message = bridge.CodeSourceTimeout, "the database cancelled a query that took too long"
		e.Hint = "is there an index on (updated, id)? preview shows the statement that makes one"
	case class == "53":
		e.Code, e.RetryAfter = bridge.CodeSourceUnavailable, 10*time.Second
		e.Hint = "the server is out of connections, memory or disk"
	case pg.Code == "08P01":
		e.Message = "the server does not take the connection as it is made: " + pg.Message
		e.Hint = "behind PgBouncer add default_query_exec_mode=exec to dsn"
	case pg.Code == "25006":
		e.Hint = "the bridge only reads: no expression of the source may write"
	case class == "57", class == "08", class == "40":
		e.Code, e.RetryAfter = bridge.CodeSourceUnavailable, 5*time.Second
		e.Hint = "the server is starting, stopping or failing over: try again"
	}
	return e
}

// A sqlState is the server's error without what it knows about the rows.
type sqlState struct{ pg *pgconn.PgError }

func (s *sqlState) Error() string { return "SQLSTATE " + s.pg.Code }

// connectionError is the error of no connection, or of one that broke. The driver's own text names hosts and users, so only
// the innermost cause is kept.
func connectionError(err error) error {
	e := &bridge.Error{
		Code: bridge.CodeSourceUnavailable, Message: "the database cannot be reached", RetryAfter: 5 * time.Second,
		Hint: "is the server running, and are host and port in dsn right?",
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		e.Err = errors.New("its name cannot be resolved")
		e.Hint = "is the host in dsn right? A user or password that is written into the URL itself must be percent-encoded; the value of ${NAME} there is escaped by itself"
	} else {
		e.Err = innermost(err)
	}
	return e
}

// innermost is the first cause, without what was said around it.
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

// configProblem is an error of one key of the configuration.
func (f *factory) configProblem(ctx context.Context, key string, err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return f.wrap(ctx, err)
	}
	hint := "correct " + key + " in the endpoint's source"
	switch {
	case pg.Hint != "":
		hint += "; PostgreSQL's hint: " + pg.Hint
	case pg.Code == "42P01":
		hint += `: names are taken letter by letter, upper and lower case matter; another schema is written schema.name`
	case pg.Code == "42501":
		hint = "GRANT SELECT on what is read to the user of dsn"
	}
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: "the source's " + key + " does not fit the database: " + pg.Message,
		Hint: hint, Err: &sqlState{pg},
	}
}

// isStatementError reports whether the server did not like a statement's text.
func isStatementError(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code[:2] == "42" || pg.Code[:2] == "22" || pg.Code == "3F000")
}

// isStale reports whether an error may come from a table that was changed since it was described.
func isStale(err error) bool {
	var pg *pgconn.PgError
	return isStatementError(err) || errors.As(err, &pg) && pg.Code == "0A000"
}
