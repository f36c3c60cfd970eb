package hub

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/outbound"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// A line is the connection to one integration's bridge. Where the bridge refuses an access token, it gets a new one and asks
// again, once for each request (P13).
type line struct {
	client *bridge.Client
	oauth  *grant // nil: none
}

var _ synchronizer.Bridge = (*line)(nil)

// Values among an integration's auth values that are not for its bridge: the client's secret, and those by which the password grant
// signs in.
const (
	clientSecret  = "client_secret"
	grantUsername = "username"
	grantPassword = "password"
)

// tokenOnly names the auth values that only the token endpoint is sent.
func tokenOnly(i registry.Integration) []string {
	switch {
	case i.OAuth == nil:
		return nil
	case i.OAuth.Grant == PasswordGrant:
		return []string{clientSecret, grantUsername, grantPassword}
	}
	return []string{clientSecret}
}

// dial makes the line to an integration's bridge, with the auth values that were given for it. It asks nothing yet, except for a
// first access token; kept says that new tokens are kept.
func (h *Hub) dial(ctx context.Context, i registry.Integration, given map[string]string, kept bool) (*line, error) {
	values, err := authValues(i, given)
	if err != nil {
		return nil, err
	}
	for _, name := range tokenOnly(i) {
		delete(values, name)
	}
	if i.Source != "" {
		return h.dialOn(ctx, i, given, kept, h.insideClient(i, given, values))
	}
	address, err := fill(i.Bridge, values)
	if err != nil {
		return nil, &failure.Error{Code: failure.Invalid, Field: "bridge", Message: "the bridge URL " + err.Error(), Hint: "Give that auth field a value, or correct its name in the URL."}
	}
	return h.dialOn(ctx, i, given, kept, h.client(i, address, values))
}

// dialOn completes a line with an access token, if one is needed.
func (h *Hub) dialOn(ctx context.Context, i registry.Integration, given map[string]string, kept bool, client *bridge.Client) (*line, error) {
	l := &line{client: client}
	if i.OAuth == nil {
		return l, nil
	}
	var err error
	if l.oauth, err = h.newGrant(ctx, i, given, kept); err != nil {
		return nil, err
	}
	token, err := l.oauth.current(ctx)
	if err != nil {
		return nil, err
	}
	l.client = l.with(token)
	return l, nil
}

func (h *Hub) client(i registry.Integration, address string, values map[string]string) *bridge.Client {
	limits := h.limitsOf(i)
	return &bridge.Client{
		URL: address, Auth: values, MaxBody: limits.PageBytes, Timeout: limits.Timeout, UserAgent: "contactbridge-hub",
		HTTP: &http.Client{Transport: outbound.Hastening(h.Outbound)}, Budget: h.Answers,
	}
}

// The addresses of a source inside the hub: its transport carries requests whatever their host.
const (
	insideSync   = "http://source.invalid/source/contact_sync"
	insideAgents = "http://source.invalid/source/agent_sync"
)

// insideClient is the client of a source inside the hub.
func (h *Hub) insideClient(i registry.Integration, given, values map[string]string) *bridge.Client {
	c := h.client(i, insideSync, values)
	c.HTTP, c.Inside = &http.Client{Transport: h.Inside.Transport(insideSource(i, given))}, true
	return c
}

// with is the client with another access token.
func (l *line) with(token string) *bridge.Client {
	auth := bridge.Auth{}
	for name, value := range l.client.Auth {
		auth[name] = value
	}
	auth[l.oauth.field()] = token
	c := l.client
	return &bridge.Client{URL: c.URL, Auth: auth, MaxBody: c.MaxBody, Timeout: c.Timeout, UserAgent: c.UserAgent, HTTP: c.HTTP, Budget: c.Budget, Inside: c.Inside}
}

// Page asks for one page. An address that may not be asked is an [*outbound.Refused]: asking again does not help.
func (l *line) Page(ctx context.Context, q bridge.PageRequest) (*bridge.Page, error) {
	page, err := l.client.Page(ctx, q)
	if l.refused(err) {
		if err := l.renew(ctx); err != nil {
			return nil, err
		}
		page, err = l.client.Page(ctx, q)
	}
	return page, explain(err)
}

// explain returns a bridge's error with what to do in the hub. The bridge's own hint is for the bridge's operator.
func explain(err error) error {
	if address, ok := errors.AsType[*outbound.Refused](err); ok {
		return address
	}
	if failure.Of(err).Code == bridge.CodeUnauthorized {
		return failure.WithHint(err, "Correct the integration's auth values, then test it.")
	}
	return err
}

// validate asks the auth_validation endpoint.
func (l *line) validate(ctx context.Context, address string) (bridge.Auth, error) {
	more, err := l.client.Validate(ctx, address)
	if l.refused(err) {
		if err := l.renew(ctx); err != nil {
			return nil, err
		}
		more, err = l.client.Validate(ctx, address)
	}
	return more, explain(err)
}

func (l *line) refused(err error) bool {
	return l.oauth != nil && err != nil && bridge.CodeOf(err) == bridge.CodeUnauthorized
}

// renew gets a new access token in place of the one that was refused.
func (l *line) renew(ctx context.Context) error {
	token, err := l.oauth.renewed(ctx, l.client.Auth[l.oauth.field()])
	if err != nil {
		return err
	}
	l.client = l.with(token)
	return nil
}

// Test tries an integration's credentials: its auth validation endpoint, if it has one, which may answer 200 with values that are
// kept (P13); or else the first page. What is wrong with the bridge is the result's Problem, not an error.
func (h *Hub) Test(ctx context.Context, key directory.Key) (TestResult, error) {
	if err := permitAny(ctx, key.Account, registry.ScopeControl, registry.ScopeWrite); err != nil {
		return TestResult{}, err
	}
	i, given, err := h.configured(ctx, key)
	if err != nil {
		return TestResult{}, err
	}
	result, more, err := h.try(ctx, i, given, true)
	if err != nil {
		return result, err
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	if len(more) > 0 {
		// They are for the bridge and the credentials that were tried.
		if err := h.Registry.LearnAuth(ctx, key, more, i.Version); errors.Is(err, registry.ErrChanged) {
			return result, &failure.Error{Code: failure.Conflict, Message: "the integration " + key.Integration + " was changed while it was tried", Hint: "Try it again."}
		} else if err != nil {
			return result, err
		}
	}
	if result.OK && i.Status.Health == registry.HealthBroken {
		if err := h.Registry.Ask(ctx, key, registry.Ask{Run: true}); err != nil { // it is mended
			return result, err
		}
		h.wake()
	}
	return result, h.Note(ctx, "integration.test", key.Account, key.Integration, result.outcome())
}

func (r TestResult) outcome() string {
	if r.OK {
		return "good"
	}
	return r.Problem.Code
}

// TestDraft is Test for an integration that is not kept yet; nothing is stored.
func (h *Hub) TestDraft(ctx context.Context, i registry.Integration, auth map[string]string) (TestResult, error) {
	if err := permit(ctx, registry.ScopeWrite, i.Account); err != nil {
		return TestResult{}, err
	}
	if i.Key.Integration == "" {
		i.Key.Integration = "draft"
	}
	if err := h.CheckIntegration(ctx, i, auth); err != nil {
		return TestResult{}, err
	}
	result, _, err := h.try(ctx, i, auth, false)
	return result, err
}

const sampleSize = 5 // contacts that a test shows

// try asks the bridge, and returns the auth values that it gave. It takes a place as a run does.
func (h *Hub) try(ctx context.Context, i registry.Integration, given map[string]string, kept bool) (r TestResult, more map[string]string, err error) {
	host := hostOf(i.Bridge)
	if i.Source != "" {
		host = registry.Owner(i.Key)
	}
	if values, err := authValues(i, given); err == nil && i.Source == "" {
		if filled, err := fill(i.Bridge, values); err == nil {
			host = hostOf(filled)
		}
	}
	if err := h.enterTest(ctx, i.Account, host); err != nil {
		return r, nil, err
	}
	defer h.slots.leave(i.Account, host, true)
	began := h.now()
	more, err = h.ask(ctx, i, given, kept, &r)
	r.Inside = i.Source != ""
	r.OK, r.Seconds = err == nil, h.now().Sub(began).Seconds()
	if err != nil {
		r.Problem = problemOf(err, h.now())
	}
	for name := range more {
		r.Stored = append(r.Stored, name)
	}
	slices.Sort(r.Stored)
	return r, more, nil
}

func (h *Hub) ask(ctx context.Context, i registry.Integration, given map[string]string, kept bool, r *TestResult) (map[string]string, error) {
	r.Checked = "first page"
	validates := i.Validation != "" && missingInput(i, given) == nil // values that are not kept may be needed for that
	if validates {
		r.Checked = "auth_validation"
	}
	l, err := h.dial(ctx, i, given, kept)
	if err != nil {
		return nil, err
	}
	if validates {
		address, err := fill(i.Validation, l.client.Auth)
		if err != nil {
			return nil, err
		}
		return l.validate(ctx, address)
	}
	page, err := l.Page(ctx, bridge.PageRequest{})
	if err != nil {
		return nil, err
	}
	if page.Release != nil {
		defer page.Release()
	}
	r.Contacts, r.Sample = len(page.Contacts), slices.Clone(page.Contacts[:min(len(page.Contacts), sampleSize)])
	return nil, nil
}
