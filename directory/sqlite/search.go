package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

var errNotYet = errors.New("not yet")

// ByEmail implements [directory.Store].
func (s *Store) ByEmail(context.Context, string, []string, int) ([]directory.Entry, error) {
	return nil, errNotYet
}

// Search implements [directory.Store].
func (s *Store) Search(context.Context, string, directory.Query) ([]directory.Entry, error) {
	return nil, errNotYet
}

// Purge implements [directory.Store].
func (s *Store) Purge(context.Context, string, []directory.Ref, bool) (int64, error) {
	return 0, errNotYet
}

// Forget implements [directory.Store].
func (s *Store) Forget(context.Context, directory.Key) error { return errNotYet }

// Prune implements [directory.Store].
func (s *Store) Prune(context.Context, time.Time) (int64, error) { return 0, errNotYet }
