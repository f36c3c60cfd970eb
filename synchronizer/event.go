package synchronizer

import (
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// An EventKind says what happened.
type EventKind int

// The kinds of event.
const (
	Waiting    EventKind = iota // another process holds the run until Event.Until; Run is that run
	Started                     // Run has begun, or goes on (Run.Resumed)
	PageStored                  // Run counts it
	Retrying                    // Err; the page is asked for again after Wait. Run is as far as the last event told
	Restarted                   // the bridge refused the offset with Err; Run starts again from Run.Since
	Finished                    // Run is complete
	Indexing                    // all is stored; search is to find Contacts more of them. Run is as it ended, or has its key alone
)

// An Event is something that happened in a run. The run is a copy.
type Event struct {
	Kind     EventKind
	Run      directory.Run
	Err      error
	Attempt  int // of Retrying: how many requests failed, of Attempts
	Attempts int
	Wait     time.Duration
	Until    time.Time
	Contacts int64
}

// tell counts an event and passes it on, one at a time.
func (p *pass) tell(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case Retrying:
		p.retries++
		e.Run = p.told // whoever asks for pages does not know what is stored meanwhile
	case Restarted:
		p.restarts++
	}
	p.told = e.Run
	if p.Progress != nil {
		p.Progress(e)
	}
}
