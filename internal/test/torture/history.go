package main

import (
	"fmt"
	"sync"
	"time"
)

// A history records what the writers did to the external service: for every row the versions that were tried and, once their
// commit returned, when. Each row belongs to one writer, so a row's versions only grow.
type history struct {
	mu      sync.Mutex
	rows    map[int64]*row
	commits int64
}

type row struct {
	committed version   // newest version with a finished commit
	deletion  int64     // newest committed version that deleted the row
	removal   int64     // newest committed version that deleted it without a trace
	hidden    int64     // newest committed version with a stamp that was moved back
	pending   []version // tried and not yet known to be committed or rolled back
}

// A version of a row: a number that only grows, and whether the row was deleted with it.
type version struct {
	number  int64
	deleted bool
	hard    bool // deleted without leaving a row: only a full run can notice (E6)
	hidden  bool // its stamp was moved back: only a full run can notice (E12)
}

func newHistory() *history { return &history{rows: map[int64]*row{}} }

// try notes what a transaction is about to write.
func (h *history) try(id int64, v version) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rows[id]
	if r == nil {
		r = &row{}
		h.rows[id] = r
	}
	r.pending = append(r.pending, v)
}

// settle ends what try began: committed says that the commit returned without an error.
func (h *history) settle(changes map[int64]version, committed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, v := range changes {
		r := h.rows[id]
		kept := r.pending[:0]
		for _, p := range r.pending {
			if p.number != v.number {
				kept = append(kept, p)
			}
		}
		r.pending = kept
		if committed && v.number > r.committed.number {
			r.committed = v
		}
		if committed && v.deleted {
			r.deletion = max(r.deletion, v.number)
		}
		if committed && v.hidden {
			r.hidden = max(r.hidden, v.number)
		}
		if committed && v.hard {
			r.removal = max(r.removal, v.number)
		}
	}
	if committed {
		h.commits++
	}
}

// snapshot is every row's newest committed version as of now: what a run that starts now must bring.
func (h *history) snapshot() map[int64]version {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := make(map[int64]version, len(h.rows))
	for id, r := range h.rows {
		if r.committed.number > 0 {
			s[id] = r.committed
		}
	}
	return s
}

// deletedSince reports whether a deletion newer than a version was committed or may have been; hard: one without a trace.
func (h *history) deletedSince(id, than int64, hard bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rows[id]
	if r == nil {
		return false
	}
	for _, v := range r.pending {
		if v.number > than && v.deleted && (v.hard || !hard) {
			return true
		}
	}
	if hard {
		return r.removal > than
	}
	return r.deletion > than
}

// hiddenSince reports whether a version that is at least as new had its stamp moved back, or may have.
func (h *history) hiddenSince(id, from int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rows[id]
	if r == nil {
		return false
	}
	for _, v := range r.pending {
		if v.number >= from && v.hidden {
			return true
		}
	}
	return r.hidden >= from
}

// A violation is a contact that the directory does not hold as it must.
type violation struct {
	id   int64
	what string
}

func (v violation) String() string { return fmt.Sprintf("contact %d: %s", v.id, v.what) }

// verify compares the directory after a run with what was committed before the run started. full says that the run was a
// complete initial one, which must have noticed rows that are gone without a trace.
func (h *history) verify(before map[int64]version, held map[int64]int64, full bool) []violation {
	var found []violation
	for id, want := range before {
		got, there := held[id]
		switch {
		case !full && (want.hard || h.hiddenSince(id, want.number)):
			// unknown yet
		case want.deleted && there && got <= want.number:
			found = append(found, violation{id, fmt.Sprintf("deleted as version %d before the run started, and still there as version %d", want.number, got)})
		case want.deleted:
			// gone, or back again as a newer version
		case !there && !h.deletedSince(id, want.number, false):
			found = append(found, violation{id, fmt.Sprintf("missing; version %d was committed before the run started", want.number)})
		case there && got < want.number && !h.deletedSince(id, want.number, true): // which no page could have shown
			found = append(found, violation{id, fmt.Sprintf("version %d; version %d was committed before the run started", got, want.number)})
		}
	}
	return found
}

// regressions are contacts that went back to an older version between two runs: an old page applied over a newer one (T8).
func regressions(earlier, later map[int64]int64) []violation {
	var found []violation
	for id, was := range earlier {
		if is, there := later[id]; there && is < was {
			found = append(found, violation{id, fmt.Sprintf("went back from version %d to %d", was, is)})
		}
	}
	return found
}

// disappearances are contacts that were there after the run before, and are not after this one, though nobody deleted them: not
// even a run that could not see their newest version may take them for gone (E12).
func (h *history) disappearances(earlier, later map[int64]int64) []violation {
	var found []violation
	for id, was := range earlier {
		if _, there := later[id]; !there && !h.deletedSince(id, was, false) {
			found = append(found, violation{id, fmt.Sprintf("deleted, though nobody deleted it after version %d", was)})
		}
	}
	return found
}

// A tally adds up what one bridge's runs showed.
type tally struct {
	runs, fullRuns  int64
	remaps          int64
	pages, contacts int64
	checked         int64
	violations      []violation
	violated        int64
	errors          []string
	slowest         time.Duration
}

func (t *tally) add(found []violation) {
	t.violated += int64(len(found))
	if room := 10 - len(t.violations); room > 0 {
		t.violations = append(t.violations, found[:min(room, len(found))]...)
	}
}
