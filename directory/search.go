package directory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// RankedMost is how many contacts that a text finds are put in order, unless more are asked for ([Query]).
const RankedMost = 1000

// Most returns how many contacts a search returns at most.
func (q *Query) Most() int {
	if q.Limit > 0 {
		return q.Limit
	}
	return 20
}

// Ranked orders contacts that a text found, as [Query] says, and returns the first ones, each once.
func Ranked(found []Entry, text string, limit int) []Entry {
	rank := Rank(text)
	return first(found, limit, func(e *Entry) rankedEntry {
		return rankedEntry{rank: rank(&e.Contact), name: strings.Join(Fold(e.Contact.Name), " ")}
	})
}

// InOrder orders contacts by integration and id, and returns the first ones, each once.
func InOrder(found []Entry, limit int) []Entry {
	return first(found, limit, func(*Entry) rankedEntry { return rankedEntry{} })
}

// A rankedEntry is a contact that was found, and what orders it. Where two have the same one, integration and id decide.
type rankedEntry struct {
	*Entry
	rank int
	name string
}

func (r rankedEntry) compare(other rankedEntry) int {
	return cmp.Or(cmp.Compare(r.rank, other.rank), strings.Compare(r.name, other.name),
		strings.Compare(r.Integration, other.Integration), strings.Compare(r.Contact.ID, other.Contact.ID))
}

func first(found []Entry, limit int, ranks func(*Entry) rankedEntry) []Entry {
	ranked := make([]rankedEntry, len(found))
	for i := range found {
		ranked[i] = ranks(&found[i])
		ranked[i].Entry = &found[i]
	}
	slices.SortFunc(ranked, rankedEntry.compare)
	ranked = slices.CompactFunc(ranked, func(a, b rankedEntry) bool { return a.compare(b) == 0 })
	entries := make([]Entry, min(limit, len(ranked)))
	for i := range entries {
		entries[i] = *ranked[i].Entry
	}
	return entries
}

// CheckSuffix returns an error where [Store.BySuffix] does not look for digits.
func CheckSuffix(digits string) error {
	if len(digits) < MinSuffix || strings.Trim(digits, "0123456789") != "" {
		return fmt.Errorf("look up the ending of a number: %q is not %d digits or more", digits, MinSuffix)
	}
	return nil
}
