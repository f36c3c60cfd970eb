package preview

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/source"
)

// An examination collects what the contacts themselves show to be wrong.
type examination struct {
	phones  config.Phones
	prepare func(*contact.Contact)
	foreign foreigners
	seen    int
	all     bool // they are all there are
	numbers int  // phone numbers, good or not
	local   int  // bad ones that have no country code, and belong to no country that their contact names
	found   map[string]*finding
	ids     map[string]int // how often an id came
}

// A finding is one sort of problem: how often, and the first few cases.
type finding struct {
	count    int
	examples []string
}

const maxExamples = 3

func newExamination(phones config.Phones) *examination {
	return &examination{phones: phones, prepare: phones.Prepare(), found: map[string]*finding{}, ids: map[string]int{}}
}

// add counts a problem. An example that came before is not repeated.
func (x *examination) add(code, example string) {
	f := x.found[code]
	if f == nil {
		f = &finding{}
		x.found[code] = f
	}
	f.count++
	for _, known := range f.examples {
		if known == example {
			return
		}
	}
	if len(f.examples) < maxExamples && example != "" {
		f.examples = append(f.examples, strings.Clone(example))
	}
}

// The codes of what is found here besides those of [contact.Contact.Problems].
const (
	codeBadPhone    = "bad_phone"
	codeDuplicateID = "duplicate_id"
	codeRejected    = "rejected"
)

// contact looks at one contact as the source gives it.
func (x *examination) contact(c *contact.Contact) {
	x.seen++
	x.lookAtNumbers(c)
	sent := c.Clone()
	x.prepare(&sent)
	counted := map[string]bool{} // a contact counts once, however many of its addresses are invalid
	for _, problem := range sent.Problems() {
		if !counted[problem.Code] {
			counted[problem.Code] = true
			x.add(problem.Code, example(&sent, problem.Code))
		}
	}
	if c.ID != "" {
		x.ids[strings.Clone(c.ID)]++
		if x.ids[c.ID] == 2 {
			x.add(codeDuplicateID, shorten(c.ID))
		}
	}
}

// example shows where a problem with this code was seen.
func example(c *contact.Contact, code string) string {
	switch code {
	case contact.ProblemNoID:
		return shorten(c.Name)
	case contact.ProblemBadEmail:
		for _, email := range c.Emails {
			if e := (contact.Contact{ID: "1", Name: "a", Phones: []string{"1"}, Emails: []string{email}}); len(e.Problems()) > 0 {
				return strconv.Quote(shorten(email)) + " (id " + shorten(c.ID) + ")"
			}
		}
	}
	return "id " + shorten(c.ID)
}

// shorten keeps an example in one line.
func shorten(text string) string {
	const most = 40
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// problems returns the problems that were found. told holds those that the source has reported already.
func (x *examination) problems(told func(code string) bool) []source.Problem {
	var list []source.Problem
	add := func(code string, severity source.Severity, message func(n int) string, hint string) {
		f := x.found[code]
		if f == nil || told(code) {
			return
		}
		text := message(f.count)
		if len(f.examples) > 0 {
			text += ": " + strings.Join(f.examples, ", ")
			if f.count > len(f.examples) {
				text += ", …"
			}
		}
		list = append(list, source.Problem{Severity: severity, Code: code, Message: text, Hint: hint})
	}
	if !told("null_id") {
		add(contact.ProblemNoID, source.Failure, x.contacts("has no id and is left out", "have no id and are left out"),
			"Map id to a column that every row has, or leave these rows out of the source.")
	}
	add(contact.ProblemTooLarge, source.Failure, x.contacts("is too large and is left out", "are too large and are left out"),
		fmt.Sprintf("A contact has at most %d phones, emails, websites and custom fields each, and %d KiB of text: map fewer or smaller columns.", contact.MaxPhones, contact.MaxText>>10))
	if !slices.ContainsFunc([]string{"null_id", "ragged", "unclosed", "too_long"}, told) { // the source itself says it better
		add(codeRejected, source.Failure, amount("record cannot be read", "records cannot be read"),
			"Correct them, or leave them out of the source: while they are there, it is unknown which contacts are gone, and no contact is deleted.")
	}
	add(codeDuplicateID, source.Failure, amount("id is that of more than one contact", "ids are those of more than one contact"),
		"Map id to what is unique: of several contacts with one id a synchronizer keeps only the last.")
	add(contact.ProblemNoName, source.Warning, x.contacts("has no name: company, email, phone or id stands in", "have no name: company, email, phone or id stands in"),
		"Map name to columns that every row has, or have them filled in.")
	add(contact.ProblemBadText, source.Warning, x.contacts("holds bytes that are not UTF-8, which are replaced", "hold bytes that are not UTF-8, which are replaced"),
		"Look at the source's encoding.")
	x.phoneProblems(add)
	if p, ok := x.foreign.problem(x.phones.Region); ok {
		list = append(list, p)
	}
	list = append(list, x.withoutPhones()...)
	add(contact.ProblemBadEmail, source.Note, x.contacts("has an invalid e-mail address", "have an invalid e-mail address"), "It is sent as it is written.")
	add(contact.ProblemBadURL, source.Note, x.contacts("has a url or photo_url that is not an http address", "have a url or photo_url that is not an http address"), "It is sent as it is written.")
	return list
}

// withoutPhones returns the problem that calls cannot find some contacts, or any.
func (x *examination) withoutPhones() []source.Problem {
	f := x.found[contact.ProblemNoPhones]
	switch {
	case f == nil:
		return nil
	case f.count == x.seen:
		return []source.Problem{{
			Severity: source.Warning, Code: contact.ProblemNoPhones, Message: "no contact has a phone number: no call will find a contact",
			Hint: "Map phones to the columns that hold numbers.",
		}}
	}
	return []source.Problem{{
		Severity: source.Note, Code: contact.ProblemNoPhones,
		Message: x.contacts("has no phone number: a call never finds it", "have no phone number: a call never finds them")(f.count),
	}}
}

// contacts says how many of the contacts something holds for.
func (x *examination) contacts(one, many string) func(n int) string {
	return func(n int) string {
		of := fmt.Sprintf("the first %d contacts", x.seen)
		switch {
		case x.seen == 1:
			return "the contact " + one
		case x.all:
			of = fmt.Sprintf("%d contacts", x.seen)
		}
		if n == 1 {
			return fmt.Sprintf("1 of %s %s", of, one)
		}
		return fmt.Sprintf("%d of %s %s", n, of, many)
	}
}

func amount(one, many string) func(n int) string {
	return func(n int) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %s", n, many)
	}
}

func (x *examination) ofNumbers(n int) string {
	where := ""
	switch region := x.phones.Region; {
	case x.local < n: // some of them are not valid anywhere
	case region != "":
		where = " in " + region
	default:
		where = " without a country code"
	}
	switch {
	case x.numbers == 1:
		return "the only phone number is not valid" + where
	case n == 1:
		return fmt.Sprintf("1 of %d phone numbers is not valid%s", x.numbers, where)
	}
	return fmt.Sprintf("%d of %d phone numbers are not valid%s", n, x.numbers, where)
}

func (x *examination) phoneHint() string {
	switch {
	case x.local == 0:
		return "They are sent as they are written. Correct them in the source."
	case x.phones.Region == "":
		return "They are sent as they are written. If they are national numbers, set phones: {region: …} to their country, or map source.fields.country."
	}
	return "They are sent as they are written. Correct them in the source; if they are of another country, set phones.region to it, or map source.fields.country."
}
