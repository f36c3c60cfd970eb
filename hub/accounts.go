package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/phone"
)

var properName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

func checkName(field, text string) error {
	if properName.MatchString(text) {
		return nil
	}
	return &failure.Error{
		Code: failure.Invalid, Field: field, Message: fmt.Sprintf("%q cannot be a name", text),
		Hint: "Use letters, digits, hyphen and underscore, at most 64, the first a letter or digit.",
	}
}

// MayAddAccounts refuses who administers some accounts only, or none.
func (h *Hub) MayAddAccounts(ctx context.Context) error { return permit(ctx, registry.ScopeAdmin, "") }

// PutAccount makes or changes an account.
func (h *Hub) PutAccount(ctx context.Context, a registry.Account) error {
	if err := permit(ctx, registry.ScopeAdmin, a.Name); err != nil {
		return err
	}
	if err := CheckAccount(a); err != nil {
		return err
	}
	a.Region, a.Managed = strings.ToUpper(a.Region), managed(ctx, a.Managed)
	was, err := h.Registry.Account(ctx, a.Name)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		// An account's own administrator cannot make another one.
		if err := h.MayAddAccounts(ctx); err != nil {
			return err
		}
	case err != nil:
		return err
	case was.Region == a.Region && was.TimeZone == a.TimeZone && was.Managed == a.Managed && reflect.DeepEqual(was.Callers, a.Callers):
		return nil
	}
	if err := unmanaged(ctx, was.Managed, "the account "+a.Name); err != nil {
		return err
	}
	if err := h.Registry.PutAccount(ctx, a); errors.Is(err, registry.ErrGoing) {
		return &failure.Error{Code: failure.Conflict, Field: "name", Message: "the account " + a.Name + " is still being removed", Hint: "Try again in a moment, or choose another name."}
	} else if err != nil {
		return err
	}
	h.accounts.forget(a.Name)
	return h.Note(ctx, "account.set", a.Name, a.Name, "region "+cmp.Or(a.Region, "none")+", time zone "+cmp.Or(a.TimeZone, "none")+changedCallers(was.Callers, a.Callers))
}

// changedCallers says for the audit log what was changed of how an account names its callers.
func changedCallers(was, is registry.Callers) (said string) {
	if !slices.Equal(was.Policy, is.Policy) {
		said += ", policy " + cmp.Or(strings.Join(is.Policy, " "), "default")
	}
	if !slices.Equal(was.Ranges, is.Ranges) {
		said += fmt.Sprintf(", %d ranges", len(is.Ranges))
	}
	if was.NoDerive != is.NoDerive {
		said += fmt.Sprintf(", derive %t", !is.NoDerive)
	}
	if was.Keep != is.Keep {
		said += ", look-ups kept " + keptFor(is.Keep)
	}
	if was.Unmasked != is.Unmasked {
		said += fmt.Sprintf(", look-ups masked %t", !is.Unmasked)
	}
	return said
}

func keptFor(keep time.Duration) string {
	switch {
	case keep < 0:
		return "not at all"
	case keep == 0:
		keep = registry.DefaultKeepCalls
	}
	return keep.String()
}

// CheckAccount says all that is wrong with an account; see [Errors].
func CheckAccount(a registry.Account) error {
	var region, zone error
	if a.Region != "" && !phone.KnownRegion(a.Region) {
		region = &failure.Error{Code: failure.Invalid, Field: "region", Message: fmt.Sprintf("unknown region %q", a.Region), Hint: country.Hint(a.Region)}
	}
	if _, err := time.LoadLocation(a.TimeZone); err != nil || a.TimeZone == "Local" {
		zone = &failure.Error{
			Code: failure.Invalid, Field: "time_zone", Message: fmt.Sprintf("unknown time zone %q", a.TimeZone),
			Hint: "Write its IANA name: Europe/London, America/New_York.",
		}
	}
	return errors.Join(checkName("name", a.Name), region, zone, checkCallers(a.Callers))
}

// checkCallers says all that is wrong with how an account is to name its callers.
func checkCallers(c registry.Callers) error {
	var errs []error
	_, err := caller.ParsePolicy(c.Policy)
	errs = append(errs, err)
	for _, text := range c.Ranges {
		_, err := caller.ParseRange(text)
		errs = append(errs, err)
	}
	if len(c.Ranges) > caller.MostRanges {
		errs = append(errs, &failure.Error{Code: failure.Invalid, Field: "ranges", Message: fmt.Sprintf("there are more than %d ranges", caller.MostRanges), Hint: "Write wider ranges, with more x."})
	}
	return errors.Join(errs...)
}

// Account returns one account.
func (h *Hub) Account(ctx context.Context, name string) (registry.Account, error) {
	if !visible(ctx, name) {
		return registry.Account{}, missing("account", name)
	}
	a, err := h.Registry.Account(ctx, name)
	if errors.Is(err, registry.ErrNotFound) {
		return a, missing("account", name)
	}
	return a, err
}

// Accounts lists the accounts that the actor may see, by name.
func (h *Hub) Accounts(ctx context.Context) ([]registry.Account, error) {
	accounts, err := h.Registry.Accounts(ctx)
	return slices.DeleteFunc(accounts, func(a registry.Account) bool { return !visible(ctx, a.Name) }), err
}

// RemoveAccount removes an account with everything in it.
func (h *Hub) RemoveAccount(ctx context.Context, name string) error {
	if err := permit(ctx, registry.ScopeAdmin, ""); err != nil {
		return err
	}
	a, err := h.Account(ctx, name)
	if err != nil {
		return err
	}
	if err := unmanaged(ctx, a.Managed, "the account "+name); err != nil {
		return err
	}
	return h.removeAccount(ctx, name)
}
