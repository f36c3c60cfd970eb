// Package clock tells the time, so that a test can pass its own.
package clock

import "time"

// A Clock tells the time and calls back later.
type Clock interface {
	// Now returns the current time.
	Now() time.Time
	// AfterFunc calls f once, in its own goroutine, when d has passed. stop prevents the call and reports whether it came
	// in time to do so.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// System is the machine's clock.
type System struct{}

// Now returns [time.Now].
func (System) Now() time.Time { return time.Now() }

// AfterFunc calls [time.AfterFunc].
func (System) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}
