package caller

import (
	"fmt"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/phone"
)

// A Spelling says how an answer writes numbers.
type Spelling string

// The spellings.
const (
	AsAsked          Spelling = "as_asked" // the caller's as asked, a contact's as written
	E164Spelling     Spelling = "e164"     // with + and country code, where it is a full number
	NationalSpelling Spelling = "national" // as its country writes it without the country code, where it is a full number
)

// ParseSpelling reads a spelling; an empty text stays empty.
func ParseSpelling(text string) (Spelling, error) {
	switch s := Spelling(text); s {
	case "", AsAsked, E164Spelling, NationalSpelling:
		return s, nil
	}
	return "", &failure.Error{
		Code: failure.Invalid, Field: "numbers", Message: fmt.Sprintf("unknown spelling %q", text), Hint: "Choose from: e164, national, as_asked.",
	}
}

// Write returns a number in this spelling: asked is how it was written, e164 its full number if it is one.
func (s Spelling) Write(asked, e164 string) string {
	switch {
	case e164 == "":
		return asked
	case s == E164Spelling:
		return e164
	case s == NationalSpelling:
		return phone.FormatNational(e164)
	}
	return asked
}

// Spell writes the numbers of an answer in another spelling. E164 stays what it is.
func (a *Answer) Spell(s Spelling) {
	a.Number = s.Write(a.Number, a.E164)
	for i := range a.Matches {
		a.Matches[i].Number = s.Write(a.Matches[i].Number, a.Matches[i].E164)
	}
	if a.Explanation == nil {
		return
	}
	for i := range a.Explanation.Candidates {
		c := &a.Explanation.Candidates[i]
		c.Number = s.Write(c.Number, c.E164)
	}
}
