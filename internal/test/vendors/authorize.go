package vendors

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"net/url"
)

// A permission is what a code stands for that a person's browser took back.
type permission struct{ redirect, challenge string }

// Authorize is the page at which a person permits the access (OAuth 2.0, authorization code with PKCE): it shows two links, back to who asked.
func (o *OAuth) Authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case q.Get("client_id") != o.ClientID, err != nil || back.Host == "":
		http.Error(w, "unknown application or redirect URL", http.StatusBadRequest)
		return
	case q.Get("response_type") != "code", q.Get("code_challenge_method") != "S256", q.Get("code_challenge") == "", q.Get("state") == "":
		http.Error(w, "invalid request", http.StatusBadRequest)
		return
	}
	o.lock.Lock()
	o.made++
	code := fmt.Sprintf("%s-code-%d", o.prefix, o.made)
	o.codes[code] = permission{q.Get("redirect_uri"), q.Get("code_challenge")}
	o.lock.Unlock()
	link := func(name, value string) string {
		to, query := *back, url.Values{"state": {q.Get("state")}, name: {value}}
		to.RawQuery = query.Encode()
		return html.EscapeString(to.String())
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, `<!DOCTYPE html><title>Permit the access?</title><p>Scopes: %s</p><p><a href="%s">Permit</a> <a href="%s">Refuse</a></p>`,
		html.EscapeString(q.Get("scope")), link("code", code), link("error", "access_denied"))
}

// redeem takes a code, which is good for once.
func (o *OAuth) redeem(form url.Values) error {
	p, ok := o.codes[form.Get("code")]
	delete(o.codes, form.Get("code"))
	challenge := sha256.Sum256([]byte(form.Get("code_verifier")))
	if !ok || form.Get("redirect_uri") != p.redirect || base64.RawURLEncoding.EncodeToString(challenge[:]) != p.challenge {
		return invalidf("invalid_grant", "the code is invalid, expired or used")
	}
	return nil
}
