package console

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/guesses"
	"github.com/contactbridge/contactbridge/web/console/view"
)

func (c *Console) settings(q *request) error { return q.showSettings(http.StatusOK, nil) }

func (q *request) showSettings(status int, problem *view.Problem) error {
	c, o := q.console, q.console.hub.Options
	sessions, err := c.hub.Registry.Sessions(q.Context(), q.user.ID)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(sessions, func(s registry.Session) bool { return slices.Equal(s.Digest, q.session.Digest) })
	q.page.Section = view.SectionSettings
	return q.show(status, "Settings", view.SettingsPage(q.page, view.Settings{
		HasPassword: q.user.Password != "", Session: *q.session, Absolute: q.session.Created.Add(absoluteTime), Others: others,
		KeepRuns: cmp.Or(o.KeepRuns, 90*24*time.Hour), KeepAudit: max(o.KeepAudit, 365*24*time.Hour), Workers: cmp.Or(o.Workers, 8),
		PublicURL: c.options.PublicURL, Version: c.options.Version, Problem: problem,
		Licences: []string{c.static.Path("htmx.LICENSE.txt"), c.static.Path("htmx-ext-sse.LICENSE.txt")},
	}))
}

// mustReplacePassword reports whether the user signed in with a password that another user has set, and asks for another page
// than the one that replaces it.
func (q *request) mustReplacePassword() bool {
	_, is := temporary(q.user.Password)
	return is && q.Pattern != "POST /settings/password"
}

// changePassword replaces one's own password; every other session is over, and this one gets a new secret.
func (c *Console) changePassword(q *request) error {
	show := func(status int, p *view.Problem) error { return q.showSettings(status, p) }
	if _, is := temporary(q.user.Password); is {
		show = func(status int, p *view.Problem) error {
			return q.show(status, "Choose your password", view.Replace(q.page, p))
		}
	}
	judged, wait := c.try(guesser{user: guessed(q.user.Name), known: c.knows(q.Request, *q.user), address: c.options.Proxies.Client(q.Request)})
	if wait > 0 {
		return q.tooOften(wait, show)
	}
	defer judged(guesses.Wrong)
	right, err := c.vault.matches(q.Context(), q.PostForm.Get("password"), q.user.Password)
	if err != nil {
		return err
	}
	if !right {
		return show(http.StatusUnprocessableEntity, &view.Problem{Field: "password", Message: "this is not your present password", Hint: "Type it again."})
	}
	judged(guesses.Good)
	encoded, problem, err := q.chosenPassword(q.user.Name)
	if err == nil && problem == nil && q.PostForm.Get("password") == q.PostForm.Get("new-password") {
		problem = &view.Problem{Field: "new-password", Message: "this is the password that you have", Hint: "Choose another one."}
	}
	if err != nil || problem != nil {
		return errors.Join(err, show(http.StatusUnprocessableEntity, problem))
	}
	user := *q.user
	err = c.hub.Registry.SetPassword(q.Context(), user.ID, user.Password, encoded)
	if errors.Is(err, registry.ErrNotFound) {
		return &failure.Error{Code: failure.Conflict, Message: "your password was changed from elsewhere at the same moment", Hint: "Sign in with the one that holds now."}
	}
	if err != nil {
		return err
	}
	user.Password = encoded
	if err := c.hub.Registry.DeleteSessions(q.Context(), user.ID, nil); err != nil {
		return err
	}
	if err := q.note("user.password", user.Name, "changed by themselves"); err != nil {
		return err
	}
	if err := c.openSession(q.w, q.Request, user); err != nil {
		return err
	}
	return q.redirect("/settings", "password")
}

func (c *Console) endSessions(q *request) error {
	if err := c.hub.Registry.DeleteSessions(q.Context(), q.user.ID, q.session.Digest); err != nil {
		return err
	}
	if err := q.note("session.end_others", "", ""); err != nil {
		return err
	}
	return q.redirect("/settings", "sessions")
}
