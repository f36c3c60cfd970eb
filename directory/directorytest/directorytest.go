// Package directorytest is the conformance suite of [directory.Store]: what every store must keep, rule by rule.
package directorytest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

// A Harness makes stores for the suite.
type Harness struct {
	// Open gives an empty store that takes the time from the clock, and judges books as [Judges] says. The suite closes it.
	Open func(t *testing.T, clock func() time.Time) directory.Store
	// Reopen gives another handle on the same data, as a second process would have it. The suite closes it.
	Reopen func(t *testing.T, store directory.Store, clock func() time.Time) directory.Store
	// Only leaves out the cases whose names it does not take; nil takes all.
	Only func(name string) bool
}

// Run runs every case against stores of the harness.
func Run(t *testing.T, h Harness) {
	for _, c := range slices.Concat(cases, goneCases, readingCases, searchCases, awaitingCases, purgeCases, agentCases, bookCases) {
		if h.Only != nil && !h.Only(c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) { c.run(newBench(t, h)) })
	}
}

// A testCase is one rule; it says which.
type testCase struct {
	name string
	run  func(*bench)
}

var cases = []testCase{
	{"FirstFillCreates", firstFillCreates},
	{"UnchangedContactIsNotRewritten", unchangedContactIsNotRewritten},
	{"AnIdTwiceInOnePageCountsTwiceAndTheLastWins", twiceInOnePage},
	{"PageIsAppliedWholeOrNotAtAll", wholeOrNotAtAll},
	{"PageThatFailsAtItsEndLeavesNothing", wholeWhenItsEndFails},
	{"CancelledPageLeavesNothing", cancelledPage},
	{"PageCancelledMidwayIsWholeOrNothing", cancelledMidway},
	{"ReplayedPageChangesNothing", replayedPageChangesNothing},
	{"ReplayAfterTheEndChangesNothing", replayAfterTheEnd},
	{"CountsAreTheStoresOwn", countsAreTheStoresOwn},
	{"CheckpointIsTheLastOneSet", checkpointIsTheLastOneSet},
	{"NoCheckpointMeansInitialNext", noCheckpointMeansInitialNext},
	{"ResumedRunContinuesAtItsOffset", resumedRunContinues},
	{"StaleRunIsAbandoned", staleRunIsAbandoned},
	{"NothingIsResumedThatIsFreshForNothing", freshForNothing},
	{"ResumeStateSurvivesReopening", survivesReopening},
	{"FullStartsOver", fullStartsOver},
	{"LeaseKeepsSecondSynchronizerOut", leaseKeepsSecondOut},
	{"ExpiredLeaseIsTakenOver", expiredLeaseIsTakenOver},
	{"StrangersGetNoLease", strangersGetNoLease},
	{"OneOfManyStarts", oneOfManyStarts},
	{"WritersTakeTurns", writersTakeTurns},
	{"CompleteInitialRunDeletesWhatItDidNotShow", completeInitialRunDeletes},
	{"IncrementalRunJudgesNobody", incrementalRunJudgesNobody},
	{"UnfinishedRunJudgesNobody", unfinishedRunJudgesNobody},
	{"RestartedFromTheBeginningJudgesItsLastPass", restartedFromBeginning},
	{"RestartedFirstFillJudgesItsLastPass", restartedFirstFillJudges},
	{"OtherIntegrationsAreNotJudged", otherIntegrationsAreNotJudged},
	{"GuardStopsMassDeletion", guardStopsMassDeletion},
	{"NamedDeletions", namedDeletions},
	{"DeletedAndBackInOneRunStays", deletedAndBack},
	{"NumbersFollowTheContact", numbersFollowTheContact},
	{"OtherNumbersOfTheSamePhonesAreStored", otherNumbersOfTheSamePhones},
	{"EveryAgreeingNumberIsAMatch", everyAgreeingNumberIsAMatch},
	{"MatchesSayWhenTheContactChanged", matchesSayWhenChanged},
	{"SuffixFindsEndings", suffixFindsEndings},
	{"EndingsOfAllLengths", endingsOfAllLengths},
	{"SuffixMustBeSixDigitsOrMore", suffixMustBeDigits},
	{"PartialNumbersAreFoundByTheirDigitsOnly", partialNumbers},
	{"SharedNumberFindsEverybody", sharedNumber},
	{"LimitKeepsTheFirstInOrder", limitKeepsTheFirstInOrder},
	{"AccountsDoNotSeeEachOther", accountsDoNotSeeEachOther},
	{"IntegrationsKeepTheirOwnIds", integrationsKeepTheirOwnIDs},
	{"PagesInTheOrderOfStoring", pagesInTheOrderOfStoring},
	{"RejectedAreCountedAndListed", rejectedAreListed},
	{"RejectedAreReadInPages", rejectedAreReadInPages},
	{"RejectedDoNotPileUp", rejectedDoNotPileUp},
	{"FailedRunSaysWhy", failedRunSaysWhy},
	{"EverythingOfAContactSurvives", everythingSurvives},
	{"SpecialCharacters", specialCharacters},
	{"ContactsAreReadInPages", contactsAreReadInPages},
	{"LargePage", largePage},
	{"GiantContactIsStored", giantContact},
	{"GiantContactsDoNotSlowOthers", giantsDoNotSlowOthers},
	{"SearchIsBounded", searchIsBounded},
	{"ReadersWorkBesideAWriter", readersBesideAWriter},
	{"ModelAgrees", modelAgrees},
}

// A bench is the equipment of one case: a store, a clock, an integration.
type bench struct {
	*testing.T
	harness Harness
	store   directory.Store
	key     directory.Key

	mu  sync.Mutex
	now time.Time
}

func newBench(t *testing.T, h Harness) *bench {
	b := &bench{T: t, harness: h, key: directory.Key{Account: "acme", Integration: "crm"}, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b.store = h.Open(t, b.clock)
	t.Cleanup(func() {
		if err := b.store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return b
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// second is another process's handle on the same store.
func (b *bench) second() directory.Store {
	store := b.harness.Reopen(b.T, b.store, b.clock)
	b.Cleanup(func() { _ = store.Close() })
	return store
}

var ctx = context.Background()

const lease = time.Minute

func (b *bench) start(change ...func(*directory.Start)) *directory.Run {
	b.Helper()
	run, err := b.tryStart(b.store, change...)
	if err != nil {
		b.Fatalf("start a run: %v", err)
	}
	return run
}

func (b *bench) tryStart(store directory.Store, change ...func(*directory.Start)) (*directory.Run, error) {
	start := directory.Start{Lease: lease, FreshFor: time.Hour}
	for _, c := range change {
		c(&start)
	}
	return store.StartRun(ctx, b.key, start)
}

func full(s *directory.Start) { s.Full = true }

func (b *bench) apply(run *directory.Run, page directory.PageChanges) {
	b.Helper()
	if err := b.tryApply(run, page); err != nil {
		b.Fatalf("apply page %d: %v", run.Pages+1, err)
	}
}

// tryApply gives the page its number and, where it sets none, the guard of D7. Half of the pages are prepared first, where the store can do
// that: nothing may depend on it.
func (b *bench) tryApply(run *directory.Run, page directory.PageChanges) error {
	page.Seq = run.Pages + 1
	if ahead, can := b.store.(directory.Preparer); can && (run.ID+page.Seq)%2 == 0 {
		page.Contacts = slices.Clone(page.Contacts) // the records are the test's, which may change them
		ahead.Prepare(run.Key, &page)
	}
	if page.Guard == (directory.Guard{}) {
		page.Guard = directory.Guard{Share: 0.2, Min: 10}
	}
	return b.store.ApplyPage(ctx, run, page)
}

// complete does a whole run of one page.
func (b *bench) complete(page directory.PageChanges, change ...func(*directory.Start)) *directory.Run {
	b.Helper()
	run := b.start(change...)
	if page.Checkpoint == "" {
		page.Checkpoint = "c" + strconv.FormatInt(run.ID, 10)
	}
	b.apply(run, page)
	return run
}

// person makes a record with one full number.
func person(id, name, e164 string) directory.Record {
	r := directory.Record{Contact: contact.Contact{ID: id, Name: name}}
	if e164 != "" {
		r.Contact.Phones = []string{e164}
		r.Numbers = []directory.Number{{Raw: e164, E164: e164, Match: e164[1:]}}
	}
	return r
}

// people makes records with ids from first to last and this name.
func people(first, last int, name string) []directory.Record {
	var all []directory.Record
	for i := first; i <= last; i++ {
		all = append(all, person(fmt.Sprintf("%05d", i), name, fmt.Sprintf("+1415%07d", i)))
	}
	return all
}

// holds compares the integration's contacts (id → name) with what they must be.
func (b *bench) holds(want map[string]string) {
	b.Helper()
	got := b.contents(b.key)
	if !maps.Equal(got, want) {
		b.Errorf("the directory holds %v, want %v", got, want)
	}
	state, err := b.store.State(ctx, b.key)
	if err != nil {
		b.Fatal(err)
	}
	if state.Contacts != int64(len(want)) {
		b.Errorf("the state counts %d contacts, want %d", state.Contacts, len(want))
	}
}

func (b *bench) contents(key directory.Key) map[string]string {
	b.Helper()
	all := map[string]string{}
	for after := ""; ; {
		contacts, err := b.store.Contacts(ctx, key, after, 500)
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range contacts {
			all[c.ID], after = c.Name, c.ID
		}
		if len(contacts) < 500 {
			return all
		}
	}
}

func (b *bench) count(want int64) {
	b.Helper()
	state, err := b.store.State(ctx, b.key)
	if err != nil {
		b.Fatal(err)
	}
	if state.Contacts != want {
		b.Errorf("%d contacts, want %d", state.Contacts, want)
	}
}

// found are the ids that a number leads to.
func (b *bench) found(number string) []string {
	b.Helper()
	matches, err := b.store.ByE164(ctx, b.key.Account, []string{number}, 100)
	return b.ids(matches, err)
}

func (b *bench) foundBySuffix(digits string) []string {
	b.Helper()
	matches, err := b.store.BySuffix(ctx, b.key.Account, digits, 100)
	return b.ids(matches, err)
}

func (b *bench) ids(matches []directory.Match, err error) []string {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	if !slices.IsSortedFunc(matches, func(x, y directory.Match) int {
		return cmp.Or(cmp.Compare(x.Integration, y.Integration), cmp.Compare(x.Contact.ID, y.Contact.ID))
	}) {
		b.Errorf("matches are not ordered by integration and id: %+v", matches)
	}
	ids := []string{}
	for _, m := range matches {
		ids = append(ids, m.Contact.ID)
	}
	return ids
}

func (b *bench) wantIDs(got []string, want ...string) {
	b.Helper()
	if !slices.Equal(got, want) && len(got)+len(want) > 0 {
		b.Errorf("found %q, want %q", got, want)
	}
}

func (b *bench) wantCounts(run *directory.Run, created, updated, unchanged, deleted int64) {
	b.Helper()
	c := run.Counts
	if c.Created != created || c.Updated != updated || c.Unchanged != unchanged || c.Deleted != deleted {
		b.Errorf("created %d, updated %d, unchanged %d, deleted %d; want %d, %d, %d, %d", c.Created, c.Updated, c.Unchanged, c.Deleted, created, updated, unchanged, deleted)
	}
	if c.Created+c.Updated+c.Unchanged != c.Contacts {
		b.Errorf("created + updated + unchanged is not contacts: %+v", c)
	}
	runs, err := b.store.Runs(ctx, b.key, 0, 10)
	if err != nil {
		b.Fatal(err)
	}
	for _, stored := range runs {
		if stored.ID == run.ID && stored.Counts != c {
			b.Errorf("the stored run counts %+v, the returned one %+v", stored.Counts, c)
		}
	}
}

func (b *bench) wantError(err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Errorf("error %v, want %v", err, want)
	}
}
