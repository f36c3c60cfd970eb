package hub

import (
	"fmt"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/directory"
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
