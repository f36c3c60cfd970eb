package synchronizer

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/contactbridge/contactbridge/bridge"
)

// Whatever the way in and the cycle: a loop is noticed after a small multiple of both, and never without one.
func TestLoopIsNoticedSoonAndNeverWithoutOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		way, cycle := rapid.IntRange(0, 200).Draw(t, "way"), rapid.IntRange(1, 200).Draw(t, "cycle")
		w := newWatch(bridge.PageRequest{Offset: "0"})
		for step := 1; ; step++ {
			at := step
			if at >= way+cycle {
				at = way + (step-way)%cycle
			}
			switch seen := w.seen(fmt.Sprint(at), nil); {
			case seen && step < way+cycle:
				t.Fatalf("a loop at step %d, which was never there before", step)
			case seen:
				return
			case step > 4*(way+cycle):
				t.Fatalf("no loop noticed in %d steps", step)
			}
		}
	})
}

func TestRepeatedRequestIsNoticedAtOnce(t *testing.T) {
	w := newWatch(bridge.PageRequest{Offset: "a", Context: json.RawMessage(`{"n":1.0,"m":[1,2]}`)})
	for n := range 10 {
		if w.seen(fmt.Sprint(n), nil) {
			t.Fatalf("place %d is new", n)
		}
	}
	w.seen("x", json.RawMessage(`{"m":[1,2],"n":1.0}`))
	if !w.seen("x", json.RawMessage("{ \"n\": 1.0,\n \"m\": [1, 2] }")) {
		t.Error("the same offset and context, written in another way, is not noticed")
	}
}

// Numbers that differ past what a float holds are different places.
func TestContextsAreComparedExactly(t *testing.T) {
	w := newWatch(bridge.PageRequest{Offset: "x", Context: json.RawMessage(`9007199254740992`)})
	if w.seen("x", json.RawMessage(`9007199254740993`)) {
		t.Error("another cursor is taken for the same")
	}
}

func FuzzPlaceOf(f *testing.F) {
	f.Add("", []byte(`null`), "a", []byte(`{"a":1}`))
	f.Add("a", []byte(`"b"`), "a\"b", []byte(nil))
	f.Fuzz(func(t *testing.T, offset1 string, context1 []byte, offset2 string, context2 []byte) {
		if !json.Valid(context1) || !json.Valid(context2) || offset1 == offset2 {
			return
		}
		if placeOf(offset1, context1) == placeOf(offset2, context2) {
			t.Errorf("%q with %q and %q with %q are one place", offset1, context1, offset2, context2)
		}
	})
}
