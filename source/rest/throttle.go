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

// A bucket keeps the requests of one credential within what the service takes: in any window of time no more than it says. Who asks
// first is served first.
type bucket struct {
	clock  clock.Clock
	window time.Duration // in which requests are counted; 0: no limit is known
	most   int           // in a window
	every  time.Duration // between two requests, once more than burst came at once
	burst  int

	lock   sync.Mutex
	sent   []time.Time // when the last requests were due, a ring of at most most
	oldest int         // of sent, once it is full
	next   time.Time   // when the next request would be due if there were no burst
	free   time.Time   // no request before
}

// mostSent is how many requests a bucket remembers: more are counted in a part of the window.
const mostSent = 200

func newBucket(t Throttle, c clock.Clock) *bucket {
	b := &bucket{clock: c}
	if t.Requests <= 0 {
		return b
	}
	b.most, b.window = t.Requests, t.Per
	if b.window <= 0 {
		b.window = time.Second
	}
	if b.most > mostSent {
		b.window, b.most = b.window*mostSent/time.Duration(b.most), mostSent
	}
	if t.Burst > 0 && t.Burst < t.Requests {
		b.every, b.burst = b.window/time.Duration(b.most), t.Burst
	}
	return b
}

// take waits until a request may be sent. Where that would take longer than there is time, it fails at once with when to come again.
func (b *bucket) take(ctx context.Context) error {
	wait, paused, undo := b.reserve()
	if wait <= 0 {
		return ctx.Err()
	}
	if deadline, ok := ctx.Deadline(); wait > mostBudget || ok && time.Until(deadline) < wait+reserveTime {
		undo()
		e := &bridge.Error{
			Code: bridge.CodeRateLimited, Message: "the requests that the service takes are used up for now", RetryAfter: wait,
			Hint: "Try again later. The limit is throttle of the source's configuration.",
		}
		if paused {
			e.Message, e.Hint = "the service asked for a pause, which is not over yet", "Try again later. If that happens often, synchronize less often."
		}
		return e
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

// reserve takes the next place in the queue and returns how long it is until then. paused says that it waits because the service said so.
func (b *bucket) reserve() (wait time.Duration, paused bool, undo func()) {
	b.lock.Lock()
	defer b.lock.Unlock()
	now := b.clock.Now()
	at := now
	if b.free.After(at) {
		at, paused = b.free, true
	}
	if b.every > 0 {
		if earliest := at.Add(-time.Duration(b.burst-1) * b.every); b.next.Before(earliest) {
			b.next = earliest
		}
		if b.next.After(at) {
			at = b.next
		}
		b.next = b.next.Add(b.every)
	}
	at = b.place(at)
	return at.Sub(now), paused, func() { b.undo(at) }
}

// place returns when a request may be sent that is due at a time, and remembers it. It is sent a moment later, as the service counts
// when a request arrives.
func (b *bucket) place(at time.Time) time.Time {
	if b.most == 0 {
		return at
	}
	if len(b.sent) < b.most {
		b.sent = append(b.sent, at)
		return at
	}
	if earliest := b.sent[b.oldest].Add(b.window + slack); earliest.After(at) {
		at = earliest
	}
	b.sent[b.oldest] = at
	b.oldest = (b.oldest + 1) % len(b.sent)
	return at
}

// slack is how much later than the window a request comes: some arrive sooner after they were sent than others.
const slack = 5 * time.Millisecond

// undo gives back a place that was not used, if it is the last one.
func (b *bucket) undo(at time.Time) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.next = b.next.Add(-b.every)
	if len(b.sent) == 0 {
		return
	}
	last := len(b.sent) - 1
	if len(b.sent) == b.most {
		last = (b.oldest + len(b.sent) - 1) % len(b.sent)
	}
	if b.sent[last].Equal(at) {
		b.sent[last] = at.Add(-b.window) // as if it had been sent long ago
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

// wait returns how long it is until a query that costs as much as the answer's may be sent.
func (p Points) wait(a *answer) time.Duration {
	if p.Cost == "" || a.empty {
		return 0
	}
	cost, err := strconv.ParseFloat(a.text(p.Cost), 64)
	left, errLeft := strconv.ParseFloat(a.text(p.Left), 64)
	rate, errRate := strconv.ParseFloat(a.text(p.Rate), 64)
	if err != nil || errLeft != nil || errRate != nil || rate <= 0 || cost <= left {
		return 0
	}
	return time.Duration(min((cost-left)/rate, mostRetryAfter.Seconds()) * float64(time.Second))
}
