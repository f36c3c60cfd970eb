package source

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/clock"
)

// A Digest stands for a set of credentials without holding them.
type Digest [sha256.Size]byte

// DigestOf returns the SHA-256 of a list of texts, such as a DSN with the caller's credentials in it.
func DigestOf(texts ...string) Digest {
	h := sha256.New()
	var size [8]byte
	for _, text := range texts {
		binary.BigEndian.PutUint64(size[:], uint64(len(text)))
		h.Write(size[:])
		h.Write([]byte(text))
	}
	return Digest(h.Sum(nil))
}

// PoolOptions bound a [Pool].
type PoolOptions struct {
	Max   int           // how many values may be open at a time; 0 means 64
	Idle  time.Duration // how long an unused value stays open; 0 means 5 minutes
	Clock clock.Clock   // nil means [clock.System]
}

// A Pool keeps values that are expensive to open, such as connections, by the credentials that they were opened with. It is
// used by many goroutines at once.
type Pool[T any] struct {
	max        int
	idle       time.Duration
	clock      clock.Clock
	closeValue func(T) error

	// root is cancelled by Close, so that no opening outlives the pool.
	root context.Context
	stop context.CancelFunc
	work sync.WaitGroup // openings and the leases that Close waits for

	mu        sync.Mutex
	entries   map[Digest]*entry[T]
	closed    bool
	stopSweep func() bool // the pending sweep; nil if no sweep is pending
	errs      []error     // of closing values, for Close
}

// An entry is a value, or the opening of one. Its fields but ready are guarded by the pool's mutex; value and err are
// written before ready is closed.
type entry[T any] struct {
	ready  chan struct{}
	cancel context.CancelFunc // ends the opening
	value  T
	err    error
	opened bool
	users  int       // who waits for it or uses it
	since  time.Time // when it became idle, if users is 0
}

// NewPool makes a pool. closeValue closes a value that is no longer needed; it may be called by any goroutine.
func NewPool[T any](options PoolOptions, closeValue func(T) error) *Pool[T] {
	p := &Pool[T]{max: options.Max, idle: options.Idle, clock: options.Clock, closeValue: closeValue, entries: map[Digest]*entry[T]{}}
	if p.max <= 0 {
		p.max = 64
	}
	if p.idle <= 0 {
		p.idle = 5 * time.Minute
	}
	if p.clock == nil {
		p.clock = clock.System{}
	}
	p.root, p.stop = context.WithCancel(context.Background())
	return p
}

// Get returns the value for a key and opens it if necessary, once, however many ask for it at the same time. open's context
// carries the values of the first caller's, ends when all who ask have given up, and may outlive a single one. release must
// be called when the value is no longer used, once or more; until then it stays open. An error of open goes to all who
// waited and is not kept.
//
// When as many values as allowed are in use the error is [bridge.CodeRateLimited]; after Close it is
// [bridge.CodeSourceUnavailable].
func (p *Pool[T]) Get(ctx context.Context, key Digest, open func(context.Context) (T, error)) (value T, release func(), err error) {
	e, err := p.join(ctx, key, open)
	if err != nil {
		return value, nil, err
	}
	select {
	case <-e.ready:
	case <-ctx.Done():
		p.leave(key, e)
		return value, nil, ctx.Err()
	}
	if e.err != nil {
		p.leave(key, e)
		return value, nil, e.err
	}
	return e.value, sync.OnceFunc(func() { p.leave(key, e) }), nil
}

// join finds the entry of a key, or begins to open one, and counts the caller among its users.
func (p *Pool[T]) join(ctx context.Context, key Digest, open func(context.Context) (T, error)) (*entry[T], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, &bridge.Error{Code: bridge.CodeSourceUnavailable, Message: "the bridge is shutting down", RetryAfter: 5 * time.Second}
	}
	e := p.entries[key]
	if e == nil {
		if !p.makeRoom() {
			return nil, &bridge.Error{
				Code:       bridge.CodeRateLimited,
				Message:    "too many different credentials are in use at the same time",
				Hint:       "Try again later, or spread the synchronizations over time.",
				RetryAfter: 5 * time.Second,
			}
		}
		e = p.begin(ctx, key, open)
	}
	e.users++
	p.work.Add(1)
	return e, nil
}

// begin opens an entry in the background.
func (p *Pool[T]) begin(ctx context.Context, key Digest, open func(context.Context) (T, error)) *entry[T] {
	opening, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unlink := context.AfterFunc(p.root, cancel)
	e := &entry[T]{ready: make(chan struct{}), cancel: cancel}
	p.entries[key] = e
	p.work.Go(func() {
		defer cancel()
		defer unlink()
		value, err := open(opening)
		p.finish(key, e, value, err)
	})
	return e
}

// finish publishes the result of opening. If no caller waits for it any more it is closed again.
func (p *Pool[T]) finish(key Digest, e *entry[T], value T, err error) {
	p.mu.Lock()
	e.value, e.err, e.opened = value, err, err == nil
	abandoned := p.entries[key] != e
	if err != nil && !abandoned {
		delete(p.entries, key)
	}
	close(e.ready)
	p.mu.Unlock()
	if abandoned && err == nil {
		p.shut(value)
	}
}

// leave takes one user from an entry. An opening without users is given up, an open value becomes idle.
func (p *Pool[T]) leave(key Digest, e *entry[T]) {
	defer p.work.Done()
	p.mu.Lock()
	e.users--
	if e.users > 0 || p.entries[key] != e {
		p.mu.Unlock()
		return
	}
	if !e.opened {
		delete(p.entries, key)
		e.cancel()
		p.mu.Unlock()
		return
	}
	e.since = p.clock.Now()
	if p.closed {
		delete(p.entries, key)
		p.mu.Unlock()
		p.shut(e.value)
		return
	}
	p.schedule(p.idle)
	p.mu.Unlock()
}

// makeRoom closes the value that has been idle longest if the pool is full, and reports whether there is room.
func (p *Pool[T]) makeRoom() bool {
	if len(p.entries) < p.max {
		return true
	}
	var oldest *entry[T]
	var oldestKey Digest
	for key, e := range p.entries {
		if e.users == 0 && e.opened && (oldest == nil || e.since.Before(oldest.since)) {
			oldest, oldestKey = e, key
		}
	}
	if oldest == nil {
		return false
	}
	delete(p.entries, oldestKey)
	p.work.Go(func() { p.shut(oldest.value) })
	return true
}

// schedule makes sure that a sweep comes, after d at the latest if no sweep is pending yet.
func (p *Pool[T]) schedule(d time.Duration) {
	if p.stopSweep == nil {
		p.stopSweep = p.clock.AfterFunc(d, p.sweep)
	}
}

// sweep closes the values that have been idle for long enough, and schedules the next sweep.
func (p *Pool[T]) sweep() {
	p.mu.Lock()
	p.stopSweep = nil
	if p.closed {
		p.mu.Unlock()
		return
	}
	now := p.clock.Now()
	var old []T
	next := time.Duration(-1)
	for key, e := range p.entries {
		if e.users > 0 || !e.opened {
			continue
		}
		if left := p.idle - now.Sub(e.since); left > 0 {
			if next < 0 || left < next {
				next = left
			}
			continue
		}
		delete(p.entries, key)
		old = append(old, e.value)
	}
	if next >= 0 {
		p.schedule(next)
	}
	p.work.Add(1)
	p.mu.Unlock()
	defer p.work.Done()
	for _, value := range old {
		p.shut(value)
	}
}

// shut closes a value and keeps the error for Close.
func (p *Pool[T]) shut(value T) {
	if err := p.closeValue(value); err != nil {
		p.mu.Lock()
		p.errs = append(p.errs, err)
		p.mu.Unlock()
	}
}

// Close ends what is being opened, closes every value that is not in use, waits until the others are released and closed,
// and refuses what comes later. It returns the errors of closing, joined.
func (p *Pool[T]) Close() error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		p.stop()
		if p.stopSweep != nil {
			p.stopSweep()
		}
	}
	var idle []T
	for key, e := range p.entries {
		if e.users == 0 && e.opened {
			delete(p.entries, key)
			idle = append(idle, e.value)
		}
	}
	p.mu.Unlock()
	for _, value := range idle {
		p.shut(value)
	}
	p.work.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.errs...)
}
