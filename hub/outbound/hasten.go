package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// An answer that has begun must bring something worth its time: so many bytes in so long, again and again, to its end. Without
// that, a byte a second would keep a worker for as long as an answer may take.
const (
	leastBytes = 1 << 10
	leastEvery = 10 * time.Second
)

// Hastening returns a transport that breaks off answers which bring too little for their time. The wait for an answer's first byte is
// not counted: the external service may have to think.
func Hastening(next http.RoundTripper) http.RoundTripper { return hastening{next, leastEvery} }

type hastening struct {
	next  http.RoundTripper
	every time.Duration
}

// RoundTrip implements [http.RoundTripper].
func (h hastening) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	response, err := h.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	response.Body = &hastened{ReadCloser: response.Body, stop: cancel, every: h.every}
	return response, nil
}

// A hastened body is broken off where it brings too little. Only the time that its reader waits for it counts.
type hastened struct {
	io.ReadCloser
	stop  context.CancelCauseFunc
	every time.Duration

	begun  bool          // there was a first byte
	read   int           // bytes, and
	waited time.Duration // time, since it last brought enough
}

// Read implements [io.Reader].
func (b *hastened) Read(p []byte) (int, error) {
	if !b.begun {
		n, err := b.ReadCloser.Read(p)
		b.begun = n > 0
		return n, err
	}
	slow := fmt.Errorf("it brought fewer than %d bytes in %s", leastBytes, b.every)
	cut := time.AfterFunc(b.every-b.waited, func() { b.stop(slow) })
	began := time.Now()
	n, err := b.ReadCloser.Read(p)
	late := !cut.Stop()
	b.read, b.waited = b.read+n, b.waited+time.Since(began)
	if b.read >= leastBytes {
		b.read, b.waited = 0, 0
	}
	if err != nil && !errors.Is(err, io.EOF) && late {
		err = slow
	}
	return n, err
}

// Close implements [io.Closer].
func (b *hastened) Close() error {
	defer b.stop(nil)
	return b.ReadCloser.Close()
}
