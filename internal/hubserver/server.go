package hubserver

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/hub/riverqueue"
	"github.com/contactbridge/contactbridge/internal/acme"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/web"
	"github.com/contactbridge/contactbridge/web/console"
)

// Server limits, besides those of package listener.
const (
	shutdownTimeout = 15 * time.Second
	maxHeaderBytes  = 64 << 10
)

// A Server is a hub that serves and works. Use [New].
type Server struct {
	*Databases

	logger   *slog.Logger
	version  string
	guest    string
	within   time.Duration // for an answer of /callerid
	setup    string        // code for the first visit; empty where none is needed
	stopping chan struct{} // closed when the server is to end
}

// Check reports what is wrong with a configuration beyond its own file: its certificate cannot be read.
func Check(cfg *hubconfig.Config) error {
	if cfg.Role != "all" && cfg.Database == "" {
		return &failure.Error{
			Code: failure.Invalid, Message: fmt.Sprintf("a hub whose role is %s needs a database that several processes share", cfg.Role),
			Hint: "Set database in the configuration or --database, or leave the role out.",
		}
	}
	if !cfg.TLS.Enabled() {
		return nil
	}
	if cfg.TLS.ACME != nil {
		_, err := acme.ReadRoots(cfg.TLS.ACME.Roots)
		return err
	}
	if _, err := listener.NewCertificate(cfg.TLS.Cert, cfg.TLS.Key, clock.System{}, nil); err != nil {
		return &failure.Error{Code: failure.Invalid, Message: "tls cannot be served", Hint: "cert and key are PEM files that belong together.", Err: err}
	}
	return nil
}

// New opens a configuration's databases and applies what it declares. It runs and serves nothing yet.
func New(ctx context.Context, cfg *hubconfig.Config, o ServerOptions) (*Server, error) {
	var alone *lock
	if cfg.Database == "" {
		var err error
		if alone, err = lockFolder(ctx, cfg.Data); err != nil {
			return nil, err
		}
	}
	databases, err := Open(ctx, cfg, o)
	if err != nil {
		return nil, errors.Join(err, alone.Close())
	}
	databases.lock = alone
	s := &Server{Databases: databases, logger: o.Logger, version: o.Version, guest: o.Guest, within: o.CallerIDWithin, stopping: make(chan struct{})}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if err := databases.Declare(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Serve runs what is due and answers requests, as the configuration's role says, until ctx is done. Then runs stop at a page's
// end, and requests under way are answered. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	certificates, err := s.certificates(ctx, l)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	server, err := s.httpServer(l, certificates)
	if err != nil {
		return errors.Join(err, certificates.end(), l.Close())
	}
	phones, err := s.ldapServers(ctx)
	if err != nil {
		return errors.Join(err, certificates.end(), l.Close())
	}
	l = listener.Limit(l, s.config.Network.PerAddress, s.proxies())
	group, ctx := errgroup.WithContext(ctx)
	if s.config.Role != "web" {
		group.Go(func() error { return s.work(ctx) })
	}
	if s.config.Role != "worker" {
		group.Go(func() error { s.Hub.KeepCalls(ctx); return nil })
		group.Go(func() error { s.Hub.KeepReaders(ctx); return nil })
	}
	group.Go(func() error { s.Hub.KeepPhonebooks(ctx); return nil })
	group.Go(func() error { s.fillPhonebooks(ctx); return nil })
	group.Go(func() error { return serveLDAP(ctx, phones) })
	group.Go(func() error {
		s.warmUp(ctx)
		return s.listen(server, l)
	})
	group.Go(func() error { return s.declareLater(ctx) })
	group.Go(func() error { return certificates.run(ctx) })
	group.Go(func() error {
		<-ctx.Done()
		close(s.stopping) // streams of events end, or they would be waited for
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if err := server.Shutdown(patience); err != nil {
			return errors.Join(fmt.Errorf("stop serving: %w", err), server.Close())
		}
		return nil
	})
	return group.Wait()
}

// work runs integrations: from the queue of the shared database, or from the embedded one's own loop.
func (s *Server) work(ctx context.Context) error {
	if s.config.Database == "" {
		return s.Hub.Work(ctx)
	}
	queue, err := riverqueue.Open(ctx, s.config.Database)
	if ctx.Err() != nil { // it was told to end before it had begun
		if err == nil {
			queue.Close()
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer queue.Close()
	s.Hub.Dispatcher = queue
	return s.Hub.Work(ctx)
}

// mostWarmingUp is how long the first requests wait for what they would have to wait for anyway.
const mostWarmingUp = time.Second

// warmUp looks a caller up in every account, so that the first call finds open what a look-up needs: the numbering plan of its country, which takes
// longest, the account's settings, and connections. Telephones wait for no more than 50 ms. What cannot be looked up is for the first call to tell.
func (s *Server) warmUp(ctx context.Context) {
	if s.config.Role == "worker" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, mostWarmingUp)
	defer cancel()
	ctx = hub.WithActor(ctx, hub.Actor{Name: "start", All: true, Scopes: []registry.Scope{registry.ScopeCallers}})
	const nobody = "+12025550100" // reserved for fiction
	_, _, _, _ = s.Hub.LookupAll(ctx, nobody, caller.LookupOptions{})
}

func (s *Server) listen(server *http.Server, l net.Listener) error {
	serve := func() error { return server.Serve(l) }
	if server.TLSConfig != nil {
		serve = func() error { return server.ServeTLS(l, "", "") }
	}
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

func (s *Server) httpServer(l net.Listener, certificates served) (*http.Server, error) {
	handler, err := s.handler(l, certificates.collectors)
	if err != nil {
		return nil, err
	}
	server := listener.Server(handler, maxHeaderBytes, listener.Times{}, s.logger)
	server.TLSConfig = certificates.tls
	return server, nil
}

// handler is everything that this process answers: the API and the console; of a worker, only how it fares.
func (s *Server) handler(l net.Listener, collectors []prometheus.Collector) (http.Handler, error) {
	runs := web.NewRuns()
	s.Hub.Observe = runs.Observe
	options := web.HandlerOptions{
		Hub: s.Hub, Collectors: append(collectors, runs), Logger: s.logger, Version: s.version, Stopping: s.stopping,
		Secure: s.secure(), Proxies: s.proxies(), Metrics: s.config.Metrics, PublicURL: s.config.PublicURL,
		CallerIDWithin: s.within,
	}
	if s.config.Role == "worker" {
		return monitoring(web.Handler(options)), nil
	}
	site, err := console.New(s.consoleOptions(l))
	if err != nil {
		return nil, err
	}
	options.Console, options.IntegrationPage = site, console.IntegrationPage
	return web.Handler(options), nil
}

// monitoring answers how a worker fares, and nothing else: it need not be reachable by the same people as the hub.
func monitoring(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz", "/readyz", "/metrics":
			next.ServeHTTP(w, r)
		default:
			http.Error(w, "This process runs integrations. API, /callerid and console are answered by those with the role web or all.", http.StatusNotFound)
		}
	})
}

func (s *Server) consoleOptions(l net.Listener) console.Options {
	o := console.Options{
		Hub: s.Hub, Logger: s.logger, PublicURL: s.config.PublicURL, Version: s.version, SetupCode: s.setup, Stopping: s.stopping,
		Secure: s.secure(), Proxies: s.proxies(), Guest: s.guest,
	}
	if sign := s.config.SignIn; sign.Issuer != "" {
		o.OpenID = &console.OpenID{
			Issuer: sign.Issuer, ClientID: sign.ClientID, ClientSecret: sign.ClientSecret, Name: sign.Name, Transport: s.Hub.Outbound,
		}
	}
	return o
}

// secure reports whether the hub is reached by HTTPS only.
func (s *Server) secure() bool {
	return s.config.TLS.Enabled() || strings.HasPrefix(s.config.PublicURL, "https://")
}

// proxies returns the proxies that are trusted to say where a request comes from.
func (s *Server) proxies() listener.Proxies { return listener.ParseProxies(s.config.Network.Proxies) }

// Describe says for the operator what is served where. A hub without users that others can reach is given a code that its
// first visitor must type.
func (s *Server) Describe(ctx context.Context, l net.Listener) []string {
	address := cmp.Or(s.config.PublicURL, listener.URL(l, s.config.TLS.Enabled()))
	where := "embedded in " + s.config.Data
	if s.config.Database != "" {
		where = "on PostgreSQL, role " + s.config.Role
	}
	if s.config.Role == "worker" {
		return []string{fmt.Sprintf("contactbridge %s: a hub %s", s.version, where), "  health    " + address + "/readyz", "  metrics   " + address + "/metrics"}
	}
	lines := []string{fmt.Sprintf("contactbridge %s: a hub %s", s.version, where), "  console   " + address + "/", "  API       " + address + "/api/v1/"}
	lines = append(lines, s.describeLDAP()...)
	if n := s.config.Network; !n.AllowPrivate && len(n.Allow) == 0 {
		lines = append(lines, "  Bridges on this machine and on private networks are not asked. If yours is there, start with --allow-private.")
	}
	users, err := s.Hub.Registry.Users(ctx)
	if err == nil && len(users) == 0 {
		lines = append(lines, "  No user can sign in yet: open the console to make the first administrator.")
		if !loopback(l) || s.config.PublicURL != "" { // what a proxy passes on may look as if it came from here
			s.setup = setupCode()
			lines = append(lines, "  It asks for this code: "+s.setup)
		}
	}
	if _, network := l.Addr().(*net.TCPAddr); network && !loopback(l) && !s.secure() {
		lines = append(lines, "  Anyone who is between here and a browser can read passwords and tokens: set tls, or public_url with a proxy that speaks HTTPS.")
	}
	return lines
}

// loopback reports whether only this machine reaches a listener. A Unix socket counts as reachable by others: a proxy uses it.
func loopback(l net.Listener) bool {
	at, ok := l.Addr().(*net.TCPAddr)
	return ok && at.IP.IsLoopback()
}

// setupCode is a random code that can be typed.
func setupCode() string {
	b := make([]byte, 10)
	_, _ = rand.Read(b) // never fails
	return base32.StdEncoding.EncodeToString(b)
}
