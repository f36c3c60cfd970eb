package rest

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

// contactOf returns a contact of which only the id is known.
func contactOf(id string) contact.Contact { return contact.Contact{ID: id} }

// flowing reads a segment by the service's own pages. done says that it has ended.
//
// A record is yielded when the next one is known, or that there is no more: if nothing follows it but pages without records, the
// position after it is that of the end, with the token of the last page.
func (w *walk) flowing() (done bool, err error) {
	p := w.flowPurpose()
	if !w.began {
		w.at.page = p.reading.firstPage()
	}
	if w.at.token != "" {
		return true, nil // the last page was read to its end
	}
	at := w.at
	w.note(at.bound) // services whose pages are rounds repeat the last record of a page in the next one
	var held *item
	var heldAt place
	var way progress
	for {
		got, err := w.flowPage(p, at)
		if err == nil {
			err = w.movedOn(&way, p, at, got)
		}
		if err != nil {
			w.emit(held, heldAt)
			return false, err
		}
		slid, err := w.slid(p, at)
		if err != nil {
			w.emit(held, heldAt)
			return false, err
		}
		heads := headsOf(got.items, w.movesOn(at))
		first := at.unread(heads)
		whole := first == 0 && at.id != ""
		if whole {
			if err := w.moved(got.items, at); err != nil {
				return false, err
			}
		}
		if err := w.inOrderOfCreation(got.items); err != nil {
			w.emit(held, heldAt)
			return false, err
		}
		inPage := false // held is of this page
		for n, i := range slices.Concat(slid, got.items[first:]) {
			if w.isLater(i) {
				w.emit(held, heldAt)
				return !w.stopped, nil
			}
			if !i.noTime && !at.segment.isGone() {
				if at.segment == flow && w.l.isAscending() && at.stamp != 0 && i.stamp < at.stamp-w.l.Updated.precision().Microseconds() {
					w.emit(held, heldAt)
					return false, w.disorder("changes", "updated")
				}
				if !at.among { // its stamp says which records are read
					at.stamp = max(at.stamp, i.stamp)
				}
			}
			if !w.isWanted(i) {
				continue
			}
			// A page that was found changed is not cut, nor are the records that have slid from it: in an order that is another one
			// for each request, a run that is cut there might never come to the page's end (E8).
			w.whole = inPage && (whole || n <= len(slid))
			w.emit(held, heldAt)
			w.whole = false
			if w.isFull() || w.stopped {
				return false, nil
			}
			if i, err = w.completed(i); err != nil {
				return false, err
			}
			held, heldAt, inPage, way.fruitless = &i, at, true, 0
			if heldAt.id = i.id; n < len(slid) {
				heldAt.id, heldAt.bound = at.id, i.id
			} else {
				heldAt.row = first + n - len(slid)
				heldAt.head = heads[heldAt.row]
			}
		}
		if !got.more && p.reading.isCapped(at, got) { // the service has stopped, whatever else it has
			w.emit(held, heldAt)
			return false, capped(p.reading.Page.Most)
		}
		if !got.more || w.isPast(got) {
			if p.reading.Token != "" && got.token == "" { // without it neither this run's end nor the next one's begin is known (T11)
				w.emit(held, heldAt)
				return false, &bridge.Error{
					Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("the last answer of %s has no token at %s, so that nothing says that it was the last", w.f.title(), p.reading.Token),
					Hint: "The API may have changed. Compare the answer with its documentation, and correct token of the request.",
				}
			}
			heldAt.token = got.token
			w.emit(held, heldAt)
			return !w.stopped, nil
		}
		at.id, at.row, at.head, at.bound = "", 0, 0, lastID(got.items, at.bound)
		if err := w.turn(&at, got, p.reading); err != nil {
			w.emit(held, heldAt)
			return false, err
		}
		if held != nil {
			heldAt = at
		} else if err := w.late(&way); err != nil {
			return false, err
		}
	}
}

// slid returns the records that have moved back to the page before since it was read, because others before them are gone (T5).
func (w *walk) slid(p purpose, at place) ([]item, error) {
	if !p.reading.Page.Recheck || at.bound == "" {
		return nil, nil
	}
	before := at
	if before.page--; p.reading.Page.By == "offset" {
		before.page = max(at.page-p.reading.Page.Size, 0)
	}
	p.fresh = true
	got, err := w.flowPage(p, before)
	if err != nil {
		return nil, err
	}
	last := slices.IndexFunc(got.items, func(i item) bool { return i.id == at.bound })
	return got.items[last+1:], nil
}

// lastID returns the id of a page's last record, or what is given.
func lastID(items []item, otherwise string) string {
	for _, i := range slices.Backward(items) {
		if i.id != "" {
			return i.id
		}
	}
	return otherwise
}

// emit yields a record that was held back, if there is one.
func (w *walk) emit(i *item, at place) {
	if i == nil || w.stopped {
		return
	}
	at.gone = w.at.gone || at.segment.isGone()
	w.at, w.began = at, true
	if !at.segment.isGone() {
		w.show(*i, at)
		return
	}
	if i.id == "" {
		w.reject(*i, nil)
		return
	}
	position := at.encode()
	if w.whole {
		position = nil
	}
	w.send(bridge.Change{Contact: contactOf(i.id), Deleted: true}, position)
}

// isWanted reports whether a record of a flow is to be shown: one that was not read before, and in an initial run no one that is gone.
func (w *walk) isWanted(i item) bool {
	if i.fault != "" || i.id == "" {
		return true
	}
	if w.at.among {
		return w.isWithin(i)
	}
	if w.run.Initial() {
		gone, _, err := w.judge(i)
		if gone && err == nil { // who is not shown is gone, but this one may have been shown by this run
			return i.noTime || w.l.Changes.Token != "" || i.stamp > w.state.horizon
		}
	}
	if i.noTime || w.l.Changes.Token != "" || w.at.segment == listed {
		return true
	}
	return w.run.Initial() && w.at.segment != again || i.stamp > w.lowest()
}

// unread returns the first record of a page that comes after the place. If the page does not begin with the records that were read, in
// the same order, that is its first one: any of the others may have moved before the place.
func (p place) unread(heads []uint64) int {
	if p.id != "" && p.row < len(heads) && heads[p.row] == p.head {
		return p.row + 1
	}
	return 0
}

// headsOf returns, for each record of a page, what stands for the ids up to it, or for all that is known of those records.
func headsOf(items []item, whole bool) []uint64 {
	heads := make([]uint64, len(items))
	h := fnv.New64a()
	write := func(text []byte) { _, _ = h.Write(binary.AppendUvarint(nil, uint64(len(text)))); _, _ = h.Write(text) } // they cannot fail
	for n, i := range items {
		write([]byte(i.id))
		if whole {
			for _, value := range i.values {
				write(value)
			}
		}
		heads[n] = h.Sum64()
	}
	return heads
}

// beginsRound reports whether the request for the page at a place begins a round of the service's anew, with a token of its own: later
// runs bring what changes after that, so what the page had before counts only where it is still the same.
func (w *walk) beginsRound(at place) bool {
	if at.cursor != "" || at.page != w.flowPurpose().reading.firstPage() {
		return false
	}
	if at.segment == listed {
		return w.l.List.Token != ""
	}
	return at.segment == flow && w.l.Changes.Token != ""
}

// movesOn reports whether later runs begin after the page at a place, or after a round that begins with it: what is in the page and was not
// read would never be. A record that has changed may stand where it stood, between the same others.
func (w *walk) movesOn(at place) bool {
	return at.segment == flow && w.l.Changes.Token != "" || w.beginsRound(at)
}

// moved takes note that a page does not begin with the records that were read of it. They may come again. In the list of an initial run
// one that is gone does not come at all, and as its round begins only now, no later run would tell of it: the run has to start again.
func (w *walk) moved(items []item, at place) error {
	if at.segment == listed && w.beginsRound(at) {
		return &bridge.Error{
			Code: bridge.CodeInvalidOffset, Message: "the first page of the list has changed since it was read in part", Hint: "Start the run again from its checkpoint.",
		}
	}
	for _, i := range items {
		w.note(i.id)
	}
	return nil
}

// flowPurpose returns what the segment asks for.
func (w *walk) flowPurpose() purpose {
	if w.at.among {
		return w.f.asks("by_id")
	}
	switch w.at.segment {
	case deleted, left:
		return w.f.asks("deletions")
	case listed:
		return w.f.asks("list")
	}
	return w.f.asks("changes")
}

// firstPage returns the number or offset of a first page.
func (r *Reading) firstPage() int {
	if r.Page.By == "number" && !r.Page.Zero {
		return max(r.Page.First, 1)
	}
	return 0
}

// flowPage asks for the page at a place.
func (w *walk) flowPage(p purpose, at place) (*page, error) {
	from := beginning
	if !w.run.Initial() && w.since.token == "" {
		from = w.since.stamp
	}
	if w.at.segment == again || w.at.segment == left {
		from = w.state.horizon
	}
	values := scope{
		"since": w.bound(p.reading, from), "page": int64(at.page), "offset": int64(at.page), "cursor": at.cursor, "token": w.since.token, "after_id": at.id, "direction": "",
	}
	if p.reading.Page.isNamed() {
		values["after_id"] = "" // such a page may be known for all of its records
	}
	p.name = fmt.Sprint(p.name, " ", w.at.segment) // what a run asks for again, to see what happened meanwhile, is not what it has read before
	if p.reading.Page.Recheck {
		p.fresh = true // records move between such pages: two that were read at different times do not fit
	}
	if w.since.token != "" {
		values["since"] = "" // the token says it
	}
	if at.among {
		first, before := w.span()
		values["from"], values["before"] = w.moment(w.clear(first)), w.moment(before)
	}
	link := ""
	if p.reading.Page.By == "link" {
		if link = at.cursor; link == "" && p.reading.Path.written == tokenPath {
			link = w.since.token // the token is an address
		}
	}
	return w.client.fetch(w.ctx, w.name, p, values, link)
}

// tokenPath is the path of a request whose address is the token that the service gave.
const tokenPath = "{{token}}"

// turn moves a place to the next page.
func (w *walk) turn(next *place, got *page, r *Reading) error {
	switch r.Page.By {
	case "number":
		next.page++
	case "offset":
		next.page += max(got.count, 1)
	case "cursor", "link":
		if r.Page.Most > 0 {
			next.page += got.count // how many records there were
		}
		return next.follow(got.next)
	default:
		return samePage() // there is one answer, and it says that there is more
	}
	read := next.page
	if r.Page.By == "number" {
		read = (next.page - r.firstPage()) * r.Page.Size
	}
	if r.Page.Most > 0 && read >= r.Page.Most {
		return capped(r.Page.Most)
	}
	return nil
}

// isCapped reports whether the last page by a cursor ends where the service gives no more records for one query.
func (r *Reading) isCapped(at place, got *page) bool {
	return r.Page.Most > 0 && r.Page.isNamed() && at.page+got.count >= r.Page.Most
}

// capped returns the error of a query that has more records than the service gives.
func capped(most int) error {
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("the service gives no more than %d records for one query, and there are more", most),
		Hint: "Narrow the query, or use a request that gives the records in the order of their changes.",
	}
}

// isPast reports whether a page of the newest records first has reached what was read before.
func (w *walk) isPast(p *page) bool {
	if w.l.Changes.Order != orderNewest || w.at.segment != flow && w.at.segment != again || len(p.items) == 0 {
		return false
	}
	last := p.items[len(p.items)-1]
	return !last.noTime && last.stamp < w.lowest()
}

// lowest is the stamp below which records of a flow were read before.
func (w *walk) lowest() int64 {
	switch {
	case w.at.segment == again:
		return w.state.horizon
	case w.at.segment == left:
		return w.state.began - max(w.l.Updated.precision(), time.Second).Microseconds() - 1
	case w.run.Initial() || w.since.token != "":
		return beginning - 1
	}
	return w.since.stamp
}
