// Package progress shows a sync as it happens: a living line on a terminal, a quiet line now and then in a pipe.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// A Reporter shows events of runs, one at a time. Close it before anything else is written to the same place.
type Reporter interface {
	Event(synchronizer.Event)
	Close()
}

// New shows the runs of the integration called name on w: as a living line where w is a terminal, as plain lines otherwise.
func New(w io.Writer, name string) Reporter {
	if IsTerminal(w) {
		return newLine(w, name, NewStyle(w))
	}
	return NewLines(w, name, 5*time.Second)
}

// Nothing shows nothing.
type Nothing struct{}

// Event does nothing.
func (Nothing) Event(synchronizer.Event) {}

// Close does nothing.
func (Nothing) Close() {}

// IsTerminal reports whether w is a terminal that understands more than plain text.
func IsTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}

// A Style colours words on a terminal; elsewhere, or with NO_COLOR set, it leaves them as they are.
type Style struct{ colours bool }

// NewStyle is the style for what is written to w.
func NewStyle(w io.Writer) Style {
	return Style{colours: IsTerminal(w) && os.Getenv("NO_COLOR") == ""}
}

func (s Style) paint(code, text string) string {
	if !s.colours || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold is for what the eye should find first.
func (s Style) Bold(text string) string { return s.paint("1", text) }

// Dim is for what it may skip.
func (s Style) Dim(text string) string { return s.paint("2", text) }

// Good is for what went well.
func (s Style) Good(text string) string { return s.paint("32", text) }

// Warn is for what needs a look.
func (s Style) Warn(text string) string { return s.paint("33", text) }

// Bad is for what failed.
func (s Style) Bad(text string) string { return s.paint("31", text) }

// A tally is how far a run has come, and how fast this process goes.
type tally struct {
	kind     directory.Kind
	pages    int64
	contacts int64
	base     int64 // contacts that a resumed run had already
	began    time.Time
}

func (t *tally) start(run directory.Run, now time.Time) {
	*t = tally{kind: run.Kind, pages: run.Pages, contacts: run.Contacts, base: run.Contacts, began: now}
}

func (t *tally) store(run directory.Run) {
	t.kind, t.pages, t.contacts = run.Kind, run.Pages, run.Contacts
}

// rate is "8,312/s"; empty before there is anything to measure.
func (t *tally) rate(now time.Time) string {
	seconds := now.Sub(t.began).Seconds()
	if t.contacts == t.base || seconds < 0.2 {
		return ""
	}
	return Count(int64(float64(t.contacts-t.base)/seconds)) + "/s"
}

// Count is a number as people read it: 1,234,567.
func Count(n int64) string { return humanize.Comma(n) }

// Plural is a number with its noun: 1 page, 2,000 pages.
func Plural(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Count(n) + " " + noun
}

// Took is a duration as people read it: 0.3 s, 12 s, 3 min 20 s, 2 h 5 min.
func Took(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// told says an event that is worth a line of its own; empty for the others.
func told(e synchronizer.Event) string {
	switch e.Kind {
	case synchronizer.Waiting:
		return fmt.Sprintf("a run is under way in another process, or its process died; looking again at %s",
			e.Until.Local().Format(time.TimeOnly))
	case synchronizer.Started:
		if e.Run.Resumed {
			return fmt.Sprintf("%s sync goes on after %s with %s", e.Run.Kind, Plural(e.Run.Pages, "page"), Plural(e.Run.Contacts, "contact"))
		}
	case synchronizer.Retrying:
		return fmt.Sprintf("%s; asking again in %s (attempt %d of %d)", clean(e.Err.Error()), Took(e.Wait), e.Attempt+1, e.Attempts)
	case synchronizer.Indexing:
		return fmt.Sprintf("everything is stored; search is to find %s", Plural(e.Contacts, "more contact"))
	case synchronizer.Restarted:
		if e.Run.Kind == directory.Initial {
			return fmt.Sprintf("the bridge does not know the offset any more; beginning again (%s)", clean(e.Err.Error()))
		}
		return fmt.Sprintf("the bridge does not know the offset any more; going on from the last safe checkpoint (%s)", clean(e.Err.Error()))
	}
	return ""
}

// clean keeps what others wrote from drawing on the terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}
