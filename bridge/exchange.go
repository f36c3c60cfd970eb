package bridge

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"mime"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/failure"
)

const (
	maxRequestBody  = 1 << 20
	requestIDHeader = "X-Request-Id"
	retryAfter      = 30 * time.Second // where a source does not know better (D5)
)

// An exchange is one request and its answer.
type exchange struct {
	h       *Handler
	w       http.ResponseWriter
	r       *http.Request
	id      string
	auth    Auth // kept out of the log
	arrived time.Time
	written bool
	judged  func(Verdict) // of Handler.Guesses; nil: the credentials were not looked at
	late    bool          // the body did not arrive in time: net/http takes the caller to have gone, but it has not
	seen    Observation
	err     error       // what the request failed with
	notes   []slog.Attr // for the log only
}

func (h *Handler) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{h: h, w: w, r: r, id: RequestID(r), arrived: time.Now(), seen: Observation{Endpoint: h.Name}}
	w.Header().Set(requestIDHeader, x.id)
	return x
}

// RequestID returns the id under which a request is logged: the caller's own X-Request-Id if it is a sane one, otherwise a new
// one.
func RequestID(r *http.Request) string {
	if id := r.Header.Get(requestIDHeader); saneID(id) {
		return id
	}
	return newRequestID()
}

func newRequestID() string {
	var b [12]byte
	binary.LittleEndian.PutUint64(b[:], rand.Uint64()) // an id is no secret
	binary.LittleEndian.PutUint32(b[8:], rand.Uint32())
	return hex.EncodeToString(b[:])
}

func saneID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	return strings.IndexFunc(id, func(r rune) bool {
		letter := r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && !strings.ContainsRune("-_.:+/=", r)
	}) < 0
}

// readRequest checks method, type and size, and decodes the body (D5).
func (x *exchange) readRequest() (request, error) {
	if x.r.Method != http.MethodPost {
		x.w.Header().Set("Allow", http.MethodPost)
		return request{}, &Error{
			Code:    CodeMethodNotAllowed,
			Message: "the method is " + printableName(x.r.Method) + ", not POST",
			Hint:    "Send a POST request with a JSON body.",
		}
	}
	if err := checkMediaType(x.r.Header); err != nil {
		return request{}, err
	}
	body, err := x.readBody()
	if err != nil {
		return request{}, err
	}
	return decodeRequest(body)
}

// checkMediaType accepts JSON, and for want of a type takes the body's word for it.
func checkMediaType(header http.Header) error {
	e := &Error{Code: CodeUnsupportedMediaType, Hint: "Send a JSON body, with Content-Type: application/json."}
	if coding := header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		e.Message = "the request's body is compressed"
		return e
	}
	given := header.Get("Content-Type")
	if given == "" {
		return nil
	}
	kind, _, err := mime.ParseMediaType(given)
	if err == nil && (kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json")) {
		return nil
	}
	e.Message = "the request's Content-Type is " + strconv.Quote(printableName(given)) + ", not application/json"
	return e
}

// Guesses hold off callers that keep on sending wrong credentials. Their method may be called concurrently.
type Guesses interface {
	// Try says how long a caller must wait before such credentials are looked at. Where that is 0 they are looked at now, and
	// judged is called once, with what they are: until then the try counts as a wrong one, so that many at once are no more
	// than many one after another.
	Try(r *http.Request, auth Auth) (judged func(Verdict), wait time.Duration)
}

// A Verdict says whether credentials are good.
type Verdict int

// The verdicts.
const (
	Unknown Verdict = iota // something else failed before that was known
	Wrong
	Good
)

// authenticate lets in callers with good credentials, and holds off those that guess.
func (x *exchange) authenticate(auth Auth) error {
	if x.h.Guesses == nil {
		return x.h.authenticate(auth)
	}
	judged, wait := x.h.Guesses.Try(x.r, auth)
	if wait > 0 {
		return &Error{
			Code: CodeRateLimited, RetryAfter: wait,
			Message: "too many requests with wrong credentials came from this address",
			Hint:    "Wait as long as Retry-After says, and check the values of auth against the endpoint's configuration.",
		}
	}
	x.judged = judged
	return x.h.authenticate(auth)
}

// judge tells what the credentials were: the source may refuse them later than the endpoint. Other failures say nothing of them.
func (x *exchange) judge() {
	switch {
	case x.judged == nil:
	case x.seen.Code == CodeUnauthorized:
		x.judged(Wrong)
	case x.seen.Code == "":
		x.judged(Good)
	default:
		x.judged(Unknown)
	}
}

// readBody reads the body, which must arrive in time like everything else.
func (x *exchange) readBody() ([]byte, error) {
	control := http.NewResponseController(x.w)
	// Where deadlines are not to be had the server's own timeout must do.
	_ = control.SetReadDeadline(x.arrived.Add(x.h.Limits.hard()))
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxRequestBody))
	if err == nil {
		_ = control.SetReadDeadline(time.Time{}) // or the server would take the caller to have gone
		return body, nil
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &Error{
			Code:    CodeBodyTooLarge,
			Message: "the request's body is larger than 1 MiB",
			Hint:    "A request holds credentials, a checkpoint, an offset and a context. Even together they are much smaller.",
		}
	}
	x.late = errors.Is(err, os.ErrDeadlineExceeded)
	return nil, &Error{
		Code:    CodeBadRequest,
		Message: "the request's body did not arrive completely",
		Hint:    "Check the connection between caller and bridge, and that Content-Length is the body's length.",
		Err:     err,
	}
}

// end logs and measures the request, whatever became of it.
func (x *exchange) end() {
	if reason := recover(); reason != nil {
		if reason == http.ErrAbortHandler { //nolint:errorlint // panics are compared, not wrapped
			panic(reason)
		}
		x.fail(&panicError{reason: reason, stack: debug.Stack()})
	}
	x.judge()
	x.seen.Duration = time.Since(x.arrived)
	x.log()
	if x.h.Observe != nil {
		x.h.Observe(x.seen)
	}
}

// fail answers with an error. A caller that has gone gets one too: what looks like it may be this server's own end, and
// an answer without a word would pass for 200 (T11).
func (x *exchange) fail(err error) {
	x.err = err
	gone := x.r.Context().Err() != nil && !x.late
	if gone {
		err = &Error{Code: CodeSourceUnavailable, Message: "the request was ended before it was answered", Hint: "Send it again."}
	}
	e := wireError(err, x.id)
	x.seen.Code = e.Code
	if !x.written {
		x.written = true
		x.seen.Status = HTTPStatus(e.Code)
		writeError(x.w, e)
	}
	if gone {
		x.seen.Code, x.seen.Status = CodeCanceled, 0
	}
}

// wireError returns an error as a caller may see it: without causes, which may hold anything.
func wireError(err error, id string) *Error {
	wire := &Error{Code: CodeInternal, Message: "the bridge failed", Hint: "Look for the request id in the bridge's log.", RequestID: id}
	if known := failure.Of(err); known.Code != "" {
		wire.Code, wire.Message, wire.Hint, wire.RetryAfter = known.Code, known.Message, known.Hint, RetryAfter(err)
	} else if errors.Is(err, context.DeadlineExceeded) {
		wire.Code, wire.Message = CodeSourceTimeout, "the external service did not answer in time"
		wire.Hint = "Try again later; if it happens always, look at what the external service is busy with."
	}
	switch wire.Code {
	case CodeRateLimited, CodeSourceBroken, CodeSourceUnavailable, CodeSourceTimeout:
		wire.RetryAfter = orDefault(wire.RetryAfter, retryAfter)
	}
	return wire
}

// WriteError answers a request with an error body (D5), for what a program serves besides handlers: its 404, its limits.
// err's causes are not shown. The request's id is that of the answer's X-Request-Id header, which is set if it is not.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	id := w.Header().Get(requestIDHeader)
	if id == "" {
		id = RequestID(r)
		w.Header().Set(requestIDHeader, id)
	}
	writeError(w, wireError(err, id))
}

func writeError(w http.ResponseWriter, e *Error) {
	body := append([]byte(nil), `{"error":{"code":`...)
	body = contact.AppendString(body, string(e.Code))
	body = contact.AppendString(append(body, `,"message":`...), e.Message)
	body = contact.AppendString(append(body, `,"hint":`...), e.Hint)
	body = contact.AppendString(append(body, `,"request_id":`...), e.RequestID)
	body = append(body, "}}\n"...)
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	setJSONHeaders(w.Header(), len(body))
	w.WriteHeader(HTTPStatus(e.Code))
	_, _ = w.Write(body) // a caller that has gone has no use for the error either
}

// log writes the request's line.
func (x *exchange) log() {
	level := slog.LevelInfo
	switch {
	case x.seen.Status >= http.StatusInternalServerError:
		level = slog.LevelError
	case x.seen.Status >= http.StatusBadRequest || x.seen.LeftOut > 0 || x.seen.Cut == CutError:
		level = slog.LevelWarn
	}
	logger := x.h.logger()
	if !logger.Enabled(x.r.Context(), level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 20),
		slog.String("request_id", x.id), slog.String("endpoint", x.h.Name), slog.String("path", x.seen.Path),
		slog.Int("status", x.seen.Status), slog.Duration("duration", time.Since(x.arrived)))
	if x.seen.Cut != "" {
		attrs = append(attrs, slog.Bool("initial", x.seen.Initial), slog.Int("contacts", x.seen.Contacts),
			slog.Int("deleted", x.seen.Deleted), slog.Int("bytes", x.seen.Bytes), slog.String("cut", string(x.seen.Cut)))
	}
	if x.err != nil {
		attrs = append(attrs, slog.String("code", string(x.seen.Code)), slog.String("error", redactError(x.err, x.auth)))
		if e, ok := errors.AsType[*panicError](x.err); ok {
			attrs = append(attrs, slog.String("stack", string(e.stack)))
		}
	}
	logger.LogAttrs(x.r.Context(), level, "request", append(attrs, x.notes...)...)
}

// A panicError is a panic of a source, caught.
type panicError struct {
	reason any
	stack  []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.reason) }

// guarded calls f and turns a panic into an error.
func guarded(f func() error) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = &panicError{reason: reason, stack: debug.Stack()}
		}
	}()
	return f()
}
