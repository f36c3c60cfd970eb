package exchange

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/contactbridge/contactbridge/failure"
)

// A Detail is the content of an error's body, whichever part of the hub answers.
type Detail struct {
	Code      string `json:"code" doc:"What kind of error it is, for programs." enum:"bad_request,unauthorized,denied,not_found,method_not_allowed,timeout,conflict,managed,body_too_large,unsupported_media_type,invalid,rate_limited,internal,unavailable"`
	Message   string `json:"message" doc:"What happened, a sentence."`
	Hint      string `json:"hint" doc:"What to do about it, a sentence; may be empty."`
	Field     string `json:"field,omitempty" doc:"The parameter or the body's field that it is about. Absent: the whole."`
	RequestID string `json:"request_id" doc:"The id under which the hub has logged the request."`
}

// An ErrorBody is the one shape of every error.
type ErrorBody struct {
	Error Detail `json:"error" doc:"What went wrong and what to do."`
}

// BodyOf returns the body for an error, without its cause, which may hold anything. The request's id is added.
func BodyOf(ctx context.Context, e failure.Error) ErrorBody {
	return ErrorBody{Detail{Code: string(e.Code), Message: e.Message, Hint: e.Hint, Field: e.Field, RequestID: Of(ctx).ID}}
}

// WriteError answers with the body of an error.
func WriteError(w http.ResponseWriter, r *http.Request, status int, e failure.Error) {
	body, _ := json.Marshal(BodyOf(r.Context(), e)) // strings only: never fails
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a caller that has gone has no use for it
}
