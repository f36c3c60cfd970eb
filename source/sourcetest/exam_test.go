package sourcetest

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source/memory"
)

// A source may end any run of a history once or more; only one that never lets a run end is given up (D3).
func TestRestartsAreCountedByRun(t *testing.T) {
	refuse := 1    // how many more times a page behind the first is refused
	never := false // every page is
	target := Target{Restarts: true, New: func(testing.TB) Service {
		return faultyService(func(f *faulty, _ *memory.Store) {
			f.read = func(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
				if !never && (len(after) == 0 || refuse == 0) {
					return f.Source.Read(ctx, run, after, limit)
				}
				refuse--
				return func(yield func(bridge.Change, error) bool) {
					yield(bridge.Change{}, &bridge.Error{Code: bridge.CodeInvalidOffset, Message: "the contacts have changed", Err: errors.New("on purpose")})
				}
			}
		}, false)
	}}
	x := &exam{t: t, ctx: t.Context(), target: target, service: target.New(t)}
	defer x.close()
	want := x.settle(7)
	r := newReplica()
	for run := range 2 * maxRestarts {
		refuse = 1
		r.checkpoint = "" // a full run, so that there are pages behind the first
		if err := x.sync(r, 3, nil); err != nil {
			t.Fatalf("run %d, refused once: %v", run, err)
		}
		if refuse != 0 {
			t.Fatalf("run %d was not refused", run)
		}
	}
	x.equal(r, want, "after all runs")
	if len(x.failures) > 0 {
		t.Error(x.failures)
	}

	never = true
	if err := x.sync(r, 3, nil); bridge.CodeOf(err) != bridge.CodeInvalidOffset {
		t.Errorf("a run that is refused again and again: %v, want %s", err, bridge.CodeInvalidOffset)
	}
}
