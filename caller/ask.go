package caller

import (
	"context"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/phone"
)

// A Question is a full number that no contact of the directory has, as sources are asked for it.
type Question struct {
	E164      string
	Spellings []string // ways to write it, the likeliest first; see [phone.Spellings]
	Digits    []string // that stand in each of them
}

// Asked says what came of asking the source of one integration.
type Asked struct {
	Integration string `json:"integration"`
	Found       int    `json:"found"`          // contacts that it answered
	Note        string `json:"note,omitempty"` // why it was not asked, or did not answer: a sentence

	// Contacts are the answer. Only those count that have the number by the same rules as if they were stored.
	Contacts []contact.Contact `json:"-"`
}

// mayAsk reports whether sources are asked: no contact of the directory has the number, and it is a full one.
func (s *search) mayAsk(matches []Match) bool {
	return s.number.Valid && !slices.ContainsFunc(matches, func(m Match) bool {
		return m.How.names() && m.How != Range && s.opts.Rules.role(&m) == Contacts
	})
}

// ask asks sources for the number. Of what they answer only those contacts are matches that have it.
func (s *search) ask(ctx context.Context) ([]Match, error) {
	q := Question{E164: s.number.E164, Spellings: phone.Spellings(s.number, s.region), Digits: []string{s.number.National}}
	code := strings.TrimSuffix(s.number.Digits, s.number.National)
	for _, r := range phone.Respell(s.number, s.region) {
		if digits := strings.TrimPrefix(r.Digits, code); len(digits) >= leastNumber && !slices.Contains(q.Digits, digits) {
			q.Digits = append(q.Digits, digits)
		}
	}
	asked := s.opts.Ask(ctx, q)
	answered := answers{region: s.written()}
	for i := range asked {
		asked[i].Found = len(asked[i].Contacts)
		for _, c := range asked[i].Contacts {
			answered.entries = append(answered.entries, directory.Entry{Key: directory.Key{Account: s.account, Integration: asked[i].Integration}, Contact: c})
		}
	}
	s.opts.trace.sources(asked)
	if len(answered.entries) == 0 {
		return nil, nil
	}
	opts := *s.opts
	opts.trace = nil
	other := *s
	other.store, other.opts = answered, &opts
	matches, err := other.run(ctx)
	matches = slices.DeleteFunc(matches, func(m Match) bool { return !m.How.names() })
	for i := range matches {
		matches[i].Live = true
	}
	return matches, err
}

// written returns the country in which contacts' numbers are written.
func (s *search) written() string {
	if s.opts.Rules.Region != "" {
		return s.opts.Rules.Region
	}
	return s.region
}

// answers are contacts that sources answered, looked through as if they were stored.
type answers struct {
	directory.Store // nil: nothing else of it is asked
	entries         []directory.Entry
	region          string
}

// ByE164 implements [directory.Store].
func (a answers) ByE164(_ context.Context, _ string, numbers []string, limit int) ([]directory.Match, error) {
	return a.having(limit, func(n *directory.Number) bool {
		return slices.Contains(numbers, n.E164) || n.E164 == "" && slices.Contains(numbers, n.Match)
	})
}

// BySuffix implements [directory.Store].
func (a answers) BySuffix(_ context.Context, _, digits string, limit int) ([]directory.Match, error) {
	return a.having(limit, func(n *directory.Number) bool { return agreement(n.Match, digits) == len(digits) })
}

// having returns the contacts with a number for which a condition holds.
func (a answers) having(limit int, holds func(*directory.Number) bool) (found []directory.Match, err error) {
	for i := range a.entries {
		e := &a.entries[i]
		for _, n := range Numbers(e.Contact.Phones, a.region) {
			if len(found) < limit && holds(&n) {
				found = append(found, directory.Match{Key: e.Key, Contact: e.Contact, Number: n})
			}
		}
	}
	return found, nil
}
