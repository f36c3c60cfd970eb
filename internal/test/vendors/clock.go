package vendors

import (
	"sync"
	"time"
)

// A Clock runs like the machine's, and can be set ahead: cursors expire, and changes become visible, without waiting. It is a clock of
// the whole program, so that a test can give it to the bridge as well.
type Clock struct {
	lock  sync.Mutex
	ahead time.Duration
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.lock.Lock()
	defer c.lock.Unlock()
	return time.Now().Add(c.ahead)
}

// Advance sets the clock ahead.
func (c *Clock) Advance(d time.Duration) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.ahead += d
}

// AfterFunc calls f when d has passed on the machine's clock.
func (c *Clock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}
