package registry

import (
	"context"
	"sync"
)

// revocations counts the changes that ended someone's rights: tokens that were removed or replaced, users that were changed or removed,
// sessions that are over. The count stands in the database, so that other processes hear of it, too.
type revocations struct {
	mu    sync.Mutex
	known int64
	next  chan struct{} // closed at the next one; nil: nothing waits
}

func (r *revocations) notice(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n <= r.known {
		return
	}
	r.known = n
	if r.next != nil {
		close(r.next)
		r.next = nil
	}
}

// Revoked returns how many revocations this process knows of, and a channel that is closed when it knows of another one: of its
// own at once, of those of other processes when asked by [DB.Revocations].
func (d *DB) Revoked() (known int64, next <-chan struct{}) {
	r := &d.revocations
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.next = make(chan struct{})
	}
	return r.known, r.next
}

// Revocations asks the database how many revocations there were, in any process.
func (d *DB) Revocations(ctx context.Context) (int64, error) {
	n, err := one(ctx, d.read(), value[int64], "SELECT value FROM hub.counters WHERE name = 'revocations'")
	if err != nil {
		return 0, wrap(err, "count the revocations")
	}
	d.revocations.notice(n)
	return n, nil
}

// revoke does everything of f or nothing, and tells all processes that rights may have ended.
func (d *DB) revoke(ctx context.Context, f func(s session) error) error {
	var n int64
	err := d.change(ctx, func(s session) (err error) {
		if err := f(s); err != nil {
			return err
		}
		n, err = one(ctx, s, value[int64], "UPDATE hub.counters SET value = value + 1 WHERE name = 'revocations' RETURNING value")
		return err
	})
	if err == nil {
		d.revocations.notice(n)
	}
	return err
}
