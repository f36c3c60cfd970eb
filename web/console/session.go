package console

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// How long a session lasts: without a page that is asked for, and at all.
const (
	idleTime     = 12 * time.Hour
	absoluteTime = 7 * 24 * time.Hour
	renewAfter   = 5 * time.Minute // so that not every page writes
)

const (
	sessionCookie = "contactbridge_session"
	visitorCookie = "contactbridge_visitor" // of who is not signed in: what forms' tokens are made of
	knownCookie   = "contactbridge_known"   // of a browser in which a user has signed in; it gives no access
	knownTime     = 180 * 24 * time.Hour
	secretBytes   = 32
)

// cookieName has the prefix that keeps other hosts of the domain from setting the cookie, where browsers allow it.
func (c *Console) cookieName(name string) string {
	if c.options.Secure {
		return "__Host-" + name
	}
	return name
}

func (c *Console) setCookie(w http.ResponseWriter, name, value string, lasts time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: c.cookieName(name), Value: value, Path: "/", MaxAge: int(lasts / time.Second),
		Secure: c.options.Secure, HttpOnly: true,
		// Lax, not Strict: who comes back from a provider's page (single sign-on, OAuth) is still signed in.
		SameSite: http.SameSiteLaxMode,
	})
}

func (c *Console) dropCookie(w http.ResponseWriter, name string) {
	c.setCookie(w, name, "", -time.Second)
}

// secretOf returns the random value of a cookie; nil if it has no such value.
func (c *Console) secretOf(r *http.Request, name string) []byte {
	cookie, err := r.Cookie(c.cookieName(name))
	if err != nil {
		return nil
	}
	secret, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || len(secret) != secretBytes {
		return nil
	}
	return secret
}

func newSecret() []byte {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails: the program ends instead
	return secret
}

// digest is the stored form of a session's secret.
func digest(secret []byte) []byte {
	sum := sha256.Sum256(secret)
	return sum[:]
}

// formToken proves that a form came from a page of ours, sent to the browser that has the secret.
func formToken(secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("contactbridge console form"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// knownProof returns the proof that a browser keeps after its user has signed in. It is made of the digest of the password, so
// that it cannot be guessed, and it proves nothing once the password is another one.
func knownProof(u registry.User) string {
	mac := hmac.New(sha256.New, []byte(u.Password))
	mac.Write([]byte("contactbridge known browser of " + u.ID))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// knows reports whether the user has signed in with the request's browser before, by their present password.
func (c *Console) knows(r *http.Request, u registry.User) bool {
	cookie, err := r.Cookie(c.cookieName(knownCookie))
	return err == nil && u.Password != "" && hmac.Equal([]byte(cookie.Value), []byte(knownProof(u)))
}

// openSession begins a session and sets its cookie. The one that the browser had before, if any, is over.
func (c *Console) openSession(w http.ResponseWriter, r *http.Request, user registry.User) error {
	ctx := r.Context()
	if old := c.secretOf(r, sessionCookie); old != nil {
		if err := c.hub.Registry.DeleteSession(ctx, digest(old)); err != nil {
			return err
		}
	}
	secret, now := newSecret(), c.clock()
	agent := r.UserAgent()
	err := c.hub.Registry.OpenSession(ctx, registry.Session{
		Digest: digest(secret), User: user.ID, Created: now, Expires: now.Add(idleTime), Agent: agent[:min(len(agent), 200)],
	}, user.Password)
	if errors.Is(err, registry.ErrNotFound) {
		return &failure.Error{Code: failure.Denied, Message: "your user was changed while you signed in", Hint: "Sign in again."}
	}
	if err != nil {
		return err
	}
	c.setCookie(w, sessionCookie, base64.RawURLEncoding.EncodeToString(secret), absoluteTime)
	c.dropCookie(w, visitorCookie)
	if user.Password != "" {
		c.setCookie(w, knownCookie, knownProof(user), knownTime)
	}
	return nil
}

// findSession returns the session of a request's cookie and its user; nil if no user is signed in.
func (c *Console) findSession(r *http.Request) (*registry.Session, *registry.User, []byte, error) {
	secret := c.secretOf(r, sessionCookie)
	if secret == nil {
		return nil, nil, nil, nil
	}
	session, user, err := c.hub.Registry.SessionUser(r.Context(), digest(secret))
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil, nil, nil
	}
	if err != nil {
		return nil, nil, nil, err
	}
	if now := c.clock(); user.Disabled || !session.Expires.After(now) || now.Sub(session.Created) >= absoluteTime {
		return nil, nil, nil, nil
	}
	return &session, &user, secret, nil
}

// keepSession lets a session last longer because a page is asked for. What the browser asks for by itself does not.
func (c *Console) keepSession(ctx context.Context, s registry.Session) error {
	now := c.clock()
	until := now.Add(idleTime)
	if last := s.Created.Add(absoluteTime); until.After(last) {
		until = last
	}
	if until.Sub(s.Expires) < renewAfter {
		return nil
	}
	return c.hub.Registry.RenewSession(ctx, s.Digest, until)
}
