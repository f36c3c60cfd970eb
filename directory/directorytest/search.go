package directorytest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

var searchCases = []testCase{
	{"EmailFindsItsContacts", emailFindsItsContacts},
	{"EmailFollowsTheContact", emailFollowsTheContact},
	{"EmailStaysInItsAccount", emailStaysInItsAccount},
	{"SearchFindsTheStartsOfWords", searchFindsTheStartsOfWords},
	{"SearchFindsNumbers", searchFindsNumbers},
	{"SearchFollowsTheContact", searchFollowsTheContact},
	{"SearchStaysWhereItIsTold", searchStaysWhereItIsTold},
	{"SearchIsOrderedByFoldedName", searchIsOrderedByFoldedName},
	{"SearchBeginsWithWhatWasTyped", searchBeginsWithWhatWasTyped},
	{"SearchFindsWhatPeopleTypeForIt", searchFindsWhatPeopleTypeForIt},
	{"SearchTakesAnything", searchTakesAnything},
	{"SearchForCommonWords", searchForCommonWords},
	{"SearchForCommonNumbers", searchForCommonNumbers},
	{"SearchAgreesWithThePlainestWay", searchAgreesWithThePlainestWay},
}

// withEmails makes a record with e-mail addresses.
func withEmails(id, name string, emails ...string) directory.Record {
	return directory.Record{Contact: contact.Contact{ID: id, Name: name, Emails: emails}}
}

// withNumbers makes a record with full numbers.
func withNumbers(id, name string, e164 ...string) directory.Record {
	r := person(id, name, "")
	for _, n := range e164 {
		r.Numbers = append(r.Numbers, directory.Number{Raw: n, E164: n, Match: n[1:]})
	}
	return r
}

func entryIDs(entries []directory.Entry) []string {
	ids := []string{}
	for _, e := range entries {
		ids = append(ids, e.Contact.ID)
	}
	return ids
}

func (b *bench) byEmail(emails ...string) []string {
	b.Helper()
	entries, err := b.store.ByEmail(ctx, b.key.Account, emails, 100)
	if err != nil {
		b.Fatal(err)
	}
	return entryIDs(entries)
}

func (b *bench) search(text string) []string {
	b.Helper()
	return entryIDs(b.query(directory.Query{Text: text}))
}

func (b *bench) query(query directory.Query) []directory.Entry {
	b.Helper()
	b.completeSearch()
	return b.queryNow(query)
}

// queryNow is query without what a run does at its end.
func (b *bench) queryNow(query directory.Query) []directory.Entry {
	b.Helper()
	entries, err := b.store.Search(ctx, b.key.Account, query)
	if err != nil {
		b.Fatalf("search for %+v: %v", query, err)
	}
	return entries
}

func (b *bench) completeSearch() {
	b.Helper()
	if err := b.store.CompleteSearch(ctx, directory.Key{}); err != nil {
		b.Fatal(err)
	}
}

func emailFindsItsContacts(b *bench) {
	b.complete(directory.PageChanges{Contacts: []directory.Record{
		withEmails("2", "Bob", "shared@example.com", "SHARED@example.com", "bob@example.com"),
		withEmails("1", "Zoë", "  Zoë@Example.COM\n", "shared@example.com"),
		withEmails("3", "Cid", "", "  "),
	}})
	b.wantIDs(b.byEmail("bob@example.com"), "2")
	b.wantIDs(b.byEmail(" BOB@EXAMPLE.com "), "2")
	b.wantIDs(b.byEmail("zoe\u0308@example.com"), "1")
	b.wantIDs(b.byEmail("zoe@example.com"))
	b.wantIDs(b.byEmail("shared@example.com"), "1", "2")
	b.wantIDs(b.byEmail("bob@example.com", "shared@example.com", "Bob@example.com"), "1", "2")
	b.wantIDs(b.byEmail("bob@example"))
	b.wantIDs(b.byEmail("ob@example.com"))
	b.wantIDs(b.byEmail("", " "))
	b.wantIDs(b.byEmail())
	entries, err := b.store.ByEmail(ctx, b.key.Account, []string{"bob@example.com", "zoë@example.com"}, 1)
	if err != nil || len(entries) != 1 || entries[0].Key != b.key || entries[0].Contact.Name != "Zoë" || len(entries[0].Contact.Emails) != 2 {
		b.Errorf("a limit of 1 gave %+v, %v; want Zoë with both addresses", entries, err)
	}
}

func emailFollowsTheContact(b *bench) {
	b.complete(directory.PageChanges{Contacts: []directory.Record{withEmails("1", "Ann", "old@example.com"), withEmails("2", "Bob", "bob@example.com")}})
	b.complete(directory.PageChanges{Contacts: []directory.Record{withEmails("1", "Ann", "new@example.com")}})
	b.wantIDs(b.byEmail("old@example.com"))
	b.wantIDs(b.byEmail("new@example.com"), "1")
	b.complete(directory.PageChanges{Deleted: []string{"2"}})
	b.wantIDs(b.byEmail("bob@example.com"))
	b.complete(directory.PageChanges{Contacts: []directory.Record{withEmails("1", "Ann")}})
	b.wantIDs(b.byEmail("new@example.com"))
}

func emailStaysInItsAccount(b *bench) {
	b.complete(directory.PageChanges{Contacts: []directory.Record{withEmails("9", "Ann", "ann@example.com")}})
	b.key.Integration = "another"
	b.complete(directory.PageChanges{Contacts: []directory.Record{withEmails("1", "Ann", "ann@example.com"), withEmails("91", "Ann", "ann@example.com")}})
	b.wantIDs(b.byEmail("ann@example.com"), "1", "91", "9")
	b.key.Account = "other"
	b.wantIDs(b.byEmail("ann@example.com"))
	b.complete(directory.PageChanges{Contacts: []directory.Record{withEmails("7", "Ann", "ann@example.com")}})
	b.wantIDs(b.byEmail("ann@example.com"), "7")
}

func searchFindsTheStartsOfWords(b *bench) {
	jane := directory.Record{Contact: contact.Contact{
		ID: "jane", Name: "Jane Müller-Ångström", Company: "Example & Sons Ltd.", Title: "Head of Sales", Address: "Hidden Street",
		Emails: []string{"jm@widgets.example", "second.box@mail.example"},
	}}
	b.complete(directory.PageChanges{Contacts: []directory.Record{jane, person("bob", "Bob Miller", ""), person("kanji", "山田 太郎", "")}})
	for text, want := range map[string]string{
		"jane": "jane", "JANE": "jane", "ja": "jane", "j": "jane", "jane muller": "jane", "Müll jan": "jane", "ang": "jane", "mu\u0308ller": "jane",
		"example": "jane", "son": "jane", "head sales": "jane", "widg": "jane", "jm@widgets.example": "jane", "second box": "jane",
		"m": "bob jane", "mi": "bob", "山": "kanji", "山田太": "", "太郎 山田": "kanji",
		"ane": "", "jane bob": "", "janet": "", "hidden": "", "jane jane": "jane",
	} {
		b.wantIDs(b.search(text), strings.Fields(want)...)
	}
}

func searchFindsNumbers(b *bench) {
	local := person("local", "Local", "")
	local.Numbers = []directory.Number{{Raw: "0800 5550", Match: "08005550"}, {Raw: "2041", Match: "2041", Extension: "7"}}
	b.complete(directory.PageChanges{Contacts: []directory.Record{
		withNumbers("de", "Dieter", "+491712345678"), withNumbers("us", "Uma", "+14155550100", "+14155550199"), withNumbers("ie", "Ida", "+35312345670"), local,
		{Contact: contact.Contact{ID: "area", Name: "Area 2041"}},
	}})
	for text, want := range map[string]string{
		"0171 2345": "de", "+49 171": "de", "0049 (0)171-234": "de", "1712345678": "de", "2345678": "de", "5678": "de", "345678": "de", "234567": "",
		"1415": "us", "415 555 01": "us", "(415) 5550-199": "us", "0199": "", "50199": "us", "+1 415 555 0100": "us", "5555": "",
		"1234567": "ie", "353123": "ie", "5670": "ie", "0800": "", "08005": "local", "8005550": "local", "5550": "local",
		"2041": "area local", "204": "area", "20410": "", "41": "", "041": "",
	} {
		b.wantIDs(b.search(text), strings.Fields(want)...)
	}
}

func searchFollowsTheContact(b *bench) {
	b.complete(directory.PageChanges{Contacts: []directory.Record{
		withNumbers("1", "Ann Oldname", "+14155550100"), person("2", "Bob", ""), person("3", "Cid", ""), withNumbers("4", "Dan", "+14155550104"),
	}})
	b.complete(directory.PageChanges{Contacts: []directory.Record{withNumbers("1", "Ann Newname", "+14155550177")}, Deleted: []string{"2"}})
	b.wantIDs(b.search("oldname"))
	b.wantIDs(b.search("newname"), "1")
	b.wantIDs(b.search("ann"), "1")
	b.wantIDs(b.search("415555"), "1", "4")
	b.wantIDs(b.search("0 415 5550100"))
	b.wantIDs(b.search("4155550177"), "1")
	b.wantIDs(b.search("bob"))
	b.complete(directory.PageChanges{Contacts: []directory.Record{person("2", "Bob", "")}})
	b.wantIDs(b.search("bob"), "2")
	b.complete(directory.PageChanges{Contacts: []directory.Record{withNumbers("1", "Ann Newname", "+14155550177"), person("3", "Cid", ""), person("2", "Bob", "")}}, full)
	b.wantIDs(b.search("dan"))
	b.wantIDs(b.search("50104"))
	b.wantIDs(b.search("cid"), "3")
	run := b.start()
	if err := b.tryApply(run, directory.PageChanges{Contacts: []directory.Record{person("5", "Eve", ""), person("", "Nobody", "")}}); err == nil {
		b.Error("a contact without an id was stored")
	}
	b.wantIDs(b.search("eve"))
	b.apply(run, directory.PageChanges{Contacts: []directory.Record{person("5", "Eve First", ""), person("5", "Eve Last", "")}})
	b.wantIDs(b.search("eve"), "5")
	b.wantIDs(b.search("first"))
}

func searchStaysWhereItIsTold(b *bench) {
	b.complete(directory.PageChanges{Contacts: []directory.Record{withNumbers("1", "Ann", "+14155550100")}})
	crm := b.key
	b.key.Integration = "helpdesk"
	b.complete(directory.PageChanges{Contacts: []directory.Record{withNumbers("2", "Ann", "+14155550100")}})
	b.wantIDs(b.search("ann"), "1", "2")
	b.wantIDs(b.search("415 555"), "1", "2")
	for _, text := range []string{"ann", "415 555"} {
		b.wantIDs(entryIDs(b.query(directory.Query{Text: text, Integration: "helpdesk"})), "2")
		b.wantIDs(entryIDs(b.query(directory.Query{Text: text, Integration: "nowhere"})))
		if found := b.query(directory.Query{Text: text, Integration: "crm"}); len(found) != 1 || found[0].Key != crm {
			b.Errorf("%q in crm found %+v", text, found)
		}
	}
	b.key.Account = "other"
	b.wantIDs(b.search("ann"))
	b.complete(directory.PageChanges{Contacts: []directory.Record{person("3", "Ann", "")}})
	b.wantIDs(b.search("ann"), "3")
	b.wantIDs(b.search("4155"))
}

func searchIsOrderedByFoldedName(b *bench) {
	var all []directory.Record
	for i, name := range []string{"zoe Smith", "Ann  Smith", "ánn smith", "Ann-Smith", "Ann Smithe", "Åke Smith", "Anna Smith", "Smith"} {
		all = append(all, person(string(rune('h'-i)), name, ""))
	}
	b.complete(directory.PageChanges{Contacts: all})
	b.key.Integration = "a-before-crm"
	b.complete(directory.PageChanges{Contacts: []directory.Record{person("z", "Ann Smith", "")}})
	want := []string{"a", "c", "z", "e", "f", "g", "d", "b", "h"} // a match of the name comes first
	b.wantIDs(b.search("smith"), want...)
	for limit := 1; limit <= len(want); limit++ {
		b.wantIDs(entryIDs(b.query(directory.Query{Text: "smith", Limit: limit})), want[:limit]...)
	}
}

// searchBeginsWithWhatWasTyped types whole addresses and names that hundreds of others begin with.
func searchBeginsWithWhatWasTyped(b *bench) {
	all := []directory.Record{
		withEmails("z", "Zoe Zamenhof", "P29@example.com"), withEmails("y", "Yan Young", "other@example.com", " p29@Example.com"),
		withEmails("long", "Long", strings.Repeat("a", 120)+"1@example.com"),
		person("exact", "Xan Smith", ""), person("again", "XAN  smith", ""), withEmails("of", "Company", "xan.smith@example.com"),
	}
	for n := range 3000 {
		all = append(all, withEmails(fmt.Sprintf("%04d", n), fmt.Sprintf("Aaron %04d", n), fmt.Sprintf("p29%04d@example.com", n)),
			person(fmt.Sprintf("s%04d", n), fmt.Sprintf("Aab Xan Smithson%04d", n), ""))
	}
	all = append(all, withEmails("longer", "Longer", strings.Repeat("a", 120)+"2@example.com"))
	b.complete(directory.PageChanges{Contacts: all})
	begins := func(text string, want ...string) {
		b.Helper()
		if got := b.search(text); len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			b.Errorf("%q begins with %q, want %q", text, got[:min(len(got), 3)], want)
		}
	}
	begins("p29@example.com", "y", "z")
	begins(" P29@EXAMPLE.COM ", "y", "z")
	begins("p290007@example.com", "0007")
	begins("xan smith", "again", "exact")
	begins("Xan-Smith", "again", "exact")
	begins("xan.smith@example.com", "of")
	begins(strings.Repeat("a", 120)+"2@example.com", "longer")
	b.key.Integration = "helpdesk"
	b.complete(directory.PageChanges{Contacts: []directory.Record{withEmails("h", "Heidi", "p29@example.com")}})
	if got := entryIDs(b.query(directory.Query{Text: "p29@example.com", Integration: "helpdesk"})); !slices.Equal(got, []string{"h"}) {
		b.Errorf("in one integration: %q", got)
	}
	b.key.Account = "other"
	b.wantIDs(b.search("p29@example.com"))
}

// searchFindsWhatPeopleTypeForIt types names without the letters and signs that a keyboard lacks, and with them.
func searchFindsWhatPeopleTypeForIt(b *bench) {
	b.complete(directory.PageChanges{Contacts: []directory.Record{
		person("l", "Łukasz Wałęsa", ""), person("c", "Sinéad O'Connor", ""), person("d", "Siobhan O’Connor-D’Arcy", ""), person("s", "Jörg Straße", ""),
		person("o", "Søren Ærø", ""), person("i", "Işıl Güneş", ""),
	}})
	for text, want := range map[string]string{
		"lukasz": "l", "Łukasz": "l", "łuk": "l", "walesa": "l", "wałę": "l", "oconnor": "c d", "o'connor": "c d", "o’connor": "c d", "connor": "c d", "oconn": "c d",
		"darcy": "d", "d arcy": "d", "sinead oconnor": "c", "strasse": "s", "straße": "s", "STRASSE": "s", "soren": "o", "aero": "o", "isil gunes": "i",
	} {
		b.wantIDs(b.search(text), strings.Fields(want)...)
	}
}

// searchTakesAnything types what an index's own language might trip over.
func searchTakesAnything(b *bench) {
	b.complete(directory.PageChanges{Contacts: append(people(1, 30, "Ann"), person("odd", `AND "OR" NOT* near/2 ^name:x {a} 'q' a%b_c \ & | <-> :*`, ""))})
	for _, text := range []string{"", " ", "?!", "\x00", "\xff\xfe", "🙂", "(((", "%", "_", "'"} {
		b.wantIDs(b.search(text))
	}
	for _, text := range []string{"AND", "or not", `"or"`, "near/2", "name:x", "^name", "{a} q", "q'", "b_c", "a%b_c", "NOT*"} {
		if got := b.search(text); !slices.Contains(got, "odd") {
			b.Errorf("%q found %q", text, got)
		}
	}
	if got := b.search("ann"); len(got) != 20 {
		b.Errorf("without a limit %d were found, want 20", len(got))
	}
	b.wantIDs(b.search(strings.Repeat("ann ", 500) + "zzz"))
	b.wantIDs(b.search(strings.Repeat("a", 5000)))
}

// searchForCommonWords types words that hundreds have: the answer is full, and what only few have is not lost in it.
func searchForCommonWords(b *bench) {
	all := people(1, 3000, "Ann Alder")
	all = append(all, people(3001, 6000, "Bob Berg")...)
	all = append(all, person("both", "Bob Ann", ""), person("rare", "Ann Zamenhof", ""))
	b.complete(directory.PageChanges{Contacts: all})
	for text, name := range map[string]string{"a": "", "ann": "", "ann alder": "Ann Alder", "b": "", "berg bob": "Bob Berg"} {
		found := b.query(directory.Query{Text: text, Limit: 50})
		if len(found) != 50 {
			b.Errorf("%q found %d, want 50", text, len(found))
		}
		if !slices.IsSortedFunc(found, compareEntries(text)) {
			b.Errorf("%q: not in order: %q", text, entryIDs(found))
		}
		for _, e := range found {
			if !plainlyFound(&directory.Record{Contact: e.Contact}, text) || !strings.HasPrefix(e.Contact.Name, name) {
				b.Errorf("%q found %q", text, e.Contact.Name)
			}
		}
	}
	b.wantIDs(b.search("ann bob"), "both")
	b.wantIDs(b.search("a b"), "both")
	b.wantIDs(b.search("ann z"), "rare")
	b.wantIDs(b.search("a zamen"), "rare")
	b.key.Integration = "small"
	b.complete(directory.PageChanges{Contacts: []directory.Record{person("few", "Ann Few", "")}})
	b.wantIDs(entryIDs(b.query(directory.Query{Text: "ann", Integration: "small"})), "few")
	b.wantIDs(entryIDs(b.query(directory.Query{Text: "a", Integration: "small"})), "few")
}

func searchForCommonNumbers(b *bench) {
	b.complete(directory.PageChanges{Contacts: append(people(1, 3000, "Ann"), withNumbers("fr", "Fred", "+33415000001"))})
	for _, text := range []string{"1415", "4150", "415 000 1"} {
		if found := b.query(directory.Query{Text: text, Limit: 30}); len(found) != 30 || !slices.IsSortedFunc(found, compareEntries(text)) {
			b.Errorf("%q found %q", text, entryIDs(found))
		}
	}
	b.wantIDs(b.search("33415"), "fr")
	b.wantIDs(b.search("4150002999"), "02999")
}

func compareEntries(text string) func(x, y directory.Entry) int {
	rank := directory.Rank(text)
	return func(x, y directory.Entry) int {
		return cmp.Or(
			cmp.Compare(rank(&x.Contact), rank(&y.Contact)),
			strings.Compare(strings.Join(directory.Fold(x.Contact.Name), " "), strings.Join(directory.Fold(y.Contact.Name), " ")),
			strings.Compare(x.Integration, y.Integration), strings.Compare(x.Contact.ID, y.Contact.ID))
	}
}

// plainlyFound compares a record with a text as [directory.Query] says it.
func plainlyFound(r *directory.Record, text string) bool {
	if digits := directory.Digits(text); digits != "" {
		for i := range r.Numbers {
			whole, national := directory.Starts(&r.Numbers[i])
			if strings.HasPrefix(whole, digits) || strings.HasPrefix(national, digits) || strings.HasSuffix(r.Numbers[i].Match, digits) {
				return true
			}
		}
	}
	words, terms := directory.Fold(text), directory.Terms(&r.Contact)
	for _, word := range words {
		if !slices.ContainsFunc(terms, func(term string) bool { return strings.HasPrefix(term, word) }) {
			return false
		}
	}
	return len(words) > 0
}

// searchAgreesWithThePlainestWay compares searches for short words with looking at every contact.
func searchAgreesWithThePlainestWay(b *bench) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(from string, most int) string {
		s := make([]byte, 1+random.IntN(most))
		for i := range s {
			s[i] = from[random.IntN(len(from))]
		}
		return string(s)
	}
	all := map[string]directory.Record{}
	for round := range 3 {
		var page []directory.Record
		for range 150 {
			r := directory.Record{Contact: contact.Contact{ID: fmt.Sprintf("%03d", random.IntN(300)), Name: word("abé", 3) + " " + word("ab", 3), Company: word("abc", 4)}}
			r.Contact.Emails = []string{word("ab", 2) + "@" + word("c1", 3)}
			match := "49" + word("123", 1) + word("0123", 8)
			r.Numbers = []directory.Number{{Raw: match, Match: match}}
			if round != 1 {
				r.Numbers[0].E164 = "+" + match
			}
			page, all[r.Contact.ID] = append(page, r), r
		}
		b.complete(directory.PageChanges{Contacts: page})
	}
	for range 300 {
		text := word("ab", 2)
		switch random.IntN(3) {
		case 0:
			text += " " + word("abc", 2)
		case 1:
			text = word("0123", 2) + word("01234", 5)
		}
		var want []directory.Entry
		for _, r := range all {
			if plainlyFound(&r, text) {
				want = append(want, directory.Entry{Key: b.key, Contact: r.Contact})
			}
		}
		slices.SortFunc(want, compareEntries(text))
		if got := entryIDs(b.query(directory.Query{Text: text, Limit: 1000})); !slices.Equal(got, entryIDs(want)) {
			b.Fatalf("%q found %q, want %q", text, got, entryIDs(want))
		}
	}
}
