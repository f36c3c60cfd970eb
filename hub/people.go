package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/phone"
)

const regionFresh = 5 * time.Second

// known returns what a look-up needs of an account. Every call asks for it, so it is kept for some seconds.
func (h *Hub) known(ctx context.Context, account string) (known, error) {
	k, err := h.accounts.get(h.now(), account, regionFresh, func() (k known, err error) {
		if k.Account, err = h.Registry.Account(ctx, account); err == nil {
			k.hidden, err = h.Registry.Hidden(ctx, account)
		}
		return k, err
	}, isNotFound)
	if isNotFound(err) {
		return known{}, missing("account", account)
	}
	return k, err
}

// region is the country of an account's numbers.
func (h *Hub) region(ctx context.Context, account string) (string, error) {
	k, err := h.known(ctx, account)
	return k.Region, err
}

func isNotFound(err error) bool { return errors.Is(err, registry.ErrNotFound) }

// Lookup says who a number belongs to. The account's region is where it was dialled unless region says another.
func (h *Hub) Lookup(ctx context.Context, account, number, region string, opts caller.Options) (caller.Answer, error) {
	if err := permitAny(ctx, account, registry.ScopeCallers, registry.ScopeContacts, registry.ScopePurge); err != nil {
		return caller.Answer{}, err
	}
	own, err := h.region(ctx, account)
	if err != nil {
		return caller.Answer{}, err
	}
	if region == "" {
		region = own
	} else if region = strings.ToUpper(region); !phone.KnownRegion(region) {
		return caller.Answer{}, &Error{Kind: Invalid, Field: "region", Message: fmt.Sprintf("there is no region %q", region), Hint: "Write the country's two letters: US, GB, PT, BR."}
	}
	shown, err := h.shown(ctx, account)
	if err != nil {
		return caller.Answer{}, err
	}
	return caller.Lookup(ctx, shown, account, number, region, opts)
}

// Attribute finds the caller's own record in one integration.
func (h *Hub) Attribute(ctx context.Context, key directory.Key, subject caller.Subject) (caller.Attribution, error) {
	if err := permit(ctx, registry.ScopeCallers, key.Account); err != nil {
		return caller.Attribution{}, err
	}
	if _, err := h.integration(ctx, key); err != nil {
		return caller.Attribution{}, err
	}
	if subject.Region == "" {
		region, err := h.region(ctx, key.Account)
		if err != nil {
			return caller.Attribution{}, err
		}
		subject.Region = region
	}
	shown, err := h.shown(ctx, key.Account)
	if err != nil {
		return caller.Attribution{}, err
	}
	return caller.Attribute(ctx, shown, key, subject)
}

// Search finds contacts while somebody types.
func (h *Hub) Search(ctx context.Context, account string, query directory.Query) ([]directory.Entry, error) {
	if err := permit(ctx, registry.ScopeContacts, account); err != nil {
		return nil, err
	}
	if _, err := h.Account(ctx, account); err != nil {
		return nil, err
	}
	shown, err := h.shown(ctx, account)
	if err != nil {
		return nil, err
	}
	return shown.Search(ctx, account, query)
}

// ByEmail returns the account's contacts with an e-mail address.
func (h *Hub) ByEmail(ctx context.Context, account, address string) ([]directory.Entry, error) {
	if err := permitAny(ctx, account, registry.ScopeContacts, registry.ScopePurge); err != nil {
		return nil, err
	}
	shown, err := h.shown(ctx, account)
	if err != nil {
		return nil, err
	}
	return shown.ByEmail(ctx, account, []string{address}, maxKin)
}

// Contact returns one contact.
func (h *Hub) Contact(ctx context.Context, key directory.Key, id string) (directory.Entry, error) {
	if err := permitAny(ctx, key.Account, registry.ScopeContacts, registry.ScopePurge); err != nil {
		return directory.Entry{}, err
	}
	shown, err := h.shown(ctx, key.Account)
	if err != nil {
		return directory.Entry{}, err
	}
	c, err := shown.Contact(ctx, key, id)
	if errors.Is(err, directory.ErrNotFound) {
		return directory.Entry{}, missing("contact", id)
	}
	return directory.Entry{Key: key, Contact: c}, err
}

// maxKin bounds the records of one person: a switchboard's number may be everybody's.
const maxKin = 200

// Person returns a contact with every other record of the same person.
func (h *Hub) Person(ctx context.Context, key directory.Key, id string) (Person, error) {
	entry, err := h.Contact(ctx, key, id)
	if err != nil {
		return Person{}, err
	}
	region, err := h.region(ctx, key.Account)
	if err != nil {
		return Person{}, err
	}
	shown, err := h.shown(ctx, key.Account)
	if err != nil {
		return Person{}, err
	}
	kin := &family{self: directory.Ref{Integration: key.Integration, ID: id}, at: map[directory.Ref]int{}}
	var numbers []string
	for _, n := range caller.Numbers(entry.Contact.Phones, region) {
		if n.E164 != "" {
			numbers = append(numbers, n.E164)
		}
	}
	if len(numbers) > 0 {
		matches, err := shown.ByE164(ctx, key.Account, numbers, maxKin)
		if err != nil {
			return Person{}, err
		}
		for _, m := range matches {
			kin.add(directory.Entry{Key: m.Key, Contact: m.Contact}, m.Number.E164)
		}
	}
	if len(entry.Contact.Emails) > 0 {
		entries, err := shown.ByEmail(ctx, key.Account, entry.Contact.Emails, maxKin)
		if err != nil {
			return Person{}, err
		}
		for _, e := range entries {
			kin.add(e, shared(entry.Contact.Emails, e.Contact.Emails)...)
		}
	}
	return Person{Entry: entry, Others: kin.nearest()}, nil
}

// A family are the records that share something with one.
type family struct {
	self directory.Ref
	list []Kin
	at   map[directory.Ref]int
}

func (f *family) add(e directory.Entry, shares ...string) {
	ref := directory.Ref{Integration: e.Key.Integration, ID: e.Contact.ID}
	if ref == f.self {
		return
	}
	i, known := f.at[ref]
	if !known {
		i = len(f.list)
		f.at[ref] = i
		f.list = append(f.list, Kin{Entry: e})
	}
	for _, s := range shares {
		if !slices.Contains(f.list[i].Shares, s) {
			f.list[i].Shares = append(f.list[i].Shares, s)
		}
	}
}

// nearest lists those that share most first.
func (f *family) nearest() []Kin {
	slices.SortStableFunc(f.list, func(a, b Kin) int { return len(b.Shares) - len(a.Shares) })
	return f.list
}

// shared are the addresses that both have, as the first writes them.
func shared(mine, theirs []string) (both []string) {
	for _, address := range mine {
		if slices.ContainsFunc(theirs, func(other string) bool { return directory.FoldEmail(other) == directory.FoldEmail(address) }) {
			both = append(both, address)
		}
	}
	return both
}

// Purge deletes records of a person from everywhere in the hub, and keeps later runs from bringing them back (privacy
// request). The audit log says that it was done, and by whom, but not to whom.
func (h *Hub) Purge(ctx context.Context, account string, refs []directory.Ref) (PurgeResult, error) {
	if err := permit(ctx, registry.ScopePurge, account); err != nil {
		return PurgeResult{}, err
	}
	if _, err := h.Account(ctx, account); err != nil {
		return PurgeResult{}, err
	}
	if len(refs) == 0 {
		return PurgeResult{}, &Error{Kind: Invalid, Field: "refs", Message: "there is nobody to purge", Hint: "Name the records by integration and id."}
	}
	purged, err := h.Store.Purge(ctx, account, refs, true)
	if err != nil {
		return PurgeResult{}, err
	}
	var integrations []string
	for _, r := range refs {
		if !slices.Contains(integrations, r.Integration) {
			integrations = append(integrations, r.Integration)
		}
	}
	records := "records"
	if purged == 1 {
		records = "record"
	}
	detail := fmt.Sprintf("%d %s in %s", purged, records, strings.Join(integrations, ", "))
	if err := h.Note(ctx, "contact.purge", account, "", detail); err != nil {
		return PurgeResult{}, err
	}
	h.event(ctx, "contact.purged", account, "", map[string]any{"records": purged})
	return PurgeResult{Purged: purged, Refs: refs}, nil
}
