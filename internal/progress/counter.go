package progress

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A Counter shows how far something has come that goes step by step: as a living line on a terminal, as a line now and then
// elsewhere.
type Counter struct {
	w      io.Writer
	style  Style
	living bool
	now    func() time.Time

	what string
	from time.Time // when the step began
	last time.Time // when something was shown
}

// NewCounter shows steps on w.
func NewCounter(w io.Writer) *Counter {
	return &Counter{w: w, style: NewStyle(w), living: IsTerminal(w), now: time.Now}
}

const (
	livingEvery = 100 * time.Millisecond
	lineEvery   = 5 * time.Second
)

// Step shows that something is being done, and with how many so far, of about how many; 0 where that is not known.
func (c *Counter) Step(what string, done, total int64) {
	now := c.now()
	if c.last.IsZero() {
		c.last = now // what is over at once needs no line
	}
	fresh := what != c.what
	if fresh {
		c.what, c.from = what, now
	}
	every := lineEvery
	if c.living {
		every = livingEvery
	}
	if now.Sub(c.last) < every && !(c.living && fresh) {
		return
	}
	c.last = now
	text := c.text(now, done, total)
	if c.living {
		fmt.Fprintf(c.w, "\r\x1b[K%s", text)
		return
	}
	fmt.Fprintln(c.w, text)
}

func (c *Counter) text(now time.Time, done, total int64) string {
	if done == 0 {
		return c.style.Bold(c.what) + " …"
	}
	parts := []string{c.style.Bold(c.what), Count(done)}
	if total > 0 {
		parts = append(parts, "of", Count(total))
	}
	text := strings.Join(parts, " ")
	if seconds := now.Sub(c.from).Seconds(); seconds >= 0.2 {
		text += ", " + Count(int64(float64(done)/seconds)) + "/s"
	}
	return text
}

// Close takes the living line away.
func (c *Counter) Close() {
	if c.living {
		fmt.Fprint(c.w, "\r\x1b[K")
	}
}
