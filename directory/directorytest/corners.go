package directorytest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

// wholeWhenItsEndFails lets a page fail at its last contact: nothing of the others may stay.
func wholeWhenItsEndFails(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 3, "Ann"), Checkpoint: "c"})
	run := b.start(full)
	before := *run
	page := directory.PageChanges{
		Contacts: append(people(2, 9, "Bob"), person("", "Nobody", "")), Deleted: []string{"00001"},
		Rejected: []directory.Rejected{{ID: "r", Reason: "r"}}, Checkpoint: "d",
	}
	if err := b.tryApply(run, page); err == nil {
		b.Fatal("a contact without an id was stored")
	}
	if !reflect.DeepEqual(*run, before) {
		b.Errorf("the failed page changed the run: %+v", run)
	}
	b.holds(map[string]string{"00001": "Ann", "00002": "Ann", "00003": "Ann"})
	b.wantIDs(b.found("+14150000009"))
	state, err := b.store.State(ctx, b.key)
	if err != nil || state.Checkpoint != "c" || state.LastRun.Pages != 0 || state.LastRun.State != directory.Running {
		b.Errorf("state %+v, last run %+v, %v", state, state.LastRun, err)
	}
	if rejected, err := b.store.Rejected(ctx, b.key, 0, 9); err != nil || len(rejected) != 0 {
		b.Errorf("rejected %v, %v", rejected, err)
	}
	b.apply(run, directory.PageChanges{Contacts: people(1, 3, "Bob"), Checkpoint: "d"})
	b.holds(map[string]string{"00001": "Bob", "00002": "Bob", "00003": "Bob"})
}

// cancelledPage hands a page over with a context that is over.
func cancelledPage(b *bench) {
	run := b.start()
	over, cancel := context.WithCancel(ctx)
	cancel()
	page := directory.PageChanges{Seq: 1, Contacts: people(1, 3, "Ann"), Checkpoint: "c"}
	b.wantError(b.store.ApplyPage(over, run, page), context.Canceled)
	b.holds(map[string]string{})
	if err := b.store.ApplyPage(ctx, run, page); err != nil {
		b.Errorf("the same page again: %v", err)
	}
	b.count(3)
}

// cancelledMidway cancels pages while they are stored, and hands them over again as a caller would who does not know.
func cancelledMidway(b *bench) {
	run := b.start()
	for i := range 12 {
		over, cancel := context.WithTimeout(ctx, time.Duration(i)*time.Millisecond)
		page := directory.PageChanges{Seq: int64(i + 1), Contacts: people(i*300, i*300+299, "Ann"), NextOffset: fmt.Sprint(i)}
		err := b.store.ApplyPage(over, run, page)
		cancel()
		if err != nil {
			if again := b.store.ApplyPage(ctx, run, page); again != nil {
				b.Fatalf("page %d failed with %v and then with %v", page.Seq, err, again)
			}
		}
		b.wantCounts(run, int64(i+1)*300, 0, 0, 0)
	}
	b.count(3600)
}

// replayAfterTheEnd hands the last page over twice, as after an answer that never came.
func replayAfterTheEnd(b *bench) {
	run := b.start()
	early := *run
	last := directory.PageChanges{Seq: 1, Contacts: people(1, 2, "Ann"), Checkpoint: "c"}
	if err := b.store.ApplyPage(ctx, run, last); err != nil {
		b.Fatal(err)
	}
	b.wantError(b.store.ApplyPage(ctx, &early, last), directory.ErrOutOfOrder)
	last.Seq = 2
	b.wantError(b.store.ApplyPage(ctx, run, last), directory.ErrLeaseLost)
	b.wantError(b.store.FailRun(ctx, run, errors.New("x"), ""), directory.ErrLeaseLost)
	b.count(2)
}

// countsAreTheStoresOwn hands a page over with a run that the caller has changed.
func countsAreTheStoresOwn(b *bench) {
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(1, 2, "Ann"), NextOffset: "2"})
	scribbled := *run
	scribbled.Counts = directory.Counts{Pages: 1, Contacts: 77, Created: 77}
	b.apply(&scribbled, directory.PageChanges{Contacts: people(3, 3, "Ann")})
	b.wantCounts(&scribbled, 3, 0, 0, 0)
}

// otherNumbersOfTheSamePhones changes what a contact's phones mean, as another region does, and not the contact.
func otherNumbersOfTheSamePhones(b *bench) {
	r := person("1", "Ann", "")
	r.Contact.Phones = []string{"0151 5550100"}
	r.Numbers = []directory.Number{{Raw: "0151 5550100", E164: "+491515550100", Match: "491515550100"}}
	b.complete(directory.PageChanges{Contacts: []directory.Record{r}})
	r.Numbers = []directory.Number{{Raw: "0151 5550100", E164: "+441515550100", Match: "441515550100"}}
	b.complete(directory.PageChanges{Contacts: []directory.Record{r}}, full)
	b.wantIDs(b.found("+491515550100"))
	b.wantIDs(b.found("+441515550100"), "1")
}

// everyAgreeingNumberIsAMatch looks for a contact that has several numbers.
func everyAgreeingNumberIsAMatch(b *bench) {
	numbers := []directory.Number{
		{Raw: "+44 20 7555 0100", E164: "+442075550100", Match: "442075550100"},
		{Raw: "+14155550100", E164: "+14155550100", Match: "14155550100", Extension: "12"},
		{Raw: "555-0100", Match: "5550100"},
	}
	b.complete(directory.PageChanges{Contacts: []directory.Record{{Contact: contact.Contact{ID: "1", Name: "Ann"}, Numbers: numbers}}})
	b.wantNumbers(numbers)(b.store.BySuffix(ctx, b.key.Account, "5550100", 9))
	b.wantNumbers(numbers[:1])(b.store.BySuffix(ctx, b.key.Account, "75550100", 9))
	b.wantNumbers(numbers[:2])(b.store.BySuffix(ctx, b.key.Account, "5550100", 2))
	b.wantNumbers(numbers[:2])(b.store.ByE164(ctx, b.key.Account, []string{"+14155550100", "+442075550100", "+14155550100"}, 9))
}

func (b *bench) wantNumbers(want []directory.Number) func([]directory.Match, error) {
	return func(matches []directory.Match, err error) {
		b.Helper()
		var got []directory.Number
		for _, m := range matches {
			got = append(got, m.Number)
		}
		if err != nil || !slices.Equal(got, want) {
			b.Errorf("numbers %+v, %v; want %+v", got, err, want)
		}
	}
}

// suffixMustBeDigits asks for endings that would find half the directory, or nothing at all.
func suffixMustBeDigits(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 1, "Ann")})
	for _, digits := range []string{"", "00001", "+14150000001", "415 0000001"} {
		if matches, err := b.store.BySuffix(ctx, b.key.Account, digits, 9); err == nil {
			b.Errorf("the ending %q found %d matches, want an error", digits, len(matches))
		}
	}
}

// limitKeepsTheFirstInOrder asks for fewer than there are.
func limitKeepsTheFirstInOrder(b *bench) {
	var all []directory.Record
	for i := 40; i > 0; i-- {
		all = append(all, person(fmt.Sprintf("%02d", i), "Ann", "+14155550100"))
	}
	b.complete(directory.PageChanges{Contacts: all})
	for _, limit := range []int{1, 3, 39, 40, 41} {
		matches, err := b.store.ByE164(ctx, b.key.Account, []string{"+14155550100"}, limit)
		if err != nil || len(matches) != min(limit, 40) || matches[0].Contact.ID != "01" || matches[len(matches)-1].Contact.ID != fmt.Sprintf("%02d", min(limit, 40)) {
			b.Errorf("limit %d gave %d matches, %v", limit, len(matches), err)
		}
	}
}

// specialCharacters stores what people and machines put into ids, keys and checkpoints.
func specialCharacters(b *bench) {
	texts := []string{"O'Neill", `"; DROP TABLE contacts; --`, "a%b_c", "\x00\x01", "نور", "\U0001F469\u200d\U0001F4BB", " lead and trail ", "tab\tnew\nline", "ÄÖ", "A\u0308O"}
	for _, text := range texts {
		b.key = directory.Key{Account: "account " + text, Integration: "integration " + text}
		r := person(text, text, "+14155550100")
		r.Contact.CustomFields = []contact.CustomField{{Key: text, Value: text}}
		r.Numbers[0].Raw, r.Numbers[0].Extension = text, text
		b.complete(directory.PageChanges{Contacts: []directory.Record{r}, Checkpoint: text})
		run := b.start()
		if run.Since != text {
			b.Errorf("checkpoint %q came back as %q", text, run.Since)
		}
		b.apply(run, directory.PageChanges{NextOffset: text, Context: []byte(`"x"`)})
		if runs, err := b.store.Runs(ctx, b.key, 0, 1); err != nil || runs[0].Offset != text {
			b.Errorf("offset %q came back as %+v, %v", text, runs, err)
		}
		got, err := b.store.Contact(ctx, b.key, text)
		if err != nil || !reflect.DeepEqual(got, r.Contact) {
			b.Errorf("contact %+v, %v; want %+v", got, err, r.Contact)
		}
		b.wantNumbers(r.Numbers)(b.store.ByE164(ctx, b.key.Account, []string{"+14155550100"}, 9))
		if err := b.store.FailRun(ctx, run, errors.New(text), text); err != nil {
			b.Error(err)
		}
	}
	if states, err := b.store.States(ctx, ""); err != nil || len(states) != len(texts) {
		b.Errorf("%d integrations, %v; want %d", len(states), err, len(texts))
	}
}

// freshForNothing never goes on with an old run where it is told not to.
func freshForNothing(b *bench) {
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(1, 1, "Ann"), NextOffset: "2"})
	if err := b.store.FailRun(ctx, run, errors.New("x"), ""); err != nil {
		b.Fatal(err)
	}
	if next := b.start(func(s *directory.Start) { s.FreshFor = 0 }); next.Resumed || next.ID == run.ID {
		b.Errorf("resumed %+v", next)
	}
}

// restartedFirstFillJudges restarts the very first run: what only its first pass showed is gone.
func restartedFirstFillJudges(b *bench) {
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(1, 4, "Ann"), NextOffset: "2"})
	if err := b.store.RestartRun(ctx, run); err != nil {
		b.Fatal(err)
	}
	b.apply(run, directory.PageChanges{Contacts: people(2, 5, "Ann"), Checkpoint: "z"})
	b.wantCounts(run, 5, 0, 3, 1)
	b.holds(map[string]string{"00002": "Ann", "00003": "Ann", "00004": "Ann", "00005": "Ann"})
}

// otherIntegrationsAreNotJudged lets another integration work in the middle of a run that judges.
func otherIntegrationsAreNotJudged(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	run, crm := b.start(full), b.key
	b.apply(run, directory.PageChanges{Contacts: people(1, 2, "Ann"), NextOffset: "2"})
	b.key.Integration = "helpdesk"
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Bob")})
	b.complete(directory.PageChanges{Contacts: people(4, 5, "Bob")}, full)
	b.key = crm
	b.apply(run, directory.PageChanges{Contacts: people(3, 4, "Ann"), Checkpoint: "z"})
	b.wantCounts(run, 0, 0, 4, 1)
	b.key.Integration = "helpdesk"
	b.holds(map[string]string{"00004": "Bob", "00005": "Bob"})
}

// strangersGetNoLease looks for the token in what anyone may read.
func strangersGetNoLease(b *bench) {
	run := b.start()
	_, err := b.tryStart(b.second())
	var underWay *directory.UnderWayError
	if !errors.As(err, &underWay) {
		b.Fatalf("a second synchronizer: %v", err)
	}
	runs, err := b.store.Runs(ctx, b.key, 0, 1)
	if err != nil || len(runs) != 1 {
		b.Fatalf("%d runs, %v", len(runs), err)
	}
	if run.Lease == "" || underWay.Run.Lease != "" || runs[0].Lease != "" {
		b.Errorf("lease %q: the other is told %q, the list %q", run.Lease, underWay.Run.Lease, runs[0].Lease)
	}
}

// oneOfManyStarts lets many start at once, over two handles.
func oneOfManyStarts(b *bench) {
	stores := []directory.Store{b.store, b.second()}
	for round := range 5 {
		started := make(chan *directory.Run, 8)
		var group sync.WaitGroup
		for i := range cap(started) {
			group.Go(func() {
				run, err := b.tryStart(stores[i%2])
				if err == nil {
					started <- run
				} else if !errors.Is(err, directory.ErrUnderWay) {
					b.Errorf("start %d: %v", i, err)
				}
			})
		}
		group.Wait()
		if len(started) != 1 {
			b.Fatalf("round %d: %d runs were started at once", round, len(started))
		}
		b.apply(<-started, directory.PageChanges{Contacts: people(round, round, "Ann"), Checkpoint: "c"})
	}
	b.count(5)
}

// writersTakeTurns lets two processes store pages of two integrations at the same time.
func writersTakeTurns(b *bench) {
	var group sync.WaitGroup
	for i, store := range []directory.Store{b.store, b.second()} {
		group.Go(func() {
			key := directory.Key{Account: b.key.Account, Integration: fmt.Sprint(i)}
			run, err := store.StartRun(ctx, key, directory.Start{Lease: lease})
			for seq := int64(1); err == nil && seq <= 30; seq++ {
				err = store.ApplyPage(ctx, run, directory.PageChanges{Seq: seq, Contacts: people(int(seq), int(seq)+20, "Ann"), NextOffset: "more"})
			}
			if err != nil {
				b.Errorf("process %d: %v", i, err)
			}
		})
	}
	group.Wait()
	for i := range 2 {
		b.key.Integration = fmt.Sprint(i)
		b.count(50)
	}
}

// rejectedDoNotPileUp rejects more than anyone reads.
func rejectedDoNotPileUp(b *bench) {
	page := directory.PageChanges{}
	for i := range 2500 {
		page.Rejected = append(page.Rejected, directory.Rejected{ID: fmt.Sprint(i), Reason: "has no id"})
	}
	if run := b.complete(page); run.Rejected != 2500 {
		b.Errorf("%d rejected are counted, want 2500", run.Rejected)
	}
	b.complete(directory.PageChanges{Rejected: []directory.Rejected{{ID: "new", Reason: "r"}}})
	got, err := b.store.Rejected(ctx, b.key, 0, 5000)
	if err != nil || len(got) < 100 || len(got) > 2000 || got[0].ID != "new" || got[1].ID != "2499" {
		b.Errorf("%d are kept, %v; want some hundreds, the newest first", len(got), err)
	}
}

// survivesReopening reads with another handle what the first one wrote.
func survivesReopening(b *bench) {
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(1, 3, "Ann"), NextOffset: "2", Context: []byte(`{"k":1}`), Checkpoint: "a"})
	other := b.second()
	b.advance(2 * lease)
	resumed, err := b.tryStart(other)
	if err != nil {
		b.Fatal(err)
	}
	want := *run
	want.Resumed, want.Lease = true, resumed.Lease
	want.Resume()
	if !reflect.DeepEqual(*resumed, want) {
		b.Errorf("resumed %+v, want %+v", *resumed, want)
	}
	if resumed.Updated.IsZero() || resumed.Started.After(resumed.Updated) || resumed.Updated.After(b.clock().Add(-time.Minute)) {
		b.Errorf("started %v, updated %v", resumed.Started, resumed.Updated)
	}
	b.wantIDs(b.ids(other.ByE164(ctx, b.key.Account, []string{"+14150000002"}, 9)), "00002")
}

// endingsOfAllLengths compares lookups with the plainest way to find an ending, for numbers that are much alike.
func endingsOfAllLengths(b *bench) {
	random := rand.New(rand.NewPCG(1, 2))
	digits := func(least, more int) string {
		s := make([]byte, least+random.IntN(more))
		for i := range s {
			s[i] = "01"[random.IntN(2)]
		}
		return string(s)
	}
	var all []directory.Record
	for i := range 600 {
		n := directory.Number{Raw: "n", Match: digits(3, 13)}
		if i%2 == 0 {
			n.E164 = "+" + n.Match
		}
		all = append(all, directory.Record{Contact: contact.Contact{ID: fmt.Sprintf("%03d", i), Name: "Ann"}, Numbers: []directory.Number{n}})
	}
	b.complete(directory.PageChanges{Contacts: all})
	ask := func(what string, agree func(directory.Number) bool, matches []directory.Match, err error) {
		var want []string
		for _, r := range all {
			if agree(r.Numbers[0]) {
				want = append(want, r.Contact.ID)
			}
		}
		if got := b.ids(matches, err); !slices.Equal(got, want) && len(got)+len(want) > 0 {
			b.Errorf("%s: found %q, want %q", what, got, want)
		}
	}
	for range 200 {
		end := digits(directory.MinSuffix, 8)
		matches, err := b.store.BySuffix(ctx, b.key.Account, end, 1000)
		ask("the ending "+end, func(n directory.Number) bool { return strings.HasSuffix(n.Match, end) }, matches, err)
		whole := all[random.IntN(len(all))].Numbers[0].Match
		matches, err = b.store.ByE164(ctx, b.key.Account, []string{"+" + whole}, 1000)
		ask("+"+whole, func(n directory.Number) bool { return n.E164 == "+"+whole }, matches, err)
	}
}
