package caller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/phone"
)

// A Subject holds the known facts about the person in question: a number, or an e-mail address.
type Subject struct {
	Number string // as people write it
	Region string // where it was written, as in [phone.Parse]
	Email  string // if not empty, it is looked for
	// AgentEmail is the e-mail address of the person who did something with the subject; empty: nobody asks. [Attribute] does not look
	// at it: who holds agents does.
	AgentEmail string
}

// An Attribution says which record of an external service is a subject's.
type Attribution struct {
	Record     *Match  `json:"record,omitempty"`     // the one record; nil if there is no record or the choice is ambiguous
	Candidates []Match `json:"candidates,omitempty"` // where Record is nil: those it may be, the best first, at most ten
	Reason     string  `json:"reason,omitempty"`     // why Record is nil, a sentence

	Agent       *Agent  `json:"agent,omitempty"`        // who it was in the external service; nil if there is no such agent or the choice is ambiguous
	Agents      []Agent `json:"agents,omitempty"`       // where Agent is nil: those it may be
	AgentReason string  `json:"agent_reason,omitempty"` // why Agent is nil although one was asked for, a sentence
}

// An Agent is a user of an external service, to whom an activity there is attributed.
type Agent struct {
	Integration string `json:"integration"`
	ID          string `json:"id"` // in the external service
	Name        string `json:"name"`
	Email       string `json:"email"`
	User        string `json:"user,omitempty"` // name of the hub's own user with the same address; empty: there is no such user
}

// Attribute finds the subject's own record in one integration, so that something can be attached to it there. It names a
// record only where there is no doubt: one contact, and its number or e-mail address is the subject's, not merely alike. The
// only errors are the store's.
func Attribute(ctx context.Context, store directory.Store, key directory.Key, subject Subject) (Attribution, error) {
	if subject.Email != "" {
		return attributeEmail(ctx, store, key, strings.TrimSpace(subject.Email))
	}
	n := phone.Parse(subject.Number, subject.Region)
	switch {
	case Withheld(subject.Number):
		return Attribution{Reason: "The caller does not show a number."}, nil
	case len(n.Digits) < leastDigits:
		return Attribution{Reason: "This is not a phone number."}, nil
	case n.Dummy:
		return Attribution{Reason: isPlaceholder}, nil
	}
	s := search{store: store, account: key.Account, integration: key.Integration, number: n, region: subject.Region, opts: &LookupOptions{}}
	matches, err := s.readings(ctx)
	if err != nil {
		return Attribution{}, fmt.Errorf("attribute %s in %s: %w", subject.Number, key.Integration, err)
	}
	return decide(matches, key.Integration, "number"), nil
}

// attributeEmail finds the record with an e-mail address.
func attributeEmail(ctx context.Context, store directory.Store, key directory.Key, address string) (Attribution, error) {
	if local, domain, _ := strings.Cut(address, "@"); local == "" || domain == "" {
		return Attribution{Reason: "This is not an e-mail address."}, nil
	}
	found, err := store.ByEmail(ctx, key.Account, []string{address}, 10*fetch) // it cannot leave out other integrations itself
	if err != nil {
		return Attribution{}, fmt.Errorf("attribute an e-mail address in %s: %w", key.Integration, err)
	}
	var matches []Match
	for i := range found {
		if c := &found[i].Contact; found[i].Integration == key.Integration {
			matches = append(matches, Match{
				How: Email, Integration: key.Integration, ID: c.ID, Name: c.Name, Title: c.Title, Company: c.Company, URL: c.URL,
				Email: sameAddress(c.Emails, address),
			})
		}
	}
	return decide(matches, key.Integration, "e-mail address"), nil
}

// sameAddress returns the one of a contact's addresses that was looked for, as the contact writes it.
func sameAddress(stored []string, address string) string {
	folded := directory.FoldEmail(address)
	if i := slices.IndexFunc(stored, func(s string) bool { return directory.FoldEmail(s) == folded }); i >= 0 {
		return stored[i]
	}
	return address
}

// decide names the record, or why it cannot. What was looked for is a number or an e-mail address.
func decide(matches []Match, integration, what string) Attribution {
	if len(matches) == 0 {
		return Attribution{Reason: "No contact of " + integration + " has this " + what + "."}
	}
	best := matches[0]
	alike := 1
	for alike < len(matches) && compareCloseness(best, matches[alike]) == 0 {
		alike++
	}
	a := Attribution{Candidates: matches[:min(len(matches), LookupOptions{}.limit())]}
	switch {
	case best.How == Suffix:
		a.Reason = fmt.Sprintf("Only the last %d digits agree.", best.Agree)
	case best.other == otherExtension:
		a.Reason = "The number agrees, but not its extension."
	case alike > 1:
		a.Reason = fmt.Sprintf("%d contacts of %s share this %s.", alike, integration, what)
	default:
		return Attribution{Record: &best}
	}
	return a
}
