package inside

import (
	"context"
	"io"
	"sync"

	"github.com/contactbridge/contactbridge/bridge"
)

// A room is the place in the process's memory that what is read for one request takes, once an answer is large: what a source makes of its
// answers goes with the request.
type room struct {
	budget *bridge.Budget

	mu      sync.Mutex
	release func() // nil until an answer is large
	left    bool   // the request is over: what still reads is nobody's
}

const (
	// smallAnswer is the most, in bytes, that an answer may have without a place. Nearly all are smaller.
	smallAnswer = 2 << 20
	// largeAnswer is the memory, in bytes, that a request with a large answer may need: half of the usual budget.
	largeAnswer = bridge.DefaultBudget / 2
)

type roomKey struct{}

// withRoom returns a context of one request. leave gives its room back.
func (s *Sources) withRoom(ctx context.Context) (_ context.Context, leave func()) {
	if s.o.Answers == nil {
		return ctx, func() {}
	}
	r := &room{budget: s.o.Answers}
	return context.WithValue(ctx, roomKey{}, r), r.leave
}

// roomOf returns the room of the request that a context belongs to; nil if there is none.
func roomOf(ctx context.Context) *room {
	r, _ := ctx.Value(roomKey{}).(*room)
	return r
}

// enter waits for a place; a request has one, however many large answers it reads.
func (r *room) enter(ctx context.Context) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.release == nil && !r.left {
		r.release, err = r.budget.Take(ctx, largeAnswer)
	}
	return err
}

func (r *room) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = true
	if r.release != nil {
		r.release()
	}
}

// A weighed body waits for room once it is large.
type weighed struct {
	io.ReadCloser
	ctx  context.Context
	room *room
	read int
}

// Read implements [io.Reader].
func (w *weighed) Read(b []byte) (int, error) {
	if w.room != nil && w.read >= smallAnswer {
		if err := w.room.enter(w.ctx); err != nil {
			return 0, err
		}
	}
	n, err := w.ReadCloser.Read(b)
	w.read += n
	return n, err
}
