package source

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// A Digest stands for a set of credentials without holding them.
type Digest [sha256.Size]byte

// DigestOf is the SHA-256 of a list of texts, such as a DSN with the caller's credentials in it.
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
	Max   int           // the most things open at a time; 0 means 64
	Idle  time.Duration // how long a thing that nobody uses stays open; 0 means 5 minutes
	Clock Clock         // nil means [SystemClock]
}

// A Pool keeps what is expensive to open, such as connections, by the credentials that it was opened with.
type Pool[T any] struct{}

// NewPool makes a pool. closeValue closes a value that is no longer needed.
func NewPool[T any](options PoolOptions, closeValue func(T) error) *Pool[T] { return nil }

// Get gives the value for a key and opens it if need be, once, however many ask for it at the same time. open's context ends
// when all of those have given up, and may outlive a single one. release must be called when the value is no longer used,
// once or more; until then it stays open. An error of open goes to all who waited and is not kept.
//
// When as many values as allowed are in use the error is [bridge.CodeRateLimited].
func (p *Pool[T]) Get(ctx context.Context, key Digest, open func(context.Context) (T, error)) (value T, release func(), err error) {
	return value, nil, nil
}

// Close closes every value that is not in use at once, waits for the others to be released, and refuses what comes later.
// It returns the errors of closing, joined.
func (p *Pool[T]) Close() error { return nil }
