// Package postgres is a source of contacts in a PostgreSQL table, view or query.
//
// # The safe horizon
//
// What a run may promise depends on what "updated" is (E2):
//
//   - A time (timestamptz, timestamp, date, or an integer of seconds, milliseconds or microseconds since 1970). A stamp that
//     now() or clock_timestamp() made is never older than its transaction. So the horizon is the oldest start of any
//     transaction that is open in the database, or the database's clock if no transaction is open, minus clock_skew and the column's
//     precision. The starts of other users' transactions are shown to members of pg_read_all_stats only:
//     GRANT pg_read_all_stats TO the user. Without it, on a standby, and for rows that come from elsewhere (foreign tables,
//     subscriptions, materialized views, whatever view or query is in front of them), the horizon is the overlap before the clock: who commits later than that is missed.
//     A prepared transaction holds the horizon at the overlap before it was prepared.
//
//   - A sequence (an integer that grows with every change). The horizon is the greatest number that could be seen, once every
//     transaction that was open at that moment has ended. If one stays open, the horizon stays where the run started, and the
//     number is kept for the next run. Sequences with a CACHE above 1 hand out numbers late: they cannot be used.
//
//   - A transaction id (an xid8 column, or the system column xmin). Every transaction below the snapshot's xmin has ended: exact,
//     without any privilege, on a standby too, and no clock is asked. xmin has no index, so every page scans the table; a
//     column is better:
//
//     ALTER TABLE customers ADD COLUMN changed_in xid8 NOT NULL DEFAULT pg_current_xact_id();
//     CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS
//     $$ BEGIN NEW.changed_in := pg_current_xact_id(); RETURN NEW; END $$;
//     CREATE TRIGGER note_change BEFORE INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION note_change();
//     CREATE INDEX ON customers (changed_in, id);
//
// # Behind PgBouncer
//
// Add default_query_exec_mode=exec to the dsn, whatever the pool_mode: no statement is prepared then, and no setting of the
// session is touched.
package postgres

import (
	"context"
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sqltable"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// Config is the configuration of kind postgres.
type Config struct {
	DSN             source.Template `yaml:"dsn" digest:"-" jsonschema:"required" hint:"Write where the database is, such as postgres://reader@127.0.0.1:5432/crm." jsonschema_description:"Where the database is, as a URL or as keywords and values. {{auth.name}} may stand in it: the caller's own credentials."`
	sqltable.Config `yaml:",inline"`
	UpdatedAs       string `yaml:"updated_as" jsonschema:"enum=auto,enum=timestamp,enum=date,enum=epoch_s,enum=epoch_ms,enum=epoch_us,enum=sequence,enum=xid" jsonschema_description:"What updated is, where its type does not tell. Default: auto."`
}

// revision is the kind's mapping revision: see [source.SettingsOf].
const revision = 1

// A Source reads the contacts of one database for one set of credentials.
type Source = sqltable.Source

// factory opens the sources of one endpoint.
type factory struct {
	*sqltable.Factory
	dsn       source.Template
	hostNames []string // the credentials in the DSN's host
	deps      source.Deps
	patience  time.Duration // [sqltable.Table.Patience]; 0 means the engine's
}

// New makes the factory of one endpoint. It connects to nothing.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	f := &factory{dsn: cfg.DSN, deps: deps.Defaults()}
	var err error
	f.Factory, err = sqltable.New(sqltable.Endpoint{
		Config: cfg.Config, UpdatedAs: cfg.UpdatedAs,
		Meanings: []string{stamp.AsTimestamp, stamp.AsDate, stamp.AsSeconds, stamp.AsMillis, stamp.AsMicros, stamp.AsSequence, stamp.AsXID},
		Settings: source.SettingsOf("postgres", revision, cfg), Dialect: &dialect,
		Address: cfg.DSN, Escape: escape(f.dsn), Allow: f.checkHosts, Open: f.open, Err: f.checkDSN(),
	}, deps)
	if err != nil {
		return nil, err
	}
	f.hostNames = f.inHost()
	return f, nil
}

// checkDSN tries the DSN with credentials that could be anybody's.
func (f *factory) checkDSN() error {
	if f.dsn.String() == "" {
		return &source.ConfigError{Key: "dsn", Message: "dsn is missing", Hint: "Write where the database is, such as postgres://reader@127.0.0.1:5432/crm."}
	}
	dsn, err := f.dsn.StandIn(escape(f.dsn))
	if err == nil {
		_, err = f.connConfig(dsn)
	}
	return err
}

// open implements [sqltable.Endpoint].
func (f *factory) open(ctx context.Context, dsn string) (sqltable.Database, error) {
	cfg, err := f.connConfig(dsn)
	if err != nil {
		return nil, err
	}
	return openPool(ctx, cfg, f.patience)
}
