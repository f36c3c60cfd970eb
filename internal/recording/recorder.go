// Package recording keeps what a source asked a service and what it answered, with everything that is somebody's replaced: credentials,
// the tenant's name, and people's data. A recording can be sent to others, who run the same mapping over it without the service.
//
// What is not known to be harmless is replaced. What stays: the names of keys, the configuration's own words, times of changes, true
// and false, countries (numbers are read by them), and what the mapping compares values with.
package recording

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/source"
)

// Bounds of a recording. What comes after them is not kept.
const (
	maxExchanges = 2000
	maxBytes     = 128 << 20
)

// A Recorder carries requests, and keeps them and their answers in memory until [Recorder.Save] writes them with everything replaced:
// nothing that is somebody's is written to a file at any time.
type Recorder struct {
	next  http.RoundTripper
	began time.Time

	lock      sync.Mutex
	exchanges []heard
	bytes     int
	left      int // exchanges that were not kept
}

// heard is a request and its answer, as they were.
type heard struct {
	method string
	url    string
	header http.Header
	body   []byte
	data   source.Substituted

	status int
	got    http.Header
	answer []byte
	failed bool // there was no answer
}

// NewRecorder returns a recorder of what a transport carries; nil means [http.DefaultTransport]. began is when a replay takes place.
func NewRecorder(next http.RoundTripper, began time.Time) *Recorder {
	if next == nil {
		next = http.DefaultTransport
	}
	return &Recorder{next: next, began: began}
}

// RoundTrip implements [http.RoundTripper].
func (r *Recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	one := heard{method: request.Method, url: request.URL.String(), header: request.Header.Clone(), data: source.SubstitutedOf(request.Context())}
	if request.Body != nil {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		_ = request.Body.Close()
		request = request.Clone(request.Context())
		request.Body = io.NopCloser(bytes.NewReader(body))
		one.body = body
	}
	response, err := r.next.RoundTrip(request)
	if err != nil {
		one.failed = true
		r.keep(one)
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBytes))
	_ = response.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	one.status, one.got, one.answer = response.StatusCode, response.Header.Clone(), plain(response.Header, body)
	r.keep(one)
	return response, nil
}

// plain returns a body without its compression.
func plain(header http.Header, body []byte) []byte {
	if !strings.EqualFold(header.Get("Content-Encoding"), "gzip") {
		return body
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil
	}
	unpacked, err := io.ReadAll(io.LimitReader(z, maxBytes))
	if err != nil {
		return nil
	}
	return unpacked
}

func (r *Recorder) keep(one heard) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if len(r.exchanges) >= maxExchanges || r.bytes+len(one.answer) > maxBytes {
		r.left++
		return
	}
	r.bytes += len(one.answer)
	r.exchanges = append(r.exchanges, one)
}

// errLeft says that a recording is not whole.
func (r *Recorder) errLeft() error {
	if r.left == 0 {
		return nil
	}
	return &failure.Error{
		Code: failure.Invalid, Message: fmt.Sprintf("%d requests are not in the recording: it has %d requests and 128 MiB at most", r.left, maxExchanges),
		Hint: "Record fewer contacts: --examine 200.",
	}
}

// isToken reports whether a request fetches an access token.
func isToken(known source.Recorded, address string) bool {
	address, _, _ = strings.Cut(address, "?")
	return slices.Contains(known.Tokens, address)
}
