package keyset

import (
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
)

// h is a run's horizon in the tests of this file.
const h = 1000

func run(since string, s State) bridge.Run {
	if s.Layout == 0 {
		s.Layout = Number
	}
	if s.Horizon.Kind == None && s.Layout != Unsorted {
		s.Horizon = IntValue(h)
	}
	return bridge.Run{Since: bridge.Checkpoint(since), State: s.Encode()}
}

func position(segment Segment, stamp int64, id string) bridge.Position {
	p := Position{Segment: segment, ID: TextValue(id)}
	if segment == Main {
		p.Updated = IntValue(stamp)
	}
	return AppendPosition(nil, p)
}

func TestCheckpointE2(t *testing.T) {
	unsafe := State{Horizon: Lowest()}
	unsorted := State{Layout: Unsorted, Whole: "all/2"}
	for _, c := range []struct {
		name     string
		run      bridge.Run
		at       bridge.Position
		complete bool
		want     bridge.Checkpoint
	}{
		{"initial, among the rows without a stamp", run("", State{}), position(Nulls, 0, "1"), false, ""},
		{"initial, only rows without a stamp", run("", State{}), position(Nulls, 0, "1"), true, "1000"},
		{"initial, in the middle", run("", State{}), position(Main, 7, "1"), false, "7/1"},
		{"initial, ends before the horizon", run("", State{}), position(Main, 7, "1"), true, "7/1"},
		{"initial, after the horizon", run("", State{}), position(Tail, 0, "1"), false, "1000"},
		{"initial, ends after the horizon", run("", State{}), position(Tail, 0, "1"), true, "1000"},
		{"initial, no row at all", run("", State{}), nil, true, "1000"},
		{"initial, nothing read yet", run("", State{}), nil, false, ""},
		{"initial, nothing safe", run("", unsafe), position(Tail, 0, "1"), true, ""},
		{"initial, nothing safe, with a candidate", run("", State{Horizon: Lowest(), Candidate: "5@x"}), position(Tail, 0, "1"), true, "-infinity?5@x"},
		{"the same, not complete", run("", State{Horizon: Lowest(), Candidate: "5@x"}), position(Tail, 0, "1"), false, ""},
		{"incremental, nothing new", run("7/1", State{}), nil, true, "7/1"},
		{"incremental, nothing new, with a candidate", run("7/1?5@x", State{Candidate: "6@x"}), nil, true, "7/1?5@x"},
		{"incremental, in the middle", run("7/1", State{}), position(Main, 8, "0"), false, "8/0"},
		{"incremental, after the horizon", run("7/1", State{}), position(Tail, 0, "3"), true, "1000"},
		{"incremental, the horizon has gone back", run("2000/1", State{}), position(Tail, 0, "3"), true, "2000/1"},
		{"incremental, started at the horizon", run("1000/1", State{}), position(Tail, 0, "3"), true, "1000"},
		{"unsorted, first page", run("", unsorted), position(Tail, 0, "1"), false, ""},
		{"unsorted, complete", run("", unsorted), position(Tail, 0, "1"), true, "all/2"},
		{"unsorted, incremental, first page", run("all/1", unsorted), position(Tail, 0, "1"), false, "all/1"},
		{"unsorted, unchanged", run("all/2", unsorted), nil, true, "all/2"},
		{"a state that is not ours", bridge.Run{Since: "7/1", State: []byte("x")}, nil, true, "7/1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Checkpoint(c.run, c.at, c.complete); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestInvalidCheckpoint(t *testing.T) {
	for _, text := range []string{"", "x", "7/1?", "7/%41", "7/1\n"} {
		if since, err := ParseCheckpoint(Number, bridge.Checkpoint(text)); bridge.CodeOf(err) != bridge.CodeInvalidCheckpoint {
			t.Errorf("%q is read as %v (%v)", text, since, err)
		}
	}
}

func FuzzPosition(f *testing.F) {
	f.Add([]byte(position(Main, 7, "42")))
	f.Add([]byte(position(Tail, 0, "42")))
	f.Add([]byte(AppendPosition(nil, Position{Segment: Nulls, ID: IntValue(-1), Bound: Value{Kind: Real, Real: 2.5}})))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePosition(b)
		if err != nil {
			return
		}
		if back, err := ParsePosition(AppendPosition(nil, p)); err != nil || back != p {
			t.Fatalf("%#v is read back as %#v (%v)", p, back, err)
		}
	})
}

func FuzzState(f *testing.F) {
	f.Add(State{Layout: Instant, Horizon: IntValue(h)}.Encode())
	f.Add(State{Layout: Unsorted, Whole: "all/1", Candidate: "x"}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseState(b)
		if err != nil {
			return
		}
		if back, err := ParseState(s.Encode()); err != nil || back != s {
			t.Fatalf("%#v is read back as %#v (%v)", s, back, err)
		}
	})
}
