package sqltable

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// A Source reads the contacts of one database for one set of credentials.
type Source struct {
	factory *Factory
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

// Database returns the one that the kind opened.
func (s *Source) Database() Database { return s.db.Database }

// Describe implements [bridge.Describer]. A position is the pair that the next page begins after (E1). Where the fields are found
// by their usual names, the columns that were found are part of the digest: they are looked for before each page, so that a new
// column gives every process another digest at once, and one run reads everything again (D10).
func (s *Source) Describe(ctx context.Context) (bridge.Description, error) {
	settings := s.db.settings
	if s.factory.config.Fields.Empty() {
		found, err := s.look(ctx)
		if err != nil {
			return bridge.Description{}, fmt.Errorf("look for columns: %w", err)
		}
		settings = settings.With(found)
	}
	return bridge.Description{Digest: settings.Digest(), Exact: true}, nil
}

// look finds the columns with the usual names, and forgets a table that was described with others.
func (s *Source) look(ctx context.Context) (found source.Settings, err error) {
	err = s.session(ctx, func(conn Session) error {
		columns, err := s.factory.columns(ctx, conn)
		if err != nil {
			return s.blame(ctx, conn, err)
		}
		found = guessed(columns)
		if known := s.db.known(); known != nil && guessed(known.Fields()).Digest() != found.Digest() {
			s.db.forget(known)
		}
		return nil
	})
	return found, err
}

// Begin implements [bridge.Source].
func (s *Source) Begin(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
	var run bridge.Run
	err := s.with(ctx, func(conn Session, t *Table) error {
		state, err := s.begin(ctx, conn, t, since)
		if err == nil && state.Restart {
			since = "" // and all that belongs to an initial run
			state, err = s.horizon(ctx, conn, t, true, keyset.Since{Form: state.Form})
		}
		run = state.Run(since)
		return err
	})
	if err != nil {
		return bridge.Run{}, fmt.Errorf("begin run: %w", err)
	}
	return run, nil
}

func (s *Source) begin(ctx context.Context, conn Session, t *Table, since bridge.Checkpoint) (keyset.State, error) {
	if t.Updated.SQL == "" {
		if since != "" && !isFingerprint(since) {
			return keyset.State{}, keyset.InvalidCheckpoint(nil)
		}
		whole, err := takeFingerprint(ctx, conn, t)
		return keyset.State{Layout: keyset.Unsorted, Whole: whole}, err
	}
	var from keyset.Since
	if since != "" {
		var err error
		if from, err = t.parse(since); err != nil {
			return keyset.State{}, err
		}
	}
	return s.horizon(ctx, conn, t, since == "", from)
}

// parse reads a checkpoint. A checkpoint with an id of another type cannot be ours.
func (t *Table) parse(c bridge.Checkpoint) (keyset.Since, error) {
	since, err := keyset.ParseCheckpoint(t.Layout(), c)
	check := t.ID.Type.CheckID
	if err != nil || since.ID.Kind == keyset.None || check == nil {
		return since, err
	}
	if err := check(since.ID.Text); err != nil {
		return since, keyset.InvalidCheckpoint(err)
	}
	return since, nil
}

// horizon fixes how far the checkpoint of a run that starts now may go (E2).
func (s *Source) horizon(ctx context.Context, conn Session, t *Table, initial bool, since keyset.Since) (keyset.State, error) {
	state := keyset.State{Layout: t.Layout()}
	if marker, ok := conn.(Marker); ok && initial {
		var err error
		if state.Mark, err = marker.Mark(ctx, t); err != nil { // before anything is read
			return state, err
		}
	} else if initial {
		state.Mark = unmarked
	}
	if t.Stamp.Kind == Own {
		own, err := ownStamps(conn)
		if err != nil {
			return state, err
		}
		return own.Horizon(ctx, t, state, initial, since)
	}
	return newTyped(conn, t).horizon(ctx, state, initial, since)
}

// unmarked is the mark of a database that tells nothing about changes: an initial run looks at all rows again (E12).
const unmarked = "-"

// Read implements [bridge.Source].
func (s *Source) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		stopped := false
		err := s.with(ctx, func(conn Session, t *Table) error {
			p := newPages(conn, t)
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

// Probe implements [bridge.Prober].
func (s *Source) Probe(ctx context.Context) error {
	probe := s.factory.dialect.Probe
	if probe == "" {
		probe = "SELECT 1"
	}
	err := s.session(ctx, func(conn Session) error {
		_, err := One(ctx, conn, Statement{SQL: probe})
		return err
	})
	if err != nil {
		return fmt.Errorf("check credentials: %w", err)
	}
	return nil
}

// Check implements [source.Checker]: it describes what is read anew, and runs the query for no row, since a server may look at
// privileges only then.
func (s *Source) Check(ctx context.Context) error {
	err := s.session(ctx, func(conn Session) error {
		known := s.db.known()
		t, err := s.describe(ctx, conn)
		if err != nil {
			s.db.forget(known)
			return err
		}
		_, err = One(ctx, conn, Statement{SQL: "SELECT " + t.list + " FROM " + t.From + " WHERE 1 = 0"})
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
func (s *Source) Count(ctx context.Context) (int64, error) {
	sql := "SELECT count(*) FROM " + s.factory.from + " WHERE " + Wrap(s.factory.config.ID) + " IS NOT NULL"
	n, err := s.number(ctx, Statement{SQL: sql}, countTime)
	if err != nil {
		return -1, fmt.Errorf("count contacts: %w", err)
	}
	return n, nil
}

// number asks for a number on a connection of its own; -1 where the answer takes longer than a time.
func (s *Source) number(ctx context.Context, statement Statement, most time.Duration) (n int64, err error) {
	short, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	conn, err := s.db.Session(short)
	if err == nil {
		defer conn.Release(ctx)
		var value keyset.Value
		value, err = One(short, conn, statement)
		n = value.Int
	}
	if short.Err() != nil && ctx.Err() == nil {
		return -1, nil
	}
	return n, s.explain(ctx, err)
}

// session runs a function on a connection of its own.
func (s *Source) session(ctx context.Context, do func(Session) error) error {
	conn, err := s.db.Session(ctx)
	if err != nil {
		return s.explain(ctx, err)
	}
	defer conn.Release(ctx)
	return s.explain(ctx, do(conn))
}

// with runs a function on a connection of its own, with the table that is read.
func (s *Source) with(ctx context.Context, do func(Session, *Table) error) error {
	return s.session(ctx, func(conn Session) error {
		t, err := s.table(ctx, conn)
		if err != nil {
			return err
		}
		err = do(conn, t)
		if d := s.db.diagnose(err); d.Stale || d.Statement {
			s.db.forget(t)
		}
		return err
	})
}

// table describes what is read, once for a set of credentials.
func (s *Source) table(ctx context.Context, conn Session) (*Table, error) {
	if known := s.db.known(); known != nil {
		return known, nil
	}
	t, err := s.describe(ctx, conn)
	if err != nil {
		return nil, err
	}
	s.db.keep(t)
	return t, nil
}

// One returns the first value of the first row, None where there is no row or it is null.
func One(ctx context.Context, conn Session, s Statement) (value keyset.Value, err error) {
	err = conn.Query(ctx, s, func(values []keyset.Value) (bool, error) {
		value = Keep(values[0])
		return false, nil
	})
	return value, err
}
