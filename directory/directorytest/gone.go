package directorytest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/contactbridge/contactbridge/directory"
)

// Who is gone, and who says so (D8, D9).
var goneCases = []testCase{
	{"InterruptedRunJudgesNobody", interruptedRunJudgesNobody},
	{"FailedAndResumedRunJudgesNobody", failedAndResumedJudgesNobody},
	{"InterruptedAtExactPositionsStillJudges", interruptedAtExactPositions},
	{"InterruptedWhereOnlySomePagesAreExactJudgesNobody", interruptedSomePagesExact},
	{"RestartedFullRunBeginsFromNothingAndJudges", restartedFullRun},
	{"RestartedTooOftenGoesOnFromAPagesCheckpoint", restartedTooOften},
	{"RestartedFirstFillGoesOnFromAPagesCheckpoint", restartedFirstFill},
	{"RestartClearsTheInterruption", restartClearsTheInterruption},
	{"RejectedWithAnIDCountsAsShown", rejectedCountsAsShown},
	{"RejectedOnALaterPageCountsAsShown", rejectedLater},
	{"RejectedWithoutAnIDMeansNobodyIsJudged", rejectedWithoutID},
	{"PurgedContactsAreNoReasonToDoubt", purgedAreNoDoubt},
	{"RejectedIsNotDeletedByName", rejectedIsNotDeletedByName},
	{"RestartedPageMakesTheRunInitial", restartedPageMakesInitial},
	{"RestartedMeansNothingLaterOn", restartedMeansNothingLater},
	{"RestartedPageAfterARefusedOffset", restartedPageAfterRefusedOffset},
	{"GuardStandsInFrontOfNamedDeletions", guardNamed},
	{"GuardCountsNamedDeletionsOfTheWholeRun", guardNamedOverPages},
	{"FirstFillDeletesWhatWentMeanwhile", firstFillDeletes},
	{"GuardIsNotWidenedByNewContacts", guardNotWidened},
	{"GuardCountsNamedAndUnshownTogether", guardNamedAndUnshown},
	{"FewNamedDeletionsHappenWhileOthersWait", fewNamedWhileOthersWait},
	{"NamedDeletionsOfAnAbandonedRunAreNotLost", namedOfAbandonedRun},
	{"NamedAndShownLaterInTheRunStays", namedAndShownLater},
	{"NoIsForWhatWasShown", noForgets},
	{"YesIsValidOnce", yesOnce},
	{"YesIsForTheContactsThatWereShown", yesForWhatWasShown},
	{"YesLeavesOutThoseThatCameBack", yesLeavesOutThoseThatCameBack},
	{"YesSurvivesReopening", yesSurvivesReopening},
	{"YesBesideARunUnderWay", yesBesideARun},
	{"ACompleteRunJudgesAnewWhatWaits", judgesAnew},
	{"HeldContactsAreReadInPages", heldInPages},
	{"PurgedContactsDoNotWait", purgedDoNotWait},
	{"ForgottenIntegrationHoldsNobody", forgottenHoldsNobody},
	{"ShareOfZeroAlwaysAsks", shareOfZero},
	{"RunThatBringsNobodyAsks", bringsNobody},
	{"RunThatBringsOnlyRejectedContactsAsks", bringsOnlyRejected},
	{"OtherSettingsStartOver", otherSettingsStartOver},
	{"OtherSettingsAbandonAHalfDoneRun", otherSettingsAbandon},
	{"UnknownSettingsAreAdopted", unknownSettingsAreAdopted},
	{"AsManyNumbersAsAreKept", manyNumbers},
}

// resume ends the run's process without a word, and goes on with the run.
func (b *bench) resume(change ...func(*directory.Start)) *directory.Run {
	b.Helper()
	b.advance(lease + 1)
	run := b.start(change...)
	if !run.Resumed {
		b.Fatalf("not resumed: %+v", run)
	}
	return run
}

func (b *bench) restart(run *directory.Run) {
	b.Helper()
	if err := b.store.RestartRun(ctx, run); err != nil {
		b.Fatal(err)
	}
}

// guarded applies a last page; the guard must hold its deletions back.
func (b *bench) guarded(run *directory.Run, page directory.PageChanges) *directory.GuardedError {
	b.Helper()
	err := b.tryApply(run, page)
	guarded, ok := errors.AsType[*directory.GuardedError](err)
	if !ok {
		b.Fatalf("error %v, want a GuardedError", err)
	}
	if run.State != directory.Guarded || run.Error != guarded.Error() || run.Hint != guarded.Explain().Hint || run.Error == "" {
		b.Errorf("the guarded run is %+v", run)
	}
	if held := b.held(); held != guarded.Held {
		b.Errorf("%+v is held back, the error says %+v", held, guarded.Held)
	}
	return guarded
}

// holdBack is guarded, of which only the consequences matter.
func (b *bench) holdBack(run *directory.Run, page directory.PageChanges) {
	b.Helper()
	_ = b.guarded(run, page)
}

func (b *bench) held() directory.Held {
	b.Helper()
	state, err := b.store.State(ctx, b.key)
	if err != nil {
		b.Fatal(err)
	}
	all, err := b.store.States(ctx, b.key.Account)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range all {
		if s.Key == b.key && s.Held != state.Held {
			b.Errorf("State says that %+v is held back, States says %+v", state.Held, s.Held)
		}
	}
	if n := int64(len(b.waiting())); n != state.Held.Count {
		b.Errorf("%d contacts are held back, the state says %d", n, state.Held.Count)
	}
	return state.Held
}

// waiting returns the ids of the contacts that are held back, sorted.
func (b *bench) waiting() []string {
	b.Helper()
	list, err := b.store.Held(ctx, b.key, 0, 10_000)
	if err != nil {
		b.Fatal(err)
	}
	ids := []string{}
	for _, h := range list {
		ids = append(ids, h.Contact.ID)
	}
	slices.Sort(ids)
	return ids
}

// yes says yes to what is held back.
func (b *bench) yes(want int64) {
	b.Helper()
	if n, err := b.store.DeleteHeld(ctx, b.key, b.held().Set); n != want || err != nil {
		b.Errorf("the confirmation deleted %d, %v; want %d", n, err, want)
	}
	if held := b.held(); held != (directory.Held{}) {
		b.Errorf("after the confirmation %+v is held back", held)
	}
}

func (b *bench) refused(set string, now directory.Held) {
	b.Helper()
	for name, answer := range map[string]func() (int64, error){
		"yes": func() (int64, error) { return b.store.DeleteHeld(ctx, b.key, set) },
		"no":  func() (int64, error) { return b.store.KeepHeld(ctx, b.key, set) },
	} {
		n, err := answer()
		refused, ok := errors.AsType[*directory.HeldError](err)
		if n != 0 || !ok || refused.Now != now {
			b.Errorf("the %s for set %q: %d, %v; want a HeldError with %+v", name, set, n, err, now)
		}
	}
}

func (b *bench) wantDoubt(run *directory.Run, want directory.Doubt) {
	b.Helper()
	if run.Evidence.Doubt != want {
		b.Errorf("the run's doubt is %q, want %q", run.Evidence.Doubt, want)
	}
	runs, err := b.store.Runs(ctx, b.key, 0, 10)
	if err != nil {
		b.Fatal(err)
	}
	for _, stored := range runs {
		if stored.ID == run.ID && (stored.Evidence != run.Evidence || stored.Kind != run.Kind || stored.Since != run.Since) {
			b.Errorf("the stored run is %s from %q with %+v, the returned one %s from %q with %+v", stored.Kind, stored.Since, stored.Evidence, run.Kind, run.Since, run.Evidence)
		}
	}
}

func interruptedRunJudgesNobody(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(1, 3, "Ann"), NextOffset: "2"})
	resumed := b.resume()
	b.apply(resumed, directory.PageChanges{Contacts: people(5, 5, "Ann"), Checkpoint: "z"})
	b.wantCounts(resumed, 0, 0, 4, 0)
	b.wantDoubt(resumed, directory.DoubtInterrupted)
	if resumed.Judged() || resumed.Evidence.Doubt.String() == "" {
		b.Errorf("it judged, or does not say why not: %+v", resumed)
	}
	b.count(5)
	b.wantDoubt(b.complete(directory.PageChanges{Contacts: people(1, 3, "Ann")}, full), "")
	b.count(3)
}

func failedAndResumedJudgesNobody(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(1, 3, "Ann"), NextOffset: "2"})
	if err := b.store.FailRun(ctx, run, errors.New("the bridge is down"), ""); err != nil {
		b.Fatal(err)
	}
	resumed := b.start()
	b.apply(resumed, directory.PageChanges{Contacts: people(5, 5, "Ann"), Checkpoint: "z"})
	b.wantDoubt(resumed, directory.DoubtInterrupted)
	b.count(5)
}

func interruptedAtExactPositions(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(1, 3, "Ann"), NextOffset: "2", Exact: true})
	resumed := b.resume()
	b.apply(resumed, directory.PageChanges{Contacts: people(5, 5, "Ann"), Checkpoint: "z", Exact: true})
	b.wantCounts(resumed, 0, 0, 4, 1)
	b.wantDoubt(resumed, "")
	if !resumed.Judged() {
		b.Errorf("it did not judge: %+v", resumed)
	}
	b.holds(map[string]string{"00001": "Ann", "00002": "Ann", "00003": "Ann", "00005": "Ann"})
}

func interruptedSomePagesExact(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	for _, exact := range [][2]bool{{true, false}, {false, true}} {
		run := b.start(full)
		b.apply(run, directory.PageChanges{Contacts: people(1, 3, "Ann"), NextOffset: "2", Exact: exact[0]})
		resumed := b.resume()
		b.apply(resumed, directory.PageChanges{Contacts: people(5, 5, "Ann"), Checkpoint: "z", Exact: exact[1]})
		b.wantDoubt(resumed, directory.DoubtInterrupted)
		b.count(5)
	}
}

func restartedFullRun(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann"), Checkpoint: "a"})
	run := b.start(full)
	b.apply(run, directory.PageChanges{
		Contacts: people(1, 2, "Ann"), NextOffset: "2", Checkpoint: "p1", Rejected: []directory.Rejected{{Reason: "has no id"}}, Context: []byte(`1`),
	})
	b.wantDoubt(run, directory.DoubtNameless)
	b.restart(run)
	if run.Since != "" || run.Offset != "" || run.Context != nil || run.Kind != directory.Initial || run.Pages != 1 {
		b.Errorf("restarted: %+v", run)
	}
	b.wantDoubt(run, "")
	b.apply(run, directory.PageChanges{Contacts: people(3, 5, "Ann"), Checkpoint: "z"})
	b.holds(map[string]string{"00003": "Ann", "00004": "Ann", "00005": "Ann"})
}

func restartedTooOften(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann"), Checkpoint: "a"})
	run := b.start(full)
	for n := 1; run.Kind == directory.Initial; n++ {
		if n > 5 {
			b.Fatalf("restarted %d times: %+v", n, run)
		}
		b.apply(run, directory.PageChanges{Contacts: people(1, 2, "Ann"), NextOffset: "2", Checkpoint: "p" + fmt.Sprint(n)})
		b.restart(run)
	}
	if run.Since != run.Checkpoint || run.Offset != "" {
		b.Errorf("restarted: %+v", run)
	}
	b.apply(run, directory.PageChanges{Contacts: people(4, 5, "Ann"), Checkpoint: "z"})
	b.wantDoubt(run, directory.DoubtRefused)
	b.count(5)
}

func restartedFirstFill(b *bench) {
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(1, 2, "Ann"), NextOffset: "2", Checkpoint: "p1"})
	b.restart(run)
	if run.Since != "p1" || run.Offset != "" || run.Kind != directory.Incremental || run.Pages != 1 {
		b.Errorf("restarted: %+v", run)
	}
	b.apply(run, directory.PageChanges{Contacts: people(4, 5, "Ann"), Checkpoint: "z"})
	b.wantDoubt(run, directory.DoubtRefused)
	b.count(4)
}

func restartClearsTheInterruption(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(1, 3, "Ann"), NextOffset: "2"})
	run = b.resume()
	b.restart(run)
	b.apply(run, directory.PageChanges{Contacts: people(1, 4, "Ann"), Checkpoint: "z"})
	b.wantDoubt(run, "")
	b.count(4)
}

func rejectedCountsAsShown(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	run := b.complete(directory.PageChanges{Contacts: people(2, 4, "Ann"), Rejected: []directory.Rejected{
		{ID: "00001", Reason: "phones holds something that is not a string"}, {ID: "unknown", Reason: "x"},
	}}, full)
	b.wantCounts(run, 0, 0, 3, 1)
	b.holds(map[string]string{"00001": "Ann", "00002": "Ann", "00003": "Ann", "00004": "Ann"})
	b.wantIDs(b.found("+14150000001"), "00001")
}

func rejectedLater(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(1, 3, "Ann"), NextOffset: "2"})
	b.apply(run, directory.PageChanges{Rejected: []directory.Rejected{{ID: "00004", Reason: "x"}, {ID: "00001", Reason: "x"}}, NextOffset: "3"})
	b.apply(run, directory.PageChanges{Checkpoint: "z"})
	b.holds(map[string]string{"00001": "Ann", "00002": "Ann", "00003": "Ann", "00004": "Ann"})
}

func rejectedWithoutID(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(1, 3, "Ann"), Rejected: []directory.Rejected{{Reason: "has no id"}}, NextOffset: "2"})
	b.apply(run, directory.PageChanges{Contacts: people(4, 4, "Ann"), Checkpoint: "z"})
	b.wantDoubt(run, directory.DoubtNameless)
	b.count(5)
	if run.State != directory.Done || run.Judged() {
		b.Errorf("the run is %+v", run)
	}
}

func purgedAreNoDoubt(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	b.purge(true, 1, "00001")
	run := b.complete(directory.PageChanges{Contacts: people(1, 4, "Ann")}, full)
	b.wantDoubt(run, "")
	b.holds(map[string]string{"00002": "Ann", "00003": "Ann", "00004": "Ann"})
}

func rejectedIsNotDeletedByName(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	b.complete(directory.PageChanges{Deleted: []string{"00001", "00002"}, Rejected: []directory.Rejected{{ID: "00001", Reason: "x"}}})
	b.holds(map[string]string{"00001": "Ann", "00003": "Ann", "00004": "Ann", "00005": "Ann"})
}

func restartedPageMakesInitial(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann"), Checkpoint: "a"})
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(1, 2, "Ann"), NextOffset: "2", Restarted: true})
	if run.Kind != directory.Initial || run.Since != "a" {
		b.Errorf("the run is %+v, want an initial one whose pages are asked for with the checkpoint a", run)
	}
	b.apply(run, directory.PageChanges{Contacts: people(3, 3, "Bob"), Checkpoint: "b"})
	b.wantDoubt(run, "")
	b.wantCounts(run, 0, 1, 2, 2)
	b.holds(map[string]string{"00001": "Ann", "00002": "Ann", "00003": "Bob"})
	if next := b.start(); next.Since != "b" || next.Kind != directory.Incremental {
		b.Errorf("the next run is %+v", next)
	}
}

func restartedMeansNothingLater(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann"), Checkpoint: "a"})
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(1, 1, "Ann"), NextOffset: "2"})
	b.apply(run, directory.PageChanges{Contacts: people(2, 2, "Ann"), Checkpoint: "b", Restarted: true})
	b.wantDoubt(run, directory.DoubtIncremental)
	b.count(5)
	// An initial run is one already.
	run = b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(1, 3, "Ann"), Rejected: []directory.Rejected{{Reason: "has no id"}}, NextOffset: "2", Restarted: true})
	b.apply(run, directory.PageChanges{Checkpoint: "c", Restarted: true})
	b.wantDoubt(run, directory.DoubtNameless)
	b.count(5)
}

func restartedPageAfterRefusedOffset(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann"), Checkpoint: "a"})
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(9, 9, "New"), NextOffset: "2"})
	b.restart(run)
	b.apply(run, directory.PageChanges{Contacts: people(1, 4, "Ann"), Checkpoint: "b", Restarted: true})
	b.wantDoubt(run, "")
	b.holds(map[string]string{"00001": "Ann", "00002": "Ann", "00003": "Ann", "00004": "Ann"}) // the first pass showed 9, and it is gone since
}

func ids(first, last int) []string {
	var all []string
	for _, r := range people(first, last, "") {
		all = append(all, r.Contact.ID)
	}
	return all
}

func guardNamed(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 50, "Ann"), Checkpoint: "a"})
	run := b.start()
	guarded := b.guarded(run, directory.PageChanges{Contacts: people(51, 52, "New"), Deleted: ids(1, 20), Checkpoint: "b"})
	if guarded.Deleted != 20 || guarded.Named != 20 || guarded.Total != 50 || guarded.Held.Count != 20 {
		b.Errorf("guarded: %+v", guarded)
	}
	b.wantCounts(run, 2, 0, 0, 0)
	b.count(52)
	b.wantIDs(b.waiting(), ids(1, 20)...)
	list, err := b.store.Held(ctx, b.key, 0, 1)
	if err != nil || len(list) != 1 || !list[0].Named || list[0].Contact.Name != "Ann" || list[0].Key != b.key {
		b.Errorf("held back: %+v, %v", list, err)
	}
	if next := b.start(); next.Since != "b" {
		b.Errorf("the checkpoint did not move: the next run starts from %q", next.Since)
	}
	b.yes(20)
	b.count(32)
	b.wantIDs(b.found("+14150000001"))
}

func guardNamedOverPages(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 50, "Ann"), Checkpoint: "a"})
	run := b.start()
	for n := 1; n <= 16; n += 5 {
		b.apply(run, directory.PageChanges{Deleted: ids(n, n+4), NextOffset: fmt.Sprint(n)})
		if n == 6 { // in another process
			run = b.resume()
		}
	}
	if guarded := b.guarded(run, directory.PageChanges{Checkpoint: "b"}); guarded.Deleted != 20 {
		b.Errorf("guarded: %+v", guarded)
	}
	b.count(50)
	b.yes(20)
	b.count(30)
}

// firstFillDeletes has contacts deleted in the external service after the first run of an integration has brought them.
func firstFillDeletes(b *bench) {
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(1, 100, "Ann"), NextOffset: "2"})
	b.apply(run, directory.PageChanges{Contacts: people(101, 200, "Ann"), Deleted: ids(1, 15), Checkpoint: "a"})
	b.count(185)
	b.holdBack(b.start(), directory.PageChanges{Contacts: people(201, 210, "Ann"), Deleted: ids(16, 80), Checkpoint: "b"})
}

// guardNotWidened names everybody who was there as deleted, in a run that brings many more.
func guardNotWidened(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 30, "Ann"), Checkpoint: "a"})
	guarded := b.guarded(b.start(), directory.PageChanges{Contacts: people(31, 500, "Ann"), Deleted: ids(1, 30), Checkpoint: "b"})
	if guarded.Deleted != 30 || guarded.Total != 30 {
		b.Errorf("guarded: %+v", guarded)
	}
	b.count(500)
}

func guardNamedAndUnshown(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 50, "Ann"), Checkpoint: "a"})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(1, 20, "Ann"), NextOffset: "2"})
	guarded := b.guarded(run, directory.PageChanges{Contacts: people(21, 42, "Ann"), Deleted: ids(1, 4), Checkpoint: "b"})
	if guarded.Deleted != 12 || guarded.Named != 4 || guarded.Total != 50 {
		b.Errorf("guarded: %+v", guarded)
	}
	b.wantIDs(b.waiting(), append(ids(1, 4), ids(43, 50)...)...)
}

func fewNamedWhileOthersWait(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 50, "Ann"), Checkpoint: "a"})
	b.holdBack(b.start(), directory.PageChanges{Deleted: ids(1, 20), Checkpoint: "b"})
	set := b.held().Set
	b.wantCounts(b.complete(directory.PageChanges{Deleted: append(ids(1, 3), ids(40, 44)...)}), 0, 0, 0, 5)
	b.count(45)
	b.wantIDs(b.waiting(), ids(1, 20)...)
	if b.held().Set != set {
		b.Errorf("the set became %s, and nothing was added to it", b.held().Set)
	}
	b.yes(20)
	b.count(25)
}

func namedOfAbandonedRun(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 50, "Ann"), Checkpoint: "a"})
	run := b.start()
	b.apply(run, directory.PageChanges{Deleted: ids(1, 3), NextOffset: "2"})
	b.count(50) // the run's end decides
	if err := b.store.FailRun(ctx, run, errors.New("x"), ""); err != nil {
		b.Fatal(err)
	}
	// A full run of a bridge names no deleted contacts, and this one cannot judge.
	run = b.complete(directory.PageChanges{Contacts: people(2, 50, "Ann"), Rejected: []directory.Rejected{{Reason: "has no id"}}}, full)
	b.wantCounts(run, 0, 0, 49, 1)
	if _, err := b.store.Contact(ctx, b.key, "00001"); !errors.Is(err, directory.ErrNotFound) {
		b.Errorf("contact 1, which the bridge named and did not show again: %v", err)
	}
}

func namedAndShownLater(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 50, "Ann"), Checkpoint: "a"})
	run := b.start()
	b.apply(run, directory.PageChanges{Deleted: ids(1, 3), NextOffset: "2"})
	b.apply(run, directory.PageChanges{Contacts: people(2, 2, "Ann"), Rejected: []directory.Rejected{{ID: "00003", Reason: "x"}}, Deleted: []string{"00002"}, NextOffset: "3"})
	b.apply(run, directory.PageChanges{Checkpoint: "b"})
	b.wantCounts(run, 0, 0, 1, 1)
	b.count(49)
}

func noForgets(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 50, "Ann"), Checkpoint: "a"})
	b.holdBack(b.start(), directory.PageChanges{Deleted: ids(1, 20), Checkpoint: "b"})
	set := b.held().Set
	if n, err := b.store.KeepHeld(ctx, b.key, set); n != 20 || err != nil {
		b.Errorf("the no kept %d, %v", n, err)
	}
	b.wantIDs(b.waiting())
	b.count(50)
	b.refused(set, directory.Held{})
	b.complete(directory.PageChanges{Deleted: ids(1, 2)}) // named again, and few
	b.count(48)
}

func yesOnce(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 100, "Ann"), Checkpoint: "a"})
	b.refused("", directory.Held{})
	b.refused("1", directory.Held{})
	b.holdBack(b.start(full), directory.PageChanges{Contacts: people(26, 100, "Ann"), Checkpoint: "b"})
	set := b.held().Set
	b.refused("", directory.Held{Set: set, Count: 25})
	b.yes(25)
	b.refused(set, directory.Held{})
	// The source then shows no contacts, or few: that was not shown to anyone.
	run := b.start(full)
	if guarded := b.guarded(run, directory.PageChanges{Contacts: people(26, 30, "Ann"), Checkpoint: "c"}); guarded.Deleted != 70 {
		b.Errorf("guarded: %+v", guarded)
	}
	b.count(75)
	b.refused(set, b.held())
}

func yesForWhatWasShown(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 100, "Ann"), Checkpoint: "a"})
	b.holdBack(b.start(full), directory.PageChanges{Contacts: people(26, 100, "Ann"), Checkpoint: "b"})
	shown := b.held().Set
	b.holdBack(b.start(full), directory.PageChanges{Contacts: people(27, 100, "Ann"), Checkpoint: "c"})
	now := b.held()
	if now.Count != 26 || now.Set == shown {
		b.Errorf("one more is held back: %+v, was set %s", now, shown)
	}
	b.refused(shown, now)
	b.count(100)
	// The same contacts again: what was shown is still what waits.
	b.holdBack(b.start(full), directory.PageChanges{Contacts: people(27, 100, "Ann"), Checkpoint: "d"})
	if b.held() != now {
		b.Errorf("%+v is held back, want %+v as before", b.held(), now)
	}
	b.yes(26)
	b.count(74)
}

func yesLeavesOutThoseThatCameBack(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 100, "Ann"), Checkpoint: "a"})
	b.holdBack(b.start(full), directory.PageChanges{Contacts: people(26, 100, "Ann"), Checkpoint: "b"})
	shown := b.held().Set
	b.complete(directory.PageChanges{Contacts: append(people(1, 1, "Ann"), people(2, 2, "Eve")...), Rejected: []directory.Rejected{{ID: "00003", Reason: "x"}}, Checkpoint: "c"})
	if held := b.held(); held.Set != shown || held.Count != 22 {
		b.Errorf("%+v is held back, want 22 of set %s", held, shown)
	}
	if n, err := b.store.DeleteHeld(ctx, b.key, shown); n != 22 || err != nil {
		b.Errorf("the confirmation deleted %d, %v", n, err)
	}
	b.count(78)
	if c, err := b.store.Contact(ctx, b.key, "00002"); err != nil || c.Name != "Eve" {
		b.Errorf("contact 2, which came back: %+v, %v", c, err)
	}
}

func yesSurvivesReopening(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 100, "Ann"), Checkpoint: "a"})
	b.holdBack(b.start(full), directory.PageChanges{Contacts: people(26, 100, "Ann"), Checkpoint: "b"})
	set := b.held().Set
	if n, err := b.second().DeleteHeld(ctx, b.key, set); n != 25 || err != nil {
		b.Errorf("another process's yes deleted %d, %v", n, err)
	}
	b.count(75)
	b.refused(set, directory.Held{})
}

func yesBesideARun(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 100, "Ann"), Checkpoint: "a"})
	b.holdBack(b.start(full), directory.PageChanges{Contacts: people(26, 100, "Ann"), Checkpoint: "b"})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(1, 50, "Ann"), NextOffset: "2"}) // all of them came back
	b.refused("1", directory.Held{})
	b.apply(run, directory.PageChanges{Contacts: people(51, 99, "Ann"), Checkpoint: "c"})
	b.count(99)

	b.holdBack(b.start(full), directory.PageChanges{Contacts: people(31, 99, "Ann"), Checkpoint: "d"})
	run = b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(31, 90, "Ann"), NextOffset: "2"})
	b.yes(30)
	b.count(69)
	b.apply(run, directory.PageChanges{Contacts: append(people(1, 1, "Back"), people(91, 98, "Ann")...), Checkpoint: "e"})
	b.wantCounts(run, 1, 0, 68, 1)
	b.count(69)
}

func judgesAnew(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 100, "Ann"), Checkpoint: "a"})
	b.holdBack(b.start(full), directory.PageChanges{Contacts: people(26, 100, "Ann"), Checkpoint: "b"})
	// All but two came back: those two are few enough.
	b.wantCounts(b.complete(directory.PageChanges{Contacts: people(3, 100, "Ann")}, full), 0, 0, 98, 2)
	b.wantIDs(b.waiting())
	b.count(98)
}

func heldInPages(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 100, "Ann"), Checkpoint: "a"})
	b.holdBack(b.start(full), directory.PageChanges{Contacts: people(26, 100, "Ann"), Deleted: ids(26, 30), Checkpoint: "b"})
	named := map[string]bool{}
	after, n := int64(0), 0
	for {
		list, err := b.store.Held(ctx, b.key, after, 7)
		if err != nil {
			b.Fatal(err)
		}
		for _, h := range list {
			if h.Seq <= after {
				b.Fatalf("seq %d comes after %d", h.Seq, after)
			}
			after, named[h.Contact.ID] = h.Seq, h.Named
			n++
		}
		if len(list) < 7 {
			break
		}
	}
	want := map[string]bool{}
	for _, id := range ids(1, 25) {
		want[id] = false
	}
	if n != 25 || !maps.Equal(named, want) {
		b.Errorf("%d contacts are held back: %v", n, named)
	}
}

func purgedDoNotWait(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 100, "Ann"), Checkpoint: "a"})
	b.holdBack(b.start(full), directory.PageChanges{Contacts: people(26, 100, "Ann"), Checkpoint: "b"})
	b.purge(true, 1, "00001")
	b.wantIDs(b.waiting(), ids(2, 25)...)
	b.yes(24)
	b.count(75)
}

func forgottenHoldsNobody(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 100, "Ann"), Checkpoint: "a"})
	b.holdBack(b.start(full), directory.PageChanges{Contacts: people(26, 100, "Ann"), Checkpoint: "b"})
	if err := b.store.Forget(ctx, b.key); err != nil {
		b.Fatal(err)
	}
	b.complete(directory.PageChanges{Contacts: people(1, 100, "Ann"), Checkpoint: "a"})
	b.wantIDs(b.waiting())
	b.refused("1", directory.Held{})
}

func shareOfZero(b *bench) {
	for _, guard := range []directory.Guard{directory.NewGuard(0, 0), directory.NewGuard(0, 10)} {
		b.complete(directory.PageChanges{Contacts: people(1, 100, "Ann"), Checkpoint: "a"})
		b.holdBack(b.start(full), directory.PageChanges{Contacts: people(2, 100, "Ann"), Checkpoint: "b", Guard: guard})
		b.holdBack(b.start(), directory.PageChanges{Deleted: ids(2, 2), Checkpoint: "c", Guard: guard})
		b.count(100)
		b.yes(2)
	}
	if g := (directory.Guard{}).OrDefault(); g != directory.DefaultGuard() || directory.NewGuard(0, 0).OrDefault() == g {
		b.Errorf("a guard of zero is the default one")
	}
}

func bringsNobody(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 3, "Ann"), Checkpoint: "a"})
	for _, guard := range []directory.Guard{directory.DefaultGuard(), {Share: 1, Min: 100}} {
		run := b.start(full)
		guarded := b.guarded(run, directory.PageChanges{Checkpoint: "b", Guard: guard})
		if !guarded.BroughtNobody || guarded.Deleted != 3 {
			b.Errorf("guarded: %+v", guarded)
		}
		b.count(3)
	}
	// A new contact counts.
	b.wantCounts(b.complete(directory.PageChanges{Contacts: people(4, 4, "New")}, full), 1, 0, 0, 3)
	// What the first pass showed was not shown by the one that counts.
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(4, 4, "New"), NextOffset: "2"})
	b.restart(run)
	b.holdBack(run, directory.PageChanges{Checkpoint: "c"})
	b.yes(1)
	// No contacts of no contacts need no decision.
	b.complete(directory.PageChanges{}, full)
}

// A run with only rejected contacts brings no contact either, whatever their ids: the bridge may have broken them, too.
func bringsOnlyRejected(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 3, "Ann"), Checkpoint: "a"})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Rejected: []directory.Rejected{{ID: "crm-1", Reason: "phones holds something that is not a string"}}, NextOffset: "2"})
	guarded := b.guarded(run, directory.PageChanges{Rejected: []directory.Rejected{{ID: "00003", Reason: "phones holds something that is not a string"}}, Checkpoint: "b"})
	if !guarded.BroughtNobody || guarded.Deleted != 2 || guarded.Rejected != 2 {
		b.Errorf("guarded: %+v", guarded)
	}
	b.wantIDs(b.waiting(), ids(1, 2)...)
	// Where they are the ones that are known, no contact is missing.
	b.complete(directory.PageChanges{Rejected: []directory.Rejected{{ID: "00001"}, {ID: "00002"}, {ID: "00003"}}, Checkpoint: "c"}, full)
	b.wantIDs(b.waiting())
	b.count(3)
}

func with(settings string) func(*directory.Start) {
	return func(s *directory.Start) { s.Settings = settings }
}

func otherSettingsStartOver(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann"), Checkpoint: "a"}, with("one"))
	if run := b.complete(directory.PageChanges{Checkpoint: "b"}, with("one")); run.Since != "a" || run.Settings != "one" {
		b.Errorf("with the same settings: %+v", run)
	}
	run := b.start(with("two"))
	if run.Kind != directory.Initial || run.Since != "" {
		b.Errorf("with other settings: %+v", run)
	}
	b.apply(run, directory.PageChanges{Contacts: people(1, 2, "Ann"), NextOffset: "2", Checkpoint: "c"})
	if err := b.store.FailRun(ctx, run, errors.New("x"), ""); err != nil {
		b.Fatal(err)
	}
	// Back again, before there was a complete run: the old checkpoint is not good any more.
	if back := b.start(with("one")); back.Kind != directory.Initial || back.Resumed {
		b.Errorf("with the first settings again: %+v", back)
	}
}

func otherSettingsAbandon(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann"), Checkpoint: "a"}, with("one"))
	run := b.start(full, with("one"))
	b.apply(run, directory.PageChanges{Contacts: people(1, 3, "Ann"), NextOffset: "2", Exact: true, Deleted: ids(5, 5)})
	b.advance(lease + 1)
	other := b.start(with("two"))
	if other.Resumed || other.ID == run.ID || other.Kind != directory.Initial {
		b.Errorf("with other settings: %+v", other)
	}
	b.apply(other, directory.PageChanges{Contacts: people(1, 1, "Ann"), Rejected: []directory.Rejected{{Reason: "has no id"}}, Checkpoint: "b"})
	b.count(5) // nor is anyone deleted whom the other bridge named
	runs, err := b.store.Runs(ctx, b.key, 0, 2)
	if err != nil || len(runs) != 2 || runs[1].State != directory.Abandoned {
		b.Errorf("runs: %+v, %v", runs, err)
	}
}

func unknownSettingsAreAdopted(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann"), Checkpoint: "a"})
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(1, 1, "Ann"), NextOffset: "2"})
	run = b.resume(with("one"))
	if run.Settings != "one" {
		b.Errorf("resumed with settings: %+v", run)
	}
	b.apply(run, directory.PageChanges{Checkpoint: "b"})
	run = b.complete(directory.PageChanges{Checkpoint: "c"}, with("one"))
	if run.Since != "b" {
		b.Errorf("settings that were adopted start over: %+v", run)
	}
	if run = b.complete(directory.PageChanges{Checkpoint: "d"}); run.Since != "c" { // a run without a checkpoint
		b.Errorf("without settings: %+v", run)
	}
	if run = b.start(with("two")); run.Since != "" {
		b.Errorf("with others: %+v", run)
	}
}

// manyNumbers: what is too much for one store is too much for the other, and stops no page (D11).
func manyNumbers(b *bench) {
	r := person("00001", "Exchange", "")
	for n := range 40_000 {
		e164 := fmt.Sprintf("+4930%08d", n)
		r.Numbers = append(r.Numbers, directory.Number{Raw: e164, E164: e164, Match: e164[1:]})
	}
	b.complete(directory.PageChanges{Contacts: append(people(2, 2, "Ann"), r)})
	b.wantIDs(b.found(r.Numbers[directory.MaxNumbers-1].E164), "00001")
	b.wantIDs(b.found(r.Numbers[directory.MaxNumbers].E164))
	for text, want := range map[string]int{r.Numbers[0].E164: 1, r.Numbers[directory.MaxNumbers-1].E164: 1, r.Numbers[directory.MaxNumbers].E164: 0} {
		if found, err := b.store.Search(ctx, b.key.Account, directory.Query{Text: text}); err != nil || len(found) != want {
			b.Errorf("search for %s finds %d, %v; want %d", text, len(found), err, want)
		}
	}
}
