package phonebook

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// A Key was made for a device or a site, and opens one phonebook until it is revoked.
type Key struct {
	ID      string
	Account string
	Book    string
	Name    string // of the device or the site; with which it signs in
	Path    bool   // its secret stands in the address, and opens nothing else
}

// KeyKinds say which kinds of keys a phonebook has, and so what devices are asked for.
type KeyKinds struct {
	Password bool // some sign in with a name and a password
	Digest   bool // some may do so by Digest
}

// Keys know the keys that were made. All methods may be called concurrently.
type Keys interface {
	// BySecret returns the key with a secret, or [ErrNoKey].
	BySecret(ctx context.Context, secret string) (Key, error)

	// ForDigest returns the key of a phonebook that signs in with a name by Digest, and its password, or [ErrNoKey].
	ForDigest(ctx context.Context, account, book, name string) (key Key, password string, err error)

	// Revocations counts what was revoked, as far as this process knows: BySecret and ForDigest return no key any more whose revocation
	// is counted.
	Revocations() int64
}

// ErrNoKey says that there is no such key, or not any more.
var ErrNoKey = errors.New("there is no such key")

// ErrRevoked is the cause for which the context of a visit ends whose key is revoked.
var ErrRevoked = errors.New("the credential was revoked")

// A Visit is what a device does that was let in by a key. It ends with the key.
type Visit struct {
	Book *Book
	Key  Key

	ctx   context.Context
	end   context.CancelCauseFunc
	leave func()
}

// Context is done when the device leaves, and when its key is revoked, with the cause [ErrRevoked].
func (v *Visit) Context() context.Context { return v.ctx }

// Leave ends the visit. It may be called several times.
func (v *Visit) Leave() {
	v.leave()
	v.end(nil)
}

// Revoked reports whether the visit's key was revoked.
func (v *Visit) Revoked() bool { return v != nil && errors.Is(context.Cause(v.ctx), ErrRevoked) }

// visits are the visits of all devices, by their keys' ids.
type visits struct {
	mu   sync.Mutex
	open map[string]map[*Visit]struct{}
}

func (vs *visits) enter(ctx context.Context, b *Book, key Key) *Visit {
	v := &Visit{Book: b, Key: key}
	v.ctx, v.end = context.WithCancelCause(ctx)
	v.leave = func() {
		vs.mu.Lock()
		defer vs.mu.Unlock()
		delete(vs.open[key.ID], v)
		if len(vs.open[key.ID]) == 0 {
			delete(vs.open, key.ID)
		}
	}
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if vs.open == nil {
		vs.open = map[string]map[*Visit]struct{}{}
	}
	if vs.open[key.ID] == nil {
		vs.open[key.ID] = map[*Visit]struct{}{}
	}
	vs.open[key.ID][v] = struct{}{}
	return v
}

// Visitors are the ids of the keys by which devices are let in at the moment.
func (s *Set) Visitors() []string {
	s.visits.mu.Lock()
	defer s.visits.mu.Unlock()
	return slices.Collect(maps.Keys(s.visits.open))
}

// End ends the visits by a key: requests under way are broken off, and connections closed.
func (s *Set) End(key string) {
	s.visits.mu.Lock()
	defer s.visits.mu.Unlock()
	for v := range s.visits.open[key] {
		v.end(ErrRevoked)
	}
}

// UseKeys lets in devices by keys. It is called before the phonebooks are served.
func (s *Set) UseKeys(keys Keys) { s.keys = keys }

// A Try is what a device shows.
type Try struct {
	Secret string
	Path   bool // the secret stands in the address
	// Fits reports whether the device asks for the phonebook that its key opens, and calls itself as the key does. What the address says
	// needs no name.
	Fits func(*Book, Key) bool
}

// Admit lets a device in by a key; nil where what it shows opens nothing. Who is let in must leave.
func (s *Set) Admit(ctx context.Context, t Try) (*Visit, error) {
	if s == nil || s.keys == nil || t.Secret == "" {
		return nil, nil
	}
	return s.admit(ctx, func() (Key, *Book, error) {
		key, err := s.keys.BySecret(ctx, t.Secret)
		if err != nil {
			return key, nil, err
		}
		b := s.Of(key.Account, key.Book)
		if b == nil || key.Path != t.Path || !t.Fits(b, key) {
			err = ErrNoKey
		}
		return key, b, err
	})
}

// AdmitByDigest lets a device in that shows that it knows the password of a name, as right finds out.
func (s *Set) AdmitByDigest(ctx context.Context, b *Book, name string, right func(password string) bool) (*Visit, error) {
	if s == nil || s.keys == nil || name == "" {
		return nil, nil
	}
	return s.admit(ctx, func() (Key, *Book, error) {
		key, password, err := s.keys.ForDigest(ctx, b.Account, b.Name, name)
		if err == nil && !right(password) {
			err = ErrNoKey
		}
		return key, b, err
	})
}

func (s *Set) admit(ctx context.Context, find func() (Key, *Book, error)) (*Visit, error) {
	for {
		known := s.keys.Revocations()
		key, b, err := find()
		if errors.Is(err, ErrNoKey) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		v := s.visits.enter(ctx, b, key)
		// Whoever revokes counts first and ends the visits then. A visit that came too late to be ended is seen here.
		if s.keys.Revocations() == known {
			return v, nil
		}
		v.Leave()
	}
}
