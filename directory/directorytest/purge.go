package directorytest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

var purgeCases = []testCase{
	{"PurgeLeavesNothing", purgeLeavesNothing},
	{"PurgeTakesWhatItIsToldOnly", purgeTakesWhatItIsToldOnly},
	{"PurgedContactComesBackUnlessSuppressed", purgedComesBack},
	{"SuppressedContactIsRejected", suppressedIsRejected},
	{"UnknownIdsAreSuppressed", unknownIDsAreSuppressed},
	{"WhoWasPurgedIsKnown", whoWasPurgedIsKnown},
	{"PurgeBesideARun", purgeBesideARun},
	{"SuppressionsAreForgottenWithTheirIntegration", suppressionsAreForgotten},
	{"ForgetLeavesNothing", forgetLeavesNothing},
	{"ForgetKeepsOffWhatIsUnderWay", forgetKeepsOff},
	{"ForgottenIntegrationStartsOver", forgottenStartsOver},
	{"PruneKeepsTheNewestRun", pruneKeepsTheNewest},
	{"PruneTakesRejectionsAlong", pruneTakesRejections},
}

func (b *bench) purge(suppress bool, want int64, ids ...string) {
	b.Helper()
	var refs []directory.Ref
	for _, id := range ids {
		refs = append(refs, directory.Ref{Integration: b.key.Integration, ID: id})
	}
	if n, err := b.store.Purge(ctx, b.key.Account, refs, suppress); err != nil || n != want {
		b.Errorf("purged %d, %v; want %d", n, err, want)
	}
}

// rejected lists what could not be taken, without the store's numbers.
func (b *bench) rejected() []directory.Rejected {
	b.Helper()
	rejected, err := b.store.Rejected(ctx, b.key, 0, 10_000)
	if err != nil {
		b.Fatal(err)
	}
	for i := range rejected {
		rejected[i].Seq, rejected[i].Run = 0, 0
	}
	return rejected
}

func purgeLeavesNothing(b *bench) {
	jane := withNumbers("jane", "Jane Doe", "+14155550100")
	jane.Contact.Emails = []string{"jane@example.com"}
	b.complete(directory.PageChanges{
		Contacts: []directory.Record{jane, person("bob", "Bob", "")},
		Rejected: []directory.Rejected{{ID: "jane", Reason: "once"}, {ID: "cid", Reason: "has no name"}, {ID: "jane", Reason: "twice"}},
	})
	b.purge(false, 1, "jane")
	b.holds(map[string]string{"bob": "Bob"})
	_, err := b.store.Contact(ctx, b.key, "jane")
	b.wantError(err, directory.ErrNotFound)
	b.wantIDs(b.search("jane"))
	b.wantIDs(b.search("4155"))
	b.wantIDs(b.byEmail("jane@example.com"))
	b.wantIDs(b.found("+14155550100"))
	b.wantIDs(b.foundBySuffix("5550100"))
	if got := b.rejected(); !slices.Equal(got, []directory.Rejected{{ID: "cid", Reason: "has no name"}}) {
		b.Errorf("rejected %+v", got)
	}
	b.purge(false, 0, "jane")
}

func purgeTakesWhatItIsToldOnly(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 3, "Ann")})
	crm := b.key
	b.key.Integration = "helpdesk"
	b.complete(directory.PageChanges{Contacts: people(1, 3, "Bob")})
	b.key = directory.Key{Account: "other", Integration: "crm"}
	b.complete(directory.PageChanges{Contacts: people(1, 3, "Cid")})
	refs := []directory.Ref{
		{Integration: "crm", ID: "00001"},
		{Integration: "crm", ID: "00001"},
		{Integration: "helpdesk", ID: "00002"},
		{Integration: "crm", ID: "unknown"},
		{Integration: "unknown", ID: "00001"},
	}
	if n, err := b.store.Purge(ctx, crm.Account, refs, false); err != nil || n != 2 {
		b.Errorf("purged %d, %v; want 2", n, err)
	}
	if n, err := b.store.Purge(ctx, "unknown", refs, false); err != nil || n != 0 {
		b.Errorf("of an unknown account: purged %d, %v", n, err)
	}
	b.holds(map[string]string{"00001": "Cid", "00002": "Cid", "00003": "Cid"})
	b.key = crm
	b.holds(map[string]string{"00002": "Ann", "00003": "Ann"})
	b.key.Integration = "helpdesk"
	b.holds(map[string]string{"00001": "Bob", "00003": "Bob"})
}

func purgedComesBack(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 2, "Ann")})
	b.purge(false, 1, "00001")
	b.wantCounts(b.complete(directory.PageChanges{Contacts: people(1, 2, "Ann")}, full), 1, 0, 1, 0)
	b.holds(map[string]string{"00001": "Ann", "00002": "Ann"})
}

func suppressedIsRejected(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 4, "Ann")})
	b.purge(true, 2, "00001", "00003")
	b.purge(true, 0, "00001")
	page := directory.PageChanges{Contacts: append(people(1, 5, "Bob"), people(1, 1, "Cid")...), Rejected: []directory.Rejected{{ID: "x", Reason: "has no name"}}}
	run := b.complete(page, full)
	b.wantCounts(run, 1, 2, 0, 0)
	if run.Rejected != 4 { // 00001 twice, 00003, x
		b.Errorf("%d are rejected, want 4", run.Rejected)
	}
	b.holds(map[string]string{"00002": "Bob", "00004": "Bob", "00005": "Bob"})
	if len(page.Contacts) != 6 || page.Contacts[0].Contact.ID != "00001" || len(page.Rejected) != 1 {
		b.Errorf("the caller's page was changed: %+v", page)
	}
	b.wantIDs(b.search("cid"))
	b.wantIDs(b.found("+14150000001"))
	purged := 0
	for _, r := range b.rejected() {
		if r.Reason == directory.ReasonPurged {
			purged++
		}
		if strings.HasPrefix(r.ID, "0000") {
			b.Errorf("the purged id came back: %+v", r)
		}
	}
	if purged == 0 {
		b.Errorf("no reason is listed: %+v", b.rejected())
	}
	second := b.second()
	run, err := b.tryStart(second)
	if err == nil {
		err = second.ApplyPage(ctx, run, directory.PageChanges{Seq: 1, Contacts: people(1, 2, "Dan"), Deleted: []string{"00003"}})
	}
	if err != nil {
		b.Fatal(err)
	}
	b.wantCounts(run, 0, 1, 0, 0)
	b.holds(map[string]string{"00002": "Dan", "00004": "Bob", "00005": "Bob"})
}

func unknownIDsAreSuppressed(b *bench) {
	b.purge(true, 0, "00001") // before the first run
	if run := b.complete(directory.PageChanges{Contacts: people(1, 2, "Ann")}); run.Rejected != 1 {
		b.Errorf("%d are rejected, want 1", run.Rejected)
	}
	b.purge(true, 0, "00003")
	b.complete(directory.PageChanges{Contacts: people(1, 4, "Ann")})
	b.holds(map[string]string{"00002": "Ann", "00004": "Ann"})
	b.key.Integration = "helpdesk"
	b.complete(directory.PageChanges{Contacts: people(1, 2, "Bob")})
	b.holds(map[string]string{"00001": "Bob", "00002": "Bob"})
}

func whoWasPurgedIsKnown(b *bench) {
	want := func(ids []string, want ...bool) {
		b.Helper()
		if got, err := b.store.Purged(ctx, b.key, ids); err != nil || !slices.Equal(got, want) {
			b.Errorf("%q: %v, %v; want %v", ids, got, err, want)
		}
	}
	want([]string{"00001"}, false) // before the first run
	b.complete(directory.PageChanges{Contacts: people(1, 3, "Ann")})
	want([]string{"00001", "00002"}, false, false)
	b.purge(false, 1, "00003")
	b.purge(true, 1, "00001")
	b.purge(true, 0, "unknown")
	want([]string{"00001", "00002", "00003", "unknown", ""}, true, false, false, true, false)
	want(nil)
	b.key.Integration = "helpdesk"
	want([]string{"00001"}, false)
}

// purgeBesideARun purges between the pages of a run that judges.
func purgeBesideARun(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 6, "Ann")})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(1, 3, "Ann"), NextOffset: "2"})
	b.purge(true, 2, "00001", "00004")
	b.apply(run, directory.PageChanges{Contacts: people(4, 5, "Bob"), Checkpoint: "z"})
	b.wantCounts(run, 0, 1, 3, 1)
	if run.Rejected != 1 {
		b.Errorf("%d are rejected, want 1", run.Rejected)
	}
	b.holds(map[string]string{"00002": "Ann", "00003": "Ann", "00005": "Bob"})
}

func suppressionsAreForgotten(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 2, "Ann")})
	b.purge(true, 1, "00001")
	b.forget()
	b.complete(directory.PageChanges{Contacts: people(1, 2, "Ann")})
	b.holds(map[string]string{"00001": "Ann", "00002": "Ann"})
}

func (b *bench) forget() {
	b.Helper()
	if err := b.store.Forget(ctx, b.key); err != nil {
		b.Fatalf("forget %v: %v", b.key, err)
	}
}

func forgetLeavesNothing(b *bench) {
	jane := withEmails("jane", "Jane", "jane@example.com")
	b.complete(directory.PageChanges{Contacts: append(people(1, 3000, "Ann"), jane), Rejected: []directory.Rejected{{ID: "x", Reason: "r"}}, Checkpoint: "c"})
	crm := b.key
	b.key.Integration = "helpdesk"
	b.complete(directory.PageChanges{Contacts: people(1, 2, "Bob"), Checkpoint: "d"})
	b.key = crm
	b.forget()
	b.holds(map[string]string{})
	b.wantIDs(b.found("+14150000003"))
	b.wantIDs(b.foundBySuffix("0003000"))
	b.wantIDs(b.byEmail("jane@example.com"))
	b.wantIDs(b.search("ann"))
	b.wantIDs(b.search("415 000 3000"))
	if runs, err := b.store.Runs(ctx, b.key, 0, 9); err != nil || len(runs) != 0 {
		b.Errorf("runs %+v, %v", runs, err)
	}
	if rejected := b.rejected(); len(rejected) != 0 {
		b.Errorf("rejected %+v", rejected)
	}
	if state, err := b.store.State(ctx, b.key); err != nil || state != (directory.State{Key: crm}) {
		b.Errorf("state %+v, %v", state, err)
	}
	states, err := b.store.States(ctx, "")
	if err != nil || len(states) != 1 || states[0].Integration != "helpdesk" || states[0].Checkpoint != "d" {
		b.Errorf("states %+v, %v", states, err)
	}
	b.forget() // again
	b.key.Integration = "helpdesk"
	b.holds(map[string]string{"00001": "Bob", "00002": "Bob"})
	b.wantIDs(b.found("+14150000002"), "00002")
	b.wantIDs(b.search("bob"), "00001", "00002")
}

func forgetKeepsOff(b *bench) {
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(1, 2, "Ann"), NextOffset: "2"})
	err := b.second().Forget(ctx, b.key)
	var underWay *directory.UnderWayError
	if !errors.As(err, &underWay) || underWay.Run.ID != run.ID || underWay.Run.Key != b.key || underWay.Run.Lease != "" || !underWay.Until.After(b.clock()) {
		b.Fatalf("while a run is under way: %v (%+v), want an UnderWayError", err, underWay)
	}
	b.count(2)
	b.advance(2 * lease)
	b.forget()
	b.holds(map[string]string{})
	b.wantError(b.tryApply(run, directory.PageChanges{Contacts: people(3, 3, "Ann")}), directory.ErrLeaseLost)
	b.wantError(b.store.RenewLease(ctx, run, lease), directory.ErrLeaseLost)
	b.holds(map[string]string{})
}

// forgottenStartsOver forgets integrations and makes new ones, of the same and of other names: nothing may be mixed up.
func forgottenStartsOver(b *bench) {
	second := b.second()
	for round, name := range []string{"crm", "crm", "shop", "crm"} {
		b.key.Integration = name
		run := b.start()
		if run.Kind != directory.Initial || run.Since != "" || run.Resumed {
			b.Errorf("round %d: the run is %+v", round, run)
		}
		b.apply(run, directory.PageChanges{Contacts: people(1, 2, "Ann"), Checkpoint: "c"})
		b.wantCounts(run, 2, 0, 0, 0)
		for _, store := range []directory.Store{b.store, second} {
			matches, err := store.ByE164(ctx, b.key.Account, []string{"+14150000001"}, 9)
			if err != nil || len(matches) != 1 || matches[0].Key != b.key {
				b.Errorf("round %d: found %+v, %v; want one of %v", round, matches, err, b.key)
			}
		}
		b.forget()
	}
}

// pruneKeepsTheNewest lets hours go by between runs of all states.
func pruneKeepsTheNewest(b *bench) {
	started := b.clock()
	b.complete(directory.PageChanges{Contacts: people(1, 50, "Ann")})
	b.advance(time.Hour)
	abandoned := b.start()
	b.apply(abandoned, directory.PageChanges{NextOffset: "2"})
	b.advance(2 * time.Hour)
	done := b.complete(directory.PageChanges{})
	b.advance(time.Hour)
	guarded := b.start(full)
	if err := b.tryApply(guarded, directory.PageChanges{Contacts: people(1, 1, "Ann")}); !errors.As(err, new(*directory.GuardedError)) {
		b.Fatalf("error %v, want a GuardedError", err)
	}
	b.key.Integration = "resumable"
	failed := b.start()
	b.apply(failed, directory.PageChanges{Contacts: people(1, 1, "Ann"), NextOffset: "2"})
	if err := b.store.FailRun(ctx, failed, errors.New("x"), ""); err != nil {
		b.Fatal(err)
	}
	prune := func(before time.Time, want int64) {
		b.Helper()
		if n, err := b.store.Prune(ctx, before); err != nil || n != want {
			b.Errorf("pruned %d, %v; want %d", n, err, want)
		}
	}
	prune(started, 0)
	prune(started.Add(2*time.Hour), 1)
	b.key.Integration = "crm"
	runs, err := b.store.Runs(ctx, b.key, 0, 9)
	if err != nil || len(runs) != 3 || runs[2].ID != abandoned.ID {
		b.Errorf("runs %+v, %v; want all but the first", runs, err)
	}
	prune(b.clock().Add(24*time.Hour), 2)
	runs, err = b.store.Runs(ctx, b.key, 0, 9)
	if err != nil || len(runs) != 1 || runs[0].ID != guarded.ID || done.ID == guarded.ID {
		b.Errorf("runs %+v, %v; want the guarded one only", runs, err)
	}
	b.count(50)
	b.key.Integration = "resumable"
	if resumed := b.start(); !resumed.Resumed || resumed.ID != failed.ID {
		b.Errorf("after pruning: %+v", resumed)
	}
}

func pruneTakesRejections(b *bench) {
	b.complete(directory.PageChanges{Rejected: []directory.Rejected{{ID: "1", Reason: "old"}, {ID: "2", Reason: "old"}}})
	b.advance(time.Hour)
	b.complete(directory.PageChanges{Rejected: []directory.Rejected{{ID: "3", Reason: "new"}}})
	if n, err := b.store.Prune(ctx, b.clock()); err != nil || n != 1 {
		b.Errorf("pruned %d, %v; want 1", n, err)
	}
	if got := b.rejected(); !slices.Equal(got, []directory.Rejected{{ID: "3", Reason: "new"}}) {
		b.Errorf("rejected %+v, want the newest run's", got)
	}
}
