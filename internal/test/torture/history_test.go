package main

import "testing"

// The judge must see every way of losing a contact, or the torture proves nothing.
func TestVerifyFindsWhatIsLost(t *testing.T) {
	alive := func(n int64) version { return version{number: n} }
	gone := func(n int64) version { return version{number: n, deleted: true} }
	hidden := func(n int64) version { return version{number: n, hidden: true} }
	hard := func(n int64) version { return version{number: n, deleted: true, hard: true} }
	for _, c := range []struct {
		name   string
		before version
		held   int64 // 0: not there
		later  *version
		full   bool
		lost   bool
	}{
		{"the same version", alive(3), 3, nil, false, false},
		{"a newer version", alive(3), 4, nil, false, false},
		{"an older version", alive(3), 2, nil, false, true},
		{"missing", alive(3), 0, nil, false, true},
		{"missing, deleted while the run went on", alive(3), 0, new(gone(4)), false, false},
		{"missing, updated while the run went on", alive(3), 0, new(alive(4)), false, true},
		{"an older version, gone without a trace while the run went on", alive(3), 2, new(hard(4)), false, false},
		{"an older version, marked as deleted while the run went on", alive(3), 2, new(gone(4)), false, true},
		{"deleted and gone", gone(3), 0, nil, false, false},
		{"deleted and still there", gone(3), 2, nil, false, true},
		{"deleted and back", gone(3), 4, nil, false, false},
		{"gone without a trace, incremental run", hard(3), 2, nil, false, false},
		{"gone without a trace, full run", hard(3), 2, nil, true, true},
		{"moved back, incremental run", hidden(3), 2, nil, false, false},
		{"moved back, full run", hidden(3), 2, nil, true, true},
		{"moved back while an incremental run read", alive(3), 2, new(hidden(4)), false, false},
		{"moved back while a full run read", alive(3), 2, new(hidden(4)), true, true},
		{"moved back while a full run read, and missing", alive(3), 0, new(hidden(4)), true, true},
	} {
		h := newHistory()
		h.try(1, c.before)
		h.settle(map[int64]version{1: c.before}, true)
		before := h.snapshot()
		if c.later != nil {
			h.try(1, *c.later)
		}
		held := map[int64]int64{}
		if c.held > 0 {
			held[1] = c.held
		}
		if lost := len(h.verify(before, held, c.full)) > 0; lost != c.lost {
			t.Errorf("%s: lost = %v, want %v", c.name, lost, c.lost)
		}
	}
}

func TestRolledBackVersionsDoNotCount(t *testing.T) {
	h := newHistory()
	h.try(1, version{number: 1})
	h.settle(map[int64]version{1: {number: 1}}, true)
	h.try(1, version{number: 2})
	h.settle(map[int64]version{1: {number: 2}}, false)
	if got := h.snapshot()[1].number; got != 1 {
		t.Errorf("snapshot has version %d, want 1", got)
	}
	if len(h.rows[1].pending) != 0 {
		t.Error("the rolled back version is still pending")
	}
}

func TestDeletedAndRecreatedDuringTheRunIsNoLoss(t *testing.T) {
	h := newHistory()
	for n, deleted := range []bool{false, true, false} {
		v := version{number: int64(n + 1), deleted: deleted}
		h.try(1, v)
		h.settle(map[int64]version{1: v}, true)
	}
	if found := h.verify(map[int64]version{1: {number: 1}}, nil, false); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

func TestContactsThatDisappearAreFound(t *testing.T) {
	h := newHistory()
	for id, versions := range map[int64][]version{1: {{number: 1}}, 2: {{number: 1}, {number: 2, deleted: true}}, 3: {{number: 1}, {number: 2, hidden: true}}} {
		for _, v := range versions {
			h.try(id, v)
			h.settle(map[int64]version{id: v}, true)
		}
	}
	found := h.disappearances(map[int64]int64{1: 1, 2: 1, 3: 1}, map[int64]int64{1: 1})
	if len(found) != 1 || found[0].id != 3 {
		t.Errorf("%v", found)
	}
}
