package stamp

import (
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// T12: nights in which clocks were or are set, in zones that set them by an hour, by half an hour, and never.
var nights = []struct {
	zone     string
	at       string // UTC
	lowest   string
	highest  string
	whatever string
}{
	{"UTC", "2026-10-25T01:30:00", "2026-10-25T01:30:00", "2026-10-25T01:30:00", "no change ever"},
	{"Europe/London", "2026-10-24T12:00:00", "2026-10-24T13:00:00", "2026-10-24T13:00:00", "the day before: the clock will be set back, but not this far"},
	{"Europe/London", "2026-10-25T00:30:00", "2026-10-25T01:00:00", "2026-10-25T01:30:00", "01:30 BST: it will be 01:00 again"},
	{"Europe/London", "2026-10-25T00:59:59", "2026-10-25T01:00:00", "2026-10-25T01:59:59", "the last second before"},
	{"Europe/London", "2026-10-25T01:00:00", "2026-10-25T01:00:00", "2026-10-25T01:59:59.999999", "01:00 GMT: it has been 01:59:59 before"},
	{"Europe/London", "2026-10-25T02:30:00", "2026-10-25T02:30:00", "2026-10-25T02:30:00", "past the hour that came twice"},
	{"Europe/London", "2026-03-29T00:30:00", "2026-03-29T00:30:00", "2026-03-29T00:30:00", "clocks set forward change nothing"},
	{"America/New_York", "2026-11-01T05:15:00", "2026-11-01T01:00:00", "2026-11-01T01:15:00", "01:15 EDT"},
	{"America/New_York", "2026-11-01T06:15:00", "2026-11-01T01:15:00", "2026-11-01T01:59:59.999999", "01:15 EST"},
	{"Australia/Lord_Howe", "2026-04-04T14:50:00", "2026-04-05T01:30:00", "2026-04-05T01:50:00", "half an hour: 01:50 before"},
	{"Australia/Lord_Howe", "2026-04-04T15:10:00", "2026-04-05T01:40:00", "2026-04-05T01:59:59.999999", "half an hour: 01:40 after"},
	{"Pacific/Apia", "2011-12-30T09:30:00", "2011-12-29T23:30:00", "2011-12-29T23:30:00", "a day that never was: forward"},
	{"Asia/Manila", "1844-12-30T15:00:00", "1844-12-29T23:03:52", "1844-12-29T23:03:52", "long before any rule"},
}

func TestWallTimesT12(t *testing.T) {
	for _, n := range nights {
		t.Run(n.zone+" "+n.at, func(t *testing.T) {
			loc := zone(t, n.zone)
			at, err := time.Parse("2006-01-02T15:04:05", n.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := LowestWall(at, loc).Format("2006-01-02T15:04:05.999999"); got != n.lowest {
				t.Errorf("%s: lowest wall time from here on is %s, want %s", n.whatever, got, n.lowest)
			}
			if got := HighestWall(at, loc).Format("2006-01-02T15:04:05.999999"); got != n.highest {
				t.Errorf("%s: highest wall time so far is %s, want %s", n.whatever, got, n.highest)
			}
		})
	}
}

// Every ten minutes of a year: no later wall time is below the lowest, no earlier one above the highest, and both are
// as close as the clock allows.
func TestWallTimesAreBounds(t *testing.T) {
	for _, name := range []string{"Europe/London", "America/New_York", "Australia/Lord_Howe", "UTC", "America/St_Johns", "Africa/Casablanca"} {
		loc := zone(t, name)
		from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		const step, steps = 10 * time.Minute, 366 * 24 * 6
		walls := make([]time.Time, steps)
		for i := range walls {
			walls[i] = wall(from.Add(time.Duration(i) * step).In(loc))
		}
		lowest, highest := walls[steps-1], walls[0]
		least := make([]time.Time, steps)
		for i := steps - 1; i >= 0; i-- {
			if walls[i].Before(lowest) {
				lowest = walls[i]
			}
			least[i] = lowest
		}
		for i := range walls {
			if walls[i].After(highest) {
				highest = walls[i]
			}
			at := from.Add(time.Duration(i) * step)
			if got := LowestWall(at, loc); !got.Equal(least[i]) && i < steps-24*6 {
				t.Fatalf("%s %s: lowest %s, want %s", name, at, got, least[i])
			}
			if got := HighestWall(at, loc); got.Before(highest) || got.Sub(highest) >= step {
				t.Fatalf("%s %s: highest %s, want %s", name, at, got, highest)
			}
		}
	}
}
