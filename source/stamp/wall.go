package stamp

import "time"

// near is how far from an instant a change of a zone's offset can matter: no clock was ever set by more than a day.
const near = 26 * time.Hour

// LowestOf returns the smallest [LowestWall] of one or more zones.
func LowestOf(t time.Time, zones []*time.Location) time.Time {
	lowest := LowestWall(t, zones[0])
	for _, zone := range zones[1:] {
		if w := LowestWall(t, zone); w.Before(lowest) {
			lowest = w
		}
	}
	return lowest
}

// HighestOf returns the greatest [HighestWall] of one or more zones.
func HighestOf(t time.Time, zones []*time.Location) time.Time {
	highest := HighestWall(t, zones[0])
	for _, zone := range zones[1:] {
		if w := HighestWall(t, zone); w.After(highest) {
			highest = w
		}
	}
	return highest
}

// LowestWall returns the smallest wall time that a clock in a zone shows at an instant or at any later one, as if it were UTC:
// smaller than the wall time of the instant itself when the clock is about to be set back (T12).
func LowestWall(t time.Time, loc *time.Location) time.Time {
	local := t.In(loc)
	lowest := wall(local)
	for at := local; ; {
		_, end := at.ZoneBounds()
		if end.IsZero() || end.Sub(t) > near {
			return lowest
		}
		if w := wall(end); w.Before(lowest) {
			lowest = w
		}
		at = end
	}
}

// HighestWall returns the greatest wall time that a clock in a zone shows at an instant or has shown at any earlier one, as if
// it were UTC: greater than the wall time of the instant itself when the clock has just been set back.
func HighestWall(t time.Time, loc *time.Location) time.Time {
	local := t.In(loc)
	highest := wall(local)
	for at := local; ; {
		start, _ := at.ZoneBounds()
		if start.IsZero() || t.Sub(start) > near {
			return highest
		}
		at = start.Add(-time.Microsecond)
		if w := wall(at); w.After(highest) {
			highest = w
		}
	}
}

// wall returns the time that the clock of t's zone shows, as if it were UTC.
func wall(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.Add(time.Duration(offset) * time.Second).UTC()
}
