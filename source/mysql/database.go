package mysql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// A database is what is open for one set of credentials. It is a [sqltable.Database].
type database struct {
	conns  *sql.DB
	tenant source.Settings
}

// open makes a pool of connections. None is made yet.
func open(a address, deps source.Deps) (*database, error) {
	if deps.Untrusted {
		if err := a.untrusted(); err != nil {
			return nil, err
		}
	}
	cfg, err := a.driverConfig(deps)
	if err != nil {
		return nil, err
	}
	plain, err := driver.NewConnector(cfg)
	if err != nil {
		return nil, badDSN("dsn cannot be used", writeDSN)
	}
	db := sql.OpenDB(connector{plain, a.sqlMode})
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(4)
	db.SetConnMaxIdleTime(time.Minute)
	return &database{conns: db, tenant: a.tenant()}, nil
}

// A connector makes sessions that all read alike, whatever the server's settings are.
type connector struct {
	sqldriver.Connector
	sqlMode string
}

// sessionSettings: times are in UTC, lists are not cut, and the server ends what takes too long, should we be killed. The comments are
// for one of the two servers each.
const sessionSettings = "SET SESSION time_zone = '+00:00', group_concat_max_len = 16777216" +
	" /*M!100101 , max_statement_time = 60 */ /*!80000 , max_execution_time = 60000, information_schema_stats_expiry = 0 */"

// Connect implements [sqldriver.Connector].
func (c connector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	greeting, over := greeted(ctx)
	conn, err := c.Connector.Connect(greeting)
	if err != nil {
		return nil, err
	}
	defer over()
	statements := []string{sessionSettings, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY"}
	if c.sqlMode != "" {
		statements = append(statements, "SET SESSION sql_mode = '"+c.sqlMode+"'")
	}
	for _, statement := range statements {
		if _, err := conn.(sqldriver.ExecerContext).ExecContext(ctx, statement, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("set up a session: %w", err), conn.Close())
		}
	}
	return conn, nil
}

// Tenant implements [sqltable.Database].
func (db *database) Tenant() source.Settings { return db.tenant }

// Session implements [sqltable.Database].
func (db *database) Session(ctx context.Context) (sqltable.Session, error) {
	conn, err := sqltable.Connect(ctx, db.conns)
	if err != nil {
		return nil, err
	}
	conn.Value, conn.Bytes = value, keyset.Text // whatever comes as bytes was selected as a text
	return &session{DriverConn: conn}, nil
}

// Close implements [sqltable.Database].
func (db *database) Close() error { return db.conns.Close() }

// A session is a connection. It is a [sqltable.Session].
type session struct {
	*sqltable.DriverConn
	marked *sqltable.Clock // what Mark read for the clock of the same run; nil otherwise
}

// value makes a driver's value one of ours.
func value(v sqldriver.Value) keyset.Value {
	switch v := v.(type) {
	case uint64: // beyond the greatest int64
		return keyset.TextValue(strconv.FormatUint(v, 10))
	case float32:
		return keyset.Value{Kind: keyset.Real, Real: float64(v)}
	}
	return sqltable.DriverValue(v)
}

// Describe implements [sqltable.Session].
func (s *session) Describe(ctx context.Context, query string) ([]sqltable.Type, error) {
	return s.Columns(ctx, query+" LIMIT 0", typeOf)
}

// rows reads all rows of a statement as texts; null is empty.
func (s *session) rows(ctx context.Context, statement string, args ...string) (rows [][]string, err error) {
	values := make([]keyset.Value, len(args))
	for i, arg := range args {
		values[i] = keyset.TextValue(arg)
	}
	err = s.Query(ctx, sqltable.Statement{SQL: statement, Args: values}, func(values []keyset.Value) (bool, error) {
		row := make([]string, len(values))
		for i, v := range values {
			switch v.Kind {
			case keyset.Int:
				row[i] = strconv.FormatInt(v.Int, 10)
			case keyset.Real:
				row[i] = strconv.FormatFloat(v.Real, 'g', -1, 64)
			default:
				row[i] = string([]byte(v.Text)) // a copy
			}
		}
		rows = append(rows, row)
		return true, nil
	})
	return rows, err
}

// Limited implements [sqltable.Limiter]: a server does not notice that a client has gone while it looks for rows. The comments are for one of
// the two servers each.
func (s *session) Limited(statement sqltable.Statement, most time.Duration) sqltable.Statement {
	milliseconds := max(most.Milliseconds(), 1)
	if rest, ok := strings.CutPrefix(statement.SQL, "SELECT "); ok {
		statement.SQL = fmt.Sprintf("/*M!100101 SET STATEMENT max_statement_time = %d.%03d FOR */ SELECT /*+ MAX_EXECUTION_TIME(%d) */ %s", milliseconds/1000, milliseconds%1000, milliseconds, rest)
	}
	return statement
}
