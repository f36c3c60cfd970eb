package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

// A problem is an error as the API answers it.
type problem struct {
	status     int
	retryAfter int // seconds; 0: unknown
	failure    failure.Error
}

// Error returns the message.
func (p *problem) Error() string { return p.failure.Message }

// Explain returns what the caller is told.
func (p *problem) Explain() failure.Error { return p.failure }

// GetStatus is the HTTP status.
func (p *problem) GetStatus() int { return p.status }

// statuses is the table of a problem's codes.
var statuses = map[failure.Code]int{
	"bad_request":            http.StatusBadRequest,
	"unauthorized":           http.StatusUnauthorized,
	failure.Denied:           http.StatusForbidden,
	failure.NotFound:         http.StatusNotFound,
	"method_not_allowed":     http.StatusMethodNotAllowed,
	"timeout":                http.StatusRequestTimeout,
	failure.Conflict:         http.StatusConflict,
	failure.Managed:          http.StatusConflict,
	"body_too_large":         http.StatusRequestEntityTooLarge,
	"unsupported_media_type": http.StatusUnsupportedMediaType,
	failure.Invalid:          http.StatusUnprocessableEntity,
	failure.Busy:             http.StatusTooManyRequests,
	"internal":               http.StatusInternalServerError,
	"unavailable":            http.StatusServiceUnavailable,
}

func newProblem(code failure.Code, message, hint string) *problem {
	return &problem{status: statuses[code], failure: failure.Error{Code: code, Message: message, Hint: hint}}
}

func invalid(field, message, hint string) *problem {
	p := newProblem(failure.Invalid, message, hint)
	p.failure.Field = field
	return p
}

// problemOf is an error as a caller may see it; what may hold anything is left to the log.
func problemOf(ctx context.Context, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if all := failure.All(err); len(all) > 0 && tellable(all[0].Code) {
		return problemOfAll(all)
	}
	exchange.Of(ctx).Err = err
	if ctx.Err() != nil {
		return newProblem("unavailable", "The request was ended before it was answered.", "Send it again.")
	}
	return newProblem("internal", "The hub failed.", "Look for the request id in the hub's log.")
}

// tellable reports whether errors of this code are about the request, and so are shown to its sender.
func tellable(code failure.Code) bool {
	switch code {
	case failure.Invalid, failure.NotFound, failure.Conflict, failure.Managed, failure.Denied, failure.Busy:
		return true
	}
	return false
}

// problemOfAll returns several errors as one. Code and field are those of the first.
func problemOfAll(all []failure.Error) *problem {
	p := newProblem(all[0].Code, sentence(all[0].Message), all[0].Hint)
	p.failure.Field = all[0].Field
	for _, e := range all[1:] {
		p.failure.Message += " " + sentence(e.Message)
		p.failure.Hint = strings.TrimSpace(p.failure.Hint + " " + sentence(e.Hint))
	}
	return p
}

// Write answers with the problem.
func (p *problem) Write(w http.ResponseWriter, r *http.Request) {
	p.setHeaders(w.Header().Set)
	exchange.WriteError(w, r, p.status, p.failure)
}

func (p *problem) setHeaders(set func(name, value string)) {
	if p.status == http.StatusUnauthorized {
		set("WWW-Authenticate", `Bearer realm="contactbridge"`)
	}
	if p.retryAfter > 0 {
		set("Retry-After", strconv.Itoa(p.retryAfter))
	}
}

// shapeProblem gives errors, ours and the framework's, their one shape.
func shapeProblem(ctx huma.Context, _ string, v any) (any, error) {
	var p *problem
	switch v := v.(type) {
	case *problem:
		p = v
	case *huma.ErrorModel:
		p = frameworkProblem(ctx.Context(), v)
	default:
		return v, nil
	}
	p.setHeaders(ctx.SetHeader)
	ctx.SetHeader("Content-Type", "application/json")
	return exchange.BodyOf(ctx.Context(), p.failure), nil
}

const seeDocument = "GET /api/v1/openapi.json describes what this operation takes."

// frameworkProblem tells what is wrong with a request. It never repeats a value, which may be a credential.
func frameworkProblem(ctx context.Context, e *huma.ErrorModel) *problem {
	code := failure.Invalid
	for name, status := range statuses {
		if status == e.Status && name != failure.Managed {
			code = name
		}
	}
	p := newProblem(code, sentence(e.Detail), seeDocument)
	if e.Status == http.StatusInternalServerError {
		exchange.Of(ctx).Err = fmt.Errorf("%s: %v", e.Detail, e.Errors)
		p.failure.Message, p.failure.Hint = "The hub failed.", "Look for the request id in the hub's log."
		return p
	}
	var sentences []string
	for _, d := range e.Errors {
		field := fieldOf(d.Location)
		if p.failure.Field == "" {
			p.failure.Field = field
		}
		sentences = append(sentences, complaint(field, d))
	}
	if len(sentences) > 0 {
		p.failure.Message = strings.Join(sentences, " ")
	}
	return p
}

// fieldOf is a place as the API's users call it: body.schedule.every is schedule.every.
func fieldOf(location string) string {
	for _, part := range []string{"body", "query", "path", "header"} {
		if location == part {
			return ""
		}
		if rest, ok := strings.CutPrefix(location, part+"."); ok {
			return rest
		}
	}
	return location
}

func complaint(field string, d *huma.ErrorDetail) string {
	switch {
	case d.Message == "unknown query parameter":
		return fmt.Sprintf("Unknown query parameter %q.", field)
	case d.Message == "unexpected property":
		return fmt.Sprintf("Unknown field %q.", field)
	case strings.HasPrefix(d.Message, "unknown content type"):
		return "The body is not sent as application/json."
	}
	return cmp.Or(field, "The body") + ": " + strings.TrimSuffix(d.Message, ".") + "."
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}
