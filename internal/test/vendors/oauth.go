package vendors

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// An OAuth is the token endpoint of a tenant.
type OAuth struct {
	ClientID, ClientSecret string
	Life                   time.Duration // of an access token
	// Rotates says that each refresh token can be used once, and brings the next one.
	Rotates bool
	// Key checks assertions (JWT bearer); nil refuses them.
	Key *rsa.PublicKey
	// Audience is what an assertion must be made for.
	Audience string
	// Grants are the grant types that the vendor knows.
	Grants []string

	now     func() time.Time
	prefix  string
	lock    sync.Mutex
	tokens  map[string]time.Time // access tokens, and when they expire
	refresh string
	made    int
	used    map[string]int        // refreshes by grant type
	codes   map[string]url.Values // authorization codes that were given, by what they were asked for with
}

// The grant types.
const (
	RefreshToken      = "refresh_token"
	ClientCredentials = "client_credentials"
	JWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	Password          = "password"
	AuthorizationCode = "authorization_code"
)

func newOAuth(now func() time.Time, prefix string, life time.Duration, grants ...string) *OAuth {
	return &OAuth{
		ClientID: prefix + "-client", ClientSecret: prefix + "-secret", Life: life, Grants: grants, now: now, prefix: prefix,
		tokens: map[string]time.Time{}, codes: map[string]url.Values{}, refresh: prefix + "-refresh-0", used: map[string]int{},
	}
}

// Token gives out an access token, as the vendor's pages do.
func (o *OAuth) Token() string {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.issue()
}

// Refresh returns the refresh token that is good now.
func (o *OAuth) Refresh() string {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.refresh
}

// Granted returns how many access tokens were given out for a grant type.
func (o *OAuth) Granted(grant string) int {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.used[grant]
}

// Revoke ends every access token that was given out.
func (o *OAuth) Revoke() {
	o.lock.Lock()
	defer o.lock.Unlock()
	clear(o.tokens)
}

// RevokeGrant ends what a person has granted: access tokens and the refresh token.
func (o *OAuth) RevokeGrant() {
	o.Revoke()
	o.lock.Lock()
	defer o.lock.Unlock()
	o.refresh = "revoked"
}

// Permit does what the page of consent does when a person permits the access that an address asks for: it returns where their browser is sent
// back to. Clients must prove that they began what they complete (PKCE, RFC 7636).
func (o *OAuth) Permit(address string) (back *url.URL, err error) {
	asked, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	q := asked.Query()
	switch {
	case q.Get("response_type") != "code" || q.Get("client_id") != o.ClientID:
		return nil, invalidf("invalid_request", "no code for the client %q", q.Get("client_id"))
	case q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("state") == "":
		return nil, invalidf("invalid_request", "there is no challenge or no state")
	}
	if back, err = url.Parse(q.Get("redirect_uri")); err != nil {
		return nil, err
	}
	o.lock.Lock()
	defer o.lock.Unlock()
	code := fmt.Sprintf("%s-code-%d", o.prefix, len(o.codes))
	o.codes[code] = q
	back.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
	return back, nil
}

// redeem judges an authorization code, which is good for once.
func (o *OAuth) redeem(form url.Values) error {
	asked := o.codes[form.Get("code")]
	o.codes[form.Get("code")] = nil
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	switch {
	case asked == nil:
		return invalidf("invalid_grant", "the code is unknown or was used")
	case asked.Get("redirect_uri") != form.Get("redirect_uri"):
		return invalidf("invalid_grant", "redirect_uri is another one")
	case asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]):
		return invalidf("invalid_grant", "the verifier is wrong")
	}
	return nil
}

func (o *OAuth) issue() string {
	o.made++
	token := fmt.Sprintf("%s-token-%d", o.prefix, o.made)
	o.tokens[token] = o.now().Add(o.Life)
	return token
}

// knows reports whether an access token is good.
func (o *OAuth) knows(token string) bool {
	o.lock.Lock()
	defer o.lock.Unlock()
	expires, ok := o.tokens[token]
	return ok && o.now().Before(expires)
}

// grant answers a request for a token.
func (o *OAuth) grant(r *http.Request) (map[string]any, error) {
	if r.Method != http.MethodPost {
		return nil, invalidf("invalid_request", "the token endpoint takes POST")
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != "application/x-www-form-urlencoded" {
		return nil, invalidf("invalid_request", "Content-Type must be application/x-www-form-urlencoded")
	}
	if err := r.ParseForm(); err != nil {
		return nil, invalidf("invalid_request", "%v", err)
	}
	return o.grantForm(r, r.PostForm)
}

// grantForm gives a token for what was sent.
func (o *OAuth) grantForm(r *http.Request, form url.Values) (map[string]any, error) {
	grant := form.Get("grant_type")
	if !slices.Contains(o.Grants, grant) {
		return nil, invalidf("unsupported_grant_type", "grant type %q is not supported", grant)
	}
	o.lock.Lock()
	defer o.lock.Unlock()
	if grant != JWTBearer && !o.isClient(r, form) {
		return nil, &refusal{reason: unauthorized, code: "invalid_client", message: "client authentication failed"}
	}
	answer := map[string]any{"token_type": "Bearer", "expires_in": int(o.Life.Seconds())}
	switch grant {
	case AuthorizationCode:
		if err := o.redeem(form); err != nil {
			return nil, err
		}
		answer["refresh_token"] = o.refresh
	case RefreshToken:
		if form.Get("refresh_token") != o.refresh {
			return nil, invalidf("invalid_grant", "the refresh token is invalid, expired or revoked")
		}
		if o.Rotates {
			o.refresh = fmt.Sprintf("%s-refresh-%d", o.prefix, o.made+1)
		}
		answer["refresh_token"] = o.refresh
	case JWTBearer:
		if err := o.checkAssertion(form.Get("assertion")); err != nil {
			return nil, err
		}
	}
	o.used[grant]++
	answer["access_token"] = o.issue()
	return answer, nil
}

func (o *OAuth) isClient(r *http.Request, form url.Values) bool {
	if id, secret, ok := r.BasicAuth(); ok {
		return id == o.ClientID && secret == o.ClientSecret
	}
	return form.Get("client_id") == o.ClientID && form.Get("client_secret") == o.ClientSecret
}

// checkAssertion checks a JWT: algorithm, signature, issuer, audience, and times.
func (o *OAuth) checkAssertion(assertion string) error {
	parts := strings.Split(assertion, ".")
	if o.Key == nil || len(parts) != 3 {
		return invalidf("invalid_grant", "invalid assertion")
	}
	var decoded [3][]byte
	for i, p := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
			return invalidf("invalid_grant", "invalid assertion: %v", err)
		}
	}
	var head struct{ Alg string }
	var claims struct {
		Iss, Sub, Aud string
		Exp           int64
	}
	if json.Unmarshal(decoded[0], &head) != nil || json.Unmarshal(decoded[1], &claims) != nil || head.Alg != "RS256" {
		return invalidf("invalid_grant", "invalid assertion")
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	now := o.now()
	expires := time.Unix(claims.Exp, 0)
	switch {
	case rsa.VerifyPKCS1v15(o.Key, crypto.SHA256, sum[:], decoded[2]) != nil:
		return invalidf("invalid_grant", "invalid signature")
	case claims.Iss != o.ClientID:
		return invalidf("invalid_grant", "unknown issuer")
	case claims.Aud != o.Audience:
		return invalidf("invalid_grant", "audience is invalid")
	case !expires.After(now), expires.After(now.Add(time.Hour + time.Minute)):
		return invalidf("invalid_grant", "expiry is in the past or too far away")
	}
	return nil
}

// bearer returns the access token of a request with a prefix such as Bearer.
func bearer(r *http.Request, prefix string) string {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if kind != prefix {
		return ""
	}
	return token
}

// writeOAuthError answers as RFC 6749 says.
func writeOAuthError(w http.ResponseWriter, why *refusal) {
	code := why.code
	if code == "" {
		code = "invalid_request"
	}
	_ = writeJSON(w, why.statusOf(), map[string]any{"error": code, "error_description": why.message})
}
