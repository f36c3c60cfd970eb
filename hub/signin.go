package hub

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A SignIn says how people sign in at the external service of a source (OAuth 2.0, authorization code).
type SignIn struct {
	Client       string // whose registration at the service is needed: a key of the operator's oauth_clients
	Title        string // what people call the service
	AuthorizeURL string // where people permit the access
	TokenURL     string // where tokens are given
	Base         string // where the access token goes
	Scopes       []string
	Params       map[string]string // more parameters of the authorization request
	InBasic      bool              // the client's secret is sent as a password, not in the form
}

// sameService reports whether tokens that were given by one way to sign in may be used where another one is.
func (s SignIn) sameService(other SignIn) bool {
	return s.AuthorizeURL == other.AuthorizeURL && s.TokenURL == other.TokenURL && s.Base == other.Base
}

// SignInFor says how people sign in at the external service of a draft, and by which of the operator's clients: empty where people cannot
// sign in there, or where the operator has no client for it.
func (h *Hub) SignInFor(ctx context.Context, d SourceDraft) (how SignIn, client string, err error) {
	if err := permit(ctx, registry.ScopeWrite, d.Account); err != nil {
		return how, "", err
	}
	if h.Inside == nil {
		return how, "", noInside()
	}
	s := InsideSource{Account: d.Account, Text: d.Text, SignIn: true}
	if how, err = h.Inside.SignIn(s); err != nil {
		return how, "", err
	}
	if _, there := h.Options.OAuthClients[how.Client]; there {
		client = how.Client
	}
	return how, client, nil
}

// signInOf returns how people sign in at a source by one of the operator's clients.
func (h *Hub) signInOf(s InsideSource, name string) (how SignIn, client OAuthClient, err error) {
	if h.Inside == nil {
		return how, client, noInside()
	}
	if how, err = h.Inside.SignIn(s); err != nil {
		return how, client, err
	}
	if how.Client != name {
		return how, client, &failure.Error{
			Code: failure.Invalid, Field: "oauth.client", Message: fmt.Sprintf("people sign in at %s by the client %s, not %s", how.Title, how.Client, name),
			Hint: "Write  client: " + how.Client,
		}
	}
	client, there := h.Options.OAuthClients[name]
	if !there {
		return how, client, &failure.Error{
			Code: failure.Invalid, Field: "oauth.client", Message: "the hub is not registered at " + how.Title + ": its configuration has no oauth_clients." + name,
			Hint: "Have the operator register the hub there, with the address " + cmp.Or(h.Options.PublicURL, "PUBLIC_URL") + "/oauth/callback , and write client_id and client_secret below oauth_clients." + name + ".",
		}
	}
	how.AuthorizeURL, how.TokenURL = cmp.Or(client.AuthorizeURL, how.AuthorizeURL), cmp.Or(client.TokenURL, how.TokenURL)
	if len(client.Scopes) > 0 {
		how.Scopes = client.Scopes
	}
	return how, client, nil
}

// checkClient refuses what the operator's client says itself.
func checkClient(o registry.OAuth) error {
	o.Client, o.Grant = "", strings.TrimPrefix(o.Grant, AuthorizationCode)
	if o.Grant == "" && o.AuthorizeURL == "" && o.TokenURL == "" && o.ClientID == "" && len(o.Scopes) == 0 && len(o.Params) == 0 && o.Field == "" {
		return nil
	}
	return &failure.Error{
		Code: failure.Invalid, Field: "oauth", Message: "what is said beside the operator's client has no meaning", Hint: "Write client and nothing else.",
	}
}

const (
	stateSecret = "state"          // name of a sealed authorization under way
	grantSecret = "grant"          // of what a sign-in was for
	stateFresh  = 10 * time.Minute // that a person may take to sign in
)

// A SignInRequest begins a sign-in: for an integration that there is, or for a draft.
type SignInRequest struct {
	Integration string      // that there is; empty: the draft
	Draft       SourceDraft // with its account, client and source; of an integration that there is: only the account
	Redirect    string      // the hub's /oauth/callback, as browsers reach it
	Back        string      // path of this hub where the browser goes afterwards; empty: nowhere in particular
	Bound       bool        // the browser that comes back must have the [SignInBegun.Binding]
}

// A SignInBegun is a sign-in under way.
type SignInBegun struct {
	URL     string // where the browser must go
	Grant   string // of a draft: what stands for the sign-in once it is complete, for 24 hours; good for its account and for who began it
	Binding string // to be kept in a cookie of the browser, if it was asked for
}

// A pending authorization waits for a browser to come back.
type pending struct {
	Key      directory.Key
	Verifier string // PKCE (RFC 7636)
	Redirect string
	Until    time.Time
	Back     string `json:",omitempty"`
	Binding  []byte `json:",omitempty"` // digest of what the browser must have
	Grant    string `json:",omitempty"` // of a draft: the reference of what it gives
	Text     string `json:",omitempty"` // of a draft: the source
	Client   string `json:",omitempty"` // of a draft
	Actor    string `json:",omitempty"` // who began it, for a draft

	AuthorizeURL string `json:",omitempty"` // where the browser was sent
}

// A given grant says what a sign-in was for.
type givenGrant struct {
	Account, Actor, Client string
	How                    SignIn
}

// actorOf names who acts, so that nobody else can use what they began.
func actorOf(ctx context.Context) string {
	a, ok := ActorOf(ctx)
	switch {
	case !ok:
		return "hub"
	case a.User != "":
		return "user " + a.User
	case a.Token != "":
		return "token " + a.Token
	}
	return a.Name
}

// BeginOAuth returns where a browser must go to connect an integration (authorization code with PKCE).
func (h *Hub) BeginOAuth(ctx context.Context, key directory.Key, redirect string) (string, error) {
	begun, err := h.BeginSignIn(ctx, SignInRequest{Integration: key.Integration, Draft: SourceDraft{Account: key.Account}, Redirect: redirect})
	return begun.URL, err
}

// BeginSignIn begins a sign-in, which [Hub.FinishSignIn] completes.
func (h *Hub) BeginSignIn(ctx context.Context, r SignInRequest) (SignInBegun, error) {
	key := directory.Key{Account: r.Draft.Account, Integration: r.Integration}
	if err := permit(ctx, registry.ScopeWrite, key.Account); err != nil {
		return SignInBegun{}, err
	}
	if err := checkBack(r.Back); err != nil {
		return SignInBegun{}, err
	}
	p := pending{Key: key, Verifier: oauth2.GenerateVerifier(), Redirect: r.Redirect, Until: h.now().Add(stateFresh), Back: r.Back}
	if r.Integration == "" {
		if _, err := h.Account(ctx, key.Account); err != nil {
			return SignInBegun{}, err
		}
		p.Grant, p.Text, p.Client, p.Actor = random(24), r.Draft.Text, r.Draft.Client, actorOf(ctx)
	}
	g, err := h.grantOf(ctx, p)
	if err != nil {
		return SignInBegun{}, err
	}
	begun := SignInBegun{Grant: p.Grant}
	if r.Bound {
		begun.Binding = random(24)
		p.Binding = digestOf(begun.Binding)
	}
	p.AuthorizeURL = g.oauth.AuthorizeURL
	state := random(24)
	text, err := json.Marshal(p)
	if err != nil {
		return SignInBegun{}, err
	}
	if err := h.Registry.SetSecret(ctx, registry.PendingOwner(state), stateSecret, text); err != nil {
		return SignInBegun{}, err
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(p.Verifier), oauth2.AccessTypeOffline}
	for name, value := range g.oauth.Params {
		options = append(options, oauth2.SetAuthURLParam(name, value))
	}
	begun.URL = g.config(p.Redirect).AuthCodeURL(state, options...)
	return begun, nil
}

// checkBack refuses to send a browser anywhere but to a page of this hub.
func checkBack(back string) error {
	u, err := url.Parse(back)
	inside := err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && strings.HasPrefix(back, "/") && !strings.HasPrefix(back, "//") &&
		strings.IndexFunc(back, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) < 0
	if back == "" || inside {
		return nil
	}
	return &failure.Error{Code: failure.Invalid, Field: "back", Message: "the way back is not a page of this hub", Hint: "Send a path that begins with one slash, such as /accounts/acme."}
}

func digestOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// grantOf returns what gets the tokens of an authorization.
func (h *Hub) grantOf(ctx context.Context, p pending) (*grant, error) {
	if p.Grant != "" {
		i := registry.Integration{Source: "draft", OAuth: &registry.OAuth{Grant: AuthorizationCode, Client: p.Client}}
		i.Key = directory.Key{Account: p.Key.Account, Integration: "draft"}
		g, err := h.newGrant(ctx, i, map[string]string{registry.SourceValue: p.Text}, true)
		if err == nil {
			g.owner = registry.PendingOwner(p.Grant)
		}
		return g, err
	}
	i, given, err := h.configured(ctx, p.Key)
	if err != nil {
		return nil, err
	}
	if i.OAuth == nil || i.OAuth.Client == "" && i.OAuth.Grant != AuthorizationCode {
		return nil, &failure.Error{Code: failure.Invalid, Message: p.Key.Integration + " is not connected in a browser", Hint: "Set its oauth with the grant authorization_code first."}
	}
	return h.newGrant(ctx, i, given, true)
}

// A SignInAnswer is what a browser brings back from an external service.
type SignInAnswer struct {
	State   string
	Code    string
	Refused string // the service's error code; empty: none
	Issuer  string // the service's own name (RFC 9207); empty: it did not say
	Binding string // what the browser keeps; empty: nothing
}

// A Landing says what a sign-in was for, and where the browser goes.
type Landing struct {
	directory.Key        // without an integration: a draft
	Back          string // path of this hub; empty: nowhere in particular
	Grant         string // of a draft that was signed in for
}

// FinishSignIn takes what a browser brought back, and says where it goes: also with an error, where that is known. A state is good for
// once, and for the browser that it was bound to.
func (h *Hub) FinishSignIn(ctx context.Context, a SignInAnswer) (Landing, error) {
	// A code is good for once, and what comes of it must be kept whether or not the browser waits.
	ctx, cancel := lasting(ctx)
	defer cancel()
	stale := &failure.Error{Code: failure.Invalid, Message: "this way back is not known, or was used, or took longer than ten minutes", Hint: "Sign in again."}
	if a.State == "" {
		return Landing{}, stale
	}
	p, err := h.pendingOf(ctx, a)
	if err != nil || p == nil {
		return Landing{}, cmp.Or(err, error(stale))
	}
	l := Landing{Key: p.Key, Back: p.Back}
	switch {
	case h.now().After(p.Until):
		return l, stale
	case !sameIssuer(a.Issuer, p.AuthorizeURL):
		return l, &failure.Error{Code: failure.Invalid, Message: "another service answered than the one that was asked", Hint: "Sign in again, and begin here."}
	case a.Code == "":
		return l, &failure.Error{Code: failure.Invalid, Message: "the external service did not permit the access" + refusedBecause(a.Refused), Hint: "Go back and begin again."}
	}
	g, err := h.grantOf(ctx, *p)
	if err != nil {
		return l, err
	}
	if g.oauth.AuthorizeURL != p.AuthorizeURL {
		return l, &failure.Error{Code: failure.Invalid, Message: "the integration was changed meanwhile", Hint: "Sign in again."}
	}
	token, err := g.config(p.Redirect).Exchange(g.outbound(ctx), a.Code, oauth2.VerifierOption(p.Verifier))
	if err != nil {
		return l, &failure.Error{Code: failure.Invalid, Message: "the provider gave no token", Hint: "Sign in again; check client id and secret.", Err: g.explain(err)}
	}
	if err := g.save(ctx, token); err != nil {
		return l, err
	}
	h.unsaved.Delete(g.owner)
	if p.Grant != "" {
		l.Grant = p.Grant
		return l, h.keepGrant(ctx, g, *p)
	}
	return l, h.connected(ctx, p.Key, g.integration)
}

// pendingOf takes the authorization of a state; nil if there is none. One that is bound to a browser stays for that browser.
func (h *Hub) pendingOf(ctx context.Context, a SignInAnswer) (*pending, error) {
	owner := registry.PendingOwner(a.State)
	text, err := h.Registry.Secret(ctx, owner, stateSecret)
	if err != nil || text == nil {
		return nil, err
	}
	var p pending
	if json.Unmarshal(text, &p) != nil {
		return nil, nil
	}
	if len(p.Binding) > 0 && !hmac.Equal(p.Binding, digestOf(a.Binding)) {
		return nil, &failure.Error{Code: failure.Invalid, Message: "this browser did not begin the sign-in", Hint: "Open the console in this browser, at the address that is shown now, and begin there."}
	}
	mine, err := h.Registry.TakeSecret(ctx, owner, stateSecret) // it is good for once, however many come at once
	if err != nil || !mine {
		return nil, err
	}
	return &p, nil
}

// sameIssuer reports whether an answer's issuer can be the service that the browser was sent to.
func sameIssuer(issuer, asked string) bool {
	if issuer == "" {
		return true
	}
	a, err := url.Parse(issuer)
	b, other := url.Parse(asked)
	return err == nil && other == nil && a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host)
}

// refusedBecause returns a service's error code as a clause, where it is one of the words of RFC 6749: other texts do not get into our pages.
func refusedBecause(word string) string {
	if slices.Contains([]string{"access_denied", "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope", "server_error", "temporarily_unavailable"}, word) {
		return " (" + word + ")"
	}
	return ""
}

// keepGrant notes what a draft's sign-in was for.
func (h *Hub) keepGrant(ctx context.Context, g *grant, p pending) error {
	how, _, err := h.signInOf(InsideSource{Account: p.Key.Account, Text: p.Text, SignIn: true}, p.Client)
	if err != nil {
		return err
	}
	text, err := json.Marshal(givenGrant{Account: p.Key.Account, Actor: p.Actor, Client: p.Client, How: how})
	if err != nil {
		return err
	}
	if err := h.Registry.SetSecret(ctx, g.owner, grantSecret, text); err != nil {
		return err
	}
	return h.Note(ctx, "source.sign_in", p.Key.Account, p.Client, "")
}

// connected has an integration read with its new tokens.
func (h *Hub) connected(ctx context.Context, key directory.Key, i registry.Integration) error {
	// Another person than before may have connected it, who sees other contacts.
	if err := h.Registry.Ask(ctx, key, registry.Ask{Run: true, Full: !i.Status.Fresh.IsZero()}); err != nil {
		return err
	}
	h.wake()
	return h.Note(ctx, "integration.connect", key.Account, key.Integration, "")
}

// mayUseGrant refuses what a sign-in gave for another account, to someone else, by another client or at another service.
func (h *Hub) mayUseGrant(ctx context.Context, ref, account, client string, how SignIn) error {
	text, err := h.Registry.Secret(ctx, registry.PendingOwner(ref), grantSecret)
	if err != nil {
		return err
	}
	var given givenGrant
	if text == nil || json.Unmarshal(text, &given) != nil || given.Account != account || given.Actor != actorOf(ctx) {
		return usedGrant()
	}
	if given.Client != client || !given.How.sameService(how) {
		return &failure.Error{Code: failure.Invalid, Field: "grant", Message: "the sign-in was for another service than " + how.Base, Hint: "Sign in again."}
	}
	return nil
}

func usedGrant() error {
	return &failure.Error{Code: failure.Invalid, Field: "grant", Message: "this sign-in is not known, or was used, or is older than a day", Hint: "Sign in again."}
}

// takeGrant takes what a sign-in gave out of auth values, and returns the owner of its tokens; empty without one.
func (h *Hub) takeGrant(ctx context.Context, i registry.Integration, auth map[string]string) (others map[string]string, pending string, err error) {
	ref, there := auth[registry.GrantValue]
	if !there {
		return auth, "", nil
	}
	auth = maps.Clone(auth)
	delete(auth, registry.GrantValue)
	if ref == "" {
		return auth, "", nil
	}
	if i.OAuth == nil || i.OAuth.Client == "" {
		return auth, "", &failure.Error{Code: failure.Invalid, Field: "grant", Message: "nobody signs in for this integration", Hint: "Set oauth.client as well, or leave grant out."}
	}
	text := auth[registry.SourceValue]
	if text == "" {
		all, err := h.Registry.Auth(ctx, i.Key)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return auth, "", err
		}
		text = all[registry.SourceValue]
	}
	how, _, err := h.signInOf(insideSource(i, map[string]string{registry.SourceValue: text}), i.OAuth.Client)
	if err == nil {
		err = h.mayUseGrant(ctx, ref, i.Account, i.OAuth.Client, how)
	}
	return auth, registry.PendingOwner(ref), err
}
