package stamp

import (
	"math"
	"time"
)

// SampleSize is how many stamps of each end of an order are looked at to see what they are.
const SampleSize = 50

// firstTime is the first time, in seconds since 1970, that a stamp can be: a smaller number above 0 is a time in a larger
// unit, a version, or a mistake. It is in March 1973, which in milliseconds is beyond every second of the next thousand years.
const firstTime = 100_000_000

// Odd returns the greatest number above 0 that is not a time in a form (E11): [Page.Odd]. A number that is too great for its form is
// in the future, and is left to the tail for that. 0 for sequences, where every number fits.
func Odd(form string) int64 {
	unit := Unit(form)
	if unit == 0 {
		return 0
	}
	return firstTime*int64(time.Second/unit) - 1
}

// DecideInteger decides what a column of integers holds: times in one of three units, or numbers that only grow. It goes by
// what most of a sample looks like, so that one odd number decides nothing (E11). known is the form that was decided before,
// empty if none was: it stays, unless the sample says plainly that the column means something else now. The form is empty
// where the sample has nothing to decide by.
func DecideInteger(known string, sample []int64, now time.Time) (form string) {
	votes := map[string]int{}
	all := 0
	for _, number := range sample {
		if number > 0 {
			votes[GuessInteger(number, now)]++
			all++
		}
	}
	for _, as := range []string{AsSeconds, AsMillis, AsMicros, AsSequence} { // a tie is for the time
		if votes[as] > votes[form] {
			form = as
		}
	}
	switch {
	case all == 0:
		return known
	case known == "", known == form:
		return form
	case known == AsSequence && 2*votes[form] >= all,
		form == AsSequence && votes[form] == all,
		form != AsSequence && 3*votes[form] >= 2*all:
		return form
	}
	return known
}

// IsIntegerForm reports whether a checkpoint may say that this was decided.
func IsIntegerForm(form string) bool { return form == AsSequence || Unit(form) > 0 }

// GreatestNumber returns the greatest number of a sequence. newest are its greatest ones, in descending order, and not empty. A few
// that are far beyond all the others were not drawn from the sequence: 9999999999 means "never" to somebody. They are left to
// the tail, or no real number would ever be greater than the checkpoint again (E11). To take a sequence that was set on by far
// for such numbers does no harm: they are delivered until most of the newest are like them.
func GreatestNumber(newest []int64) int64 {
	greatest := newest[0]
	for i := range len(newest) / 2 {
		if isFar(newest[i], max(newest[i+1], 0)) {
			greatest = newest[i+1]
		}
	}
	return greatest
}

// isFar reports whether a number is too far beyond the next smaller one to have been drawn from the same sequence.
func isFar(number, next int64) bool {
	const room = 50_000
	last := number == math.MaxInt32 || number == math.MaxUint32 || number == 1<<53-1 || number == math.MaxInt64
	return number/2-room > next || last && number-next > room
}
