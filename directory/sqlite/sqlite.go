// Package sqlite is the embedded directory: one SQLite file.
//
// One connection writes, a few read beside it (WAL). A page is one transaction, and with it goes the place where the next page
// starts, so a crash leaves whole pages and a run that can be resumed. The file is written with synchronous=NORMAL: a killed
// process loses nothing. After a power cut the last transactions may be missing, but never the middle of one: contacts, resume
// state and checkpoint are missing together, so the run stands a few pages earlier and brings them again. No other part keeps a
// mark of what was stored, so nothing is lost by that; syncing the disk at every page would only cost speed.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// Memory is a path for [Open]: an empty directory that is gone when it is closed. It is a file in a temporary folder.
const Memory = ":memory:"

// ErrNoFile says that the path has no directory file.
var ErrNoFile = errors.New("the directory file does not exist")

// A Store is a directory in a SQLite file.
type Store struct {
	file   string
	writer *writer
	read   *sql.DB
	clock  func() time.Time
	rules  *directory.Rules
	trash  string // folder that goes with the store; empty if it has none

	lookups *readers // what every call waits for
	books   *readers // what phonebooks are read by: they take long, and calls do not wait for them
	recent  recent
	commits commits
	names   names
	storing sync.Map // directory.Key → storing
	orders  directory.Orders
}

var _ directory.Store = (*Store)(nil)

// An Option changes how a directory is opened.
type Option func(*options)

type options struct {
	clock     func() time.Time
	judges    directory.Judges
	mustExist bool
}

// WithClock sets the clock that leases and times are taken from. All processes on one file should agree about the time to
// within a fraction of a lease.
func WithClock(clock func() time.Time) Option { return func(o *options) { o.clock = clock } }

// WithJudges says what the rules of books mean. Without it the store changes no book but for contacts that are deleted, and notes that
// the others are to be judged by a process that knows.
func WithJudges(judges directory.Judges) Option { return func(o *options) { o.judges = judges } }

// MustExist makes Open fail with [ErrNoFile] instead of making a new directory.
func MustExist() Option { return func(o *options) { o.mustExist = true } }

// Open opens the directory in a file and makes it if it is missing, readable by its owner only. A file of an older release
// is brought up to date; one of a newer release or of another program is refused with a [*failure.Error]. Any number of
// processes may have it open at once, on one machine: the file must not lie on a network share.
func Open(ctx context.Context, path string, opts ...Option) (*Store, error) {
	o := options{clock: time.Now}
	for _, set := range opts {
		set(&o)
	}
	s := &Store{clock: o.clock, rules: directory.NewRules(o.judges), recent: recent{seed: maphash.MakeSeed()}}
	var err error
	if s.file, err = s.prepare(path, o.mustExist); err == nil {
		err = s.open(ctx, s.file)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the directory %s: %w", path, err), s.Close())
	}
	return s, nil
}

const (
	lookupReaders = 4 // connections that numbers are looked up on
	bookReaders   = 2 // connections that contacts of phonebooks are read on
	otherReaders  = 4

	// readerCache is in KiB. A connection drops all its pages when it sees that another one has written, and gives each back to the
	// operating system: with megabytes of them, the first lookup after every page of a run waited for tens of milliseconds. The
	// system's own cache has the pages anyway; this much keeps the roots of the indexes.
	readerCache = 160
)

func (s *Store) open(ctx context.Context, file string) (err error) {
	if err := format.Check(ctx, file); err != nil {
		return err
	}
	if s.writer, err = newWriter(file); err != nil {
		return err
	}
	s.writer.clock, s.writer.rules = s.clock, s.rules
	if err := format.Upgrade(ctx, s.writer.db); err != nil {
		return err
	}
	if err := s.writer.attach(ctx); err != nil {
		return err
	}
	if s.read, err = format.Reader(file, lookupReaders+bookReaders+otherReaders, fmt.Sprintf("_pragma=cache_size(-%d)", readerCache)); err != nil {
		return err
	}
	s.names.db = s.read
	s.read.SetMaxIdleConns(otherReaders)
	if s.lookups, err = openReaders(ctx, s.read, lookupReaders, lookupQueries()...); err != nil {
		return err
	}
	if s.books, err = openReaders(ctx, s.read, bookReaders, bookQueries()...); err != nil {
		return err
	}
	return s.commits.find(ctx, s.read, file)
}

// Close closes the file.
func (s *Store) Close() error {
	var errs []error
	s.commits.close()
	for _, pool := range []*readers{s.lookups, s.books} {
		if pool != nil {
			errs = append(errs, pool.close())
		}
	}
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.trash != "" {
		errs = append(errs, os.RemoveAll(s.trash))
	}
	return errors.Join(errs...)
}
