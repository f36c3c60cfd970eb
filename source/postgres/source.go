package postgres

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// A Source reads the contacts of one database for one set of credentials.
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
	err := s.with(ctx, func(conn *pgxpool.Conn, shape *shape) error {
		state, err := s.begin(ctx, conn, shape, since)
		if err == nil && state.Restart {
			since = "" // and all that belongs to an initial run
			state, err = s.begin(ctx, conn, shape, since)
		}
		run = state.Run(since)
		return err
	})
	if err != nil {
		return bridge.Run{}, fmt.Errorf("begin run: %w", err)
	}
	return run, nil
}

func (s *Source) begin(ctx context.Context, conn *pgxpool.Conn, shape *shape, since bridge.Checkpoint) (keyset.State, error) {
	if shape.stamp.kind == unsorted {
		if since != "" && !isFingerprint(since) {
			return keyset.State{}, keyset.InvalidCheckpoint(nil)
		}
		whole, err := fingerprint(ctx, conn, shape)
		return keyset.State{Layout: keyset.Unsorted, Whole: whole}, err
	}
	var from keyset.Since
	if since != "" {
		var err error
		if from, err = shape.parse(since); err != nil {
			return keyset.State{}, err
		}
	}
	return s.factory.horizon(ctx, conn, shape, since == "", from)
}

// parse reads a checkpoint. One whose id is none of the id's type cannot be ours.
func (s *shape) parse(c bridge.Checkpoint) (keyset.Since, error) {
	since, err := keyset.ParseCheckpoint(s.stamp.kind.layout(), c)
	if err != nil || since.ID.Kind == keyset.None {
		return since, err
	}
	if err := s.checkID(since.ID.Text); err != nil {
		return since, keyset.InvalidCheckpoint(err)
	}
	return since, nil
}

// checkID reports whether a text can be an id, for the usual types of ids.
func (s *shape) checkID(id string) error {
	var into any
	switch s.idOID {
	case pgtype.Int2OID:
		into = new(int16)
	case pgtype.Int4OID:
		into = new(int32)
	case pgtype.Int8OID:
		into = new(int64)
	case pgtype.UUIDOID:
		into = new(pgtype.UUID)
	default:
		return nil
	}
	return pgtype.NewMap().Scan(s.idOID, pgtype.TextFormatCode, []byte(id), into)
}

// Read implements [bridge.Source].
func (s *Source) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		stopped := false
		err := s.with(ctx, func(conn *pgxpool.Conn, shape *shape) error {
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

// Probe implements [bridge.Prober].
func (s *Source) Probe(ctx context.Context) error {
	if _, err := s.db.conns.Exec(ctx, "SELECT 1"); err != nil {
		return fmt.Errorf("check credentials: %w", s.factory.wrap(ctx, err))
	}
	return nil
}

// Check implements [source.Checker]: it describes what is read anew, and runs the query for no row, since the server looks at
// privileges only then.
func (s *Source) Check(ctx context.Context) error {
	err := s.with(ctx, func(conn *pgxpool.Conn, known *shape) error {
		if _, err := s.factory.describe(ctx, conn); err != nil {
			s.db.forget(known)
			return err
		}
		_, err := conn.Exec(ctx, "SELECT "+known.id+" FROM "+s.factory.from+" WHERE false")
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
	short, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	var n int64
	err := s.db.conns.QueryRow(short, "SELECT count(*) FROM "+s.factory.from+" WHERE "+keyset.Wrap(s.factory.cfg.ID)+" IS NOT NULL").Scan(&n)
	if short.Err() != nil && ctx.Err() == nil {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("count contacts: %w", s.factory.wrap(ctx, err))
	}
	return n, nil
}

// with runs a function on a connection of its own, with the shape of what is read.
func (s *Source) with(ctx context.Context, do func(*pgxpool.Conn, *shape) error) error {
	conn, err := s.db.conns.Acquire(ctx)
	if err != nil {
		return s.factory.wrap(ctx, err)
	}
	defer release(ctx, conn)
	shape, err := s.shape(ctx, conn)
	if err != nil {
		return err
	}
	err = do(conn, shape)
	if err != nil && isStale(err) {
		s.db.forget(shape)
	}
	return s.factory.wrap(ctx, err)
}

// shape describes what is read, once for a set of credentials.
func (s *Source) shape(ctx context.Context, conn *pgxpool.Conn) (*shape, error) {
	s.db.mu.Lock()
	known := s.db.shape
	s.db.mu.Unlock()
	if known != nil {
		return known, nil
	}
	shape, err := s.factory.describe(ctx, conn)
	if err != nil {
		return nil, s.factory.wrap(ctx, err)
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
