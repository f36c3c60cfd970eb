package exchange

import "net/http"

// SignInCookie is the cookie of a browser that signs in at an external service for the hub: only this browser may bring the answer.
const SignInCookie = "contactbridge_sign_in"

// SignInBinding is the cookie with what the browser must bring ([hub.SignInBegun]); an empty value takes it away.
func SignInBinding(value string, secure bool) *http.Cookie {
	// Lax, not Strict: the browser comes back from the external service's page.
	c := &http.Cookie{Name: SignInCookie, Value: value, Path: "/oauth/callback", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure, MaxAge: 600}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}
