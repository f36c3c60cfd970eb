package caller

import (
	"context"
	"fmt"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/phone"
)

// A Subject is what is known of the person whose record is looked for.
type Subject struct {
	Number string // as people write it
	Region string // where it was written, as in [phone.Parse]
}

// An Attribution says which record of an external service is a subject's.
type Attribution struct {
	Record     *Match  `json:"record,omitempty"`     // the one; nil where there is none or no telling
	Candidates []Match `json:"candidates,omitempty"` // where Record is nil: those it may be, the best first, at most ten
	Reason     string  `json:"reason,omitempty"`     // why Record is nil, a sentence
}

// Attribute finds the subject's own record in one integration, so that something can be attached to it there. It names a
// record only where there is no doubt: one contact, and its number is the subject's, not merely alike. The only errors are
// the store's.
func Attribute(ctx context.Context, store directory.Store, key directory.Key, subject Subject) (Attribution, error) {
	n := phone.Parse(subject.Number, subject.Region)
	switch {
	case Withheld(subject.Number):
		return Attribution{Reason: "The caller does not show a number."}, nil
	case len(n.Digits) < leastDigits:
		return Attribution{Reason: "This is not a phone number."}, nil
	}
	s := search{store: store, account: key.Account, integration: key.Integration, number: n}
	matches, err := s.run(ctx)
	if err != nil {
		return Attribution{}, fmt.Errorf("attribute %s in %s: %w", subject.Number, key.Integration, err)
	}
	return decide(matches, key.Integration), nil
}

// decide names the record, or why it cannot.
func decide(matches []Match, integration string) Attribution {
	if len(matches) == 0 {
		return Attribution{Reason: "No contact of " + integration + " has this number."}
	}
	best := matches[0]
	alike := 1
	for alike < len(matches) && compareCloseness(best, matches[alike]) == 0 {
		alike++
	}
	a := Attribution{Candidates: matches[:min(len(matches), Options{}.limit())]}
	switch {
	case best.How == Suffix:
		a.Reason = fmt.Sprintf("Only the last %d digits agree.", best.Agree)
	case best.other == otherExtension:
		a.Reason = "The number agrees, but not its extension."
	case alike > 1:
		a.Reason = fmt.Sprintf("%d contacts of %s share this number.", alike, integration)
	default:
		return Attribution{Record: &best}
	}
	return a
}
