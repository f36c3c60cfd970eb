package console

import (
	"fmt"
	"net/http"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/web/console/view"
)

// mostHeld is how many of the contacts that wait a page shows; the download has them all.
const mostHeld = 100

// confirmAccept shows who would be deleted, and asks.
func (c *Console) confirmAccept(q *request) error { return c.showHeld(q, http.StatusOK, nil) }

func (c *Console) showHeld(q *request, status int, problem *view.Problem) error {
	i, err := c.look(q, 0)
	if err != nil {
		return err
	}
	held, list, err := c.hub.Held(q.Context(), q.key(), 0, mostHeld)
	if err != nil {
		return err
	}
	q.page.Section = view.SectionIntegrations
	if held.Count == 0 {
		return &failure.Error{Code: failure.Conflict, Message: "no deletions of " + i.Key.Integration + " wait for a decision", Hint: "Go back and look how it stands now."}
	}
	page := view.Held{Integration: i, Held: held, Contacts: list, Problem: problem}
	return q.show(status, "Deletions of "+i.Key.Integration, view.HeldPage(q.page, page))
}

// answer says yes or no to what the page showed, and shows what waits by now where that is something else.
func (c *Console) answer(yes bool) handler {
	return func(q *request) error {
		say, word := c.hub.RefuseDeletions, "keep"
		if yes {
			say, word = c.hub.AcceptDeletions, "accept"
		}
		_, err := say(q.Context(), q.key(), q.FormValue("set"))
		if p := problemOf(err); p != nil && p.Field == "set" {
			return c.showHeld(q, http.StatusConflict, p)
		}
		if err != nil {
			return err
		}
		return q.redirect(view.IntegrationPath(q.key()), word)
	}
}

// downloadHeld sends all contacts that wait, as CSV.
func (c *Console) downloadHeld(q *request) error {
	held, _, err := c.hub.Held(q.Context(), q.key(), 0, 1)
	if err != nil {
		return err
	}
	header := q.w.Header()
	header.Set("Content-Type", "text/csv; charset=utf-8")
	header.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="deletions-%s.csv"`, held.Set))
	header.Set("Cache-Control", "no-store")
	if err := c.hub.WriteHeld(q.Context(), q.w, q.key()); err != nil {
		panic(http.ErrAbortHandler) // the answer is under way: a list that ends early must not look whole
	}
	return nil
}
