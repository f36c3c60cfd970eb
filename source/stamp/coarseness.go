package stamp

import (
	"slices"
	"time"
)

// steps lists the usual steps of stamps, the coarsest first.
var steps = []time.Duration{time.Hour, time.Minute, time.Second, time.Millisecond}

// enough is how many different stamps it takes to believe in steps of a minute and more: one batch may well be stamped at a
// full hour.
const enough = 3

// Coarseness returns the step to which stamps, in microseconds, seem to be rounded: the greatest of an hour, a minute, a second
// and a millisecond that divides all of them; a microsecond if no step does, or if there is no stamp (T4).
func Coarseness(stamps []int64) time.Duration {
	different := slices.Compact(slices.Sorted(slices.Values(stamps)))
	for _, step := range steps {
		if step >= time.Minute && len(different) < enough || len(different) == 0 {
			continue
		}
		if !slices.ContainsFunc(different, func(stamp int64) bool { return stamp%step.Microseconds() != 0 }) {
			return step
		}
	}
	return time.Microsecond
}
