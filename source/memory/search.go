package memory

import (
	"context"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
)

var (
	_ bridge.Searcher      = (*Source)(nil)
	_ source.SearchChecker = factory{}
)

// CheckSearch implements [source.SearchChecker].
func (factory) CheckSearch() error { return nil }

// Search implements [bridge.Searcher].
func (s *Source) Search(ctx context.Context, q bridge.Search) ([]contact.Contact, error) {
	var found []contact.Contact
	for _, r := range s.store.snapshot().byID {
		if r.deleted || !slices.ContainsFunc(r.contact.Phones, func(phone string) bool { return holds(phone, q.Digits) }) {
			continue
		}
		found = append(found, r.contact.Clone())
		if len(found) == q.Most() {
			break
		}
	}
	return found, ctx.Err()
}

// holds reports whether digits stand one after the other in a phone number.
func holds(phone string, wanted []string) bool {
	bare := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, phone)
	return slices.ContainsFunc(wanted, func(digits string) bool { return strings.Contains(bare, digits) })
}
