package rest

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/clock"
)

// A bucket keeps the requests of one credential within what the service takes. Who asks first is served first.
type bucket struct {
	clock clock.Clock
	every time.Duration // between two requests; 0: no limit is known
	burst int

	lock sync.Mutex
	next time.Time // when the next request would be due if there were no burst
	free time.Time // no request before
}

func newBucket(t Throttle, c clock.Clock) *bucket {
	b := &bucket{clock: c}
	if t.Requests > 0 {
		per := t.Per
		if per <= 0 {
			per = time.Second
		}
		b.every, b.burst = per/time.Duration(t.Requests), t.Requests
		if t.Burst > 0 {
			b.burst = min(t.Burst, t.Requests)
		}
	}
	return b
}

// take waits until a request may be sent. Where that would take longer than there is time, it fails at once with when to come again.
func (b *bucket) take(ctx context.Context) error {
	wait, undo := b.reserve()
	if wait <= 0 {
		return ctx.Err()
	}
	if deadline, ok := ctx.Deadline(); wait > mostBudget || ok && time.Until(deadline) < wait+reserveTime {
		undo()
		return &bridge.Error{
			Code: bridge.CodeRateLimited, Message: "the requests that the service takes are used up for now", RetryAfter: wait,
			Hint: "Try again later. The limit is throttle of the source's configuration.",
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		undo()
		return ctx.Err()
	}
}

const (
	mostBudget  = 8 * time.Second // the longest wait of a request
	reserveTime = time.Second     // of a request's time that is left for the answer
)

// reserve takes the next place in the queue and returns how long it is until then.
func (b *bucket) reserve() (wait time.Duration, undo func()) {
	b.lock.Lock()
	defer b.lock.Unlock()
	now := b.clock.Now()
	at := now
	if b.every > 0 {
		if earliest := now.Add(-time.Duration(b.burst-1) * b.every); b.next.Before(earliest) {
			b.next = earliest
		}
		if b.next.After(at) {
			at = b.next
		}
		b.next = b.next.Add(b.every)
	}
	if b.free.After(at) {
		at = b.free
	}
	return at.Sub(now), func() {
		b.lock.Lock()
		defer b.lock.Unlock()
		b.next = b.next.Add(-b.every)
	}
}

// pause keeps every request back for a while.
func (b *bucket) pause(wait time.Duration) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if until := b.clock.Now().Add(wait); until.After(b.free) {
		b.free = until
	}
}

// look pauses where the service says that no request is left.
func (b *bucket) look(header http.Header, t Throttle, now time.Time) {
	if t.Left == "" || t.Reset == "" {
		return
	}
	left, err := strconv.ParseFloat(header.Get(t.Left), 64)
	if err != nil || left >= 1 {
		return
	}
	if wait := retryAfter(header.Get(t.Reset), now); wait > 0 {
		b.pause(wait)
	}
}
