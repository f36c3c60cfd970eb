package rest

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
)

// A progress is what one call of Read knows of the pages that it has read one after the other. A record is held until the page after its
// own is read, so the same call sees any two pages that follow each other, but for those at whose border it begins: these were seen by the
// call before.
type progress struct {
	page      *page // the one before; nil at first
	at        place // where it is
	empty     int   // how many pages in a row had no record
	fruitless int   // how many had none that was wanted
}

// mostEmpty is how many pages without a record may come in a row. Some services give a few of them where records were changed or deleted.
const mostEmpty = 1000

// movedOn returns an error where the page at a place shows that the service's pages do not move on. A service that does not know the
// parameter for pages gives the same ones for each, and says each time that there are more.
//
// Records move between the pages of a list that changes, and so a page may have, by chance, just those that the page before had. Then both are
// asked for once more: they are not in both.
func (w *walk) movedOn(way *progress, p purpose, at place, got *page) error {
	before, from := way.page, way.at
	way.page, way.at = got, at
	way.fruitless++
	if way.empty++; got.count > 0 {
		way.empty = 0
	}
	if way.empty > mostEmpty {
		return &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("%d pages in a row have no record, and the last one says again that there are more", way.empty),
			Hint: "Check page: where the answer says that there are more.",
		}
	}
	if before == nil || !p.reading.isPaged() || !got.repeats(before) {
		return nil
	}
	p.fresh = true
	for _, asked := range []place{from, at} {
		if again, err := w.flowPage(p, asked); err != nil || !got.repeats(again) {
			return err
		}
	}
	return samePage()
}

// repeats reports whether a page has the same records as another one, in the same order. Pages without any id say nothing.
func (p *page) repeats(other *page) bool {
	known := false
	return slices.EqualFunc(p.items, other.items, func(a, b item) bool {
		known = known || a.id != ""
		return a.id == b.id && a.fault == b.fault && slices.EqualFunc(a.values, b.values, bytes.Equal)
	}) && known
}

// enough is how much time a call of Read needs to say why it ends: whoever waits for it does so no longer than to its deadline.
const enough = 500 * time.Millisecond

// late returns an error where there is no time to read another page, and all that the service gave in this time has no record to send. It
// was not the service that was late.
func (w *walk) late(way *progress) error {
	deadline, ok := w.ctx.Deadline()
	if !ok || time.Until(deadline) > enough || way.fruitless == 0 || w.yielded > 0 {
		return nil
	}
	return &bridge.Error{
		Code:    bridge.CodeSourceTimeout,
		Message: fmt.Sprintf("%d pages, all that the service gave in the time of one request, have no record to send, and it says that there are more", way.fruitless),
		Hint:    "Narrow the request to the records that are wanted, or set page.size to more. If its pages do not end, check page: where the answer says that there are more.",
	}
}
