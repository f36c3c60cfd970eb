package caller

import (
	"cmp"
	"context"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/phone"
)

// A range is derived where so many contacts of one company share all but the last digits of their numbers.
const (
	contactsOfRange = 3
	leastOpen       = 2 // of the last digits
	mostOpen        = 4
)

// inRange finds the company in the range of which a number lies that no contact has: one that the account names, otherwise one that
// its contacts' numbers show. Nil where there is none.
func (s *search) inRange(ctx context.Context) (*Match, error) {
	if !s.number.Valid {
		return nil, nil
	}
	rules := &s.opts.Rules
	if r := rules.configured(&s.number); r != nil {
		s.opts.trace.form(r.pattern(), Range, 1, "configured")
		return r.match(), nil
	}
	digits := s.number.Digits
	if rules.NoDerive || len(digits) <= leastRange+mostOpen || phone.IsMobile(s.number.E164) {
		return nil, nil // mobile numbers lie beside strangers'
	}
	for _, open := range []int{mostOpen, leastOpen + 1, leastOpen} {
		found, err := s.store.Search(ctx, s.account, directory.Query{Text: digits[:len(digits)-open], Limit: fetch})
		if err != nil {
			return nil, err
		}
		if len(found) < fetch { // all of them: the narrower ranges lie in it
			return s.derived(found, open), nil
		}
	}
	return nil, nil
}

// derived returns the narrowest range that the contacts with numbers in the widest one show. No range is derived that a contact of
// another company has a number in.
func (s *search) derived(found []directory.Entry, widest int) *Match {
	digits := s.number.Digits
	for open := leastOpen; open <= widest; open++ {
		begin := digits[:len(digits)-open]
		companies := map[string]int{}
		name := ""
		for i := range found {
			c := &found[i].Contact
			role := s.opts.Rules.Integrations[found[i].Integration].Role
			if c.Company == "" || role == Block || role == Allow || !hasNumberIn(c.Phones, cmp.Or(s.opts.Rules.Region, s.region), begin) {
				continue
			}
			companies[folded(c.Company)]++
			if name == "" {
				name = c.Company
			}
		}
		s.opts.trace.form("+"+begin+strings.Repeat("x", open), Range, len(companies), "derived")
		if len(companies) > 1 {
			return nil
		}
		for _, contacts := range companies {
			if contacts >= contactsOfRange {
				r := NumberRange{Digits: begin, Rest: open, Company: name}
				m := r.match()
				m.contacts = contacts
				return m
			}
		}
	}
	return nil
}

// hasNumberIn reports whether one of the phones is a full number that begins so, with at most four digits more: extensions of one
// number may differ in length.
func hasNumberIn(phones []string, region, begin string) bool {
	for _, n := range Numbers(phones, region) {
		if rest, ok := strings.CutPrefix(n.Match, begin); ok && n.E164 != "" && rest != "" && len(rest) <= mostOpen {
			return true
		}
	}
	return false
}

func (r *NumberRange) match() *Match {
	return &Match{How: Range, Name: r.Company, Company: r.Company, Number: r.pattern()}
}
