// Package caller finds out who is calling, and who they are in an external service: ranked matches from a directory.
//
// [Numbers] returns the form in which the directory keeps a contact's numbers; [Lookup] and [Attribute] search for it. What
// the first one writes the others compare, so they live together.
package caller

import (
	"context"
	"fmt"

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
	// Suffix: the last digits are equal. Two full numbers must agree in one's whole national number: that of another area
	// or country with the same last digits is somebody else.
	Suffix How = "suffix"
	// Email: the same e-mail address; only [Attribute] asks for one.
	Email How = "email"
)

// LookupOptions say how far to look. The zero value suits most callers.
type LookupOptions struct {
	Limit     int  // matches in the answer; 0 means 10
	MinSuffix int  // digits that must agree for [Suffix]; 0 means 7, fewer than [directory.MinSuffix] mean that many
	All       bool // look for national and suffix matches even if there are exact ones
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
	Number    string  `json:"number"`              // as asked
	E164      string  `json:"e164,omitempty"`      // empty if it is not a full number
	Extension string  `json:"extension,omitempty"` // that was dialled after the number
	Region    string  `json:"region,omitempty"`    // country it belongs to, ISO 3166-1 alpha-2
	Withheld  bool    `json:"withheld,omitempty"`  // the caller does not show a number
	Note      string  `json:"note,omitempty"`      // why no look-up was possible, a sentence
	Matches   []Match `json:"matches"`             // the best first; never nil
	More      int     `json:"more,omitempty"`      // matches left out for the limit, as far as they were counted: some hundred
}

// A Match is a contact that the number may belong to.
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

	other extensionAgreement
}

// isPlaceholder explains why a [phone.Number.Dummy] is not looked up.
const isPlaceholder = "This is a placeholder, not anyone's number."

// Lookup says who a number belongs to. Region is where it was dialled or written, as in [phone.Parse].
//
// Matches are ranked: exact before national before suffix; of suffix matches the longer agreement first; then the same
// extension before no extension before another one; then by integration and id. A contact stands in the answer once, by its best number.
// Numbers too short for a suffix, such as internal extensions, match the same digits only.
//
// Digits that are a number of the region and, with the + that they lack, one of another country are the region's; where that
// belongs to no contact, the other reading is tried. A placeholder such as 0000000000 belongs to no contact.
//
// Where the directory holds the caller's E.164 number the store is asked once. The only errors are the store's.
func Lookup(ctx context.Context, store directory.Store, account, number, region string, opts LookupOptions) (Answer, error) {
	n := phone.Parse(number, region)
	answer := Answer{Number: number, E164: n.E164, Extension: n.Extension, Region: n.Region, Matches: []Match{}}
	if Withheld(number) {
		return Answer{Number: number, Withheld: true, Note: "The caller does not show a number.", Matches: answer.Matches}, nil
	}
	if len(n.Digits) < leastDigits {
		answer.Note = "This is not a phone number."
		return answer, nil
	}
	if n.Dummy {
		answer.E164, answer.Region = "", ""
		answer.Note = isPlaceholder
		return answer, nil
	}
	s := search{store: store, account: account, number: n, opts: opts}
	matches, err := s.readings(ctx, region)
	if err != nil {
		return answer, fmt.Errorf("look up %s: %w", number, err)
	}
	answer.E164, answer.Region = s.number.E164, s.number.Region
	if limit := opts.limit(); len(matches) > limit {
		matches, answer.More = matches[:limit], len(matches)-limit
	}
	answer.Matches = append(answer.Matches, matches...)
	return answer, nil
}
