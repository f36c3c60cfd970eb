package bridge

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/contact"
)

// The defaults of [Client]: bytes of an answer, and how long one may take.
const (
	DefaultMaxBody = 32 << 20
	DefaultTimeout = 10 * time.Second // P12
)

// A Client asks any bridge for pages. It reads leniently (D1) and never takes a failure for an empty page (T11). Its
// errors are of type [*Error], each with a hint, and hold no credential, not even one that the bridge echoes.
//
// A client may be used by several goroutines at once. It must not be copied after its first use.
type Client struct {
	URL  string // of the bridge's contact_sync endpoint
	Auth Auth   // sent with every request (P1)

	// HTTP sends the requests; its redirect policy is not used, redirects are never followed. Nil means a client of its own
	// that keeps connections open.
	HTTP *http.Client

	// MaxBody is the most bytes of an answer's body, decompressed. Default [DefaultMaxBody].
	MaxBody int64

	// Budget bounds the memory of the pages of all clients that share it; nil does not bound it. A page holds its room until
	// its Release is called.
	Budget *Budget

	// Timeout is how long a request may take, to the last byte of its answer (P12). Default [DefaultTimeout].
	Timeout time.Duration

	// UserAgent is sent as such. Default "contactbridge".
	UserAgent string

	// Inside says that the bridge is a source in this process: its errors are told in its own words, without the status that nobody
	// sent over a network.
	Inside bool

	once sync.Once
	own  *http.Client
}

// A PageRequest asks for one page (P2–P4). Empty and nil mean absent.
type PageRequest struct {
	Checkpoint        string
	Offset            string
	Context           json.RawMessage
	SupportsDeletions bool // D7
}

// A Page is one answer (P6–P9).
type Page struct {
	Contacts   []contact.Contact // each with an id and a name (D6)
	Deleted    []string          // ids (D7)
	Rejected   []Rejected        // contacts that could not be taken, by the client or by the bridge itself (D6, D8)
	NextOffset string            // empty: the run is complete
	Checkpoint string            // empty: the page set none
	Context    json.RawMessage   // nil: none
	// Restarted: the bridge could not use the checkpoint and answers with every contact, as on an initial run (D10).
	Restarted bool
	// Exact: the bridge's offsets are exact positions, so that a run which was interrupted still proves who is absent (D8).
	Exact bool
	Bytes int64 // of the answer's body, decompressed

	// Release gives the page's room in the client's budget back, once the page is not used any more; to call it again does
	// nothing. Nil without a budget. The room of a page that is forgotten comes back when its memory does.
	Release func()
}

// A Rejected contact could not be taken.
type Rejected struct {
	ID     string // empty if it is missing or unknown: then it is unknown which contacts were shown (D8)
	Reason string // a phrase: "has no id"
}

// Page asks for one page. Where the client has a budget, its caller releases the page.
func (c *Client) Page(ctx context.Context, q PageRequest) (*Page, error) {
	body, err := c.pageBody(q)
	if err != nil {
		return nil, err
	}
	var page *Page
	err = c.post(ctx, c.URL, body, func(a *answer) (err error) {
		page, err = a.page()
		return err
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// maxBody returns the most bytes of an answer.
func (c *Client) maxBody() int64 {
	if c.MaxBody <= 0 {
		return DefaultMaxBody
	}
	return c.MaxBody
}

// Validate asks the auth_validation endpoint at an address whether the client's credentials are good (P13): nil error if so.
// The result holds the values that the bridge wants in addition from now on; nil if it wants nothing.
func (c *Client) Validate(ctx context.Context, url string) (Auth, error) {
	body, err := encodeJSON(struct {
		Auth Auth `json:"auth"`
	}{c.auth()})
	if err != nil {
		return nil, err
	}
	var extra Auth
	err = c.post(ctx, url, body, func(a *answer) (err error) {
		extra, err = a.authFields()
		return err
	})
	if err != nil {
		return nil, err
	}
	return extra, nil
}

// CloseIdleConnections closes the connections that the client keeps for its next request.
func (c *Client) CloseIdleConnections() { c.client().CloseIdleConnections() }

// pageBody returns a request's body: absent values as null, as in the protocol's own example.
func (c *Client) pageBody(q PageRequest) ([]byte, error) {
	type meta struct {
		Checkpoint        *string         `json:"synchronization_checkpoint"`
		Offset            *string         `json:"offset"`
		Context           json.RawMessage `json:"context"`
		SupportsDeletions bool            `json:"supports_deletions,omitempty"`
	}
	body := struct {
		Auth Auth `json:"auth"`
		Meta meta `json:"meta"`
	}{c.auth(), meta{Context: q.Context, SupportsDeletions: q.SupportsDeletions}}
	if q.Checkpoint != "" {
		body.Meta.Checkpoint = &q.Checkpoint
	}
	if q.Offset != "" {
		body.Meta.Offset = &q.Offset
	}
	return encodeJSON(body)
}

func (c *Client) auth() Auth {
	if c.Auth == nil {
		return Auth{} // an empty object: some bridges take a null amiss
	}
	return c.Auth
}

func encodeJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // a context goes back as it came
	if err := enc.Encode(v); err != nil {
		return nil, &Error{
			Code: CodeBadRequest, Err: err,
			Message: "the request cannot be written as JSON",
			Hint:    "Start the run again: what was kept of its context is damaged.",
		}
	}
	return out.Bytes(), nil
}

// post sends a request and has its answer read.
func (c *Client) post(ctx context.Context, target string, body []byte, read func(*answer) error) error {
	limit := orDefault(c.Timeout, DefaultTimeout)
	timed, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(timed, http.MethodPost, target, bytes.NewReader(body))
	if err != nil || req.URL.Host == "" || req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return &Error{
			Code:    CodeNotFound,
			Message: "the bridge's address is not an http or https URL",
			Hint:    "Write it in full, as in https://bridge.example.com/crm/contact_sync.",
		}
	}
	id := newRequestID()
	c.setHeaders(req, id)
	a := &answer{client: c, id: id, limit: limit, ctx: ctx, timed: timed}
	a.time = newLimit(limit, func() { cancel(context.DeadlineExceeded) })
	defer a.time.timer.Stop()
	res, err := c.client().Do(req) //nolint:bodyclose // answer.close closes it
	if err != nil {
		return a.failed(err)
	}
	defer a.close()
	a.open(res)
	if err := a.checkStatus(); err != nil {
		return err
	}
	return read(a)
}

func (c *Client) setHeaders(req *http.Request, id string) {
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set(requestIDHeader, id)
	agent := c.UserAgent
	if agent == "" {
		agent = "contactbridge"
	}
	req.Header.Set("User-Agent", agent)
}

// client returns the HTTP client, made on first use. It never follows a redirect: credentials are meant for the configured
// address only.
func (c *Client) client() *http.Client {
	c.once.Do(func() {
		own := http.Client{Transport: c.transport()}
		if c.HTTP != nil {
			own = *c.HTTP
		}
		own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		c.own = &own
	})
	return c.own
}

// transport returns the default one, without compression for bridges on this machine, where it costs more than it saves.
func (c *Client) transport() http.RoundTripper {
	shared, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	own := shared.Clone()
	own.DisableCompression = isLoopback(c.URL)
	return own
}

func isLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	return u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
}

// Retryable reports whether the same request may succeed later: after failed or broken connections, timeouts, limits and
// every failure inside the bridge or the external service. A request that the bridge refuses, or an answer that does not
// follow the protocol, stays as it is until somebody repairs it.
func Retryable(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	switch e.Code {
	case CodeUnreachable:
		return !misaddressed(e.Err)
	case CodeTimeout, CodeRateLimited, CodeSourceBroken, CodeSourceUnavailable, CodeSourceTimeout:
		return true
	case CodeInternal:
		return e.Status >= http.StatusInternalServerError
	default:
		return false
	}
}

// misaddressed reports whether a connection failed because the address speaks another protocol or shows the wrong
// certificate. Waiting does not repair that.
func misaddressed(cause error) bool {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](cause)
	_, plain := errors.AsType[tls.RecordHeaderError](cause)
	return certificate || plain || errors.Is(cause, http.ErrSchemeMismatch)
}

// RetryAfter returns how long the bridge asks to wait; 0 if it does not say.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// size formats a number of bytes for people.
func size(n int64) string {
	const unit = 1 << 10
	switch {
	case n < unit:
		return fmt.Sprintf("%d bytes", n)
	case n < unit*unit:
		return fmt.Sprintf("%.4g KiB", float64(n)/unit)
	default:
		return fmt.Sprintf("%.4g MiB", float64(n)/(unit*unit))
	}
}
