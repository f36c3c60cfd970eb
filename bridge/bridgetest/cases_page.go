package bridgetest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"
)

// firstAgain asks for the first page in another form and compares it with the full run's.
func (s *session) firstAgain(ctx context.Context, v *verdict, f form, what string) {
	if !s.usable(v) {
		return
	}
	first := s.full.pages[0]
	if !s.affordable(first.bytes, first.took) {
		v.skip("the first page is too large to be asked for again")
		return
	}
	page := s.expectPage(ctx, v, question{label: v.id, form: f}, what)
	if page != nil && len(first.ids) > 0 && !overlaps(page.ids, first.ids) {
		v.fail(nil, "%s: the answer does not hold any of the first page's %s", what, plural(len(first.ids), "contact"))
	}
}

func overlaps(a, b []uint64) bool {
	set := map[uint64]bool{}
	for _, id := range a {
		set[id] = true
	}
	return slices.ContainsFunc(b, func(id uint64) bool { return set[id] })
}

// missing counts the ids of want that are not in got.
func missing(want, got []uint64) int {
	set := map[uint64]bool{}
	for _, id := range got {
		set[id] = true
	}
	n := 0
	for _, id := range want {
		if !set[id] {
			n++
		}
	}
	return n
}

func metaAbsent(ctx context.Context, s *session, v *verdict) {
	s.firstAgain(ctx, v, absent, "absent checkpoint, offset and context")
}

func metaEmpty(ctx context.Context, s *session, v *verdict) {
	s.firstAgain(ctx, v, empties, "empty checkpoint and offset")
}

// pageTwice asks for a page of the full run twice more. What it finds about the contacts belongs to page-stable.
func pageTwice(ctx context.Context, s *session, v *verdict) {
	stable := s.verdict("page-stable")
	if !s.usable(v) || !s.usable(stable) {
		return
	}
	k := s.full.middle()
	was := s.full.pages[k]
	if !s.affordable(2*was.bytes, 2*was.took) {
		v.skip("the page is too large to be asked for again")
		stable.skip("the page is too large to be asked for again")
		return
	}
	for range 2 {
		page, e := s.page(ctx, s.full.again(v.id, k), nil)
		switch {
		case page == nil:
			v.fail(e, "page %d asked again: %s", k+1, unusable(e))
		case len(was.ids) > 0 && !overlaps(page.ids, was.ids):
			v.fail(e, "page %d asked again does not hold any of its %s", k+1, plural(len(was.ids), "contact"))
		case s.lacks(ctx, was.ids, page.ids):
			stable.fail(e, "page %d asked again lacks %s that it had", k+1, plural(missing(was.ids, page.ids), "contact"))
		}
	}
}

// lacks reports whether contacts are missing that have not changed since the full run.
func (s *session) lacks(ctx context.Context, want, got []uint64) bool {
	n := missing(want, got)
	return n > 0 && n > s.changed(ctx, want)
}

// repeatable reports whether pages can be asked for again at all; if not, the case is skipped.
func (s *session) repeatable(v *verdict) bool {
	if s.failed("page-twice") {
		v.skip("the bridge does not answer a page twice")
		return false
	}
	return true
}

// changed counts the contacts among ids that have changed since the full run, which is why they may be missing.
func (s *session) changed(ctx context.Context, ids []uint64) int {
	if s.full.checkpoint == "" {
		return 0
	}
	r := s.incrementalRun(ctx, s.full.checkpoint)
	n := 0
	for _, id := range ids {
		if r.has(id) {
			n++
		}
	}
	return n
}

func contextUse(_ context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	used := 0
	for i, page := range s.full.pages {
		if page.nextContext == nil {
			continue
		}
		used++
		if page.next == "" {
			v.fail(nil, "page %d has a context and no next_offset", i+1)
		}
	}
	v.detail("%d of %s set one", used, plural(len(s.full.pages), "page"))
}

func contextReencoded(ctx context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	k := slices.IndexFunc(s.full.pages, func(p visited) bool { return p.context != nil })
	switch {
	case k < 0:
		v.skip("the bridge uses no context")
		return
	case !s.repeatable(v):
		return
	}
	q := s.full.again(v.id, k)
	var spaced bytes.Buffer
	if err := json.Indent(&spaced, reencode(q.context), "", "  "); err != nil {
		return
	}
	q.context = spaced.Bytes()
	s.expectPage(ctx, v, q, "the context with other white space and order")
}

func gzipped(ctx context.Context, s *session, v *verdict) {
	offered := s.verdict("gzip-offered")
	if !s.usable(v) || !s.usable(offered) {
		return
	}
	was := s.full.pages[0]
	if !s.affordable(was.bytes, was.took) {
		v.skip("the first page is too large to be asked for again")
		offered.skip("the first page is too large to be asked for again")
		return
	}
	page, e := s.page(ctx, question{label: v.id, gzip: true}, nil)
	switch {
	case page == nil && s.failed(v.id):
	case page == nil:
		v.fail(e, "with Accept-Encoding: gzip: %s", unusable(e))
	case e.answerHeader.Get("Content-Encoding") != "gzip" && was.bytes > 4096:
		offered.fail(nil, "a page of %s came uncompressed to a request with Accept-Encoding: gzip", size(was.bytes))
	default:
		offered.detail("%s became %s", size(was.bytes), size(page.bytes))
	}
}

func keepAlive(_ context.Context, s *session, v *verdict) {
	switch {
	case !s.usable(v):
	case len(s.full.pages) < 2:
		v.skip("the full run has one page only")
	case !s.full.reused:
		v.fail(nil, "each of the %d pages needed a connection of its own", len(s.full.pages))
	}
}

// twoRuns reads two runs at once, page by page side by side, and compares them with the full run.
func twoRuns(ctx context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	const most = 8
	var bytes int64
	var took time.Duration
	pages := 0
	for pages < min(most, len(s.full.pages)) && s.affordable(2*(bytes+s.full.pages[pages].bytes), 2*(took+s.full.pages[pages].took)) {
		bytes += s.full.pages[pages].bytes
		took += s.full.pages[pages].took
		pages++
	}
	if pages == 0 {
		v.skip("the pages are too large to be asked for again")
		return
	}
	var want []uint64
	for _, p := range s.full.pages[:pages] {
		want = append(want, p.ids...)
	}
	runs := []*besideRun{{q: question{label: "first of two runs at once"}}, {q: question{label: "second of two runs at once"}}}
	for n := range pages {
		if n%2 == 1 { // one after the other: only then two runs that share a cursor miss contacts for certain
			for _, r := range runs {
				r.next(ctx, s, v, n)
			}
			continue
		}
		var group sync.WaitGroup
		for _, r := range runs {
			group.Go(func() { r.next(ctx, s, v, n) })
		}
		group.Wait()
	}
	for _, r := range runs {
		if !r.failed && s.lacks(ctx, want, r.got) {
			v.fail(nil, "%d of the first %d contacts were missing from a run beside another one", missing(want, r.got), len(want))
		}
	}
}

// A besideRun is one of two runs that are read page by page at the same time.
type besideRun struct {
	q      question
	got    []uint64
	ended  bool // there is no further page, or it failed
	failed bool
}

// next reads page n, counted from 0, unless the run has ended.
func (r *besideRun) next(ctx context.Context, s *session, v *verdict, n int) {
	if r.ended {
		return
	}
	page, e := s.page(ctx, r.q, nil)
	if page == nil {
		v.fail(e, "page %d of a run beside another one: %s", n+1, unusable(e))
		r.ended, r.failed = true, true
		return
	}
	r.got = append(r.got, page.ids...)
	r.ended = page.next == ""
	r.q.offset, r.q.context = page.next, page.nextContext
}

// pageLater asks for a page of the full run at least a pause after it was first asked for.
func pageLater(ctx context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	if len(s.full.pages) < 2 {
		v.skip("the full run has one page only, so there is no offset")
		return
	}
	if !s.repeatable(v) {
		return
	}
	k := 1
	s.waitSince(ctx, s.full.pages[k].sent)
	page, e := s.page(ctx, s.full.again(v.id, k), nil)
	was := s.full.pages[k]
	switch {
	case page == nil:
		v.fail(e, "page %d asked again after %.1f s: %s", k+1, s.carrier.now().Sub(was.sent).Seconds(), unusable(e))
	case len(was.ids) > 0 && !overlaps(page.ids, was.ids) && s.changed(ctx, was.ids) < len(was.ids):
		v.fail(e, "page %d asked again after a pause does not hold any of its %s", k+1, plural(len(was.ids), "contact"))
	}
}

// waitSince waits until the pause has gone by since a moment.
func (s *session) waitSince(ctx context.Context, moment time.Time) {
	if left := s.options.Pause - s.carrier.now().Sub(moment); left > 0 {
		s.carrier.sleep(ctx, left)
	}
}

const (
	mostRestart = 60 // times that the bridge is asked whether it is back
	restartWait = 500 * time.Millisecond
)

func pageAfterRestart(ctx context.Context, s *session, v *verdict) {
	switch {
	case s.target.Restart == nil:
		v.skip("the check was given no command that restarts the bridge%s", s.memoryHint())
		return
	case !s.usable(v):
		return
	case len(s.full.pages) < 2:
		v.skip("the full run has one page only, so there is no offset")
		return
	case !s.repeatable(v):
		return
	case s.failed("page-later"):
		v.skip("the offset does not live that long")
		return
	}
	if err := s.carrier.restart(ctx); err != nil {
		v.fail(nil, "the command that restarts the bridge failed: %v", err)
		return
	}
	for range mostRestart {
		e := &exchange{label: "is it back", method: http.MethodGet, url: s.target.URL}
		if s.send(ctx, e); e.status != 0 {
			break
		}
		s.carrier.sleep(ctx, restartWait)
	}
	k := 1
	page, e := s.page(ctx, s.full.again(v.id, k), nil)
	was := s.full.pages[k]
	switch {
	case page == nil:
		v.fail(e, "page %d asked again after a restart: %s", k+1, unusable(e))
	case len(was.ids) > 0 && !overlaps(page.ids, was.ids) && s.changed(ctx, was.ids) < len(was.ids):
		v.fail(e, "page %d asked again after a restart does not hold any of its %s", k+1, plural(len(was.ids), "contact"))
	}
}

// memoryHint warns of an offset that looks like a handle into somebody's memory.
func (s *session) memoryHint() string {
	if s.full == nil || len(s.full.pages) < 2 {
		return ""
	}
	offset := s.full.pages[1].offset
	if uuid.MatchString(offset) && !s.full.has(s.hash(offset)) {
		return "; its offset is a UUID: store what it stands for where it survives a restart"
	}
	return ""
}
