package contact

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// ErrNoID prevents a contact from being sent or taken (D6).
var ErrNoID = errors.New("the contact has no id")

// Validate reports whether the contact can be sent: nil, [ErrNoID], or a [*BoundError] where it is beyond a bound (D11).
// Everything else that may be wrong with a contact is repaired when it is sent (D6) and listed by [Contact.Problems].
func (c *Contact) Validate() error {
	if blank(c.ID) {
		return ErrNoID
	}
	if reason := c.exceeded(); reason != "" {
		return &BoundError{reason}
	}
	return nil
}

// FillName gives a contact without a name the best substitute: company, first email, first phone or id, in that order
// (D6). It reports whether the contact had no name.
func (c *Contact) FillName() bool {
	if !blank(c.Name) {
		return false
	}
	switch {
	case !blank(c.Company):
		c.Name = c.Company
	case firstOf(c.Emails) != "":
		c.Name = firstOf(c.Emails)
	case firstOf(c.Phones) != "":
		c.Name = firstOf(c.Phones)
	default:
		c.Name = c.ID
	}
	return true
}

// A Problem is something about a contact that its owner should correct. Code is stable, for programs.
type Problem struct {
	Code    string `json:"code"`
	Field   string `json:"field"` // as on the wire: "phones"
	Message string `json:"message"`
}

// The codes of problems.
const (
	ProblemNoID      = "no_id"      // cannot be sent
	ProblemTooLarge  = "too_large"  // cannot be sent: beyond a bound (D11)
	ProblemNoName    = "no_name"    // another field stands in for the name
	ProblemNoPhones  = "no_phones"  // a call never finds the contact
	ProblemBadEmail  = "bad_email"  // sent as it is
	ProblemBadURL    = "bad_url"    // sent as it is
	ProblemBadText   = "bad_text"   // not UTF-8: the bytes in question are replaced by U+FFFD
	ProblemEmptyItem = "empty_item" // not sent
)

// Problems lists what is wrong with a contact, worst first; nil if nothing is. Whether a phone number is one is not judged
// here.
func (c *Contact) Problems() []Problem {
	var found []Problem
	add := func(code, field, message string) {
		found = append(found, Problem{Code: code, Field: field, Message: message})
	}
	if blank(c.ID) {
		add(ProblemNoID, "id", "has no id and is left out")
	}
	if reason := c.exceeded(); reason != "" {
		field := "id"
		if len(c.ID) <= MaxID {
			field = "contact"
		}
		add(ProblemTooLarge, field, reason+" and is left out")
	}
	if blank(c.Name) {
		add(ProblemNoName, "name", "has no name: company, email, phone or id stands in")
	}
	if firstOf(c.Phones) == "" {
		add(ProblemNoPhones, "phones", "has no phone number: a call never finds it")
	}
	c.eachText(func(field, text string) {
		if !utf8.ValidString(text) {
			add(ProblemBadText, field, "is not UTF-8: invalid bytes are replaced")
		}
	})
	c.eachListed(func(field, text string) {
		switch {
		case blank(text):
			add(ProblemEmptyItem, field, "holds an empty entry, which is not sent")
		case field == "emails" && !looksLikeEmail(text):
			add(ProblemBadEmail, field, "holds an entry that is not an email address")
		}
	})
	if c.PhotoURL != "" && !looksLikeURL(c.PhotoURL) {
		add(ProblemBadURL, "photo_url", "is not an http or https address")
	}
	if c.URL != "" && !looksLikeURL(c.URL) {
		add(ProblemBadURL, "url", "is not an http or https address")
	}
	return found
}

// eachText visits every string of the contact under its name on the wire.
func (c *Contact) eachText(visit func(field, text string)) {
	visit("id", c.ID)
	visit("name", c.Name)
	visit("title", c.Title)
	visit("company", c.Company)
	c.eachListed(visit)
	visit("photo_url", c.PhotoURL)
	visit("address", c.Address)
	visit("twitter", c.Twitter)
	visit("url", c.URL)
	for _, f := range c.CustomFields {
		visit("custom_fields", f.Key)
		visit("custom_fields", f.Value)
	}
}

// eachListed visits the entries of the fields that are arrays of strings.
func (c *Contact) eachListed(visit func(field, text string)) {
	for _, list := range [...]struct {
		field   string
		entries []string
	}{{"emails", c.Emails}, {"phones", c.Phones}, {"websites", c.Websites}} {
		for _, text := range list.entries {
			visit(list.field, text)
		}
	}
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// firstOf returns the first entry with something in it, or empty.
func firstOf(list []string) string {
	for _, s := range list {
		if !blank(s) {
			return s
		}
	}
	return ""
}

func looksLikeEmail(s string) bool {
	local, domain, found := strings.Cut(s, "@")
	return found && local != "" && domain != "" && !strings.ContainsAny(s, " \t\r\n,;")
}

func looksLikeURL(s string) bool {
	scheme, rest, found := strings.Cut(s, "://")
	return found && rest != "" && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}
