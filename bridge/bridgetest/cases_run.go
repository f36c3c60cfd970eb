package bridgetest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reachable reads the full run; the cases around it judge it.
func reachable(ctx context.Context, s *session, v *verdict) {
	u, err := url.Parse(s.target.URL)
	if err != nil {
		v.fail(nil, "the URL cannot be parsed")
		return
	}
	if u.Scheme == "https" {
		s.tls = s.carrier.handshake(ctx, address(u))
		if s.tls.Problem != "" && !isLoopback(u.Hostname()) {
			v.skip("the certificate is not trusted, so no credentials were sent")
			return
		}
	}
	s.samples.numbers = true
	full := s.follow(ctx, plan{label: "full run", visit: s.sample})
	s.full = full
	if e := full.failed; len(full.pages) == 0 && e != nil && e.status == 0 {
		v.fail(e, "%s", full.stopped)
	}
}

func address(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), "443")
}

// sample keeps a few ids for the cases that change contacts.
func (s *session) sample(id string, _ []byte) {
	const most = 12
	a := &s.samples
	if len(a.first) < most {
		a.first = append(a.first, id)
	}
	if len(a.last) == most {
		a.last = append(a.last[:0], a.last[1:]...)
	}
	a.last = append(a.last, id)
	if !a.numbers {
		return
	}
	n, err := strconv.ParseUint(id, 10, 62)
	a.numbers = err == nil && (id == "0" || id[0] != '0')
	a.greatest = max(a.greatest, n)
}

func https(_ context.Context, s *session, v *verdict) {
	u, _ := url.Parse(s.target.URL)
	switch {
	case u.Scheme == "https":
	case isLoopback(u.Hostname()):
		v.detail("plain HTTP on loopback; use https:// in production")
	default:
		v.fail(nil, "credentials travel unencrypted to %s", u.Host)
	}
}

func certificate(_ context.Context, s *session, v *verdict) {
	u, _ := url.Parse(s.target.URL)
	switch {
	case u.Scheme != "https":
		v.skip("the bridge is reached over plain HTTP")
	case s.tls.Problem != "" && isLoopback(u.Hostname()):
		v.detail("not trusted, which is fine on loopback: %s", s.tls.Problem)
	case s.tls.Problem != "":
		v.fail(nil, "%s", s.tls.Problem)
	default:
		v.detail("expires %s", s.tls.Expires.Format(time.DateOnly))
	}
}

func firstPage(_ context.Context, s *session, v *verdict) {
	switch {
	case s.full == nil || s.failed("reachable"):
		v.skip("the bridge could not be reached")
	case len(s.full.pages) > 0:
	case s.failed("json"):
		v.skip("the answer is not JSON")
	default:
		e := s.full.failed
		v.fail(e, "%s", s.full.stopped+redirectHint(e))
	}
}

func redirectHint(e *exchange) string {
	if e.status < 300 || e.status >= 400 {
		return ""
	}
	return fmt.Sprintf("; it points to %s, and credentials are not sent after a redirect", displayURL(e.answerHeader.Get("Location")))
}

func runComplete(_ context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	r := s.full
	v.detail("%s", r.facts())
	switch {
	case r.stopped == "" || strings.HasPrefix(r.stopped, loopWord):
	case strings.HasPrefix(r.stopped, slowWord):
		v.skip("%s", strings.TrimPrefix(r.stopped, slowWord))
	default:
		v.fail(r.failed, "page %d of the full run: %s", len(r.pages)+1, r.stopped)
	}
}

func runEnds(_ context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	if reason, endless := strings.CutPrefix(s.full.stopped, loopWord); endless {
		v.fail(s.full.failed, "%s", reason)
	}
}

func contactCount(_ context.Context, s *session, v *verdict) {
	switch {
	case s.target.Contacts == 0:
		v.skip("the check was not told how many contacts there are")
	case s.usable(v):
		if got := len(s.full.where); got != s.target.Contacts {
			v.fail(nil, "the full run brought %s; there are %d", plural(got, "contact"), s.target.Contacts)
		}
	}
}

// idsUnique looks again at contacts that came on two pages. One that changed meanwhile moved on and is no longer on the
// first of them.
func idsUnique(ctx context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	r := s.full
	if strings.HasPrefix(r.stopped, loopWord) {
		v.skip("the run had no end")
		return
	}
	moved := 0
	for _, twice := range r.twice {
		e, ok := s.holds(ctx, r, twice.first, twice.id)
		if _, also := s.holds(ctx, r, twice.second, twice.id); ok && also {
			v.fail(e, "the id %q came on page %d and on page %d", twice.id, twice.first+1, twice.second+1)
			continue
		}
		moved++
	}
	if moved > 0 {
		v.detail("%s came twice because they changed during the run", plural(moved, "contact"))
	}
}

// holds asks for a page of a run again and reports whether a contact is on it.
func (s *session) holds(ctx context.Context, r *run, page int, id string) (*exchange, bool) {
	p, e := s.page(ctx, r.again("a page again", page), nil)
	return e, p != nil && slices.Contains(p.ids, s.hash(id))
}

func checkpointSet(_ context.Context, s *session, v *verdict) {
	if s.usable(v) && s.full.checkpoint == "" {
		v.fail(nil, "no page of the full run set a checkpoint")
	}
}

func checkpointLastPage(_ context.Context, s *session, v *verdict) {
	switch {
	case !s.usable(v):
	case !s.full.complete:
		v.skip("the full run did not come to its end")
	case s.full.checkpoint == "":
		v.skip("no page sets a checkpoint")
	case s.full.pages[len(s.full.pages)-1].checkpoint == "":
		v.fail(nil, "pages of the full run set a checkpoint, its last page (number %d) did not", len(s.full.pages))
	}
}

// hasCheckpoint reports whether there is a checkpoint to start an incremental run from; if not, the case is skipped.
func (s *session) hasCheckpoint(v *verdict) bool {
	if !s.usable(v) {
		return false
	}
	if s.full.checkpoint == "" {
		v.skip("the bridge sets no checkpoint, so every run is a full one")
		return false
	}
	if !s.full.complete {
		v.skip("the full run did not come to its end")
		return false
	}
	return true
}

// muchOf reports whether so many contacts are too many for a run that shall bring what changed.
func (s *session) muchOf(contacts int) bool { return contacts > 10 && contacts*2 >= len(s.full.where) }

// incrementalRun reads the run that starts from a checkpoint, as long as it does not turn out to be a full one.
func (s *session) incrementalRun(ctx context.Context, since string) *run {
	return s.follow(ctx, plan{
		label: "incremental run", since: since,
		each: func(r *run, _ visited) bool { return !s.muchOf(len(r.where)) },
	})
}

func incremental(ctx context.Context, s *session, v *verdict) {
	if !s.hasCheckpoint(v) {
		return
	}
	r := s.incrementalRun(ctx, s.full.checkpoint)
	if r.stopped != "" {
		v.fail(r.failed, "page %d of an incremental run from the full run's checkpoint: %s", len(r.pages)+1, r.stopped)
	}
	if len(r.pages) > 0 {
		s.next = r
		v.detail("%s came again", plural(len(r.where), "contact"))
	}
}

// ran reports whether the incremental run has been read; if not, the case is skipped.
func (s *session) ran(v *verdict) bool {
	if s.next == nil {
		v.skip("there was no incremental run")
	}
	return s.next != nil
}

// A recent checkpoint may be older than the contacts on purpose: a bridge that cannot know whether a transaction is still under
// way sends the last minutes again.
const recent = time.Hour

// incrementalSmall is careful: contacts that were all written just now may rightly come again. It fails where the bridge's
// own checkpoints say that it had been past them.
func incrementalSmall(_ context.Context, s *session, v *verdict) {
	if !s.ran(v) || !s.muchOf(len(s.next.where)) {
		return
	}
	first := s.full.pages[0]
	moment, readable := parseMoment(s.full.checkpoint)
	passed := first.checkpoint != "" && first.checkpoint != s.full.checkpoint && len(first.ids) > 0 && s.next.has(first.ids[0])
	old := readable && first.moment.Sub(moment) > recent
	if old || passed && !readable {
		v.fail(nil, "an incremental run right after the full one brought %d of %d contacts again before the check stopped reading it",
			len(s.next.where), len(s.full.where))
		return
	}
	v.skip("at least half of the contacts came again, which is right if they were written just now; try again in an hour")
}

func checkpointRepeated(_ context.Context, s *session, v *verdict) {
	if s.ran(v) && s.next.complete && s.next.contacts == 0 && s.next.checkpoint == "" {
		v.fail(nil, "an incremental run that brought no contact set no checkpoint")
	}
}
