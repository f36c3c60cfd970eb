package bridge

import (
	"context"
	"runtime"
	"slices"
)

// A second reads the second half of a page while its first one is read (see [Splitter]). Until it is joined to the first, it is only a try: whatever
// does not go as it does on most pages, the page is read on from the end of its first half as if there had been none.
type second struct {
	page  *page
	first int // how many changes the first half has
	stop  context.CancelFunc
	done  chan struct{}
	ended bool // the source came to the end of the run
	err   error
}

// smallestSplit is how many changes a page takes at least for a second half to be worth a goroutine.
const smallestSplit = 128

// spare counts the processors that no page needs: one page has one anyway, and where many pages are made at once none is made in halves.
var spare = make(chan struct{}, max(runtime.GOMAXPROCS(0)-1, 0))

// spareAhead counts the processors on which pages are read ahead. They are others than those of spare, so that such a page is made in halves too.
var spareAhead = make(chan struct{}, max(runtime.GOMAXPROCS(0)-1, 0))

// readSecond begins to read the second half of the page, which starts at from; nil if there is none.
func (p *page) readSecond(ctx context.Context, src Source, from start) *second {
	splitter, ok := src.(Splitter)
	most := p.limits.Contacts
	if !ok || most < smallestSplit {
		return nil
	}
	select {
	case spare <- struct{}{}:
	default:
		return nil
	}
	begun := false
	defer func() {
		if !begun { // also where the source panics
			<-spare
		}
	}()
	at, first := splitter.Split(ctx, from.run, from.after, most+1)
	if len(at) == 0 || first <= 0 || first >= most {
		return nil
	}
	s := &second{page: p.h.newPage(p.asked), first: first, done: make(chan struct{})}
	s.page.limits.Contacts = most - first
	s.page.limits.Bytes = p.limits.Bytes / 2 // both halves together take no more memory than a page may
	s.page.begin(src, start{run: from.run, after: at})
	ctx, s.stop = context.WithCancel(ctx)
	begun = true
	go func() {
		defer close(s.done)
		defer func() { <-spare }()
		s.err = guarded(func() (err error) {
			s.ended, err = s.page.take(ctx, src, at, most+1-first)
			return err
		})
	}()
	return s
}

// close ends the reading and gives its memory back.
func (s *second) close() {
	if s != nil {
		s.stop()
		<-s.done
		s.page.release()
	}
}

// join appends the second half. It reports false, and changes nothing, if the page cannot go on with it.
func (p *page) join(s *second) bool {
	<-s.done
	p.mu.Lock()
	defer p.mu.Unlock()
	q := s.page
	switch {
	case p.settled || p.now.seen != s.first || p.cut != p.now: // the first half is not what was expected
		return false
	case s.err != nil || q.now.again > 0 || q.ended != CutContacts && !(s.ended && q.cut == q.now):
		return false
	case p.now.size()+q.cut.size() > p.limits.Bytes:
		return false
	}
	p.text.contacts = appendList(p.text.contacts, q.text.contacts[len(bodyStart):q.cut.contacts], p.now.sent > 0)
	p.text.deleted = appendList(p.text.deleted, q.text.deleted[:q.cut.deleted], p.now.deleted > 0)
	p.text.rejected = appendList(p.text.rejected, q.text.rejected[:q.cut.rejected], p.now.rejected > 0)
	p.now = mark{
		contacts: len(p.text.contacts), deleted: len(p.text.deleted), rejected: len(p.text.rejected),
		seen: p.now.seen + q.cut.seen, sent: p.now.sent + q.cut.sent, gone: p.now.gone + q.cut.gone,
		leftOut: p.now.leftOut + q.cut.leftOut, nameless: p.now.nameless + q.cut.nameless, noID: p.now.noID + q.cut.noID, again: p.now.again,
	}
	p.cut, p.ended = p.now, q.ended
	if s.ended {
		p.ended = CutEnd
	}
	p.at = append(p.at[:0], q.at...)
	p.unnamed = appendFew(p.unnamed, q.unnamed)
	p.reasons = appendFew(p.reasons, q.reasons)
	return true
}

// appendList appends more to a list of JSON that has its commas between.
func appendList(list, more []byte, comma bool) []byte {
	if len(more) == 0 {
		return list
	}
	if comma {
		list = append(list, ',')
	}
	return append(list, more...)
}

// appendFew appends what the log has room for.
func appendFew(list, more []string) []string {
	return append(list, slices.Clone(more[:min(len(more), max(maxLoggedIDs-len(list), 0))])...)
}
