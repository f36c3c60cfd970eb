package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// names remembers the keys of accounts and the names of integrations. Neither ever changes once it is there.
type names struct {
	db           *sql.DB
	accounts     sync.Map // name → pk
	integrations sync.Map // pk → name
}

// account is an account's pk; 0 where there is none of that name.
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

func (n *names) integration(ctx context.Context, pk int64) (name string, err error) {
	if known, ok := n.integrations.Load(pk); ok {
		return known.(string), nil
	}
	if err = n.db.QueryRowContext(ctx, "SELECT name FROM integrations WHERE pk = ?", pk).Scan(&name); err == nil {
		n.integrations.Store(pk, name)
	}
	return name, err
}
