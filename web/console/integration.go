package console

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console/view"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

const (
	mostRuns     = 40
	mostRejected = 50
)

// values are a query of names and values.
func values(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

// look gathers an integration, its run under way and, where runs are wanted, its history.
func (c *Console) look(q *request, runs int) (view.Integration, error) {
	found, err := c.hub.Integration(q.Context(), q.key())
	if err != nil {
		return view.Integration{}, err
	}
	i := view.Integration{IntegrationView: found}
	for _, p := range c.hub.Running() {
		if p.Key == found.Key {
			i.Progress = &p
		}
	}
	if found.OAuth != nil && found.OAuth.Grant == "authorization_code" {
		i.Waits = found.Status.LastFull.IsZero() && found.Status.Problem != nil
	}
	if runs == 0 {
		return i, nil
	}
	if i.Runs, err = c.hub.Runs(q.Context(), found.Key, 0, runs); err != nil {
		return i, err
	}
	i.Rejected, err = c.hub.Rejected(q.Context(), found.Key, 0, mostRejected+1)
	if len(i.Rejected) > mostRejected {
		i.Rejected, i.MoreRejected = i.Rejected[:mostRejected], true
	}
	return i, err
}

func (c *Console) integration(q *request) error {
	i, err := c.look(q, mostRuns)
	if err != nil {
		return err
	}
	q.page.Section = view.SectionIntegrations
	return q.show(http.StatusOK, i.Key.Integration, view.IntegrationPage(q.page, i, nil))
}

func (c *Console) integrationState(q *request) error {
	i, err := c.look(q, 0)
	if err != nil {
		return err
	}
	return q.part(http.StatusOK, view.IntegrationState(q.page, i))
}

func (c *Console) integrationHistory(q *request) error {
	i, err := c.look(q, mostRuns)
	if err != nil {
		return err
	}
	return q.part(http.StatusOK, view.IntegrationHistory(q.page, i))
}

// An asking is something to ask of an integration, and the word of what was done.
type asking struct {
	registry.Ask
	done string
}

var (
	runNow    = asking{registry.Ask{Run: true}, "run"}
	runFull   = asking{registry.Ask{Run: true, Full: true}, "full"}
	cancelRun = asking{registry.Ask{Cancel: true}, "cancel"}
)

func (c *Console) ask(a asking) handler {
	return func(q *request) error {
		if err := c.hub.Ask(q.Context(), q.key(), a.Ask); err != nil {
			return err
		}
		return q.redirect(view.IntegrationPath(q.key()), a.done)
	}
}

func (c *Console) pause(paused bool) handler {
	return func(q *request) error {
		if err := c.hub.Pause(q.Context(), q.key(), paused); err != nil {
			return err
		}
		word := "resume"
		if paused {
			word = "pause"
		}
		return q.redirect(view.IntegrationPath(q.key()), word)
	}
}

// confirm shows a confirmation of something that is done to an integration.
func (c *Console) confirm(q *request, f view.Confirmation) error {
	if f.Cancel == "" {
		f.Cancel = view.IntegrationPath(q.key())
	}
	if f.Action == "" {
		f.Action = q.URL.Path
	}
	return q.show(http.StatusOK, f.Title, view.Confirm(q.page, f))
}

func (c *Console) confirmFull(q *request) error {
	i, err := c.look(q, mostRuns)
	if err != nil {
		return err
	}
	q.page.Section = view.SectionIntegrations
	says := []string{fmt.Sprintf("The next run reads everything again: the hub knows %s of %s.", q.page.Count(i.State.Contacts, "contact", "contacts"), i.Key.Integration)}
	for _, r := range i.Runs {
		if r.Kind == directory.Initial && (r.State == directory.Done || r.State == directory.Guarded) {
			says = append(says, fmt.Sprintf("The last one like it read %s on %s, and took %s.",
				q.page.Count(r.Contacts, "contact", "contacts"), q.page.Count(r.Pages, "page", "pages"), q.page.Duration(view.Took(r, q.page.Now))))
			break
		}
	}
	says = append(says, "Contacts that it does not show are deleted from the hub, unless there are so many that the deletion guard stops it and asks.")
	return c.confirm(q, view.Confirmation{Title: "Full resync of " + i.Key.Integration, Says: says, Button: "Read everything again"})
}

func (c *Console) confirmRemoveIntegration(q *request) error {
	i, err := c.look(q, 0)
	if err != nil {
		return err
	}
	q.page.Section = view.SectionIntegrations
	return c.confirm(q, view.Confirmation{
		Title: "Remove " + i.Key.Integration, Danger: true, Button: "Remove it with " + q.page.Count(i.State.Contacts, "contact", "contacts"),
		Says: []string{
			fmt.Sprintf("This deletes the integration %s with its %s, its credentials and its history from the hub.", i.Key.Integration, q.page.Count(i.State.Contacts, "contact", "contacts")),
			"Callers whom only this integration knows lose their names. The external service is not touched.",
		},
	})
}

func (c *Console) removeIntegration(q *request) error {
	if err := c.hub.RemoveIntegration(q.Context(), q.key()); err != nil {
		return err
	}
	return q.redirect("/integrations", "removed")
}

// testIntegration tries the connection: as a part of the page for htmx, or else as the page with its result.
func (c *Console) testIntegration(q *request) error {
	result, err := c.hub.Test(q.Context(), q.key())
	if err != nil {
		return err
	}
	if q.live() {
		return q.part(http.StatusOK, view.TestResult(q.page, &result))
	}
	i, err := c.look(q, mostRuns)
	if err != nil {
		return err
	}
	q.page.Section = view.SectionIntegrations
	return q.show(http.StatusOK, i.Key.Integration, view.IntegrationPage(q.page, i, &result))
}

// callback is where external services send browsers back to (OAuth).
func (c *Console) callback(q *request) string {
	base := c.options.PublicURL
	if base == "" {
		base = exchange.Of(q.Context()).Base()
	}
	at, err := url.JoinPath(base, "oauth", "callback")
	if err != nil {
		return ""
	}
	return at
}

// beginOAuth sends the browser to the external service, whose answer leads to the integration's page.
func (c *Console) beginOAuth(q *request) error {
	key := q.key()
	begun, err := c.hub.BeginSignIn(q.Context(), hub.SignInRequest{
		Integration: key.Integration, Draft: hub.SourceDraft{Account: key.Account}, Redirect: c.callback(q), Bound: true,
	})
	if err != nil {
		return err
	}
	return c.leave(q, begun, view.IntegrationPath(key))
}

// leave shows the page that leads to an external service, where a person signs in, and has the browser keep what proves that it began. A
// page in between leads there: forms may only lead to this host.
func (c *Console) leave(q *request, begun hub.SignInBegun, back string) error {
	u, err := url.Parse(begun.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return &failure.Error{Code: failure.Invalid, Message: "the authorization URL is not an http or https URL", Hint: "Correct it in the integration's settings."}
	}
	q.page.Section = view.SectionIntegrations
	http.SetCookie(q.w, exchange.SignInBinding(begun.Binding, c.options.Secure))
	return q.show(http.StatusOK, "Let the hub in", view.Leave(q.page, begun.URL, u.Host, back))
}

// days is how often everything is read again, as a form shows it.
func days(d time.Duration) string {
	switch {
	case d < 0:
		return "0"
	case d == 0:
		d = registry.DefaultFull
	}
	return fmt.Sprint(d.Hours() / 24)
}
