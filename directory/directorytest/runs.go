package directorytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

func checkpointIsTheLastOneSet(b *bench) {
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(1, 1, "Ann"), NextOffset: "2", Checkpoint: "a"})
	if state, err := b.store.State(ctx, b.key); err != nil || state.Checkpoint != "" {
		b.Errorf("checkpoint %q in the middle of the run, %v", state.Checkpoint, err)
	}
	b.apply(run, directory.PageChanges{Contacts: people(2, 2, "Ann"), NextOffset: "3", Checkpoint: "b"})
	b.apply(run, directory.PageChanges{})
	next := b.start()
	if next.Since != "b" || next.Kind != directory.Incremental {
		b.Errorf("the next run is %s from %q, want incremental from b", next.Kind, next.Since)
	}
}

func noCheckpointMeansInitialNext(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 1, "Ann"), Checkpoint: "a"})
	run := b.start()
	b.apply(run, directory.PageChanges{})
	if next := b.start(); next.Since != "" || next.Kind != directory.Initial {
		b.Errorf("the next run is %s from %q, want initial", next.Kind, next.Since)
	}
}

func resumedRunContinues(b *bench) {
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(1, 2, "Ann"), NextOffset: "2", Context: json.RawMessage(`{"a": [1]}`), Checkpoint: "a"})
	if err := b.store.FailRun(ctx, run, errors.New("the bridge is down"), "Start it."); err != nil {
		b.Fatal(err)
	}
	resumed := b.start()
	if !resumed.Resumed || resumed.ID != run.ID || resumed.Offset != "2" || string(resumed.Context) != `{"a": [1]}` || resumed.Checkpoint != "a" || resumed.Pages != 1 || resumed.Error+resumed.Hint != "" {
		b.Errorf("resumed %+v", resumed)
	}
	b.apply(resumed, directory.PageChanges{Contacts: people(3, 3, "Ann")})
	b.wantCounts(resumed, 3, 0, 0, 0)
	b.wantError(b.tryApply(run, directory.PageChanges{}), directory.ErrLeaseLost)
}

func staleRunIsAbandoned(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 2, "Ann"), Checkpoint: "a"})
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(3, 3, "Ann"), NextOffset: "2", Checkpoint: "b"})
	b.advance(2 * time.Hour)
	next := b.start()
	if next.Resumed || next.ID == run.ID || next.Since != "a" {
		b.Errorf("after two hours: %+v", next)
	}
	runs, err := b.store.Runs(ctx, b.key, 0, 2)
	if err != nil || len(runs) != 2 || runs[1].State != directory.Abandoned {
		b.Fatalf("runs %+v, %v", runs, err)
	}
	if rest, err := b.store.Runs(ctx, b.key, runs[1].ID, 9); err != nil || len(rest) != 1 || rest[0].State != directory.Done {
		b.Errorf("the list does not go on after %d: %+v, %v", runs[1].ID, rest, err)
	}
	b.holds(map[string]string{"00001": "Ann", "00002": "Ann", "00003": "Ann"})
}

func fullStartsOver(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 2, "Ann"), Checkpoint: "a"})
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(3, 3, "Ann"), NextOffset: "2"})
	if err := b.store.FailRun(ctx, run, errors.New("x"), ""); err != nil {
		b.Fatal(err)
	}
	failed := run.Finished
	b.advance(time.Minute)
	next := b.start(full)
	if runs, err := b.store.Runs(ctx, b.key, 0, 2); err != nil || len(runs) != 2 || runs[1].State != directory.Abandoned || !runs[1].Finished.Equal(failed) || failed.IsZero() {
		b.Errorf("a run that failed at %s and is abandoned a minute later: %+v, %v", failed, runs, err)
	}
	if next.Resumed || next.Kind != directory.Initial || next.Since != "" || next.Offset != "" {
		b.Errorf("a full run: %+v", next)
	}
}

func leaseKeepsSecondOut(b *bench) {
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(1, 1, "Ann"), NextOffset: "2"})
	other := b.second()
	b.advance(lease - time.Second)
	_, err := b.tryStart(other)
	var underWay *directory.UnderWayError
	if !errors.As(err, &underWay) {
		b.Fatalf("a second synchronizer: %v, want an UnderWayError", err)
	}
	b.wantError(err, directory.ErrUnderWay)
	if underWay.Run.ID != run.ID || underWay.Run.Pages != 1 || !underWay.Until.After(b.clock()) {
		b.Errorf("what is known of the other run: %+v", underWay)
	}
	if err := b.store.RenewLease(ctx, run, lease); err != nil {
		b.Fatal(err)
	}
	b.advance(lease - time.Second)
	_, err = b.tryStart(other)
	b.wantError(err, directory.ErrUnderWay)
	b.apply(run, directory.PageChanges{})
	if _, err := b.tryStart(other); err != nil {
		b.Errorf("after the run's end: %v", err)
	}
}

func expiredLeaseIsTakenOver(b *bench) {
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: people(1, 1, "Ann"), NextOffset: "2"})
	b.advance(lease + time.Second)
	taken, err := b.tryStart(b.second())
	if err != nil {
		b.Fatal(err)
	}
	if !taken.Resumed || taken.ID != run.ID || taken.Offset != "2" {
		b.Errorf("taken over: %+v", taken)
	}
	b.wantError(b.tryApply(run, directory.PageChanges{Contacts: people(1, 1, "Old")}), directory.ErrLeaseLost)
	b.wantError(b.store.RenewLease(ctx, run, lease), directory.ErrLeaseLost)
	b.wantError(b.store.FailRun(ctx, run, errors.New("x"), ""), directory.ErrLeaseLost)
	b.wantError(b.store.RestartRun(ctx, run), directory.ErrLeaseLost)
	b.apply(taken, directory.PageChanges{})
	b.holds(map[string]string{"00001": "Ann"})
}

func completeInitialRunDeletes(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(1, 2, "Ann"), NextOffset: "2"})
	b.apply(run, directory.PageChanges{Contacts: people(6, 6, "New"), NextOffset: "3"})
	b.apply(run, directory.PageChanges{Contacts: people(4, 4, "Bob"), Checkpoint: "z"})
	b.wantCounts(run, 1, 1, 2, 2)
	b.holds(map[string]string{"00001": "Ann", "00002": "Ann", "00004": "Bob", "00006": "New"})
	b.wantIDs(b.found("+14150000003"))
}

func incrementalRunJudgesNobody(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	b.wantCounts(b.complete(directory.PageChanges{Contacts: people(1, 1, "Bob")}), 0, 1, 0, 0)
	b.count(5)
}

func unfinishedRunJudgesNobody(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(1, 1, "Bob"), NextOffset: "2"})
	if err := b.store.FailRun(ctx, run, errors.New("x"), ""); err != nil {
		b.Fatal(err)
	}
	b.count(5)
}

func restartedFromBeginning(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 5, "Ann")})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: append(people(1, 3, "Ann"), people(6, 6, "Short-lived")...), NextOffset: "2"})
	if err := b.store.RestartRun(ctx, run); err != nil {
		b.Fatal(err)
	}
	if run.Since != "" || run.Offset != "" || run.Kind != directory.Initial {
		b.Errorf("restarted: %+v", run)
	}
	// 1 to 3 and 6 were shown before the restart, and are gone since.
	b.apply(run, directory.PageChanges{Contacts: people(4, 5, "Ann"), Checkpoint: "z"})
	b.holds(map[string]string{"00004": "Ann", "00005": "Ann"})
}

func guardStopsMassDeletion(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 100, "Ann"), Checkpoint: "a"})
	// 20 of 100 are not more than 20 %.
	b.wantCounts(b.complete(directory.PageChanges{Contacts: people(21, 100, "Ann"), Checkpoint: "b"}, full), 0, 0, 80, 20)
	run := b.start(full)
	err := b.tryApply(run, directory.PageChanges{Contacts: people(81, 101, "Bob"), Checkpoint: "c"})
	var guarded *directory.GuardedError
	if !errors.As(err, &guarded) || guarded.Deleted != 60 || guarded.Total != 80 {
		b.Fatalf("error %v (%+v), want a GuardedError of 60 of 80", err, guarded)
	}
	if run.State != directory.Guarded || run.Error != guarded.Error() || run.Hint != guarded.Explain().Hint {
		b.Errorf("the run is %+v", run)
	}
	b.wantCounts(run, 1, 20, 0, 0)
	b.count(81)
	if next := b.start(); next.Since != "c" {
		b.Errorf("the next run starts from %q, want c", next.Since)
	} else {
		b.apply(next, directory.PageChanges{Checkpoint: "c"})
	}
	b.yes(60)
	b.count(21)
}

func failedRunSaysWhy(b *bench) {
	run := b.start()
	if err := b.store.FailRun(ctx, run, fmt.Errorf("read page: %w", errors.New("connection refused")), "Start the bridge."); err != nil {
		b.Fatal(err)
	}
	state, err := b.store.State(ctx, b.key)
	if err != nil || state.LastRun == nil {
		b.Fatalf("state %+v, %v", state, err)
	}
	if last := state.LastRun; last.State != directory.Failed || last.Error != "read page: connection refused" || last.Hint != "Start the bridge." || last.Finished.IsZero() {
		b.Errorf("last run %+v", last)
	}
	if next := b.start(full); next.Error != "" || next.Hint != "" {
		b.Errorf("the next run begins with %+v", next)
	}
}
