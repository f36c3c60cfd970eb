package source

import "time"

// A Clock tells the time and calls back later; a test passes its own.
type Clock interface {
	// Now is the current time.
	Now() time.Time
	// AfterFunc calls f once, in a goroutine of its own, when d has passed, unless stop is called before: stop reports
	// whether it came in time.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now is [time.Now].
func (SystemClock) Now() time.Time { return time.Now() }

// AfterFunc is [time.AfterFunc].
func (SystemClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}
