// Package mysql is a source of contacts in a table, view or query of MariaDB (10.6 or later) or MySQL (8.0 or later).
//
// # The safe horizon
//
// A stamp that NOW() made is the start of its statement. So the horizon (E2) is the smallest of: the server's clock, the starts of
// the statements that are running, and the starts of the transactions that are open in InnoDB, less clock_skew and the column's
// precision. Both lists need the privilege PROCESS: GRANT PROCESS ON *.* TO the user. Without it, on a replica and in a cluster the
// horizon is the overlap before the clock: what commits later than that after its stamp is missed.
//
// The list of transactions is one that InnoDB keeps for a tenth of a second, and for longer while somebody asks for it again and
// again. So the session asks for it within a transaction of its own, and believes it when it shows that very question.
//
// # Times
//
// Every session is in UTC. A TIMESTAMP is an instant; a DATETIME has no zone, and is read in that of time_zone. Dates that do not
// exist, such as 0000-00-00 and 2025-02-31, are no stamps: their rows are read like those whose updated is null.
//
// # Ids
//
// An id that is unique is compared in its own collation, which an index serves. Where nothing says that it is unique, ids that
// differ only in case, accents or blanks at the end could be two contacts: they are compared by their bytes, which no index serves.
// Ids of type BINARY are written in hexadecimal.
package mysql

import (
	"context"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sqltable"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// Config is the configuration of kind mysql.
type Config struct {
	DSN             source.Template `yaml:"dsn" digest:"-" jsonschema:"required" jsonschema_description:"Where the database is: mysql://user:password@host:port/database?setting=value. The settings are socket, tls, ca, timeout and sql_mode. {{auth.name}} may be the user, the password or the database."`
	sqltable.Config `yaml:",inline"`
	UpdatedAs       string `yaml:"updated_as" jsonschema:"enum=auto,enum=timestamp,enum=date,enum=epoch_s,enum=epoch_ms,enum=epoch_us,enum=sequence" jsonschema_description:"What updated is, where its type does not tell. Default: auto."`
}

// revision is the kind's mapping revision: see [source.SettingsOf].
const revision = 1

// A Source reads the contacts of one database for one set of credentials.
type Source = sqltable.Source

// New makes the factory of one endpoint. It connects to nothing.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	deps = deps.Defaults()
	return sqltable.New(sqltable.Endpoint{
		Config: cfg.Config, UpdatedAs: cfg.UpdatedAs,
		Meanings: []string{stamp.AsTimestamp, stamp.AsDate, stamp.AsSeconds, stamp.AsMillis, stamp.AsMicros, stamp.AsSequence},
		Settings: source.SettingsOf("mysql", revision, cfg), Dialect: &dialect,
		Address: cfg.DSN, Escape: source.EscapeURL, Err: checkDSN(cfg.DSN, deps),
		Open: func(_ context.Context, dsn string) (sqltable.Database, error) {
			a, err := parse(dsn, deps.Path)
			if err != nil {
				return nil, err
			}
			return open(a, deps)
		},
	}, deps)
}
