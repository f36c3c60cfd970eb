package sourcetest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

// boundaryCases are about checkpoints, what is refused, and how a source ends.
func boundaryCases() []testCase {
	return []testCase{
		{
			name: "NullUpdatedOnlyInInitialRuns",
			rule: "contacts without a stamp come first in initial runs and never in incremental ones (E9)",
			needs: func(target Target, service Service) string {
				if skip := sorted(target, service); skip != "" {
					return skip
				}
				if service.PutNull == nil {
					return "the target has no contacts without a stamp (PutNull)"
				}
				return ""
			},
			run: nullUpdatedOnlyInInitialRuns,
		},
		{
			name: "NothingNewRepeatsTheCheckpoint",
			rule: "a run with nothing new has no change and the checkpoint that it began from, letter by letter (D2)",
			run:  nothingNewRepeatsTheCheckpoint,
		},
		{
			name: "CheckpointIsAcceptedBack",
			rule: "every checkpoint is printable and accepted by a source that was opened later (P2, P7)",
			run:  checkpointIsAcceptedBack,
		},
		{
			name:  "CheckpointNeverBeyondHorizon",
			rule:  "a contact stamped in the future does not take the checkpoint there, past what is stamped meanwhile (E2, T3, T13)",
			needs: sorted,
			run:   checkpointNeverBeyondHorizon,
		},
		{
			name: "AnIDThatIsTooLongCostsNothingElse",
			rule: "a contact whose id is longer than any that is kept (contact.MaxID) keeps no other from being read, and no offset or checkpoint holds it (D8)",
			needs: func(_ Target, service Service) string {
				if !service.LongIDs {
					return "no contact of the target can have such an id (LongIDs)"
				}
				return ""
			},
			run: anIDThatIsTooLongCostsNothingElse,
		},
		{
			name: "ForeignCheckpointIsRefused",
			rule: "a checkpoint that the source cannot have issued is invalid_checkpoint, never read as \"nothing new\" (D5)",
			run:  foreignCheckpointIsRefused,
		},
		{
			name: "DigestIsTheSameInEveryProcess",
			rule: "what checkpoints belong to is the same in every process, whatever contacts there are (D10)",
			run:  digestIsTheSameInEveryProcess,
		},
		{
			name: "ForeignOffsetIsRefused",
			rule: "a position or run that the source cannot have issued is invalid_offset (E4, D5)",
			run:  foreignOffsetIsRefused,
		},
		{
			name: "WrongCredentialsAreUnauthorized",
			rule: "wrong credentials are unauthorized, whether they are checked or used (P13)",
			needs: func(_ Target, service Service) string {
				if service.OpenWrong == nil {
					return "the target has no credentials (OpenWrong)"
				}
				return ""
			},
			run: wrongCredentialsAreUnauthorized,
		},
		{
			name: "RightCredentialsAreGood",
			rule: "a Prober finds nothing wrong with the right credentials (P13)",
			run:  rightCredentialsAreGood,
		},
		{
			name: "CancellationReturnsSoon",
			rule: "every method returns soon after its context is done, with its error; a cancelled run never looks complete (T11)",
			run:  cancellationReturnsSoon,
		},
		{
			name: "CloseWhileIdle",
			rule: "a source can be closed before, between and after reads, and closing it ends no other",
			run:  closeWhileIdle,
		},
	}
}

func nullUpdatedOnlyInInitialRuns(x *exam) {
	want := x.settle(6)
	for i := range 5 {
		c := Full(20 + i)
		want = append(want, c)
		x.must(x.service.PutNull(c), "put a contact without a stamp")
	}
	for _, size := range []int{2, 5, 100} {
		r := newReplica()
		x.mustSync(r, size, func(int) {
			other := r.clone()
			x.mustSync(other, 100, nil)
			x.equal(other, want, fmt.Sprintf("from the checkpoint %s of a page of %d", show(r.checkpoint), size))
		})
		x.equal(r, want, fmt.Sprintf("initial run in pages of %d", size))
		_, changes, _ := x.all(x.reopen(), r.checkpoint)
		for _, c := range changes {
			if strings.HasPrefix(c.Contact.ID, "c0002") {
				x.failf("an incremental run brought %s, which has no stamp", c.Contact.ID)
			}
		}
	}
	_, changes, _ := x.all(x.reopen(), "")
	slices.SortFunc(want, func(a, b contact.Contact) int { return cmp.Compare(a.ID, b.ID) }) // settle's stamps ascend with the ids
	if got, want := ids(first(changes)), x.inParts(slices.Concat(want[6:], want[:6])); got != want {
		x.failf("an initial run reads %s, want %s", got, want)
	}
}

func anIDThatIsTooLongCostsNothingElse(x *exam) {
	x.settle(4)
	for i, start := range []string{"a", "c00001", "c00001x", "c00002", "z"} {
		long := Full(50 + i)
		long.ID = start + strings.Repeat("x", 10_000) // what a cell of a workbook holds
		x.put(x.long(i), long)
	}
	const most = 3 * contact.MaxID // an id, a bound, and what goes with them
	for size := range 8 {
		src := x.reopen()
		run := x.begin(src, "")
		found := map[string]int{}
		var at bridge.Position
		for page := 0; page < 50; page++ {
			changes, err := x.read(src, run, at, size)
			x.must(err, fmt.Sprintf("read page %d of %d contacts", page, size))
			for _, c := range first(changes) {
				found[c.Contact.ID[:min(len(c.Contact.ID), 6)]+fmt.Sprint(len(c.Contact.ID))]++
				if len(c.Position) > most {
					x.failf("the position after the contact %.10s… has %d bytes, and an offset no room for it", c.Contact.ID, len(c.Position))
				}
			}
			if size == 0 || len(changes) < size {
				break
			}
			if at = last(changes, at); len(at) == 0 {
				break
			}
			if c := src.Checkpoint(run, at, false); len(c) > most {
				x.failf("the checkpoint of page %d has %d bytes", page, len(c))
			}
		}
		if len(found) != 9 {
			x.failf("in pages of %d, 9 contacts were to come; there were %d: %v", size, len(found), found)
		}
	}
}

func nothingNewRepeatsTheCheckpoint(x *exam) {
	x.settle(10)
	if x.service.Settle != nil {
		x.service.Settle()
	}
	_, _, checkpoint := x.all(x.open(), "")
	if checkpoint == "" {
		x.failf("a complete run over contacts that were settled long ago has no checkpoint")
	}
	for range 3 {
		_, changes, again := x.all(x.reopen(), checkpoint)
		if len(changes) > 0 {
			x.failf("nothing had changed, but the run from %s brought %s", show(checkpoint), ids(changes))
		}
		if again != checkpoint {
			x.failf("the run from %s ended at %s", show(checkpoint), show(again))
		}
	}
}

func checkpointIsAcceptedBack(x *exam) {
	x.settle(10)
	src := x.open()
	run, changes, complete := x.all(src, "")
	checkpoints := []bridge.Checkpoint{complete}
	for _, c := range changes {
		checkpoints = append(checkpoints, src.Checkpoint(run, c.Position, false))
	}
	for _, checkpoint := range checkpoints {
		if i := strings.IndexFunc(string(checkpoint), func(r rune) bool { return r < ' ' || r == 0xfffd || r == 0x7f }); i >= 0 {
			x.failf("checkpoint %s is not printable", show(checkpoint))
		}
		if checkpoint != "" {
			x.all(x.reopen(), checkpoint)
		}
	}
}

func checkpointNeverBeyondHorizon(x *exam) {
	want := x.settle(6)
	future := Full(30)
	want = append(want, future)
	x.put(x.service.Now().Add(48*time.Hour), future)
	r := newReplica()
	x.mustSync(r, 3, nil)
	x.equal(r, want, "with a contact that is stamped in the future")
	for round := 1; round <= 2; round++ {
		want[0] = version(want[0], round)
		x.put(x.service.Now(), want[0])
		x.close()
		x.mustSync(r, 3, nil)
		x.equal(r, want, "with one that was stamped after that, but earlier")
	}
}

func foreignCheckpointIsRefused(x *exam) {
	want := x.settle(6)
	src := x.open()
	for _, c := range []bridge.Checkpoint{
		"not a checkpoint", `{"page": 2}`, "\x00", "2012-11-20 23:01:00 UTC", "1", "/", "?", bridge.Checkpoint(strings.Repeat("x", 100_000)),
		"; DROP TABLE contacts; --",
	} {
		run, err := src.Begin(x.ctx, c)
		if err != nil {
			x.wantCode(err, bridge.CodeInvalidCheckpoint, "begin a run from "+show(c))
			continue
		}
		changes, err := x.read(src, run, nil, 0)
		if err != nil {
			x.failf("Begin took %s, and Read failed: %v", show(c), err)
			continue
		}
		r := newReplica()
		r.apply(changes)
		x.equal(r, want, fmt.Sprintf("Begin took %s, which must be refused unless the run brings everything", show(c)))
	}
}

func digestIsTheSameInEveryProcess(x *exam) {
	digest := func() string {
		describer, ok := x.open().(bridge.Describer)
		if !ok {
			x.failf("the source is not a bridge.Describer")
			panic(stopExam{})
		}
		said, err := describer.Describe(x.ctx)
		x.must(err, "describe the source")
		return said.Digest
	}
	x.settle(3)
	first := digest()
	if first == "" {
		x.failf("the source has no digest")
	}
	x.settle(6)
	for range 2 {
		if again := digest(); again != first {
			x.failf("opened again the source's digest is %s, and was %s", show(again), show(first))
		}
	}
}

func foreignOffsetIsRefused(x *exam) {
	x.settle(6)
	src := x.open()
	run, changes, _ := x.all(src, "")
	position := changes[2].Position
	for _, p := range []bridge.Position{
		[]byte("garbage"),
		{0},
		{255},
		bytes.Repeat([]byte{0xff}, 40), []byte("2"), append(bytes.Clone(position), 0),
		position[:len(position)-1], append(bridge.Position("x"), position...),
	} {
		_, err := x.read(src, run, p, 0)
		x.wantCode(err, bridge.CodeInvalidOffset, fmt.Sprintf("read after the position %q", p))
	}
	for _, state := range [][]byte{[]byte("garbage"), {0}, run.State[:len(run.State)-1], append(bytes.Clone(run.State), 0)} {
		_, err := x.read(src, bridge.Run{Since: run.Since, State: state}, position, 0)
		x.wantCode(err, bridge.CodeInvalidOffset, fmt.Sprintf("read with the state %q", state))
	}
	if len(run.State) > 0 {
		_, err := x.read(src, bridge.Run{Since: run.Since}, position, 0)
		x.wantCode(err, bridge.CodeInvalidOffset, "read without the run's state")
	}
}

func wrongCredentialsAreUnauthorized(x *exam) {
	x.settle(3)
	src, err := x.service.OpenWrong(x.ctx)
	if err != nil {
		x.wantCode(err, bridge.CodeUnauthorized, "open with wrong credentials")
		return
	}
	x.sources = append(x.sources, src)
	if prober, ok := src.(bridge.Prober); ok {
		x.wantCode(prober.Probe(x.ctx), bridge.CodeUnauthorized, "probe wrong credentials")
	}
	_, err = src.Begin(x.ctx, "")
	x.wantCode(err, bridge.CodeUnauthorized, "begin a run with wrong credentials")
}

func rightCredentialsAreGood(x *exam) {
	x.settle(3)
	if prober, ok := x.open().(bridge.Prober); ok {
		x.must(prober.Probe(x.ctx), "probe the right credentials")
	}
}

// soon is how long a method may take after its context is done.
const soon = 5 * time.Second

func cancellationReturnsSoon(x *exam) {
	x.settle(300)
	src := x.open()
	run := x.begin(src, "")
	cancelled, cancel := context.WithCancel(x.ctx)
	cancel()
	x.within("Begin", func() error { _, err := src.Begin(cancelled, ""); return err })
	x.within("Read", func() error {
		for _, err := range src.Read(cancelled, run, nil, 0) {
			return err
		}
		return nil
	})
	if prober, ok := src.(bridge.Prober); ok {
		x.within("Probe", func() error { return prober.Probe(cancelled) })
	}
	x.cancelInTheMiddle(src, run)
	if _, changes, _ := x.all(src, ""); len(first(changes)) != 300 {
		x.failf("after a cancellation a run brought %d contacts of 300", len(first(changes)))
	}
}

// within runs a method with a context that is done.
func (x *exam) within(method string, run func() error) {
	done := make(chan error, 1)
	go func() { done <- run() }()
	select {
	case err := <-done:
		if !isContextError(err) {
			x.failf("%s with a cancelled context: %v, want the context's error", method, err)
		}
	case <-time.After(soon):
		x.failf("%s with a cancelled context has not returned after %v", method, soon)
	}
}

func (x *exam) cancelInTheMiddle(src bridge.Source, run bridge.Run) {
	ctx, cancel := context.WithCancel(x.ctx)
	defer cancel()
	n := 0
	for _, err := range src.Read(ctx, run, nil, 0) {
		if err != nil {
			if !isContextError(err) {
				x.failf("a run that was cancelled ended with %v", err)
			}
			return
		}
		n++
		cancel()
	}
	if n != 300 {
		x.failf("a run that was cancelled after its first contact ended after %d of 300 without an error", n)
	}
}

func closeWhileIdle(x *exam) {
	want := x.settle(5)
	x.must(x.open().Close(), "close a source that was never used")
	x.sources = nil
	one, two := x.open(), x.open()
	x.all(one, "")
	x.must(one.Close(), "close a source")
	x.sources = []bridge.Source{two}
	_, changes, _ := x.all(two, "")
	r := newReplica()
	r.apply(changes)
	x.equal(r, want, "a source beside one that was closed")
}
