package keyset

import (
	"context"
	"errors"
	"hash/maphash"
	"iter"

	"github.com/contactbridge/contactbridge/bridge"
)

// A Fetcher sends the queries of a run to a database.
type Fetcher interface {
	// Fetch yields the changes of one page in the segment's order and says how many rows the page had, changes or not, and
	// where it ended. stopped says that yield did not want to go on; its error is the page's.
	Fetch(ctx context.Context, page Page, yield func(bridge.Change) bool) (result Result, err error)
	// Greatest is the greatest id of a page's segment, whatever its limit and place; None where it has no rows.
	Greatest(ctx context.Context, page Page) (Value, error)
	// Unnamed reports whether there are rows without an id. They cannot be sent, and an initial run that met them does not
	// know who was shown (D8).
	Unnamed(ctx context.Context) (bool, error)
}

// A Result is the outcome of a page.
type Result struct {
	Rows    int      // how many rows the database gave
	Changes int      // how many of them were yielded
	Last    Position // after the last row; meaningless if there was no row
	Stopped bool     // yield returned false
}

// Read implements the source's Read method: it walks through the segments of a run from a position to the end.
func Read(ctx context.Context, f Fetcher, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		w, err := newWalk(run, after)
		if err != nil {
			yield(bridge.Change{}, err)
			return
		}
		w.paged = limit > 0
		for !w.done {
			left := 0
			if limit > 0 {
				if left = limit - w.yielded; left <= 0 && !w.uncut {
					return
				}
				left = max(left, 1)
			}
			stopped, err := w.page(ctx, f, left, func(c bridge.Change) bool { return yield(c, nil) })
			if stopped {
				return
			}
			if err != nil {
				yield(bridge.Change{}, err)
				return
			}
		}
		if run.Initial() && w.at.Segment != End {
			rejectUnnamed(ctx, f, yield)
		}
	}
}

// rejectUnnamed ends an initial run with a rejection if there are rows without an id.
func rejectUnnamed(ctx context.Context, f Fetcher, yield func(bridge.Change, error) bool) {
	found, err := f.Unnamed(ctx)
	if err != nil {
		yield(bridge.Change{}, err)
	} else if found {
		end := AppendPosition(nil, Position{Segment: End})
		yield(bridge.Change{Rejected: "there are rows without an id", Position: end}, nil)
	}
}

// A walk is where reading a run stands.
type walk struct {
	state   State
	since   Since    // where segment Main starts; of no meaning if begins
	begins  bool     // segment Main starts with the first row
	again   bool     // segment Again is read at the end
	started bool     // at is after a row of its segment
	at      Position // its Segment is always set
	yielded int
	uncut   bool // the last change had no position
	done    bool

	paged    bool            // what is read is a page
	shown    map[uint64]bool // hashes of the ids that earlier segments have yielded to this page
	yielding []uint64        // of those that this segment has
}

// ids is the seed of a walk's hashes.
var ids = maphash.MakeSeed()

func newWalk(run bridge.Run, after bridge.Position) (*walk, error) {
	state, err := ParseState(run.State)
	if err != nil {
		return nil, InvalidOffset(err)
	}
	w := &walk{state: state, begins: run.Initial(), at: Position{Segment: Main}}
	switch {
	case state.Layout == Unsorted:
		w.at.Segment, w.done = Tail, !run.Initial()
	case run.Initial():
		w.at.Segment, w.again = Nulls, state.Mark != ""
	default:
		if w.since, err = ParseCheckpoint(state.Layout, run.Since); err != nil {
			return nil, InvalidOffset(err)
		}
	}
	if len(after) == 0 {
		return w, nil
	}
	if w.at, err = ParsePosition(after); err != nil {
		return nil, InvalidOffset(err)
	}
	w.started = true
	if !w.mayStandAt(run) {
		return nil, InvalidOffset(errors.New("a position of another run"))
	}
	return w, nil
}

// mayStandAt reports whether the run has such a segment.
func (w *walk) mayStandAt(run bridge.Run) bool {
	switch w.at.Segment {
	case Nulls:
		return run.Initial() && w.state.Layout != Unsorted
	case Main:
		return w.state.Layout != Unsorted && Compare(w.at.Updated, w.state.Horizon) <= 0
	case Again:
		return w.again
	case End:
		w.done = true
		return run.Initial()
	}
	return true
}

// page sends one query and moves on: after its last row, or to the next segment when it was the segment's last page.
func (w *walk) page(ctx context.Context, f Fetcher, limit int, yield func(bridge.Change) bool) (stopped bool, err error) {
	query, empty := w.query(limit)
	if !empty && query.Segment != Main && query.After && query.Bound.Kind == None {
		if query.Bound, err = f.Greatest(ctx, query); err != nil {
			return false, err
		}
		empty = query.Bound.Kind == None
	}
	if empty {
		w.next()
		return false, nil
	}
	result, err := f.Fetch(ctx, query, func(c bridge.Change) bool {
		c.Again, w.uncut = w.mayComeAgain(query.Segment, c.Contact.ID), len(c.Position) == 0
		return yield(c)
	})
	if err != nil || result.Stopped {
		return result.Stopped, err
	}
	w.yielded += result.Changes
	if limit == 0 || result.Rows < limit {
		w.next()
		return false, nil
	}
	w.at, w.started = result.Last, true
	return false, nil
}

// query returns the next page; empty where the segment can have no rows.
func (w *walk) query(limit int) (page Page, empty bool) {
	page = Page{Segment: w.at.Segment, To: w.state.Horizon, Odd: w.state.Odd, Mark: w.state.Mark, Limit: limit}
	if w.started {
		page.After, page.Updated, page.ID, page.Bound = true, w.at.Updated, w.at.ID, w.at.Bound
		return page, page.Segment != Main && page.ID.Kind == None
	}
	if page.Segment == Main {
		if !w.begins {
			page.After, page.Updated, page.ID = true, w.since.Updated, w.since.ID
		}
		return page, w.state.Horizon == Lowest() || page.After && w.isBehindHorizon()
	}
	return page, false
}

// isBehindHorizon reports whether the run started after its horizon, so that segment Main is empty.
func (w *walk) isBehindHorizon() bool {
	order := Compare(w.since.Updated, w.state.Horizon)
	return order > 0 || order == 0 && w.since.ID.Kind == None
}

// mayComeAgain notes that a contact is yielded, and reports whether it may have been already. The queries of two segments do not
// see the same moment: a row that is changed between them is in both, and no page may hold it twice (P10).
func (w *walk) mayComeAgain(segment Segment, id string) bool {
	if segment == Again {
		return true
	}
	if !w.paged || segment == Tail && len(w.shown) == 0 {
		return false // nothing follows that must know
	}
	hash := maphash.String(ids, id)
	if segment != Tail {
		w.yielding = append(w.yielding, hash)
	}
	return w.shown[hash]
}

func (w *walk) next() {
	if len(w.yielding) > 0 && w.shown == nil {
		w.shown = make(map[uint64]bool, len(w.yielding))
	}
	for _, hash := range w.yielding {
		w.shown[hash] = true
	}
	w.yielding = w.yielding[:0]
	if w.done = w.at.Segment == Tail && !w.again || w.at.Segment == Again; w.done {
		return
	}
	w.at, w.started = Position{Segment: w.at.Segment + 1}, false
}
