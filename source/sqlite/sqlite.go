// Package sqlite is a source of contacts in an SQLite database file.
//
// # The safe horizon
//
// Write transactions are serial, but one that is open may have stamped its rows long before it commits, and no other process can
// see it (E2). So the horizon is the machine's clock minus the overlap; with probe_lock it is the clock itself, whenever the
// write lock can be taken and given back at once, since no process is writing then. Either way clock_skew and the stamps' own
// precision are taken off. Numbers that grow (updated_as: sequence), drawn inside the write transaction, need no clock: the
// greatest one that is visible is the horizon.
//
// # Stamps
//
// SQLite has no type for time. How stamps are written is read off the newest ones: texts such as 2026-11-23 03:00:00 or
// 2026-11-23T03:00:00.123Z, integers (seconds, milliseconds or microseconds since 1970), or fractions (Julian days, seconds
// since 1970). Where they are written in several ways their order is not that of time, and no run may rely on it: every one
// reads everything, and both the log and preview say so.
package sqlite

import (
	"context"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sqltable"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// Config is the configuration of kind sqlite.
type Config struct {
	Path            source.Template `yaml:"path" digest:"-" jsonschema_description:"The database file. {{auth.name}} may stand in it. Either this or dsn."`
	DSN             source.Template `yaml:"dsn" digest:"-" jsonschema_description:"The same as path, or an SQLite URI (file:…)."`
	sqltable.Config `yaml:",inline"`
	UpdatedAs       string `yaml:"updated_as" jsonschema:"enum=auto,enum=timestamp,enum=date,enum=epoch_s,enum=epoch_ms,enum=epoch_us,enum=sequence" jsonschema_description:"What updated is, where its values do not tell. Default: auto."`
	ProbeLock       bool   `yaml:"probe_lock" digest:"-" jsonschema_description:"Take the write lock and release it to see that no process is writing: then every run reads the last minute again instead of the overlap. The file must be writable."`
}

// revision is the kind's mapping revision: see [source.SettingsOf].
const revision = 1

// A Source reads the contacts of one database file.
type Source = sqltable.Source

// dialect is how SQLite writes SQL. A sign takes away a column's declared type, so that the driver gives the value as it is stored,
// and no index serves it.
var dialect = sqltable.Dialect{
	Select: func(e sqltable.Expression) (string, sqltable.JSON) {
		switch e.Field {
		case "id", "updated", "deleted":
			return "+" + e.SQL, sqltable.NotJSON
		}
		return "CAST(" + e.SQL + " AS TEXT)", sqltable.MaybeJSON
	},
	Unindexed: func(expression string) string { return "+" + expression },
	Probe:     "SELECT 1 FROM sqlite_schema", // 1 alone opens no file
}

// mostArguments is the number of arguments that every build of SQLite accepts for concat.
const mostArguments = 100

// pack implements [sqltable.Table.Pack]: the driver needs about the same time for a short text and for a long one. In a UTF-8 database, concat
// converts a value to the same text as CAST, and null to nothing.
func pack(expressions []string, separator string) string {
	var calls, arguments []string
	for i, e := range expressions {
		if i > 0 {
			arguments = append(arguments, "'"+separator+"'")
		}
		arguments = append(arguments, e)
		if len(arguments) >= mostArguments-1 || i == len(expressions)-1 {
			calls = append(calls, "concat("+strings.Join(arguments, ", ")+")")
			arguments = nil
		}
	}
	return strings.Join(calls, " || ")
}

// New makes the factory of one endpoint. It opens nothing.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	deps = deps.Defaults()
	path := cfg.Path
	if path.String() == "" {
		path = cfg.DSN
	}
	return sqltable.New(sqltable.Endpoint{
		Config: cfg.Config, UpdatedAs: cfg.UpdatedAs,
		Meanings: []string{stamp.AsTimestamp, stamp.AsDate, stamp.AsSeconds, stamp.AsMillis, stamp.AsMicros, stamp.AsSequence},
		Settings: source.SettingsOf("sqlite", revision, cfg), Dialect: &dialect,
		Address: path, Escape: escapeName, Err: cfg.checkPath(),
		Open: func(_ context.Context, address string) (sqltable.Database, error) {
			file, err := parseLocation(address, deps.Path)
			if err != nil {
				return nil, err
			}
			file.ofCaller = len(path.Names()) > 0
			return openFile(file, cfg.ProbeLock, deps.Formats)
		},
	}, deps)
}

// checkPath finds what is wrong with path and dsn.
func (c Config) checkPath() error {
	var errs source.ConfigErrors
	path, dsn := c.Path.String(), c.DSN.String()
	errs.If(path == "" && dsn == "", "path", "path is missing", "Name the database file.")
	errs.If(path != "" && dsn != "", "path", "path and dsn exclude each other", "Keep one of them: they have the same meaning.")
	errs.If(strings.Contains(path+dsn, ":memory:"), "path", "path cannot be :memory:", "Name a file.")
	return errs.Err()
}

// escapeName lets a credential be part of a file's name and nothing else: no way into another folder, no parameter of a URI.
func escapeName(value string) (string, error) {
	if strings.ContainsAny(value, "/\\?#%:\x00") || strings.Contains(value, "..") || strings.HasPrefix(value, ".") {
		return "", &bridge.Error{
			Code: bridge.CodeUnauthorized, Message: "a credential cannot be part of a file's name",
			Hint: "The source's path is made from it: no slash, colon, question mark or double dot may be in it.",
		}
	}
	return value, nil
}
