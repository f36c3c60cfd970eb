package sqlite

import (
	"context"
	sqldriver "database/sql/driver"
	"log/slog"
	"time"

	"github.com/contactbridge/contactbridge/source/keyset"
)

// sampleSize is how many of the newest stamps are looked at to see how they are written.
const sampleSize = 50

// horizon fixes how far the checkpoint of a run that starts now may go (E2).
func (s *Source) horizon(ctx context.Context, conn conn, shape *shape, initial bool, since keyset.Since) (keyset.State, error) {
	state := keyset.State{Layout: keyset.Any, Horizon: keyset.Lowest()}
	now, safe, _, err := s.clock(ctx)
	if err != nil {
		return state, err
	}
	// The stamps are read after the clock and the lock: what they show was committed before.
	newest, form, err := s.form(ctx, conn, shape, now)
	if err != nil {
		return state, err
	}
	switch {
	case newest.Kind == keyset.None:
		if !initial {
			state.Horizon = since.Updated
		}
	case form.kind == unknown:
		state.Restart = !initial
		s.factory.notes.Once(slog.LevelWarn, "stamps of updated are written in more than one way, or in one that does not sort by time: every run reads everything",
			"newest", keyset.Any.FormatStamp(newest))
	case form.kind == sequence:
		state.Horizon = newest
	default:
		if !s.factory.probeLock {
			s.factory.notes.Once(slog.LevelInfo, "who is writing cannot be seen: every run reads the overlap again (probe_lock avoids it)", "overlap", s.factory.cfg.Overlap)
		}
		state.Horizon = form.lowest(safe, s.factory.locations())
	}
	if !initial && newest.Kind != keyset.None && form.kind != unknown {
		state.Restart, err = s.mustRestart(form, since.Updated, now)
	}
	return state, err
}

// mustRestart reports whether a checkpoint tells nothing about stamps as they are now. A checkpoint that is no stamp at all
// was never ours.
func (s *Source) mustRestart(f form, since keyset.Value, now time.Time) (bool, error) {
	other := formOf(since, s.factory.cfg.UpdatedAs, now)
	if other.kind == unknown {
		return false, keyset.InvalidCheckpoint(nil)
	}
	if !other.sorts(f) && !f.isHorizon(since, other) {
		s.factory.deps.Logger.Warn("stamps of updated are written in another way than the checkpoint: everything is read again",
			"checkpoint", keyset.Any.FormatStamp(since), "form", f.name)
		return true, nil
	}
	if f.kind != sequence && keyset.Compare(since, f.highest(now, s.factory.locations())) > 0 {
		s.factory.deps.Logger.Warn("this machine's clock is behind the checkpoint: it was set back, so everything is read again",
			"checkpoint", keyset.Any.FormatStamp(since), "clock", now)
		return true, nil
	}
	return false, nil
}

// clock is the machine's clock, and the moment up to which every change is visible.
func (s *Source) clock(ctx context.Context) (now, safe time.Time, method string, err error) {
	now = s.factory.deps.Clock.Now()
	safe, method = now.Add(-s.factory.cfg.Overlap), "overlap"
	if s.factory.probeLock {
		free, err := s.db.lock(ctx)
		if err != nil {
			return now, safe, method, s.factory.probeError(ctx, err)
		}
		if free {
			safe, method = now, "write lock"
		}
	}
	return now, safe.Add(-s.factory.cfg.ClockSkew), method, nil
}

// form finds how stamps are written: unknown where not all of the sample sort by time.
func (s *Source) form(ctx context.Context, conn conn, shape *shape, now time.Time) (newest keyset.Value, f form, err error) {
	u := shape.updated
	read := func(order string, limit int) (list []keyset.Value, err error) {
		sql := "SELECT +" + u + " FROM " + shape.from + " WHERE " + u + " IS NOT NULL ORDER BY " + u + order + " LIMIT ?"
		err = conn.query(ctx, sql, []keyset.Value{keyset.IntValue(int64(limit))}, func(values []sqldriver.Value) (bool, error) {
			list = append(list, fromDriver(values[0]))
			return true, nil
		})
		return list, err
	}
	sample, err := read(" DESC", sampleSize)
	if err != nil || len(sample) == 0 {
		return keyset.Value{}, form{}, err
	}
	oldest, err := read("", 1)
	if err != nil {
		return keyset.Value{}, form{}, err
	}
	newest = sample[0]
	f = formOf(newest, s.factory.cfg.UpdatedAs, now)
	for _, v := range append(sample, oldest...) {
		other := formOf(v, s.factory.cfg.UpdatedAs, now)
		if f.kind == integer && v.Kind == keyset.Int {
			continue // any integer sorts among integers, whatever it means
		}
		if !f.sorts(other) {
			return newest, form{name: f.name + " and " + other.name}, nil
		}
		f.merge(other)
	}
	f.precision = max(f.precision, f.coarseness(sample))
	return newest, f, nil
}

// locations are the zones that stamps without one may be in: the configured one, or UTC and the machine's.
func (f *factory) locations() []*time.Location {
	if f.cfg.TimeZone == "" {
		return []*time.Location{time.UTC, time.Local}
	}
	loc, err := time.LoadLocation(f.cfg.TimeZone)
	if err != nil {
		return []*time.Location{time.UTC, time.Local} // New has checked it
	}
	return []*time.Location{loc}
}
