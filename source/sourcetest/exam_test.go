package sourcetest

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source/memory"
)

// A source may end any run of a history once or more; only one that never lets a run end is given up (D3).
func TestRestartsAreCountedByRun(t *testing.T) {
	refuse := 1    // how many more times a page after the first is refused
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
		r.checkpoint = "" // a full run, so that there are pages after the first
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

// A run that restarted judges as a synchronizer does: what was rejected was shown, and stays as it was; a rejected record without
// an id means that no contact is judged (D8).
func TestReplicaJudgesNobodyThatWasRejectedD8(t *testing.T) {
	named := bridge.Change{Contact: contact.Contact{ID: "b"}, Rejected: "line 3 cannot be read"}
	unnamed := bridge.Change{Rejected: "line 4 cannot be read"}
	for _, c := range []struct {
		name string
		run  []bridge.Change
		want string
	}{
		{"with an id", []bridge.Change{{Contact: Full(1)}, named}, "b c00001"},
		{"without an id", []bridge.Change{{Contact: Full(1)}, unnamed}, "b c c00001"},
		{"neither", []bridge.Change{{Contact: Full(1)}}, "c00001"},
	} {
		r := newReplica()
		r.begin("", bridge.Run{})
		r.apply([]bridge.Change{{Contact: contact.Contact{ID: "b", Name: "Bob"}}, {Contact: contact.Contact{ID: "c"}}, unnamed})
		r.begin("old", bridge.Run{})
		r.apply(c.run)
		r.judge()
		if got := strings.Join(slices.Sorted(maps.Keys(r.contacts)), " "); got != c.want {
			t.Errorf("%s: %s are left, want %s", c.name, got, c.want)
		}
		if b, kept := r.contacts["b"]; kept && b.Name != "Bob" {
			t.Errorf("%s: a rejected contact was changed to %+v", c.name, b)
		}
	}
}
