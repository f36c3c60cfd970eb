// Package caller says who is calling, and who they are in an external service: ranked matches out of a directory.
package caller

import (
	"context"

	"github.com/contactbridge/contactbridge/directory"
)

// How says how a stored number agrees with the caller's.
type How string

// The ways to agree, the best first.
const (
	Exact    How = "exact"    // the same E.164 number; or, where neither is a full number, the same digits
	National How = "national" // one of the two lacks its country code, and is the same number in the other's country
	Suffix   How = "suffix"   // the last digits are equal
)

// Options say how far to look. The zero value is what callers usually want.
type Options struct {
	Limit     int  // matches in the answer; 0 means 10
	MinSuffix int  // digits that must agree for [Suffix]; 0 means 7, fewer than 6 mean 6
	All       bool // look for national and suffix matches even where there are exact ones
}

// An Answer says who a number belongs to.
type Answer struct {
	Number    string  `json:"number"`              // as asked
	E164      string  `json:"e164,omitempty"`      // empty where it is no full number
	Extension string  `json:"extension,omitempty"` // that was dialled behind it
	Region    string  `json:"region,omitempty"`    // country it belongs to, ISO 3166-1 alpha-2
	Withheld  bool    `json:"withheld,omitempty"`  // the caller does not show a number
	Matches   []Match `json:"matches"`             // the best first; never nil
	More      int     `json:"more,omitempty"`      // matches left out for the limit, as far as they were counted
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
	Number      string `json:"number"` // the stored one, as written
	Extension   string `json:"extension,omitempty"`
}

// Lookup says who a number belongs to. Region is where the number was dialled or written, as in phone.Parse.
func Lookup(ctx context.Context, store directory.Store, account, number, region string, opts Options) (Answer, error) {
	return Answer{Number: number, Matches: []Match{}}, nil
}
