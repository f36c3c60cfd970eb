package bridge

import (
	"cmp"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/failure"
)

// A Code names the cause of an error; it goes over the wire in the error body (D5).
type Code = failure.Code

// The codes of the status table (D5), and below them those that only a caller sees.
const (
	CodeBadRequest           Code = "bad_request"            // malformed JSON, wrong types
	CodeInvalidOffset        Code = "invalid_offset"         // an offset that this bridge never issued, or no longer serves
	CodeInvalidCheckpoint    Code = "invalid_checkpoint"     // a checkpoint that this bridge never issued
	CodeUnauthorized         Code = "unauthorized"           // wrong or missing credentials (P13)
	CodeNotFound             Code = "not_found"              // no such path
	CodeMethodNotAllowed     Code = "method_not_allowed"     //
	CodeBodyTooLarge         Code = "body_too_large"         // the request's body
	CodeUnsupportedMediaType Code = "unsupported_media_type" // the request is not JSON
	CodeRateLimited          Code = "rate_limited"           // the external service limits us
	CodeInternal             Code = "internal"               // our own fault
	CodeSourceBroken         Code = "source_broken"          // the external service answered nonsense
	CodeSourceUnavailable    Code = "source_unavailable"     // the external service is down
	CodeSourceTimeout        Code = "source_timeout"         // the external service is slow

	CodeUnreachable  Code = "unreachable"    // no connection, or one that broke
	CodeTimeout      Code = "timeout"        // no complete answer within the protocol's 10 s (P12)
	CodeBadAnswer    Code = "bad_answer"     // an answer that is not the protocol's: not JSON, HTML, wrong types
	CodeAnswerTooBig Code = "answer_too_big" // an answer larger than the configured limit
	CodeRedirected   Code = "redirected"     // an answer that points elsewhere
	CodeLoop         Code = "loop"           // a run that makes no progress (D4, E8)
	CodeCanceled     Code = "canceled"       // the caller gave up; never on the wire
)

// An Error describes a failure between an external service, a bridge and its caller: a [failure.Error] with what the protocol has
// besides. Message says what happened, Hint what the operator can do about it. Neither holds a credential. It is read with
// [failure.Of].
type Error struct {
	Code       Code
	Message    string
	Hint       string
	RetryAfter time.Duration // when to try again; 0 if unknown
	Status     int           // the HTTP status that the error came with; 0 where it came with none
	RequestID  string        // the bridge's request id; empty if there is no id
	Err        error         // the cause; may be nil
}

// Error returns the message and the cause, if any.
func (e *Error) Error() string {
	plain := e.Explain()
	return plain.Error()
}

// Explain returns code, message, hint and cause.
func (e *Error) Explain() failure.Error {
	return failure.Error{Code: e.Code, Message: e.Message, Hint: e.Hint, Err: e.Err}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of an error (see [failure.Of]), or [CodeInternal] where it has none.
func CodeOf(err error) Code { return cmp.Or(failure.Of(err).Code, CodeInternal) }

// status is the one table between codes and HTTP statuses (D5).
var status = map[Code]int{
	CodeBadRequest:           http.StatusBadRequest,
	CodeInvalidOffset:        http.StatusBadRequest,
	CodeInvalidCheckpoint:    http.StatusBadRequest,
	CodeUnauthorized:         http.StatusUnauthorized,
	CodeNotFound:             http.StatusNotFound,
	CodeMethodNotAllowed:     http.StatusMethodNotAllowed,
	CodeBodyTooLarge:         http.StatusRequestEntityTooLarge,
	CodeUnsupportedMediaType: http.StatusUnsupportedMediaType,
	CodeRateLimited:          http.StatusTooManyRequests,
	CodeInternal:             http.StatusInternalServerError,
	CodeSourceBroken:         http.StatusBadGateway,
	CodeSourceUnavailable:    http.StatusServiceUnavailable,
	CodeSourceTimeout:        http.StatusGatewayTimeout,
}

// HTTPStatus returns the status that a bridge answers with where an error has this code (D5); 500 for a code that only callers use.
func HTTPStatus(code Code) int {
	if s, ok := status[code]; ok {
		return s
	}
	return http.StatusInternalServerError
}
