package caller

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/phone"
)

// fetch is how many of the directory's numbers are looked at for one question: enough to count those who share a
// switchboard's, little enough to answer while the phone rings.
const fetch = 200

// A search looks for one number.
type search struct {
	store       directory.Store
	account     string
	integration string // where not empty, only this one's contacts count
	number      phone.Number
	region      string // where it was written
	opts        *LookupOptions
}

// run asks the store, from the closest agreement to the loosest, and stops when there are matches.
func (s *search) run(ctx context.Context) ([]Match, error) {
	matches, err := s.exact(ctx)
	if err != nil {
		return nil, err
	}
	if !s.enough(matches) {
		if matches, err = s.short(ctx, matches); err != nil {
			return nil, err
		}
	}
	if !s.enough(matches) {
		if matches, err = s.respelled(ctx, matches); err != nil {
			return nil, err
		}
	}
	if !s.enough(matches) {
		for _, ending := range s.endings() {
			found, err := s.store.BySuffix(ctx, s.account, ending, s.fetch())
			if err != nil {
				return nil, err
			}
			before := len(matches)
			matches = s.judge(matches, found)
			s.opts.trace.form("…"+ending, Suffix, len(matches)-before, "")
			if s.enough(matches) {
				break
			}
		}
	}
	return rank(matches), nil
}

// enough reports whether nothing looser is looked for: a contact was found, not only an entry of a list.
func (s *search) enough(matches []Match) bool {
	return !s.opts.All && slices.ContainsFunc(matches, func(m Match) bool { return s.opts.Rules.role(&m) == Contacts })
}

// readings looks for a number as it is read and, if no contact has exactly that number, for its other readings, also across renumberings. The
// number that the matches are of stays in s.
func (s *search) readings(ctx context.Context) ([]Match, error) {
	matches, err := s.run(ctx)
	if err != nil || len(matches) > 0 && matches[0].How == Exact {
		return matches, err
	}
	for _, n := range phone.Others(s.number.Raw, s.region) {
		other := *s
		other.number = n
		found, err := other.exact(ctx)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 && (len(matches) == 0 || matches[0].How.order() > Renumbered.order()) {
			if found, err = other.respelled(ctx, nil); err != nil {
				return nil, err
			}
		}
		if len(found) > 0 {
			s.number = n
			return rank(append(found, matches...)), nil
		}
	}
	return matches, nil
}

// exact finds the same number, or the same digits if it is not a full number.
func (s *search) exact(ctx context.Context) ([]Match, error) {
	keys := []string{s.number.E164}
	if !s.number.Valid {
		keys = []string{"+" + s.number.Digits, s.number.Digits}
	}
	found, err := s.store.ByE164(ctx, s.account, keys, s.fetch())
	matches := s.judge(nil, found)
	s.opts.trace.forms(keys, Exact, len(matches))
	return matches, err
}

// short finds national numbers that are shorter than any ending, as on small islands.
func (s *search) short(ctx context.Context, matches []Match) ([]Match, error) {
	if !s.number.Valid || len(s.number.National) >= s.opts.minSuffix() {
		return matches, nil
	}
	found, err := s.store.ByE164(ctx, s.account, []string{s.number.National}, s.fetch())
	before := len(matches)
	matches = s.judge(matches, found)
	s.opts.trace.form(s.number.National, National, len(matches)-before, "")
	return matches, err
}

// respelled finds the number as it was written before a renumbering, or is written since.
func (s *search) respelled(ctx context.Context, matches []Match) ([]Match, error) {
	for _, r := range phone.Respell(s.number, s.region) {
		key := r.Digits
		if r.Full {
			key = "+" + key
		}
		found, err := s.store.ByE164(ctx, s.account, []string{key}, s.fetch())
		if err != nil {
			return matches, err
		}
		before := len(matches)
		for i := range found {
			if m := s.match(&found[i], Renumbered, agreement(s.number.Digits, found[i].Number.Match)); m != nil {
				m.by = r.By
				matches = append(matches, *m)
			}
		}
		s.opts.trace.form(key, Renumbered, len(matches)-before, r.By.String())
	}
	return matches, nil
}

// endings returns the digits that the store's numbers may end in, the longest first: the whole national number, and its last digits.
// Numbers that are too short for that have no endings.
func (s *search) endings() []string {
	whole := s.number.National
	if !s.number.Valid {
		whole = strings.TrimLeft(s.number.Digits, "0")
	}
	least := s.opts.minSuffix()
	switch {
	case len(s.number.Digits) < least:
		return nil
	case len(whole) <= least:
		return []string{s.number.Digits[len(s.number.Digits)-least:]}
	}
	return []string{whole, whole[len(whole)-least:]}
}

// fetch returns how many numbers to ask the store for. It cannot leave out other integrations itself.
func (s *search) fetch() int {
	if s.integration != "" {
		return 10 * fetch
	}
	return max(fetch, s.opts.limit()+1)
}

// judge adds those of the store's numbers that really match.
func (s *search) judge(matches []Match, found []directory.Match) []Match {
	for i := range found {
		f := &found[i]
		agree := agreement(s.number.Digits, f.Number.Match)
		if m := s.match(f, s.how(&f.Number, agree), agree); m != nil {
			matches = append(matches, *m)
		}
	}
	return matches
}

// match makes a match of one of the store's; nil if it is not one, or is another integration's.
func (s *search) match(f *directory.Match, how How, agree int) *Match {
	if how == "" || s.integration != "" && f.Integration != s.integration {
		return nil
	}
	return &Match{
		How: how, Agree: agree, Integration: f.Integration,
		ID: f.Contact.ID, Name: f.Contact.Name, Title: f.Contact.Title, Company: f.Contact.Company, URL: f.Contact.URL,
		Number: f.Number.Raw, E164: f.Number.E164, Extension: f.Number.Extension,
		other: agreeOnExtension(s.number.Extension, f.Number.Extension), changed: f.Changed,
	}
}

// how says in what way a stored number with so many equal last digits is the one that is asked for; empty where it is not.
func (s *search) how(stored *directory.Number, agree int) How {
	asked := &s.number
	switch {
	case stored.Match == asked.Digits:
		return Exact
	case asked.Valid && stored.E164 != "":
		if other := phone.Parse(stored.E164, ""); agree < min(len(asked.National), len(other.National)) {
			return ""
		}
	case asked.Valid && phone.Parse(stored.Match, asked.Region).E164 == asked.E164:
		return National
	case stored.E164 != "" && phone.Parse(asked.Digits, phone.Parse(stored.E164, "").Region).E164 == stored.E164:
		return National
	}
	if agree < s.opts.minSuffix() {
		return ""
	}
	return Suffix
}

// agreement returns how many trailing digits are equal.
func agreement(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// An extensionAgreement says how two extensions agree, the best first.
type extensionAgreement int

const (
	sameExtension extensionAgreement = iota
	oneExtension                     // only one has an extension
	otherExtension
)

func agreeOnExtension(a, b string) extensionAgreement {
	switch {
	case a == b:
		return sameExtension
	case a == "" || b == "":
		return oneExtension
	}
	return otherExtension
}

// rank sorts matches, the best first, and leaves each contact its best.
func rank(matches []Match) []Match {
	if len(matches) < 2 {
		return matches
	}
	slices.SortStableFunc(matches, func(a, b Match) int {
		return cmp.Or(compareCloseness(a, b), cmp.Compare(a.Integration, b.Integration), cmp.Compare(a.ID, b.ID))
	})
	type record struct{ integration, id string }
	seen := make(map[record]bool, len(matches))
	return slices.DeleteFunc(matches, func(m Match) bool {
		key := record{m.Integration, m.ID}
		again := seen[key]
		seen[key] = true
		return again
	})
}

// compareCloseness orders two matches by how well they agree with the number; 0 if they agree equally well.
func compareCloseness(a, b Match) int {
	order := cmp.Compare(a.How.order(), b.How.order())
	if a.How == Suffix && b.How == Suffix {
		order = cmp.Compare(b.Agree, a.Agree)
	}
	return cmp.Or(order, cmp.Compare(a.other, b.other))
}

func (h How) order() int {
	return slices.Index([]How{Exact, National, Renumbered, Range, Suffix}, h)
}
