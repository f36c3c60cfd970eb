package sqlite

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// A Source reads the contacts of one database file.
type Source struct {
	factory *factory
	db      *database
	release func()
	closed  sync.Once
}

var (
	_ bridge.Source    = (*Source)(nil)
	_ bridge.Describer = (*Source)(nil)
	_ bridge.Prober    = (*Source)(nil)
	_ source.Counter   = (*Source)(nil)
	_ source.Checker   = (*Source)(nil)
	_ source.Inspector = (*Source)(nil)
)

// Describe implements [bridge.Describer]. A position is the pair that the next page begins after (E1).
func (s *Source) Describe(context.Context) (bridge.Description, error) {
	return bridge.Description{Digest: s.db.digest, Exact: true}, nil
}

// Begin implements [bridge.Source].
func (s *Source) Begin(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
	var run bridge.Run
	err := s.with(ctx, func(conn conn, shape *shape) error {
		state, err := s.begin(ctx, conn, shape, since)
		if err == nil && state.Restart {
			since = "" // and all that belongs to an initial run
			state, err = s.horizon(ctx, conn, shape, true, keyset.Since{Form: state.Form})
		}
		run = state.Run(since)
		return err
	})
	if err != nil {
		return bridge.Run{}, fmt.Errorf("begin run: %w", err)
	}
	return run, nil
}

func (s *Source) begin(ctx context.Context, conn conn, shape *shape, since bridge.Checkpoint) (keyset.State, error) {
	if shape.updated == "" {
		if since != "" && !isFingerprint(since) {
			return keyset.State{}, keyset.InvalidCheckpoint(nil)
		}
		whole, err := fingerprint(ctx, conn, shape)
		return keyset.State{Layout: keyset.Unsorted, Whole: whole}, err
	}
	var from keyset.Since
	if since != "" {
		var err error
		if from, err = keyset.ParseCheckpoint(keyset.Any, since); err != nil {
			return keyset.State{}, err
		}
	}
	return s.horizon(ctx, conn, shape, since == "", from)
}

// Read implements [bridge.Source].
func (s *Source) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		stopped := false
		err := s.with(ctx, func(conn conn, shape *shape) error {
			p := &pages{source: s, conn: conn, shape: shape}
			defer p.report()
			for change, err := range keyset.Read(ctx, p, run, after, limit) {
				if err != nil {
					return err
				}
				if stopped = !yield(change, nil); stopped {
					return nil
				}
			}
			return nil
		})
		if err != nil && !stopped {
			yield(bridge.Change{}, fmt.Errorf("read contacts: %w", err))
		}
	}
}

// Checkpoint implements [bridge.Source].
func (s *Source) Checkpoint(run bridge.Run, at bridge.Position, complete bool) bridge.Checkpoint {
	return keyset.Checkpoint(run, at, complete)
}

// Close implements [bridge.Source].
func (s *Source) Close() error {
	s.closed.Do(s.release)
	return nil
}

// Probe implements [bridge.Prober]: is there a file that can be read?
func (s *Source) Probe(ctx context.Context) error {
	return s.with(ctx, func(conn, *shape) error { return nil })
}

// Check implements [source.Checker]: it compiles every expression anew.
func (s *Source) Check(ctx context.Context) error {
	err := s.with(ctx, func(c conn, known *shape) error {
		_, err := s.factory.describe(ctx, c)
		if err != nil {
			s.db.forget(known)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("check source: %w", err)
	}
	return nil
}

// countTime is how long counting may take.
const countTime = 2 * time.Second

// Count implements [source.Counter]: the number of rows, or -1 where counting takes more than two seconds.
func (s *Source) Count(ctx context.Context) (n int64, err error) {
	short, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	err = s.with(short, func(c conn, _ *shape) error {
		value, err := c.one(short, "SELECT count(*) FROM "+s.factory.from+" WHERE "+keyset.Wrap(s.factory.cfg.ID)+" IS NOT NULL")
		n = value.Int
		return err
	})
	if short.Err() != nil && ctx.Err() == nil {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("count contacts: %w", err)
	}
	return n, nil
}

// with runs a function on a connection of its own, with the shape of what is read.
func (s *Source) with(ctx context.Context, do func(conn, *shape) error) error {
	if err := s.db.location.check(); err != nil {
		return err
	}
	c, err := s.db.readers.Conn(ctx)
	if err != nil {
		return s.explain(ctx, err)
	}
	defer c.Close()
	err = c.Raw(func(raw any) error {
		conn := conn{raw.(sqldriver.QueryerContext)}
		shape, err := s.shape(ctx, conn)
		if err != nil {
			return err
		}
		if err = do(conn, shape); isStatementError(err) {
			s.db.forget(shape)
		}
		return err
	})
	return s.explain(ctx, err)
}

// shape describes what is read, once for a file.
func (s *Source) shape(ctx context.Context, conn conn) (*shape, error) {
	s.db.mu.Lock()
	known := s.db.shape
	s.db.mu.Unlock()
	if known != nil {
		return known, nil
	}
	shape, err := s.factory.describe(ctx, conn)
	if err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.shape = shape
	return shape, nil
}

// forget makes the next one describe again.
func (db *database) forget(old *shape) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.shape == old {
		db.shape = nil
	}
}

// A conn is a connection of the driver, without the copies that database/sql makes.
type conn struct{ sqldriver.QueryerContext }

// query runs a statement and calls row for each row, with values that are valid until the next one.
func (c conn) query(ctx context.Context, sql string, args []keyset.Value, row func([]sqldriver.Value) (more bool, err error)) (err error) {
	named := make([]sqldriver.NamedValue, len(args))
	for i, arg := range args {
		named[i] = sqldriver.NamedValue{Ordinal: i + 1, Value: toDriver(arg)}
	}
	rows, err := c.QueryContext(ctx, sql, named)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values := make([]sqldriver.Value, len(rows.Columns()))
	for n := 0; ; n++ {
		// A statement is only interrupted before its first row.
		if n%64 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := rows.Next(values); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if more, err := row(values); err != nil || !more {
			return err
		}
	}
}

// one is the first value of the first row, None where there is no row or it is null.
func (c conn) one(ctx context.Context, sql string, args ...keyset.Value) (value keyset.Value, err error) {
	err = c.query(ctx, sql, args, func(values []sqldriver.Value) (bool, error) {
		value = fromDriver(values[0])
		return false, nil
	})
	return value, err
}

func toDriver(v keyset.Value) sqldriver.Value {
	switch v.Kind {
	case keyset.Int:
		return v.Int
	case keyset.Real:
		return v.Real
	case keyset.Text:
		return v.Text
	case keyset.Blob:
		return []byte(v.Text)
	}
	return nil
}

func fromDriver(v sqldriver.Value) keyset.Value {
	switch v := v.(type) {
	case int64:
		return keyset.IntValue(v)
	case float64:
		return keyset.Value{Kind: keyset.Real, Real: v}
	case string:
		return keyset.TextValue(v)
	case []byte:
		return keyset.Value{Kind: keyset.Blob, Text: string(v)}
	}
	return keyset.Value{}
}
