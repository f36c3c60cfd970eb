package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// names remembers the keys of accounts and the names of integrations. Neither ever changes once it is there, and no key is
// used again.
type names struct {
	db           *sql.DB
	accounts     sync.Map // name → pk
	integrations sync.Map // pk → name
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
	err = n.db.QueryRowContext(ctx, "SELECT name FROM integrations WHERE pk = ? AND name IS NOT NULL", pk).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err == nil {
		n.integrations.Store(pk, name)
	}
	return name, err == nil, err
}

// forget is for an integration that is not there any more.
func (n *names) forget(pk int64) { n.integrations.Delete(pk) }
