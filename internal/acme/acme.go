// Package acme gets the certificates of a server by itself and renews them in time, from an authority that speaks ACME
// (RFC 8555), such as Let's Encrypt. Several processes with one storage share one certificate.
package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/listener"
)

// Options say which certificates are got, from whom, and where they are kept.
type Options struct {
	Domains   []string
	Email     string            // for the authority's messages; may be empty
	Directory string            // URL of the authority
	Roots     *x509.CertPool    // that the authority's own certificate is checked with; nil: the machine's
	HTTP      string            // address that answers HTTP-01 and sends everyone else to HTTPS; empty: none
	Storage   certmagic.Storage // see [OpenDatabase] and [Folder]
	End       func() error      // closes the storage when nothing is got any more; nil: nothing to close
	Logger    *slog.Logger

	// CheckEvery is how often is looked whether a certificate is to be renewed; 0 is ten minutes.
	CheckEvery time.Duration
}

// OptionsOf returns the options of a configuration; the storage is still missing.
func OptionsOf(a config.Authority, logger *slog.Logger) (Options, error) {
	roots, err := ReadRoots(a.Roots)
	return Options{Domains: a.Domains, Email: a.Email, Directory: a.Directory, Roots: roots, HTTP: a.HTTP, Logger: logger}, err
}

// ReadRoots reads a file of PEM certificates; an empty path is nil.
func ReadRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &failure.Error{Code: failure.Invalid, Message: "the roots of tls.acme cannot be read", Hint: "roots names a PEM file.", Err: err}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, &failure.Error{Code: failure.Invalid, Message: "the file " + path + " holds no PEM certificate", Hint: "roots names a PEM file with the certificate of the authority's own authority."}
	}
	return pool, nil
}

// Folder returns the storage in a folder. Processes that see the same folder share it.
func Folder(path string) certmagic.Storage { return &certmagic.FileStorage{Path: path} }

// A Manager has the certificates of one server. Use [New], and [Manager.Run] while the server serves.
type Manager struct {
	o      Options
	cache  *certmagic.Cache
	config *certmagic.Config
	issuer *certmagic.ACMEIssuer
	http   net.Listener // nil: none
	stop   func() error
}

// New makes the certificates' manager of a server that listens on l: there TLS-ALPN-01 is answered, and HTTP-01 on the address
// of the options, which it opens.
// Where it returns an error, the storage is closed.
func New(ctx context.Context, l net.Listener, o Options) (_ *Manager, err error) {
	defer func() {
		if err != nil && o.End != nil {
			err = errors.Join(err, o.End())
		}
	}()
	at, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return nil, &failure.Error{Code: failure.Invalid, Message: "tls.acme needs a server that listens on host:port", Hint: "Set listen to :443, or leave acme to the proxy."}
	}
	m := &Manager{o: o}
	m.issuer = &certmagic.ACMEIssuer{
		CA: o.Directory, Email: o.Email, Agreed: true, TrustedRoots: o.Roots, Logger: zapTo(o.Logger),
		ListenHost: host(at), AltTLSALPNPort: at.Port, DisableHTTPChallenge: o.HTTP == "",
	}
	if o.HTTP != "" {
		if m.http, err = listener.Open(ctx, o.HTTP); err != nil {
			return nil, fmt.Errorf("answer the authority (tls.acme.http): %w", err)
		}
		if plain, ok := m.http.Addr().(*net.TCPAddr); ok {
			m.issuer.AltHTTPPort = plain.Port
		}
	}
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return m.config, nil },
		RenewCheckInterval: o.CheckEvery, Logger: zapTo(o.Logger),
	})
	m.stop = sync.OnceValue(func() error {
		m.cache.Stop()
		if o.End != nil {
			return o.End()
		}
		return nil
	})
	m.config = certmagic.New(m.cache, certmagic.Config{Storage: o.Storage, Logger: zapTo(o.Logger), OnEvent: m.event})
	m.issuer = certmagic.NewACMEIssuer(m.config, *m.issuer)
	m.config.Issuers = []certmagic.Issuer{m.issuer}
	if o.Email == "" {
		m.config.Issuers = []certmagic.Issuer{unattended{m.issuer}}
	}
	return m, nil
}

// An unattended issuer asks nobody: certmagic would ask for an e-mail address on the terminal.
type unattended struct{ *certmagic.ACMEIssuer }

// PreCheck implements [certmagic.PreChecker].
func (u unattended) PreCheck(ctx context.Context, names []string, _ bool) error {
	return u.ACMEIssuer.PreCheck(ctx, names, false)
}

// host is what an address is listened on by: empty for every address of the machine.
func host(at *net.TCPAddr) string {
	if at.IP.IsUnspecified() {
		return ""
	}
	return at.IP.String()
}

// TLS returns what the server speaks TLS with.
func (m *Manager) TLS() *tls.Config {
	c := m.config.TLSConfig()
	c.MinVersion, c.NextProtos = tls.VersionTLS12, append([]string{"h2", "http/1.1"}, c.NextProtos...)
	return c
}

// Run gets what is missing, and renews, until ctx is done; then it returns nil. The server must serve meanwhile. An authority that
// cannot be reached is asked again: the server serves by then what it has.
func (m *Manager) Run(ctx context.Context) (err error) {
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		wait.Wait()
		err = errors.Join(err, m.Close())
	}()
	for _, domain := range m.o.Domains {
		wait.Go(func() { m.get(ctx, domain) })
	}
	if m.http == nil {
		<-ctx.Done()
		return nil
	}
	server := listener.Server(m.issuer.HTTPChallengeHandler(http.HandlerFunc(toHTTPS)), maxHeaderBytes, listener.Times{}, m.o.Logger)
	wait.Go(func() { <-ctx.Done(); _ = server.Close() })
	if err := server.Serve(listener.Limit(m.http, 0, nil)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve tls.acme.http: %w", err)
	}
	return nil
}

const maxHeaderBytes = 16 << 10

// Close ends what New began. It may be called more than once.
func (m *Manager) Close() error {
	if m.http != nil {
		_ = m.http.Close() // its server may have closed it
	}
	return m.stop()
}

// toHTTPS sends a browser to the same page by HTTPS. What else came without it holds a credential, perhaps, and is refused: it
// must not seem to work.
func toHTTPS(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "Use https://, and change the password or token that was just sent unencrypted.", http.StatusForbidden)
		return
	}
	name := r.Host
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	http.Redirect(w, r, "https://"+name+r.URL.RequestURI(), http.StatusMovedPermanently)
}

// get sees to it that there is a certificate for a domain. From then on the cache renews it.
func (m *Manager) get(ctx context.Context, domain string) {
	for attempt := 0; ; attempt++ {
		err := m.config.ManageSync(ctx, []string{domain})
		if err == nil || ctx.Err() != nil {
			return
		}
		pause := patience(err, attempt)
		m.o.Logger.Error("no certificate yet", "domain", domain, "error", explain(err), "hint", hint(err), "next", pause.String())
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// Authorities count what failed at them, such as Let's Encrypt five times an hour for a name. One that could not be asked does not count.
const (
	refusedPause   = 15 * time.Minute
	unreachedPause = time.Second
	longestPause   = 5 * time.Minute
)

// patience is how long is waited after so many attempts.
func patience(err error, attempt int) time.Duration {
	if _, refused := errors.AsType[acme.Problem](err); refused {
		return refusedPause
	}
	return min(longestPause, unreachedPause*time.Duration(math.Pow(2, float64(min(attempt, 20)))))
}

// hint is what the operator can do.
func hint(err error) string {
	problem, refused := errors.AsType[acme.Problem](err)
	switch {
	case !refused:
		return "Can this machine reach tls.acme.directory? It is asked again by itself."
	case strings.HasSuffix(problem.Type, ":rateLimited"):
		return "The authority gives no more for now: wait, and do not restart."
	case strings.HasSuffix(problem.Type, ":dns"):
		return "Point the domain's DNS record to this machine."
	case strings.HasSuffix(problem.Type, ":connection"), strings.HasSuffix(problem.Type, ":unauthorized"), strings.HasSuffix(problem.Type, ":tls"):
		return "The domain must lead to this machine: port 443 to listen, or port 80 to tls.acme.http, with no proxy that ends TLS between."
	}
	return "See what the authority says."
}

// explain is the authority's word, where it gave one: the rest says how it was asked.
func explain(err error) string {
	if problem, refused := errors.AsType[acme.Problem](err); refused && problem.Detail != "" {
		return problem.Detail + " (" + strconv.Itoa(problem.Status) + ", " + problem.Type + ")"
	}
	return err.Error()
}

// event logs what happened to a certificate.
func (m *Manager) event(_ context.Context, event string, data map[string]any) error {
	switch event {
	case "cert_obtained":
		m.o.Logger.Info("a certificate was issued", "domain", data["identifier"], "renewal", data["renewal"])
	case "cert_failed":
		if data["renewal"] == true {
			err, _ := data["error"].(error)
			m.o.Logger.Error("a certificate could not be renewed; the one that is there is shown until then", "domain", data["identifier"], "error", explain(err), "hint", hint(err))
		}
	}
	return nil
}

var expiry = prometheus.NewDesc("contactbridge_certificate_expiry_timestamp_seconds",
	"When the certificate that is shown ends, in seconds since 1970; 0 where there is none yet.", []string{"domain"}, nil)

// Describe implements [prometheus.Collector].
func (m *Manager) Describe(c chan<- *prometheus.Desc) { c <- expiry }

// Collect implements [prometheus.Collector].
func (m *Manager) Collect(c chan<- prometheus.Metric) {
	for _, domain := range m.o.Domains {
		var last time.Time
		for _, cert := range m.cache.AllMatchingCertificates(domain) {
			if cert.Leaf != nil && cert.Leaf.NotAfter.After(last) {
				last = cert.Leaf.NotAfter
			}
		}
		seconds := 0.0
		if !last.IsZero() {
			seconds = float64(last.Unix())
		}
		c <- prometheus.MustNewConstMetric(expiry, prometheus.GaugeValue, seconds, domain)
	}
}

// CheckFolder reports whether certificates can be kept in a folder.
func CheckFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return &failure.Error{
			Code: failure.Invalid, Message: "the folder of certificates cannot be made", Err: err,
			Hint: "Name a folder in tls.acme.storage that the user of this process may write.",
		}
	}
	return nil
}
