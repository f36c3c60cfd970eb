package bridge

import (
	"crypto/sha256"
	"crypto/subtle"
)

// RequireAuth returns a check for [Handler.Authenticate] that lets in who sends exactly these values; keys that are not
// asked for are ignored. Every value is compared by its digest in constant time, all of them whatever the first one gave, so
// that the time taken tells nothing. Nobody gets in where nothing or an empty value is expected.
func RequireAuth(expected Auth) func(Auth) error {
	digests := make(map[string][sha256.Size]byte, len(expected))
	open := 1 // 0 where nobody may get in
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

// AllowAnyone is a check for [Handler.Authenticate] that lets everyone in: for endpoints with a source that judges the
// credentials itself, and for contacts that are no secret.
func AllowAnyone(Auth) error { return nil }

// unauthorized says what was missing, never what was expected.
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
