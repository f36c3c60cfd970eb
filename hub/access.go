package hub

import (
	"context"
	"fmt"
	"slices"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// May reports whether the actor may do something in an account; empty: in all of them. Who may do everything may do this.
func (a Actor) May(scope registry.Scope, account string) bool {
	if !slices.Contains(a.Scopes, scope) && !slices.Contains(a.Scopes, registry.ScopeAdmin) {
		return false
	}
	return a.All || account != "" && slices.Contains(a.Accounts, account)
}

// sees reports whether anything of an account may be shown to the actor.
func (a Actor) sees(account string) bool { return a.All || slices.Contains(a.Accounts, account) }

// permit refuses who may not do something. The hub itself may.
func permit(ctx context.Context, scope registry.Scope, account string) error {
	a, ok := ActorOf(ctx)
	if !ok || a.May(scope, account) {
		return nil
	}
	if account != "" && !a.sees(account) {
		return missing("account", account) // it is not told whether there is one
	}
	where := "in all accounts"
	if account != "" {
		where = "in the account " + account
	}
	return &failure.Error{
		Code: failure.Denied, Message: fmt.Sprintf("%s may not do this %s", a.Name, where),
		Hint: fmt.Sprintf("It needs the scope %s.", scope),
	}
}

// permitAny refuses an actor that may do nothing of the list.
func permitAny(ctx context.Context, account string, scopes ...registry.Scope) (err error) {
	for _, scope := range scopes {
		if err = permit(ctx, scope, account); err == nil {
			return nil
		}
	}
	return err
}

// visible reports whether an account's things are shown in a list.
func visible(ctx context.Context, account string) bool {
	a, ok := ActorOf(ctx)
	return !ok || a.sees(account)
}

// readable reports whether an actor may read an account's integrations, runs and events.
func readable(a Actor, account string) bool {
	return a.May(registry.ScopeRead, account) || a.May(registry.ScopeControl, account) || a.May(registry.ScopeWrite, account)
}

// ofAccounts lists what is asked for of one account; where account is empty, of all those that the actor may see, by name.
func ofAccounts[T any](ctx context.Context, account string, may func(Actor, string) bool, list func(account string) ([]T, error)) (all []T, err error) {
	a, ok := ActorOf(ctx)
	if account != "" || !ok || a.All && may(a, "") {
		return list(account)
	}
	for _, account := range slices.Sorted(slices.Values(a.Accounts)) {
		if !may(a, account) {
			continue
		}
		some, err := list(account)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func missing(what, name string) error {
	return &failure.Error{Code: failure.NotFound, Message: fmt.Sprintf("unknown %s %q", what, name), Hint: "Check the name; names are case-sensitive."}
}

// unmanaged refuses changes of what the configuration file declares, except by the file.
func unmanaged(ctx context.Context, managed bool, what string) error {
	if a, _ := ActorOf(ctx); !managed || a.File {
		return nil
	}
	return &failure.Error{Code: failure.Managed, Message: what + " is declared by the configuration file", Hint: "Change it there and start the hub again."}
}

// managed reports whether something is the configuration file's: what others make never is.
func managed(ctx context.Context, said bool) bool {
	a, ok := ActorOf(ctx)
	return said && (!ok || a.File)
}

// Note writes into the audit log what a user has done.
func (h *Hub) Note(ctx context.Context, action, account, subject, detail string) error {
	actor := "hub"
	if a, ok := ActorOf(ctx); ok {
		actor = a.Name
	}
	// It has been done, even if the caller has hung up since.
	ctx, cancel := lasting(ctx)
	defer cancel()
	entry := registry.AuditEntry{Actor: actor, Action: action, Account: account, Subject: subject, Detail: detail}
	if err := h.Registry.AddAudit(ctx, &entry); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}
