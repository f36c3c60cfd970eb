package sqlite

import (
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sourcetest"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// stampings are ways to write stamps.
var stampings = map[string]func(time.Time) any{
	"sql":         func(t time.Time) any { return t.UTC().Format("2006-01-02 15:04:05") },
	"fraction":    func(t time.Time) any { return t.UTC().Format("2006-01-02 15:04:05.000") },
	"iso":         func(t time.Time) any { return t.UTC().Format(time.RFC3339Nano) },
	"offset":      func(t time.Time) any { return t.In(time.FixedZone("", 7200)).Format(time.RFC3339) },
	"go":          func(t time.Time) any { return t.UTC().Format("2006-01-02 15:04:05.999999999 -0700 MST") },
	"seconds":     func(t time.Time) any { return t.Unix() },
	"millis":      func(t time.Time) any { return t.UnixMilli() },
	"micros":      func(t time.Time) any { return t.UnixMicro() },
	"julian":      func(t time.Time) any { return 2440587.5 + float64(t.UnixMicro())/86400e6 },
	"real":        func(t time.Time) any { return float64(t.UnixMicro()) / 1e6 },
	"date":        func(t time.Time) any { return t.UTC().Format("2006-01-02") },
	"to a minute": func(t time.Time) any { return t.UTC().Format("2006-01-02 15:04") },
}

// suite returns the suite of all sources on a file. add completes a configuration.
func suite(stamping string, add func(*Config)) sourcetest.SQL {
	return sourcetest.SQL{
		LongIDs: true,
		Stamp:   "BLOB", // keeps values of any type as they are
		Open: func(t testing.TB) sourcetest.SQLDatabase {
			f := newFile(t, "PRAGMA journal_mode = WAL")
			return sourcetest.SQLDatabase{DB: f.DB, New: func(table sqltable.Config) (source.Factory, error) {
				cfg := Config{Config: table}
				add(&cfg)
				var err error
				if cfg.Path, err = source.ParseTemplate(f.path); err != nil {
					return nil, err
				}
				return New(cfg, source.Deps{})
			}}
		},
		WriteStamp: stampings[stamping],
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	suite("iso", func(*Config) {}).Run(t)
}

func TestSourceWithProbeLock(t *testing.T) {
	t.Parallel()
	suite("micros", func(c *Config) { c.ProbeLock = true }).Run(t)
}

func TestSourceWithoutUpdated(t *testing.T) {
	t.Parallel()
	suite("sql", func(*Config) {}).RunUnsorted(t)
}
