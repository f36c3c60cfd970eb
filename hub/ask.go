package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// MostWait is the longest that a look-up waits for sources.
const MostWait = 2 * time.Second

// How sources are asked.
const (
	missFresh     = 5 * time.Minute  // how long a number that a source does not have is not asked for again
	hitFresh      = 20 * time.Second // how long an answer is kept: for those who ask while the telephone rings
	mostAnswers   = 10_000           // that are kept in a process
	mostQuestions = 4                // to one source at a time
	mostFlying    = 64               // to all sources of a process
	failuresOpen  = 3                // in a row, until a source is left in peace
	firstPeace    = 30 * time.Second // which doubles with every further failure
	longestPeace  = 10 * time.Minute
)

// An asking is what a look-up knows of an integration whose source is asked.
type asking struct {
	name    string
	version int64 // of its settings and auth values
	note    string
}

// askings lists an account's integrations whose source is asked.
func askings(sources []registry.CallerSource, hidden []string) (list []asking) {
	for _, s := range sources {
		if !s.Ask || slices.Contains(hidden, s.Name) {
			continue
		}
		a := asking{name: s.Name, version: s.Version}
		switch {
		case s.Paused:
			a.note = "It was not asked: the integration is paused."
		case s.Health == registry.HealthBroken:
			a.note = "It was not asked: the integration is broken."
		}
		list = append(list, a)
	}
	return list
}

// A question is one number that one source is asked for.
type question struct {
	directory.Key
	version int64
	number  string
}

// An answered question holds what came of it. The fields are set once done is closed.
type answeredQuestion struct {
	done     chan struct{}
	contacts []contact.Contact
	err      error
	until    time.Time // how long the answer counts
}

// A peace keeps questions off a source that fails.
type peace struct {
	failures int
	until    time.Time
	probing  bool // one question tries whether it works again
}

// asks are the questions of a process to sources, and what is remembered of them.
type asks struct {
	mu     sync.Mutex
	known  map[question]*answeredQuestion // under way, or answered lately
	flying map[directory.Key]int
	total  int
	work   sync.WaitGroup
	most   time.Duration // of a question; 0: [MostWait]. Tests shorten it
	peaces map[directory.Key]*peace
}

// Notes of an explanation.
const (
	noteLate  = "It did not answer in the time that there was."
	noteBusy  = "It was not asked: too many questions are under way."
	notePeace = "It was not asked: the last questions failed, and it is left in peace for a while."
	noteLimit = "It was not asked: its requests are used up for now."
	noteFails = "It failed. A run, or a test of the integration, tells why."
	noteGone  = "It answered with somebody who was purged on request."
)

// askSources asks the sources of an account for a number, all at the same time, until a wait is over.
func (h *Hub) askSources(ctx context.Context, account string, list []asking, q caller.Question, wait time.Duration) []caller.Asked {
	waiting, cancel := context.WithTimeout(ctx, min(wait, MostWait))
	defer cancel()
	asked := make([]caller.Asked, len(list))
	flights := make([]*answeredQuestion, len(list))
	for n, a := range list {
		asked[n] = caller.Asked{Integration: a.name, Note: a.note}
		if a.note == "" {
			flights[n], asked[n].Note = h.asks.ask(h, question{Key: directory.Key{Account: account, Integration: a.name}, version: a.version, number: q.E164}, q)
		}
	}
	for n, flight := range flights {
		if flight == nil {
			continue
		}
		select {
		case <-flight.done:
		default:
			select {
			case <-flight.done:
			case <-waiting.Done():
				asked[n].Note = noteLate
				continue
			}
		}
		asked[n].Contacts, asked[n].Note = h.answered(ctx, directory.Key{Account: account, Integration: list[n].name}, flight)
	}
	return asked
}

// answered returns the contacts of an answer that may be shown.
func (h *Hub) answered(ctx context.Context, key directory.Key, a *answeredQuestion) ([]contact.Contact, string) {
	switch {
	case a.err != nil && bridge.CodeOf(a.err) == bridge.CodeRateLimited:
		return nil, noteLimit
	case errors.Is(a.err, context.DeadlineExceeded) || a.err != nil && bridge.CodeOf(a.err) == bridge.CodeSourceTimeout:
		return nil, noteLate
	case a.err != nil:
		return nil, noteFails
	case len(a.contacts) == 0:
		return nil, ""
	}
	ids := make([]string, len(a.contacts))
	for i := range a.contacts {
		ids[i] = a.contacts[i].ID
	}
	purged, err := h.store.Purged(ctx, key, ids)
	if err != nil {
		h.log().Error("a source's answer is not shown: who was purged cannot be read", "account", key.Account, "integration", key.Integration, "error", err)
		return nil, noteFails
	}
	var shown []contact.Contact
	note := ""
	for i := range a.contacts {
		if purged[i] {
			note = noteGone
			continue
		}
		shown = append(shown, a.contacts[i])
	}
	return shown, note
}

// ask returns the question that is under way for a number, or what was answered lately, or else asks. note says why it does not.
func (s *asks) ask(h *Hub, key question, q caller.Question) (flight *answeredQuestion, note string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := h.now()
	if known := s.known[key]; known != nil {
		select {
		case <-known.done:
			if now.Before(known.until) {
				return known, ""
			}
		default:
			return known, ""
		}
	}
	if p := s.peaces[key.Key]; p != nil && p.failures >= failuresOpen && (p.probing || now.Before(p.until)) {
		return nil, notePeace
	}
	if s.flying[key.Key] >= mostQuestions || s.total >= mostFlying {
		return nil, noteBusy
	}
	if s.known == nil {
		s.known, s.flying, s.peaces = map[question]*answeredQuestion{}, map[directory.Key]int{}, map[directory.Key]*peace{}
	}
	if len(s.known) >= mostAnswers {
		maps.DeleteFunc(s.known, func(_ question, a *answeredQuestion) bool { return !a.until.IsZero() })
	}
	flight = &answeredQuestion{done: make(chan struct{})}
	s.known[key] = flight
	s.flying[key.Key]++
	s.total++
	if p := s.peaces[key.Key]; p != nil {
		p.probing = p.failures >= failuresOpen
	}
	s.work.Go(func() { s.fly(h, key, q, flight) })
	return flight, ""
}

// fly asks one question. It goes on where nobody waits for it any more: the answer counts for the next one who asks.
func (s *asks) fly(h *Hub, key question, q caller.Question, flight *answeredQuestion) {
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(s.most, MostWait))
	defer cancel()
	contacts, err := h.askSafely(ctx, key.Key, q)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := h.now()
	flight.contacts, flight.err, flight.until = contacts, err, now.Add(missFresh)
	if len(contacts) > 0 {
		flight.until = now.Add(hitFresh)
	}
	if s.flying[key.Key]--; s.flying[key.Key] == 0 {
		delete(s.flying, key.Key)
	}
	s.total--
	if err != nil {
		delete(s.known, key)
	}
	s.judge(h, key.Key, err, now)
	close(flight.done)
}

// judge leaves a source in peace that fails again and again.
func (s *asks) judge(h *Hub, key directory.Key, err error, now time.Time) {
	if err == nil {
		delete(s.peaces, key)
		return
	}
	p := s.peaces[key]
	if p == nil {
		p = &peace{}
		s.peaces[key] = p
	}
	p.probing = false
	switch said := failure.Of(err); {
	case bridge.CodeOf(err) == bridge.CodeRateLimited:
		return // it says itself when to come again, and asks nobody until then
	case said.Code == bridge.CodeUnauthorized: // again and again would lock the account
		p.failures, p.until = max(p.failures+1, failuresOpen), now.Add(longestPeace)
	default:
		p.failures++
		p.until = now.Add(min(firstPeace<<min(max(p.failures-failuresOpen, 0), 10), longestPeace))
	}
	if p.failures == failuresOpen {
		h.log().Warn("a source is not asked for callers for a while: it fails", "account", key.Account, "integration", key.Integration, "until", p.until, "error", err)
	}
}

// askSafely is askSource; a panic is its error.
func (h *Hub) askSafely(ctx context.Context, key directory.Key, q caller.Question) (found []contact.Contact, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			h.log().Error("asking a source panicked", "account", key.Account, "integration", key.Integration, "panic", panicked, "stack", string(debug.Stack()))
			found, err = nil, fmt.Errorf("panic: %v", panicked)
		}
	}()
	return h.askSource(ctx, key, q)
}

// askSource asks a source inside the hub for a number.
func (h *Hub) askSource(ctx context.Context, key directory.Key, q caller.Question) ([]contact.Contact, error) {
	i, given, err := h.configured(ctx, key)
	if err != nil {
		return nil, err
	}
	if !i.Ask || i.Source == "" || h.Inside == nil {
		return nil, nil // it was changed meanwhile
	}
	l, err := h.dial(ctx, i, given, true)
	if err != nil {
		return nil, err
	}
	search := func() ([]contact.Contact, error) {
		return h.Inside.Search(ctx, insideSource(i, given), l.client.Auth, bridge.Search{Spellings: q.Spellings, Digits: q.Digits})
	}
	found, err := search()
	if l.refused(err) {
		if err := l.renew(ctx); err != nil {
			return nil, err
		}
		found, err = search()
	}
	return found, explain(err)
}

// checkAsk refuses to ask what cannot be asked.
func (h *Hub) checkAsk(ctx context.Context, i registry.Integration, auth map[string]string) error {
	if !i.Ask {
		return nil
	}
	refuse := func(message, hint string) error {
		return &failure.Error{Code: failure.Invalid, Field: "ask", Message: message, Hint: hint}
	}
	if i.Source == "" {
		return refuse("a bridge cannot be asked for a number", "Only a source inside the hub can: switch ask off.")
	}
	if h.Inside == nil || auth[registry.SourceValue] == "" {
		return nil // told already
	}
	of := insideSource(i, auth)
	of.Trusted = managed(ctx, i.Managed)
	if err := h.Inside.CheckSearch(of); err != nil {
		said := failure.Of(err)
		return refuse(said.Message, said.Hint)
	}
	return nil
}
