// Package console is the hub's face for people: pages that a browser shows without JavaScript, and that htmx and
// server-sent events keep up to date with it. It decides nothing: every request works through a [hub.Hub] as the user who
// is signed in, whose role says what the hub allows.
package console

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
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
	// SetupCode must be typed to make the first administrator. Empty: nobody but this machine may make it, by an address such
	// as localhost.
	SetupCode string
	OpenID    *OpenID // nil: people sign in with passwords only
	Version   string  // of the program, for the settings page
	Clock     func() time.Time
	// ClientAddress is whose wrong passwords are counted together; nil: the other end of the connection.
	ClientAddress func(*http.Request) netip.Prefix
	// Stopping ends event streams when it is closed, so that a server can end; nil: never.
	Stopping <-chan struct{}
}

// An OpenID is a provider that people sign in with (OpenID Connect, authorization code with PKCE).
type OpenID struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	Name         string            // "Sign in with …"; empty: single sign-on
	Transport    http.RoundTripper // nil: http.DefaultTransport
}

// New makes a console. Whatever is not its own is not found.
func New(o Options) (http.Handler, error) {
	if o.Hub == nil {
		return nil, errors.New("a console needs a hub")
	}
	return http.NotFoundHandler(), nil
}

// IntegrationPage is the path of an integration's page.
func IntegrationPage(key directory.Key) string {
	return "/integrations/" + url.PathEscape(key.Account) + "/" + url.PathEscape(key.Integration)
}
