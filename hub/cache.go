package hub

import (
	"context"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// A cache keeps what is asked for at every request for some seconds, what is not there included. It is emptied when it has
// grown: random tokens fill no memory.
type cache[K comparable, V any] struct {
	mu     sync.Mutex
	kept   map[K]cached[V]
	asking map[K]*asked[V]
}

type cached[V any] struct {
	value V
	err   error
	until time.Time
}

// An asked value is being read. value and err are set before done is closed.
type asked[V any] struct {
	done  chan struct{}
	until time.Time // until then others may wait for the value too, and it may be kept
	value V
	err   error
}

const (
	cacheSize  = 10_000
	askWithin  = 10 * time.Second // time limit for reading a value
	mostAsking = 64               // values that are read at the same time although their callers may give up: random tokens must not delay calls
)

// get returns a fresh value, or reads one with ask. Callers that want the same value at the same time share one call of ask, which goes on after
// they have given up. Telephone systems give up after 45 ms: if each of them called ask and cancelled it, a slow database would get more
// questions than a fast one, and no value would ever be kept. Package singleflight would do it without limits: for the age of a shared
// call, and for the number of calls.
func (c *cache[K, V]) get(ctx context.Context, now time.Time, key K, fresh time.Duration, ask func(context.Context) (V, error), keepable func(error) bool) (V, error) {
	if e, ok := c.peek(now, key); ok {
		return e.value, e.err
	}
	a := c.join(ctx, now, key, fresh, ask, keepable)
	if a == nil {
		return ask(ctx)
	}
	select {
	case <-a.done:
		return a.value, a.err
	case <-ctx.Done():
		var none V
		return none, context.Cause(ctx)
	}
}

// join returns the value that is being read for the key, unless reading began longer ago than fresh, or starts to read it. It returns nil if
// mostAsking values are being read.
func (c *cache[K, V]) join(ctx context.Context, now time.Time, key K, fresh time.Duration, ask func(context.Context) (V, error), keepable func(error) bool) *asked[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.asking[key]; a != nil && now.Before(a.until) {
		return a
	}
	if len(c.asking) >= mostAsking {
		return nil
	}
	a := &asked[V]{done: make(chan struct{}), until: now.Add(fresh)}
	if c.asking == nil {
		c.asking = map[K]*asked[V]{}
	}
	c.asking[key] = a
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askWithin)
		defer cancel()
		a.value, a.err = ask(ctx)
		c.answered(key, a, a.err == nil || keepable(a.err))
		close(a.done)
	}()
	return a
}

// answered keeps a value if keep is true and the key was not forgotten meanwhile: then the value may be older than the change.
func (c *cache[K, V]) answered(key K, a *asked[V], keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asking[key] != a {
		return
	}
	delete(c.asking, key)
	if !keep {
		return
	}
	if c.kept == nil || len(c.kept) >= cacheSize {
		c.kept = map[K]cached[V]{}
	}
	c.kept[key] = cached[V]{a.value, a.err, a.until}
}

// peek returns what is kept and fresh.
func (c *cache[K, V]) peek(now time.Time, key K) (e cached[V], ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok = c.kept[key]
	return e, ok && now.Before(e.until)
}

func (c *cache[K, V]) forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, key)
	delete(c.asking, key)
}

func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept, c.asking = nil, nil
}

// A tokenKey is a token's digest, and how many revocations were known when the token was read: what was read before one is
// not found after it.
type tokenKey struct {
	digest      [32]byte
	revocations int64
}

// tokenCache keeps tokens by their digests.
type tokenCache struct {
	cache[tokenKey, registry.Token]
}

// touch notes that a token was used, and reports whether the caller must write it down.
func (c *tokenCache) touch(key tokenKey, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.kept[key]
	if !ok || now.Sub(e.value.Used) <= time.Minute {
		return false
	}
	e.value.Used = now
	c.kept[key] = e
	return true
}
