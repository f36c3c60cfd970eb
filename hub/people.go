package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/phone"
)

const regionFresh = 5 * time.Second

// known returns what a look-up needs of an account. Every call asks for it, so it is kept for some seconds.
func (h *Hub) known(ctx context.Context, account string) (known, error) {
	now := h.now()
	if e, ok := h.accounts.peek(now, account); ok && e.err == nil {
		return e.value, nil
	}
	k, err := h.accounts.get(ctx, now, account, regionFresh, func(ctx context.Context) (k known, err error) {
		if k.Account, err = h.Registry.Account(ctx, account); err == nil {
			k.hidden, err = h.Registry.Hidden(ctx, account)
		}
		if err == nil {
			var sources []registry.CallerSource
			sources, err = h.Registry.CallerSources(ctx, account)
			k.rules, k.asks = rules(k.Account, sources), askings(sources, k.hidden)
		}
		return k, err
	}, isNotFound)
	if isNotFound(err) {
		return known{}, missing("account", account)
	}
	return k, err
}

// region returns the country of an account's numbers.
func (h *Hub) region(ctx context.Context, account string) (string, error) {
	k, err := h.known(ctx, account)
	return k.Region, err
}

func isNotFound(err error) bool { return errors.Is(err, registry.ErrNotFound) }

// Lookup says who a number belongs to. The account's region is where it was dialled unless region says another. Where
// opts.Wait is set and no contact is known, it asks the sources of integrations that say so, for [MostWait] at most.
func (h *Hub) Lookup(ctx context.Context, account, number, region string, opts caller.LookupOptions) (caller.Answer, error) {
	if err := permitAny(ctx, account, registry.ScopeCallers, registry.ScopeContacts, registry.ScopePurge); err != nil {
		return caller.Answer{}, err
	}
	own, err := h.known(ctx, account)
	if err != nil {
		return caller.Answer{}, err
	}
	if region == "" {
		region = own.Region
	} else if !phone.KnownRegion(region) {
		return caller.Answer{}, &failure.Error{Code: failure.Invalid, Field: "region", Message: fmt.Sprintf("unknown region %q", region), Hint: country.Hint(region)}
	}
	region = strings.ToUpper(region)
	shown, err := h.shown(ctx, account)
	if err != nil {
		return caller.Answer{}, err
	}
	opts.Rules = own.rules
	if wait := opts.Wait; wait > 0 && len(own.asks) > 0 {
		opts.Ask = func(ctx context.Context, q caller.Question) []caller.Asked {
			return h.askSources(ctx, account, own.asks, q, wait)
		}
	}
	answer, err := caller.Lookup(ctx, shown, account, number, region, opts)
	if answer.Explanation != nil {
		answer.Explanation.Account = account
	}
	return answer, err
}

// rules returns how an account names its callers. Settings that this release cannot read are passed over: a call is answered all
// the same.
func rules(a registry.Account, sources []registry.CallerSource) caller.Rules {
	rules := caller.Rules{Region: a.Region, NoDerive: a.Callers.NoDerive, Integrations: map[string]caller.Integration{}}
	if policy, err := caller.ParsePolicy(a.Callers.Policy); err == nil {
		rules.Policy = policy
	}
	for _, text := range a.Callers.Ranges {
		if r, err := caller.ParseRange(text); err == nil {
			rules.Ranges = append(rules.Ranges, r)
		}
	}
	for _, s := range sources {
		role, _ := caller.ParseRole(s.Role)
		rules.Integrations[s.Name] = caller.Integration{Priority: s.Priority, Role: role, Fresh: s.Fresh}
	}
	return rules
}

// KnownElsewhere lists the other accounts in which a number names somebody, for people who see the whole hub; nil for anyone else.
func (h *Hub) KnownElsewhere(ctx context.Context, account, number string) ([]string, error) {
	if a, ok := ActorOf(ctx); ok && !a.May(registry.ScopeAdmin, "") {
		return nil, nil
	}
	found, _, _, err := h.LookupAll(ctx, number, caller.LookupOptions{Limit: 1})
	var accounts []string
	for _, f := range found {
		if f.Account != account && f.Named != nil {
			accounts = append(accounts, f.Account)
		}
	}
	return accounts, err
}

// An AccountAnswer says who a number belongs to in one account.
type AccountAnswer struct {
	Account string
	caller.Answer
}

// lookupTime is how long all accounts are asked for one number.
const lookupTime = 3 * time.Second

// LookupAll asks every account that the actor may see who a number belongs to, each by its own region. It returns the answers
// of those that know the caller, and how many were asked of how many there are: with very many, not all can be in time.
func (h *Hub) LookupAll(ctx context.Context, number string, opts caller.LookupOptions) (found []AccountAnswer, asked, all int, err error) {
	accounts, err := h.Accounts(ctx)
	if err != nil {
		return nil, 0, 0, err
	}
	within, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	for _, a := range accounts {
		answer, err := h.Lookup(within, a.Name, number, "", opts)
		if within.Err() != nil && ctx.Err() == nil {
			break
		}
		if failure.Of(err).Code == failure.NotFound {
			continue // it was removed meanwhile
		}
		if err != nil {
			return nil, 0, 0, err
		}
		asked++
		if len(answer.Matches) > 0 {
			found = append(found, AccountAnswer{a.Name, answer})
		}
	}
	return found, asked, len(accounts), nil
}

// Attribute finds the caller's own record in one integration, and the agent there who has an e-mail address.
func (h *Hub) Attribute(ctx context.Context, key directory.Key, subject caller.Subject) (caller.Attribution, error) {
	if err := permit(ctx, registry.ScopeCallers, key.Account); err != nil {
		return caller.Attribution{}, err
	}
	if _, err := h.integration(ctx, key); err != nil {
		return caller.Attribution{}, err
	}
	var found caller.Attribution
	if subject.AgentEmail != "" {
		if err := h.attributeAgent(ctx, key, subject.AgentEmail, &found); err != nil || subject.Number == "" && subject.Email == "" {
			return found, err
		}
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
	record, err := caller.Attribute(ctx, shown, key, subject)
	record.Agent, record.Agents, record.AgentReason = found.Agent, found.Agents, found.AgentReason
	return record, err
}

// Search finds contacts while a user types.
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

// Unsearchable returns how many of the account's contacts [Hub.Search] does not find yet by what they say: a run stored them just now.
func (h *Hub) Unsearchable(ctx context.Context, account string) (int64, error) {
	if err := permit(ctx, registry.ScopeContacts, account); err != nil {
		return 0, err
	}
	return h.store.Unsearchable(ctx, account)
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

// maxShared is how many of a person's numbers, and of their addresses, other records are looked for by: the first ones. No person has
// more; a switchboard may.
const maxShared = 200

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
	kin := &family{self: directory.Ref{Integration: key.Integration, ID: id}, at: map[directory.Ref]int{}, names: map[string]map[string]bool{}}
	var numbers []string
	for _, n := range caller.Numbers(first(entry.Contact.Phones, maxShared), region) {
		if n.E164 != "" && len(numbers) < maxShared {
			numbers = append(numbers, n.E164)
		}
	}
	if len(numbers) > 0 {
		matches, err := shown.ByE164(ctx, key.Account, numbers, maxKin)
		if err != nil {
			return Person{}, err
		}
		for _, m := range matches {
			kin.bears(m.Number.E164, m.Contact.Name)
			kin.add(directory.Entry{Key: m.Key, Contact: m.Contact}, m.Number.E164)
		}
	}
	if addresses := first(entry.Contact.Emails, maxShared); len(addresses) > 0 {
		entries, err := shown.ByEmail(ctx, key.Account, addresses, maxKin)
		if err != nil {
			return Person{}, err
		}
		for _, e := range entries {
			both := shared(addresses, e.Contact.Emails)
			for _, address := range both {
				kin.bears(address, e.Contact.Name)
			}
			kin.add(e, both...)
		}
	}
	for i := range kin.list {
		kin.list[i].Same = kin.same(&entry.Contact, &kin.list[i])
	}
	return Person{Entry: entry, Others: kin.nearest()}, nil
}

// first returns the first entries of a list.
func first(list []string, most int) []string { return list[:min(len(list), most)] }

// severalPeople is how many names make a number or an address one of several people, such as a switchboard's or info@…. Two
// may be the maiden name and another, or a couple; where they are a couple, their names tell them apart.
const severalPeople = 3

// same reports whether another record is surely the same human being's.
func (f *family) same(c *contact.Contact, k *Kin) bool {
	if c.URL != "" && k.Contact.URL == c.URL && k.Contact.ID == c.ID {
		return true // the same record of the external service, by two integrations
	}
	name := sameName(c.Name)
	return name != "" && sameName(k.Contact.Name) == name && slices.ContainsFunc(k.Shares, func(s string) bool { return len(f.names[s]) < severalPeople })
}

// sameName returns a name as it is compared: its words without regard to case and order, so that "Doe, Jane" is Jane Doe.
func sameName(name string) string {
	words := directory.Fold(name)
	slices.Sort(words)
	return strings.Join(words, " ")
}

// A family are the records that share something with one.
type family struct {
	self  directory.Ref
	list  []Kin
	at    map[directory.Ref]int
	names map[string]map[string]bool // that bear a number or an address, by it
}

// bears notes that a record of a name has a number or an address.
func (f *family) bears(what, name string) {
	if f.names[what] == nil {
		f.names[what] = map[string]bool{}
	}
	f.names[what][sameName(name)] = true
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

// nearest lists those first that are surely the same person, then those that share most.
func (f *family) nearest() []Kin {
	slices.SortStableFunc(f.list, func(a, b Kin) int {
		if a.Same != b.Same {
			return map[bool]int{true: -1, false: 1}[a.Same]
		}
		return len(b.Shares) - len(a.Shares)
	})
	return f.list
}

// shared are the addresses that both have, as the first writes them.
func shared(mine, theirs []string) (both []string) {
	known := make(map[string]bool, len(mine))
	for _, address := range mine {
		known[directory.FoldEmail(address)] = false
	}
	for _, address := range theirs {
		folded := directory.FoldEmail(address)
		if _, asked := known[folded]; asked {
			known[folded] = true
		}
	}
	for _, address := range mine {
		if known[directory.FoldEmail(address)] {
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
		return PurgeResult{}, &failure.Error{Code: failure.Invalid, Field: "refs", Message: "no records to purge were given", Hint: "Name the records by integration and id."}
	}
	people := slices.DeleteFunc(slices.Clone(refs), func(r directory.Ref) bool { return r.Agent }) // agents are not in calls
	numbers, err := h.numbersOf(ctx, account, people)
	if err != nil {
		return PurgeResult{}, err
	}
	books, err := h.booksOf(ctx, account, people)
	if err != nil {
		return PurgeResult{}, err
	}
	var integrations []string
	for _, r := range refs {
		if !slices.Contains(integrations, r.Integration) {
			integrations = append(integrations, r.Integration)
		}
	}
	files, err := h.filesWith(ctx, account, integrations)
	if err != nil {
		return PurgeResult{}, err
	}
	purged, err := h.store.Purge(ctx, account, refs, true)
	if err != nil {
		return PurgeResult{}, err
	}
	shownBy, err := h.erased(ctx, account, books)
	if err != nil {
		return PurgeResult{}, err
	}
	if _, err := h.purgeCalls(ctx, account, people, numbers); err != nil {
		return PurgeResult{}, err
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
	return PurgeResult{Purged: purged, Refs: refs, Files: files, Phonebooks: shownBy}, nil
}
