// Package keyset implements the walk that the SQL kinds of source share: how a run is read so that nothing is missed, the places in its
// order, and the text of its checkpoints. It speaks to no database.
//
// # How a run is read
//
// A run knows its safe horizon H before anything is read (E2): every change stamped at or before H is visible, and none can
// appear later. That splits what is to be read into segments.
//
//   - [Nulls], initial runs only: the rows without a stamp, by id (E9).
//
//   - [Main]: the rows stamped after the run's start and at or before H, by (updated, id), each page beginning after the
//     pair that the last one ended with (E1). Nothing can enter this segment while it is read; rows only leave it, to H's
//     other side. So its end is fixed, however fast rows change (E3).
//
//   - [Tail]: the rows stamped after H, by id. Their stamps move while they are read, their ids do not. So one pass over the
//     ids sees every row that was there when the run began, in the version that it began with or a newer one, and it ends,
//     because the pass goes no further than the greatest id that the segment had when its second page was read.
//     Rows stamped in the future are here too.
//
//   - [Again], initial runs only: the rows that were changed since the run began, by id, wherever their stamps are now. A row
//     with a stamp that went back, or was removed, has left a segment that was still to be read for one that was read already: it
//     was not shown, though it was there all the time (E12). Where the database cannot tell which rows these are, it is all
//     rows, unless it can tell that nothing was changed.
//
// Numbers that cannot be stamps of their column's form ([Page.Odd]) are in segment Tail too, whatever their order says: no
// checkpoint is ever made of them (E11).
//
// Whatever a run sees in the tail is delivered again by the next one: its checkpoint is never beyond H.
// A source without an updated field (E10) is a tail and nothing else.
package keyset

// A Segment is a part of a run with an order of its own. Segments are read in ascending order.
type Segment uint8

// The segments of a run.
const (
	Nulls Segment = 1 // updated is null, by id
	Main  Segment = 2 // updated is at or before the horizon, by (updated, id)
	Tail  Segment = 3 // updated is after the horizon, by id; without an updated field: everything
	Again Segment = 4 // changed since the run began, by id
	End   Segment = 5 // no rows: after the rejection of rows without an id, which ends an initial run
)

// A Page is one query: the rows of a segment after a place.
type Page struct {
	Segment Segment
	// After says that only rows after a place are wanted: after ID, in segment Main after the pair (Updated, ID).
	// An ID of kind None, in segment Main only, comes after every id.
	After       bool
	Updated, ID Value
	// To is the horizon: rows of segment Main are stamped at or before it, those of segment Tail after it. None where the
	// source has no updated field.
	To Value
	// Odd takes the rows whose updated is above 0 and at or below it out of segment Main and into segment Tail: they are no
	// stamps of the column's form. 0: there are no such rows.
	Odd int64
	// Mark describes the database's own state when the run began (State.Mark), in segment Again.
	Mark string
	// Bound is the greatest id that is wanted; None means any.
	Bound Value
	// Limit is the most rows that are wanted; 0 means all.
	Limit int
}
