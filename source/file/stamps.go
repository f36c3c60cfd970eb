package file

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// A layout is how stamps are written.
type layout struct {
	text string        // for time.Parse; "" means the usual ones, unixSeconds and unixMillis what they say
	step time.Duration // of text: how much time passes before it looks different
}

const (
	unixSeconds = "unix"
	unixMillis  = "unix_ms"
	day         = 24 * time.Hour
)

// parseLayout reads updated_layout.
func parseLayout(text string) (layout, error) {
	switch text {
	case "", unixSeconds, unixMillis:
		return layout{text: text}, nil
	}
	if strings.Contains(text, "MST") {
		return layout{}, badLayout(text, "names a zone by its letters, which are not unique", "Write the zone as -0700, or leave updated out.")
	}
	// What the layout says about a moment must bring it back, up to its precision.
	moment := time.Date(2023, 11, 25, 22, 58, 59, 987654000, time.UTC)
	back, err := time.Parse(text, moment.Format(text))
	if err != nil || moment.Sub(back) < 0 || moment.Sub(back) >= day {
		return layout{}, badLayout(text, "does not tell the time",
			"Write 2 January 2006, 15:04:05 as the column would, such as 02.01.2006 15:04:05 or 1/2/2006 3:04 PM.")
	}
	step := day
	for _, smaller := range []time.Duration{time.Hour, time.Minute, time.Second, time.Millisecond, time.Microsecond} {
		if moment.Sub(back) < smaller {
			step = smaller
		}
	}
	return layout{text: text, step: step}, nil
}

func badLayout(text, what, hint string) error {
	return &source.ConfigError{Key: "updated_layout", Message: fmt.Sprintf("updated_layout cannot be %q: it %s", text, what), Hint: hint}
}

// A usual layout, and its step.
type usualLayout struct {
	text string
	step time.Duration
}

// usualLayouts are tried in this order; fractions of a second need no mention.
var usualLayouts = []usualLayout{
	{"2006-01-02 15:04:05Z07:00", time.Second},
	{"2006-01-02 15:04:05 Z07:00", time.Second},
	{"2006-01-02 15:04:05Z0700", time.Second},
	{"2006-01-02 15:04:05 Z0700", time.Second},
	{"2006-01-02 15:04:05Z07", time.Second},
	{"2006-01-02 15:04:05 UTC", time.Second},
	{"2006-01-02 15:04:05", time.Second},
	{"2006-01-02 15:04Z07:00", time.Minute},
	{"2006-01-02 15:04", time.Minute},
	{"2006-01-02", day},
}

// stamps reads the texts of the updated column. Its keys are wall time in the zone, in microseconds, so that stamps
// with and without a zone have one order.
type stamps struct {
	layout layout
	zone   *time.Location // nil means unknown

	last int // the usual layout that fitted last

	// What was found.
	coarsest time.Duration // the coarsest step of any stamp
	zoneless bool          // there are stamps that name no zone
}

// key returns a stamp's place in the order; false: it is missing, or cannot be read.
func (s *stamps) key(text string) (int64, bool) {
	switch s.layout.text {
	case unixSeconds:
		return s.unix(text, time.Second)
	case unixMillis:
		return s.unix(text, time.Millisecond)
	case "":
		return s.usual(text)
	}
	t, err := time.Parse(s.layout.text, text)
	if err != nil {
		return 0, false
	}
	return s.wall(t, s.layout.step, text, s.layout.text)
}

// usual reads a stamp in one of the usual layouts.
func (s *stamps) usual(text string) (int64, bool) {
	if n := len(text); n < 8 || n > 40 {
		return 0, false
	}
	if strings.Trim(text, "0123456789") == "" {
		if len(text) < 12 {
			return s.unix(text, time.Second)
		}
		return s.unix(text, time.Millisecond)
	}
	if len(text) > 10 && (text[10] == 'T' || text[10] == 't') {
		text = text[:10] + " " + text[11:]
	}
	for i := range len(usualLayouts) {
		at := (s.last + i) % len(usualLayouts)
		l := usualLayouts[at]
		if t, err := time.Parse(l.text, text); err == nil {
			s.last = at
			step := l.step
			if i := strings.IndexAny(text, ".,"); i >= 0 && step == time.Second {
				step = fraction(text[i+1:])
			}
			return s.wall(t, step, text, l.text)
		}
	}
	return 0, false
}

// fraction returns the step of a stamp with a fraction of a second. The writer may have left out trailing zeros,
// and a single stamp does not tell: a millisecond is the most that is trusted.
func fraction(digits string) time.Duration {
	n := len(digits) - len(strings.TrimLeft(digits, "0123456789"))
	if n < 3 {
		return time.Second
	}
	return time.Millisecond
}

// lastSecond is the end of the year 9999.
const lastSecond = 253_402_300_799

func (s *stamps) unix(text string, unit time.Duration) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > lastSecond*int64(time.Second/unit) {
		return 0, false
	}
	t := time.Unix(n, 0)
	if unit == time.Millisecond {
		t = time.UnixMilli(n)
	}
	return s.zoned(t, unit)
}

// wall takes a stamp that was parsed; it has a zone if its layout says so.
func (s *stamps) wall(t time.Time, step time.Duration, text, layout string) (int64, bool) {
	if strings.Contains(layout, "07") || strings.HasSuffix(text, "UTC") {
		return s.zoned(t, step)
	}
	s.zoneless = true
	return s.found(t, step)
}

func (s *stamps) zoned(t time.Time, step time.Duration) (int64, bool) {
	if s.zone != nil {
		_, offset := t.In(s.zone).Zone()
		t = t.Add(time.Duration(offset) * time.Second)
	}
	return s.found(t, step)
}

func (s *stamps) found(t time.Time, step time.Duration) (int64, bool) {
	if t.Year() < 1 || t.Year() > 9999 {
		return 0, false
	}
	s.coarsest = max(s.coarsest, step)
	return stamp.Microseconds(t), true
}

// unknownZone is how far a clock in an unknown zone may be behind UTC.
const unknownZone = 12 * time.Hour

// horizon returns the greatest key that no later version of a file can still bring (E2). A file was written at its time of
// modification or earlier, if it was copied, but not before its newest stamp; what had been stamped overlap before that is
// in it.
func (s *stamps) horizon(modified time.Time, newest int64, overlap time.Duration) int64 {
	zone := s.zone
	if zone == nil {
		zone = time.UTC
	}
	written := modified
	if t := earliest(newest, zone); t.Before(written) {
		written = t
	}
	lowest := stamp.LowestWall(written.Add(-overlap), zone)
	if s.zone == nil && s.zoneless {
		lowest = modified.Add(-overlap - unknownZone).UTC()
		if t := stamp.Moment(newest).Add(-overlap - 2*time.Hour); t.Before(lowest) { // it may have summer time
			lowest = t
		}
	}
	return stamp.Microseconds(lowest.Truncate(max(s.coarsest, time.Microsecond))) - 1
}

// earliest returns the first moment at which the clock of a zone shows a key.
func earliest(key int64, zone *time.Location) time.Time {
	w := stamp.Moment(key)
	t := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), w.Nanosecond(), zone)
	for _, back := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour} {
		if e := t.Add(-back); e.Format(time.DateTime) == t.Format(time.DateTime) {
			return e
		}
	}
	return t
}
