package carddav

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/clock"
)

// A client speaks HTTP to one server as one user. Many goroutines use it at once.
type client struct {
	transport http.RoundTripper
	clock     clock.Clock
	user      string
	password  string
	digest    digest

	mu     sync.Mutex
	base   url.URL // scheme and host
	scheme scheme
}

// A scheme is how requests say who asks.
type scheme int

const (
	undecided scheme = iota // no request has been answered
	nobody                  // there is no user
	basic
	digested
)

// A call is one request.
type call struct {
	method string
	path   string // as the server or the configuration wrote it
	depth  string // empty: no such header
	body   []byte
}

const (
	maxRedirects = 5
	maxAttempts  = 4 // of authentication: without, by Digest, by Digest with a fresh nonce
)

// do sends a request, follows redirects within the host and answers challenges. The response has any status but 401, 407, 429, 502, 503
// and 504, and its body must be closed. at is where it came from.
func (c *client) do(ctx context.Context, r call) (response *http.Response, at *url.URL, err error) {
	target, err := c.target(r.path)
	if err != nil {
		return nil, nil, err
	}
	for hops := 0; ; hops++ {
		response, err = c.authenticated(ctx, r, target)
		if err != nil {
			return nil, nil, err
		}
		switch response.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			return response, target, nil
		}
		drop(response)
		if hops == maxRedirects {
			return nil, nil, &bridge.Error{
				Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("%s redirects in a circle", target.Host),
				Hint: "Set url to the address of the address books themselves.",
			}
		}
		next, err := target.Parse(response.Header.Get("Location"))
		if err != nil || response.Header.Get("Location") == "" {
			return nil, nil, &bridge.Error{
				Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("%s redirects to nowhere", target.Host),
				Hint: "Set url to the address of the address books themselves.",
			}
		}
		if err := c.allow(target, next); err != nil {
			return nil, nil, err
		}
		target = next
	}
}

// target returns the URL of a path.
func (c *client) target(path string) (*url.URL, error) {
	c.mu.Lock()
	base := c.base
	c.mu.Unlock()
	u, err := url.Parse(base.Scheme + "://" + base.Host + requestPath(path))
	if err != nil {
		return nil, &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: "the server names an address that is none", Hint: "Ask the operator of the server.", Err: err,
		}
	}
	return u, nil
}

// allow lets a redirect lead to another place of the same host, and from http to https. Anything else would hand the password to
// another server.
func (c *client) allow(from, to *url.URL) error {
	same := strings.EqualFold(from.Hostname(), to.Hostname())
	switch {
	case !same:
		return otherHost(from.Host, to)
	case to.Scheme != "https" && to.Scheme != from.Scheme:
		return &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("%s redirects from https to %s, which would send the password unencrypted", from.Host, to.Scheme),
			Hint: "Correct the server's redirect, or set url to the address of the address books themselves.",
		}
	}
	if to.Scheme != from.Scheme {
		c.mu.Lock()
		c.base = url.URL{Scheme: to.Scheme, Host: to.Host}
		c.mu.Unlock()
	}
	return nil
}

// otherHost is the error of a server that sends its users to another one.
func otherHost(host string, to *url.URL) error {
	there := url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("%s sends to another host: %s", host, to.Host),
		Hint: fmt.Sprintf("If that is your server, set url to %s. The password is sent to no host but that of url.", there.Redacted()),
	}
}

// authenticated sends a request until the server takes its credentials, or refuses them for good.
func (c *client) authenticated(ctx context.Context, r call, target *url.URL) (*http.Response, error) {
	used := undecided
	for attempt := 1; ; attempt++ {
		response, sent, err := c.send(ctx, r, target)
		if err != nil {
			return nil, err
		}
		if response.StatusCode != http.StatusUnauthorized {
			c.settle(sent)
			return c.passable(response, target)
		}
		drop(response)
		next, stale := c.answerTo(response, sent)
		if next == undecided || attempt == maxAttempts || next == used && !stale {
			return nil, c.refused(target)
		}
		used = next
	}
}

// settle notes that a request without credentials was answered: all others have them, since a server may show anybody less.
func (c *client) settle(sent scheme) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.scheme == undecided && sent == undecided {
		c.scheme = basic
	}
}

// answerTo decides how the next attempt says who asks; undecided where there is nothing left to try.
func (c *client) answerTo(response *http.Response, sent scheme) (next scheme, stale bool) {
	if c.user == "" && c.password == "" {
		return undecided, false
	}
	next = undecided
	switch {
	case c.digest.take(response.Header):
		next = digested
		for _, text := range response.Header.Values("WWW-Authenticate") {
			for _, challenge := range challenges(text) {
				stale = stale || strings.EqualFold(challenge["stale"], "true")
			}
		}
	case sent != basic && sent != digested:
		next = basic
	}
	if next != undecided {
		c.mu.Lock()
		c.scheme = next
		c.mu.Unlock()
	}
	if sent == digested && next == digested {
		return next, stale
	}
	return next, false
}

// send sends a request once. sent is how it said who asks.
func (c *client) send(ctx context.Context, r call, target *url.URL) (response *http.Response, sent scheme, err error) {
	request, err := http.NewRequestWithContext(ctx, r.method, target.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, sent, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("User-Agent", "contactbridge")
	request.Header["X-Idempotency-Key"] = nil // not sent: all requests only read, so that one on a connection that was just closed is repeated
	if len(r.body) > 0 {
		request.Header.Set("Content-Type", "application/xml; charset=utf-8")
	}
	if r.depth != "" {
		request.Header.Set("Depth", r.depth)
	}
	sent = c.authorize(request, target)
	response, err = c.transport.RoundTrip(request)
	if err != nil {
		return nil, sent, c.unreached(ctx, target, err)
	}
	return response, sent, nil
}

// authorize says who asks. Where the connection is not encrypted nothing is said before the server has asked, which may be by Digest.
func (c *client) authorize(request *http.Request, target *url.URL) scheme {
	c.mu.Lock()
	now := c.scheme
	if now == undecided && c.user == "" && c.password == "" {
		now = nobody
	}
	if now == undecided && target.Scheme == "https" {
		now = basic
	}
	c.mu.Unlock()
	switch now {
	case basic:
		request.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.user+":"+c.password)))
	case digested:
		request.Header.Set("Authorization", c.digest.header(request.Method, target.RequestURI()))
	}
	return now
}

// passable returns a response that somebody can make use of, and an error for those that say to come back later.
func (c *client) passable(response *http.Response, target *url.URL) (*http.Response, error) {
	code := bridge.CodeSourceUnavailable
	var says string
	switch response.StatusCode {
	case http.StatusTooManyRequests:
		code, says = bridge.CodeRateLimited, "limits the number of requests"
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		says = "is not available at the moment"
	case http.StatusGatewayTimeout:
		code, says = bridge.CodeSourceTimeout, "takes too long to answer"
	case http.StatusProxyAuthRequired:
		says = "is reached by a proxy that asks for credentials"
	default:
		return response, nil
	}
	drop(response)
	return nil, &bridge.Error{
		Code: code, Message: fmt.Sprintf("%s %s (status %d)", target.Host, says, response.StatusCode),
		Hint: "Nothing, if it passes. Otherwise ask the operator of the server.", RetryAfter: c.retryAfter(response),
	}
}

// retryAfter returns when a server wants to be asked again.
func (c *client) retryAfter(response *http.Response) time.Duration {
	text := response.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return min(time.Duration(seconds)*time.Second, time.Hour)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(c.clock.Now()), time.Second), time.Hour)
	}
	return 10 * time.Second
}

// refused is the error of credentials that the server does not take.
func (c *client) refused(target *url.URL) error {
	message, hint := fmt.Sprintf("%s refuses username and password", target.Host),
		"Check both. Where the account has a second factor, and at most providers, a password for apps has to be made and used instead of the account's own."
	if c.user == "" && c.password == "" {
		message, hint = fmt.Sprintf("%s asks for username and password", target.Host), "Set username and password."
	}
	return &bridge.Error{Code: bridge.CodeUnauthorized, Message: message, Hint: hint}
}

// unreached is the error of a request without an answer.
func (c *client) unreached(ctx context.Context, target *url.URL, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	failed := &bridge.Error{Code: bridge.CodeSourceUnavailable, Err: plainCause(err), RetryAfter: 10 * time.Second}
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		lookup    *net.DNSError
	)
	switch {
	case errors.As(err, &authority):
		failed.Message = fmt.Sprintf("the certificate of %s is signed by an authority that is not known here", target.Host)
		failed.Hint = "Add the authority's certificate to those that the system trusts, or name a file with it in the environment variable SSL_CERT_FILE."
	case errors.As(err, &name):
		failed.Message = fmt.Sprintf("the certificate of %s is for another name", target.Host)
		failed.Hint = "Set url to a name that stands in the certificate."
	case errors.As(err, &invalid):
		failed.Message = fmt.Sprintf("the certificate of %s is not valid", target.Host)
		failed.Hint = "Renew it, and check the clocks of both machines."
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		failed.Message = fmt.Sprintf("%s does not speak TLS", target.Host)
		failed.Hint = "Check the port in url. Only where the network is your own, begin url with http:// instead."
	case errors.As(err, &lookup):
		failed.Message = fmt.Sprintf("there is no host %s", target.Hostname())
		failed.Hint = "Check the host in url, and that its name can be resolved here."
	default:
		failed.Message = fmt.Sprintf("%s cannot be reached, or broke the connection", target.Host)
		failed.Hint = "Check host and port in url, and that the server runs and may be reached from here."
	}
	return failed
}

// plainCause returns an error without the URL that net/http puts before it.
func plainCause(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// drop ends a response that nobody reads.
func drop(response *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection can be used again
	_ = response.Body.Close()
}

// A statusError is an answer with a status that is no success.
type statusError struct {
	host   string
	method string
	status int
	text   string // the beginning of the answer
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s answers %s with status %d", e.host, e.method, e.status)
}

// Explain implements [failure.Explainer].
func (e *statusError) explain() *bridge.Error {
	b := &bridge.Error{Code: bridge.CodeSourceBroken, Message: e.Error(), Hint: "Look into the server's log, or ask its operator."}
	switch e.status {
	case http.StatusForbidden:
		b.Code, b.Hint = bridge.CodeUnauthorized, "Let the user read the address book, or name in books those that may be read."
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		b.Hint = "Set url to the server's CardDAV address, as it stands in its documentation."
	}
	return b
}

// multistatus sends a request and reads the answer, calling each for every resource.
func (c *client) multistatus(ctx context.Context, r call, each func(*response) error) (token string, at *url.URL, err error) {
	response, at, err := c.do(ctx, r)
	if err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusMultiStatus {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
		return "", at, &statusError{host: at.Host, method: r.method, status: response.StatusCode, text: string(text)}
	}
	token, err = readMultistatus(response.Body, each)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return token, at, err
}

// explained makes an error of a request one that says what to do.
func explained(err error, host string) error {
	var status *statusError
	var known *bridge.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &known):
		return err
	case errors.As(err, &status):
		return status.explain()
	}
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("the answer of %s cannot be read", host),
		Hint: "Try again. If it stays so, look into the server's log for a limit of time or size.", Err: err, RetryAfter: 10 * time.Second,
	}
}
