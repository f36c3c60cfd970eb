package console

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

const (
	openIDCookie   = "contactbridge_openid" // state, nonce and verifier of a sign-in under way
	openIDTime     = 10 * time.Minute
	openIDCallback = "/sign-in/openid/callback"
)

// A provider is whom people sign in with. It is asked what it can do at the first sign-in, so that the hub starts without it.
type provider struct {
	*OpenID

	name     string
	redirect string
	client   *http.Client

	mu     sync.Mutex
	asking *discovery // under way, or the good one; nil: not asked yet
}

// A discovery is one question what a provider can do, for everybody who waits for its answer.
type discovery struct {
	done     chan struct{} // closed when the rest is set
	endpoint *oidc.Provider
	err      error
}

func newProvider(o Options) (*provider, error) {
	redirect, err := url.JoinPath(o.PublicURL, openIDCallback)
	if err != nil || o.PublicURL == "" {
		return nil, &failure.Error{Code: failure.Invalid, Field: "public_url", Message: "single sign-on needs the hub's own address", Hint: "Set public_url in the configuration."}
	}
	p := &provider{OpenID: o.OpenID, name: o.OpenID.Name, redirect: redirect}
	if p.name == "" {
		p.name = "single sign-on"
	}
	p.client = &http.Client{Transport: bounded{o.OpenID.Transport}, Timeout: 10 * time.Second}
	return p, nil
}

// maxOpenID is the size of one answer of a provider, unpacked; real ones have a few kilobytes.
const maxOpenID = 1 << 20

// bounded ends an answer that grows beyond maxOpenID: what a few bytes unpack to is not read into memory.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	next := b.next
	if next == nil {
		next = http.DefaultTransport
	}
	response, err := next.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxOpenID)
	}
	return response, err
}

// with gives a context the client that asks the provider.
func (p *provider) with(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.client)
}

// discover asks the provider what it can do, once. Everybody who wants to know at the same time waits for the same answer, and for
// no longer than they like: a provider that hangs makes no queue.
func (p *provider) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	asked := p.ask(ctx)
	select {
	case <-asked.done:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if asked.err != nil {
		return nil, nil, &failure.Error{
			Code: failure.Conflict, Message: "the sign-in provider does not answer as it should", Err: asked.err,
			Hint: "Try again, or sign in with a password. If it stays, check sign_in in the hub's configuration.",
		}
	}
	endpoint := asked.endpoint
	return endpoint, &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: endpoint.Endpoint(), RedirectURL: p.redirect,
		Scopes: []string{oidc.ScopeOpenID, "email"},
	}, nil
}

// ask begins a discovery, or joins the one that is under way. A good one is kept.
func (p *provider) ask(ctx context.Context) *discovery {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asking != nil {
		return p.asking
	}
	d := &discovery{done: make(chan struct{})}
	p.asking = d
	go func() {
		defer close(d.done)
		d.endpoint, d.err = oidc.NewProvider(p.with(context.WithoutCancel(ctx)), p.Issuer)
		if d.err != nil { // the next one asks again
			p.mu.Lock()
			defer p.mu.Unlock()
			p.asking = nil
		}
	}()
	return d
}

// beginOpenID sends the browser to the provider. What comes back must fit the cookie that it is given here.
func (c *Console) beginOpenID(q *request) error {
	if c.openID == nil {
		return c.nothing(q)
	}
	_, config, err := c.openID.discover(q.Context())
	if err != nil {
		return err
	}
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	c.setCookie(q.w, openIDCookie, state+"."+nonce+"."+verifier, openIDTime)
	http.Redirect(q.w, q.Request, config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
	return nil
}

// finishOpenID takes what the browser brings back from the provider.
func (c *Console) finishOpenID(q *request) error {
	if c.openID == nil {
		return c.nothing(q)
	}
	cookie, err := q.Cookie(c.cookieName(openIDCookie))
	if err != nil {
		return again("the sign-in took too long, or began in another browser")
	}
	c.dropCookie(q.w, openIDCookie)
	parts := strings.Split(cookie.Value, ".")
	if len(parts) != 3 || subtle.ConstantTimeCompare([]byte(parts[0]), []byte(q.URL.Query().Get("state"))) != 1 {
		return again("the sign-in was not begun here")
	}
	if q.URL.Query().Get("code") == "" {
		return again("the provider did not sign you in")
	}
	claims, err := c.openID.exchange(q.Context(), q.URL.Query().Get("code"), parts[1], parts[2])
	if err != nil {
		return err
	}
	user, err := c.openIDUser(q, claims)
	if err != nil {
		return err
	}
	return q.welcome(user, "single sign-on", "/")
}

func again(message string) error {
	return &failure.Error{Code: failure.Denied, Message: message, Hint: "Sign in again."}
}

// claims are a provider's statements about a user.
type claims struct {
	Issuer   string  `json:"iss"`
	Subject  string  `json:"sub"`
	Email    string  `json:"email"`
	Verified vouched `json:"email_verified"`
}

// vouched is true for the JSON value true, and for nothing else: "true" and 1 are not what the standard lets a provider say.
type vouched bool

// UnmarshalJSON never fails: what is not understood vouches for nothing.
func (v *vouched) UnmarshalJSON(text []byte) error {
	*v = string(text) == "true"
	return nil
}

// exchange turns the code into who it stands for. Signature, issuer, audience, expiry and nonce are checked.
func (p *provider) exchange(ctx context.Context, code, nonce, verifier string) (claims, error) {
	var found claims
	endpoint, config, err := p.discover(ctx)
	if err != nil {
		return found, err
	}
	ctx = p.with(ctx)
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok { // its body is the provider's own words, which may hold anything
			err = errors.New(refused.ErrorCode)
		}
		return found, &failure.Error{Code: failure.Denied, Message: "the provider did not confirm the sign-in", Err: err, Hint: "Sign in again."}
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := endpoint.VerifierContext(ctx, &oidc.Config{ClientID: p.ClientID}).Verify(ctx, raw)
	if err != nil {
		return found, &failure.Error{Code: failure.Denied, Message: "the provider's answer is not valid", Err: err, Hint: "Sign in again. If it stays, check sign_in in the hub's configuration, and the clocks."}
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return found, again("the provider's answer is that of another sign-in")
	}
	if err := id.Claims(&found); err != nil || found.Subject == "" {
		return claims{}, &failure.Error{Code: failure.Denied, Message: "the provider's answer does not say who you are", Hint: "Sign in again. If it stays, check sign_in in the hub's configuration."}
	}
	return found, nil
}

// openIDUser is the user that a provider's subject stands for. At the first time it is found by its verified e-mail address,
// and from then on by the subject only: addresses are given to other people.
func (c *Console) openIDUser(q *request, who claims) (registry.User, error) {
	subject := who.Issuer + " " + who.Subject
	user, err := c.hub.Registry.UserBySubject(q.Context(), subject)
	if errors.Is(err, registry.ErrNotFound) {
		user, err = c.newcomer(q, who, subject)
	}
	if err == nil && user.Disabled {
		err = &failure.Error{Code: failure.Denied, Message: "this user is locked", Hint: "Ask an administrator."}
	}
	return user, err
}

// sameAddress reports whether a name is an e-mail address, but for the case of its ASCII letters. Names that only fold to each
// other are one user's here, but two people's at a provider: jeſſica@example.com need not be jessica@example.com.
func sameAddress(name, email string) bool {
	lower := func(s string) string {
		return strings.Map(func(r rune) rune {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			return r
		}, s)
	}
	return lower(name) == lower(email)
}

func (c *Console) newcomer(q *request, who claims, subject string) (registry.User, error) {
	unknown := &failure.Error{
		Code: failure.Denied, Message: "no user of this hub has your e-mail address as its name",
		Hint: "Ask an administrator to add one.",
	}
	if who.Email == "" || !who.Verified {
		unknown.Message = "the provider does not vouch for an e-mail address of yours"
		unknown.Hint = "Confirm your address there, and sign in again."
		return registry.User{}, unknown
	}
	user, err := c.hub.Registry.UserByName(q.Context(), who.Email)
	switch {
	case errors.Is(err, registry.ErrNotFound), err == nil && (user.Subject != "" || !sameAddress(user.Name, who.Email)):
		return registry.User{}, unknown
	case err != nil:
		return registry.User{}, err
	}
	if err := c.hub.Registry.BindUser(q.Context(), user.ID, subject); err != nil {
		if errors.Is(err, registry.ErrNotFound) {
			err = unknown // another user was faster
		}
		return registry.User{}, err
	}
	user.Subject = subject
	q.actor = actorOf(user)
	return user, q.note("user.bind", user.Name, "to single sign-on of "+who.Issuer)
}
