package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/contactbridge/contactbridge/synchronizer"
)

// Lines shows runs as plain lines, for logs and pipes.
type Lines struct {
	w     io.Writer
	name  string
	every time.Duration
	now   func() time.Time

	tally tally
	last  time.Time // when a line said how far it is
}

// NewLines writes a line about the pages no more often than every so often.
func NewLines(w io.Writer, name string, every time.Duration) *Lines {
	return &Lines{w: w, name: name, every: every, now: time.Now}
}

// Event implements [Reporter].
func (l *Lines) Event(e synchronizer.Event) {
	now := l.now()
	if text := told(e); text != "" {
		l.say(text)
	}
	switch e.Kind {
	case synchronizer.Started:
		l.tally.start(e.Run, now)
		l.last = now
		if !e.Run.Resumed {
			l.say(string(e.Run.Kind) + " sync started")
		}
	case synchronizer.PageStored:
		l.tally.store(e.Run)
		if now.Sub(l.last) >= l.every {
			l.last = now
			l.sayHowFar(now)
		}
	case synchronizer.Finished:
		l.sayHowFar(now)
	}
}

func (l *Lines) sayHowFar(now time.Time) {
	text := Plural(l.tally.pages, "page") + ", " + Plural(l.tally.contacts, "contact")
	if rate := l.tally.rate(now); rate != "" {
		text += ", " + rate
	}
	l.say(text)
}

func (l *Lines) say(text string) { fmt.Fprintf(l.w, "%s: %s\n", l.name, text) }

// Close implements [Reporter].
func (l *Lines) Close() {}
