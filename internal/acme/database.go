package acme

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/postgresdb"
)

//go:embed migrations/*.sql
var migrations embed.FS

var tables = &postgresdb.Tables{
	Name: "certificates", Lock: 0x63626373, Versions: postgresdb.Schema + ".certificates_migrations", Migrations: migrations, Folder: "migrations",
	Steps: map[int64]string{1: "certificates that several processes share"},
}

// connections are few: certificates are read at the start, when they are renewed, and for a challenge of another process.
const connections = 2

// A lock is taken for leaseTime, and prolonged while it is held. Others look for its end every lockPoll.
const (
	leaseTime = time.Minute
	lockPoll  = 300 * time.Millisecond
)

// A Sealer seals what is kept, since it holds private keys. What was sealed opens only with the same context.
type Sealer interface {
	Seal(plain []byte, context string) ([]byte, error)
	Open(sealed []byte, context string) ([]byte, error)
}

// A Database is storage that several processes share: a PostgreSQL database.
type Database struct {
	pool   *pgxpool.Pool
	sealer Sealer

	mu    sync.Mutex
	locks map[string]*lease
}

// A lease is a lock that this process holds.
type lease struct {
	holder string
	end    context.CancelFunc
	ended  chan struct{}
}

var _ certmagic.Storage = (*Database)(nil)

// OpenDatabase opens the storage in a database, and makes its tables or brings them up to date. No error holds the password.
func OpenDatabase(ctx context.Context, dsn string, sealer Sealer) (*Database, error) {
	cfg, err := postgresdb.Parse(dsn, connections)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, postgresdb.Explain(err)
	}
	if err := tables.Upgrade(ctx, pool); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open the database of certificates: %w", err)
	}
	return &Database{pool: pool, sealer: sealer, locks: map[string]*lease{}}, nil
}

// Close ends the locks and closes the connections.
func (d *Database) Close() error {
	d.mu.Lock()
	names := make([]string, 0, len(d.locks))
	for name := range d.locks {
		names = append(names, name)
	}
	d.mu.Unlock()
	var errs []error
	for _, name := range names {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		errs = append(errs, d.Unlock(ctx, name))
		cancel()
	}
	d.pool.Close()
	return errors.Join(errs...)
}

// Lock waits until no other process holds the lock, or the one that holds it has not been seen for a minute.
func (d *Database) Lock(ctx context.Context, name string) error {
	holder := rand.Text()
	for {
		taken, err := d.take(ctx, name, holder)
		if err != nil {
			return err
		}
		if taken {
			d.hold(name, holder)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// take takes or prolongs a lock.
func (d *Database) take(ctx context.Context, name, holder string) (bool, error) {
	tag, err := d.pool.Exec(ctx, `INSERT INTO contactbridge.certificate_locks AS l VALUES ($1, $2, now() + $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE l.until < now() OR l.holder = excluded.holder`,
		name, holder, leaseTime)
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", name, postgresdb.Explain(err))
	}
	return tag.RowsAffected() == 1, nil
}

// hold prolongs a lock until it is given back.
func (d *Database) hold(name, holder string) {
	ctx, cancel := context.WithCancel(context.Background())
	l := &lease{holder: holder, end: cancel, ended: make(chan struct{})}
	d.mu.Lock()
	d.locks[name] = l
	d.mu.Unlock()
	go func() {
		defer close(l.ended)
		tick := time.NewTicker(leaseTime / 4)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_, _ = d.take(ctx, name, holder) // tried again at the next tick
			}
		}
	}()
}

// Unlock gives a lock back.
func (d *Database) Unlock(ctx context.Context, name string) error {
	d.mu.Lock()
	l := d.locks[name]
	delete(d.locks, name)
	d.mu.Unlock()
	if l == nil {
		return fmt.Errorf("unlock %s: this process does not hold it", name)
	}
	l.end()
	<-l.ended
	if _, err := d.pool.Exec(ctx, "DELETE FROM contactbridge.certificate_locks WHERE name = $1 AND holder = $2", name, l.holder); err != nil {
		return fmt.Errorf("unlock %s: %w", name, postgresdb.Explain(err))
	}
	return nil
}

// Store keeps a value.
func (d *Database) Store(ctx context.Context, key string, value []byte) error {
	sealed, err := d.sealer.Seal(value, sealedFor(key))
	if err != nil {
		return err
	}
	if _, err := d.pool.Exec(ctx, `INSERT INTO contactbridge.certificates (key, value) VALUES ($1, $2)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, modified = now()`, key, sealed); err != nil {
		return fmt.Errorf("keep %s: %w", key, postgresdb.Explain(err))
	}
	return nil
}

// sealedFor is the context in which a value is sealed: it cannot be moved to another key.
func sealedFor(key string) string { return "certificates/" + key }

// Load returns a value. What was sealed with a key that is not there any more counts as missing: a certificate can be got again.
func (d *Database) Load(ctx context.Context, key string) ([]byte, error) {
	sealed, _, err := d.read(ctx, key)
	if err != nil {
		return nil, err
	}
	plain, err := d.sealer.Open(sealed, sealedFor(key))
	if err != nil {
		return nil, &failure.Error{Message: key + " does not open", Hint: "It is got again by itself.", Err: errors.Join(fs.ErrNotExist, err)}
	}
	return plain, nil
}

func (d *Database) read(ctx context.Context, key string) (sealed []byte, modified time.Time, err error) {
	err = d.pool.QueryRow(ctx, "SELECT value, modified FROM contactbridge.certificates WHERE key = $1", key).Scan(&sealed, &modified)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, modified, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	if err != nil {
		return nil, modified, fmt.Errorf("read %s: %w", key, postgresdb.Explain(err))
	}
	return sealed, modified, nil
}

// Delete removes a value, and everything below its key.
func (d *Database) Delete(ctx context.Context, key string) error {
	if _, err := d.pool.Exec(ctx, "DELETE FROM contactbridge.certificates WHERE key = $1 OR starts_with(key, $2)", key, key+"/"); err != nil {
		return fmt.Errorf("remove %s: %w", key, postgresdb.Explain(err))
	}
	return nil
}

// Exists reports whether there is a value, or anything below its key.
func (d *Database) Exists(ctx context.Context, key string) bool {
	var there bool
	err := d.pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM contactbridge.certificates WHERE key = $1 OR starts_with(key, $2))", key, key+"/").Scan(&there)
	return err == nil && there
}

// List returns the keys below one: all of them, or those one step below.
func (d *Database) List(ctx context.Context, path string, recursive bool) ([]string, error) {
	folder := strings.TrimSuffix(path, "/") + "/"
	if path == "" {
		folder = ""
	}
	rows, err := d.pool.Query(ctx, "SELECT key FROM contactbridge.certificates WHERE starts_with(key, $1) ORDER BY key", folder)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path, postgresdb.Explain(err))
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path, postgresdb.Explain(err))
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	var keys []string
	seen := map[string]bool{}
	for _, key := range all {
		step, _, below := strings.Cut(key[len(folder):], "/")
		if below && !seen[step] {
			seen[step] = true
			keys = append(keys, folder+step)
		}
		if recursive || !below {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// Stat describes what there is for a key.
func (d *Database) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	sealed, modified, err := d.read(ctx, key)
	if errors.Is(err, fs.ErrNotExist) && d.Exists(ctx, key) {
		return certmagic.KeyInfo{Key: key}, nil
	}
	if err != nil {
		return certmagic.KeyInfo{}, err
	}
	return certmagic.KeyInfo{Key: key, Modified: modified, Size: int64(len(sealed)), IsTerminal: true}, nil
}
