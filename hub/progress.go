package hub

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// A tracker knows the runs under way in this process.
type tracker struct {
	mu   sync.Mutex
	runs map[directory.Key]*tracked
}

type tracked struct {
	progress Progress
	at       time.Time // of the count that the rate is taken from
	contacts int64
	logs     []*runLog // of the runs of this claim: a second one may follow the first
}

// rateOver is how long contacts are counted for a rate.
const rateOver = 2 * time.Second

// progress takes note of what a synchronizer tells.
func (h *Hub) progress(e synchronizer.Event) {
	now := h.now()
	h.tracker.mu.Lock()
	if h.tracker.runs == nil {
		h.tracker.runs = map[directory.Key]*tracked{}
	}
	t := h.tracker.runs[e.Run.Key]
	if t == nil {
		t = &tracked{at: now, contacts: e.Run.Contacts}
		h.tracker.runs[e.Run.Key] = t
	}
	if e.Run.ID != 0 && (len(t.logs) == 0 || t.logs[len(t.logs)-1].id != e.Run.ID) {
		t.logs = append(t.logs, &runLog{id: e.Run.ID, earlier: e.Run.Resumed || e.Kind == synchronizer.Waiting})
	}
	if n := len(t.logs); n > 0 {
		t.logs[n-1].write(now, e)
	}
	t.progress.Key, t.progress.Run, t.progress.Note = e.Run.Key, e.Run, noteOf(e)
	if over := now.Sub(t.at); over >= rateOver {
		t.progress.Rate = max(0, float64(e.Run.Contacts-t.contacts)/over.Seconds())
		t.at, t.contacts = now, e.Run.Contacts
	}
	h.tracker.mu.Unlock()
	h.announce()
}

func noteOf(e synchronizer.Event) string {
	switch e.Kind {
	case synchronizer.Retrying:
		return fmt.Sprintf("waiting %s for the bridge: %v", e.Wait.Round(100*time.Millisecond), e.Err)
	case synchronizer.Restarted:
		if e.Run.Kind == directory.Initial {
			return "beginning again, because the bridge refused an offset"
		}
		return "starting again from the last checkpoint, because the bridge refused an offset"
	}
	return ""
}

func (h *Hub) forgetProgress(key directory.Key) {
	h.tracker.mu.Lock()
	delete(h.tracker.runs, key)
	h.tracker.mu.Unlock()
	h.announce()
}

// Running lists the runs under way in this process.
func (h *Hub) Running() []Progress {
	h.tracker.mu.Lock()
	defer h.tracker.mu.Unlock()
	list := make([]Progress, 0, len(h.tracker.runs))
	for _, t := range h.tracker.runs {
		list = append(list, t.progress)
	}
	return list
}

// logs returns the logs of the runs of an integration's claim in this process.
func (t *tracker) logs(key directory.Key) []*runLog {
	t.mu.Lock()
	defer t.mu.Unlock()
	if of := t.runs[key]; of != nil {
		return slices.Clone(of.logs)
	}
	return nil
}

// of returns a run under way in this process, and its log.
func (t *tracker) of(key directory.Key, run int64) (Progress, registry.RunLog, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.runs[key]
	if of == nil || of.progress.Run.ID != run || len(of.logs) == 0 {
		return Progress{}, registry.RunLog{}, false
	}
	return of.progress, of.logs[len(of.logs)-1].written(), true
}
