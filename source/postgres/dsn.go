package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// escape makes a credential safe for the form that the DSN is written in.
func escape(dsn source.Template) source.Escape {
	text := dsn.String()
	if strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://") {
		return source.EscapeURL
	}
	return escapeKeyword
}

// escapeKeyword makes a value safe in "keyword=value keyword='value'".
func escapeKeyword(value string) (string, error) {
	if strings.ContainsRune(value, 0) {
		return "", errors.New("it holds a zero byte")
	}
	var b strings.Builder
	for _, r := range value {
		if strings.ContainsRune("\\' \t\n\r\v\f", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String(), nil
}

// parse reads a DSN. Its errors never hold it.
func parse(dsn string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, &source.ConfigError{
			Key: "dsn", Message: "dsn cannot be read",
			Hint: "Write postgres://user:password@host:port/database?setting=value, with special characters in the user or password percent-encoded.",
		}
	}
	return cfg, nil
}

// connConfig returns how connections are made.
func (f *factory) connConfig(dsn string) (*pgxpool.Config, error) {
	if f.deps.Untrusted {
		if err := untrustedDSN(dsn); err != nil {
			return nil, err
		}
	}
	cfg, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	conn := cfg.ConnConfig
	if conn.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		return nil, &source.ConfigError{
			Key: "dsn", Message: "dsn cannot have default_query_exec_mode=simple_protocol",
			Hint: "Write default_query_exec_mode=exec, which works behind PgBouncer too.",
		}
	}
	if conn.ConnectTimeout == 0 {
		conn.ConnectTimeout = 5 * time.Second
	}
	conn.DialFunc = f.deps.Dial
	conn.StatementCacheCapacity = 64
	conn.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(bufio.NewReaderSize(r, 64<<10), w) // a page in a few reads
	}
	conn.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: time.Second}
	}
	if conn.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		settings(conn.RuntimeParams)
	}
	return cfg, nil
}

// settings are the session's settings, as far as the DSN does not say otherwise.
func settings(params map[string]string) {
	for name, value := range map[string]string{
		"application_name":              "contactbridge",
		"default_transaction_read_only": "on",
		"datestyle":                     "ISO",
		"statement_timeout":             "60s", // for the server's sake, should we be killed; pages have the request's deadline
	} {
		if _, set := params[name]; !set {
			params[name] = value
		}
	}
}

// A database is open for one set of credentials. It is a [sqltable.Database].
type database struct {
	conns    *pgxpool.Pool
	mode     pgx.QueryExecMode
	tenant   source.Settings
	patience time.Duration

	mu    sync.Mutex
	types map[uint32]sqlType // PostgreSQL's own, as the catalogue describes them
}

// openPool makes a pool of connections. None is made yet.
func openPool(ctx context.Context, cfg *pgxpool.Config, patience time.Duration) (*database, error) {
	conns, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), cfg)
	if err != nil {
		return nil, fmt.Errorf("open connections: %w", err)
	}
	return &database{
		conns: conns, mode: cfg.ConnConfig.DefaultQueryExecMode, tenant: tenant(&cfg.ConnConfig.Config), patience: patience, types: map[uint32]sqlType{},
	}, nil
}

// Tenant implements [sqltable.Database].
func (db *database) Tenant() source.Settings { return db.tenant }

// Session implements [sqltable.Database].
func (db *database) Session(ctx context.Context) (sqltable.Session, error) {
	conn, err := db.conns.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return &session{Conn: conn, db: db}, nil
}

// Close implements [sqltable.Database].
func (db *database) Close() error {
	db.conns.Close()
	return nil
}
