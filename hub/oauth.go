package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/outbound"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// The grants of [registry.OAuth].
const (
	AuthorizationCode = "authorization_code"
	ClientCredentials = "client_credentials"
	PasswordGrant     = "password" // oauth2_password: with the auth values username and password
)

func checkOAuth(o *registry.OAuth, auth map[string]string) error {
	if o == nil {
		return nil
	}
	var problems []error
	if o.Client != "" {
		return checkClient(*o)
	}
	invalid := func(field, message, hint string) {
		problems = append(problems, &failure.Error{Code: failure.Invalid, Field: "oauth." + field, Message: message, Hint: hint})
	}
	if o.Grant != AuthorizationCode && o.Grant != ClientCredentials && o.Grant != PasswordGrant {
		invalid("grant", fmt.Sprintf("unknown grant %q", o.Grant), "Choose authorization_code, client_credentials or password.")
	}
	if o.Grant == PasswordGrant && (auth[grantUsername] == "" || auth[grantPassword] == "") {
		invalid("grant", "the user name or the password is missing, with which a token is asked for", "Give them as the auth values username and password. The bridge is sent the token only.")
	}
	if o.ClientID == "" {
		invalid("client_id", "the client id is missing", "The provider gave it when the hub was registered there.")
	}
	if o.Grant == ClientCredentials && auth[clientSecret] == "" {
		invalid("client_secret", "the client secret is missing", "Give it as the auth value client_secret.")
	}
	problems = append(problems, checkURL("token_url", o.TokenURL, nil))
	if o.Grant == AuthorizationCode {
		problems = append(problems, checkURL("authorize_url", o.AuthorizeURL, nil))
	}
	return errors.Join(problems...)
}

// owner is the name under which an integration's sealed secrets are kept.
func owner(key directory.Key) string { return registry.Owner(key) }

// A grant gets access tokens for an integration, or for a draft of one.
type grant struct {
	hub         *Hub
	integration registry.Integration
	oauth       *registry.OAuth   // with everything that the operator's client and the kind of the source say
	service     string            // what people call the external service; empty: not known
	given       map[string]string // auth values
	secret      string
	style       oauth2.AuthStyle
	owner       string // of the tokens
	kept        bool   // tokens are kept; not those of a draft without a sign-in
}

// newGrant returns how an integration gets its access tokens. A draft has those of its sign-in.
func (h *Hub) newGrant(ctx context.Context, i registry.Integration, given map[string]string, kept bool) (*grant, error) {
	g := &grant{hub: h, integration: i, oauth: i.OAuth, given: given, secret: given[clientSecret], owner: owner(i.Key), kept: kept}
	if i.OAuth.Client == "" {
		return g, nil
	}
	how, client, err := h.signInOf(insideSource(i, given), i.OAuth.Client)
	if err != nil {
		return nil, err
	}
	g.use(i.OAuth.Client, how, client)
	if ref := given[registry.GrantValue]; ref != "" {
		if err := h.mayUseGrant(ctx, ref, i.Account, i.OAuth.Client, how); err != nil {
			return nil, err
		}
		g.owner, g.kept = registry.PendingOwner(ref), true
	}
	return g, nil
}

// use takes over what the operator's client and the kind of a source say.
func (g *grant) use(name string, how SignIn, client OAuthClient) {
	g.oauth = &registry.OAuth{
		Grant: AuthorizationCode, Client: name, AuthorizeURL: how.AuthorizeURL, TokenURL: how.TokenURL, ClientID: client.ClientID, Scopes: how.Scopes, Params: how.Params,
	}
	g.secret, g.service, g.style = client.ClientSecret, how.Title, oauth2.AuthStyleInParams
	if how.InBasic {
		g.style = oauth2.AuthStyleInHeader
	}
}

// field is the auth field that carries the token.
func (g *grant) field() string { return tokenField(g.oauth) }

func tokenField(o *registry.OAuth) string { return cmp.Or(o.Field, TokenValue) }

func (g *grant) config(redirect string) *oauth2.Config {
	o := g.oauth
	return &oauth2.Config{
		ClientID: o.ClientID, ClientSecret: g.secret, Scopes: o.Scopes, RedirectURL: redirect,
		Endpoint: oauth2.Endpoint{AuthURL: o.AuthorizeURL, TokenURL: o.TokenURL, AuthStyle: g.style},
	}
}

// outbound makes the token endpoint be asked as everything else is.
func (g *grant) outbound(ctx context.Context) context.Context {
	client := &http.Client{
		Transport: g.hub.Outbound, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return context.WithValue(ctx, oauth2.HTTPClient, client)
}

// current is the token to ask with: the one that is kept, or a new one where it is known to have expired.
func (g *grant) current(ctx context.Context) (string, error) {
	token, err := g.load(ctx)
	if err != nil {
		return "", err
	}
	if token.AccessToken != "" && (token.Expiry.IsZero() || token.Expiry.After(g.hub.now().Add(10*time.Second))) {
		return token.AccessToken, nil
	}
	return g.renewed(ctx, token.AccessToken)
}

// renewed is a token other than the one that was refused. Several that need one at once wait for the same, unless the integration
// was changed between them: the token may not go where the others send it. A draft, which may have a kept integration's name, gets
// one of its own.
func (g *grant) renewed(ctx context.Context, refused string) (string, error) {
	if !g.kept {
		return g.renew(ctx, refused)
	}
	result := g.hub.refreshes.DoChan(fmt.Sprintf("%s@%d", g.owner, g.integration.Version), func() (any, error) {
		// A waiting caller may give up; the token is for the others as well.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTime)
		defer cancel()
		return g.renew(ctx, refused)
	})
	select {
	case r := <-result:
		if r.Err != nil {
			return "", r.Err
		}
		return r.Val.(string), nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// refreshTime is how long getting a token may take, with the wait for another process that gets one.
const refreshTime = 45 * time.Second

// renew asks for a new token, unless another process has got one already. Of all processes one asks at a time: a provider may
// take a refresh token that is used twice for a stolen one. That the token can be saved is known before the old one is used up:
// the right to ask was written to the same database.
func (g *grant) renew(ctx context.Context, refused string) (string, error) {
	if g.kept {
		name, holder := "refresh:"+g.owner, random(12)
		token, err := g.alone(ctx, name, holder, refused)
		if err != nil || token != "" {
			return token, err
		}
		defer func() {
			ctx, cancel := lasting(ctx)
			defer cancel()
			if err := g.hub.Registry.Free(ctx, name, holder); err != nil {
				g.hub.log().Warn("could not let other processes refresh a token; they wait a little", "error", err)
			}
		}()
	}
	token, err := g.load(ctx)
	if err != nil {
		return "", err
	}
	if token.AccessToken != "" && token.AccessToken != refused {
		return token.AccessToken, nil
	}
	fetched, err := g.fetch(ctx, token)
	if err != nil {
		return "", g.explain(err)
	}
	g.keep(ctx, fetched, token.AccessToken)
	return fetched.AccessToken, nil
}

// alone waits until no other process is getting a token, or returns the one that another got.
func (g *grant) alone(ctx context.Context, name, holder, refused string) (token string, err error) {
	for {
		mine, err := g.hub.Registry.Hold(ctx, name, holder, refreshTime)
		if err != nil || mine {
			return "", err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		now, err := g.load(ctx)
		if err != nil {
			return "", err
		}
		if now.AccessToken != "" && now.AccessToken != refused {
			return now.AccessToken, nil
		}
	}
}

// keep saves a token that a provider gave. Where that fails, the old one may be used up: the token is kept in memory, works from
// there, and is saved as soon as that can be done.
func (g *grant) keep(ctx context.Context, token *oauth2.Token, old string) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	err := g.save(ctx, token)
	for attempt := 1; err != nil && attempt < 4 && ctx.Err() == nil; attempt++ {
		time.Sleep(time.Duration(attempt) * 200 * time.Millisecond)
		err = g.save(ctx, token)
	}
	if err == nil || !g.kept {
		return
	}
	g.hub.unsaved.Store(g.owner, &unsaved{g.keptToken(token), old})
	g.hub.log().Error("an OAuth token cannot be saved: it is lost if the hub ends before it can", "account", g.integration.Account,
		"integration", g.integration.Key.Integration, "error", err)
}

func (g *grant) fetch(ctx context.Context, old *oauth2.Token) (*oauth2.Token, error) {
	o := g.oauth
	ctx = g.outbound(ctx)
	if o.Grant == ClientCredentials {
		c := clientcredentials.Config{ClientID: o.ClientID, ClientSecret: g.secret, TokenURL: o.TokenURL, Scopes: o.Scopes, EndpointParams: values(o.Params)}
		return c.Token(ctx)
	}
	if o.Grant == PasswordGrant {
		return g.signIn(ctx, old)
	}
	if old.RefreshToken == "" {
		return nil, errNotLetIn
	}
	// Without an access token the source has to ask for one.
	return g.config("").TokenSource(ctx, &oauth2.Token{RefreshToken: old.RefreshToken}).Token()
}

// signIn gets a token by the password grant: with the refresh token, if there is one that is still good, or with user name and password.
func (g *grant) signIn(ctx context.Context, old *oauth2.Token) (*oauth2.Token, error) {
	if old.RefreshToken != "" {
		token, err := g.config("").TokenSource(ctx, &oauth2.Token{RefreshToken: old.RefreshToken}).Token()
		refused, ok := errors.AsType[*oauth2.RetrieveError](err)
		if err == nil || !ok || refused.Response == nil || refused.Response.StatusCode >= http.StatusInternalServerError || refused.Response.StatusCode == http.StatusTooManyRequests {
			return token, err
		}
	}
	return g.config("").PasswordCredentialsToken(ctx, g.given[grantUsername], g.given[grantPassword])
}

// otherOwner reports whether tokens of the password grant are another user's after a change of the values with which it signs in.
func otherOwner(i registry.Integration, was, is map[string]string) bool {
	return i.OAuth != nil && i.OAuth.Grant == PasswordGrant && (was[grantUsername] != is[grantUsername] || was[grantPassword] != is[grantPassword])
}

func values(params map[string]string) url.Values {
	v := url.Values{}
	for name, value := range params {
		v.Set(name, value)
	}
	return v
}

// plainCode is an error code as RFC 6749 has them. Anything else that stands in its place is a provider's own words.
var plainCode = regexp.MustCompile(`^[a-z]+(_[a-z]+){0,4}$`)

var errNotLetIn = errors.New("the integration is not connected yet")

// explain says what to do where no token is to be had. The provider's own words may hold a token, so only its code is shown.
func (g *grant) explain(err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	address, mayNotAsk := errors.AsType[*outbound.Refused](err)
	switch {
	case errors.Is(err, errNotLetIn) && g.service != "":
		return &bridge.Error{Code: bridge.CodeUnauthorized, Message: "nobody has signed in at " + g.service + " yet", Hint: g.mend()}
	case errors.Is(err, errNotLetIn):
		return &bridge.Error{
			Code: bridge.CodeUnauthorized, Message: "the integration is not connected at the provider yet",
			Hint: "Connect it: in the console, or with  contactbridge hub integration connect " + g.integration.Key.Integration,
		}
	case !ok && mayNotAsk:
		return address
	case !ok:
		return &bridge.Error{Code: bridge.CodeUnreachable, Message: "the token endpoint does not answer", Hint: "Check token_url and the network.", Err: err}
	case refused.Response != nil && (refused.Response.StatusCode >= 500 || refused.Response.StatusCode == http.StatusTooManyRequests):
		return &bridge.Error{Code: bridge.CodeSourceUnavailable, Status: refused.Response.StatusCode, Message: "the token endpoint is out of order: " + refused.Response.Status, Hint: "It is asked again."}
	}
	reason := "no reason given"
	if plainCode.MatchString(refused.ErrorCode) {
		reason = refused.ErrorCode
	}
	e := &bridge.Error{Code: bridge.CodeUnauthorized, Message: "the token endpoint refuses the hub: " + reason, Hint: g.mend()}
	switch {
	case g.service != "" && (reason == "invalid_client" || reason == "unauthorized_client"):
		e.Message, e.Hint = g.service+" does not take the hub's client: "+reason, "Have the operator correct oauth_clients."+g.oauth.Client+" in the hub's configuration."
	case g.service != "":
		e.Message = g.service + " does not take the sign-in any more: it was revoked, has expired, or was used elsewhere (" + reason + ")"
	}
	if refused.Response != nil && refused.Response.StatusCode == http.StatusForbidden && refused.ErrorCode == "" {
		e.Status = http.StatusForbidden // a firewall's, maybe
	}
	return e
}

// mend returns what to do if the provider refuses.
func (g *grant) mend() string {
	if g.oauth.Grant == ClientCredentials {
		return "Correct client_id and the auth value client_secret, then test the integration."
	}
	if g.oauth.Grant == PasswordGrant {
		return "Correct the auth values username and password, or client_id and client_secret, then test the integration."
	}
	if g.service != "" {
		return "Sign in again: in the console, or with  contactbridge hub integration connect " + g.integration.Key.Integration
	}
	return "Connect the integration again: in the console, or with  contactbridge hub integration connect " + g.integration.Key.Integration +
		" . If that fails, check client_id and client_secret."
}

// A keptToken is a token with where it may go: an integration that was changed while it was got has no use for it.
type keptToken struct {
	*oauth2.Token
	For []string `json:"for,omitempty"` // scheme, host and port of all the addresses that the integration sends something to
}

func (g *grant) keptToken(token *oauth2.Token) keptToken {
	if token.ExpiresIn > 0 && token.Expiry.IsZero() {
		token.Expiry = g.hub.now().Add(time.Duration(token.ExpiresIn) * time.Second)
	}
	k := keptToken{Token: token}
	for _, place := range destinations(g.integration, g.given, everywhere(g.integration)) {
		k.For = append(k.For, place.String())
	}
	return k
}

// mayUse reports whether a token may go where the integration sends it now.
func (g *grant) mayUse(k keptToken) bool {
	if len(k.For) == 0 {
		return true // an earlier release kept it
	}
	var known []*url.URL
	for _, place := range k.For {
		if u, err := url.Parse(place); err == nil {
			known = append(known, u)
		}
	}
	return newAmong(known, destinations(g.integration, g.given, everywhere(g.integration))) == ""
}

// An unsaved token is one that could not be saved yet, and the one that it was got in place of.
type unsaved struct {
	keptToken
	old string // access token
}

// load returns the token that is kept, or an empty one.
func (g *grant) load(ctx context.Context) (*oauth2.Token, error) {
	if !g.kept {
		return &oauth2.Token{}, nil
	}
	text, err := g.hub.Registry.Secret(ctx, g.owner, registry.OAuthTokens)
	if err != nil {
		return nil, err
	}
	k := keptToken{Token: &oauth2.Token{}}
	if text != nil {
		if err := json.Unmarshal(text, &k); err != nil {
			return nil, fmt.Errorf("read the kept token: %w", err)
		}
	}
	if u, there := g.hub.unsaved.Load(g.owner); there {
		late := u.(*unsaved)
		if late.old == k.AccessToken { // the token has not been replaced since
			k = late.keptToken
			err = g.store(ctx, k)
		}
		if err == nil {
			g.hub.unsaved.CompareAndDelete(g.owner, u)
		}
	}
	if !g.mayUse(k) {
		return &oauth2.Token{}, nil
	}
	return k.Token, nil
}

func (g *grant) save(ctx context.Context, token *oauth2.Token) error {
	if !g.kept {
		return nil
	}
	return g.store(ctx, g.keptToken(token))
}

func (g *grant) store(ctx context.Context, k keptToken) error {
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return g.hub.Registry.SetSecret(ctx, g.owner, registry.OAuthTokens, text)
}
