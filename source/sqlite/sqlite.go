// Package sqlite is a source of contacts in an SQLite database file.
//
// # The safe horizon
//
// Write transactions are serial, but one that is open may have stamped its rows long before it commits, and nobody else can
// see it (E2). So the horizon is the machine's clock minus the overlap; with probe_lock it is the clock itself, whenever the
// write lock can be taken and given back at once, since nobody is writing then. Either way clock_skew and the stamps' own
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
	"errors"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// Config is the configuration of kind sqlite.
type Config struct {
	Path      source.Template `yaml:"path" digest:"-" jsonschema_description:"The database file. {{auth.name}} may stand in it. Either this or dsn."`
	DSN       source.Template `yaml:"dsn" digest:"-" jsonschema_description:"The same as path, or an SQLite URI (file:…)."`
	Table     string          `yaml:"table" jsonschema_description:"The table or view to read. Either this or query."`
	Query     string          `yaml:"query" jsonschema_description:"The SELECT to read instead of a table."`
	ID        string          `yaml:"id" jsonschema:"required" jsonschema_description:"SQL expression of the contact's id."`
	Updated   string          `yaml:"updated" jsonschema_description:"SQL expression of the time or number of the contact's last change. Without it every change means that everything is sent."`
	UpdatedAs string          `yaml:"updated_as" jsonschema:"enum=auto,enum=timestamp,enum=date,enum=epoch_s,enum=epoch_ms,enum=epoch_us,enum=sequence" jsonschema_description:"What updated is, where its values do not tell. Default: auto."`
	TimeZone  string          `yaml:"time_zone" jsonschema_description:"The zone of an updated without one, such as Europe/Berlin. Default: UTC or the machine's, whichever is earlier."`
	Overlap   time.Duration   `yaml:"overlap" digest:"-" jsonschema_description:"How far back every run reads, since write transactions may stay open that long. Default: 5m."`
	ClockSkew time.Duration   `yaml:"clock_skew" digest:"-" jsonschema_description:"How far the clocks that stamp contacts may be behind this machine's. Default: 1s."`
	ProbeLock bool            `yaml:"probe_lock" digest:"-" jsonschema_description:"Take and give back the write lock to see that nobody is writing: then every run reads the last minute again instead of the overlap. The file must be writable."`
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

// settings returns the part of the configuration that its checkpoints belong to, without the file (D10).
func (c Config) settings() source.Settings {
	c.Table, c.Query, c.UpdatedAs = c.keyset().Canonical()
	return source.SettingsOf("sqlite", revision, c)
}

// factory opens the sources of one endpoint.
type factory struct {
	cfg       keyset.Config
	reads     source.Settings
	probeLock bool
	from      string
	path      source.Template
	deps      source.Deps
	pool      *source.Pool[*database]
	notes     keyset.Notes

	manyInTail int // the constant, but for tests
}

// New makes the factory of one endpoint. It opens nothing.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	deps = deps.Defaults()
	f := &factory{cfg: cfg.keyset(), reads: cfg.settings(), probeLock: cfg.ProbeLock, path: cfg.Path, deps: deps, notes: keyset.Notes{Logger: deps.Logger}, manyInTail: manyInTail}
	if cfg.Path.String() == "" {
		f.path = cfg.DSN
	}
	err := f.cfg.Check(stamp.AsTimestamp, stamp.AsDate, stamp.AsSeconds, stamp.AsMillis, stamp.AsMicros, stamp.AsSequence)
	switch {
	case f.path.String() == "":
		err = errors.Join(err, &source.ConfigError{Key: "path", Message: "path is missing", Hint: "Name the database file."})
	case cfg.Path.String() != "" && cfg.DSN.String() != "":
		err = errors.Join(err, &source.ConfigError{Key: "path", Message: "path and dsn exclude each other", Hint: "Keep one of them: they mean the same."})
	case strings.Contains(f.path.String(), ":memory:"):
		err = errors.Join(err, &source.ConfigError{Key: "path", Message: "path cannot be :memory:", Hint: "Name a file."})
	}
	from, nameErr := f.cfg.From()
	if f.cfg.Table == "" && f.cfg.Query == "" {
		nameErr = nil
	}
	if err = errors.Join(err, nameErr); err != nil {
		return nil, err
	}
	f.from = from
	f.pool = source.NewPool(source.PoolOptions{Clock: deps.Clock}, (*database).close)
	return f, nil
}

// Open implements [source.Factory].
func (f *factory) Open(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
	text, err := f.path.Expand(auth, escapeName)
	if err != nil {
		return nil, err
	}
	file, err := parseLocation(text, f.deps.Path)
	if err != nil {
		return nil, err
	}
	file.ofCaller = len(f.path.Names()) > 0
	db, release, err := f.pool.Get(ctx, source.DigestOf(text), func(context.Context) (*database, error) {
		return openFile(file, f.reads.With(file.tenant()).Digest())
	})
	if err != nil {
		return nil, err
	}
	return &Source{factory: f, db: db, release: release}, nil
}

// Close implements [source.Factory].
func (f *factory) Close() error { return f.pool.Close() }

// escapeName lets a credential be part of a file's name and nothing else: no way into another folder, no parameter of a URI.
func escapeName(value string) (string, error) {
	if strings.ContainsAny(value, "/\\?#%:\x00") || strings.Contains(value, "..") || strings.HasPrefix(value, ".") {
		return "", &bridge.Error{
			Code: bridge.CodeUnauthorized, Message: "a credential cannot be part of a file's name",
			Hint: "the source's path is made from it: no slash, colon, question mark or double dot may be in it",
		}
	}
	return value, nil
}
