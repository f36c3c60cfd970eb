package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	aheadTime   = 2 * time.Second // from the beginning of a page that is read ahead until it must have been asked for
	farAhead    = 3               // pages after the one that is answered
	mostAhead   = 4 * farAhead    // pages of one handler that wait to be asked for
	aheadMemory = 16 << 20        // bytes of the pages that all handlers of the process have read ahead
)

// aheadRoom limits the memory of all pages that are read ahead to aheadMemory. Each page counts with its limit of bytes.
var aheadRoom = semaphore.NewWeighted(aheadMemory)

// An ahead is one of the next pages of a run, read while its caller takes in the page before it (see [Repeater]). It is only a try: where it is not
// asked for in time, or anything is not as it was, the page is read as if there had been none.
type ahead struct {
	key     aheadKey
	page    *page
	stop    context.CancelFunc // ends the reading
	stopped <-chan struct{}
	done    chan struct{} // closed at the end of the reading
	late    *time.Timer   // gives it up

	// Guarded by the mutex of aheadPages.
	whole bool  // the page can be sent
	next  start // where the page after it starts
	more  bool  // there is such a page, and it can be read ahead
	users int   // one reads it, one waits to send it
}

// aheadPages are the pages that a handler reads ahead. The zero value is ready.
type aheadPages struct {
	mu     sync.Mutex
	list   []*ahead // those that nobody has asked for yet, the oldest one first
	closed bool
	work   sync.WaitGroup // readings
}

// readAhead reads the pages after one that is answered. The first page of a run is no reason to: many callers want no other.
func (p *page) readAhead(src Source) {
	repeater, ok := src.(Repeater)
	if !ok || p.asked.offset == "" {
		return
	}
	from, more := p.next()
	for n := 0; more && n < farAhead; n++ {
		from, more = p.readOne(src, repeater, from, n == 0 && p.repeated)
	}
}

// readOne reads a later page of the run ahead. If another goroutine is reading that page already, readOne waits for it. It returns the start of the
// page that follows; more is false if there is no such page, or if it must not be read ahead. repeated says that src has just confirmed that it
// repeats the run.
func (p *page) readOne(src Source, repeater Repeater, from start, repeated bool) (next start, more bool) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	s := &p.h.ahead
	a := &ahead{key: keyOf(p.asked, from), stop: stop, stopped: ctx.Done(), done: make(chan struct{}), users: 2}
	switch known, entered := s.enter(a, p); {
	case entered:
		err := guarded(func() error { return a.read(ctx, src, repeater, from, repeated) })
		<-spareAhead // before anybody who waits for the page goes on to the next one
		s.end(a, err == nil)
	case known != nil:
		select {
		case <-known.done:
		case <-known.stopped: // it takes too long
		}
		a = known
	}
	return s.after(a)
}

// next returns where the page after this one starts. ok is false at the end of the run, and where time or an error ended this page: the next
// one might meet the same.
func (p *page) next() (from start, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.outcome != nil || p.complete || p.ended != CutContacts && p.ended != CutBytes {
		return start{}, false
	}
	return start{seal: p.seal, exact: p.exact, run: p.run, after: slices.Clone(p.at)}, true
}

// errChanged says that what was read ahead may be something else now.
var errChanged = errors.New("what the run reads has changed")

// read reads the page that starts at from.
func (a *ahead) read(ctx context.Context, src Source, repeater Repeater, from start, repeated bool) error {
	if !repeated && !repeater.Repeats(ctx, from.run) {
		return errChanged
	}
	a.page.begin(src, from)
	if err := a.page.readFrom(ctx, src, from); err != nil {
		return err
	}
	if !repeater.Repeats(ctx, from.run) { // it may have changed meanwhile
		return errChanged
	}
	return nil
}

// enter registers a, a later page of p's run, and reserves a processor and memory for it. If entered is true, the caller must read the page. If the
// list has the page already, enter returns it as known.
func (s *aheadPages) enter(a *ahead, p *page) (known *ahead, entered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(a.key); i >= 0 {
		return s.list[i], false
	}
	if s.closed {
		return nil, false
	}
	select {
	case spareAhead <- struct{}{}:
	default: // no page is dropped for one that is not read
		return nil, false
	}
	if len(s.list) == mostAhead {
		s.drop(s.list[0])
	}
	if !aheadRoom.TryAcquire(int64(p.limits.Bytes)) {
		<-spareAhead
		return nil, false
	}
	a.page = p.h.newPage(p.asked)
	a.late = time.AfterFunc(aheadTime, func() { s.expire(a) })
	s.list = append(s.list, a)
	s.work.Add(1)
	return nil, true
}

// find returns the place of a page in the list; -1 if it is not there. The caller holds the lock.
func (s *aheadPages) find(key aheadKey) int {
	return slices.IndexFunc(s.list, func(a *ahead) bool { return a.key == key })
}

// after returns the start of the page that follows a. more is false if a is not whole, or if the next page must not be read ahead.
func (s *aheadPages) after(a *ahead) (next start, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.next, a.more
}

// end ends the reading of a page. One that is not whole is dropped.
func (s *aheadPages) end(a *ahead, whole bool) {
	defer s.work.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.whole = whole; whole {
		a.next, a.more = a.page.next()
	}
	if !whole && slices.Contains(s.list, a) {
		s.drop(a)
	}
	s.leave(a)
	close(a.done)
}

// expire gives up a page that nobody has asked for in time, or a reading that takes too long.
func (s *aheadPages) expire(a *ahead) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.stop()
	if slices.Contains(s.list, a) {
		s.drop(a)
	}
}

// drop forgets a page that nobody has asked for. The caller holds the lock, as that of leave does.
func (s *aheadPages) drop(a *ahead) {
	i := slices.Index(s.list, a)
	s.list = slices.Delete(s.list, i, i+1)
	a.stop()
	s.leave(a)
}

// leave gives the page's memory back once nobody needs it any more.
func (s *aheadPages) leave(a *ahead) {
	if a.users--; a.users == 0 {
		a.late.Stop()
		aheadRoom.Release(int64(a.page.limits.Bytes))
		a.page.release()
	}
}

// take removes the page with this key from the list and returns it, or nil if the list has no such page. The caller must call leave after using
// the page.
func (s *aheadPages) take(key aheadKey) *ahead {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(key)
	if i < 0 {
		return nil
	}
	a := s.list[i]
	s.list = slices.Delete(s.list, i, i+1)
	return a
}

// close ends what is being read ahead, and forgets what was.
func (s *aheadPages) close() {
	s.mu.Lock()
	s.closed = true
	for len(s.list) > 0 {
		s.drop(s.list[0])
	}
	s.mu.Unlock()
	s.work.Wait()
}

// takeAhead fills the page with what was read ahead for the same request. It returns false, and changes nothing, if nothing was read ahead, or
// if the source may have changed since.
func (p *page) takeAhead(ctx context.Context, src Source, from start) bool {
	repeater, ok := src.(Repeater)
	if !ok || p.asked.offset == "" {
		return false
	}
	s := &p.h.ahead
	a := s.take(keyOf(p.asked, from))
	if a == nil {
		return false
	}
	defer func() {
		a.stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leave(a)
	}()
	select {
	case <-a.done:
	case <-a.stopped: // it takes too long
	case <-ctx.Done():
	}
	s.mu.Lock()
	whole := a.whole
	s.mu.Unlock()
	if !whole || !repeater.Repeats(ctx, from.run) {
		return false
	}
	p.become(a.page)
	return true
}

// become takes over what a page that was filled from the same start holds.
func (p *page) become(q *page) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.settled {
		return
	}
	p.text, q.text = q.text, p.text
	p.now, p.cut, p.at, p.again, p.ended = q.now, q.cut, q.at, q.again, q.ended
	p.unnamed, p.reasons, p.repeated = q.unnamed, q.reasons, true
}

// An aheadKey stands for everything that decides what a handler answers to a request for a page that is not a run's first: the credentials, what
// is read and from where on, and whether the caller knows deletions. It shows no credential.
type aheadKey [sha256.Size]byte

func keyOf(q request, from start) aheadKey {
	b := make([]byte, 0, 512)
	flag := func(set bool) {
		b = append(b, 0)
		if set {
			b[len(b)-1] = 1
		}
	}
	add := func(text string) { b = append(binary.AppendUvarint(b, uint64(len(text))), text...) }
	flag(q.supportsDeletion)
	flag(from.exact)
	flag(q.auth == nil)
	add(from.seal)
	add(string(from.run.Since))
	add(string(from.run.State))
	add(string(from.after))
	for _, name := range slices.Sorted(maps.Keys(q.auth)) {
		add(name)
		add(q.auth[name])
	}
	return sha256.Sum256(b)
}
