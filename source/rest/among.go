package rest

import (
	"fmt"
	"math"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
)

// A service that cannot sort by id gives the records of one time by its own pages, in the order of their creation (by_id with order:
// created). Two cases differ in what moves between two requests:
//
//   - Of a time before the horizon, records can only leave: whoever changes has a new time. Pages are read from the last one to the
//     first. What leaves moves other records to pages that are still to come, and so none is missed (T5).
//   - After the horizon records only arrive, as those that change stay there. Pages are read from the first one on: who arrives moves
//     others to pages that are still to come. A record that is deleted moves them back, which recheck finds.

// isPaged reports whether the records of one time are read in pages.
func (r *Reading) isPaged() bool { return r.Page.By == "number" || r.Page.By == "offset" }

// span returns the times whose records are read in pages: from one on, and before another.
func (w *walk) span() (from, before int64) {
	if w.at.segment == fresh {
		return w.state.horizon + 1, w.state.horizon + forever.Microseconds()
	}
	return w.unit(w.at.stamp)
}

// isWithin reports whether a record belongs to the times that are read.
func (w *walk) isWithin(i item) bool {
	from, before := w.span()
	return i.noTime || i.stamp >= from && i.stamp < before
}

// isLater reports whether a record was created after the run began: the next run brings it, and those after it, or this one might never
// end (E3).
func (w *walk) isLater(i item) bool {
	return w.at.among && w.at.segment == fresh && i.made >= w.state.began+time.Second.Microseconds() // began is cut to the second
}

// inOrderOfCreation checks a page.
func (w *walk) inOrderOfCreation(items []item) error {
	if !w.at.among {
		return nil
	}
	last := int64(math.MinInt64)
	for _, i := range items {
		if i.made < last {
			return w.disorder("by_id", "created")
		}
		last = i.made
	}
	return nil
}

// backward reads the records of one stamp, the last page first. The place's page is counted from 1; 0 says that it is not known yet.
func (w *walk) backward() (done bool, err error) {
	p := w.f.asks("by_id")
	p.fresh = true
	if w.at.page == 0 {
		if w.at.page, err = w.lastPage(p); err != nil {
			return false, err
		}
	}
	for w.at.among && w.at.page > 0 && !w.isFull() && !w.stopped {
		got, err := w.numbered(p, w.at.page)
		if err != nil {
			return false, err
		}
		w.pageBackward(got.items)
	}
	if w.at.among && w.at.page == 0 {
		w.at = w.after(w.at)
	}
	return !w.isFull() && !w.stopped, nil
}

// pageBackward yields what is wanted of a page, from the place on.
func (w *walk) pageBackward(items []item) {
	heads := headsOf(items, false)
	first := w.at.unread(heads)
	changed := first == 0 && w.at.id != "" // what was read of it may have come back, and is not cut again (E8)
	here, next := w.at, place{segment: w.at.segment, stamp: w.at.stamp, among: true, page: w.at.page - 1, gone: w.at.gone}
	if next.page == 0 {
		next = w.after(w.at)
	}
	last := len(items) - 1
	for last >= first && !w.isWanted(items[last]) {
		last--
	}
	for n := first; n <= last; n++ {
		if !w.isWanted(items[n]) {
			continue
		}
		if w.isFull() || w.stopped {
			return
		}
		w.at, w.began = next, true
		if n < last {
			w.at = here
			w.at.id, w.at.row, w.at.head = items[n].id, n, heads[n]
		}
		w.whole = changed && n < last
		w.show(items[n], w.at)
		w.whole = false
	}
	w.at, w.began = next, true
}

// numbered asks for a page by its number, from 1.
func (w *walk) numbered(p purpose, number int) (*page, error) {
	at := place{segment: w.at.segment, stamp: w.at.stamp, among: true, page: number - 1 + p.reading.firstPage()}
	if p.reading.Page.By == "offset" {
		at.page = (number - 1) * p.reading.Page.Size
	}
	got, err := w.flowPage(p, at)
	if err != nil {
		return nil, err
	}
	return got, w.inOrderOfCreation(got.items)
}

// lastPage finds the last page that has records, without a total, which services give wrong. It is 0 if none has.
func (w *walk) lastPage(p purpose) (int, error) {
	most := maxPages
	if p.reading.Page.Most > 0 {
		most = max(p.reading.Page.Most/p.reading.Page.Size, 1)
	}
	full, empty := 0, 1 // pages that have records, and that have none
	for {
		got, err := w.numbered(p, empty)
		if err != nil {
			return 0, err
		}
		if got.count == 0 {
			break
		}
		if full = empty; empty == most {
			return 0, &bridge.Error{
				Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("the pages of by_id do not end: there are more than %d", most),
				Hint: "Check that {{page}} or {{offset}} stands in the request, and narrow it if the service gives no more.",
			}
		}
		if !got.more {
			return full, nil
		}
		empty = min(2*empty, most)
	}
	for empty-full > 1 {
		middle := (full + empty) / 2
		got, err := w.numbered(p, middle)
		switch {
		case err != nil:
			return 0, err
		case got.count == 0:
			empty = middle
		case !got.more:
			return middle, nil
		default:
			full = middle
		}
	}
	return full, nil
}

// maxPages is how many pages the records of one time may have.
const maxPages = 1 << 16
