package hub

import (
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// A cache keeps what is asked for at every request for some seconds, what is not there included. It is emptied when it has
// grown: random tokens fill no memory.
type cache[K comparable, V any] struct {
	mu   sync.Mutex
	kept map[K]cached[V]
}

type cached[V any] struct {
	value V
	err   error
	until time.Time
}

const cacheSize = 10_000

func (c *cache[K, V]) get(now time.Time, key K, fresh time.Duration, ask func() (V, error), keepable func(error) bool) (V, error) {
	if e, ok := c.peek(now, key); ok {
		return e.value, e.err
	}
	value, err := ask()
	if err != nil && !keepable(err) {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= cacheSize {
		c.kept = map[K]cached[V]{}
	}
	c.kept[key] = cached[V]{value, err, now.Add(fresh)}
	return value, err
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
}

func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = nil
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
