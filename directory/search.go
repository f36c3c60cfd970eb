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
	return first(found, limit, func(e *Entry) place {
		return place{rank: rank(&e.Contact), name: strings.Join(Fold(e.Contact.Name), " ")}
	})
}

// InOrder orders contacts by integration and id, and returns the first ones, each once.
func InOrder(found []Entry, limit int) []Entry {
	return first(found, limit, func(*Entry) place { return place{} })
}

// A place is where a contact comes among those that were found. Where two have the same one, integration and id decide.
type place struct {
	*Entry
	rank int
	name string
}

func (p place) compare(other place) int {
	return cmp.Or(cmp.Compare(p.rank, other.rank), strings.Compare(p.name, other.name),
		strings.Compare(p.Integration, other.Integration), strings.Compare(p.Contact.ID, other.Contact.ID))
}

func first(found []Entry, limit int, placed func(*Entry) place) []Entry {
	places := make([]place, len(found))
	for i := range found {
		places[i] = placed(&found[i])
		places[i].Entry = &found[i]
	}
	slices.SortFunc(places, place.compare)
	places = slices.CompactFunc(places, func(a, b place) bool { return a.compare(b) == 0 })
	entries := make([]Entry, min(limit, len(places)))
	for i := range entries {
		entries[i] = *places[i].Entry
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
