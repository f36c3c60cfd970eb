// Package postgres is a source of contacts in a PostgreSQL table, view or query.
//
// # The safe horizon
//
// What a run may promise depends on what "updated" is (E2):
//
//   - A time (timestamptz, timestamp, date, or an integer of seconds, milliseconds or microseconds since 1970). A stamp that
//     now() or clock_timestamp() made is never older than its transaction. So the horizon is the oldest start of any
//     transaction that is open in the database, or the database's clock if there is none, minus clock_skew and the column's
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

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// Config is the configuration of kind postgres.
type Config struct {
	DSN       source.Template `yaml:"dsn" digest:"-" jsonschema:"required" jsonschema_description:"Where the database is, as a URL or as keywords and values. {{auth.name}} may stand in it: the caller's own credentials."`
	Table     string          `yaml:"table" jsonschema_description:"The table or view to read: name, schema.name or \"Schema\".\"Name\". Either this or query."`
	Query     string          `yaml:"query" jsonschema_description:"The SELECT to read instead of a table."`
	ID        string          `yaml:"id" jsonschema:"required" jsonschema_description:"SQL expression of the contact's id."`
	Updated   string          `yaml:"updated" jsonschema_description:"SQL expression of the time, number or transaction of the contact's last change. Without it every change means that everything is sent."`
	UpdatedAs string          `yaml:"updated_as" jsonschema:"enum=auto,enum=timestamp,enum=date,enum=epoch_s,enum=epoch_ms,enum=epoch_us,enum=sequence,enum=xid" jsonschema_description:"What updated is, where its type does not tell. Default: auto."`
	TimeZone  string          `yaml:"time_zone" jsonschema_description:"The zone of an updated without one, such as Europe/Berlin. Default: the server's, or UTC where that is earlier."`
	Overlap   time.Duration   `yaml:"overlap" digest:"-" jsonschema_description:"How far back every run reads where the oldest open transaction cannot be known. Default: 5m."`
	ClockSkew time.Duration   `yaml:"clock_skew" digest:"-" jsonschema_description:"How far the clocks that stamp contacts may be behind the database's. Default: 1s."`
	Deleted   string          `yaml:"deleted" jsonschema_description:"SQL expression that says that the contact is gone: anything but null, empty, 0, false, f, n, no, off and none."`
	Fields    record.Fields   `yaml:"fields" jsonschema_description:"SQL expressions of the contact's fields. Default: the columns with the usual names."`
}

func (c Config) keyset() keyset.Config {
	k := keyset.Config{
		Table: c.Table, Query: c.Query, ID: c.ID, Updated: c.Updated, UpdatedAs: c.UpdatedAs, TimeZone: c.TimeZone,
		Overlap: c.Overlap, ClockSkew: c.ClockSkew, Deleted: c.Deleted, Fields: c.Fields,
	}
	k.Defaults()
	return k
}

// revision is the kind's mapping revision: see [source.SettingsOf].
const revision = 1

// settings returns the part of the configuration that its checkpoints belong to, without the connection (D10).
func (c Config) settings() source.Settings {
	c.Table, c.Query, c.UpdatedAs = c.keyset().Canonical()
	return source.SettingsOf("postgres", revision, c)
}

// factory opens the sources of one endpoint.
type factory struct {
	cfg       keyset.Config
	reads     source.Settings
	from      string
	dsn       source.Template
	hostNames []string // the credentials in the DSN's host
	deps      source.Deps
	pool      *source.Pool[*database]
	notes     keyset.Notes
	wait      time.Duration // waitForOthers
}

// New makes the factory of one endpoint. It connects to nothing.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	deps = deps.Defaults()
	f := &factory{cfg: cfg.keyset(), reads: cfg.settings(), dsn: cfg.DSN, deps: deps, notes: keyset.Notes{Logger: deps.Logger}, wait: waitForOthers}
	err := f.cfg.Check(stamp.AsTimestamp, stamp.AsDate, stamp.AsSeconds, stamp.AsMillis, stamp.AsMicros, stamp.AsSequence, stamp.AsXID)
	from, nameErr := f.cfg.From()
	if f.cfg.Table == "" && f.cfg.Query == "" {
		nameErr = nil
	}
	if err = errors.Join(err, nameErr, f.checkDSN()); err != nil {
		return nil, err
	}
	f.from = from
	f.hostNames = f.inHost()
	f.pool = source.NewPool(source.PoolOptions{Clock: deps.Clock}, func(db *database) error {
		db.conns.Close()
		return nil
	})
	return f, nil
}

// checkDSN tries the DSN with credentials that could be anybody's.
func (f *factory) checkDSN() error {
	if f.dsn.String() == "" {
		return &source.ConfigError{Key: "dsn", Message: "dsn is missing", Hint: "Write where the database is, such as postgres://reader@127.0.0.1:5432/crm."}
	}
	auth := bridge.Auth{}
	for _, name := range f.dsn.Names() {
		auth[name] = "1"
	}
	_, err := f.connConfig(auth)
	return err
}

// Open implements [source.Factory].
func (f *factory) Open(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
	if err := f.checkHosts(auth); err != nil {
		return nil, err
	}
	dsn, err := f.dsn.Expand(auth, f.escape())
	if err != nil {
		return nil, err
	}
	db, release, err := f.pool.Get(ctx, source.DigestOf(dsn), func(ctx context.Context) (*database, error) {
		cfg, err := f.connConfig(auth)
		if err != nil {
			return nil, err
		}
		conns, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), cfg)
		if err != nil {
			return nil, fmt.Errorf("open connections: %w", err)
		}
		digest := f.reads.With(tenant(&cfg.ConnConfig.Config)).Digest()
		return &database{conns: conns, mode: cfg.ConnConfig.DefaultQueryExecMode, digest: digest}, nil
	})
	if err != nil {
		return nil, err
	}
	return &Source{factory: f, db: db, release: release}, nil
}

// Close implements [source.Factory].
func (f *factory) Close() error { return f.pool.Close() }

// escape makes a credential safe for the form that the DSN is written in.
func (f *factory) escape() source.Escape {
	text := f.dsn.String()
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

// parse reads the DSN. Its errors never hold it.
func (f *factory) parse(auth bridge.Auth) (*pgxpool.Config, error) {
	dsn, err := f.dsn.Expand(auth, f.escape())
	if err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, &source.ConfigError{
			Key: "dsn", Message: "dsn cannot be read",
			Hint: "Write postgres://user:password@host:port/database?setting=value, special characters in the user or password percent-encoded.",
		}
	}
	return cfg, nil
}

// connConfig returns how connections are made.
func (f *factory) connConfig(auth bridge.Auth) (*pgxpool.Config, error) {
	cfg, err := f.parse(auth)
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

// release gives a connection back. One on which time ran out is closed: it may be the connection that is slow, and then the pool
// would hand it out again and again while a new one is fast.
func release(ctx context.Context, conn *pgxpool.Conn) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		_ = conn.Conn().PgConn().Conn().SetDeadline(time.Unix(1, 0)) // so that closing does not wait for it
		_ = conn.Conn().Close(context.Background())
	}
	conn.Release()
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

// A database is what is open for one set of credentials.
type database struct {
	conns  *pgxpool.Pool
	mode   pgx.QueryExecMode
	digest string // see [bridge.Description]

	mu    sync.Mutex
	shape *shape // nil until it is known
}
