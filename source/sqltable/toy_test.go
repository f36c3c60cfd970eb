package sqltable_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the toy's database

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sourcetest"
	"github.com/contactbridge/contactbridge/source/sqltable"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// A toy is the least that a database gives: its stamps have types, it cannot tell what was changed, and it can do nothing of what
// is optional. It is a file of SQLite, read as if that had a clock.
type toy struct {
	db   *sql.DB
	name string
}

// toyDialect has no row values, and numbers its parameters.
var toyDialect = sqltable.Dialect{
	NoRowValues: true,
	Parameter:   func(n int, _ string) string { return "?" + strconv.Itoa(n) },
	Limit:       func(n int) string { return "LIMIT " + strconv.Itoa(n) + " OFFSET 0" },
	Join:        func(separator string, values []string) string { return strings.Join(values, " || '"+separator+"' || ") },
}

func newToy(name string, table sqltable.Config) (source.Factory, error) {
	address, err := source.ParseTemplate(name)
	if err != nil {
		return nil, err
	}
	return sqltable.New(sqltable.Endpoint{
		Config: table, Meanings: []string{stamp.AsTimestamp, stamp.AsSequence},
		Settings: source.SettingsOf("toy", 1, table), Dialect: &toyDialect,
		Address: address, Escape: source.EscapeURL,
		Open: func(_ context.Context, address string) (sqltable.Database, error) {
			db, err := sql.Open("sqlite", address)
			return &toy{db: db, name: address}, err
		},
	}, source.Deps{})
}

func (d *toy) Tenant() source.Settings { return source.Settings{"tenant.file": d.name} }

func (d *toy) Close() error { return d.db.Close() }

func (d *toy) Session(ctx context.Context) (sqltable.Session, error) {
	conn, err := sqltable.Connect(ctx, d.db)
	if err != nil {
		return nil, err
	}
	return toySession{conn}, nil
}

func (d *toy) Diagnose(err error) sqltable.Diagnosis {
	return sqltable.Diagnosis{
		Statement: strings.Contains(err.Error(), "SQL logic error"), Message: err.Error(),
		Error: &bridge.Error{Code: bridge.CodeSourceBroken, Message: err.Error()},
	}
}

type toySession struct{ *sqltable.DriverConn }

func (s toySession) Describe(ctx context.Context, query string) ([]sqltable.Type, error) {
	return s.Columns(ctx, query+" LIMIT 0", func(rows sqldriver.Rows, column int) sqltable.Type {
		t := sqltable.Type{SQL: rows.(sqldriver.RowsColumnTypeDatabaseTypeName).ColumnTypeDatabaseTypeName(column)}
		switch t.SQL {
		case "DATETIME":
			t.Stamp, t.Precision = sqltable.Walls, time.Second
		case "INTEGER":
			t.Stamp = sqltable.Integers
		}
		return t
	})
}

func (s toySession) Clock(_ context.Context, _ *sqltable.Table, overlap time.Duration) (sqltable.Clock, error) {
	now := time.Now()
	return sqltable.Clock{Now: now, Safe: now.Add(-overlap), Zone: "UTC", Method: "overlap", Lacks: "open transactions cannot be seen"}, nil
}

// toySuite stamps with a type.
func toySuite(typ string, write func(time.Time) any) sourcetest.SQL {
	return sourcetest.SQL{
		Stamp: typ, WriteStamp: write,
		Open: func(t testing.TB) sourcetest.SQLDatabase {
			name := "file:" + filepath.Join(t.TempDir(), "toy.db") + "?_pragma=busy_timeout(2000)&_pragma=journal_mode(wal)"
			db, err := sql.Open("sqlite", name)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return sourcetest.SQLDatabase{DB: db, New: func(cfg sqltable.Config) (source.Factory, error) { return newToy(name, cfg) }}
		},
	}
}

func TestLeastDatabaseWithTimes(t *testing.T) {
	t.Parallel()
	toySuite("DATETIME", func(t time.Time) any { return t.UTC().Format("2006-01-02 15:04:05.000000") }).Run(t)
}

func TestLeastDatabaseWithNumbers(t *testing.T) {
	t.Parallel()
	toySuite("INTEGER", func(t time.Time) any { return t.UnixMicro() }).Run(t)
}

func TestLeastDatabaseWithoutUpdated(t *testing.T) {
	t.Parallel()
	toySuite("INTEGER", func(t time.Time) any { return t.UnixMicro() }).RunUnsorted(t)
}

func TestATypeThatIsNoStampIsExplained(t *testing.T) {
	t.Parallel()
	db := toySuite("TEXT", nil).Open(t)
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE contacts (id TEXT, changed TEXT)"); err != nil {
		t.Fatal(err)
	}
	factory, err := db.New(sqltable.Config{Table: "contacts", ID: "id", Updated: "changed"})
	if err != nil {
		t.Fatal(err)
	}
	defer factory.Close()
	src, err := factory.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	_, err = src.Begin(t.Context(), "")
	said := failure.Of(err)
	if !strings.Contains(said.Message, "its type is TEXT") || said.Hint != "Set updated to a column of times, dates or integers, or to an expression that casts to such a type." {
		t.Errorf("%q, %q", said.Message, said.Hint)
	}
}
