// Package view is the appearance of the console's pages: models, and the templates that show them. It reads no data: what a page
// shows is given to it.
package view

import (
	"net/url"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

//go:generate go tool -modfile=../../../tools/go.mod templ generate

// Assets are where the files are that pages are made with.
type Assets struct{ CSS, Script, HTMX, SSE, Icon string }

// A Section is an entry of the navigation.
type Section string

// The sections.
const (
	SectionOverview     Section = "overview"
	SectionIntegrations Section = "integrations"
	SectionContacts     Section = "contacts"
	SectionPhonebooks   Section = "phonebooks"
	SectionAccounts     Section = "accounts"
	SectionUsers        Section = "users"
	SectionTokens       Section = "tokens"
	SectionWebhooks     Section = "webhooks"
	SectionAudit        Section = "audit"
	SectionSettings     Section = "settings"
)

// May says which controls are shown. What is allowed is decided by the hub, again.
type May struct {
	Contacts, Control, Write, Purge bool
	Admin                           bool // of the chosen account
	Everything                      bool // of all accounts: users, new accounts
}

// A Page holds what all pages share.
type Page struct {
	*Locale
	Assets   Assets
	Title    string
	Section  Section
	User     string // name; empty: no user is signed in
	Role     registry.Role
	Account  string   // chosen; empty: all
	Accounts []string // to choose from, at most 50
	Many     bool     // there are more accounts than those
	CSRF     string   // the token of forms
	Done     string   // a sentence about what was just done
	May      May
	OpenID   string // name of the provider to sign in with; empty: none

	Phonebooks bool // there are phonebooks that the user may see
}

// In is a path with the chosen account, so that it stays chosen.
func (p *Page) In(path string) string { return WithAccount(path, p.Account) }

// One reports whether there is only one account, which then goes without saying.
func (p *Page) One() bool { return len(p.Accounts) == 1 && !p.Many }

// WithAccount adds an account to a path.
func WithAccount(path, account string) string {
	if account == "" {
		return path
	}
	return with(path, "account", account)
}

// with adds a value to a path's query.
func with(path, name, value string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + name + "=" + url.QueryEscape(value)
}

// IntegrationPath is an integration's page, or one below it.
func IntegrationPath(key directory.Key, below ...string) string {
	path := "/integrations/" + url.PathEscape(key.Account) + "/" + url.PathEscape(key.Integration)
	for _, part := range below {
		path += "/" + part
	}
	return path
}

// PersonPath is a contact's page, or the one that purges it.
func PersonPath(page string, key directory.Key, id string) string {
	return page + "?" + url.Values{"account": {key.Account}, "integration": {key.Integration}, "id": {id}}.Encode()
}

// WebLink is an address that a page may lead to; ok is false for what is not an http or https URL.
func WebLink(text string) (link string, ok bool) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", false
	}
	return u.String(), true
}

// A Problem says what went wrong, and what to do.
type Problem struct {
	Message string
	Hint    string
	Field   string // of the form; empty: none
	Others  []Problem
}

// All are a problem and the others that were found with it.
func (p *Problem) All() []Problem {
	if p == nil || p.Message == "" {
		return nil
	}
	return append([]Problem{*p}, p.Others...)
}

// With adds problems to one, which may be nil.
func (p *Problem) With(others ...*Problem) *Problem {
	for _, other := range others {
		switch {
		case other == nil:
		case p == nil:
			first := *other
			p = &first
		default:
			p.Others = append(p.Others, other.All()...)
		}
	}
	return p
}

// In reports whether a problem is about one of some fields.
func (p *Problem) In(fields ...string) bool {
	return slices.ContainsFunc(fields, func(field string) bool { return p.For(field) != nil })
}

// For is the problem of one field; nil where it is about something else.
func (p *Problem) For(field string) *Problem {
	for _, one := range p.All() {
		if one.Field == field {
			return &one
		}
	}
	return nil
}

// Initials stand where a picture would.
func Initials(name string) string {
	words := strings.Fields(name)
	first := func(word string) string {
		for _, r := range word {
			return strings.ToUpper(string(r))
		}
		return ""
	}
	switch len(words) {
	case 0:
		return "?"
	case 1:
		return first(words[0])
	}
	return first(words[0]) + first(words[len(words)-1])
}
