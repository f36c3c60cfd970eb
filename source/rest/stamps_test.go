package rest

import (
	"errors"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/source/stamp"
)

// Times are read in every form of RFC 3339 and in those that services write instead.
func TestFormsOfTimes(t *testing.T) {
	zone := time.FixedZone("", 2*3600)
	at := func(hour, minute, second, nanosecond int) time.Time {
		return time.Date(2026, 11, 1, hour, minute, second, nanosecond, time.UTC)
	}
	for text, want := range map[string]time.Time{
		"2026-11-01T10:00:30Z": at(10, 0, 30, 0), "2026-11-01t10:00:30z": at(10, 0, 30, 0), "2026-11-01 10:00:30z": at(10, 0, 30, 0), "2026-11-01t10:00:30.5+02:00": at(8, 0, 30, 5e8),
		"2026-11-01T10:00:30+0200": at(8, 0, 30, 0), "2026-11-01T10:00:30+02": at(8, 0, 30, 0), "2026-11-01 10:00:30.25-0230": at(12, 30, 30, 25e7), "2026-11-01 10:00:30-02": at(12, 0, 30, 0),
		"2026-11-01 10:00:30 +0200": at(8, 0, 30, 0), "2026-11-01T10:00:30": at(8, 0, 30, 0), "2026-11-01 10:00:30,5": at(8, 0, 30, 5e8),
		"2026-11-01T10:00": at(8, 0, 0, 0), "2026-11-01 10:00": at(8, 0, 0, 0), "2026-11-01T10:00Z": at(10, 0, 0, 0), "2026-11-01 10:00+02": at(8, 0, 0, 0), "2026-11-01T10:00+0200": at(8, 0, 0, 0),
		"2026-11-01T23:59:60Z": time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), "2026-11-01T23:59:60.75Z": time.Date(2026, 11, 2, 0, 0, 0, 75e7, time.UTC), "2026-11-01t21:59:60-02:00": time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC),
		"2026-11-01 10:59:60": at(9, 0, 0, 0),
	} {
		got, err := parseStamp(text, "", zone)
		if err != nil || got != stamp.Microseconds(want) {
			t.Errorf("%s: %v, %v, want %v", text, stamp.Moment(got), err, want)
		}
	}
	for _, text := range []string{"2026-11-01T10:00:61Z", "2026-11-01T10:60:00Z", "2026-13-01T10:00:00Z", "1.11.2026", "tomorrow", "2026-11-01T10", "2026-11-01T10:00:00 GMT+2", "60"} {
		if got, err := parseStamp(text, "", zone); !errors.Is(err, errBadStamp) {
			t.Errorf("%s: %v, %v", text, stamp.Moment(got), err)
		}
	}
}
