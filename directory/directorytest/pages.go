package directorytest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

func firstFillCreates(b *bench) {
	run := b.complete(directory.PageChanges{Contacts: people(1, 3, "Ann")})
	b.wantCounts(run, 3, 0, 0, 0)
	b.holds(map[string]string{"00001": "Ann", "00002": "Ann", "00003": "Ann"})
	if run.Kind != directory.Initial || run.State != directory.Done || run.Finished.IsZero() {
		b.Errorf("run %+v", run)
	}
}

func unchangedContactIsNotRewritten(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 3, "Ann")})
	records := people(1, 3, "Ann")
	records[1].Contact.Name = "Bob"
	b.wantCounts(b.complete(directory.PageChanges{Contacts: records}), 0, 1, 2, 0)
	b.holds(map[string]string{"00001": "Ann", "00002": "Bob", "00003": "Ann"})
}

// matchesSayWhenChanged: all contacts that a run changed have its start as their time, in whatever order its pages came.
func matchesSayWhenChanged(b *bench) {
	changed := func() (times []time.Time) {
		b.Helper()
		for _, number := range []string{"+14155550001", "+14155550002"} {
			byNumber, err := b.store.ByE164(ctx, b.key.Account, []string{number}, 10)
			bySuffix, err2 := b.store.BySuffix(ctx, b.key.Account, number[2:], 10)
			if err = errors.Join(err, err2); err != nil || len(byNumber) != 1 || len(bySuffix) != 1 || !byNumber[0].Changed.Equal(bySuffix[0].Changed) {
				b.Fatalf("%s: %v, %v, %v", number, byNumber, bySuffix, err)
			}
			times = append(times, byNumber[0].Changed)
		}
		return times
	}
	first := b.start()
	b.apply(first, directory.PageChanges{Contacts: []directory.Record{person("1", "Ann", "+14155550001")}, NextOffset: "o"})
	b.advance(time.Minute)
	b.apply(first, directory.PageChanges{Contacts: []directory.Record{person("2", "Bob", "+14155550002")}})
	if got := changed(); !got[0].Equal(first.Started) || !got[1].Equal(first.Started) {
		b.Errorf("changed %v, want %v of both", got, first.Started)
	}
	b.advance(time.Hour)
	second := b.start(full)
	b.apply(second, directory.PageChanges{Contacts: []directory.Record{person("1", "Ann", "+14155550001"), person("2", "Rob", "+14155550002")}})
	if got := changed(); !got[0].Equal(first.Started) || !got[1].Equal(second.Started) {
		b.Errorf("changed %v, want %v and %v", got, first.Started, second.Started)
	}
}

func twiceInOnePage(b *bench) {
	run := b.complete(directory.PageChanges{Contacts: []directory.Record{
		person("1", "Ann", "+14155550100"), person("2", "Bob", ""), person("1", "Anna", "+14155550101"), person("2", "Bob", ""),
	}})
	b.wantCounts(run, 2, 1, 1, 0)
	b.holds(map[string]string{"1": "Anna", "2": "Bob"})
	b.wantIDs(b.found("+14155550100"))
	b.wantIDs(b.found("+14155550101"), "1")
}

func wholeOrNotAtAll(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 40, "Ann"), Checkpoint: "c"})
	run := b.start(full)
	before := *run
	bad := directory.PageChanges{Contacts: people(30, 60, "Bob"), Seq: 7, Checkpoint: "d"}
	if err := b.store.ApplyPage(ctx, run, bad); !errors.Is(err, directory.ErrOutOfOrder) {
		b.Fatalf("a page out of order: %v", err)
	}
	if !reflect.DeepEqual(*run, before) {
		b.Errorf("the failed page changed the run: %+v", run)
	}
	state, err := b.store.State(ctx, b.key)
	if err != nil || state.Checkpoint != "c" {
		b.Errorf("checkpoint %q, %v", state.Checkpoint, err)
	}
	for id, name := range b.contents(b.key) {
		if name != "Ann" {
			b.Errorf("contact %s is %s", id, name)
		}
	}
	b.count(40)
}

func replayedPageChangesNothing(b *bench) {
	run := b.start()
	page := directory.PageChanges{Seq: 1, Contacts: people(1, 2, "Ann"), NextOffset: "2"}
	if err := b.store.ApplyPage(ctx, run, page); err != nil {
		b.Fatal(err)
	}
	page.Contacts = people(1, 2, "Old")
	b.wantError(b.store.ApplyPage(ctx, run, page), directory.ErrOutOfOrder)
	b.holds(map[string]string{"00001": "Ann", "00002": "Ann"})
	b.wantCounts(run, 2, 0, 0, 0)
}

func namedDeletions(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 4, "Ann")})
	run := b.complete(directory.PageChanges{Contacts: people(4, 4, "Ann"), Deleted: []string{"00002", "unknown", "00004"}})
	b.wantCounts(run, 0, 0, 1, 1)
	b.holds(map[string]string{"00001": "Ann", "00003": "Ann", "00004": "Ann"})
	b.wantIDs(b.found("+14150000002"))
}

func deletedAndBack(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 3, "Ann")})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(1, 3, "Ann"), NextOffset: "2"})
	b.apply(run, directory.PageChanges{Deleted: []string{"00003"}, NextOffset: "3"})
	b.apply(run, directory.PageChanges{Contacts: people(3, 3, "Back"), Checkpoint: "c"})
	b.holds(map[string]string{"00001": "Ann", "00002": "Ann", "00003": "Back"})
}

func numbersFollowTheContact(b *bench) {
	b.complete(directory.PageChanges{Contacts: []directory.Record{person("1", "Ann", "+14155550100")}})
	b.wantIDs(b.found("+14155550100"), "1")
	b.complete(directory.PageChanges{Contacts: []directory.Record{person("1", "Ann", "+14155550199")}})
	b.wantIDs(b.found("+14155550100"))
	b.wantIDs(b.found("+14155550199"), "1")
	b.complete(directory.PageChanges{Contacts: []directory.Record{person("1", "Ann", "")}})
	b.wantIDs(b.found("+14155550199"))
}

func suffixFindsEndings(b *bench) {
	b.complete(directory.PageChanges{Contacts: []directory.Record{
		person("1", "Ann", "+14155550100"), person("2", "Bob", "+4930415555010"), person("3", "Cid", "+492075550100"),
	}})
	b.wantIDs(b.foundBySuffix("5550100"), "1", "3")
	b.wantIDs(b.foundBySuffix("4155550100"), "1")
	b.wantIDs(b.foundBySuffix("9999999"))
}

func partialNumbers(b *bench) {
	partial := directory.Record{Contact: contact.Contact{ID: "1", Name: "Ann"}, Numbers: []directory.Number{
		{Raw: "2041", Match: "2041"}, {Raw: "14155550100", Match: "14155550100", Extension: "7"},
	}}
	b.complete(directory.PageChanges{Contacts: []directory.Record{partial, person("2", "Bob", "+14155550100")}})
	b.wantIDs(b.found("2041"), "1")
	b.wantIDs(b.found("+2041"))
	b.wantIDs(b.found("+14155550100"), "2")
	b.wantIDs(b.found("14155550100"), "1")
	matches, err := b.store.ByE164(ctx, b.key.Account, []string{"14155550100"}, 1)
	if err != nil || len(matches) != 1 || matches[0].Number != partial.Numbers[1] {
		b.Errorf("the match is %+v, %v; want number %+v", matches, err, partial.Numbers[1])
	}
}

func sharedNumber(b *bench) {
	b.complete(directory.PageChanges{Contacts: []directory.Record{person("2", "Bob", "+14155550100"), person("1", "Ann", "+14155550100")}})
	b.key.Integration = "another"
	b.complete(directory.PageChanges{Contacts: []directory.Record{person("9", "Zoë", "+14155550100")}})
	b.wantIDs(b.found("+14155550100"), "9", "1", "2")
	matches, err := b.store.ByE164(ctx, b.key.Account, []string{"+14155550100"}, 2)
	if err != nil || len(matches) != 2 {
		b.Errorf("a limit of 2 gave %d matches, %v", len(matches), err)
	}
}

func accountsDoNotSeeEachOther(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 1, "Ann")})
	b.key.Account = "other"
	b.wantIDs(b.found("+14150000001"))
	b.wantIDs(b.foundBySuffix("0000001"))
	b.holds(map[string]string{})
	states, err := b.store.States(ctx, "other")
	if err != nil || len(states) != 0 {
		b.Errorf("states of the other account: %v, %v", states, err)
	}
	_, err = b.store.Contact(ctx, b.key, "00001")
	b.wantError(err, directory.ErrNotFound)
}

func integrationsKeepTheirOwnIDs(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 2, "Ann")})
	crm := b.key
	b.key.Integration = "helpdesk"
	b.complete(directory.PageChanges{Contacts: people(1, 1, "Bob")})
	b.complete(directory.PageChanges{Contacts: people(2, 2, "Bob")}, full)
	b.holds(map[string]string{"00002": "Bob"})
	b.key = crm
	b.holds(map[string]string{"00001": "Ann", "00002": "Ann"})
	states, err := b.store.States(ctx, "")
	if err != nil || len(states) != 2 || states[0].Integration != "crm" || states[1].Integration != "helpdesk" {
		b.Errorf("states %+v, %v", states, err)
	}
}

// pagesInTheOrderOfStoring: whatever a store makes of contacts that come in the order in which they were stored, those that are gone, new,
// moved or changed among them are told from the others, and from those of another integration with the same ids that were stored meanwhile.
func pagesInTheOrderOfStoring(b *bench) {
	const size, pages = 20, 6
	all := people(1, size*pages, "Ann")
	crm, helpdesk := b.key, directory.Key{Account: b.key.Account, Integration: "helpdesk"}
	inPages := func(records []directory.Record) (list []directory.PageChanges) {
		for page := range slices.Chunk(records, size) {
			list = append(list, directory.PageChanges{Contacts: page, NextOffset: "o"})
		}
		list[len(list)-1].NextOffset, list[len(list)-1].Checkpoint = "", "c"
		return list
	}
	first := b.start()
	b.key = helpdesk
	others := b.start()
	theirs := inPages(people(1, size*pages, "Bob"))
	for i, page := range inPages(all) {
		if i < pages/2 { // after a page come contacts with the ids of the next one, but the other integration's
			b.apply(others, theirs[i])
		}
		b.apply(first, page)
	}
	for _, page := range theirs[pages/2:] {
		b.apply(others, page)
	}

	// One of page 2 has changed and one is gone, one of page 6 comes in page 3, one of page 4 comes last and the others backwards, and one is
	// new in page 5.
	gone, moved, late := all[size+7], all[5*size+3], all[3*size+9]
	again := slices.DeleteFunc(slices.Clone(all), func(r directory.Record) bool {
		return slices.Contains([]string{gone.Contact.ID, moved.Contact.ID, late.Contact.ID}, r.Contact.ID)
	})
	again = slices.Insert(again, 2*size+4, moved)
	again = slices.Insert(again, 4*size+1, person("new", "Ann", "+14155559999"))
	again = append(again, late)
	again[size+2].Contact.Name = "Eve"
	slices.Reverse(again[3*size : 4*size])

	b.key = crm
	want := map[string]string{}
	for _, r := range again {
		want[r.Contact.ID] = r.Contact.Name
	}
	for _, counts := range [][4]int64{{1, 1, size*pages - 2, 1}, {0, 0, size * pages, 0}} { // the second time nothing changes
		run := b.start(full)
		for _, page := range inPages(again) {
			b.apply(run, page)
		}
		b.wantCounts(run, counts[0], counts[1], counts[2], counts[3])
		b.holds(want)
	}
	b.key = helpdesk
	want = map[string]string{}
	for _, r := range all {
		want[r.Contact.ID] = "Bob"
	}
	b.holds(want)
}

func rejectedAreListed(b *bench) {
	run := b.complete(directory.PageChanges{Rejected: []directory.Rejected{{ID: "", Reason: "no id"}, {ID: "7", Reason: "phones is a number"}}})
	if run.Rejected != 2 {
		b.Errorf("%d rejected, want 2", run.Rejected)
	}
	got, err := b.store.Rejected(ctx, b.key, 0, 10)
	if err != nil || len(got) != 2 || got[0].ID != "7" || got[0].Reason != "phones is a number" || got[0].Run != run.ID || got[1].Run != run.ID {
		b.Errorf("rejected %+v, %v", got, err)
	}
}

// rejectedAreReadInPages reads on while newer ones come, of this integration and of another.
func rejectedAreReadInPages(b *bench) {
	reject := func(ids ...string) {
		page := directory.PageChanges{}
		for _, id := range ids {
			page.Rejected = append(page.Rejected, directory.Rejected{Seq: 4711, ID: id, Reason: "has no name"})
		}
		b.complete(page)
	}
	reject("a", "b", "c")
	crm := b.key
	b.key.Integration = "helpdesk"
	reject("x", "y")
	b.key = crm
	reject("d", "d", "", "e")
	var read []string
	before := int64(0)
	for pages := 0; ; pages++ {
		got, err := b.store.Rejected(ctx, b.key, before, 3)
		if err != nil || len(got) > 3 || pages > 5 {
			b.Fatalf("page %d: %+v, %v", pages, got, err)
		}
		if len(got) == 0 {
			break
		}
		for _, r := range got {
			if r.Seq <= 0 || before > 0 && r.Seq >= before || r.Reason != "has no name" {
				b.Errorf("%+v comes after %d", r, before)
			}
			before = r.Seq
			read = append(read, r.ID)
		}
		reject(fmt.Sprint("new", pages))
	}
	if want := []string{"e", "", "d", "d", "c", "b", "a"}; !slices.Equal(read, want) {
		b.Errorf("read %q, want %q", read, want)
	}
	newest, err := b.store.Rejected(ctx, b.key, 0, 1)
	if err != nil || len(newest) != 1 || newest[0].ID != "new2" {
		b.Errorf("the newest: %+v, %v", newest, err)
	}
}

func everythingSurvives(b *bench) {
	want := contact.Contact{
		ID: `i/d "1"` + "\n", Name: "Zoë \U0001F469 مريم", Title: "T", Company: "C", Emails: []string{"a@b.example", "c@d.example"},
		Phones: []string{"+1 415 555 0100", "x"}, Websites: []string{"https://a.example"}, PhotoURL: "p", Address: "37, Famous St.", Twitter: "z", URL: "u",
		CustomFields: []contact.CustomField{{Key: "k", Value: "v"}, {Key: "k", Value: "w"}},
	}
	b.complete(directory.PageChanges{Contacts: []directory.Record{{Contact: want}}})
	got, err := b.store.Contact(ctx, b.key, want.ID)
	if err != nil || !reflect.DeepEqual(got, want) {
		b.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func contactsAreReadInPages(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 10, "Ann")})
	contacts, err := b.store.Contacts(ctx, b.key, "00003", 4)
	if err != nil || len(contacts) != 4 || contacts[0].ID != "00004" || contacts[3].ID != "00007" {
		b.Errorf("contacts %+v, %v", contacts, err)
	}
}

func largePage(b *bench) {
	const n = 5003
	b.wantCounts(b.complete(directory.PageChanges{Contacts: people(1, n, "Ann")}), n, 0, 0, 0)
	records := people(1, n, "Ann")
	for i := 0; i < n; i += 2 {
		records[i].Contact.Name = "Bob"
	}
	b.wantCounts(b.complete(directory.PageChanges{Contacts: records}, full), 0, (n+1)/2, n/2, 0)
	b.wantIDs(b.found("+14150005003"), "05003")
	b.count(n)
}

func readersBesideAWriter(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 500, "Ann")})
	stop := make(chan struct{})
	var group sync.WaitGroup
	errs := make(chan error, 4)
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				matches, err := b.store.ByE164(ctx, b.key.Account, []string{"+14150000007"}, 5)
				if err == nil && len(matches) != 1 {
					err = fmt.Errorf("%d matches", len(matches))
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	for i := range 10 {
		b.complete(directory.PageChanges{Contacts: people(1, 500, fmt.Sprint("Ann ", i))})
	}
	close(stop)
	group.Wait()
	close(errs)
	for err := range errs {
		b.Errorf("a reader beside the writer: %v", err)
	}
}
