package console

import (
	"bytes"
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/web/console/view"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

// A handler answers one request. What it returns is shown as a sentence.
type handler func(*request) error

// needs say what must be true before a handler is asked.
type needs int

const (
	signedIn needs = 1 << iota
	alive          // the request shows that a user is there: the session lasts longer
)

// A request is one request, who asks, and the page that answers it.
type request struct {
	*http.Request
	w       http.ResponseWriter
	console *Console
	session *registry.Session // nil: no user is signed in
	user    *registry.User
	actor   hub.Actor
	secret  []byte // of the session, or of the visitor
	page    *view.Page
	account *registry.Account // chosen, or the only one; nil: none, or several
	file    *multipart.Part   // what is uploaded, after the fields of its form; nil: nothing
}

const (
	maxForm  = 256 << 10
	formTime = 10 * time.Second // see [Options.FormTime]
	// uploadTime is how long a file may take to arrive, of somebody who is signed in.
	uploadTime = 15 * time.Minute
)

// policy lets a page load what is served beside it, and nothing else: no inline script or style, no other host.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func (c *Console) setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	if c.options.Secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// ServeHTTP serves the pages.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.setHeaders(w.Header())
	r.Body = http.MaxBytesReader(w, r.Body, c.mostOf(r))
	if r.ContentLength != 0 { // a server that cannot has no slow callers either
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(c.options.FormTime))
	}
	c.mux.ServeHTTP(w, r)
}

// mostOf returns how many bytes a request may send: more where a file is uploaded.
func (c *Console) mostOf(r *http.Request) int64 {
	if _, pattern := c.mux.Handler(r); !c.takesFiles[pattern] {
		return maxForm
	}
	return maxForm + cmp.Or(c.hub.Options.FileBytes, hub.DefaultFileBytes)
}

// serve finds out who asks, refuses what came from elsewhere, and asks the handler.
func (c *Console) serve(w http.ResponseWriter, r *http.Request, needs needs, h handler) {
	exchange.Of(r.Context()).Route = r.Pattern
	q := &request{Request: r, w: w, console: c}
	q.page = &view.Page{Assets: c.assets, Title: "contactbridge"}
	q.page.Locale = view.NewLocale(r.Header.Get("Accept-Language"), nil, c.clock())
	if err := q.receive(); err != nil {
		q.fail(err)
		return
	}
	if err := q.enter(needs); err != nil {
		q.fail(err)
		return
	}
	if needs&signedIn != 0 && q.user == nil {
		q.toSignIn()
		return
	}
	if r.Method == http.MethodPost {
		if err := q.checkForm(); err != nil {
			q.fail(err)
			return
		}
	}
	if needs&signedIn != 0 && q.mustReplacePassword() {
		_ = q.show(http.StatusOK, "Choose your password", view.Replace(q.page, nil)) // a browser that has gone needs no page
		return
	}
	if q.file != nil { // whoever sends it may
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadTime))
	}
	if err := h(q); err != nil {
		q.fail(err)
	}
}

// enter finds the session, and prepares the page for its user.
func (q *request) enter(needs needs) error {
	session, user, secret, err := q.console.findSession(q.Request)
	if err != nil {
		return err
	}
	if user == nil {
		q.secret = q.console.secretOf(q.Request, visitorCookie)
		if q.secret == nil {
			q.secret = newSecret()
			q.console.setCookie(q.w, visitorCookie, base64.RawURLEncoding.EncodeToString(q.secret), idleTime)
		}
		q.page.CSRF = formToken(q.secret)
		return nil
	}
	q.session, q.user, q.secret = session, user, secret
	q.page.CSRF = formToken(secret)
	q.actor = actorOf(*user)
	q.Request = q.Request.WithContext(hub.WithActor(q.Context(), q.actor))
	exchange.Of(q.Context()).Actor = q.actor.Name
	if needs&alive != 0 {
		if err := q.console.keepSession(q.Context(), *session); err != nil {
			return err
		}
	}
	return q.fillPage()
}

// scopes are the permissions of each role.
func scopes(role registry.Role) []registry.Scope {
	read := []registry.Scope{registry.ScopeCallers, registry.ScopeContacts, registry.ScopeRead}
	switch role {
	case registry.RoleAdmin:
		return []registry.Scope{registry.ScopeAdmin}
	case registry.RoleOperator:
		return append(read, registry.ScopeControl, registry.ScopeWrite, registry.ScopePurge)
	case registry.RoleReader:
		return read
	}
	return nil
}

// actorOf returns the actor that a user is to the hub.
func actorOf(u registry.User) hub.Actor {
	return hub.Actor{Name: "user " + u.Name, Accounts: u.Accounts, All: len(u.Accounts) == 0, Scopes: scopes(u.Role), User: u.ID}
}

const mostAccounts = 50 // to choose from in a list

// fillPage says who is signed in, which account is chosen, and what may be done there.
func (q *request) fillPage() error {
	p := q.page
	p.User, p.Role = q.user.Name, q.user.Role
	accounts, err := q.console.hub.Accounts(q.Context())
	if err != nil {
		return err
	}
	p.Many = len(accounts) > mostAccounts
	for _, a := range accounts[:min(len(accounts), mostAccounts)] {
		p.Accounts = append(p.Accounts, a.Name)
	}
	wanted := q.PathValue("account")
	if wanted == "" {
		wanted = q.Form.Get("account")
	}
	if i := slices.IndexFunc(accounts, func(a registry.Account) bool { return a.Name == wanted }); i >= 0 {
		q.account = &accounts[i]
		p.Account = wanted
	} else if len(accounts) == 1 {
		q.account = &accounts[0]
	}
	if q.account != nil {
		if zone, err := time.LoadLocation(q.account.TimeZone); err == nil {
			p.Zone = zone
		}
	}
	p.May = q.may(accounts)
	p.Phonebooks = slices.ContainsFunc(q.console.hub.Books().All(), func(b *phonebook.Book) bool {
		return slices.ContainsFunc(accounts, func(a registry.Account) bool { return a.Name == b.Account })
	})
	p.Done = done[q.URL.Query().Get("done")]
	return nil
}

// may says which controls are shown: what may be done in the chosen account, or in any.
func (q *request) may(accounts []registry.Account) view.May {
	can := func(scope registry.Scope) bool {
		if q.account != nil {
			return q.actor.May(scope, q.account.Name)
		}
		return q.actor.May(scope, "") || slices.ContainsFunc(accounts, func(a registry.Account) bool { return q.actor.May(scope, a.Name) })
	}
	return view.May{
		Contacts: can(registry.ScopeContacts), Control: can(registry.ScopeControl), Write: can(registry.ScopeWrite), Purge: can(registry.ScopePurge),
		Admin: can(registry.ScopeAdmin), Everything: q.actor.May(registry.ScopeAdmin, ""),
	}
}

// chosen is the account that a page about one is about: the chosen one, or else the first; empty if there is no account.
func (q *request) chosen() string {
	switch {
	case q.account != nil:
		return q.account.Name
	case len(q.page.Accounts) > 0:
		return q.page.Accounts[0]
	}
	return ""
}

// key is the integration that the path names.
func (q *request) key() directory.Key {
	return directory.Key{Account: q.PathValue("account"), Integration: q.PathValue("integration")}
}

// needAdmin refuses who does not administrate everything. Users are the console's own; the hub knows none.
func (q *request) needAdmin() error {
	if q.actor.May(registry.ScopeAdmin, "") {
		return nil
	}
	return &failure.Error{Code: failure.Denied, Message: "this is for administrators of all accounts", Hint: "Ask one of them."}
}

// receive reads what came with a request, before anything looks at it. It does not wait for those who send it very slowly, signed in or
// not.
func (q *request) receive() error {
	if q.console.takesFiles[q.Pattern] && strings.HasPrefix(q.Header.Get("Content-Type"), "multipart/form-data") {
		return q.receiveParts()
	}
	err := q.ParseForm()
	if q.ContentLength == 0 {
		return nil // the query is read for what can be read of it
	}
	if err == nil {
		_, err = io.Copy(io.Discard, q.Body) // what is not a form is nothing to us, but it must end
	}
	if err == nil {
		_ = http.NewResponseController(q.w).SetReadDeadline(time.Time{})
		return nil
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return &failure.Error{Code: failure.Invalid, Message: "this is too much for a form", Hint: "Send less at a time."}
	}
	return &failure.Error{Code: failure.Invalid, Message: "the form could not be read", Hint: "Send it again."}
}

// receiveParts reads the fields of a form up to its file, which comes last and stays to be read.
func (q *request) receiveParts() error {
	unreadable := &failure.Error{Code: failure.Invalid, Message: "the form could not be read", Hint: "Send it again."}
	parts, err := q.MultipartReader()
	if err != nil {
		return unreadable
	}
	q.PostForm = url.Values{}
	for left := int64(maxForm); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return unreadable
		}
		if part.FileName() != "" {
			q.file = part
			break
		}
		text, err := io.ReadAll(io.LimitReader(part, left+1))
		if err != nil {
			return unreadable
		}
		if left -= int64(len(text)); left < 0 {
			return &failure.Error{Code: failure.Invalid, Message: "this is too much for a form", Hint: "Send less at a time."}
		}
		q.PostForm.Add(part.FormName(), string(text))
	}
	q.Form = q.URL.Query()
	for name, values := range q.PostForm {
		q.Form[name] = append(slices.Clone(values), q.Form[name]...)
	}
	return nil
}

// checkForm refuses what was not sent from a page of ours in this browser.
func (q *request) checkForm() error {
	if err := q.console.origin.Check(q.Request); err != nil {
		return &failure.Error{Code: failure.Denied, Message: "this came from another site", Hint: "Open the page here, and send it again."}
	}
	if subtle.ConstantTimeCompare([]byte(q.PostForm.Get("csrf")), []byte(formToken(q.secret))) != 1 {
		return &failure.Error{Code: failure.Denied, Message: "the page was too old, or cookies are blocked", Hint: "Open it again, and send it once more."}
	}
	return nil
}

// live reports whether htmx asks for a part of a page.
func (q *request) live() bool { return q.Header.Get("HX-Request") == "true" }

// show answers with a page.
func (q *request) show(status int, title string, page templ.Component) error {
	q.page.Title = title
	return q.part(status, page)
}

// part answers with a part of a page. It is made as a whole first, so that an error is never half a page.
func (q *request) part(status int, part templ.Component) error {
	var buffer bytes.Buffer
	if err := part.Render(context.WithoutCancel(q.Context()), &buffer); err != nil { // who took too long is told so
		return err
	}
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	q.w.WriteHeader(status)
	_, _ = q.w.Write(buffer.Bytes()) // a browser that has gone needs no page
	return nil
}

// redirect goes on to a page, which says what was done.
func (q *request) redirect(path, what string) error {
	if what != "" {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		path += separator + "done=" + what
	}
	http.Redirect(q.w, q.Request, path, http.StatusSeeOther)
	return nil
}

// done are the sentences that pages begin with after something was done. Links choose among them and cannot write their own.
var done = map[string]string{
	"run": "A run was asked for.", "full": "A full run was asked for.", "cancel": "The run was asked to stop.",
	"accept": "The deletions are accepted: the contacts are deleted.", "keep": "The contacts stay.",
	"pause": "The integration is paused.", "resume": "The integration runs by its schedule again.",
	"added": "The integration was added. Its first run reads every contact.", "changed": "The changes are saved.",
	"replaced": "The file was replaced. What reads it runs now.", "discarded": "The old file stays.",
	"revoked": "The credential is revoked. Its devices are shut out; by other processes of the hub within a second.",
	"removed": "It was removed.", "purged": "The records were purged.", "password": "Your password is changed. You were signed out everywhere else.",
	"retry": "It is sent again at once.", "enabled": "It is told again of what happens, and what waits is sent.",
	"sessions": "You are signed out everywhere else.", "token": "The token has ended; in other processes of the hub it ends within a second.",
}

// toSignIn sends a user to the page where one signs in, and back afterwards.
func (q *request) toSignIn() {
	to := "/sign-in"
	if q.Method == http.MethodGet && !q.live() && q.URL.Path != "/" && q.Pattern != "/" { // what is not a page of ours is not repeated
		if query := q.URL.Query(); query.Has("token") { // a telephone system's, that has lost its way
			query.Del("token")
			q.URL.RawQuery = query.Encode()
		}
		to += "?next=" + url.QueryEscape(q.URL.RequestURI())
	}
	if q.live() || strings.Contains(q.Header.Get("Accept"), "text/event-stream") {
		q.w.Header().Set("HX-Redirect", "/sign-in")
		q.w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.Redirect(q.w, q.Request, to, http.StatusSeeOther)
}

// ownPath is a path of ours to go on to; anything else is the first page.
func ownPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") || u.Host != "" || u.Scheme != "" {
		return "/"
	}
	return path
}

// problemOf is an error as a form shows it; nil where it is not one that a user can do something about.
func problemOf(err error) *view.Problem {
	var problem *view.Problem
	for _, known := range failure.All(err) {
		switch status, _ := standing(known); status {
		case http.StatusUnprocessableEntity, http.StatusConflict, http.StatusTooManyRequests:
			shown := problemFor(known)
			problem = problem.With(&shown)
		default:
			return nil
		}
	}
	return problem
}

// fail says what went wrong, as a page or as part of one.
func (q *request) fail(err error) {
	if errors.Is(err, context.Canceled) && q.Context().Err() != nil {
		return // the browser has gone: nothing failed, and the answer would not be read
	}
	if x := exchange.Of(q.Context()); x.Status != 0 {
		x.Err = err // the answer has begun: no page about the error can follow
		return
	}
	status, title, problem := explain(err)
	if status == http.StatusInternalServerError {
		exchange.Of(q.Context()).Err = err
		q.console.logger.Error("a page failed", "route", q.Pattern, "error", err)
		if id := q.w.Header().Get("X-Request-Id"); id != "" {
			problem.Hint = "Try again. If it stays, look for " + id + " in the hub's log."
		}
	}
	if q.live() {
		_ = q.part(http.StatusUnprocessableEntity, view.CallerAnswer(q.page, view.Call{Problem: &problem}, false)) // it renders strings only
		return
	}
	_ = q.show(status, title, view.Failure(q.page, title, problem, "/"))
}

// explain returns how a page shows an error. An error that is not explained goes into the log only.
func explain(err error) (status int, title string, p view.Problem) {
	known := failure.Of(err)
	status, title = standing(known)
	if status == http.StatusInternalServerError {
		return status, title, view.Problem{Message: "The hub could not do this", Hint: "Try again. If it stays, look into the hub's log."}
	}
	return status, title, problemFor(known)
}

// standing returns the status and the title of a page about an error.
func standing(known failure.Error) (status int, title string) {
	switch {
	case known.Code == failure.NotFound:
		return http.StatusNotFound, "Not found"
	case known.Code == failure.Denied:
		return http.StatusForbidden, "Not allowed"
	case known.Code == failure.Conflict, known.Code == failure.Managed:
		return http.StatusConflict, "Not now"
	case known.Code == failure.Busy:
		return http.StatusTooManyRequests, "Not now"
	case known.Code == failure.Invalid, known.Code == "" && known.Message != "":
		return http.StatusUnprocessableEntity, "This does not work"
	}
	return http.StatusInternalServerError, "Something went wrong"
}

// problemFor returns an error, with its cause, as a page shows it. The causes of errors without a code, which are the databases', are
// for the log.
func problemFor(known failure.Error) view.Problem {
	p := view.Problem{Message: known.Error(), Hint: known.Hint, Field: known.Field}
	if known.Code == "" {
		p.Message = known.Message
	}
	return p
}

// nothing is there.
func (c *Console) nothing(q *request) error {
	if q.user == nil && q.Method == http.MethodGet {
		q.toSignIn()
		return nil
	}
	return &failure.Error{Code: failure.NotFound, Message: "page not found", Hint: "Check the address, or begin at the overview."}
}
