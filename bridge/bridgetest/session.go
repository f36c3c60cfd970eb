package bridgetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A session is one check under way: the bridge, what was read of it, and what was found.
type session struct {
	target  Target
	options Options
	carrier carrier
	mask    *masker
	cases   []testCase
	seed    maphash.Seed

	mu          sync.Mutex // the cases about concurrency send from two goroutines
	book        map[string]*entry
	judged      int         // pages that were read and judged
	interrupted func() bool // nil until the check begins
	extra       spent
	shown       time.Time // when progress was last told
	samples     samples
	waited      time.Duration // because the bridge was busy

	tls     handshake
	full    *run // the full run that most cases judge
	next    *run // the incremental run right after it; nil without a checkpoint
	created []string
	changes *changes // nil until a contact is changed
	agents  []agentPage
	added   map[string]string // auth fields that the credential check answered
}

// An entry holds the findings for one case.
type entry struct {
	count    int
	findings []Finding
	skip     string
	detail   string
}

// mostFindings is how many findings of a case are kept; more are only counted.
const mostFindings = 3

func open(target Target, o Options) (*session, error) {
	s := &session{options: o, seed: maphash.MakeSeed(), cases: allCases(), book: map[string]*entry{}}
	for _, c := range s.cases {
		s.book[c.ID] = &entry{}
	}
	if o.Replay != "" {
		replayed, settings, err := openReplay(o.Replay)
		if err != nil {
			return nil, err
		}
		target, s.carrier = replayed.target(settings), replayed
		s.options.Pause, s.options.AnswerLimit = settings.Pause, settings.AnswerLimit
	}
	if err := complete(&target); err != nil {
		return nil, err
	}
	s.target, s.mask = target, newMasker(target.Auth, target.URL)
	if s.carrier == nil {
		s.carrier = newLive(target, s.options)
	}
	if o.Record != "" && o.Replay == "" {
		recorder, err := newRecorder(o.Record, s.carrier, s)
		if err != nil {
			return nil, err
		}
		s.carrier = recorder
	}
	return s, nil
}

// checkURL says what is wrong with a URL, or nil.
func checkURL(rawURL string) error {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil:
		return errors.New("the URL cannot be parsed")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%q is not an http:// or https:// URL", displayURL(rawURL))
	}
	return nil
}

// complete checks the target's URLs and derives what was left out.
func complete(target *Target) error {
	if err := checkURL(target.URL); err != nil {
		return fmt.Errorf("read target: %w", err)
	}
	for _, other := range []struct {
		address    *string
		name, path string
	}{{&target.AuthValidationURL, "credential check", "/auth_validation"}, {&target.AgentsURL, "agents", "/agent_sync"}} {
		if *other.address != "" {
			if err := checkURL(*other.address); err != nil {
				return fmt.Errorf("read target's %s: %w", other.name, err)
			}
			continue
		}
		u, err := url.Parse(target.URL)
		if err != nil {
			return errors.New("read target: the URL cannot be parsed")
		}
		if path, ok := strings.CutSuffix(u.Path, "/contact_sync"); ok {
			u.Path, u.RawPath = path+other.path, ""
			*other.address = u.String()
		}
	}
	return nil
}

// A verdict is how a case says what it found.
type verdict struct {
	s  *session
	id string
}

func (s *session) verdict(id string) *verdict { return &verdict{s, id} }

func (v *verdict) fail(e *exchange, format string, args ...any) { v.s.found(v.id, e, format, args...) }

func (v *verdict) skip(format string, args ...any) {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	v.s.book[v.id].skip = fmt.Sprintf(format, args...)
}

func (v *verdict) detail(format string, args ...any) {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	v.s.book[v.id].detail = v.s.mask.text(fmt.Sprintf(format, args...))
}

// failed reports whether something was found for a case.
func (s *session) failed(caseID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book[caseID].count > 0
}

// found notes a violation, with the exchange that shows it; e may be nil.
func (s *session) found(caseID string, e *exchange, format string, args ...any) {
	if s.interrupted != nil && s.interrupted() {
		return // what failed now may have failed by that
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.book[caseID]
	b.count++
	if len(b.findings) == mostFindings {
		return
	}
	f := Finding{Message: s.mask.text(fmt.Sprintf(format, args...))}
	if e != nil {
		f.Sent, f.Received = s.sentText(e), s.receivedText(e)
	}
	b.findings = append(b.findings, f)
}

const mostEvidence = 800 // bytes of a body that a finding shows

func (s *session) sentText(e *exchange) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.method, displayURL(e.url))
	if ct := e.header.Get("Content-Type"); ct != "application/json" {
		fmt.Fprintf(&b, " (Content-Type: %s)", ct)
	}
	b.WriteByte('\n')
	b.Write(cut(e.body))
	return s.mask.text(b.String())
}

func (s *session) receivedText(e *exchange) string {
	var b strings.Builder
	if e.status == 0 {
		fmt.Fprintf(&b, "no answer after %.2f s: %v", e.took.Seconds(), e.err)
		return s.mask.text(b.String())
	}
	fmt.Fprintf(&b, "%d %s, Content-Type: %s, %s, %.2f s", e.status, http.StatusText(e.status),
		e.answerHeader.Get("Content-Type"), size(int64(len(e.answer))), e.took.Seconds())
	if location := e.answerHeader.Get("Location"); location != "" {
		fmt.Fprintf(&b, ", Location: %s", displayURL(location))
	}
	if e.err != nil {
		fmt.Fprintf(&b, ", %v", e.err)
	}
	b.WriteByte('\n')
	b.Write(cut(e.answer))
	return s.mask.text(b.String())
}

// cut shortens a body to what a person reads.
func cut(body []byte) []byte {
	if len(body) > mostEvidence {
		body = append(bytes.Clone(body[:mostEvidence]), "…"...)
	}
	return bytes.ToValidUTF8(body, []byte("\ufffd"))
}

// displayURL returns a URL without what may be a credential in it.
func displayURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(a URL that cannot be parsed)"
	}
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	return u.Redacted()
}

// spent returns the cost of the cases besides the full run.
type spent struct {
	bytes int64
	took  time.Duration
}

// What the cases may cost beside the full run, at the least: a small bridge is judged whole.
const (
	freeBytes = 8 << 20
	freeTime  = 3 * time.Second
)

// affordable reports whether the cases may read so much more. Beside the full run they read no more than it did, so that a
// check costs a small multiple of a synchronization however large the bridge is.
func (s *session) affordable(bytes int64, took time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.extra.bytes+bytes <= max(freeBytes, s.full.bytes) && s.extra.took+took <= max(freeTime, s.full.took)
}

// progress tells what is read, a few times a second.
func (s *session) progress(doing string, r *run) {
	s.mu.Lock()
	now := time.Now()
	due := now.Sub(s.shown) > 100*time.Millisecond
	if due {
		s.shown = now
	}
	s.mu.Unlock()
	if due {
		s.options.Progress(Progress{Doing: doing, Pages: len(r.pages), Contacts: len(r.where)})
	}
}

// usable reports whether there is a bridge to judge at all; if not, the case is skipped.
func (s *session) usable(v *verdict) bool {
	if s.full == nil || len(s.full.pages) == 0 {
		v.skip("the bridge did not answer a good request with a page")
		return false
	}
	return true
}

// report puts together what was found.
func (s *session) report(started time.Time) Report {
	r := Report{Target: s.mask.text(displayURL(s.target.URL)), Started: started, Seconds: s.carrier.now().Sub(started).Seconds()}
	if s.full != nil {
		r.Run = s.full.facts()
	}
	for _, c := range s.cases {
		b := s.book[c.ID]
		result := Result{
			ID: c.ID, Rule: c.Rule, Grade: c.Grade, Title: c.Title, Explanation: c.Explanation, Advice: c.Advice,
			Outcome: Passed, Detail: b.detail, Count: b.count, Findings: b.findings,
		}
		if c.run == nil && s.judged == 0 {
			b.skip = "no page came that could be judged"
		}
		switch {
		case b.count > 0:
			result.Outcome = Failed
		case b.skip != "":
			result.Outcome, result.Detail = Skipped, b.skip
		}
		r.Results = append(r.Results, result)
	}
	r.count()
	return r
}

// cleanUp deletes the contacts that the check created.
func (s *session) cleanUp(ctx context.Context) {
	for _, id := range s.created {
		_, _ = s.carrier.mutate(ctx, Delete, id)
	}
	s.created = nil
}
