package console

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/web/console/view"
)

// lookAtRun gathers the run that the path names.
func (c *Console) lookAtRun(q *request) (view.Run, error) {
	id, _ := strconv.ParseInt(q.PathValue("run"), 10, 64) // anything else is no run
	r, err := c.hub.RunOf(q.Context(), q.key(), id)
	if err != nil || r.State != directory.Running {
		return view.Run{RunView: r}, err
	}
	i, err := c.hub.Integration(q.Context(), q.key())
	return view.Run{RunView: r, Live: r.Progress != nil || i.Status.Worker != ""}, err
}

func (c *Console) run(q *request) error {
	r, err := c.lookAtRun(q)
	if err != nil {
		return err
	}
	q.page.Section = view.SectionIntegrations
	return q.show(http.StatusOK, "Run of "+r.Key.Integration, view.RunPage(q.page, r))
}

const runPageEvery = time.Second // how often the page of a run is shown anew, and that of one in another process looked for

// runStream tells how a run goes on, until it is over.
func (c *Console) runStream(q *request) error {
	if _, err := c.lookAtRun(q); err != nil {
		return err
	}
	s, err := q.stream()
	if err != nil {
		return err
	}
	shown := ""
	return s.each(runPageEvery, 2*runPageEvery, func() error {
		r, err := c.lookAtRun(q)
		if err != nil {
			return err
		}
		q.page.Now = c.clock()
		var b bytes.Buffer
		if err := view.RunBody(q.page, r).Render(q.Context(), &b); err != nil {
			return err
		}
		if b.String() != shown {
			shown = b.String()
			if err := s.send("run", b.Bytes()); err != nil {
				return err
			}
		}
		if !r.Live {
			if err := s.send("over", nil); err != nil {
				return err
			}
			return errOver
		}
		return nil
	})
}
