// Package bridgeserver is the bridge's process: every endpoint of a configuration at one listener, with health,
// metrics, logs and an orderly end.
package bridgeserver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/guesses"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/internal/telemetry"
	"github.com/contactbridge/contactbridge/source"
)

// Options are a server's settings besides its configuration.
type Options struct {
	Logger  *slog.Logger // nil logs nothing
	Version string       // of the program, for the metrics
	Clock   clock.Clock  // nil means [clock.System]
	// Transport carries the requests of sources that speak HTTP; nil means [http.DefaultTransport].
	Transport http.RoundTripper
}

// A Server answers the endpoints of one configuration. Use [New]; close it when nothing is served any more.
type Server struct {
	config    *config.Config
	logger    *slog.Logger
	clock     clock.Clock
	metrics   *metrics
	guesses   *guesses.Limiter
	endpoints []*endpoint // by name
	paths     map[string]http.Handler
	health    *health
	stopping  atomic.Bool
}

// An endpoint is one entry of the configuration, ready to serve.
type endpoint struct {
	config.Endpoint
	factory source.Factory
	agents  source.Factory      // nil: it has none
	opened  func(delta float64) // counts open sources
	handler *bridge.Handler     // nil until it is routed to
}

// New prepares every endpoint and connects to nothing.
func New(cfg *config.Config, options Options) (*Server, error) {
	s := &Server{config: cfg, logger: options.Logger, clock: options.Clock, paths: map[string]http.Handler{}}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = clock.System{}
	}
	s.metrics = newMetrics(options.Version)
	s.guesses = guesses.New(s.clock.Now)
	for _, name := range slices.Sorted(maps.Keys(cfg.Endpoints)) {
		e, err := s.newEndpoint(cfg.Endpoints[name], options.Transport)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("prepare endpoint %s: %w", name, err), s.Close())
		}
		s.endpoints = append(s.endpoints, e)
	}
	s.route()
	return s, nil
}

func (s *Server) newEndpoint(cfg config.Endpoint, transport http.RoundTripper) (*endpoint, error) {
	logger := s.logger.With("endpoint", cfg.Name)
	factory, err := cfg.New(source.Deps{Logger: logger, Clock: s.clock, Transport: transport})
	if err != nil {
		return nil, err
	}
	e := &endpoint{Endpoint: cfg, factory: factory, opened: s.metrics.openSources(cfg.Name)}
	if cfg.NewAgents == nil {
		return e, nil
	}
	if e.agents, err = cfg.NewAgents(source.Deps{Logger: logger.With("source", "agents"), Clock: s.clock, Transport: transport}); err != nil {
		return nil, errors.Join(fmt.Errorf("agents: %w", err), factory.Close())
	}
	return e, nil
}

// route gives every path its handler. Paths are exact: what is not here does not exist.
func (s *Server) route() {
	for _, e := range s.endpoints {
		handler := s.handler(e)
		e.handler = handler
		s.paths["/"+e.Name+"/contact_sync"] = handler
		s.paths["/"+e.Name+"/auth_validation"] = handler
		if e.agents != nil {
			s.paths["/"+e.Name+"/agent_sync"] = handler
		}
	}
	s.health = newHealth(s.endpoints, s.clock, s.logger, &s.stopping)
	s.health.shows = s.shows
	s.paths["/healthz"] = readOnly(http.HandlerFunc(s.health.alive))
	s.paths["/readyz"] = readOnly(http.HandlerFunc(s.health.ready))
	s.paths["/metrics"] = readOnly(s.serveMetrics(s.metrics.handler()))
}

// shows reports whether a caller may see which endpoints there are, and how they fare.
func (s *Server) shows(r *http.Request) bool {
	m := s.config.Metrics
	switch {
	case m.Access == "any" || m.Access != "off" && listener.FromThisMachine(r):
		return true
	case m.Token == "":
		return false
	}
	given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		return false
	}
	auth := bridge.Auth{"token": strings.TrimSpace(given)}
	judged, wait := s.guessesAt("/metrics").Try(r, auth)
	if wait > 0 {
		return false
	}
	if bridge.RequireAuth(bridge.Auth{"token": m.Token})(auth) != nil {
		judged(bridge.Wrong)
		return false
	}
	judged(bridge.Good)
	return true
}

// serveMetrics shows the metrics to those that may see them.
func (s *Server) serveMetrics(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.shows(r) {
			handler.ServeHTTP(w, r)
			return
		}
		bridge.WriteError(w, r, &bridge.Error{
			Code: bridge.CodeUnauthorized, Message: "the metrics are not shown here",
			Hint: "Ask from the bridge's own machine, at a loopback address, or see metrics in the bridge's configuration.",
		})
	})
}

func (s *Server) handler(e *endpoint) *bridge.Handler {
	h := &bridge.Handler{
		Name:              e.Name,
		Open:              e.open,
		Authenticate:      authenticate(e.Endpoint),
		Digest:            e.Endpoint.Digest(),
		Limits:            e.Page.Limits(),
		OnDelete:          e.OnDelete,
		UnknownCheckpoint: e.UnknownCheckpoint,
		Guesses:           s.guessesAt(e.Name),
		Prepare:           e.Phones.Prepare(),
		Leaves:            e.Phones.Leaves(),
		Logger:            s.logger,
		Observe:           s.metrics.observe,
	}
	if e.agents != nil {
		h.Agents = e.openAgents
	}
	return h
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handler, ok := s.paths[r.URL.Path]; ok {
		telemetry.Named(r.Context(), r.Method, r.URL.Path) // it is one of the configuration's
		handler.ServeHTTP(w, r)
		return
	}
	s.logger.Info("request", "request_id", answerNotFound(w, r, s.hint(r.URL.Path)), "path", r.URL.Path, "status", http.StatusNotFound)
	s.metrics.observe(bridge.Observation{Code: bridge.CodeNotFound})
}

// answerNotFound answers with the error body of D5 and returns the request's id.
func answerNotFound(w http.ResponseWriter, r *http.Request, hint string) string {
	bridge.WriteError(w, r, &bridge.Error{Code: bridge.CodeNotFound, Message: "there is nothing at this path", Hint: hint})
	return w.Header().Get("X-Request-Id")
}

// hint says which path was meant. It does not tell which endpoints there are.
func (s *Server) hint(path string) string {
	cleaned := "/" + strings.Trim(strings.ReplaceAll(path, "//", "/"), "/")
	if _, ok := s.paths[cleaned]; ok {
		return "Use the path " + cleaned + ", without more slashes."
	}
	return "An endpoint has the paths /NAME/contact_sync, /NAME/auth_validation and, where it has agents, /NAME/agent_sync. The bridge's start-up lines list them."
}

// readOnly lets in only who wants to read.
func readOnly(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			handler.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", "GET, HEAD")
		bridge.WriteError(w, r, &bridge.Error{Code: bridge.CodeMethodNotAllowed, Message: "this path is only read", Hint: "Send a GET request."})
	})
}

// Close closes what the endpoints hold. Nothing may be served any more.
func (s *Server) Close() error {
	var errs []error
	for _, e := range s.endpoints {
		if e.handler != nil {
			e.handler.Close()
		}
		if err := e.factory.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close endpoint %s: %w", e.Name, err))
		}
		if e.agents == nil {
			continue
		}
		if err := e.agents.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close the agents of endpoint %s: %w", e.Name, err))
		}
	}
	return errors.Join(errs...)
}

// Describe lists in plain words what is served, one line each, at a base URL such as http://127.0.0.1:8080.
func (s *Server) Describe(base string) []string {
	lines := []string{"bridge listening on " + base}
	for _, e := range s.endpoints {
		what := e.Kind.Name
		if e.Title != "" {
			what += ", " + e.Title
		}
		if e.Auth.Mode == config.AuthNone {
			what += "; open to anyone"
		}
		if e.Auth.Mode == config.AuthSource && e.Kind.OpenTo != "" {
			what += "; open to " + e.Kind.OpenTo
		}
		lines = append(lines, fmt.Sprintf("%s: POST /%s/contact_sync (%s)", e.Name, e.Name, what))
		if e.agents != nil {
			what := e.AgentsKind.Name
			if e.AgentsTitle != "" {
				what += ", " + e.AgentsTitle
			}
			lines = append(lines, fmt.Sprintf("%s: POST /%s/agent_sync (%s)", e.Name, e.Name, what))
		}
	}
	return lines
}

// Try tries every endpoint, at most for a few seconds, and returns how each stands, by name. It answers as /readyz does.
func (s *Server) Try(ctx context.Context) map[string]Standing {
	return s.health.readiness(ctx).Endpoints
}

// open opens the endpoint's source and counts it while it is open.
func (e *endpoint) open(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
	return e.openWith(ctx, e.factory, auth)
}

// openAgents opens the source of the endpoint's agents and counts it while it is open.
func (e *endpoint) openAgents(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
	return e.openWith(ctx, e.agents, auth)
}

func (e *endpoint) openWith(ctx context.Context, factory source.Factory, auth bridge.Auth) (bridge.Source, error) {
	src, err := factory.Open(ctx, auth)
	if err != nil {
		return nil, err
	}
	e.opened(1)
	c := &countedSource{Source: src, closed: e.opened}
	if prober, ok := src.(bridge.Prober); ok {
		return &countedProber{countedSource: c, Prober: prober}, nil
	}
	return c, nil
}

// A countedSource says when it is closed.
type countedSource struct {
	bridge.Source
	once   atomic.Bool
	closed func(delta float64)
}

// Describe says what the source says of itself.
func (c *countedSource) Describe(ctx context.Context) (bridge.Description, error) {
	if describer, ok := c.Source.(bridge.Describer); ok {
		return describer.Describe(ctx)
	}
	return bridge.Description{}, nil
}

// Split splits what the source splits.
func (c *countedSource) Split(ctx context.Context, run bridge.Run, after bridge.Position, limit int) (middle bridge.Position, first int) {
	if splitter, ok := c.Source.(bridge.Splitter); ok {
		return splitter.Split(ctx, run, after, limit)
	}
	return nil, 0
}

// Repeats repeats what the source repeats.
func (c *countedSource) Repeats(ctx context.Context, run bridge.Run) bool {
	repeater, ok := c.Source.(bridge.Repeater)
	return ok && repeater.Repeats(ctx, run)
}

// ReadEncoded encodes what the source encodes.
func (c *countedSource) ReadEncoded(
	ctx context.Context, run bridge.Run, after bridge.Position, limit int, e bridge.Encoding,
) iter.Seq2[bridge.Change, error] {
	if encoder, ok := c.Source.(bridge.Encoder); ok {
		return encoder.ReadEncoded(ctx, run, after, limit, e)
	}
	return c.Read(ctx, run, after, limit)
}

// Close closes the source and takes it from the count, once.
func (c *countedSource) Close() error {
	if !c.once.Swap(true) {
		c.closed(-1)
	}
	return c.Source.Close()
}

// A countedProber is a counted source that is a [bridge.Prober].
type countedProber struct {
	*countedSource
	bridge.Prober
}

// authenticate is the check of who may ask.
func authenticate(e config.Endpoint) func(bridge.Auth) error {
	switch e.Auth.Mode {
	case config.AuthNone:
		return bridge.AllowAnyone
	case config.AuthSource:
		return func(auth bridge.Auth) error { return requireFields(auth, e.SourceAuth) }
	}
	return bridge.RequireAuth(e.Auth.Fields)
}

// requireFields refuses credentials that lack what the source is opened with, before anything is opened.
func requireFields(auth bridge.Auth, names []string) error {
	for _, name := range names {
		if auth[name] == "" {
			return &bridge.Error{
				Code:    bridge.CodeUnauthorized,
				Message: fmt.Sprintf("the request's auth has no %s", name),
				Hint:    "This endpoint asks for: " + strings.Join(names, ", ") + ".",
			}
		}
	}
	return nil
}

const (
	shutdownTimeout = 20 * time.Second // pages under way end within 10 s
	maxHeaderBytes  = 32 << 10
)
