package hub

import (
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// Store returns the hub's directory with everything that is in it.
func (h *Hub) Store() directory.Store { return h.store }

// SetStore puts another directory in the place of the hub's.
func (h *Hub) SetStore(s directory.Store) { h.store = s }

// HookTimes is [hookTimes] for tests.
type HookTimes struct{ hookTimes }

// Next is [hookTimes.next].
func (t *HookTimes) Next(key directory.Key, now time.Time, every time.Duration) (time.Duration, bool) {
	return t.next(key, now, every)
}

// Done is [hookTimes.done].
func (t *HookTimes) Done(key directory.Key, now time.Time) { t.done(key, now) }
