package sourcetest

import (
	"context"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

// searchCases are about questions for a phone number.
func searchCases() []testCase {
	return []testCase{
		{
			name:  "SearchFindsANumberInEverySpelling",
			rule:  "a source that can be asked finds a contact by its number, however it is written, and brings what a run brings",
			needs: needsSearch,
			run:   searchFindsANumberInEverySpelling,
		},
		{
			name:  "SearchFindsNoDeletedContact",
			rule:  "a contact that is deleted, or has another number now, is not found",
			needs: needsSearch,
			run:   searchFindsNoDeletedContact,
		},
		{
			name:  "SearchTakesNothingForAPattern",
			rule:  "a spelling with wildcards, quotes or braces is a text that no contact has",
			needs: needsSearch,
			run:   searchTakesNothingForAPattern,
		},
		{
			name:  "SearchEndsWithItsContext",
			rule:  "a question ends soon after its context is done, with an error",
			needs: needsSearch,
			run:   searchEndsWithItsContext,
		},
	}
}

func needsSearch(target Target, _ Service) string {
	if !target.Asked {
		return "the source cannot be asked for a number (Asked)"
	}
	return ""
}

// spelledNumber is a number, and how contacts have it.
var spelledNumber = bridge.Search{
	Spellings: []string{"+12125557033", "12125557033", "(212) 555-7033", "2125557033", "+1 212-555-7033", "0012125557033"},
	Digits:    []string{"2125557033"},
}

func (x *exam) search(q bridge.Search) []contact.Contact {
	found, err := x.open().(bridge.Searcher).Search(x.ctx, q)
	x.must(err, "ask for a number")
	slices.SortFunc(found, func(a, b contact.Contact) int { return x.target.order(a.ID, b.ID) })
	return found
}

// withPhones returns a contact of the suite with other numbers.
func withPhones(i int, phones ...string) contact.Contact {
	c := Full(i)
	c.Phones = phones
	return c
}

func searchFindsANumberInEverySpelling(x *exam) {
	at := x.service.Now().Add(-time.Hour)
	for i, spelled := range []string{"+12125557033", "212-555-7033", "(212) 555-7033", "212.555/70 33", "+1 (212) 555 7033", "0012125557033"} {
		c := withPhones(i, "+14155550000", spelled)
		x.must(x.service.Put(at, c, Full(100+i)), "put contacts")
		found := x.search(spelledNumber)
		if len(found) != 1 {
			x.failf("a contact with %q: %d contacts are found", spelled, len(found))
			continue
		}
		if diff := contactsDiff([]contact.Contact{c}, found); diff != "" {
			x.failf("what is found by %q (-want +got)\n%s", spelled, diff)
		}
		x.must(x.service.Put(at.Add(time.Duration(i+1)*time.Second), withPhones(i, "+14155550000", "+14155550001")), "change a number")
	}
	two := []contact.Contact{withPhones(20, "(212) 555-7033", ""), withPhones(21, "+14155550001", "(212) 555-7033")}
	for i := range two {
		two[i].Phones = slices.DeleteFunc(two[i].Phones, func(p string) bool { return p == "" })
	}
	x.must(x.service.Put(at.Add(time.Minute), two...), "put contacts")
	if diff := contactsDiff(two, x.search(spelledNumber)); diff != "" {
		x.failf("two contacts with one number (-want +got)\n%s", diff)
	}
	if found := x.search(bridge.Search{Spellings: spelledNumber.Spellings, Digits: spelledNumber.Digits, Limit: 1}); len(found) != 1 {
		x.failf("%d contacts are found, with a limit of 1", len(found))
	}
}

func searchFindsNoDeletedContact(x *exam) {
	at := x.service.Now().Add(-time.Hour)
	c := withPhones(1, "(212) 555-7033", "+14155550001")
	x.must(x.service.Put(at, c), "put a contact")
	x.must(x.service.Put(at.Add(time.Second), withPhones(1, "(212) 555-7034", "+14155550001")), "change its number")
	if found := x.search(spelledNumber); len(found) > 0 {
		x.failf("a contact is found by a number that it has no more: %v", found)
	}
	if x.service.Delete == nil {
		return
	}
	x.must(x.service.Put(at.Add(2*time.Second), c), "change it back")
	x.must(x.service.Delete(at.Add(3*time.Second), c.ID), "delete it")
	if found := x.search(spelledNumber); len(found) > 0 {
		x.failf("a deleted contact is found: %v", found)
	}
}

func searchTakesNothingForAPattern(x *exam) {
	at := x.service.Now().Add(-time.Hour)
	x.must(x.service.Put(at, Full(1), Full(2)), "put contacts")
	for _, hostile := range []string{
		"%", "*", "_", "____________", "+%", "' OR '1'='1", `" OR ""="`, "'); DROP TABLE contacts; --", "*)(objectClass=*", `\2a`, "{{auth.password}}", "?", "$1", "\x00", "\\", "[]", "|",
	} {
		found, err := x.open().(bridge.Searcher).Search(x.ctx, bridge.Search{Spellings: []string{hostile}, Digits: []string{"9999999999"}})
		if len(found) > 0 {
			x.failf("%q finds %d contacts", hostile, len(found))
		}
		if err != nil && hostile != "\x00" { // a text that a service may refuse
			x.failf("%q: %v", hostile, err)
		}
	}
	if found := x.search(bridge.Search{Spellings: []string{"+14155550001"}, Digits: []string{"4155550001"}}); len(found) != 1 {
		x.failf("%d contacts are found afterwards", len(found))
	}
}

func searchEndsWithItsContext(x *exam) {
	x.must(x.service.Put(x.service.Now().Add(-time.Hour), Full(1)), "put a contact")
	src := x.open()
	ctx, cancel := context.WithCancel(x.ctx)
	cancel()
	if found, err := src.(bridge.Searcher).Search(ctx, spelledNumber); err == nil {
		x.failf("a question with a context that is done finds %d contacts, and no error", len(found))
	}
}

func contactsDiff(want, got []contact.Contact) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}
