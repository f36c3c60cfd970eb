package registry

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	mostTogether = 200              // events of one transaction
	togetherTime = 10 * time.Second // that writing them may take
)

// A gathering writes events that come at once in one transaction. Whoever comes while nobody writes does; those who come meanwhile
// wait for the next transaction, which one of them writes.
type gathering struct {
	mu      sync.Mutex
	writing bool
	waiting []*waitingEvent
}

// A waitingEvent is an event that is to be written.
type waitingEvent struct {
	event Event         // the caller's may be gone before it is written
	wrote chan error    // it was written, or could not be
	lead  chan struct{} // it is the caller's turn to write
}

// add has an event written, and returns when it is.
func (g *gathering) add(ctx context.Context, e *Event, write func(context.Context, []*Event) error) error {
	w := &waitingEvent{event: *e, wrote: make(chan error, 1), lead: make(chan struct{}, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, w)
	if !g.writing {
		g.writing = true
		w.lead <- struct{}{}
	}
	g.mu.Unlock()
	for {
		select {
		case <-w.lead:
			g.write(ctx, write)
		case err := <-w.wrote:
			if err == nil {
				*e = w.event
			}
			return err
		case <-ctx.Done():
			g.leave(w)
			return context.Cause(ctx)
		}
	}
}

// leave takes one who waits no longer out, and gives their turn to another.
func (g *gathering) leave(w *waitingEvent) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = slices.DeleteFunc(g.waiting, func(other *waitingEvent) bool { return other == w })
	select {
	case <-w.lead:
		g.pass()
	default:
	}
}

// pass makes the first who waits write, or nobody. The lock is held.
func (g *gathering) pass() {
	if g.writing = len(g.waiting) > 0; g.writing {
		g.waiting[0].lead <- struct{}{}
	}
}

// write writes what waits, and lets others write what has come meanwhile. The events of others do not end with ctx.
func (g *gathering) write(ctx context.Context, write func(context.Context, []*Event) error) {
	g.mu.Lock()
	some := slices.Clone(g.waiting[:min(len(g.waiting), mostTogether)])
	g.waiting = slices.Delete(g.waiting, 0, len(some))
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.pass()
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), togetherTime)
	defer cancel()
	events := make([]*Event, 0, len(some))
	for _, w := range some {
		events = append(events, &w.event)
	}
	err := write(ctx, events)
	for i, w := range some {
		if err != nil && len(some) > 1 && ctx.Err() == nil { // one that cannot be written takes no other with it
			w.wrote <- write(ctx, events[i:i+1])
			continue
		}
		w.wrote <- err
	}
}
