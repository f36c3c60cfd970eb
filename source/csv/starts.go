package csv

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
	known []int64       // ascending; the first is that of the first row
	end   int64         // the furthest start that was seen, or the file's end
}

// startsEvery is how far two starts that are remembered lie apart, at least: so much is read again to judge an offset.
const startsEvery = 16 << 10

func newStarts(first int64) *starts {
	return &starts{lock: make(chan struct{}, 1), known: []int64{first}, end: first}
}

// passed notes that a record starts at an offset, or the last one ends there. The caller holds the lock.
func (s *starts) passed(end int64) {
	if end <= s.end {
		return
	}
	s.end = end
	if end-s.known[len(s.known)-1] >= startsEvery {
		s.known = append(s.known, end)
	}
}

// note is passed for a reading that knows its place, unless somebody else is at it: then it does without.
func (s *starts) note(end int64) {
	select {
	case s.lock <- struct{}{}:
		s.passed(end)
		<-s.lock
	default:
	}
}

// nearest returns the last start that is known and not after an offset. The caller holds the lock.
func (s *starts) nearest(offset int64) int64 {
	if offset >= s.end {
		return s.end
	}
	i := sort.Search(len(s.known), func(i int) bool { return s.known[i] > offset })
	return s.known[i-1]
}

// has reports whether a record starts at an offset, or the last one ends there. It uses the records, and leaves them anywhere.
func (s *starts) has(ctx context.Context, r *records, offset int64) (bool, error) {
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if offset < s.known[0] {
		return false, nil
	}
	r.seek(s.nearest(offset), 0)
	for n := 0; r.end < offset; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		if _, err := r.read(); errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		s.passed(r.end)
	}
	return r.end == offset, nil
}
