package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
)

// names remembers the keys of accounts and the names of integrations. Neither ever changes once it is there, and no key is
// used again.
type names struct {
	db           *sql.DB
	accounts     sync.Map // name → pk
	integrations sync.Map // pk → name

	mu        sync.Mutex   // while a name is remembered or forgotten
	forgotten atomic.Int64 // names so far
}

// account returns an account's pk; 0 if no account has that name.
func (n *names) account(ctx context.Context, name string) (pk int64, err error) {
	if known, ok := n.accounts.Load(name); ok {
		return known.(int64), nil
	}
	err = n.db.QueryRowContext(ctx, "SELECT pk FROM accounts WHERE name = ?", name).Scan(&pk)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err == nil {
		n.accounts.Store(name, pk)
	}
	return pk, err
}

// integration returns an integration's name; named is false if it no longer exists.
func (n *names) integration(ctx context.Context, pk int64) (name string, named bool, err error) {
	if known, ok := n.integrations.Load(pk); ok {
		return known.(string), true, nil
	}
	forgotten := n.forgotten.Load()
	err = n.db.QueryRowContext(ctx, "SELECT name FROM integrations WHERE pk = ? AND name IS NOT NULL", pk).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err == nil {
		n.remember(pk, name, forgotten)
	}
	return name, err == nil, err
}

// remember remembers a name that was read when so many were forgotten, unless it may have been forgotten since.
func (n *names) remember(pk int64, name string, forgotten int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.forgotten.Load() == forgotten {
		n.integrations.Store(pk, name)
	}
}

// forget is for an integration that is not there any more: that was committed before.
func (n *names) forget(pk int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.integrations.Delete(pk)
	n.forgotten.Add(1)
}
