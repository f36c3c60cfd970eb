package postgres

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver that the suite writes with

	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sourcetest"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// suite is the suite of all sources.
var suite = sourcetest.SQL{
	LongIDs: true,
	Stamp:   "timestamptz", Phones: "text[]",
	Parameter:   func(n int) string { return fmt.Sprint("$", n) },
	WritePhones: func(phones []string) any { return phones },
	ManyWriters: true,
	Open: func(t testing.TB) sourcetest.SQLDatabase {
		server := server.Database(t)
		db, err := sql.Open("pgx", server.DSN)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return sourcetest.SQLDatabase{
			DB:    db,
			New:   func(cfg sqltable.Config) (source.Factory, error) { return newFactory(cfg, server.DSN) },
			Wrong: func(cfg sqltable.Config) (source.Factory, error) { return newFactory(cfg, wrongPassword(t, server)) },
		}
	},
}

func newFactory(table sqltable.Config, dsn string) (source.Factory, error) {
	cfg := Config{Config: table}
	var err error
	if cfg.DSN, err = source.ParseTemplate(dsn); err != nil {
		return nil, err
	}
	return New(cfg, source.Deps{})
}

func wrongPassword(t testing.TB, db *pgtest.Database) string {
	return strings.Replace(db.User(t), ":secret@", ":wrong@", 1)
}

func TestSource(t *testing.T) {
	t.Parallel()
	suite.Run(t)
}

func TestSourceWithoutUpdated(t *testing.T) {
	t.Parallel()
	suite.RunUnsorted(t)
}
