package console

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/web/console/view"
)

// How often a stream tells something, and makes sure that its session still is one.
const (
	overviewPause = 3 * time.Second // showing it costs something where there are many integrations
	runPause      = 400 * time.Millisecond
	sessionCheck  = 15 * time.Second // sessions expire; those that are ended are heard of at once
	freshen       = 30 * time.Second // "3 minutes ago" grows old by itself
)

// An eventStream tells a browser what is new (server-sent events).
type eventStream struct {
	q    *request
	out  *http.ResponseController
	wake <-chan struct{}
}

// stream begins to tell.
func (q *request) stream() (*eventStream, error) {
	s := &eventStream{q: q, out: http.NewResponseController(q.w), wake: q.console.hub.Subscribe(q.Context())}
	q.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	q.w.Header().Set("X-Accel-Buffering", "no") // of proxies
	q.w.WriteHeader(http.StatusOK)
	if err := s.out.SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	_, err := fmt.Fprint(q.w, "retry: 3000\n\n")
	if err == nil {
		err = s.out.Flush()
	}
	return s, err
}

// each calls tell when there may be something new, never more often than pause, and every now and then anyway, until the
// browser has gone, the session is over or the server ends.
func (s *eventStream) each(pause, idle time.Duration, tell func() error) error {
	check := time.NewTicker(sessionCheck)
	defer check.Stop()
	for {
		_, revoked := s.q.console.hub.Registry.Revoked()
		if err := tell(); err != nil {
			return nil //nolint:nilerr // the answer has begun: the browser asks again
		}
		rest := time.NewTimer(pause)
		nothing := time.NewTimer(idle)
		wake := (<-chan struct{})(nil)
		for waiting := true; waiting; {
			select {
			case <-s.q.Context().Done():
				return nil
			case <-s.q.console.options.Stopping:
				return nil
			case <-check.C:
				if over, err := s.over(); over || err != nil {
					return err
				}
			case <-revoked:
				if over, err := s.over(); over || err != nil {
					return err
				}
				_, revoked = s.q.console.hub.Registry.Revoked()
			case <-rest.C:
				wake = s.wake
			case <-wake:
				waiting = false
			case <-nothing.C:
				waiting = false
			}
		}
		rest.Stop()
		nothing.Stop()
	}
}

// over reports whether the session has ended since.
func (s *eventStream) over() (bool, error) {
	_, user, _, err := s.q.console.findSession(s.q.Request)
	return user == nil || user.Role != s.q.user.Role || !slices.Equal(user.Accounts, s.q.user.Accounts), err
}

var errOver = errors.New("the session is over")

// send sends one event, unless the session has ended since it began: in any process, nothing is told after that.
func (s *eventStream) send(name string, data []byte) error {
	if over, err := s.over(); over || err != nil {
		return cmp.Or(err, errOver)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\n", name)
	for line := range bytes.Lines(append(data, '\n')) {
		b.WriteString("data: ")
		b.Write(bytes.TrimRight(line, "\r\n"))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	if _, err := s.q.w.Write(b.Bytes()); err != nil {
		return err
	}
	return s.out.Flush()
}

// overviewStream tells that the overview may have changed.
func (c *Console) overviewStream(q *request) error {
	s, err := q.stream()
	if err != nil {
		return err
	}
	seen := q.Form.Get("seen")
	return s.each(overviewPause, freshen, func() error {
		is, err := c.newestEvent(q)
		if err != nil {
			return err
		}
		current := seen == is
		seen = "" // what wakes a stream later has not been seen
		if current {
			return nil
		}
		return s.send("changed", nil)
	})
}

// newestEvent names the newest event: what was shown before it may be old.
func (c *Console) newestEvent(q *request) (string, error) {
	id, err := c.hub.Registry.LastEvent(q.Context())
	return strconv.FormatInt(id, 10), err
}

// integrationStream tells how a run goes on, and that something else of its integration has changed.
func (c *Console) integrationStream(q *request) error {
	if _, err := c.hub.Integration(q.Context(), q.key()); err != nil {
		return err
	}
	s, err := q.stream()
	if err != nil {
		return err
	}
	// What changed since the page was made, or since the connection broke, is told at once.
	seen, panel, told := q.Form.Get("seen"), "", false
	return s.each(runPause, 2*time.Second, func() error {
		i, err := c.look(q, 0)
		if err != nil {
			return err
		}
		q.page.Now = c.clock()
		if is := i.Version(); is != seen {
			if err := s.send("changed", nil); err != nil {
				return err
			}
			seen = is
		}
		var b bytes.Buffer
		if err := view.RunPanel(q.page.Locale, i).Render(q.Context(), &b); err != nil || told && b.String() == panel {
			return err
		}
		panel, told = b.String(), true // at first in any case: the page may show a run that is over
		return s.send("run", b.Bytes())
	})
}

func denied(err error) bool { return failure.Of(err).Code == failure.Denied }
