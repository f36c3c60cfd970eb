package mysql

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/test/mysqltest"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sourcetest"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

var mariadb mysqltest.Suite

func TestMain(m *testing.M) { os.Exit(mariadb.Main(m)) }

// suite is the suite of all sources.
func suite(stamp string, write func(time.Time) any) sourcetest.SQL {
	return sourcetest.SQL{
		ID: "varchar(700) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin", Stamp: stamp, Replace: true, ManyWriters: true, WriteStamp: write,
		Open: func(t testing.TB) sourcetest.SQLDatabase {
			db := mariadb.Database(t)
			reader := db.User(t, "PROCESS")
			return sourcetest.SQLDatabase{
				DB:  db.DB,
				New: func(cfg sqltable.Config) (source.Factory, error) { return newFactory(cfg, reader) },
				Wrong: func(cfg sqltable.Config) (source.Factory, error) {
					return newFactory(cfg, strings.Replace(reader, ":secret@", ":wrong@", 1))
				},
			}
		},
	}
}

func asUTC(t time.Time) any { return t.UTC().Format("2006-01-02 15:04:05.000000") }

func newFactory(table sqltable.Config, dsn string) (source.Factory, error) {
	cfg := Config{Config: table}
	var err error
	if cfg.DSN, err = source.ParseTemplate(dsn); err != nil {
		return nil, err
	}
	return New(cfg, source.Deps{})
}

func TestSource(t *testing.T) {
	t.Parallel()
	suite("datetime(6)", asUTC).Run(t)
}

func TestSourceWithoutUpdated(t *testing.T) {
	t.Parallel()
	suite("datetime(6)", asUTC).RunUnsorted(t)
}
