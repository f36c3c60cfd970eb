package sqltable

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// An Endpoint holds what a kind of database provides for one configured endpoint.
type Endpoint struct {
	Config    Config
	UpdatedAs string   // the key updated_as; empty means auto
	Meanings  []string // what updated_as may be besides auto
	// Settings are [source.SettingsOf] the kind's whole configuration.
	Settings source.Settings
	Dialect  *Dialect
	// Address is where the database is, with the caller's credentials to be put in by Escape. Open opens it; it may connect
	// later. Its errors hold no credential.
	Address source.Template
	Escape  source.Escape
	Open    func(ctx context.Context, address string) (Database, error)
	// Allow refuses credentials that may not be put into Address; nil allows all.
	Allow func(auth bridge.Auth) error
	// Err holds the mistakes that the kind found in its own keys.
	Err error
}

// A Factory opens the sources of one endpoint.
type Factory struct {
	config    Config
	updatedAs string
	settings  source.Settings
	dialect   *Dialect
	from      string
	address   source.Template
	escape    source.Escape
	open      func(ctx context.Context, address string) (Database, error)
	allow     func(auth bridge.Auth) error
	deps      source.Deps
	pool      *source.Pool[*database]
	notes     Notes
}

var _ source.Factory = (*Factory)(nil)

// New returns the factory of one endpoint. It opens no connection. Its error holds everything that is wrong with the
// configuration, as [source.ConfigError].
func New(e Endpoint, deps source.Deps) (*Factory, error) {
	deps = deps.Defaults()
	e.Config.defaults()
	if e.UpdatedAs == "" {
		e.UpdatedAs = stamp.Auto
	}
	from, err := e.Config.from(e.Dialect)
	if err = errors.Join(e.Config.check(e.UpdatedAs, e.Meanings), err, e.Err); err != nil {
		return nil, err
	}
	f := &Factory{
		config: e.Config, updatedAs: e.UpdatedAs, settings: canonical(e.Settings, e.Config, e.Dialect, e.UpdatedAs), dialect: e.Dialect,
		from: from, address: e.Address, escape: e.Escape, open: e.Open, allow: e.Allow, deps: deps, notes: Notes{Logger: deps.Logger},
	}
	f.pool = source.NewPool(source.PoolOptions{Clock: deps.Clock}, func(db *database) error { return db.Close() })
	return f, nil
}

// Open implements [source.Factory].
func (f *Factory) Open(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
	if f.allow != nil {
		if err := f.allow(auth); err != nil {
			return nil, err
		}
	}
	address, err := f.address.Expand(auth, f.escape)
	if err != nil {
		return nil, err
	}
	db, release, err := f.pool.Get(ctx, source.DigestOf(address), func(ctx context.Context) (*database, error) {
		db, err := f.open(ctx, address)
		if err != nil {
			return nil, err
		}
		return &database{Database: db, settings: f.settings.With(db.Tenant())}, nil
	})
	if err != nil {
		return nil, err
	}
	return &Source{factory: f, db: db, release: release}, nil
}

// Close implements [source.Factory].
func (f *Factory) Close() error { return f.pool.Close() }

// A database is open for one set of credentials, with what is known about it.
type database struct {
	Database
	settings source.Settings // with the tenant's (D10)

	mu        sync.Mutex
	table     *Table    // nil until it is known
	scanAfter time.Time // see [noScan]
}

func (db *database) known() *Table {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.table
}

func (db *database) keep(t *Table) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.table = t
}

// forget makes the next source describe the table again.
func (db *database) forget(old *Table) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.table == old {
		db.table = nil
	}
}

// guessed returns the settings of the columns that were found by their usual names.
func guessed(columns []record.Column) source.Settings {
	s := source.Settings{}
	for _, c := range columns {
		s["usual."+c.Field] += c.From + "\n"
	}
	return s
}
