package hub

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

const (
	removalEvery    = 5 * time.Second  // how often workers look for what is being removed
	removalPatience = 12 * time.Second // how long a removal waits for a run to end: a worker looks every few seconds
	sweepHold       = 5 * time.Minute  // that removing what a late worker stored may take at once
	sweepFor        = time.Hour        // after a removal, late workers may still store something
)

// RemoveIntegration removes an integration and its contacts. Its run under way is cancelled. From the start on it is not listed
// and no look-up finds its contacts; what takes longer than the caller is kept waiting, workers finish.
func (h *Hub) RemoveIntegration(ctx context.Context, key directory.Key) error {
	if err := permit(ctx, registry.ScopeWrite, key.Account); err != nil {
		return err
	}
	i, err := h.integration(ctx, key)
	if failure.Of(err).Code == failure.NotFound {
		return h.removeLeftovers(ctx, key, err)
	}
	if err != nil {
		return err
	}
	if err := unmanaged(ctx, i.Managed, "the integration "+key.Integration); err != nil {
		return err
	}
	state, err := h.store.State(ctx, key)
	if err != nil {
		return err
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	if err := h.Registry.BeginRemoval(ctx, key); err != nil {
		return err
	}
	h.accounts.forget(key.Account)
	h.working.stop(key, errCancelled)
	if err := h.Note(ctx, "integration.remove", key.Account, key.Integration, "with "+contacts(state.Contacts)); err != nil {
		return err
	}
	return h.awaitRemoval(ctx, key)
}

// awaitRemoval finishes a removal, unless a run keeps it waiting for too long: then a worker does. The configuration file waits
// for no run: a hub starts whatever other processes do.
func (h *Hub) awaitRemoval(ctx context.Context, key directory.Key) error {
	began := time.Now()
	for {
		done, err := h.finishRemoval(ctx, key)
		if err != nil && ctx.Err() != nil {
			err = nil // it takes long
		}
		a, _ := ActorOf(ctx)
		if done || err != nil {
			return err
		}
		if a.File || ctx.Err() != nil || time.Since(began) > removalPatience {
			h.log().Warn("an integration is being removed: its contacts go when its run has stopped", "account", key.Account, "integration", key.Integration)
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// finishRemoval removes what is left of an integration that is being removed. Done is false while a run of it is under way.
func (h *Hub) finishRemoval(ctx context.Context, key directory.Key) (done bool, err error) {
	free, err := h.Registry.Removable(ctx, key)
	if err != nil || !free {
		return false, err
	}
	if err := h.store.Forget(ctx, key); err != nil {
		if errors.Is(err, directory.ErrUnderWay) {
			return false, nil
		}
		return false, err
	}
	if err := h.Registry.DeleteIntegration(ctx, key); err != nil && !errors.Is(err, registry.ErrNotFound) { // another process was faster
		return false, err
	}
	return true, nil
}

// removeLeftovers removes contacts of an integration that the registry does not know, or returns the error of a missing integration.
func (h *Hub) removeLeftovers(ctx context.Context, key directory.Key, none error) error {
	a, there := ActorOf(ctx)
	if there && !a.sees(key.Account) {
		return none
	}
	state, err := h.store.State(ctx, key)
	if err != nil {
		return err
	}
	if state.Contacts == 0 && state.LastRun == nil {
		return none
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	mine, err := h.Registry.SweepUnknown(ctx, key, sweepHold)
	if errors.Is(err, registry.ErrNotFound) || errors.Is(err, registry.ErrExists) || err == nil && !mine {
		return none // it is being removed already
	}
	if err == nil {
		err = h.forgetSwept(ctx, key)
	}
	if errors.Is(err, directory.ErrUnderWay) {
		return &failure.Error{
			Code: failure.Conflict, Message: "something is synchronizing " + key.Integration + ", which is not an integration of the hub",
			Hint: "End the program that runs contactbridge sync on the hub's directory, then remove it again.",
		}
	}
	if err != nil {
		return err
	}
	h.accounts.forget(key.Account)
	return h.Note(ctx, "integration.remove", key.Account, key.Integration, "with "+contacts(state.Contacts)+", which no integration had")
}

// forgetSwept removes what [registry.DB.Sweep] gave the right to.
func (h *Hub) forgetSwept(ctx context.Context, key directory.Key) error {
	ctx, cancel := context.WithTimeout(ctx, sweepHold-30*time.Second)
	defer cancel()
	if err := h.store.Forget(ctx, key); err != nil {
		return errors.Join(err, h.Registry.Swept(context.WithoutCancel(ctx), key))
	}
	return h.Registry.Swept(ctx, key)
}

// finishRemovals continues the removals that any process began, and removes what late workers stored afterwards.
func (h *Hub) finishRemovals(ctx context.Context) error {
	var errs []error
	keys, err := h.Registry.Removals(ctx)
	errs = append(errs, err)
	for _, key := range keys {
		_, err := h.finishRemoval(ctx, key)
		errs = append(errs, err)
	}
	accounts, err := h.Registry.AccountRemovals(ctx)
	errs = append(errs, err)
	for _, name := range accounts {
		if err := h.Registry.DeleteAccount(ctx, name); err != nil && !errors.Is(err, registry.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	now, err := h.Registry.Now(ctx)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	removed, err := h.Registry.Removed(ctx, now.Add(-sweepFor))
	errs = append(errs, err)
	for _, key := range removed {
		errs = append(errs, h.sweep(ctx, key))
	}
	return errors.Join(append(errs, h.Registry.ForgetRemoved(ctx, now.Add(-sweepFor)))...)
}

// sweep removes contacts that were stored of an integration after it was removed. It is certain of that: the registry remembers
// the removal, no integration has its name, and none can be added meanwhile. What contactbridge sync keeps in the same database
// has no owner here.
func (h *Hub) sweep(ctx context.Context, key directory.Key) error {
	state, err := h.store.State(ctx, key)
	if err != nil || state.Contacts == 0 && state.LastRun == nil {
		return err
	}
	mine, err := h.Registry.Sweep(ctx, key, sweepHold)
	if err != nil || !mine {
		return err
	}
	h.log().Warn("a late worker stored contacts of an integration that was removed: they are removed as well",
		"account", key.Account, "integration", key.Integration, "contacts", state.Contacts)
	if err := h.forgetSwept(ctx, key); err != nil && !errors.Is(err, directory.ErrUnderWay) {
		return err
	}
	return nil
}

// removeAccount removes an account with everything in it: from the start on it is not listed, nothing can be added to it, and
// what runs of it is cancelled. What takes longer than the caller is kept waiting, workers finish.
func (h *Hub) removeAccount(ctx context.Context, name string) error {
	keys, err := h.Registry.Integrations(ctx, name, directory.Key{}, 0)
	if err != nil {
		return err
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	if err := h.Registry.BeginAccountRemoval(ctx, name); err != nil {
		return err
	}
	h.accounts.forget(name)
	h.tokens.clear()
	if err := h.Note(ctx, "account.remove", name, name, "with "+english.Plural(len(keys), "integration", "")); err != nil {
		return err
	}
	for _, i := range keys {
		h.working.stop(i.Key, errCancelled)
	}
	for _, i := range keys {
		if err := h.awaitRemoval(ctx, i.Key); err != nil {
			return err
		}
	}
	accounts, err := h.Registry.AccountRemovals(ctx)
	if err != nil || !slices.Contains(accounts, name) {
		return err // a worker goes on with it
	}
	if err := h.Registry.DeleteAccount(ctx, name); err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	return nil
}

// lasting returns a context for what must not stop half done because its caller hangs up.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
}

// shown returns the directory without the contacts of an account's integrations that are being removed.
func (h *Hub) shown(ctx context.Context, account string) (directory.Store, error) {
	known, err := h.known(ctx, account)
	if err != nil || len(known.hidden) == 0 {
		return h.store, err
	}
	return showing{Store: h.store, account: account, hidden: known.hidden}, nil
}

// showing leaves out the contacts of some of an account's integrations.
type showing struct {
	directory.Store
	account string
	hidden  []string
}

func (s showing) hides(key directory.Key) bool {
	return key.Account == s.account && slices.Contains(s.hidden, key.Integration)
}

// enough returns as many as are asked for without those that are hidden, where there are so many.
func enough[T any](limit int, hidden func(T) bool, ask func(limit int) ([]T, error)) ([]T, error) {
	const most = 100_000
	for n := max(limit, 1); ; n *= 4 {
		all, err := ask(n)
		asked := len(all)
		all = slices.DeleteFunc(slices.Clone(all), hidden)
		if err != nil || len(all) >= limit || asked < n || n > most {
			return all[:min(len(all), max(limit, 0))], err
		}
	}
}

// ByE164 implements [directory.Store].
func (s showing) ByE164(ctx context.Context, account string, numbers []string, limit int) ([]directory.Match, error) {
	return enough(limit, s.hidesMatch, func(n int) ([]directory.Match, error) { return s.Store.ByE164(ctx, account, numbers, n) })
}

// BySuffix implements [directory.Store].
func (s showing) BySuffix(ctx context.Context, account, digits string, limit int) ([]directory.Match, error) {
	return enough(limit, s.hidesMatch, func(n int) ([]directory.Match, error) { return s.Store.BySuffix(ctx, account, digits, n) })
}

// ByEmail implements [directory.Store].
func (s showing) ByEmail(ctx context.Context, account string, emails []string, limit int) ([]directory.Entry, error) {
	return enough(limit, s.hidesEntry, func(n int) ([]directory.Entry, error) { return s.Store.ByEmail(ctx, account, emails, n) })
}

// Search implements [directory.Store].
func (s showing) Search(ctx context.Context, account string, query directory.Query) ([]directory.Entry, error) {
	limit := query.Limit
	if limit == 0 {
		limit = 20 // as [directory.Query] says
	}
	return enough(limit, s.hidesEntry, func(n int) ([]directory.Entry, error) {
		query.Limit = n
		return s.Store.Search(ctx, account, query)
	})
}

// Contact implements [directory.Store].
func (s showing) Contact(ctx context.Context, key directory.Key, id string) (contact.Contact, error) {
	if s.hides(key) {
		return contact.Contact{}, directory.ErrNotFound
	}
	return s.Store.Contact(ctx, key, id)
}

// AgentsByEmail implements [directory.Store].
func (s showing) AgentsByEmail(ctx context.Context, account, email string, limit int) ([]directory.AgentEntry, error) {
	return enough(limit, func(e directory.AgentEntry) bool { return s.hides(e.Key) }, func(n int) ([]directory.AgentEntry, error) {
		return s.Store.AgentsByEmail(ctx, account, email, n)
	})
}

func (s showing) hidesMatch(m directory.Match) bool { return s.hides(m.Key) }
func (s showing) hidesEntry(e directory.Entry) bool { return s.hides(e.Key) }
