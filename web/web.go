// Package web is everything that a hub answers over HTTP: its API, caller identification for telephone systems, health and
// metrics, and the console.
package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/internal/telemetry"
	"github.com/contactbridge/contactbridge/web/api"
	"github.com/contactbridge/contactbridge/web/carddav"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
	"github.com/contactbridge/contactbridge/web/phonebooks"
)

// HandlerOptions say what is served. Only Hub is needed.
type HandlerOptions struct {
	Hub     *hub.Hub
	Logger  *slog.Logger // the access log; nil logs nothing
	Version string       // of the program, for the metrics
	Console http.Handler // everything that nothing else answers; nil: a line of text that says where the API is
	Clock   func() time.Time
	Proxies listener.Proxies // their word is taken for the address that wrong tokens are counted by
	// Secure says that the hub is reached by HTTPS only: browsers are told to ask it no other way.
	Secure bool
	// IntegrationPage is the console's page of an integration, where a browser goes after OAuth; nil: the console's start.
	IntegrationPage func(directory.Key) string
	// Collectors are more metrics to show.
	Collectors []prometheus.Collector
	// Metrics says who may read /metrics: "local", the default, is this machine and administrators' tokens, "token" only these,
	// "off" closes it.
	Metrics string
	// MostSeries bounds how many integrations have metrics of their own: those that fare worst come first; 0 means 10,000.
	MostSeries int
	// Stopping ends event streams when it is closed, so that a server can end; nil: never.
	Stopping  <-chan struct{}
	PublicURL string // where telephones reach the hub; empty: where their request went
	// CallerIDWithin is the time that /callerid has for an answer; 0 means 45 ms.
	CallerIDWithin time.Duration
}

// Handler answers everything that a hub is asked over HTTP.
func Handler(o HandlerOptions) http.Handler {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Console == nil {
		o.Console = http.HandlerFunc(pointer)
	}
	m := newMetrics(o)
	s := &site{
		options: o, metrics: m,
		api: api.New(api.Options{
			Hub: o.Hub, Logger: o.Logger, Clock: o.Clock, Proxies: o.Proxies, Looked: m.looked, Stopping: o.Stopping,
			CallerIDWithin: o.CallerIDWithin,
		}),
		phonebooks: phonebooks.New(phonebooks.Options{Books: o.Hub.Books(), Logger: o.Logger, Clock: o.Clock, Proxies: o.Proxies, PublicURL: o.PublicURL}),
		carddav:    carddav.New(carddav.Options{Books: o.Hub.Books(), Logger: o.Logger, Clock: o.Clock, Proxies: o.Proxies}),
	}
	recorder := &exchange.Recorder{
		Next: http.HandlerFunc(s.serve), Logger: o.Logger, Observe: m.observe,
		Quiet: map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true},
	}
	return telemetry.Handler(recorder)
}

// A site holds the pages and endpoints of one handler.
type site struct {
	options HandlerOptions
	api     *api.API

	phonebooks *phonebooks.Handler
	carddav    *carddav.Handler
	metrics    *metrics
}

// serve finds who answers a path. The API's own mux sees paths as they were sent: ids may hold encoded slashes.
func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	x := exchange.Of(r.Context())
	s.setHeaders(w.Header())
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/api/"):
		x.Route = "/api/"
		s.api.ServeHTTP(w, r)
	case isCallerID(path): // no telephone system is to be sent on to a page for people
		x.Route = "/callerid"
		s.api.CallerID().ServeHTTP(w, r)
	case strings.HasPrefix(path, "/hooks/"): // with a token in it, perhaps
		x.Route = "/hooks/"
		s.api.Hooks().ServeHTTP(w, r)
	case carddav.Serves(path):
		x.Route = carddav.Prefix
		s.carddav.ServeHTTP(w, r)
	case strings.HasPrefix(path, phonebooks.Prefix):
		x.Route = phonebooks.Prefix
		s.phonebooks.ServeHTTP(w, r)
	case path == "/healthz":
		x.Route = path
		readOnly(alive)(w, r)
	case path == "/readyz":
		x.Route = path
		readOnly(s.ready)(w, r)
	case path == "/metrics":
		x.Route = path
		readOnly(s.serveMetrics)(w, r)
	case path == "/oauth/callback":
		x.Route = path
		readOnly(s.oauthCallback)(w, r)
	default:
		x.Route = "console"
		s.options.Console.ServeHTTP(w, r)
	}
	telemetry.Named(r.Context(), x.Method, x.Route)
}

// isCallerID reports whether a path is /callerid's, however it is written, or below it: what follows is not a page of anyone's, and
// what stands in its query must not be sent on.
func isCallerID(path string) bool {
	first, _, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
	first, _, _ = strings.Cut(first, ";")
	return strings.EqualFold(strings.TrimSpace(first), "callerid")
}

// Header values of every answer. Nothing but the console is made to be shown by a browser; the console says what its own pages
// may do.
var (
	noSniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	noPage     = []string{"default-src 'none'; frame-ancestors 'none'"}
	noFrame    = []string{"DENY"}
	httpsOnly  = []string{"max-age=31536000"}
)

func (s *site) setHeaders(h http.Header) {
	h["X-Content-Type-Options"] = noSniff
	h["Referrer-Policy"] = noReferrer
	h["Content-Security-Policy"] = noPage
	h["X-Frame-Options"] = noFrame
	if s.options.Secure {
		h["Strict-Transport-Security"] = httpsOnly
	}
}

// pointer says where to go in a hub without a console.
func pointer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		exchange.WriteError(w, r, http.StatusNotFound, failure.Error{
			Code: "not_found", Message: "There is nothing at this path.", Hint: "GET /api/v1/openapi.json lists what there is.",
		})
		return
	}
	plain(w, http.StatusOK, "This is a contactbridge hub. Its API is described at /api/v1/openapi.json\n")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // a caller that has gone has no use for it
}

// readOnly lets in only who wants to read.
func readOnly(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			exchange.WriteError(w, r, http.StatusMethodNotAllowed, failure.Error{
				Code: "method_not_allowed", Message: "This path is only read.", Hint: "Send a GET request.",
			})
			return
		}
		next(w, r)
	}
}

// alive says that the process answers.
func alive(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") }

// readyTime is how long the databases have: who asks whether to send requests here does not wait for long itself.
const readyTime = 2 * time.Second

// ready says whether the databases answer too. Why they do not stands in the log: this path is open.
func (s *site) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	answered := make(chan error, 1)
	go func() { answered <- s.options.Hub.Ready(ctx) }() // a database may not listen when it is told to stop
	var err error
	select {
	case err = <-answered:
	case <-ctx.Done():
		err = fmt.Errorf("ask the databases: %w", ctx.Err())
	}
	if err != nil {
		exchange.Of(r.Context()).Err = err
		why := "a database does not answer"
		if s.options.Hub.Writable() != nil {
			why = "the hub's database cannot be written; is its disk full?"
		}
		plain(w, http.StatusServiceUnavailable, "not ready: "+why+"; the hub's log says more\n")
		return
	}
	plain(w, http.StatusOK, "ok\n")
}

// serveMetrics shows the metrics to this machine, and to others with a token of an administrator: they name every account
// and integration. What a proxy passes on, or comes by a Unix socket, which is a proxy's, comes from elsewhere.
func (s *site) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if s.options.Metrics == "off" {
		exchange.WriteError(w, r, http.StatusNotFound, failure.Error{
			Code: "not_found", Message: "This hub does not show its metrics.", Hint: "They are turned on with  metrics: local  or  token  in its configuration.",
		})
		return
	}
	if s.options.Metrics == "token" || !listener.FromThisMachine(r) {
		if p := s.api.Admit(r, registry.ScopeAdmin); p != nil {
			p.Write(w, r)
			return
		}
	}
	s.metrics.handler().ServeHTTP(w, r)
}
