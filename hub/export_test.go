package hub

import (
	"context"
	"strconv"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// Store returns the hub's directory with everything that is in it.
func (h *Hub) Store() directory.Store { return h.store }

// SetStore puts another directory in the place of the hub's.
func (h *Hub) SetStore(s directory.Store) { h.store = s }

// HookTimes is [hookTimes] for tests.
type HookTimes struct{ hookTimes }

// Next is [hookTimes.next].
func (t *HookTimes) Next(key directory.Key, now time.Time, every time.Duration) (time.Duration, bool) {
	return t.next(key, now, every)
}

// Done is [hookTimes.done].
func (t *HookTimes) Done(key directory.Key, now time.Time) { t.done(key, now) }

// CheckAlerts looks once for what is wrong.
func (h *Hub) CheckAlerts(ctx context.Context) error { return h.checkAlerts(ctx) }

// NoFormula is [noFormula].
func NoFormula(cell string) string { return noFormula(cell) }

// A RunLog is a [runLog] for tests.
type RunLog struct{ runLog }

// Add adds a line.
func (l *RunLog) Add(now time.Time, level, text string) { l.add(now, level, text) }

// Point adds a point.
func (l *RunLog) Point(now time.Time, r directory.Run) { l.point(now, r) }

// Prepend puts what another process wrote before it.
func (l *RunLog) Prepend(before registry.RunLog) { l.prepend(before) }

// Written is the log as it stands.
func (l *RunLog) Written() registry.RunLog { return l.written() }

// KeptAnswers counts the answers of sources that are remembered.
func (h *Hub) KeptAnswers() int {
	h.asks.mu.Lock()
	defer h.asks.mu.Unlock()
	return len(h.asks.known)
}

// SetMostWait sets how long a question to a source may take.
func (h *Hub) SetMostWait(d time.Duration) { h.asks.most = d }

// FillAnswers makes the hub remember so many answers.
func (h *Hub) FillAnswers(n int) {
	h.asks.mu.Lock()
	defer h.asks.mu.Unlock()
	for i := range n {
		h.asks.known[question{number: strconv.Itoa(i)}] = &answeredQuestion{until: h.now().Add(time.Hour)}
	}
}
