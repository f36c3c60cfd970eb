// Package console is the hub's face for people: pages that a browser shows without JavaScript, and that htmx and
// server-sent events keep up to date with it. It decides nothing: every request works through a [hub.Hub] as the user who
// is signed in; the user's role says what the hub allows.
package console

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/guesses"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/web/console/static"
	"github.com/contactbridge/contactbridge/web/console/view"
)

// Options say how a console is served. Only Hub is needed.
type Options struct {
	Hub    *hub.Hub
	Logger *slog.Logger // nil logs nothing
	// PublicURL is where browsers reach the hub, such as https://contacts.example.com; single sign-on needs it. Empty: where
	// the request went.
	PublicURL string
	// Secure says that browsers reach the hub by HTTPS only: cookies are sent no other way.
	Secure bool
	// SetupCode must be typed to make the first administrator. Empty: only this machine may make it, by an address such
	// as localhost.
	SetupCode string
	OpenID    *OpenID // nil: people sign in with passwords only
	// Guest is the name of the user as whom every browser on this machine is signed in by itself, for a demonstration with a hub that
	// is thrown away; empty: no browser is.
	Guest   string
	Version string // of the program, for the settings page
	Clock   func() time.Time
	Proxies listener.Proxies // their word is taken for the address that wrong passwords are counted by
	// Stopping ends event streams when it is closed, so that a server can end; nil: never.
	Stopping <-chan struct{}
	// FormTime is how long a form may take to arrive; no connection is held by one for longer. 0 means 10 s.
	FormTime time.Duration
}

// An OpenID is a provider that people sign in with (OpenID Connect, authorization code with PKCE).
type OpenID struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	Name         string            // "Sign in with …"; empty: single sign-on
	Transport    http.RoundTripper // nil: http.DefaultTransport
}

// A Console serves the pages. Use [New].
type Console struct {
	options Options
	hub     *hub.Hub
	clock   func() time.Time
	logger  *slog.Logger
	mux     *http.ServeMux
	static  *static.Set
	assets  view.Assets
	origin  *http.CrossOriginProtection
	vault   *vault
	guesses *guesses.Limiter
	openID  *provider   // nil: none
	settled atomic.Bool // there is a user
	// takesFiles are the routes to which files may be uploaded.
	takesFiles map[string]bool
	// refusals are the sign-ins that were refused and that the audit log is told of.
	refusals *rate.Limiter
}

var _ http.Handler = (*Console)(nil)

// New makes a console. Whatever is not its own is not found.
func New(o Options) (*Console, error) {
	if o.Hub == nil {
		return nil, errors.New("a console needs a hub")
	}
	files, err := static.New()
	if err != nil {
		return nil, err
	}
	c := &Console{
		options: o, hub: o.Hub, clock: o.Clock, logger: o.Logger, mux: http.NewServeMux(), static: files,
		assets: view.Assets{
			CSS: files.Path("console.css"), Script: files.Path("console.js"), HTMX: files.Path("htmx-2.0.11.min.js"),
			SSE: files.Path("htmx-ext-sse-2.2.4.min.js"), Icon: files.Path("icon.svg"),
		},
		origin: http.NewCrossOriginProtection(), vault: newVault(), takesFiles: map[string]bool{}, refusals: rate.NewLimiter(rate.Every(10*time.Second), 100),
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	c.options.FormTime = cmp.Or(o.FormTime, formTime)
	c.guesses = guesses.New(c.clock)
	if o.OpenID != nil {
		if c.openID, err = newProvider(o); err != nil {
			return nil, err
		}
	}
	c.routes()
	return c, nil
}

// IntegrationPage is the path of an integration's page.
func IntegrationPage(key directory.Key) string { return view.IntegrationPath(key) }
