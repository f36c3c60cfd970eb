package file

import (
	"context"
	"errors"
	"io"
	"sort"
)

// starts knows where a version's records start. An offset comes from the caller, and may be made up: at any other place than a
// record's start, a hidden column's cell could be read as a row. Only reading from the front tells a record's start from a line
// within a quoted field, so that is done once for each version, as far as it is needed, and some starts are remembered on the way.
type starts struct {
	lock  chan struct{} // of one element: who holds it may use what follows
	known []Place       // ascending; the first one is the zero Place
	end   Place         // the furthest start that was seen, or the end of all files
}

// startsEvery is how far two starts that are remembered lie apart, at least: so much is read again to judge an offset.
const startsEvery = 16 << 10

// checkEvery is after how many records a loop looks whether its context is done.
const checkEvery = 1024

func newStarts() *starts {
	return &starts{lock: make(chan struct{}, 1), known: []Place{{}}}
}

// passed notes that a record starts at a place, or the last one ends there. The caller holds the lock.
func (s *starts) passed(end Place) {
	if end.Offset <= s.end.Offset {
		return
	}
	s.end = end
	if end.Offset-s.known[len(s.known)-1].Offset >= startsEvery {
		s.known = append(s.known, end)
	}
}

// note is passed for a reading that knows its place, unless somebody else is at it: then it does without.
func (s *starts) note(end Place) {
	select {
	case s.lock <- struct{}{}:
		s.passed(end)
		<-s.lock
	default:
	}
}

// nearest returns the last start that is known and not after an offset. The caller holds the lock.
func (s *starts) nearest(offset int64) Place {
	if offset >= s.end.Offset {
		return s.end
	}
	i := sort.Search(len(s.known), func(i int) bool { return s.known[i].Offset > offset })
	return s.known[i-1]
}

// find goes to the record that starts at an offset, or to where the last one ends. It returns false, and leaves the cursor
// anywhere, if there is no such place.
func (s *starts) find(ctx context.Context, c *cursor, offset int64) (bool, error) {
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if offset <= 0 {
		return false, nil
	}
	near := s.nearest(offset)
	if err := c.seek(near); err != nil {
		return false, err
	}
	for n := 0; c.End.Offset < offset; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		doubtful := c.Uncut
		if err := c.next(); errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		if c.Start.Offset == offset && !doubtful {
			return true, c.seek(c.Start)
		}
		if !c.Uncut {
			s.passed(c.End)
		}
	}
	return c.End.Offset == offset && !c.Uncut, nil
}
