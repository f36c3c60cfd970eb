package caller_test

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

// A memory is a store of a few contacts that answers look-ups in the plainest way.
type memory struct {
	directory.Store
	list []directory.Match
}

func (m *memory) add(integration string, changed time.Time, c contact.Contact, region string) {
	for _, n := range caller.Numbers(c.Phones, region) {
		m.list = append(m.list, directory.Match{Key: directory.Key{Account: account, Integration: integration}, Contact: c, Number: n, Changed: changed})
	}
	slices.SortStableFunc(m.list, func(a, b directory.Match) int {
		return cmp.Or(cmp.Compare(a.Integration, b.Integration), cmp.Compare(a.Contact.ID, b.Contact.ID))
	})
}

func (m *memory) find(limit int, fits func(*directory.Number) bool) (found []directory.Match, err error) {
	for i := range m.list {
		if fits(&m.list[i].Number) && len(found) < limit {
			found = append(found, m.list[i])
		}
	}
	return found, nil
}

func (m *memory) ByE164(_ context.Context, _ string, numbers []string, limit int) ([]directory.Match, error) {
	return m.find(limit, func(n *directory.Number) bool {
		digits, full := n.Digits()
		if full {
			digits = "+" + digits
		}
		return slices.Contains(numbers, digits)
	})
}

func (m *memory) BySuffix(_ context.Context, _, digits string, limit int) ([]directory.Match, error) {
	return m.find(limit, func(n *directory.Number) bool { return strings.HasSuffix(n.Match, digits) })
}

func (m *memory) Search(_ context.Context, _ string, query directory.Query) (entries []directory.Entry, err error) {
	found, err := m.find(query.Limit, func(n *directory.Number) bool { return strings.HasPrefix(n.Match, query.Text) })
	for _, f := range found {
		entries = append(entries, directory.Entry{Key: f.Key, Contact: f.Contact})
	}
	return entries, err
}
