package rest_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
)

// An authority gives tokens, and serves twelve people on pages of two to whoever has the last one.
type authority struct {
	clock *vendors.Clock
	// grant says whether a request for a token is right, and what it is told besides its token.
	grant func(form url.Values) (ok bool, more string)
	life  time.Duration
	name  string // the key of the token in the answer

	lock    sync.Mutex
	issued  int
	valid   string
	expires time.Time
	served  func() // after each page of people
	refused int
}

func newAuthority(grant func(form url.Values) (bool, string)) *authority {
	return &authority{clock: new(vendors.Clock), grant: grant, life: time.Hour, name: "access_token"}
}

func (a *authority) revoke() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.valid = ""
}

func (a *authority) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := roundTripper(a.answer).RoundTrip(r)
	if r.URL.Path == "/people" && err == nil && answer.StatusCode == http.StatusOK && a.served != nil {
		a.served()
	}
	return answer, err
}

func (a *authority) answer(r *http.Request) (int, string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if r.URL.Path == "/token" {
		if err := r.ParseForm(); err != nil {
			return http.StatusBadRequest, `{"error": "invalid_request"}`
		}
		ok, more := a.grant(r.PostForm)
		if !ok {
			return http.StatusBadRequest, `{"error": "invalid_grant", "error_description": "no"}`
		}
		a.issued++
		a.valid, a.expires = fmt.Sprint("token-", a.issued), a.clock.Now().Add(a.life)
		return http.StatusOK, fmt.Sprintf(`{%q: %q, "token_type": "Bearer", "expires_in": %d%s}`, a.name, a.valid, int(a.life.Seconds()), more)
	}
	if a.valid == "" || r.Header.Get("Authorization") != "Bearer "+a.valid || !a.clock.Now().Before(a.expires) {
		a.refused++
		return http.StatusUnauthorized, `{}`
	}
	if r.URL.Path == "/me" {
		return http.StatusOK, `{}`
	}
	page := r.URL.Query().Get("page")
	return http.StatusOK, fmt.Sprintf(`{"data": [{"id": "a%s"}, {"id": "b%[1]s"}], "more": %t}`, page, page != "6")
}

// source opens a source that authenticates so.
func (a *authority) source(t *testing.T, auth string) fullSource {
	t.Helper()
	s, err := open(t.Context(), "rest", `
language: 1
url: https://api.example.com
connection: [{name: secret, title: Secret, secret: true}]
values: {secret: "{{auth.secret}}"}
auth: [{token_url: /token, `+auth+`}]
verify: {path: /me}
id: id
changes: {path: /people, query: {page: "{{page}}"}, records: data, order: none, page: {by: number, size: 2, more: more}}
deletions: {by: none}
fields: {name: id}
`, a, a.clock, bridge.Auth{"secret": "s3cr3t"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// reads expects that a run brings all people.
func reads(t *testing.T, s fullSource) {
	t.Helper()
	if people, _, _, err := readAll(t.Context(), s, ""); err != nil || len(people) != 12 {
		t.Errorf("%d of 12 people: %v", len(people), err)
	}
}

func password(form url.Values) (bool, string) {
	return form.Get("grant_type") == "password" && form.Get("username") == "jane" && form.Get("password") == "s3cr3t" && form.Get("client_id") == "app", ""
}

func TestPasswordGrant(t *testing.T) {
	a := newAuthority(password)
	reads(t, a.source(t, `by: password, user: jane, password: "{{secret}}", client_id: app`))
	err := a.source(t, `by: password, user: john, password: "{{secret}}", client_id: app`).Probe(t.Context())
	said := failure.Of(err)
	if bridge.CodeOf(err) != bridge.CodeUnauthorized || !strings.Contains(said.Message, "invalid_grant") || said.Hint == "" || strings.Contains(fmt.Sprint(err, said.Hint), "s3cr3t") {
		t.Errorf("a wrong user: %v, %q", err, said.Hint)
	}
}

// Some services call the token otherwise.
func TestTheTokenIsWhereTheLanguageSays(t *testing.T) {
	a := newAuthority(password)
	a.name = "data\": {\"token\": \"x\"}, \"key"
	if err := a.source(t, `by: password, user: jane, password: "{{secret}}", client_id: app`).Probe(t.Context()); bridge.CodeOf(err) != bridge.CodeSourceBroken {
		t.Errorf("without access_token: %v", err)
	}
	a.name = "key"
	reads(t, a.source(t, `by: password, user: jane, password: "{{secret}}", client_id: app, access_token: key`))
}

// rotating takes each refresh token once.
func rotating(started string) (grant func(url.Values) (bool, string), current func() string) {
	next, n := started, 0
	return func(form url.Values) (bool, string) {
		if form.Get("grant_type") != "refresh_token" || form.Get("refresh_token") != next {
			return false, ""
		}
		n++
		next = fmt.Sprint("refresh-", n)
		return true, fmt.Sprintf(`, "refresh_token": %q`, next)
	}, func() string { return next }
}

// A service that replaces the refresh token whenever it is used is served until the process ends: each is used once, one after the other,
// however many requests find their access token expired at the same time.
func TestRotatingRefreshTokensAreUsedOnceEach(t *testing.T) {
	grant, current := rotating("s3cr3t")
	a := newAuthority(grant)
	s := a.source(t, `by: refresh_token, refresh_token: "{{secret}}", client_id: app`)
	const readers, rounds = 20, 3
	for round := range rounds {
		a.revoke()
		var all sync.WaitGroup
		for range readers {
			all.Go(func() { reads(t, s) })
		}
		all.Wait()
		if a.issued != round+1 {
			t.Fatalf("%d tokens were fetched in %d rounds of %d readers", a.issued, round+1, readers)
		}
	}
	if current() != fmt.Sprint("refresh-", rounds) {
		t.Errorf("the last refresh token is %s", current())
	}
	again := a.source(t, `by: refresh_token, refresh_token: "{{secret}}", client_id: app`)
	said := failure.Of(again.Probe(t.Context()))
	if said.Code != bridge.CodeUnauthorized || !strings.Contains(said.Hint, "has to be made anew") {
		t.Errorf("a process that starts with a refresh token that was replaced: %v, %q", said, said.Hint)
	}
}

// A token is fetched anew a minute before it expires: no request is refused for it. One that is revoked before is fetched after a refusal.
func TestTokensExpireInTheMiddleOfARun(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   func(a *authority)
		refused bool
	}{
		"by its time": {func(a *authority) { a.clock.Advance(25 * time.Minute) }, false},
		"revoked":     {(*authority).revoke, true},
	} {
		t.Run(name, func(t *testing.T) {
			grant, _ := rotating("s3cr3t")
			a := newAuthority(grant)
			a.served = func() { c.spoil(a) }
			reads(t, a.source(t, `by: refresh_token, refresh_token: "{{secret}}", client_id: app`))
			if a.issued < 2 || c.refused != (a.refused > 0) {
				t.Errorf("%d tokens, %d refused requests", a.issued, a.refused)
			}
		})
	}
}

// A JWT is signed with the private key, in any of the forms in which services give it.
func TestJWTBearer(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	escaped := strings.ReplaceAll(encode("PRIVATE KEY", pkcs8), "\n", `\n`)
	for name, c := range map[string]struct {
		key  string
		good bool
		said string
	}{
		"PKCS #8":             {encode("PRIVATE KEY", pkcs8), true, ""},
		"PKCS #1":             {encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), true, ""},
		"as in a JSON file":   {escaped, true, ""},
		"another key":         {encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(other)), false, "invalid_grant"},
		"a key cut off":       {encode("PRIVATE KEY", pkcs8)[:900], false, "not an RSA key"},
		"something else":      {"s3cr3t", false, "not an RSA key"},
		"a broken PEM's body": {encode("PRIVATE KEY", pkcs8[:100]), false, "not an RSA key"},
	} {
		t.Run(name, func(t *testing.T) {
			var a *authority
			a = newAuthority(func(form url.Values) (bool, string) { return isSigned(a.clock.Now(), form, &key.PublicKey), "" })
			text, err := json.Marshal(c.key)
			if err != nil {
				t.Fatal(err)
			}
			s := a.source(t, `by: jwt_bearer, key: `+string(text)+`, claims: {iss: app, sub: jane@example.com, aud: "https://api.example.com"}`)
			if c.good {
				reads(t, s)
				return
			}
			err = s.Probe(t.Context())
			said := failure.Of(err)
			if said.Code != bridge.CodeUnauthorized || !strings.Contains(said.Message, c.said) || said.Hint == "" {
				t.Errorf("%v (%s), %q", err, said.Code, said.Hint)
			}
			if strings.Contains(fmt.Sprint(err, said.Hint), c.key) {
				t.Errorf("the error holds the key: %v", err)
			}
		})
	}
}

// isSigned checks an assertion as RFC 7523 wants it.
func isSigned(now time.Time, form url.Values, by *rsa.PublicKey) bool {
	parts := strings.Split(form.Get("assertion"), ".")
	if form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || len(parts) != 3 {
		return false
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return false
		}
	}
	var header struct{ Alg, Typ string }
	var claims struct {
		Iss, Sub, Aud string
		Iat, Exp      int64
	}
	if json.Unmarshal(decoded[0], &header) != nil || json.Unmarshal(decoded[1], &claims) != nil || header.Alg != "RS256" || header.Typ != "JWT" {
		return false
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return rsa.VerifyPKCS1v15(by, crypto.SHA256, sum[:], decoded[2]) == nil && claims.Iss == "app" && claims.Sub == "jane@example.com" && claims.Aud == "https://api.example.com" &&
		claims.Iat <= now.Unix()+60 && claims.Exp > now.Unix() && claims.Exp <= now.Add(5*time.Minute).Unix()
}

// TestATokenIsAskedForInJSON expects the same names in an object as in a form.
func TestATokenIsAskedForInJSON(t *testing.T) {
	asked := 0
	transport := roundTripper(func(r *http.Request) (int, string) {
		if r.URL.Path != "/token" {
			if r.Header.Get("Authorization") != "Bearer t" {
				return http.StatusUnauthorized, `{}`
			}
			return http.StatusOK, `{"data": []}`
		}
		asked++
		var sent map[string]string
		if kind := r.Header.Get("Content-Type"); kind != "application/json" {
			t.Errorf("it was sent as %s", kind)
		}
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil || sent["grant_type"] != "password" || sent["username"] != "jane" || sent["password"] != "s3cr3t" || sent["platform"] != "api" {
			t.Errorf("sent was %v, %v", sent, err)
		}
		return http.StatusOK, `{"access_token": "t"}`
	})
	s := wayOf(t, `{by: password, token_url: /token, user: jane, password: "{{secret}}", form: {platform: api}, send: json}`, transport)
	if _, _, _, err := readAll(t.Context(), s, ""); err != nil || asked != 1 {
		t.Errorf("%v, and a token was asked for %d times", err, asked)
	}
}

// TestAWayHasMoreHeaders expects the headers of the way that is used, and of no other.
func TestAWayHasMoreHeaders(t *testing.T) {
	for auth, want := range map[string]string{
		`{by: header, name: X-Key, value: "{{secret}}", headers: {X-User: "jane {{secret}}"}}`:                               "jane s3cr3t",
		`{by: bearer, token: "{{secret}}", headers: {X-User: a}}, {by: header, name: X-Key, value: b, headers: {X-User: c}}`: "a",
		`{by: client_credentials, token_url: /token, client_secret: "{{secret}}", headers: {X-User: "{{secret}}"}}`:          "s3cr3t",
	} {
		s := wayOf(t, auth, roundTripper(func(r *http.Request) (int, string) {
			if r.URL.Path == "/token" {
				return http.StatusOK, `{"access_token": "t"}`
			}
			if got := r.Header.Get("X-User"); got != want {
				t.Errorf("%s: the header is %q, want %q", auth, got, want)
			}
			return http.StatusOK, `{"data": []}`
		}))
		if _, _, _, err := readAll(t.Context(), s, ""); err != nil {
			t.Errorf("%s: %v", auth, err)
		}
	}
}

// wayOf opens a source without people that authenticates in a way.
func wayOf(t *testing.T, auth string, transport http.RoundTripper) fullSource {
	t.Helper()
	s, err := open(t.Context(), "rest", `
language: 1
url: https://api.example.com
connection: [{name: secret, title: Secret, secret: true}]
values: {secret: s3cr3t}
auth: [`+auth+`]
verify: {path: /me}
id: id
changes: {path: /people, records: data, order: none, page: {by: none}}
deletions: {by: none}
fields: {name: id}
`, transport, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
