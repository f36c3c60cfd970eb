package listener

import (
	"cmp"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Times bound how long a client holds a connection: by saying nothing, by sending a request byte by byte, or by not reading an
// answer. A field that is 0 has its default.
type Times struct {
	Header time.Duration // of a request, and a TLS handshake; 10 s
	Body   time.Duration // of a request, unless its handler gives it another time; 10 s
	Write  time.Duration // an answer from its first byte on, and a second more for every 128 KiB; or one piece of a stream; 30 s
	Idle   time.Duration // between two requests; 2 min
}

func (t Times) withDefaults() Times {
	return Times{
		Header: cmp.Or(t.Header, 10*time.Second), Body: cmp.Or(t.Body, 10*time.Second),
		Write: cmp.Or(t.Write, 30*time.Second), Idle: cmp.Or(t.Idle, 2*time.Minute),
	}
}

// leastRate is how many bytes a second an answer must be read at, after all.
const leastRate = 128 << 10

// Server returns a server that answers with a handler, within bounds. It logs what is wrong with connections as debug messages.
//
// A handler may set other deadlines by [http.ResponseController]. An answer that is flushed is a stream: each of its pieces has the
// time anew, so a stream that sends signs of life ends when they are not read.
func Server(handler http.Handler, maxHeaderBytes int, times Times, logger *slog.Logger) *http.Server {
	t := times.withDefaults()
	return &http.Server{
		Handler:           bounded(handler, t),
		ReadHeaderTimeout: t.Header,
		IdleTimeout:       t.Idle,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug), // callers that come and go need no log entry
		HTTP2:             &http.HTTP2Config{WriteByteTimeout: t.Write, SendPingTimeout: t.Idle, PingTimeout: t.Header},
	}
}

// bounded gives requests' bodies and answers their deadlines. Without a connection, as in some tests, it does nothing.
func bounded(next http.Handler, t Times) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{ResponseWriter: w, control: http.NewResponseController(w), time: t.Write}
		_ = a.control.SetWriteDeadline(time.Time{}) // the last answer's
		if r.Body != nil && r.Body != http.NoBody {
			_ = a.control.SetReadDeadline(time.Now().Add(t.Body))
			given := r.Body
			r = r.WithContext(r.Context()) // net/http must find its own body in its own request, or it would take the rest of it for a request
			r.Body = &body{ReadCloser: given, control: a.control}
		}
		next.ServeHTTP(a, r)
		a.extend(0) // what is still to be sent
	})
}

// A body is a request's.
type body struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read takes the deadline away at the body's end: it would pass for the caller's going otherwise.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// An answer has a deadline from its first byte on.
type answer struct {
	http.ResponseWriter
	control  *http.ResponseController
	time     time.Duration
	began    time.Time
	written  int64
	streamed bool
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// extend moves the deadline for n more bytes.
func (a *answer) extend(n int) {
	now := time.Now() //nolint:forbidigo // for deadlines of the connection
	if a.streamed || a.began.IsZero() {
		a.began, a.written = now, 0
	}
	a.written += int64(n)
	_ = a.control.SetWriteDeadline(a.began.Add(a.time + time.Duration(a.written)*time.Second/leastRate))
}

// WriteHeader sends the header.
func (a *answer) WriteHeader(status int) {
	a.extend(0)
	a.ResponseWriter.WriteHeader(status)
}

// Write sends some of the answer.
func (a *answer) Write(b []byte) (int, error) {
	a.extend(len(b))
	return a.ResponseWriter.Write(b)
}

// WriteString sends some of the answer.
func (a *answer) WriteString(s string) (int, error) {
	a.extend(len(s))
	return io.WriteString(a.ResponseWriter, s)
}

// FlushError sends what there is: the answer is a stream.
func (a *answer) FlushError() error {
	a.streamed = true
	a.extend(0)
	return a.control.Flush()
}

// Flush is FlushError for those who know no error.
func (a *answer) Flush() { _ = a.FlushError() }
