package sqltable

import (
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/source/keyset"
)

// Local stamps are safe up to where no clock can show less any more: whichever of the zones is behind, and an hour earlier
// before clocks are set back (T12).
func TestLocalStampsT12(t *testing.T) {
	zone := func(name string) *time.Location {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return loc
	}
	berlin, newYork := zone("Europe/Berlin"), zone("America/New_York")
	for _, c := range []struct {
		name      string
		locations []*time.Location
		safe      string
		kind      StampKind
		lowest    string
	}{
		{"winter", []*time.Location{berlin}, "2026-01-15T12:00:00Z", Walls, "2026-01-15T13:00:00.000000"},
		{"summer", []*time.Location{berlin}, "2026-07-15T12:00:00Z", Walls, "2026-07-15T14:00:00.000000"},
		{"just before clocks are set forward", []*time.Location{berlin}, "2026-03-29T00:59:59Z", Walls, "2026-03-29T01:59:59.000000"},
		{"when they are", []*time.Location{berlin}, "2026-03-29T01:00:00Z", Walls, "2026-03-29T03:00:00.000000"},
		{"an hour before clocks are set back", []*time.Location{berlin}, "2026-10-25T00:00:00Z", Walls, "2026-10-25T02:00:00.000000"},
		{"in the hour that comes again", []*time.Location{berlin}, "2026-10-25T00:59:00Z", Walls, "2026-10-25T02:00:00.000000"},
		{"when it has come again", []*time.Location{berlin}, "2026-10-25T01:10:00Z", Walls, "2026-10-25T02:10:00.000000"},
		{"the server is west of UTC", []*time.Location{newYork, time.UTC}, "2026-01-15T12:00:00Z", Walls, "2026-01-15T07:00:00.000000"},
		{"the server is east of UTC", []*time.Location{berlin, time.UTC}, "2026-01-15T12:00:00Z", Walls, "2026-01-15T12:00:00.000000"},
		{"a date that is yesterday's in one of them", []*time.Location{time.UTC, newYork}, "2026-01-15T02:00:00Z", Dates, "2026-01-14"},
	} {
		safe, err := time.Parse(time.RFC3339, c.safe)
		if err != nil {
			t.Fatal(err)
		}
		s := timeStamps{Stamp: Stamp{Kind: c.kind}, locations: c.locations}
		if got := s.layout().FormatStamp(keyset.IntValue(s.lowest(safe))); got != c.lowest {
			t.Errorf("%s: got %q, want %q", c.name, got, c.lowest)
		}
		if s.highest(safe) < s.lowest(safe) {
			t.Errorf("%s: a checkpoint at the horizon counts as ahead of the clock", c.name)
		}
	}
}
