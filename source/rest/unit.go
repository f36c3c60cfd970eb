package rest

import (
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source/stamp"
)

// step returns the smallest time that the language's requests tell apart: that of the stamps' precision or, where they write times more
// coarsely, such as {{since}} in whole seconds, that.
func (l *Language) step() time.Duration {
	step := l.Updated.precision()
	l.texts(func(key string, t Text) {
		if request, _, _ := strings.Cut(key, "."); request != "changes" && request != "by_id" {
			return
		}
		for _, p := range t.parts {
			if p.name == "since" || p.name == "from" || p.name == "before" {
				step = max(step, p.fineness())
			}
		}
	})
	return step
}

// fineness returns how finely a time is written. Days are left to since.granularity: those of the service may begin in any zone.
func (p textPart) fineness() time.Duration {
	for _, f := range p.filters {
		switch f.name {
		case "minus":
			continue
		case "unix_ms", "rfc3339_ms":
			return time.Millisecond
		case "rfc3339_us":
			return time.Microsecond
		case "date":
			return 0
		}
		break
	}
	return time.Second
}

// unit returns the smallest time around a stamp that the service can be asked for: from it on, and before another. It is one step, but for the hours that a clock shows twice, when it is set back: they are one unit, as a wall time in them
// may mean either (T12).
func (w *walk) unit(at int64) (from, before int64) {
	if w.client.zone != time.UTC {
		if from, before, ok := twice(stamp.Moment(at), w.client.zone); ok {
			return stamp.Microseconds(from), stamp.Microseconds(before)
		}
	}
	step := w.f.step.Microseconds()
	from = floorDiv(at, step) * step
	return from, from + step
}

// clear returns a time at or before one from which on a request asks, which the service's clock shows once only.
func (w *walk) clear(at int64) int64 {
	step := w.f.step.Microseconds()
	at = floorDiv(at, step) * step
	if w.client.zone == time.UTC {
		return at
	}
	if from, _, ok := twice(stamp.Moment(at), w.client.zone); ok {
		return stamp.Microseconds(from) - step
	}
	return at
}

// twice returns the instants around one whose wall times a clock shows twice; ok is false for an instant whose wall time comes once.
func twice(t time.Time, zone *time.Location) (from, before time.Time, ok bool) {
	start, end := t.In(zone).ZoneBounds()
	for _, change := range []time.Time{start, end} {
		if change.IsZero() {
			continue
		}
		_, earlier := change.Add(-time.Second).In(zone).Zone()
		_, later := change.In(zone).Zone()
		back := time.Duration(earlier-later) * time.Second
		from, before = change.Add(-back), change.Add(back)
		if back > 0 && !t.Before(from) && t.Before(before) {
			return from.UTC(), before.UTC(), true
		}
	}
	return time.Time{}, time.Time{}, false
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
