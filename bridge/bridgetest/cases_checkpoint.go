package bridgetest

import (
	"context"
	"regexp"
	"time"
)

var uuid = regexp.MustCompile(`^(?i)[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$`)

const mostProbes = 12 // checkpoints of pages that are tried

// pageCheckpoint starts runs from pages' checkpoints: each must bring the contacts of the page after it. This finds pages that are
// not sorted, and bridges that go on after a moment that several contacts share.
func pageCheckpoint(ctx context.Context, s *session, v *verdict) {
	if !s.hasCheckpoint(v) || !s.ran(v) {
		return
	}
	var candidates []int
	for k, p := range s.full.pages[:len(s.full.pages)-1] {
		if p.checkpoint != "" && len(s.full.pages[k+1].ids) > 0 {
			candidates = append(candidates, k)
		}
	}
	if len(candidates) == 0 {
		v.skip("only the last page sets a checkpoint")
		return
	}
	probed := 0
	for _, k := range spread(candidates, mostProbes) {
		behind := s.full.pages[k+1]
		if !s.affordable(2*behind.bytes, 2*behind.took) {
			break
		}
		s.probeCheckpoint(ctx, v, k)
		probed++
	}
	v.detail("tried those of %s", plural(probed, "page"))
}

// spread picks at most n of the values, the first and the last among them.
func spread(values []int, n int) []int {
	if len(values) <= n {
		return values
	}
	picked := make([]int, n)
	for i := range picked {
		picked[i] = values[i*(len(values)-1)/(n-1)]
	}
	return picked
}

func (s *session) probeCheckpoint(ctx context.Context, v *verdict, k int) {
	left := map[uint64]bool{}
	for _, id := range s.full.pages[k+1].ids {
		if int(s.full.where[id]) == k+1 { // and not on an earlier page as well
			left[id] = true
		}
	}
	r := s.follow(ctx, plan{
		label: v.id, since: s.full.pages[k].checkpoint,
		each: func(_ *run, last visited) bool {
			for _, id := range last.ids {
				delete(left, id)
			}
			return len(left) > 0 && s.affordable(last.bytes, last.took)
		},
	})
	if r.stopped != "" {
		v.fail(r.failed, "a run from the checkpoint of page %d: %s", k+1, r.stopped)
		return
	}
	if !r.complete || len(left) == 0 {
		return
	}
	id, e := s.stillOn(ctx, k+1, left)
	if id != "" {
		v.fail(e, "a run from the checkpoint of page %d (%q) did not bring the contact %q, which came on page %d",
			k+1, s.full.pages[k].checkpoint, id, k+2)
	}
}

// stillOn asks for a page of the full run again and returns one of the ids that is still on it: one that has changed
// or gone meanwhile proves nothing.
func (s *session) stillOn(ctx context.Context, k int, wanted map[uint64]bool) (string, *exchange) {
	found := ""
	_, e := s.page(ctx, s.full.again("a page again", k), func(id string, _ []byte) {
		if found == "" && wanted[s.hash(id)] {
			found = id
		}
	})
	return found, e
}

// clockTolerance is how near to the request's moment a checkpoint must be to be the clock: one that is further back
// leaves time for transactions that were under way.
const clockTolerance = time.Second

// checkpointClock reads incremental runs with a pause between them. Where nothing changed, the checkpoint may not move;
// one that moved to the very moment of the request is the clock.
func checkpointClock(ctx context.Context, s *session, v *verdict) {
	if !s.hasCheckpoint(v) || !s.ran(v) {
		return
	}
	runs := []*run{s.next}
	for range 2 {
		last := runs[len(runs)-1]
		s.waitSince(ctx, last.pages[len(last.pages)-1].sent)
		since := last.checkpoint
		if since == "" {
			since = last.since
		}
		runs = append(runs, s.follow(ctx, plan{
			label: "incremental run after a pause", since: since,
			each: func(_ *run, last visited) bool { return len(last.ids) == 0 }, // one contact is enough to know that it is not quiet
		}))
		if len(runs[len(runs)-1].pages) == 0 {
			return
		}
	}
	quiet, moved := 0, 0
	for _, r := range runs {
		if !r.complete || r.contacts > 0 || r.checkpoint == "" {
			continue
		}
		quiet++
		if r.checkpoint == r.since {
			continue
		}
		moved++
		page := r.pages[len(r.pages)-1]
		moment, readable := parseMoment(r.checkpoint)
		switch lag := page.moment.Sub(moment); {
		case !readable:
			v.detail("the checkpoint changes although nothing did; it cannot be read, so it is unknown whether it is a clock")
		case lag < clockTolerance:
			v.fail(nil, "a run that brought nothing moved the checkpoint from %q to %q, the moment of the answer", r.since, r.checkpoint)
		default:
			v.detail("the checkpoint moves with the clock, %s earlier; safe if no change takes longer to be visible", lag.Round(time.Second))
		}
	}
	if quiet == 0 {
		v.skip("contacts came in every run, so nothing can be told")
	}
	if moved == 0 && quiet > 0 {
		v.detail("%s brought nothing and left it as it was", plural(quiet, "run"))
	}
}
