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

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

// A problem is an error as the API answers it.
type problem struct {
	status     int
	retryAfter int // seconds; 0: nobody knows
	detail     exchange.Detail
}

// Error is the message.
func (p *problem) Error() string { return p.detail.Message }

// GetStatus is the HTTP status.
func (p *problem) GetStatus() int { return p.status }

// statuses is the table of a problem's codes.
var statuses = map[string]int{
	"bad_request":            http.StatusBadRequest,
	"unauthorized":           http.StatusUnauthorized,
	"denied":                 http.StatusForbidden,
	"not_found":              http.StatusNotFound,
	"method_not_allowed":     http.StatusMethodNotAllowed,
	"timeout":                http.StatusRequestTimeout,
	"conflict":               http.StatusConflict,
	"managed":                http.StatusConflict,
	"body_too_large":         http.StatusRequestEntityTooLarge,
	"unsupported_media_type": http.StatusUnsupportedMediaType,
	"invalid":                http.StatusUnprocessableEntity,
	"rate_limited":           http.StatusTooManyRequests,
	"internal":               http.StatusInternalServerError,
	"unavailable":            http.StatusServiceUnavailable,
}

func newProblem(code, message, hint string) *problem {
	return &problem{status: statuses[code], detail: exchange.Detail{Code: code, Message: message, Hint: hint}}
}

func invalid(field, message, hint string) *problem {
	p := newProblem("invalid", message, hint)
	p.detail.Field = field
	return p
}

// problemOf is an error as a caller may see it; what may hold anything is left to the log.
func problemOf(ctx context.Context, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if all := hub.Errors(err); len(all) > 0 {
		if _, known := statuses[string(all[0].Kind)]; known {
			p := newProblem(string(all[0].Kind), sentence(all[0].Message), all[0].Hint)
			p.detail.Field = all[0].Field // the first; the message tells the others as well
			for _, e := range all[1:] {
				p.detail.Message += " " + sentence(e.Message)
				p.detail.Hint = strings.TrimSpace(p.detail.Hint + " " + sentence(e.Hint))
			}
			return p
		}
	}
	switch {
	case errors.Is(err, registry.ErrNotFound), errors.Is(err, directory.ErrNotFound):
		return newProblem("not_found", "There is no such thing here.", "Check the names in the path, and the account.")
	case errors.Is(err, registry.ErrExists):
		return newProblem("conflict", "There is one of this name already.", "Choose another name, or change the one there is.")
	case errors.Is(err, registry.ErrManaged):
		return newProblem("managed", "It is declared by the configuration file.", "Change it there, and start the hub again.")
	case errors.Is(err, directory.ErrUnderWay):
		return newProblem("conflict", "A run of this integration is under way.", "Cancel it, or wait for its end.")
	}
	exchange.Of(ctx).Err = err
	if ctx.Err() != nil {
		return newProblem("unavailable", "The request was ended before it was answered.", "Send it again.")
	}
	return newProblem("internal", "The hub failed.", "Look for the request id in the hub's log.")
}

// Write answers with the problem.
func (p *problem) Write(w http.ResponseWriter, r *http.Request) {
	p.setHeaders(w.Header().Set)
	exchange.WriteError(w, r, p.status, p.detail)
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
	detail := p.detail
	detail.RequestID = exchange.Of(ctx.Context()).ID
	return exchange.ErrorBody{Error: detail}, nil
}

const seeDocument = "GET /api/v1/openapi.json describes what this operation takes."

// frameworkProblem tells what is wrong with a request. It never repeats a value, which may be a credential.
func frameworkProblem(ctx context.Context, e *huma.ErrorModel) *problem {
	code := "invalid"
	for name, status := range statuses {
		if status == e.Status && name != "managed" {
			code = name
		}
	}
	p := newProblem(code, sentence(e.Detail), seeDocument)
	if e.Status == http.StatusInternalServerError {
		exchange.Of(ctx).Err = fmt.Errorf("%s: %v", e.Detail, e.Errors)
		p.detail.Message, p.detail.Hint = "The hub failed.", "Look for the request id in the hub's log."
		return p
	}
	var sentences []string
	for _, d := range e.Errors {
		field := fieldOf(d.Location)
		if p.detail.Field == "" {
			p.detail.Field = field
		}
		sentences = append(sentences, complaint(field, d))
	}
	if len(sentences) > 0 {
		p.detail.Message = strings.Join(sentences, " ")
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
		return fmt.Sprintf("There is no query parameter %q.", field)
	case d.Message == "unexpected property":
		return fmt.Sprintf("There is no field %q.", field)
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
