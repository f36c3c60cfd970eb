package hub

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"
)

const (
	repeatAfter  = time.Minute
	mostMessages = 1000 // that are remembered; they are constants, or nearly
)

// Seldom passes each message on once a minute, with how often it was left out before: what is tried every second, such as a
// database that is away, must not fill a disk for as long as it fails.
func Seldom(next slog.Handler) slog.Handler {
	return seldom{next, &told{by: map[string]telling{}}}
}

type seldom struct {
	slog.Handler
	told *told
}

// A told remembers what was told, for a handler and what is derived from it.
type told struct {
	mu sync.Mutex
	by map[string]telling
}

type telling struct {
	last time.Time
	left int // out since then
}

// Handle implements [slog.Handler].
func (s seldom) Handle(ctx context.Context, r slog.Record) error {
	left, due := s.told.due(r.Message, r.Time)
	if !due {
		return nil
	}
	if left > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("left_out", left))
	}
	return s.Handler.Handle(ctx, r)
}

// due reports whether a message is to be told now, and how often it was not since it was.
func (t *told) due(message string, now time.Time) (left int, due bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was, known := t.by[message]
	if known && now.Sub(was.last) < repeatAfter {
		was.left++
		t.by[message] = was
		return 0, false
	}
	if len(t.by) >= mostMessages {
		maps.DeleteFunc(t.by, func(_ string, old telling) bool { return now.Sub(old.last) >= repeatAfter })
	}
	if len(t.by) < mostMessages {
		t.by[message] = telling{last: now}
	}
	if now.Sub(was.last) >= 2*repeatAfter {
		return 0, true // of another time
	}
	return was.left, true
}

// WithAttrs implements [slog.Handler].
func (s seldom) WithAttrs(attrs []slog.Attr) slog.Handler {
	return seldom{s.Handler.WithAttrs(attrs), s.told}
}

// WithGroup implements [slog.Handler].
func (s seldom) WithGroup(name string) slog.Handler {
	return seldom{s.Handler.WithGroup(name), s.told}
}
