package bridgetest

import (
	"context"
	"fmt"
	"hash/maphash"
	"time"
)

// A run is one synchronization run, remembered without its contacts: ids are kept as hashes.
type run struct {
	since      string
	pages      []visited
	where      map[uint64]int32 // the first page that a contact was on
	twice      []repeated       // a few contacts that came more than once
	checkpoint string           // the last one that a page set (D2)
	complete   bool             // a page said that all contacts have been retrieved
	cut        bool             // the check had seen enough
	stopped    string           // why the run could not go on
	failed     *exchange        // the exchange that stopped it
	contacts   int              // deliveries
	bytes      int64
	took       time.Duration
	slowest    time.Duration
	reused     bool // some page came over a connection that had been used before
}

// visited is one page of a run: how it was asked for, and what it held.
type visited struct {
	offset      string
	context     []byte
	next        string
	nextContext []byte
	checkpoint  string
	restarted   bool // the bridge could not use the checkpoint and begins from the start (D10)
	ids         []uint64
	bytes       int64
	sent        time.Time
	moment      time.Time // when it was sent, by the bridge's clock
	took        time.Duration
	reused      bool
}

// repeated is a contact that came on two pages of one run.
type repeated struct {
	id            string
	first, second int
}

// samples are ids as they are written, for the cases that change contacts.
type samples struct {
	first    []string // of the first page
	last     []string // of the last page
	numbers  bool     // every id is a decimal number
	greatest uint64   // the greatest such number
}

const (
	mostPages      = 1_000_000
	mostIdlePages  = 1000 // pages in a row without a contact that the run had not had before
	mostRepeats    = 50   // the same, for pages that do hold contacts
	mostSlowPages  = 3
	mostDuplicates = 5
)

// A plan says which run to read.
type plan struct {
	label string
	since string
	form  form
	// extended says that the synchronizer understands our extensions (D7).
	extended bool
	// each is called after every page, and ends the reading with false. It may be nil.
	each func(r *run, last visited) bool
	// visit is called with every contact. It may be nil.
	visit func(id string, raw []byte)
}

// follow reads a run to its end, or to where it cannot go on.
func (s *session) follow(ctx context.Context, p plan) *run {
	r := &run{since: p.since, where: map[uint64]int32{}}
	q := question{label: p.label, form: p.form, since: p.since, extended: p.extended}
	seen := map[uint64]bool{}
	idle, repeats, slow := 0, 0, 0
	for {
		before := len(r.where)
		page, e := s.page(ctx, q, func(id string, raw []byte) {
			s.note(r, id)
			if p.visit != nil {
				p.visit(id, raw)
			}
		})
		if page == nil {
			r.stopped, r.failed = unusable(e), e
			return r
		}
		r.add(*page)
		s.progress(p.label, r)
		if p.each != nil && !p.each(r, *page) {
			r.cut = true
			return r
		}
		if page.next == "" {
			r.complete = true
			return r
		}
		idle, repeats = progressed(len(r.where) > before, len(page.ids) > 0, idle, repeats)
		if page.took >= s.options.AnswerLimit {
			slow++
		}
		key := s.hash(page.next + "\x00" + string(page.nextContext))
		switch {
		case seen[key]:
			return r.stop(e, "page %d gives an offset and context that the run has had before", len(r.pages))
		case idle >= mostIdlePages || repeats >= mostRepeats:
			return r.stop(e, "the last %d pages brought no contact that the run had not had before", max(idle, repeats))
		case len(r.pages) >= mostPages:
			return r.stop(e, "the run has not ended after %d pages", len(r.pages))
		case slow >= mostSlowPages:
			r.stopped, r.failed = slowWord+fmt.Sprintf("%d pages took too long, so the check did not read on", slow), e
			return r
		}
		seen[key] = true
		q.offset, q.context = page.next, page.nextContext
	}
}

// stop ends a run that makes no progress (D4).
func (r *run) stop(e *exchange, format string, args ...any) *run {
	r.stopped, r.failed = loopWord+fmt.Sprintf(format, args...), e
	return r
}

// What begins the reason of a run that the check itself stopped: it would not end, or not soon.
const (
	loopWord = "endless: "
	slowWord = "slow: "
)

// progressed counts the pages in a row that brought nothing new, and those of them that held contacts.
func progressed(news, contacts bool, idle, repeats int) (int, int) {
	switch {
	case news:
		return 0, 0
	case contacts:
		return idle + 1, repeats + 1
	}
	return idle + 1, repeats
}

func (r *run) add(page visited) {
	r.pages = append(r.pages, page)
	if page.checkpoint != "" {
		r.checkpoint = page.checkpoint
	}
	r.contacts += len(page.ids)
	r.bytes += page.bytes
	r.took += page.took
	r.slowest = max(r.slowest, page.took)
	r.reused = r.reused || page.reused && len(r.pages) > 1
}

// note remembers a contact of the page being read.
func (s *session) note(r *run, id string) {
	h := s.hash(id)
	page := int32(len(r.pages))
	if first, ok := r.where[h]; ok {
		if first != page && len(r.twice) < mostDuplicates { // the same page: found when it was read
			r.twice = append(r.twice, repeated{id, int(first), int(page)})
		}
		return
	}
	r.where[h] = page
}

func (s *session) hash(text string) uint64 { return maphash.String(s.seed, text) }

// has reports whether the run brought a contact.
func (r *run) has(hash uint64) bool {
	_, ok := r.where[hash]
	return ok
}

func (r *run) facts() RunFacts {
	return RunFacts{
		Pages: len(r.pages), Contacts: len(r.where), Bytes: r.bytes,
		Seconds: r.took.Seconds(), Slowest: r.slowest.Seconds(), Complete: r.complete,
	}
}

// unusable says in a few words why an answer was no page.
func unusable(e *exchange) string {
	switch {
	case e.status == 0:
		return fmt.Sprintf("no answer: %v", e.err)
	case e.err != nil:
		return e.err.Error()
	case e.status != 200:
		return fmt.Sprintf("answered with status %d", e.status)
	}
	return "the answer holds no JSON object"
}

// again returns the question that a page of the full run was the answer to.
func (r *run) again(label string, k int) question {
	return question{label: label, since: r.since, offset: r.pages[k].offset, context: r.pages[k].context}
}

// middle returns the page to ask for again: not the first one where there are more, since every bridge can answer that one.
func (r *run) middle() int { return len(r.pages) / 2 }
