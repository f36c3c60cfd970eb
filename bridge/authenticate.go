package bridge

import (
	"crypto/sha256"
	"crypto/subtle"
)

// RequireAuth returns a check for [Handler.Authenticate] that accepts callers who send exactly these values; other keys are
// ignored. Every value is compared by its digest in constant time, and all of them are compared even if the first one is
// wrong, so that the time taken reveals nothing. If no value, or an empty one, is expected, every caller is refused.
func RequireAuth(expected Auth) func(Auth) error {
	digests := make(map[string][sha256.Size]byte, len(expected))
	open := 1 // 0: every caller is refused
	if len(expected) == 0 {
		open = 0
	}
	for key, value := range expected {
		digests[key] = sha256.Sum256([]byte(value))
		if value == "" {
			open = 0
		}
	}
	return func(auth Auth) error {
		good := open
		for key, want := range digests {
			got := sha256.Sum256([]byte(auth[key]))
			good &= subtle.ConstantTimeCompare(got[:], want[:])
		}
		if good == 1 {
			return nil
		}
		return unauthorized(auth)
	}
}

// AllowAnyone accepts every caller. It is a check for [Handler.Authenticate]: for endpoints with a source that checks the
// credentials itself, and for contacts that are not secret.
func AllowAnyone(Auth) error { return nil }

// unauthorized returns an error that says what was missing, never what was expected.
func unauthorized(auth Auth) *Error {
	e := &Error{
		Code:    CodeUnauthorized,
		Message: "the credentials are wrong",
		Hint:    "Check the values of auth against the endpoint's configuration.",
	}
	if len(auth) == 0 {
		e.Message = "the request has no credentials"
		e.Hint = `Send them as {"auth": {…}} in the request's body.`
	}
	return e
}
