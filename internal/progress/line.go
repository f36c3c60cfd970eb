package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/contactbridge/contactbridge/synchronizer"
)

// A line shows runs as one living line on a terminal; what is worth keeping scrolls past above it.
type line struct {
	name  string
	style Style
	bars  *mpb.Progress
	bar   *mpb.Bar

	mu    sync.Mutex // events come from the run, drawing from the terminal's refresh
	tally tally
	wait  time.Time // when the next attempt is made; zero while nothing is waited for
}

func newLine(w io.Writer, name string, style Style, options ...mpb.ContainerOption) *line {
	l := &line{name: name, style: style}
	options = append(options, mpb.WithOutput(w), mpb.WithRefreshRate(100*time.Millisecond))
	l.bars = mpb.New(options...)
	l.bar = l.bars.New(0, mpb.SpinnerStyle().PositionLeft(), mpb.BarWidth(1), mpb.BarRemoveOnComplete(),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return l.text(time.Now()) })))
	return l
}

// Event implements [Reporter].
func (l *line) Event(e synchronizer.Event) {
	if text := told(e); text != "" {
		mark := l.style.Warn("!")
		if e.Kind == synchronizer.Started {
			mark = l.style.Good("↻")
		}
		fmt.Fprintf(l.bars, "%s %s: %s\n", mark, l.name, text)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case synchronizer.Started:
		l.tally.start(e.Run, time.Now())
	case synchronizer.PageStored:
		l.tally.store(e.Run)
		l.wait = time.Time{}
	case synchronizer.Retrying:
		l.wait = time.Now().Add(e.Wait)
	case synchronizer.Waiting:
		l.wait = e.Until
	}
}

// text is the line after the spinner.
func (l *line) text(now time.Time) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	parts := []string{" " + l.style.Bold(l.name)}
	if left := l.wait.Sub(now); left > 0 {
		return strings.Join(append(parts, fmt.Sprintf("waiting %.0f s", left.Seconds()+0.5)), "  ")
	}
	if l.tally.began.IsZero() {
		return parts[0]
	}
	parts = append(parts, string(l.tally.kind)+" sync", Plural(l.tally.pages, "page"), l.style.Bold(Plural(l.tally.contacts, "contact")))
	if rate := l.tally.rate(now); rate != "" {
		parts = append(parts, rate)
	}
	return strings.Join(append(parts, l.style.Dim(Took(now.Sub(l.tally.began)))), "  ")
}

// Close implements [Reporter]: the line goes away.
func (l *line) Close() {
	l.bar.Abort(true)
	l.bars.Wait()
}
