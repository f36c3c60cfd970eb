// Package caller finds out who is calling, and who they are in an external service: ranked matches from a directory, who of them
// names the call, and why.
//
// [Numbers] returns the form in which the directory keeps a contact's numbers; [Lookup] and [Attribute] search for it. What
// the first one writes the others compare, so they live together. The rules are here alone: API, console and command line show
// an [Answer] and its [Explanation].
package caller

import (
	"context"
	"fmt"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/phone"
)

// How says how a stored number agrees with the caller's.
type How string

// The ways to agree, the best first.
const (
	// Exact: the same E.164 number, or the same digits if one of the two is not a full number.
	Exact How = "exact"
	// National: one of the two lacks its country code; read as a number of the other's country it is the same.
	National How = "national"
	// Renumbered: the same number before and after a change of its country's numbers; see [phone.Respell].
	Renumbered How = "renumbered"
	// Range: no contact has the number, but it lies among a company's numbers. The match is the company, not a contact. Only
	// [Lookup] looks for one.
	Range How = "range"
	// Suffix: the last digits are equal. Two full numbers must agree in one's whole national number: that of another area
	// or country with the same last digits is somebody else. It names nobody.
	Suffix How = "suffix"
	// Email: the same e-mail address; only [Attribute] asks for one.
	Email How = "email"
)

// names reports whether a number that agrees in this way names the caller.
func (h How) names() bool { return h != Suffix }

// A Reason says in one word why a call is shown as it is.
type Reason string

// The reasons besides the ways to agree by which a call was named.
const (
	SuffixOnly    Reason = "suffix_only"  // only the last digits of contacts' numbers agree
	Ambiguous     Reason = "ambiguous"    // several contacts have the number, and the policy does not decide
	WithheldOne   Reason = "withheld"     // the caller shows no number
	Placeholder   Reason = "dummy"        // the number is a placeholder such as 0000000000
	InvalidNumber Reason = "invalid"      // it is not a phone number, or not one of the region's
	UnknownNumber Reason = "unknown"      // no contact has it
	LiveAnswer    Reason = "live"         // no contact in the directory has it, and a source that was asked has one
	WrongRegion   Reason = "wrong_region" // no contact has it as it was read; in another country it may be one's
)

// LookupOptions say how far to look, and by which rules. The zero value suits most callers.
type LookupOptions struct {
	Limit     int  // matches in the answer; 0 means 10
	MinSuffix int  // digits that must agree for [Suffix]; 0 means 7, fewer than [directory.MinSuffix] mean that many
	All       bool // look for national and suffix matches even if there are exact ones
	Explain   bool // the answer has its [Explanation]
	Rules     Rules

	Wait time.Duration // how long Ask may take

	// Ask asks the sources of integrations for a number that no contact has, at most once for a look-up; nil asks no source. It returns
	// in the time that there is, whatever they do.
	Ask func(ctx context.Context, q Question) []Asked

	// UnknownRegion is a region that was asked for and that there is not: another one was taken.
	UnknownRegion string

	trace *trace
}

func (o LookupOptions) limit() int {
	if o.Limit <= 0 {
		return 10
	}
	return o.Limit
}

func (o LookupOptions) minSuffix() int {
	if o.MinSuffix == 0 {
		return 7
	}
	return max(o.MinSuffix, directory.MinSuffix)
}

// An Answer says who a number belongs to.
type Answer struct {
	Number      string       `json:"number"`                // as asked
	E164        string       `json:"e164,omitempty"`        // empty if it is not a full number
	Extension   string       `json:"extension,omitempty"`   // that was dialled after the number
	Region      string       `json:"region,omitempty"`      // country it belongs to, ISO 3166-1 alpha-2
	Withheld    bool         `json:"withheld,omitempty"`    // the caller does not show a number
	Note        string       `json:"note,omitempty"`        // why no look-up was possible, a sentence
	Reason      Reason       `json:"reason"`                // why the call is named, or is not
	List        Role         `json:"list,omitempty"`        // block or allow: the list that the number stands on
	Named       *Named       `json:"named,omitempty"`       // who the call is shown as; nil if nobody
	Matches     []Match      `json:"matches"`               // the best first; never nil
	More        int          `json:"more,omitempty"`        // matches left out for the limit, as far as they were counted: some hundred
	Explanation *Explanation `json:"explanation,omitempty"` // nil unless it was asked for
}

// A Match is a contact that the number may belong to, or the company of a [Range].
type Match struct {
	How         How    `json:"how"`
	Agree       int    `json:"agree"` // trailing digits that agree
	Integration string `json:"integration"`
	ID          string `json:"id"` // of the contact in the external service
	Name        string `json:"name"`
	Title       string `json:"title,omitempty"`
	Company     string `json:"company,omitempty"`
	URL         string `json:"url,omitempty"`
	Number      string `json:"number"`              // the stored one, as written
	E164        string `json:"e164,omitempty"`      // the stored one; empty if it is not a full number
	Extension   string `json:"extension,omitempty"` // the stored one's
	Email       string `json:"email,omitempty"`     // the stored one, as written, if it is the value that agrees
	Live        bool   `json:"live,omitempty"`      // its source answered it now: the directory does not have it yet

	other    extensionAgreement
	changed  time.Time          // when the contact last changed
	by       *phone.Renumbering // of a renumbered one
	contacts int                // of a range that was derived: of so many
}

// isPlaceholder explains why a [phone.Number.Dummy] is not looked up.
const isPlaceholder = "This is a placeholder, not anyone's number."

// Lookup says who a number belongs to. Region is where it was dialled or written, as in [phone.Parse].
//
// Matches are ranked: exact before national before renumbered before range before suffix; of suffix matches the longer agreement
// first; then the same extension before no extension before another one; then by integration and id. A contact stands in the
// answer once, by its best number. Numbers too short for a suffix, such as internal extensions, match the same digits only.
//
// One contact that agrees best names the call. Several do where they have the same name, or where the account's policy decides between
// them ([Rules]); the contact that does then stands first. Nothing is decided by chance: otherwise the call is ambiguous, and
// not named.
//
// Digits that are a number of the region and, with the + that they lack, one of another country are the region's; where that
// belongs to no contact, the other reading is tried. A placeholder such as 0000000000 belongs to no contact.
//
// Where the directory holds the caller's E.164 number the store is asked once. The only errors are the store's.
func Lookup(ctx context.Context, store directory.Store, account, number, region string, opts LookupOptions) (Answer, error) {
	if opts.Explain {
		opts.trace = &trace{}
	}
	answer, err := lookUp(ctx, store, account, number, region, &opts)
	if err != nil {
		return answer, fmt.Errorf("look up %s: %w", number, err)
	}
	if opts.Explain {
		answer.Explanation = explain(&answer, region, &opts)
	}
	limit(&answer, opts.limit())
	return answer, nil
}

func limit(answer *Answer, most int) {
	if len(answer.Matches) > most {
		answer.Matches, answer.More = answer.Matches[:most], len(answer.Matches)-most
	}
}

func lookUp(ctx context.Context, store directory.Store, account, number, region string, opts *LookupOptions) (Answer, error) {
	n := phone.Parse(number, region)
	answer := Answer{Number: number, E164: n.E164, Extension: n.Extension, Region: n.Region, Matches: []Match{}}
	switch {
	case Withheld(number):
		return Answer{Number: number, Withheld: true, Reason: WithheldOne, Note: "The caller does not show a number.", Matches: answer.Matches}, nil
	case len(n.Digits) < leastDigits:
		answer.Reason, answer.Note = InvalidNumber, "This is not a phone number."
		return answer, nil
	case n.Dummy:
		answer.E164, answer.Region = "", ""
		answer.Reason, answer.Note = Placeholder, isPlaceholder
		return answer, nil
	}
	s := search{store: store, account: account, number: n, region: region, opts: opts}
	matches, err := s.readings(ctx)
	if err != nil {
		return answer, err
	}
	if len(matches) == 0 || !matches[0].How.names() {
		company, err := s.inRange(ctx)
		if err != nil {
			return answer, err
		}
		if company != nil {
			matches = append([]Match{*company}, matches...)
		}
	}
	if opts.Ask != nil && s.mayAsk(matches) {
		live, err := s.ask(ctx)
		if err != nil {
			return answer, err
		}
		matches = rank(append(live, matches...))
	}
	answer.E164, answer.Region = s.number.E164, s.number.Region
	answer.Matches = append(answer.Matches, matches...)
	answer.name(&s)
	return answer, nil
}

// name says who the call is shown as, and why.
func (a *Answer) name(s *search) {
	rules := &s.opts.Rules
	named, at, best := rules.choose(a.Matches)
	a.Named, a.List = named, rules.list(a.Matches)
	s.opts.trace.chosen(at, best)
	switch {
	case named != nil:
		if a.Reason = Reason(a.Matches[best[0]].How); a.Matches[best[0]].Live {
			a.Reason = LiveAnswer
		}
		if at > 0 {
			first := a.Matches[at]
			copy(a.Matches[1:at+1], a.Matches[:at])
			a.Matches[0] = first
		}
	case len(best) > 0:
		a.Reason = Ambiguous
	default:
		a.Reason = s.nobody(a.Matches)
	}
}

// leastNumber is how many digits what is not an internal extension has at least.
const leastNumber = 7

// nobody says why no contact has the number.
func (s *search) nobody(alike []Match) Reason {
	for i := range alike {
		if stored := alike[i].E164; stored != "" && phone.Parse(s.number.Raw, phone.Parse(stored, "").Region).E164 == stored {
			return WrongRegion
		}
	}
	switch {
	case s.opts.UnknownRegion != "":
		return WrongRegion
	case len(alike) > 0:
		return SuffixOnly
	case s.number.Valid || len(s.number.Digits) < leastNumber:
		return UnknownNumber
	case !phone.KnownRegion(s.region):
		return WrongRegion // it lacks its country code, and the account has no country
	}
	return InvalidNumber
}
