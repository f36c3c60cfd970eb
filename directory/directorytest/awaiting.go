package directorytest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
)

var awaitingCases = []testCase{
	{"SearchIsCompletedAfterTheRun", searchIsCompleted},
	{"SearchIsCompletedForOneIntegration", searchIsCompletedForOne},
	{"WhatAwaitsSearchMayChangeAndGo", awaitingMayChange},
	{"WhatAwaitsSearchEntersBooks", awaitingEntersBooks},
	{"WhatAwaitsSearchIsPurged", awaitingIsPurged},
	{"WhatAwaitsSearchIsForgotten", awaitingIsForgotten},
}

// large is a page after which a store may leave its index for searching for later.
func large(first string) []directory.Record {
	var page []directory.Record
	for n := range 300 {
		r := withEmails(fmt.Sprintf("%s%03d", first, n), fmt.Sprintf("Person %s%03d", first, n), fmt.Sprintf("%s%d@example.com", first, n))
		e164 := fmt.Sprintf("+1415%07d", n)
		r.Contact.Phones = []string{e164}
		r.Numbers = []directory.Number{{Raw: e164, E164: e164, Match: e164[1:]}}
		page = append(page, r)
	}
	return page
}

// unsearchable returns how many contacts search does not find yet. A store that leaves nothing for later says 0.
func (b *bench) unsearchable(account string) int64 {
	b.Helper()
	n, err := b.store.Unsearchable(ctx, account)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// searchIsCompleted: everything but words finds contacts at once; words do at the latest after CompleteSearch, and until then it is said.
func searchIsCompleted(b *bench) {
	b.complete(directory.PageChanges{Contacts: large("x"), Checkpoint: "c"})
	missing := b.unsearchable(b.key.Account)
	if found := b.queryNow(directory.Query{Text: "person x007"}); missing != 0 && missing != 300 || missing == 0 && len(found) != 1 {
		b.Errorf("%d contacts are said to be missing, and %d of 1 found", missing, len(found))
	}
	b.wantIDs(b.byEmail("X7@example.com"), "x007")
	b.wantIDs(b.byEmail("x7@example.com", "x299@example.com", "none@example.com"), "x007", "x299")
	b.wantIDs(b.found("+14150000007"), "x007")
	if n := b.unsearchable("other"); n != 0 {
		b.Errorf("%d contacts of an account that has none", n)
	}
	b.completeSearch()
	if n := b.unsearchable(b.key.Account); n != 0 {
		b.Errorf("%d contacts are missing at the end", n)
	}
	for _, text := range []string{"person x007", "x007", "14150000007", "x107@example.com"} {
		want := "x007"
		if strings.Contains(text, "@") {
			want = "x107"
		}
		b.wantIDs(entryIDs(b.queryNow(directory.Query{Text: text})), want)
	}
	b.wantIDs(b.byEmail("x7@example.com"), "x007")
}

func searchIsCompletedForOne(b *bench) {
	b.complete(directory.PageChanges{Contacts: large("x"), Checkpoint: "c"})
	crm := b.key
	b.key.Integration = "other"
	b.complete(directory.PageChanges{Contacts: large("y"), Checkpoint: "c"})
	b.key = crm
	if err := b.store.CompleteSearch(ctx, b.key); err != nil {
		b.Fatal(err)
	}
	b.wantIDs(entryIDs(b.queryNow(directory.Query{Text: "person x007"})), "x007")
	if n := b.unsearchable(b.key.Account); n != 0 && n != 300 {
		b.Errorf("%d contacts are missing, of 300 that the other integration has", n)
	}
	if err := b.store.CompleteSearch(ctx, directory.Key{Account: b.key.Account, Integration: "none"}); err != nil {
		b.Errorf("of an integration that there is not: %v", err)
	}
	b.wantIDs(b.search("person y007"), "y007")
}

// awaitingMayChange: what is entered later is what the contact says then, and who is gone is not entered.
func awaitingMayChange(b *bench) {
	b.complete(directory.PageChanges{Contacts: large("x"), Checkpoint: "c"})
	b.complete(directory.PageChanges{
		Contacts: []directory.Record{withEmails("x007", "Bond", "bond@example.com")}, Deleted: []string{"x008"}, Checkpoint: "d",
	})
	b.wantIDs(b.byEmail("bond@example.com"), "x007")
	b.wantIDs(b.byEmail("x7@example.com", "x8@example.com"))
	b.wantIDs(b.search("bond"), "x007")
	b.wantIDs(b.search("person x007"))
	b.wantIDs(b.search("person x008"))
	b.wantIDs(b.byEmail("x7@example.com", "x8@example.com"))
}

func awaitingEntersBooks(b *bench) {
	b.books()
	b.complete(directory.PageChanges{Contacts: large("x"), Checkpoint: "c"})
	if err := b.store.SetBooks(ctx, []directory.Book{{Account: b.key.Account, Name: "late", Rule: "all"}}); err != nil {
		b.Fatal(err)
	}
	b.fill()
	b.wantIDs(entryIDs(b.query(directory.Query{Text: "person x007", Book: "late"})), "x007")
	if found := b.query(directory.Query{Text: "person", Book: "late", Limit: 1000}); len(found) != 300 {
		b.Errorf("the book has %d contacts that search finds", len(found))
	}
}

func awaitingIsPurged(b *bench) {
	b.complete(directory.PageChanges{Contacts: large("x"), Checkpoint: "c"})
	n, err := b.store.Purge(ctx, b.key.Account, []directory.Ref{{Integration: b.key.Integration, ID: "x007"}}, false)
	if n != 1 || err != nil {
		b.Errorf("purged %d, %v", n, err)
	}
	b.wantIDs(b.byEmail("x7@example.com"))
	b.wantIDs(b.search("person x007"))
	b.wantIDs(b.search("person x009"), "x009")
}

func awaitingIsForgotten(b *bench) {
	b.complete(directory.PageChanges{Contacts: large("x"), Checkpoint: "c"})
	if err := b.store.Forget(ctx, b.key); err != nil {
		b.Fatal(err)
	}
	if n := b.unsearchable(b.key.Account); n != 0 {
		b.Errorf("%d contacts of an integration that is forgotten", n)
	}
	if found := b.query(directory.Query{Text: "person"}); len(found) != 0 {
		b.Errorf("%v are found", slices.Clone(entryIDs(found)))
	}
}
