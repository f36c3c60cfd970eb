package sqlite

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/sqltable"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// Horizon implements [sqltable.OwnStamps].
func (s *session) Horizon(ctx context.Context, t *sqltable.Table, state keyset.State, initial bool, since keyset.Since) (keyset.State, error) {
	state.Horizon, state.Form = keyset.Lowest(), since.Form
	if since.Form != "" && since.Form != zonedForm && !stamp.IsIntegerForm(since.Form) {
		return state, keyset.InvalidCheckpoint(nil)
	}
	now, safe, _, err := s.clock(ctx, t)
	if err != nil {
		return state, err
	}
	// The stamps are read after the clock and the lock: what they show was committed before.
	newest, form, err := s.form(ctx, t, now, since)
	if err != nil {
		return state, err
	}
	if newest.Kind == keyset.None {
		if !initial {
			state.Horizon = since.Updated
		}
		return state, nil
	}
	state.Form, state.Odd = form.decided, stamp.Odd(form.as)
	switch form.kind {
	case unknown:
		state.Restart = !initial
		t.Notes.Once(slog.LevelWarn, "stamps of updated are written in more than one way, or in one that does not sort by time: every run reads everything",
			"newest", keyset.Any.FormatStamp(newest))
		return state, nil
	case sequence:
		state.Horizon = newest
	default:
		if !s.db.probe {
			t.Notes.Once(slog.LevelInfo, "who is writing cannot be seen: every run reads the overlap again (probe_lock avoids it)", "overlap", t.Config.Overlap)
		}
		state.Horizon = form.lowest(safe, locations(t))
	}
	if !initial {
		state.Restart, err = mustRestart(t, form, newest, since, now)
	}
	return state, err
}

// mustRestart reports whether a checkpoint tells nothing about stamps as they are now. A checkpoint that is no stamp at all
// was never ours.
func mustRestart(t *sqltable.Table, f form, newest keyset.Value, since keyset.Since, now time.Time) (bool, error) {
	other := f
	if f.as == "" || since.Updated.Kind != keyset.Int {
		other = formOf(since.Updated, t.UpdatedAs, now)
	}
	restart := func(why string, args ...any) (bool, error) {
		t.Notes.Warn(why+", so everything is read again", append(args, "checkpoint", keyset.Any.FormatStamp(since.Updated))...)
		return true, nil
	}
	switch {
	case other.kind == unknown:
		return false, keyset.InvalidCheckpoint(nil)
	case !other.sorts(f) && !f.isHorizon(since.Updated, other), f.decided != since.Form && (since.Form != "" || f.decided == zonedForm):
		return restart("stamps of updated are written in another way than the checkpoint", "form", f.name)
	case f.kind == sequence && keyset.Compare(newest, since.Updated) < 0:
		return restart("the greatest number of updated is below the checkpoint: an older file was put back", "greatest", keyset.Any.FormatStamp(newest))
	case f.kind != sequence && keyset.Compare(since.Updated, f.highest(now, locations(t))) > 0:
		return restart("this machine's clock shows an earlier time than the checkpoint: it was set back", "clock", now)
	}
	return false, nil
}

// lockWait is how long an application may wait for the write lock after it took its stamp, and still be seen with probe_lock: the
// lock is free for a moment between two of its tries, and who waits cannot be seen. It is at most the overlap.
const lockWait = time.Minute

// clock returns the machine's clock, and the moment up to which every change is visible.
func (s *session) clock(ctx context.Context, t *sqltable.Table) (now, safe time.Time, method string, err error) {
	now = t.Clock.Now()
	safe, method = now.Add(-t.Config.Overlap), "overlap"
	if s.db.probe {
		free, err := s.db.lock(ctx)
		if err != nil {
			return now, safe, method, probeError(err)
		}
		if free {
			safe, method = now.Add(-min(lockWait, t.Config.Overlap)), "write lock"
		}
	}
	return now, safe.Add(-t.Config.ClockSkew), method, nil
}

// form finds how stamps are written, and the newest of them: unknown where not all of a sample sort by time. since is where
// the run starts, with what was decided before (E11).
func (s *session) form(ctx context.Context, t *sqltable.Table, now time.Time, since keyset.Since) (keyset.Value, form, error) {
	newest, err := s.stamps(ctx, t, t.Updated.SQL+" DESC", stamp.SampleSize)
	if err != nil || len(newest) == 0 {
		return keyset.Value{}, form{}, err
	}
	sample := newest
	for order, limit := range map[string]int{t.Updated.SQL: 1, t.ID.SQL: stamp.SampleSize, t.ID.SQL + " DESC": stamp.SampleSize} {
		more, err := s.stamps(ctx, t, order, limit)
		if err != nil {
			return keyset.Value{}, form{}, err
		}
		sample = append(sample[:len(sample):len(sample)], more...)
	}
	if integers := integersOf(sample); integers != nil && t.UpdatedAs != stamp.AsTimestamp && t.UpdatedAs != stamp.AsDate {
		number, f := decide(t, integers, len(newest), since.Form, now)
		return keyset.IntValue(number), f, nil
	}
	f := formOf(newest[0], t.UpdatedAs, now)
	zones := since.Form == zonedForm
	for _, v := range sample {
		other := formOf(v, t.UpdatedAs, now)
		if !f.sorts(other) {
			return newest[0], form{name: f.name + " and " + other.name}, nil
		}
		zones = zones || other.zoned && other.offset != 0
	}
	if f.isText() {
		recent, err := s.recent(ctx, t, f, since)
		if err != nil {
			return keyset.Value{}, form{}, err
		}
		if recent.other {
			return newest[0], form{name: f.name + " and other texts"}, nil
		}
		zones = zones || recent.offset
	}
	if zones && f.zoned {
		// Where one offset is not UTC's, another row may have any other: a traveller's, or summer time's.
		f.decided = zonedForm
	}
	f.precision = max(f.precision, f.coarseness(newest))
	return newest[0], f, nil
}

// stamps reads some stamps in an order.
func (s *session) stamps(ctx context.Context, t *sqltable.Table, order string, limit int) (list []keyset.Value, err error) {
	sql := "SELECT " + t.Updated.Select + " FROM " + t.From + " WHERE " + t.Updated.SQL + " IS NOT NULL ORDER BY " + order + " LIMIT ?"
	limited := sqltable.Statement{SQL: sql, Args: []keyset.Value{keyset.IntValue(int64(limit))}}
	err = s.Query(ctx, limited, func(values []keyset.Value) (bool, error) {
		list = append(list, sqltable.Keep(values[0]))
		return true, nil
	})
	return list, err
}

// westernmost is how far the earliest wall time is from UTC.
const westernmost = -12 * time.Hour

// A recent says what the text stamps are like that were written since a checkpoint.
type recent struct {
	other  bool // one is written in another way than the newest
	offset bool // one has an offset from UTC
}

// recent looks at every text stamp that can have been written since a checkpoint. The first of another form may stand anywhere in
// the table and before the checkpoint in the order of the texts, so that no sample is sure to hold it: a blank sorts before the T
// of all others of its day. An initial run reads such rows wherever they stand, and the next one looks again.
func (s *session) recent(ctx context.Context, t *sqltable.Table, f form, since keyset.Since) (r recent, err error) {
	wall, ok := wallOf(since.Updated)
	if !ok {
		return recent{}, nil
	}
	u := t.Updated.SQL
	from := keyset.TextValue(wall.Add(2 * westernmost).Format(time.DateOnly))
	exists := func(condition string) bool {
		var found keyset.Value
		if err == nil {
			found, err = sqltable.One(ctx, s, sqltable.Statement{
				SQL:  "SELECT EXISTS (SELECT 1 FROM " + t.From + " WHERE " + u + " > ? AND typeof(" + u + ") = 'text' AND NOT (" + condition + "))",
				Args: []keyset.Value{from},
			})
		}
		return found.Int == 1
	}
	r.other = exists(f.pattern(u))
	if f.zoned && !r.other {
		r.offset = exists(strings.NewReplacer("?", u).Replace("? GLOB '*Z' OR ? GLOB '*UTC' OR ? GLOB '*GMT' OR ? GLOB '*[-+]00:00' OR ? GLOB '*[-+]0000'"))
	}
	return r, err
}

// integersOf returns the numbers of a sample of integers; nil where not all of it are.
func integersOf(sample []keyset.Value) []int64 {
	list := make([]int64, len(sample))
	for i, v := range sample {
		if v.Kind != keyset.Int {
			return nil
		}
		list[i] = v.Int
	}
	return list
}

// decide decides what a sample of integers is. It begins with the newest ones, the greatest first.
func decide(t *sqltable.Table, sample []int64, newest int, known string, now time.Time) (greatest int64, f form) {
	as, decided := t.UpdatedAs, ""
	if as == stamp.Auto {
		decided = stamp.DecideInteger(known, sample, now)
		if as = decided; as == "" {
			as = stamp.AsSequence
		}
	}
	f = integerForm(as)
	f.decided = decided
	greatest = sample[0]
	if f.kind == sequence {
		if greatest = stamp.GreatestNumber(sample[:newest]); greatest < sample[0] {
			t.Notes.Once(slog.LevelWarn, "a few numbers of updated are far beyond all others: they are not taken for the newest, and sent by every run",
				"greatest", sample[0], "of the others", greatest)
		}
		return greatest, f
	}
	var stamps []keyset.Value // those that count
	for _, number := range sample[:newest] {
		if number > stamp.Odd(as) && number <= f.number(now).Int {
			stamps = append(stamps, keyset.IntValue(number))
		}
	}
	f.precision = max(f.precision, f.coarseness(stamps))
	return greatest, f
}

// locations returns the zones that stamps without one may be in: the configured one, or UTC and the machine's.
func locations(t *sqltable.Table) []*time.Location {
	if t.Config.TimeZone == "" {
		return []*time.Location{time.UTC, time.Local}
	}
	loc, err := time.LoadLocation(t.Config.TimeZone)
	if err != nil {
		return []*time.Location{time.UTC, time.Local} // New has checked it
	}
	return []*time.Location{loc}
}
