package registry

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/upgrade"
)

// A Sealer keeps secrets at rest. Context binds what is sealed to its place, so that it cannot be moved to another.
type Sealer interface {
	Seal(plain []byte, context string) ([]byte, error)
	Open(sealed []byte, context string) ([]byte, error)
}

// A DB is a registry in a database. Its methods may be called concurrently, by any number of processes on one database.
type DB struct {
	*dialect
	reader, writer *sql.DB       // the same pool on PostgreSQL
	pool           *pgxpool.Pool // of PostgreSQL; nil on SQLite
	file           string        // of SQLite
	options        OpenOptions
	revocations    revocations
	events         gathering
}

// OpenOptions say how a registry is opened.
type OpenOptions struct {
	Seal      Sealer           // for auth values, OAuth tokens and webhooks' secrets; nil: none can be kept or read
	Clock     func() time.Time // nil: the database's own clock on PostgreSQL, or else time.Now
	KeepAudit time.Duration    // no audit entry younger than this is pruned; default and least: a year
}

// steps say what each version of the tables brings, on both databases.
var steps = map[int64]string{
	1: "accounts, integrations, tokens, users", 2: "removals that are finished later, and webhooks that several processes send",
	3:  "who made a token",
	4:  "the last look-ups and how many calls were named, and how an account names callers",
	5:  "e-mail addresses of users",
	6:  "uploaded files",
	7:  "logs of runs, alerts, and how deliveries to webhooks went",
	8:  "who read phonebooks",
	9:  "accounts that are being removed are found without reading all of them; look-ups are kept by account",
	10: "phonebooks that are made in the console, and what devices sign in with",
}

// Plan returns what [Open] would change in a registry; nil where it would change nothing, or make everything.
func Plan(ctx context.Context, at string) (*upgrade.Plan, error) {
	if IsPostgres(at) {
		return tables.Plan(ctx, at)
	}
	return format.Plan(ctx, at)
}

// Open opens a registry, making it or bringing it up to date: a SQLite file's path, or a postgres:// URL.
func Open(ctx context.Context, at string, o OpenOptions) (*DB, error) {
	if IsPostgres(at) {
		return openPostgres(ctx, at, o)
	}
	return openSQLite(ctx, at, o)
}

// IsPostgres reports whether Open takes this for a PostgreSQL database's URL.
func IsPostgres(at string) bool {
	return strings.HasPrefix(at, "postgres://") || strings.HasPrefix(at, "postgresql://")
}

// Close gives back what it holds.
func (d *DB) Close() error {
	var errs []error
	for _, db := range []*sql.DB{d.reader, d.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if d.pool != nil {
		d.pool.Close()
	}
	return errors.Join(errs...)
}

// Ping reports whether the database answers.
func (d *DB) Ping(ctx context.Context) error {
	if _, err := one(ctx, d.read(), value[int64], "SELECT value FROM hub.counters WHERE name = 'events'"); err != nil {
		return fmt.Errorf("ask the registry: %w", err)
	}
	return nil
}

// Now is the time that claims go by, the same for all processes on one PostgreSQL database.
func (d *DB) Now(ctx context.Context) (time.Time, error) {
	now, err := d.now(ctx, d.read())
	return moment(now), err
}

// now is the time as it is stored.
func (d *DB) now(ctx context.Context, s session) (int64, error) {
	if d.options.Clock != nil || d.pool == nil {
		return micros(d.clock()), nil
	}
	return one(ctx, s, value[int64], "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)")
}

// clock is this process's time, for what a skewed clock does not hurt.
func (d *DB) clock() time.Time {
	if d.options.Clock != nil {
		return d.options.Clock()
	}
	return time.Now() //nolint:forbidigo // no clock was passed in
}

// orNow is when something was made: now, unless the caller says so.
func (d *DB) orNow(t time.Time) int64 {
	if t.IsZero() {
		t = d.clock()
	}
	return micros(t)
}

// Backup writes a copy of a SQLite registry to a new file while it is in use; secrets stay sealed in it. Only the file's
// owner may read it.
func (d *DB) Backup(ctx context.Context, path string) error {
	if d.pool != nil {
		return &failure.Error{Message: "a registry on PostgreSQL is not copied into a file", Hint: "back the database up with pg_dump, or your provider's snapshots"}
	}
	return wrap(format.Copy(ctx, d.file, path), "copy the registry")
}

// random returns a word that cannot be guessed.
func random() string { return strings.ToLower(rand.Text()) }
