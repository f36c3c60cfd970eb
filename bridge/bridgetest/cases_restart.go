package bridgetest

import (
	"context"
	"regexp"
	"strings"
)

var (
	year   = regexp.MustCompile(`\b20\d\d\b`)
	number = regexp.MustCompile(`^\d+$`)
)

// A foreignMark is a checkpoint that a bridge never issued, and what it looks like.
type foreignMark struct{ name, mark string }

// foreign returns checkpoints of other bridges, those first that look most like the bridge's own.
func foreign(issued string) []foreignMark {
	var marks []foreignMark
	if moved := year.ReplaceAllString(issued, "2099"); moved != issued {
		marks = append(marks, foreignMark{"its own, moved to the year 2099", moved})
	}
	if number.MatchString(issued) {
		marks = append(marks, foreignMark{"its own with every digit a 9", strings.Repeat("9", len(issued))})
	}
	return append(marks, []foreignMark{
		{"a word", "cbcheck-never-issued"},
		{"a time and an id", "2099-12-31T23:59:59.000000Z/9"},
		{"a time of another bridge", "2099-12-31 23:59:59"},
		{"a number of another bridge", "9999999999999"},
		{"its own with one more digit", issued + "9"},
		{"an instant", "2099-12-31T23:59:59Z"},
		{"a checkpoint with a seal", "2099-12-31T23:59:59.000000Z/9~0badcafe"},
		{"a token of another bridge", "eyJ1cGRhdGVkIjoiMjA5OS0xMi0zMSIsImlkIjo5fQ"},
	}...)
}

const fewestForeign = 4 // are sent whatever they cost

// checkpointUnknown sends checkpoints that were never issued. Refusing them is right, and so is a run from the beginning;
// anything else is a run from a place that the bridge knows nothing about.
func checkpointUnknown(ctx context.Context, s *session, v *verdict) {
	if !s.hasCheckpoint(v) {
		return
	}
	first := s.full.pages[0]
	if len(first.ids) == 0 {
		v.skip("there are no contacts, so this cannot be checked")
		return
	}
	refused, restarted := 0, 0
	for i, f := range foreign(s.full.checkpoint) {
		if i >= fewestForeign && !s.affordable(first.bytes, first.took) {
			break
		}
		page, e := s.page(ctx, question{label: v.id, since: f.mark}, nil)
		switch {
		case page == nil:
			refused++ // with an error of the server's that is checkpoint-altered's
		case overlaps(page.ids, first.ids):
			restarted++
		case len(page.ids) == 0:
			v.fail(e, "%s (%q) was answered with no contacts, as if nothing were new", f.name, f.mark)
		default:
			v.fail(e, "%s (%q) was answered with %s, without any of the full run's first page", f.name, f.mark, plural(len(page.ids), "contact"))
		}
	}
	v.detail("%d refused, %d answered from the beginning", refused, restarted)
}

// restarted reads runs that the bridge may restart, as a synchronizer that understands the word: it deletes whom such a run
// does not bring.
func restarted(ctx context.Context, s *session, v *verdict) {
	if !s.hasCheckpoint(v) {
		return
	}
	said := 0
	for name, mark := range sorted(map[string]string{"its own checkpoint": s.full.checkpoint, "a checkpoint that it never issued": "cbcheck-never-issued"}) {
		r := s.follow(ctx, plan{
			label: v.id, since: mark, extended: true,
			each: func(r *run, _ visited) bool { return r.pages[0].restarted }, // whatever it costs: it must bring everything
		})
		if len(r.pages) == 0 || !r.pages[0].restarted {
			continue
		}
		said++
		s.judgeRestart(ctx, v, name, r)
	}
	if said == 0 {
		v.detail("no run said so")
	}
}

func (s *session) judgeRestart(ctx context.Context, v *verdict, name string, r *run) {
	for k, p := range r.pages[1:] {
		if p.restarted {
			v.fail(nil, "page %d of a run from %s says restarted: only the first one may", k+2, name)
			break
		}
	}
	if r.stopped != "" {
		v.fail(r.failed, "page %d of a run from %s that was restarted: %s", len(r.pages)+1, name, r.stopped)
		return
	}
	for k, page := range s.full.pages {
		left := map[uint64]bool{}
		for _, id := range page.ids {
			if !r.has(id) {
				left[id] = true
			}
		}
		if len(left) == 0 {
			continue
		}
		if id, e := s.stillOn(ctx, k, left); id != "" {
			v.fail(e, "a run from %s says restarted and did not bring the contact %q: it would be deleted", name, id)
			return
		}
	}
}
