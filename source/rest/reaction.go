package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
)

// What an answer may mean.
const (
	reactEmpty        = "empty"
	reactThrottled    = "throttled"
	reactUnauthorized = "unauthorized"
	reactExpired      = "expired"
	reactForbidden    = "forbidden"
	reactTenant       = "tenant"
	reactDown         = "down"
	reactBroken       = "broken"
	reactRestart      = "restart"
)

// react returns what an answer means; the zero Reaction for one with records.
func (l *Language) react(a *answer) Reaction {
	for _, r := range l.Errors {
		if r.fits(a) {
			return r
		}
	}
	return usual(a.status)
}

// fits reports whether a reaction is about an answer.
func (r Reaction) fits(a *answer) bool {
	if len(r.Status) > 0 && !slices.Contains(r.Status, a.status) {
		return false
	}
	within := a.body
	if r.Path != "" {
		raw, ok := a.find(r.Path)
		if !ok || string(raw) == "false" || r.Is != "" && unquote(raw) != r.Is {
			return false
		}
		within = raw
	}
	if r.Contains != "" {
		return bytes.Contains(bytes.ToLower(within), []byte(strings.ToLower(r.Contains)))
	}
	return len(r.Status) > 0 || r.Path != ""
}

// usual returns what a status means everywhere.
func usual(status int) Reaction {
	switch {
	case status == http.StatusNoContent:
		return Reaction{Then: reactEmpty}
	case status >= 200 && status < 300:
		return Reaction{}
	case status == http.StatusUnauthorized:
		return Reaction{Then: reactExpired}
	case status == http.StatusForbidden:
		return Reaction{Then: reactForbidden}
	case status == http.StatusNotFound:
		return Reaction{Then: reactTenant}
	case status == http.StatusGone:
		return Reaction{Then: reactRestart}
	case status == http.StatusTooManyRequests:
		return Reaction{Then: reactThrottled}
	case status >= 500:
		return Reaction{Then: reactDown}
	case status >= 300 && status < 400:
		return Reaction{Then: reactTenant}
	}
	return Reaction{Then: reactBroken}
}

// failed returns the error of an answer.
func (c *client) failed(a *answer, r Reaction) error {
	f := c.factory
	said := fmt.Sprintf("%s answered %d", f.title(), a.status)
	if a.asked != "" {
		said += " at " + a.asked
	}
	e := &bridge.Error{Hint: r.Hint, Status: a.status}
	var hint string
	switch r.Then {
	case reactUnauthorized, reactExpired:
		e.Code, e.Message = bridge.CodeUnauthorized, said+": the credentials are not valid"
		hint = "Check " + f.secrets() + ", and that it has not been revoked and has not expired."
	case reactForbidden:
		e.Code, e.Message = bridge.CodeUnauthorized, said+": the credentials lack a right"
		hint = "Give them the right to read contacts: see docs/vendors.md."
	case reactTenant:
		e.Code, e.Message = bridge.CodeSourceBroken, said+": there is no such API at this address"
		hint = "Check the address (" + a.url.Host + "), and that the API is switched on."
		if a.asked != "" {
			hint = "Check the address in " + a.asked + " (" + a.url.Host + ")."
		}
		if a.status >= 300 && a.status < 400 {
			hint = c.redirect(a)
		}
	case reactRestart:
		e.Code, e.Message = bridge.CodeInvalidOffset, said+": it can no longer go on from where this run was"
		hint = "Start the run again."
	case reactDown:
		e.Code, e.Message = bridge.CodeSourceUnavailable, said
		hint = "Try again later."
		e.RetryAfter = retryAfter(a.header.Get("Retry-After"), f.deps.Clock.Now())
	default:
		e.Code, e.Message = bridge.CodeSourceBroken, said+": it does not understand the request"
		hint = "The API may have changed. Compare the request with its documentation; any key of the preset can be changed in the configuration."
	}
	if e.Hint == "" {
		e.Hint = hint
	}
	return e
}

// title returns what people call the service.
func (f *factory) title() string {
	if f.language.Title == "" {
		return "the API"
	}
	return f.language.Title
}

// secrets names the fields that hold credentials.
func (f *factory) secrets() string {
	var names []string
	for _, field := range f.language.Connection {
		if field.Secret {
			names = append(names, field.Name)
		}
	}
	if len(names) == 0 {
		return "the credentials"
	}
	return strings.Join(names, " and ")
}

// throttled returns the error of a service that takes no more requests for now.
func (c *client) throttled(a *answer, r Reaction, wait time.Duration) error {
	hint := r.Hint
	if hint == "" {
		hint = "Try again later. If that happens often, synchronize less often"
		if c.factory.language.Throttle.Requests > 0 {
			hint += ", or set throttle.requests to less"
		}
		hint += "."
	}
	return &bridge.Error{
		Code: bridge.CodeRateLimited, Message: fmt.Sprintf("it answered %d: too many requests", a.status), Hint: hint, RetryAfter: max(wait, leastRetryAfter), Status: a.status,
	}
}

// leastRetryAfter is when to come again where a service says at once, and refuses what comes then.
const leastRetryAfter = time.Second

// defaultWait is how long to wait where a service does not say.
const defaultWait = 10 * time.Second

// waitOf returns how long a service that throttles wants to be left alone.
func (c *client) waitOf(a *answer, r Reaction) time.Duration {
	t := c.factory.language.Throttle
	now := a.date(c.factory.deps.Clock.Now())
	header := t.Wait
	if header == "" {
		header = "Retry-After"
	}
	if said := a.header.Get(header); isWait(said) { // which may be no time at all
		return retryAfter(said, now)
	}
	if wait := retryAfter(a.header.Get(t.Reset), now); t.Reset != "" && wait > 0 {
		return wait
	}
	if wait := t.Points.wait(a); wait > 0 {
		return wait
	}
	if r.Wait > 0 {
		return r.Wait
	}
	return defaultWait
}

// mostRetryAfter is the longest wait that is believed.
const mostRetryAfter = 24 * time.Hour

// isWait reports whether a header says how long to wait.
func isWait(text string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	_, errTime := http.ParseTime(strings.TrimSpace(text))
	return err == nil || errTime == nil
}

// retryAfter reads a header with seconds, with a Unix time, or with a date.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	wait := time.Duration(0)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if seconds > 1e9 {
			seconds -= float64(now.Unix())
		}
		wait = time.Duration(min(max(seconds, 0), mostRetryAfter.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), mostRetryAfter)
}

// unreachable returns the error of a request without an answer. It does not hold the address, in which there may be a credential.
func (c *client) unreachable(ctx context.Context, address *url.URL, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := &bridge.Error{Code: bridge.CodeSourceUnavailable, Message: "the service at " + address.Host + " cannot be reached", Hint: "Try again later. If it stays so, check the address."}
	var unknown *net.DNSError
	if errors.As(cause, &unknown) && unknown.IsNotFound {
		e.Message, e.Hint = "there is no host "+address.Hostname(), "Check the address: the host has no entry in DNS."
	}
	if timeout, ok := cause.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // url.Error passes it on
		e.Code, e.Message = bridge.CodeSourceTimeout, "the service at "+address.Host+" did not answer in time"
	}
	if inner, ok := errors.AsType[*url.Error](cause); ok {
		cause = inner.Err
	}
	e.Err = cause
	return e
}
