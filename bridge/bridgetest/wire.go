package bridgetest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"
)

// An exchange is one request and its answer, as they were on the wire.
type exchange struct {
	label  string // which case asked, and why
	method string
	url    string
	header http.Header
	body   []byte

	sent   time.Time
	took   time.Duration // until the answer's last byte
	reused bool          // the connection had been used before

	status       int // 0: no answer
	answerHeader http.Header
	answer       []byte
	err          error  // why there is no answer, or no whole one
	echoed       string // the key of a credential that the answer contained
}

// moment is when the request was sent, by the bridge's clock where that differs from ours.
func (e *exchange) moment() time.Time {
	const same = 2 * time.Second // a Date header is cut to the second
	date, err := http.ParseTime(e.answerHeader.Get("Date"))
	if answered := e.sent.Add(e.took); err == nil && answered.Sub(date).Abs() > same {
		return e.sent.Add(date.Sub(answered))
	}
	return e.sent
}

// A carrier takes the check's actions to the bridge, or to a recording of one.
type carrier interface {
	send(ctx context.Context, e *exchange)
	mutate(ctx context.Context, verb Verb, id string) (string, error)
	restart(ctx context.Context) error
	handshake(ctx context.Context, address string) handshake
	sleep(ctx context.Context, d time.Duration)
	now() time.Time
	close() error
}

// A handshake says whether the bridge's certificate can be trusted.
type handshake struct {
	Problem string    `json:"problem,omitempty"`
	Expires time.Time `json:"expires"`
}

// live talks to a real bridge.
type live struct {
	target    Target
	client    *http.Client
	patience  time.Duration
	bodyLimit int64
}

// newLive makes the carrier to a real bridge. It decompresses nothing and follows no redirect, since both would hide what
// is on the wire.
func newLive(target Target, o Options) *live {
	transport := o.Transport
	if transport == nil {
		transport = ownTransport(target.URL)
	}
	return &live{
		target: target,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		patience:  o.AnswerLimit * 3 / 2,
		bodyLimit: o.BodyLimit,
	}
}

func ownTransport(rawURL string) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	if u, err := url.Parse(rawURL); err == nil && isLoopback(u.Hostname()) {
		// Loopback traffic cannot be intercepted and has no public certificates: there the certificate is only reported.
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
	return t
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (l *live) send(ctx context.Context, e *exchange) {
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) { e.reused = c.Reused },
	})
	e.sent = time.Now()
	defer func() { e.took = time.Since(e.sent) }()
	request, err := http.NewRequestWithContext(ctx, e.method, e.url, bytes.NewReader(e.body))
	if err != nil {
		e.err = err
		return
	}
	request.Header = e.header.Clone()
	// Never sent: it lets the transport ask again on a new connection where the bridge has closed an idle one meanwhile.
	request.Header["Idempotency-Key"] = []string{}
	response, err := l.client.Do(request)
	if err != nil {
		e.err = l.explain(err)
		return
	}
	defer response.Body.Close()
	e.status, e.answerHeader = response.StatusCode, response.Header
	e.answer, e.err = l.read(response)
}

// read takes the answer's body whole, or says why it could not.
func (l *live) read(response *http.Response) ([]byte, error) {
	var buffer bytes.Buffer
	if n := response.ContentLength; n > 0 && n <= l.bodyLimit {
		buffer.Grow(int(n) + bytes.MinRead)
	}
	_, err := buffer.ReadFrom(io.LimitReader(response.Body, l.bodyLimit+1))
	switch {
	case err != nil:
		return buffer.Bytes(), fmt.Errorf("the answer broke off after %d bytes: %w", buffer.Len(), l.explain(err))
	case int64(buffer.Len()) > l.bodyLimit:
		return buffer.Bytes()[:l.bodyLimit], fmt.Errorf("the answer is larger than %d bytes, the rest was not read", l.bodyLimit)
	}
	return buffer.Bytes(), nil
}

// explain says what went wrong without the URL, which may hold a token.
func (l *live) explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no whole answer within %s", l.patience)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func (l *live) mutate(ctx context.Context, verb Verb, id string) (string, error) {
	return l.target.Mutate(ctx, verb, id)
}

func (l *live) restart(ctx context.Context) error {
	l.client.CloseIdleConnections()
	return l.target.Restart(ctx)
}

// handshake looks at the certificate without sending anything over the connection.
func (l *live) handshake(ctx context.Context, address string) handshake {
	host, _, _ := net.SplitHostPort(address)
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: l.patience},
		Config:    &tls.Config{InsecureSkipVerify: true, ServerName: host},
	}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return handshake{Problem: fmt.Sprintf("no TLS connection: %v", err)}
	}
	defer connection.Close()
	chain := connection.(*tls.Conn).ConnectionState().PeerCertificates
	h := handshake{Expires: chain[0].NotAfter}
	options := x509.VerifyOptions{DNSName: host, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(options); err != nil {
		h.Problem = err.Error()
	}
	return h
}

func (l *live) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (l *live) now() time.Time { return time.Now() }

func (l *live) close() error {
	l.client.CloseIdleConnections()
	return nil
}
