package bridge

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sync/semaphore"

	"github.com/contactbridge/contactbridge/contact"
)

// The bounds of one page, besides its bytes ([Client.MaxBody]) and those of each contact (package contact) (D11). A page beyond
// them is refused: [CodeAnswerTooBig].
const (
	MaxPageContacts = 1_000_000 // taken and rejected ones together
	MaxPageDeleted  = 1_000_000 // ids

	// MemoryFactor is how many bytes of memory a page may hold for each of its bytes once it is decoded. Pages of very many tiny
	// contacts reach it.
	MemoryFactor = 8
)

const (
	freeMemory    = 16 << 20 // that any page may hold, however small it is: some 65,000 contacts of nothing but an id
	maxContext    = 1 << 20  // bytes of a context: it goes back in a request, and our own bridge takes no larger one
	maxReason     = 500      // bytes of why a contact was left out
	maxAuthBody   = 1 << 20  // bytes of an auth_validation's answer
	maxAuthFields = 100

	memoryOfContact  = int(unsafe.Sizeof(contact.Contact{}))
	memoryOfGrowth   = memoryOfContact * 35 / 100            // a contact's share of the memory that its list gives up when it grows
	memoryOfRejected = 2*int(unsafe.Sizeof(Rejected{})) + 16 // in a piece and in the list, and its texts rounded up
	memoryOfDeleted  = 2*int(unsafe.Sizeof("")) + 8
)

// A pageTooBig says which of a page's bounds is exceeded.
type pageTooBig struct{ what string }

func (e *pageTooBig) Error() string { return e.what }

// charge counts memory that the page holds.
func (r *pageReader) charge(bytes int) error {
	if len(r.page.Contacts)+r.rejected.n > MaxPageContacts {
		return &pageTooBig{fmt.Sprintf("it holds more than %d contacts", MaxPageContacts)}
	}
	r.memory += int64(bytes)
	if r.memory > freeMemory && r.memory > MemoryFactor*r.json.InputOffset() {
		return &pageTooBig{fmt.Sprintf("its first %s hold %d contacts and deletions, which take more than %d times as much memory",
			size(r.json.InputOffset()), len(r.page.Contacts)+r.rejected.n+r.deleted.n, MemoryFactor)}
	}
	return nil
}

// next returns a new contact, which is zero. The list grows as the page's length suggests, so that few contacts are
// copied and few places stay empty.
func (r *pageReader) next() *contact.Contact {
	list := r.page.Contacts
	if len(list) == cap(list) {
		list = append(make([]contact.Contact, 0, r.room(len(list))), list...)
	}
	r.page.Contacts = list[:len(list)+1]
	return &r.page.Contacts[len(list)]
}

// room returns the capacity for a full list of n contacts: enough for the rest of the page if its contacts are as large as those of
// its last part.
func (r *pageReader) room(n int) int {
	at := r.json.InputOffset()
	if n == 0 {
		r.grownAt = at
		return int(min(max(r.known/usualSize, leastContacts), mostAtFirst))
	}
	density := float64(n-r.grown) / float64(max(at-r.grownAt, 1))
	r.grown, r.grownAt = n, at
	expected := float64(n) + density*float64(max(r.known-at, 0))*1.02 + leastContacts
	fits := mostForContacts * float64(r.known) / float64(memoryOfContact)
	return int(max(1.25*float64(n)+leastContacts, min(expected, fits, MaxPageContacts)))
}

// drop removes the newest contact.
func (r *pageReader) drop() {
	last := len(r.page.Contacts) - 1
	r.page.Contacts[last] = contact.Contact{}
	r.page.Contacts = r.page.Contacts[:last]
}

const (
	usualSize     = 256 // bytes of a contact
	leastContacts = 64
	mostAtFirst   = 8192
	// mostForContacts is how much of [MemoryFactor] is for the list, whatever is expected.
	mostForContacts = 5.5
	mostInPiece     = 8192
)

// pieces is a list that grows without copying what it has, so that a long one costs its own size twice, not many times.
type pieces[T any] struct {
	n    int
	full [][]T
	last []T
}

// next returns a new element, which is zero.
func (p *pieces[T]) next() *T {
	if len(p.last) == cap(p.last) {
		size := min(max(16, p.n), mostInPiece)
		if len(p.last) > 0 {
			p.full = append(p.full, p.last)
		}
		p.last = make([]T, 0, size)
	}
	p.n++
	p.last = p.last[:len(p.last)+1]
	return &p.last[len(p.last)-1]
}

// all returns the elements in one slice, which is nil if it would be empty, and forgets them.
func (p *pieces[T]) all() []T {
	if p.n == 0 {
		return nil
	}
	if len(p.full) == 0 {
		return p.last
	}
	all := make([]T, 0, p.n)
	for i, piece := range p.full {
		all = append(all, piece...)
		p.full[i] = nil
	}
	all = append(all, p.last...)
	p.full, p.last = nil, nil
	return all
}

// A Budget is how many bytes of memory the pages of all clients that share it may hold together, from their decoding until they
// are released. A page that has no room waits for its turn, in order of arrival. One that needs more than the whole budget has it
// for itself.
type Budget struct {
	bytes int64
	room  *semaphore.Weighted
}

// DefaultBudget is a process's budget for pages where none is configured, in bytes.
const DefaultBudget = 256 << 20

// NewBudget returns a budget of so many bytes, or of [DefaultBudget] where bytes is not positive.
func NewBudget(bytes int64) *Budget {
	if bytes <= 0 {
		bytes = DefaultBudget
	}
	return &Budget{bytes: bytes, room: semaphore.NewWeighted(bytes)}
}

// ProcessLimit returns the memory limit that a process with this budget should set (SetMemoryLimit of runtime/debug): the pages,
// as much again for what is made of them, and the rest. Without it garbage may take twice as much.
func (b *Budget) ProcessLimit() int64 { return 2*b.bytes + restOfProcess }

const restOfProcess = 64 << 20

// Take waits for room for something else than a page that this process decodes. release returns it to the budget; calling it again does nothing.
func (b *Budget) Take(ctx context.Context, bytes int64) (release func(), err error) {
	return b.take(ctx, bytes)
}

// take waits for room. release returns it to the budget; calling it again does nothing.
func (b *Budget) take(ctx context.Context, bytes int64) (release func(), err error) {
	bytes = min(max(bytes, 1), b.bytes)
	if err := b.room.Acquire(ctx, bytes); err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() { b.room.Release(bytes) }), nil
}

const (
	bodyBuffer = 64 << 10
	// readAhead is how much of an answer is read before it needs room in the budget. Most pages are smaller: their size is known
	// when they need it, and their bridge does not wait.
	readAhead = 2 << 20
)

// reserve takes room for the page in the budget. What the page holds can be told from its size alone: from what has been read
// where that is all, from its declared length, or else from what an answer may have at most. The time that it waits is no fault of
// the bridge's and does not count.
func (a *answer) reserve() (release func(), err error) {
	switch {
	case a.readAhead():
		a.known = a.meter.read
	case !a.res.Uncompressed && a.res.ContentLength > 0:
		a.known = a.res.ContentLength
	}
	if a.client.Budget != nil {
		resume := a.time.pause()
		defer resume()
		release, err = a.client.Budget.take(a.timed, MemoryFactor*cmp.Or(a.known, a.client.maxBody()))
		if err != nil {
			return nil, a.failed(err)
		}
	}
	return release, nil
}

// readRest reads a body of unknown length to its end, to learn its length. That takes less memory than a list of contacts that grows
// without it.
func (a *answer) readRest() {
	if a.known > 0 {
		return
	}
	readers := []io.Reader{bytes.NewReader(*a.ahead)}
	for {
		piece := make([]byte, restPiece)
		n, err := io.ReadFull(a.meter, piece)
		readers = append(readers, bytes.NewReader(piece[:n]))
		if err != nil {
			break // reading on returns the same error
		}
	}
	a.known = a.meter.read
	a.body.Reset(&wanted{a, io.MultiReader(append(readers, a.meter)...)})
}

// wanted reads what is in memory already, as long as its caller wants it: a page that is slow to decode can be given up too.
type wanted struct {
	answer *answer
	from   io.Reader
}

// Read implements [io.Reader].
func (w *wanted) Read(b []byte) (int, error) {
	if err := w.answer.ctx.Err(); err != nil {
		w.answer.meter.err = err
		return 0, err
	}
	return w.from.Read(b[:min(len(b), bodyBuffer)])
}

const restPiece = 256 << 10

// readAhead reads the body's beginning, and reports whether that is all of it. An error is not reported: reading on returns it again.
func (a *answer) readAhead() (whole bool) {
	a.ahead = aheads.Get().(*[]byte)
	b := (*a.ahead)[:0]
	if n := a.res.ContentLength; n > 0 && n < readAhead && int64(cap(b)) <= n {
		b = make([]byte, 0, n+1) // and room to find the end
	}
	for len(b) < readAhead && !whole {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(max(2*cap(b), bodyBuffer), readAhead)), b...)
		}
		n, err := a.meter.Read(b[len(b):min(cap(b), readAhead)])
		b = b[:len(b)+n]
		if err != nil {
			whole = errors.Is(err, io.EOF)
			break
		}
	}
	*a.ahead = b
	a.body.Reset(&wanted{a, io.MultiReader(bytes.NewReader(b), a.meter)})
	return whole
}

// aheads are buffers for the beginnings of answers.
var aheads = sync.Pool{New: func() any { return new([]byte) }}

// close returns the buffers that the answer was read with.
func (a *answer) close() {
	a.res.Body.Close()
	if a.ahead != nil {
		aheads.Put(a.ahead)
	}
}

// A limit ends a request when its time is up. Time while it is paused does not count.
type limit struct {
	timer   *time.Timer
	left    time.Duration
	running time.Time // since when
}

func newLimit(left time.Duration, end func()) *limit {
	return &limit{timer: time.AfterFunc(left, end), left: left, running: time.Now()}
}

// pause stops the time until resume is called.
func (l *limit) pause() (resume func()) {
	if !l.timer.Stop() {
		return func() {} // it has passed
	}
	l.left -= time.Since(l.running)
	return func() {
		l.running = time.Now()
		l.timer.Reset(max(l.left, 0))
	}
}
