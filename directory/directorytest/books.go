package directorytest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

var bookCases = []testCase{
	{"BookHoldsWhatItsRuleSays", bookHoldsWhatItsRuleSays},
	{"BookFollowsItsContacts", bookFollowsItsContacts},
	{"BookIsFilledWhenItIsDeclaredLate", bookIsFilledLate},
	{"AnotherRuleJudgesEveryContactAnew", anotherRule},
	{"RemovedBookIsGone", removedBook},
	{"RenewedBooksHaveOtherEpochs", renewedBooks},
	{"PurgedContactLeavesItsBooks", purgedLeavesBooks},
	{"ForgottenIntegrationLeavesItsBooks", forgottenLeavesBooks},
	{"ConfirmedDeletionsLeaveTheirBooks", confirmedLeaveBooks},
	{"BookIsListedByNameAndByChange", bookIsListed},
	{"BookIsSearchedForParts", bookIsSearchedForParts},
	{"BookIsSearchedForBeginnings", bookIsSearchedForBeginnings},
	{"BeginningsFollowTheirContacts", beginningsFollow},
	{"SearchStaysInItsBook", searchStaysInItsBook},
	{"CardsTellNothingAndStay", cardsTellNothing},
	{"ChangesOfABookAddUp", changesAddUp},
	{"ChangesOfABookAreToldInSteps", changesInSteps},
	{"LeaversAreForgottenAfterAWhile", leaversAreForgotten},
	{"BooksOfAccountsAreApart", booksAreApart},
	{"BookStaysRightWhileEverythingChanges", bookUnderLoad},
	{"ProcessWithoutJudgesLeavesBooksToOthers", withoutJudges},
}

// Judges are what the suite's rules mean: "all"; "company:X" is everyone at X; "from:X" everyone of the integration X.
func Judges(rule string) (directory.Judge, error) {
	kind, value, _ := strings.Cut(rule, ":")
	switch kind {
	case "all":
		return func(string, *contact.Contact) bool { return true }, nil
	case "company":
		return func(_ string, c *contact.Contact) bool { return c.Company == value }, nil
	case "from":
		return func(integration string, _ *contact.Contact) bool { return integration == value }, nil
	}
	return nil, errors.New("unknown rule")
}

// at makes a record of somebody who works at a company.
func at(id, name, company string, e164 ...string) directory.Record {
	r := withNumbers(id, name, e164...)
	r.Contact.Company = company
	return r
}

// books declares books of the bench's account, as name and rule in turn, and fills them.
func (b *bench) books(namesAndRules ...string) {
	b.Helper()
	var books []directory.Book
	for pair := range slices.Chunk(namesAndRules, 2) {
		books = append(books, directory.Book{Account: b.key.Account, Name: pair[0], Rule: pair[1]})
	}
	if err := b.store.SetBooks(ctx, books); err != nil {
		b.Fatal(err)
	}
	b.fill()
}

func (b *bench) fill() {
	b.Helper()
	for more := true; more; {
		var err error
		if more, err = b.store.FillBooks(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func (b *bench) book(name string) directory.BookState {
	b.Helper()
	state, err := b.store.Book(ctx, directory.BookKey{Account: b.key.Account, Name: name})
	if err != nil {
		b.Fatal(err)
	}
	return state
}

func (b *bench) list(name string, q directory.MemberQuery) (members []directory.Member) {
	b.Helper()
	if q.Limit == 0 {
		q.Limit = 10_000
	}
	err := b.store.Members(ctx, b.book(name), q, func(m *directory.Member) error {
		members = append(members, *m)
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return members
}

func memberIDs(members []directory.Member) []string {
	ids := []string{}
	for _, m := range members {
		ids = append(ids, m.Contact.ID)
	}
	return ids
}

// wantMembers compares a book by every way that it can be looked at.
func (b *bench) wantMembers(name string, want ...string) {
	b.Helper()
	slices.Sort(want)
	members := b.list(name, directory.MemberQuery{})
	if got := memberIDs(members); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		b.Errorf("the book %s lists %q, want %q", name, got, want)
	}
	state := b.book(name)
	if state.Members != int64(len(want)) {
		b.Errorf("the book %s counts %d members, want %d", name, state.Members, len(want))
	}
	var refs []directory.Ref
	var cards []string
	for _, m := range members {
		refs = append(refs, directory.Ref{Integration: m.Integration, ID: m.Contact.ID})
		cards = append(cards, m.Card)
	}
	if found, err := b.store.MembersOf(ctx, state, append(refs, refs...)); err != nil || !slices.Equal(slices.Sorted(slices.Values(memberIDs(found))), want) {
		b.Errorf("by their ids the book %s finds %q, %v; want %q", name, memberIDs(found), err, want)
	}
	if found, err := b.store.ByCard(ctx, state, cards); err != nil || !slices.Equal(memberIDs(found), memberIDs(members)) {
		b.Errorf("by their cards the book %s finds %q, %v; want %q, in this order", name, memberIDs(found), err, memberIDs(members))
	}
	var walked []string
	for q := (directory.MemberQuery{ByCard: true, Limit: 2}); ; {
		some := b.list(name, q)
		walked = append(walked, memberIDs(some)...)
		if len(some) < q.Limit {
			break
		}
		q.After = some[len(some)-1].Card
	}
	if !slices.Equal(slices.Sorted(slices.Values(walked)), want) {
		b.Errorf("in steps the book %s lists %q, want %q", name, walked, want)
	}
}

func bookHoldsWhatItsRuleSays(b *bench) {
	b.books("everyone", "all", "acme", "company:Acme", "other", "from:other")
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Doe", "Acme"), at("bob", "Bob", "Zeta"), at("cid", "Cid", "Acme")}})
	b.wantMembers("everyone", "jane", "bob", "cid")
	b.wantMembers("acme", "jane", "cid")
	b.wantMembers("other")
	for _, name := range []string{"everyone", "acme", "other"} {
		if state := b.book(name); !state.Filled || state.Filling || state.Epoch == "" {
			b.Errorf("%+v", state)
		}
	}
	if names, err := b.store.BookNames(ctx, b.key.Account); err != nil || !slices.Equal(names, []string{"acme", "everyone", "other"}) {
		b.Errorf("the books are %q, %v", names, err)
	}
	_, err := b.store.Book(ctx, directory.BookKey{Account: b.key.Account, Name: "none"})
	b.wantError(err, directory.ErrNotFound)
}

func bookFollowsItsContacts(b *bench) {
	b.books("acme", "company:Acme")
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Doe", "Acme"), at("bob", "Bob", "Zeta"), at("cid", "Cid", "Acme")}, Checkpoint: "1"})
	before := b.book("acme").Seq
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Doe", "Acme")}, Checkpoint: "2"})
	if after := b.book("acme").Seq; after != before {
		b.Errorf("a contact that did not change changed its book: %d, then %d", before, after)
	}
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Miller", "Zeta"), at("bob", "Bob", "Acme")}, Deleted: []string{"cid"}, Checkpoint: "3"})
	b.wantMembers("acme", "bob")
}

func bookIsFilledLate(b *bench) {
	b.books()
	var contacts []directory.Record
	var want []string
	for n := range 1300 {
		r := at(fmt.Sprint("c", n), fmt.Sprintf("Person %04d", n), "Zeta")
		if n%3 == 0 {
			r.Contact.Company = "Acme"
			want = append(want, r.Contact.ID)
		}
		contacts = append(contacts, r)
	}
	b.complete(directory.PageChanges{Contacts: contacts})
	if err := b.store.SetBooks(ctx, []directory.Book{{Account: b.key.Account, Name: "acme", Rule: "company:Acme"}}); err != nil {
		b.Fatal(err)
	}
	if state := b.book("acme"); state.Filled || !state.Filling {
		b.Errorf("a book that nobody has filled is %+v", state)
	}
	b.fill()
	b.wantMembers("acme", want...)
	if state := b.book("acme"); !state.Filled || state.Filling {
		b.Errorf("a book that was filled is %+v", state)
	}
	b.wantIDs(entryIDs(b.query(directory.Query{Text: "person 0003", Book: "acme"})), "c3")
	b.wantIDs(entryIDs(b.query(directory.Query{Text: "person 0004", Book: "acme"})))
}

func anotherRule(b *bench) {
	b.books("book", "company:Acme")
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Doe", "Acme"), at("bob", "Bob", "Zeta"), at("cid", "Cid", "Acme")}})
	old := b.book("book")
	b.books("book", "company:Zeta")
	b.wantMembers("book", "bob")
	if state := b.book("book"); state.Epoch != old.Epoch || state.Seq <= old.Seq {
		b.Errorf("the book was %+v, and is %+v", old, state)
	}
	changes, err := b.store.BookChanges(ctx, b.book("book"), old.Seq, 100)
	if err != nil || len(changes.Left) != 2 || len(changes.Members) != 1 {
		b.Errorf("%+v, %v", changes, err)
	}
	b.wantIDs(entryIDs(b.query(directory.Query{Text: "jane", Book: "book"})))
	b.wantIDs(entryIDs(b.query(directory.Query{Text: "bob", Book: "book"})), "bob")
	seq := b.book("book").Seq
	b.books("book", "company:Zeta")
	if state := b.book("book"); state.Seq != seq || state.Filling {
		b.Errorf("the same rule again: %+v", state)
	}
}

func renewedBooks(b *bench) {
	b.books("one", "all", "two", "all")
	one, two := b.book("one"), b.book("two")
	b.books("one", "all", "two", "all")
	if b.book("one").Epoch != one.Epoch {
		b.Error("a book that is declared again has another epoch")
	}
	if err := b.store.RenewBooks(ctx); err != nil {
		b.Fatal(err)
	}
	if b.book("one").Epoch == one.Epoch || b.book("two").Epoch == two.Epoch || b.book("one").Epoch == b.book("two").Epoch {
		b.Error("books were renewed, and have not got epochs of their own")
	}
}

func removedBook(b *bench) {
	b.books("one", "all", "two", "all")
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Doe", "Acme"), at("bob", "Bob", "Acme")}})
	old := b.book("one")
	b.books("two", "all")
	_, err := b.store.Book(ctx, old.BookKey)
	b.wantError(err, directory.ErrNotFound)
	b.wantMembers("two", "jane", "bob")
	b.wantIDs(entryIDs(b.query(directory.Query{Text: "jane", Book: "one"})))
	b.books("one", "company:Zeta", "two", "all")
	b.wantMembers("one")
	if state := b.book("one"); state.Epoch == old.Epoch {
		b.Error("a book that was removed and declared again has the same epoch")
	}
	if found, err := b.store.ByCard(ctx, b.book("one"), []string{old.CardOf(1)}); err != nil || len(found) > 0 {
		b.Errorf("%+v, %v", found, err)
	}
}

func purgedLeavesBooks(b *bench) {
	b.books("everyone", "all")
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Doe", "Acme"), at("bob", "Bob", "Acme")}})
	card := b.list("everyone", directory.MemberQuery{From: "jane"})[0].Card
	since := b.book("everyone").Seq
	b.purge(true, 1, "jane")
	b.wantMembers("everyone", "bob")
	changes, err := b.store.BookChanges(ctx, b.book("everyone"), since, 100)
	if err != nil || !slices.Equal(changes.Left, []string{card}) || len(changes.Members) != 0 {
		b.Errorf("%+v, %v; want that %s left", changes, err, card)
	}
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Doe", "Acme"), at("bob", "Bob", "Acme")}}, full)
	b.wantMembers("everyone", "bob")
}

func forgottenLeavesBooks(b *bench) {
	b.books("everyone", "all")
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Doe", "Acme"), at("bob", "Bob", "Acme")}})
	since := b.book("everyone").Seq
	b.forget()
	b.wantMembers("everyone")
	changes, err := b.store.BookChanges(ctx, b.book("everyone"), since, 100)
	if err != nil || len(changes.Left) != 2 {
		b.Errorf("%+v, %v; want that two left", changes, err)
	}
}

func confirmedLeaveBooks(b *bench) {
	b.books("everyone", "all")
	var contacts []directory.Record
	for n := range 30 {
		contacts = append(contacts, at(fmt.Sprint("c", n), "Somebody", "Acme"))
	}
	b.complete(directory.PageChanges{Contacts: contacts})
	b.holdBack(b.start(full), directory.PageChanges{Seq: 1, Contacts: contacts[:2], Guard: directory.NewGuard(0.2, 10)})
	if got := b.book("everyone").Members; got != 30 {
		b.Errorf("the book has %d members while deletions are held back, want 30", got)
	}
	b.yes(28)
	b.wantMembers("everyone", "c0", "c1")
}

func bookIsListed(b *bench) {
	b.books("everyone", "all")
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("z", "Zoë", ""), at("a", "Émile", ""), at("m", "Müller, Anna", ""), at("c", "", "Berg & Tal")}, Checkpoint: "1"})
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("a", "Émile Zola", "")}, Checkpoint: "2"})
	for _, c := range []struct {
		q    directory.MemberQuery
		want []string
	}{
		{directory.MemberQuery{}, []string{"c", "a", "m", "z"}},
		{directory.MemberQuery{Limit: 2}, []string{"c", "a"}},
		{directory.MemberQuery{Limit: 2, Offset: 1}, []string{"a", "m"}},
		{directory.MemberQuery{From: "e"}, []string{"a", "m", "z"}},
		{directory.MemberQuery{From: "e", To: "muller"}, []string{"a"}},
		{directory.MemberQuery{To: "muller anna"}, []string{"c", "a"}},
		{directory.MemberQuery{From: "muller", To: "n"}, []string{"m"}},
	} {
		if got := memberIDs(b.list("everyone", c.q)); !slices.Equal(got, c.want) {
			b.Errorf("%+v lists %q, want %q", c.q, got, c.want)
		}
	}
	for sort, want := range map[string]int64{"": 0, "b": 0, "c": 1, "muller anna": 2, "zz": 4} {
		if n, err := b.store.MembersBefore(ctx, b.book("everyone"), sort); err != nil || n != want {
			b.Errorf("%d members stand before %q, %v; want %d", n, sort, err, want)
		}
	}
	if got := memberIDs(b.list("everyone", directory.MemberQuery{ByChange: true, Limit: 1})); !slices.Equal(got, []string{"a"}) {
		b.Errorf("%q changed last, want a", got)
	}
	last := int64(-1)
	for _, m := range slices.Backward(b.list("everyone", directory.MemberQuery{ByChange: true})) {
		if m.Seq <= last {
			b.Errorf("changes are not in order: %d after %d", m.Seq, last)
		}
		last = m.Seq
	}
	whole := b.list("everyone", directory.MemberQuery{})
	for n, m := range b.list("everyone", directory.MemberQuery{Bare: true}) {
		if m.Card != whole[n].Card || m.Seq != whole[n].Seq || m.Sort != whole[n].Sort || m.Contact.ID != "" {
			b.Errorf("member %d is %+v where it is bare, and else %+v", n, m, whole[n])
		}
	}
	stop := errors.New("enough")
	n := 0
	err := b.store.Members(ctx, b.book("everyone"), directory.MemberQuery{Limit: 10}, func(*directory.Member) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		b.Errorf("visited %d, %v", n, err)
	}
}

func bookIsSearchedForParts(b *bench) {
	b.books("everyone", "all")
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("anna", "Anna Müller", ""), at("hanna", "Hanna Maler", ""), at("bob", "Bob O'Neil (Ops)", "")}})
	for _, c := range []struct {
		contains []string
		want     []string
	}{
		{[]string{"nna"}, []string{"anna", "hanna"}},
		{[]string{"nna", "ller"}, []string{"anna"}},
		{[]string{"ller", "nna"}, []string{}},
		{[]string{"neil"}, []string{"bob"}},
		{[]string{"x"}, []string{}},
	} {
		if got := memberIDs(b.list("everyone", directory.MemberQuery{Contains: c.contains, Within: time.Minute})); !slices.Equal(got, c.want) {
			b.Errorf("%q finds %q, want %q", c.contains, got, c.want)
		}
	}
	var found []string
	err := b.store.Members(ctx, b.book("everyone"), directory.MemberQuery{Contains: []string{"nna"}, Limit: 10, Within: time.Nanosecond}, func(m *directory.Member) error {
		found = append(found, m.Contact.ID)
		return nil
	})
	b.wantError(err, directory.ErrTooLong)
}

// bookIsSearchedForBeginnings compares what beginnings of words find with what stands in the names.
func bookIsSearchedForBeginnings(b *bench) {
	b.books("everyone", "all", "acme", "company:Acme")
	random := rand.New(rand.NewPCG(1, 2))
	names := []string{"Anna", "Ann", "An", "Marta", "Mara", "Max", "Jo", "Bo", "Müller", "Muster", "Marx", "M", "Zeta-Soft", "Łukasz", "Émile", "Élan", "李", "李雷", "O'Neil"}
	var contacts []directory.Record
	for n := range 700 {
		name := ""
		for range 1 + random.IntN(3) {
			name += names[random.IntN(len(names))] + " "
		}
		if n%2 == 0 { // more beginnings with m than are walked through one by one
			name += fmt.Sprintf("m%c%c", 'a'+n/2%26, 'a'+n/52%26)
		}
		contacts = append(contacts, at(fmt.Sprint("c", n), name, []string{"Acme", "Zeta"}[n%2]))
	}
	b.complete(directory.PageChanges{Contacts: contacts})
	for _, book := range []string{"everyone", "acme"} {
		all := b.list(book, directory.MemberQuery{})
		for _, begins := range [][][]string{
			{{"ann"}},
			{{"an"}},
			{{"a"}},
			{{"m"}},
			{{"ma"}},
			{{"mar"}},
			{{"mart"}},
			{{"marta"}},
			{{"martax"}},
			{{"x"}},
			{{"an", "mu"}},
			{{"anna", "muller"}},
			{{"an", "m"}},
			{{"m", "j"}},
			{{"emi"}, {"luk"}},
			{{"mul"}, {"mar", "jo"}},
			{{"e"}, {"ann"}},
			{{"m"}, {"zet"}},
			{{"李"}},
			{{"李雷"}},
			{{"neil"}},
			{{"soft", "zeta"}},
		} {
			want := []string{}
			for _, m := range all {
				if beginsAny(m.Sort, begins) {
					want = append(want, m.Contact.ID)
				}
			}
			if got := memberIDs(b.list(book, directory.MemberQuery{Begins: begins})); !slices.Equal(got, want) {
				b.Errorf("in %s %q find %d, want %d, and these in order", book, begins, len(got), len(want))
			}
			if len(want) > 5 {
				got := memberIDs(b.list(book, directory.MemberQuery{Begins: begins, Offset: 3, Limit: 2}))
				if !slices.Equal(got, want[3:5]) {
					b.Errorf("in %s the fourth and fifth of %q are %q, want %q", book, begins, got, want[3:5])
				}
			}
			got := memberIDs(b.list(book, directory.MemberQuery{Begins: begins, From: "j", To: "mb"}))
			within := slices.DeleteFunc(slices.Clone(all), func(m directory.Member) bool { return m.Sort < "j" || m.Sort >= "mb" || !beginsAny(m.Sort, begins) })
			if !slices.Equal(got, memberIDs(within)) {
				b.Errorf("in %s %q find %d from j to mb, want %d, and these in order", book, begins, len(got), len(within))
			}
		}
	}
}

func beginsAny(key string, begins [][]string) bool {
	return slices.ContainsFunc(begins, func(words []string) bool {
		return !slices.ContainsFunc(words, func(word string) bool {
			return !slices.ContainsFunc(strings.Fields(key), func(own string) bool { return strings.HasPrefix(own, word) })
		})
	})
}

// beginningsFollow changes names, leaves and comes back.
func beginningsFollow(b *bench) {
	b.books("acme", "company:Acme")
	want := func(begin string, ids ...string) {
		b.Helper()
		got := memberIDs(b.list("acme", directory.MemberQuery{Begins: [][]string{{begin}}}))
		if slices.Sort(got); !slices.Equal(got, append([]string{}, ids...)) {
			b.Errorf("%q finds %q, want %q", begin, got, ids)
		}
	}
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Doe", "Acme"), at("bob", "Bob Doe", "Acme"), at("cid", "", "Acme")}, Checkpoint: "1"})
	want("doe", "bob", "jane")
	want("acm", "cid")
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Miller", "Acme"), at("bob", "Bob Doe", "Zeta")}, Checkpoint: "2"})
	want("doe")
	want("bob")
	want("jan", "jane")
	want("mil", "jane")
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("bob", "Bob Doe", "Acme")}, Deleted: []string{"jane"}, Checkpoint: "3"})
	want("bob", "bob")
	want("mil")
	b.books("acme", "company:Zeta")
	want("bob")
	b.books("acme", "all")
	want("bob", "bob")
	b.purge(true, 1, "bob")
	want("bob")
	b.books()
	b.books("acme", "all")
	want("acm", "cid")
}

func searchStaysInItsBook(b *bench) {
	b.books("acme", "company:Acme")
	b.complete(directory.PageChanges{Contacts: []directory.Record{
		at("jane", "Jane Doe", "Acme", "+14155550100"), at("janet", "Janet Doe", "Zeta", "+14155550101"), withEmails("mail", "Jane Mail", "jane@example.com"),
	}})
	for text, want := range map[string][]string{"jan": {"jane"}, "jane doe": {"jane"}, "415555": {"jane"}, "550100": {"jane"}, "550101": {}, "jane@example.com": {}} {
		if got := entryIDs(b.query(directory.Query{Text: text, Book: "acme"})); !slices.Equal(got, want) {
			b.Errorf("%q finds %q in the book, want %q", text, got, want)
		}
	}
	b.wantIDs(entryIDs(b.query(directory.Query{Text: "jan", Book: "none"})))
	for starts, want := range map[string][]string{"1": {"jane"}, "14": {"jane"}, "415": {"jane"}, "14155550100": {"jane"}, "14155550101": {}, "2": {}} {
		if got := entryIDs(b.query(directory.Query{Starts: starts, Book: "acme"})); !slices.Equal(got, want) {
			b.Errorf("numbers that start with %q find %q in the book, want %q", starts, got, want)
		}
	}
	b.wantIDs(entryIDs(b.query(directory.Query{Starts: "41"})), "jane", "janet")
	if _, err := b.store.Search(ctx, b.key.Account, directory.Query{Starts: "4*"}); err == nil {
		b.Error("4* are digits")
	}
	b.wantIDs(b.search("jan"), "jane", "mail", "janet")
}

func cardsTellNothing(b *bench) {
	b.books("one", "all", "two", "all")
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Doe", "Acme"), at("bob", "Bob", "Acme")}, Checkpoint: "1"})
	cards := map[string]bool{}
	for _, book := range []string{"one", "two"} {
		for _, m := range b.list(book, directory.MemberQuery{}) {
			cards[m.Card] = true
			if len(m.Card) < 20 || strings.Trim(m.Card, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
				b.Errorf("%q cannot stand in a URL, or says too much", m.Card)
			}
		}
	}
	if len(cards) != 4 {
		b.Errorf("two contacts in two books have %d cards, want 4", len(cards))
	}
	card := b.list("one", directory.MemberQuery{From: "jane"})[0].Card
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Miller", "Zeta")}, Checkpoint: "2"})
	state, err := b.second().Book(ctx, b.book("one").BookKey)
	if err != nil {
		b.Fatal(err)
	}
	if again := state.CardOf(keyOf(b, state, card)); again != card {
		b.Errorf("another process calls %s %s", card, again)
	}
	if again := b.list("one", directory.MemberQuery{From: "jane"})[0].Card; again != card {
		b.Errorf("the card was %s, and is %s", card, again)
	}
	found, err := b.store.ByCard(ctx, b.book("one"), []string{"", "x", card[1:], strings.ToUpper(card), card + "0", "0000000000000000000000000z", strings.Repeat("z", 26)})
	if err != nil || len(found) > 0 {
		b.Errorf("cards that there are not find %+v, %v", found, err)
	}
}

func keyOf(b *bench, state directory.BookState, card string) int64 {
	b.Helper()
	key, ok := state.KeyOf(card)
	if !ok {
		b.Errorf("another process does not know the card %s", card)
	}
	return key
}

// A follower keeps a copy of a book by its changes.
type follower struct {
	name  string
	since int64
	cards map[string]contact.Contact
}

func (f *follower) follow(b *bench, store directory.Store, step int) error {
	for {
		state, err := store.Book(ctx, directory.BookKey{Account: b.key.Account, Name: f.name})
		if err != nil {
			return err
		}
		changes, err := store.BookChanges(ctx, state, f.since, step)
		if err != nil {
			return err
		}
		for _, card := range changes.Left {
			delete(f.cards, card)
		}
		for _, m := range changes.Members {
			f.cards[m.Card] = m.Contact
		}
		f.since = changes.Seq
		if !changes.More {
			return nil
		}
	}
}

// differs says how the copy differs from the book; empty where it does not.
func (f *follower) differs(b *bench) string {
	b.Helper()
	is := map[string]contact.Contact{}
	for _, m := range b.list(f.name, directory.MemberQuery{}) {
		is[m.Card] = m.Contact
	}
	same := func(a, b contact.Contact) bool { return a.ID == b.ID && a.Name == b.Name && a.Company == b.Company }
	if maps.EqualFunc(is, f.cards, same) {
		return ""
	}
	return fmt.Sprintf("the copy has %v, the book %v", f.cards, is)
}

func changesAddUp(b *bench) {
	random := rand.New(rand.NewPCG(1, 2))
	b.books("acme", "company:Acme")
	seldom, often := &follower{name: "acme", cards: map[string]contact.Contact{}}, &follower{name: "acme", cards: map[string]contact.Contact{}}
	for round := range 25 {
		var page directory.PageChanges
		for range random.IntN(12) {
			id := fmt.Sprint("c", random.IntN(20))
			if random.IntN(4) == 0 {
				page.Deleted = append(page.Deleted, id)
				continue
			}
			page.Contacts = append(page.Contacts, at(id, fmt.Sprint("Name ", random.IntN(3)), []string{"Acme", "Zeta"}[random.IntN(2)]))
		}
		page.Checkpoint = fmt.Sprint(round)
		b.complete(page)
		if round == 10 {
			b.books("acme", "company:Zeta")
		}
		if err := often.follow(b, b.store, 3); err != nil {
			b.Fatal(err)
		}
		if differs := often.differs(b); differs != "" {
			b.Fatalf("after round %d %s", round, differs)
		}
		if round%7 != 6 {
			continue
		}
		if err := seldom.follow(b, b.store, 1000); err != nil {
			b.Fatal(err)
		}
		if differs := seldom.differs(b); differs != "" {
			b.Fatalf("after round %d, seen seldom, %s", round, differs)
		}
	}
}

func changesInSteps(b *bench) {
	b.books("everyone", "all")
	var contacts []directory.Record
	for n := range 20 {
		contacts = append(contacts, at(fmt.Sprint("c", n), fmt.Sprint("Name ", n), ""))
	}
	b.complete(directory.PageChanges{Contacts: contacts})
	state := b.book("everyone")
	var seen []string
	var since int64
	for range 4 {
		changes, err := b.store.BookChanges(ctx, state, since, 5)
		if err != nil || len(changes.Members) != 5 || changes.More != (len(seen) < 15) || changes.Seq <= since {
			b.Fatalf("%+v, %v", changes, err)
		}
		seen, since = append(seen, memberIDs(changes.Members)...), changes.Seq
	}
	if len(seen) != 20 || since != state.Seq {
		b.Errorf("saw %q up to %d of %d", seen, since, state.Seq)
	}
}

func leaversAreForgotten(b *bench) {
	b.books("everyone", "all")
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Doe", ""), at("bob", "Bob", "")}, Checkpoint: "1"})
	b.complete(directory.PageChanges{Deleted: []string{"jane"}, Checkpoint: "2"})
	since := b.book("everyone").Seq
	prune := func() {
		if _, err := b.store.Prune(ctx, b.clock()); err != nil {
			b.Fatal(err)
		}
	}
	b.advance(directory.LeftFor - time.Hour)
	prune()
	if state := b.book("everyone"); state.Floor != 0 {
		b.Errorf("the floor is %d before its time", state.Floor)
	}
	b.advance(2 * time.Hour)
	prune()
	if state := b.book("everyone"); state.Floor != since {
		b.Errorf("the floor is %d, want %d", state.Floor, since)
	}
	b.wantMembers("everyone", "bob")
}

func booksAreApart(b *bench) {
	other := &bench{T: b.T, harness: b.harness, store: b.store, key: directory.Key{Account: "zeta", Integration: b.key.Integration}, now: b.clock()}
	err := b.store.SetBooks(ctx, []directory.Book{{Account: b.key.Account, Name: "book", Rule: "all"}, {Account: "zeta", Name: "book", Rule: "all"}})
	if err != nil {
		b.Fatal(err)
	}
	b.fill()
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Doe", "")}})
	other.complete(directory.PageChanges{Contacts: []directory.Record{at("zoe", "Zoe", ""), at("jane", "Jane Other", "")}})
	b.wantMembers("book", "jane")
	other.wantMembers("book", "zoe", "jane")
	found, err := b.store.ByCard(ctx, b.book("book"), []string{other.list("book", directory.MemberQuery{})[0].Card})
	if err != nil || len(found) > 0 {
		b.Errorf("a card of another account finds %+v, %v", found, err)
	}
}

// bookUnderLoad changes contacts of two integrations, and the rule, all at once, from two processes; somebody follows the book meanwhile.
func bookUnderLoad(b *bench) {
	b.books("book", "company:Acme")
	second := b.second()
	var work, watch sync.WaitGroup
	for n, store := range []directory.Store{b.store, second} {
		work.Go(func() {
			one := &bench{T: b.T, harness: b.harness, store: store, key: directory.Key{Account: b.key.Account, Integration: fmt.Sprint("crm", n)}, now: b.clock()}
			random := rand.New(rand.NewPCG(uint64(n), 7))
			for round := range 30 {
				var page directory.PageChanges
				for id := range 15 {
					if random.IntN(3) > 0 {
						page.Contacts = append(page.Contacts, at(fmt.Sprint(n, "-", id), fmt.Sprint("Name ", random.IntN(3)), []string{"Acme", "Zeta"}[random.IntN(2)]))
					} else if random.IntN(3) == 0 {
						page.Deleted = append(page.Deleted, fmt.Sprint(n, "-", id))
					}
				}
				page.Checkpoint, page.Seq, page.Guard = fmt.Sprint(round), 1, directory.NewGuard(1, 100)
				run, err := one.tryStart(store)
				if err == nil {
					err = store.ApplyPage(ctx, run, page)
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	work.Go(func() {
		for round := range 10 {
			rule := []string{"company:Zeta", "all", "company:Acme"}[round%3]
			err := second.SetBooks(ctx, []directory.Book{{Account: b.key.Account, Name: "book", Rule: rule}})
			for more := true; more && err == nil; {
				more, err = second.FillBooks(ctx)
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	f := &follower{name: "book", cards: map[string]contact.Contact{}}
	done := make(chan struct{})
	watch.Go(func() {
		for {
			if err := f.follow(b, second, 4); err != nil {
				b.Error(err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	work.Wait()
	close(done)
	watch.Wait()
	b.fill()
	if err := f.follow(b, second, 4); err != nil {
		b.Fatal(err)
	}
	if differs := f.differs(b); differs != "" {
		b.Error(differs)
	}
	var want []string
	for _, integration := range []string{"crm0", "crm1"} {
		contacts, err := b.store.Contacts(ctx, directory.Key{Account: b.key.Account, Integration: integration}, "", 1000)
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range contacts {
			if c.Company == "Zeta" { // the last rule
				want = append(want, c.ID)
			}
		}
	}
	b.wantMembers("book", want...)
}

func withoutJudges(b *bench) {
	b.books("acme", "company:Acme")
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Doe", "Acme"), at("bob", "Bob", "Zeta")}, Checkpoint: "1"})
	// No process knows the second rule.
	if err := b.store.SetBooks(ctx, []directory.Book{{Account: b.key.Account, Name: "acme", Rule: "unknown"}}); err != nil {
		b.Fatal(err)
	}
	if _, err := b.store.FillBooks(ctx); err == nil {
		b.Error("a rule that nobody knows was judged")
	}
	b.complete(directory.PageChanges{Contacts: []directory.Record{at("jane", "Jane Miller", "Zeta"), at("cid", "Cid", "Acme")}, Checkpoint: "2"})
	members := b.list("acme", directory.MemberQuery{})
	if got := memberIDs(members); !slices.Equal(got, []string{"jane"}) || members[0].Contact.Name != "Jane Miller" {
		b.Errorf("%+v, want jane as she is now", members)
	}
	if state := b.book("acme"); !state.Filling {
		b.Errorf("%+v, want one that is to be filled", state)
	}
	b.books("acme", "company:Acme")
	b.wantMembers("acme", "cid")
}
