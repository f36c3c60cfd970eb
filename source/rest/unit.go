package rest

import (
	"time"

	"github.com/contactbridge/contactbridge/source/stamp"
)

// unit returns the smallest time around a stamp that the service can be asked for: from it on, and before another. It is one step of
// the stamps' precision, but for the hours that a clock shows twice, when it is set back: they are one unit, as a wall time in them
// may mean either (T12).
func (w *walk) unit(at int64) (from, before int64) {
	if w.client.zone != time.UTC {
		if from, before, ok := twice(stamp.Moment(at), w.client.zone); ok {
			return stamp.Microseconds(from), stamp.Microseconds(before)
		}
	}
	step := w.l.Updated.precision().Microseconds()
	from = floorDiv(at, step) * step
	return from, from + step
}

// clear returns a time at or before one from which on a request asks, which the service's clock shows once only.
func (w *walk) clear(at int64) int64 {
	step := w.l.Updated.precision().Microseconds()
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
