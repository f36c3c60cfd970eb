// Package api is the hub's HTTP API: OpenAPI 3.1 at /api/v1/openapi.json, everything else with a token. It decides nothing:
// package hub does. It reads requests strictly, and answers errors in one shape.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/guesses"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

// Options say what the API works on.
type Options struct {
	Hub     *hub.Hub
	Logger  *slog.Logger     // nil logs nothing
	Clock   func() time.Time // nil means time.Now
	Proxies listener.Proxies // their word is taken for the address that wrong tokens are counted by
	// Looked is told of every lookup of a caller: "match", "none", "withheld", "late" or "error", in which account, and what became of
	// the call ([hub.Recognized]), both empty where there was no answer; nil: not told.
	Looked func(result, account, recognized string)
	// Stopping ends event streams when it is closed, so that a server can end; nil: never.
	Stopping <-chan struct{}
	// Heartbeat is how often an event stream that has nothing to tell shows a sign of life; 0 means 15 s.
	Heartbeat time.Duration
	// CallerIDWithin is the time that telephony waits for a name; 0 means 45 ms: it is out within 50.
	CallerIDWithin time.Duration
}

// An API answers /api/v1/ and, by [API.CallerID], /callerid.
type API struct {
	hub          *hub.Hub
	logger       *slog.Logger
	clock        func() time.Time
	proxies      listener.Proxies
	count        func(result, account, recognized string)
	stopping     <-chan struct{}
	heartbeat    time.Duration
	callerIDTime time.Duration
	guesses      *guesses.Limiter

	mux      *http.ServeMux
	huma     huma.API
	json     []byte
	yaml     func() []byte
	callerID http.Handler
}

// New makes an API.
func New(o Options) *API {
	a := &API{
		hub: o.Hub, logger: o.Logger, clock: o.Clock, proxies: o.Proxies, count: o.Looked,
		stopping: o.Stopping, heartbeat: o.Heartbeat, callerIDTime: o.CallerIDWithin, mux: http.NewServeMux(),
	}
	if a.logger == nil {
		a.logger = slog.New(slog.DiscardHandler)
	}
	if a.clock == nil {
		a.clock = time.Now
	}
	if a.count == nil {
		a.count = func(string, string, string) {}
	}
	if a.heartbeat <= 0 {
		a.heartbeat = 15 * time.Second
	}
	if a.callerIDTime <= 0 {
		a.callerIDTime = 45 * time.Millisecond
	}
	a.guesses = guesses.New(a.clock)
	a.huma = humago.New(a.mux, a.config())
	a.routes()
	a.finishDocument()
	return a
}

// Hooks answers /hooks/{account}/{integration}.
func (a *API) Hooks() http.Handler { return http.HandlerFunc(a.hook) }

// routes gives every path its handler.
func (a *API) routes() {
	a.routeCallers()
	a.routeContacts()
	a.routePhonebooks()
	a.routeIntegrations()
	a.routeControl()
	a.routeAccounts()
	a.routeTokens()
	a.routeWebhooks()
	a.routeEvents()
	a.routeFiles()
	a.routeDrafts()
	a.routeOverview()
	a.mux.HandleFunc("GET /api/v1/openapi.json", serveBytes("application/openapi+json", func() []byte { return a.json }))
	a.mux.HandleFunc("GET /api/v1/openapi.yaml", serveBytes("application/openapi+yaml", func() []byte { return a.yaml() }))
	a.mux.HandleFunc("/api/", a.nothingHere)
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Cache-Control"] = noStore
	header["X-Content-Type-Options"] = noSniff
	header["Content-Disposition"] = asFile // a browser that is led here shows nothing of it
	if number, is := callerPath(r); is {
		exchange.Of(r.Context()).Route = lookUpCallerPath
		a.lookUpCallerBy(w, r, number)
		return
	}
	a.mux.ServeHTTP(w, r)
	if _, path, found := strings.Cut(r.Pattern, " "); found {
		exchange.Of(r.Context()).Route = path
	}
}

// Header values that every answer shares.
var (
	noStore = []string{"no-store"}
	noSniff = []string{"nosniff"}
	asFile  = []string{`attachment; filename="api.json"`}
)

// CallerID answers GET /callerid.
func (a *API) CallerID() http.Handler { return a.callerID }

// Document is the OpenAPI document, as JSON that people can read.
func (a *API) Document() []byte {
	var b bytes.Buffer
	_ = json.Indent(&b, a.json, "", "  ") // it is valid JSON
	return append(b.Bytes(), '\n')
}

func serveBytes(contentType string, body func() []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body())
	}
}

var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// nothingHere answers paths that do not exist, or not with this method.
func (a *API) nothingHere(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range methods {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := a.mux.Handler(probe); pattern != "/api/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		newProblem("method_not_allowed", "This path does not take "+r.Method+".", "It takes "+strings.Join(allowed, ", ")+".").Write(w, r)
		return
	}
	newProblem("not_found", "There is nothing at this path.", "GET /api/v1/openapi.json lists what there is.").Write(w, r)
}

// An operation is one path and method.
type operation struct {
	id, method, path string
	summary, details string
	tag              string
	scopes           []registry.Scope // any of them lets in
	account          accountRule
	status           int                        // where all is well; 0: 200, or 204 without a body
	body             *huma.RequestBody          // of a request that is not JSON; nil: what the handler's input says
	answers          map[string]*huma.MediaType // what 200 holds, by content type; nil: what the handler returns
}

const maxBody = 1 << 20 // bytes

// Who may do or change something of an integration may look at it.
var lookers = []registry.Scope{registry.ScopeRead, registry.ScopeControl, registry.ScopeWrite}

// only is one scope.
func only(s registry.Scope) []registry.Scope { return []registry.Scope{s} }

// security says in the document which scopes let in by a way to send the token.
func (o operation) security(way string) (ways []map[string][]string) {
	for _, s := range o.scopes {
		ways = append(ways, map[string][]string{way: {string(s)}})
	}
	return ways
}

// scopeNames are the scopes as text.
func scopeNames(scopes []registry.Scope) string {
	names := make([]string, 0, len(scopes))
	for _, s := range scopes {
		names = append(names, string(s))
	}
	return strings.Join(names, " or ")
}

// describe returns the document's description of the operation.
func (o operation) describe() huma.Operation {
	responses := map[string]*huma.Response{"default": {Ref: "#/components/responses/Error"}}
	if o.answers != nil {
		responses["200"] = &huma.Response{Description: "OK", Content: o.answers}
	}
	return huma.Operation{
		OperationID: o.id, Method: o.method, Path: o.path, Summary: o.summary, Tags: []string{o.tag},
		Description:   strings.TrimSpace(o.details + "\n\nScope: " + scopeNames(o.scopes) + "."),
		DefaultStatus: o.status, RequestBody: o.body, MaxBodyBytes: maxBody + 1, // the framework refuses what is as long as this
		Security:  o.security("token"),
		Responses: responses,
	}
}

type accountKey struct{}

// accountOf is the account that a request is about; empty: all that the actor may see.
func accountOf(ctx context.Context) string {
	account, _ := ctx.Value(accountKey{}).(string)
	return account
}

// register adds an operation; its handler is told who asks, and the account.
func register[I, O any](a *API, o operation, handler func(ctx context.Context, in *I) (*O, error)) {
	described := o.describe()
	described.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		actor, account, p := a.enter(r, bearer(r), o.scopes, o.account)
		if p != nil {
			p.Write(w, r)
			return
		}
		inner := context.WithValue(hub.WithActor(r.Context(), actor), accountKey{}, account)
		next(huma.WithContext(ctx, inner))
	}}
	huma.Register(a.huma, described, func(ctx context.Context, in *I) (*O, error) {
		// The framework's time limit is for reading the body, which has been read.
		if w := exchange.Of(ctx).ResponseWriter; w != nil {
			_ = huma.SetReadDeadline(w, time.Time{})
		}
		out, err := handler(ctx, in)
		if err != nil {
			return nil, problemOf(ctx, err)
		}
		return out, nil
	})
}

// InAccount is the parameter of operations that are about an account.
type InAccount struct {
	Account string `query:"account" maxLength:"64" doc:"The account. Needed only by tokens that are for several."`
}

// An answer carries a body.
type answer[T any] struct{ Body T }

func answered[T any](body T) *answer[T] { return &answer[T]{Body: body} }

// nothing is an answer without a body.
type nothing struct{}
