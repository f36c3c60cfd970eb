package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// maxAnswer is the most that an answer may have, in bytes.
const maxAnswer = 64 << 20

// A client asks the service with one set of credentials. Many goroutines use it at the same time.
type client struct {
	factory  *factory
	values   scope
	base     *url.URL
	zone     *time.Location // of the times that are asked for
	readZone *time.Location // of those in answers
	http     *http.Client
	bucket   *bucket
	auth     authenticator
	settings source.Settings // of the tenant, without what verify's answer says
	pages    pageCache

	lock   sync.Mutex
	tenant string // of verify's answer; empty while it is not known
}

// newClient makes the client for a caller's values. It asks nothing.
func (f *factory) newClient(values scope) (*client, error) {
	address, err := f.language.Base.expand(values, nil)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: "the API's address is not one of the form https://host/path", Hint: "Correct the address in the configuration.",
		}
	}
	zone, readZone, err := f.zones(values)
	if err != nil {
		return nil, err
	}
	c := &client{
		factory: f, values: values, base: base, zone: zone, readZone: readZone, bucket: newBucket(f.language.Throttle, f.deps.Clock), settings: f.tenant(values, base),
		http: &http.Client{Transport: f.deps.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	c.auth, err = c.newAuthenticator()
	return c, err
}

func (c *client) close() error {
	c.pages.clear()
	return nil
}

// A call is one request, with the values that it is about.
type call struct {
	request *Request
	values  scope
	address string // of a link that an answer brought; empty for the request's own path
	mayMiss bool   // what is asked for may be gone: that is what the answer 404 means
}

// ask sends a request and returns its answer. An access token that has expired is fetched again, once.
func (c *client) ask(ctx context.Context, one call) (*answer, error) {
	for attempt := 0; ; attempt++ {
		a, err := c.send(ctx, one)
		if err != nil {
			return nil, err
		}
		reaction := c.factory.language.react(a)
		switch {
		case one.mayMiss && a.status == http.StatusNotFound:
			return a, nil
		case reaction.Then == reactExpired && attempt == 0 && c.auth.renew(a.token):
			continue
		case reaction.Then == reactThrottled:
			wait := c.waitOf(a, reaction)
			c.bucket.pause(wait)
			if attempt < 2 && c.mayWait(ctx, wait) {
				continue // the bucket waits
			}
			return nil, c.throttled(a, reaction, wait)
		case reaction.Then == reactEmpty:
			a.empty = true
		case reaction.Then != "":
			return nil, c.failed(a, reaction)
		}
		c.bucket.look(a.header, c.factory.language.Throttle, c.factory.deps.Clock.Now())
		if wait := c.factory.language.Throttle.Points.wait(a); wait > 0 {
			c.bucket.pause(wait)
		}
		return a, nil
	}
}

// mostWait is how long a page waits for a service that throttles: the rest of the 10 seconds is for what it has to read.
const mostWait = 3 * time.Second

// mayWait reports whether there is time to wait.
func (c *client) mayWait(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return wait <= mostWait && (!ok || time.Until(deadline) > wait+time.Second)
}

// send sends a request once.
func (c *client) send(ctx context.Context, one call) (*answer, error) {
	if err := c.bucket.take(ctx); err != nil {
		return nil, err
	}
	request, err := c.newRequest(ctx, one)
	if err != nil {
		return nil, err
	}
	token, err := c.auth.sign(ctx, request)
	if err != nil {
		return nil, err
	}
	a, err := c.exchange(ctx, request)
	if a != nil {
		a.token = token
	}
	return a, err
}

// exchange sends a request that is ready, and reads its answer.
func (c *client) exchange(ctx context.Context, request *http.Request) (*answer, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(ctx, request.URL, err)
	}
	defer func() { _ = response.Body.Close() }() // it has been read
	body, err := readAll(response)
	if err != nil {
		if errors.Is(err, errTooLarge) {
			return nil, &bridge.Error{Code: bridge.CodeSourceBroken, Message: "an answer has more than 64 MiB", Hint: "Set page.size to less."}
		}
		return nil, c.brokenOff(ctx, request.URL, len(body), err)
	}
	a := &answer{status: response.StatusCode, header: response.Header, body: body, url: request.URL}
	a.decode()
	return a, nil
}

var errTooLarge = errors.New("the answer is too large")

// readAll reads a body, with room for what is announced.
func readAll(response *http.Response) ([]byte, error) {
	if response.ContentLength > maxAnswer {
		return nil, errTooLarge
	}
	buffer := bytes.NewBuffer(make([]byte, 0, max(response.ContentLength+bytes.MinRead, 4<<10)))
	n, err := buffer.ReadFrom(io.LimitReader(response.Body, maxAnswer+1))
	if n > maxAnswer {
		return nil, errTooLarge
	}
	return buffer.Bytes(), err
}

// newRequest makes a request, without its credentials.
func (c *client) newRequest(ctx context.Context, one call) (*http.Request, error) {
	values := c.values.with(one.values)
	address, err := c.address(one, values)
	if err != nil {
		return nil, err
	}
	body, err := one.request.body(values)
	if err != nil {
		return nil, err
	}
	method := one.request.Method
	if method == "" {
		method = http.MethodGet
		if body != nil {
			method = http.MethodPost
		}
	}
	request, err := http.NewRequestWithContext(source.WithSubstituted(ctx, one.substituted()), method, address.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "contactbridge")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, headers := range []map[string]Text{c.factory.language.Headers, one.request.Headers} {
		for name, t := range headers {
			value, err := t.expand(values, inHeader)
			if err != nil {
				return nil, err
			}
			if value != "" {
				request.Header.Set(name, value)
			}
		}
	}
	return request, nil
}

// body returns the request's body; nil without one.
func (r *Request) body(values scope) ([]byte, error) {
	if r.Body.IsZero() {
		return nil, nil
	}
	filled, err := r.Body.root.fill(values)
	if err != nil {
		return nil, err
	}
	return json.Marshal(filled)
}

// address returns where a request goes.
func (c *client) address(one call, values scope) (*url.URL, error) {
	if one.address != "" {
		return c.link(one.address)
	}
	path, err := one.request.Path.expand(values, source.EscapeURL)
	if err != nil {
		return nil, err
	}
	address, err := c.resolve(path)
	if err != nil {
		return nil, err
	}
	query := address.Query()
	for name, t := range one.request.Query {
		value, err := t.expand(values, nil)
		if err != nil {
			return nil, err
		}
		if value != "" {
			query.Set(name, value)
		}
	}
	address.RawQuery = query.Encode()
	return address, nil
}

// resolve returns the address of a path after base, or of an address whose host is permitted.
func (c *client) resolve(path string) (*url.URL, error) {
	if strings.Contains(path, "://") {
		return c.link(path)
	}
	address, err := url.Parse(strings.TrimRight(c.base.String(), "/") + "/" + strings.TrimLeft(path, "/"))
	if err != nil {
		return nil, &bridge.Error{Code: bridge.CodeSourceBroken, Message: "a path is not valid in a URL", Hint: "Correct the path of the request."}
	}
	return address, nil
}

// link returns an address that an answer brought. Its host must be base's, or end as hosts permits: credentials go nowhere else. A
// service behind a proxy that ends TLS may write http where it is asked by https: what is base's but for that is followed by https.
func (c *client) link(text string) (*url.URL, error) {
	refused := &bridge.Error{Code: bridge.CodeSourceBroken, Message: "an answer leads to an address that is not permitted", Hint: "Let the service write links that have a host and no user."}
	address, err := url.Parse(text)
	if err != nil || address.User != nil {
		return nil, refused
	}
	if address = c.base.ResolveReference(address); address.Host == "" {
		return nil, refused
	}
	sameHost, isOfHosts := strings.EqualFold(address.Hostname(), c.base.Hostname()), c.isOfHosts(address.Hostname())
	plain := address.Scheme == "http" && c.base.Scheme == "https" && (address.Port() == c.base.Port() || address.Port() == "80" && portOf(c.base) == "443")
	switch {
	case sameHost && (plain || address.Scheme == c.base.Scheme && portOf(address) == portOf(c.base)):
		address.Scheme, address.Host = c.base.Scheme, c.base.Host
		return address, nil
	case isOfHosts && address.Scheme == "https" && portOf(address) == "443":
		return address, nil
	case sameHost:
		refused.Hint = "It has another scheme or port than the API's address, and hosts does not permit that. Let the service write links as its clients reach it, or write that scheme and port in url."
	case isOfHosts:
		refused.Hint = "Its host is one of hosts, which are asked by https and at its usual port only. Let the service write such links."
	default:
		refused.Hint = "If that host belongs to the service, add what it ends in to hosts."
	}
	refused.Message += ": " + address.Scheme + "://" + address.Host
	return nil, refused
}

// isOfHosts reports whether a host ends as the language's hosts permit.
func (c *client) isOfHosts(host string) bool {
	host = strings.ToLower(host)
	return slices.ContainsFunc(c.factory.language.Hosts, func(suffix string) bool {
		return strings.HasPrefix(suffix, ".") && strings.HasSuffix(host, suffix) || host == suffix
	})
}

// portOf returns the port that an address is reached at.
func portOf(address *url.URL) string {
	if port := address.Port(); port != "" {
		return port
	}
	if address.Scheme == "https" {
		return "443"
	}
	return "80"
}

// inHeader lets a value stand in a header.
func inHeader(value string) (string, error) {
	if strings.ContainsAny(value, "\r\n\x00") {
		return "", &bridge.Error{Code: bridge.CodeUnauthorized, Message: "a credential holds a line break", Hint: "Send it without one."}
	}
	return value, nil
}
