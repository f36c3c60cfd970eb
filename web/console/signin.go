package console

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/guesses"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/web/console/view"
)

// anyUser reports whether there is a user. Once there is one, there always is: the last administrator cannot be removed.
func (c *Console) anyUser(r *http.Request) (bool, error) {
	if c.settled.Load() {
		return true, nil
	}
	users, err := c.hub.Registry.Users(r.Context())
	if len(users) > 0 {
		c.settled.Store(true)
	}
	return len(users) > 0, err
}

func (c *Console) signInPage(q *request) error {
	some, err := c.anyUser(q.Request)
	switch {
	case err != nil:
		return err
	case !some:
		return q.redirect("/setup", "")
	case q.user != nil:
		return q.redirect(ownPath(q.Form.Get("next")), "")
	case c.options.Guest != "" && listener.FromThisMachine(q.Request):
		guest, err := c.hub.Registry.UserByName(q.Context(), c.options.Guest)
		if err == nil {
			err = q.welcome(guest, "guest", ownPath(q.Form.Get("next")))
		}
		return err
	}
	return q.showSignIn(http.StatusOK, view.SignInForm{Next: ownPath(q.Form.Get("next"))})
}

func (q *request) showSignIn(status int, f view.SignInForm) error {
	if q.console.openID != nil {
		q.page.OpenID = q.console.openID.name
	}
	return q.show(status, "Sign in", view.SignIn(q.page, f))
}

func (c *Console) signIn(q *request) error {
	name, password := strings.TrimSpace(q.PostForm.Get("name")), q.PostForm.Get("password")
	f := view.SignInForm{Name: name, Next: ownPath(q.PostForm.Get("next"))}
	user, err := c.hub.Registry.UserByName(q.Context(), name)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	who := guesser{user: guessed(name), known: c.knows(q.Request, user), address: c.options.Proxies.Client(q.Request)}
	judged, wait := c.try(who)
	if wait > 0 {
		return q.tooOften(wait, func(status int, p *view.Problem) error { f.Problem = p; return q.showSignIn(status, f) })
	}
	defer judged(guesses.Wrong)
	right, err := c.vault.matches(q.Context(), password, user.Password) // the same work for an unknown user
	if err != nil {
		return err
	}
	if !right || user.Disabled {
		c.logger.Warn("sign-in failed", "address", who.address.String(), "known", user.ID != "")
		if err := q.noteRefused(user, who.address.String()); err != nil {
			return err
		}
		f.Problem = &view.Problem{Message: "the name or the password is wrong", Hint: "Try again, or ask an administrator for a new password."}
		return q.showSignIn(http.StatusUnprocessableEntity, f)
	}
	if until, is := temporary(user.Password); is && !until.After(c.clock()) {
		f.Problem = &view.Problem{Message: "this password was to be replaced within a week, and has expired", Hint: "Ask an administrator for a new one."}
		return q.showSignIn(http.StatusUnprocessableEntity, f)
	}
	judged(guesses.Good)
	if outdated(user.Password) {
		if err := c.rehash(q, &user, password); err != nil {
			return err
		}
	}
	return q.welcome(user, "password", f.Next)
}

// rehash keeps a password with the present cost.
func (c *Console) rehash(q *request, user *registry.User, password string) error {
	until, _ := temporary(user.Password)
	encoded, err := c.vault.hash(q.Context(), password, until)
	if err != nil {
		return err
	}
	err = c.hub.Registry.SetPassword(q.Context(), user.ID, user.Password, encoded)
	if errors.Is(err, registry.ErrNotFound) {
		return nil // it was changed meanwhile, and no session is opened for the one that was typed
	}
	user.Password = encoded
	return err
}

// welcome signs a user in.
func (q *request) welcome(user registry.User, way, next string) error {
	c, address := q.console, q.console.options.Proxies.Client(q.Request).String()
	if err := c.openSession(q.w, q.Request, user); err != nil {
		return err
	}
	c.logger.Info("signed in", "user", user.Name, "way", way, "address", address)
	q.actor = actorOf(user)
	if err := q.note("session.start", "", "by "+way+", from "+address); err != nil {
		return err
	}
	return q.redirect(next, "")
}

// tooOften answers who has guessed too often.
func (q *request) tooOften(wait time.Duration, show func(int, *view.Problem) error) error {
	seconds := int(wait.Seconds()) + 1
	q.w.Header().Set("Retry-After", strconv.Itoa(seconds))
	when := q.page.Duration(time.Duration(seconds) * time.Second)
	return show(http.StatusTooManyRequests, &view.Problem{Message: "there were too many wrong tries", Hint: "Try again in " + when + "."})
}

func (c *Console) signOut(q *request) error {
	if q.session != nil {
		if err := c.hub.Registry.DeleteSession(q.Context(), q.session.Digest); err != nil {
			return err
		}
		if err := q.note("session.end", "", ""); err != nil {
			return err
		}
	}
	c.dropCookie(q.w, sessionCookie)
	q.w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	return q.redirect("/sign-in", "")
}

func (c *Console) setupPage(q *request) error {
	if some, err := c.anyUser(q.Request); err != nil || some {
		return errors.Join(err, q.redirect("/sign-in", ""))
	}
	if err := c.maySetUp(q.Request); err != nil {
		return err
	}
	return q.show(http.StatusOK, "Welcome", view.Setup(q.page, view.SetupForm{NeedCode: c.options.SetupCode != ""}))
}

// maySetUp refuses a first visit from elsewhere where no code proves that it is the operator's. The host's name is looked at
// as well: another page with a name that suddenly means this machine is refused.
func (c *Console) maySetUp(r *http.Request) error {
	if c.options.SetupCode != "" || listener.FromThisMachine(r) {
		return nil
	}
	return &failure.Error{
		Code: failure.Denied, Message: "this hub has no user yet, and only the machine that it runs on may make the first one",
		Hint: "Open it there by http://localhost and its port; or set public_url in its configuration, and it prints a setup code when it starts.",
	}
}

func (c *Console) setup(q *request) error {
	if some, err := c.anyUser(q.Request); err != nil || some {
		return errors.Join(err, q.redirect("/sign-in", ""))
	}
	if err := c.maySetUp(q.Request); err != nil {
		return err
	}
	f := view.SetupForm{Name: strings.TrimSpace(q.PostForm.Get("name")), NeedCode: c.options.SetupCode != ""}
	show := func(status int, p *view.Problem) error {
		f.Problem = p
		return q.show(status, "Welcome", view.Setup(q.page, f))
	}
	if f.NeedCode {
		judged, wait := c.try(guesser{address: c.options.Proxies.Client(q.Request)})
		if wait > 0 {
			return q.tooOften(wait, show)
		}
		defer judged(guesses.Wrong)
		if subtle.ConstantTimeCompare([]byte(strings.TrimSpace(q.PostForm.Get("code"))), []byte(c.options.SetupCode)) != 1 {
			return show(http.StatusUnprocessableEntity, &view.Problem{Field: "code", Message: "this is not the setup code", Hint: "Look at what the hub printed when it started."})
		}
		judged(guesses.Good)
	}
	encoded, problem, err := q.chosenPassword(f.Name)
	problem = userName(f.Name).With(problem)
	if err != nil || problem != nil {
		return errors.Join(err, show(http.StatusUnprocessableEntity, problem))
	}
	user := registry.User{ID: newUserID(), Name: f.Name, Role: registry.RoleAdmin, Password: encoded, Created: c.clock()}
	if err := c.hub.Registry.CreateFirstUser(q.Context(), user); errors.Is(err, registry.ErrExists) {
		return q.redirect("/sign-in", "")
	} else if err != nil {
		return err
	}
	q.actor = actorOf(user)
	if err := q.note("user.add", user.Name, "the first administrator"); err != nil {
		return err
	}
	return q.welcome(user, "first visit", "/")
}

// chosenPassword is the hash of a password that its owner has just chosen, or what is wrong with it.
func (q *request) chosenPassword(name string) (encoded string, problem *view.Problem, err error) {
	password := q.PostForm.Get("new-password")
	if words := weakness(password, name); words != "" {
		problem = problem.With(&view.Problem{Field: "new-password", Message: words})
	}
	if password != q.PostForm.Get("again") {
		problem = problem.With(&view.Problem{Field: "again", Message: "the two passwords differ", Hint: "Type the same one twice."})
	}
	if problem != nil {
		return "", problem, nil
	}
	encoded, err = q.console.vault.hash(q.Context(), password, time.Time{})
	return encoded, nil, err
}

func newUserID() string { return strings.ToLower(rand.Text()) }

// note writes what was done into the audit log.
func (q *request) note(action, subject, detail string) error {
	return q.console.hub.Registry.AddAudit(q.Context(), &registry.AuditEntry{Actor: q.actor.Name, Action: action, Subject: subject, Detail: detail})
}

// noteRefused writes into the audit log that nobody was let in. A name that no user has is not written down: it may be a password that was
// typed into the wrong field. Those who try for long do not fill the log: see [Console.refusals].
func (q *request) noteRefused(user registry.User, address string) error {
	if !q.console.refusals.AllowN(q.console.clock(), 1) {
		return nil
	}
	detail := "unknown name, from " + address
	switch {
	case user.ID != "" && user.Disabled:
		detail = "locked, from " + address
	case user.ID != "":
		detail = "wrong password, from " + address
	}
	q.actor = hub.Actor{Name: "sign-in"}
	return q.note("session.refuse", user.Name, detail)
}
