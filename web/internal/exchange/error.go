package exchange

import (
	"encoding/json"
	"net/http"
)

// A Detail is what an error's body says, whatever answers it.
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

// WriteError answers with an error body. The request's id is added.
func WriteError(w http.ResponseWriter, r *http.Request, status int, d Detail) {
	d.RequestID = Of(r.Context()).ID
	body, _ := json.Marshal(ErrorBody{d}) // strings only: never fails
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a caller that has gone has no use for it
}
