package console_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console"
)

// A signInProvider is an OpenID Connect provider; a test forges its answers.
type signInProvider struct {
	*httptest.Server

	key     *rsa.PrivateKey
	idToken func(nonce string) string // what the token endpoint answers with
	nonce   string
	answer  func(w http.ResponseWriter, r *http.Request) bool // answers in its place
	read    atomic.Int64                                      // bytes of answers that the hub has read, unpacked
}

const clientID, clientSecret = "hub", "a client's secret"

func newProvider(t testing.TB) *signInProvider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &signInProvider{key: key}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.answer != nil && p.answer(w, r) {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		var body any
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			body = map[string]any{
				"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
				"id_token_signing_alg_values_supported": []string{"RS256"},
			}
		case "/keys":
			body = map[string]any{"keys": []any{map[string]any{
				"kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig",
				"n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes()),
			}}}
		case "/token":
			body = map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": p.idToken(p.nonce)}
		}
		_ = json.NewEncoder(w).Encode(body)
	}))
	t.Cleanup(p.Close)
	return p
}

// RoundTrip counts what is read of answers.
func (p *signInProvider) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		response.Body = countedBody{response.Body, &p.read}
	}
	return response, err
}

type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b countedBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	b.n.Add(int64(n))
	return n, err
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// token returns an ID token; the header and the signature are the test's.
func token(header map[string]any, claims map[string]any, sign func(text string) []byte) string {
	h, _ := json.Marshal(header)
	c, _ := json.Marshal(claims)
	text := encode(h) + "." + encode(c)
	return text + "." + encode(sign(text))
}

func rs256(key *rsa.PrivateKey) func(string) []byte {
	return func(text string) []byte {
		sum := sha256.Sum256([]byte(text))
		signature, _ := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		return signature
	}
}

// claims returns those of a good answer, with some changed; nil takes one away.
func (p *signInProvider) claims(nonce string, changed map[string]any) map[string]any {
	all := map[string]any{
		"iss": p.URL, "aud": clientID, "sub": "s-1", "nonce": nonce, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"email": "jessica@sisters.example", "email_verified": true,
	}
	maps.Copy(all, changed)
	for name, value := range changed {
		if value == nil {
			delete(all, name)
		}
	}
	return all
}

func openIDSite(t *testing.T) (*site, *signInProvider) {
	p := newProvider(t)
	s := newSite(t, func(o *console.Options) {
		o.PublicURL = "http://hub.example"
		o.OpenID = &console.OpenID{Issuer: p.URL, ClientID: clientID, ClientSecret: clientSecret, Transport: p}
	})
	s.administrator(t)
	for _, name := range []string{"jessica@sisters.example", "zoë@sisters.example"} {
		if err := s.hub.Registry.PutUser(context.Background(), registry.User{ID: name, Name: name, Role: registry.RoleAdmin}); err != nil {
			t.Fatal(err)
		}
	}
	return s, p
}

// signIn goes to the provider and comes back with what it answers; change changes the address that one comes back by.
func (v *visitor) signIn(p *signInProvider, change func(url.Values)) answer {
	v.t.Helper()
	a := v.get("/sign-in/openid")
	to, err := url.Parse(a.to())
	if err != nil || a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.to(), p.URL) {
		v.t.Fatal(a.StatusCode, a.to(), err)
	}
	p.nonce = to.Query().Get("nonce")
	query := url.Values{"state": {to.Query().Get("state")}, "code": {"c"}}
	if change != nil {
		change(query)
	}
	return v.get("/sign-in/openid/callback?" + query.Encode())
}

// who is signed in; empty for nobody.
func (v *visitor) who() string {
	v.t.Helper()
	a := v.get("/settings")
	for _, name := range []string{"jessica@sisters.example", "zoë@sisters.example", "ada"} {
		if a.StatusCode == http.StatusOK && strings.Contains(a.text, name) {
			return name
		}
	}
	return ""
}

func TestAForgedAnswerOfAProviderSignsNobodyIn(t *testing.T) {
	s, p := openIDSite(t)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]any{"alg": "RS256", "kid": "k"}
	with := func(changed map[string]any) func(string) string {
		return func(nonce string) string { return token(good, p.claims(nonce, changed), rs256(p.key)) }
	}
	hs256 := func(secret []byte) func(string) []byte {
		return func(text string) []byte {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(text))
			return mac.Sum(nil)
		}
	}
	for name, forged := range map[string]func(nonce string) string{
		"no token": func(string) string { return "" },
		"nonsense": func(string) string { return "a.b.c" },
		"unsigned": func(n string) string {
			return token(map[string]any{"alg": "none"}, p.claims(n, nil), func(string) []byte { return nil })
		},
		"unsigned, with the key's name": func(n string) string {
			return token(map[string]any{"alg": "None", "kid": "k"}, p.claims(n, nil), func(string) []byte { return nil })
		},
		"another key": func(n string) string { return token(good, p.claims(n, nil), rs256(other)) },
		"another key that comes along": func(n string) string {
			jwk := map[string]any{"kty": "RSA", "n": encode(other.N.Bytes()), "e": encode(big.NewInt(int64(other.E)).Bytes())}
			return token(map[string]any{"alg": "RS256", "kid": "k", "jwk": jwk}, p.claims(n, nil), rs256(other))
		},
		"the client's secret as the key": func(n string) string {
			return token(map[string]any{"alg": "HS256", "kid": "k"}, p.claims(n, nil), hs256([]byte(clientSecret)))
		},
		"the public key as the secret": func(n string) string {
			return token(map[string]any{"alg": "HS256", "kid": "k"}, p.claims(n, nil), hs256(p.key.N.Bytes()))
		},
		"claims that were changed after signing": func(n string) string {
			signed, changed := strings.Split(with(nil)(n), "."), strings.Split(with(map[string]any{"email": "ada"})(n), ".")
			return signed[0] + "." + changed[1] + "." + signed[2]
		},
		"another issuer":                       with(map[string]any{"iss": "https://evil.example"}),
		"another audience":                     with(map[string]any{"aud": "another"}),
		"expired":                              with(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}),
		"no expiry":                            with(map[string]any{"exp": nil}),
		"another sign-in's nonce":              with(map[string]any{"nonce": "another"}),
		"no nonce":                             with(map[string]any{"nonce": nil}),
		"no subject":                           with(map[string]any{"sub": nil}),
		"no e-mail":                            with(map[string]any{"email": nil}),
		"an e-mail that is not a text":         with(map[string]any{"email": []string{"jessica@sisters.example"}}),
		"an unverified e-mail":                 with(map[string]any{"email_verified": false}),
		"nothing about the e-mail":             with(map[string]any{"email_verified": nil}),
		"verified as a text":                   with(map[string]any{"email_verified": "true"}),
		"verified as a number":                 with(map[string]any{"email_verified": 1}),
		"verified as null":                     with(map[string]any{"email_verified": json.RawMessage("null")}),
		"an e-mail that folds to a user's":     with(map[string]any{"email": "jeſſica@ſisters.example"}),
		"the same with a K of its own":         with(map[string]any{"email": "\u212aate@sisters.example"}),
		"an e-mail that is composed anew":      with(map[string]any{"email": "zoe\u0308@sisters.example"}),
		"an e-mail in other capitals":          with(map[string]any{"email": "ZOË@sisters.example"}),
		"somebody who is not a user":           with(map[string]any{"email": "eve@sisters.example"}),
		"a user's name that is not an address": with(map[string]any{"email": "eve"}),
		"an e-mail with something after it":    with(map[string]any{"email": "jessica@sisters.example\u0000"}),
	} {
		p.idToken = forged
		v := s.visitor(t)
		a := v.signIn(p, nil)
		if a.StatusCode != http.StatusForbidden || v.who() != "" {
			t.Errorf("%s: %d, and %q is signed in: %s", name, a.StatusCode, v.who(), problemIn(a.text))
		}
	}
	p.idToken = with(nil)
	for name, change := range map[string]func(url.Values){
		"another state":     func(q url.Values) { q.Set("state", "another") },
		"no state":          func(q url.Values) { q.Del("state") },
		"no code":           func(q url.Values) { q.Del("code") },
		"an error, no code": func(q url.Values) { q.Del("code"); q.Set("error", "<script>") },
	} {
		v := s.visitor(t)
		if a := v.signIn(p, change); a.StatusCode != http.StatusForbidden || v.who() != "" {
			t.Errorf("%s: %d, and %q is signed in", name, a.StatusCode, v.who())
		}
	}
	// An address from another user's sign-in, and one's own a second time.
	v := s.visitor(t)
	if a := v.get("/sign-in/openid/callback?code=c&state="); a.StatusCode != http.StatusForbidden || v.who() != "" {
		t.Error("without a sign-in that began here:", a.StatusCode)
	}
	var query string
	if a := v.signIn(p, func(q url.Values) { query = q.Encode() }); a.StatusCode != http.StatusSeeOther || v.who() != "jessica@sisters.example" {
		t.Error("a good answer:", a.StatusCode, problemIn(a.text))
	}
	if a := v.get("/sign-in/openid/callback?" + query); a.StatusCode != http.StatusForbidden {
		t.Error("the same answer again:", a.StatusCode)
	}
	// From now on the subject is the user, and the address is nobody's.
	p.idToken = with(map[string]any{"sub": "s-2"})
	if v := s.visitor(t); v.signIn(p, nil).StatusCode != http.StatusForbidden || v.who() != "" {
		t.Error("an address that was given to another user signs in")
	}
	p.idToken = with(map[string]any{"email": "new@sisters.example"})
	if v := s.visitor(t); v.signIn(p, nil).StatusCode != http.StatusSeeOther || v.who() != "jessica@sisters.example" {
		t.Error("the subject is not known again")
	}
	if err := s.hub.Registry.ChangeUser(t.Context(), registry.User{ID: "jessica@sisters.example", Name: "jessica@sisters.example", Role: registry.RoleAdmin, Disabled: true}); err != nil {
		t.Fatal(err)
	}
	if v := s.visitor(t); v.signIn(p, nil).StatusCode != http.StatusForbidden || v.who() != "" {
		t.Error("a locked user signs in")
	}
}

func TestAnAddressWithOtherASCIICapitalsIsTheSame(t *testing.T) {
	s, p := openIDSite(t)
	p.idToken = func(n string) string {
		return token(map[string]any{"alg": "RS256", "kid": "k"}, p.claims(n, map[string]any{"email": "Jessica@SISTERS.example"}), rs256(p.key))
	}
	if v := s.visitor(t); v.signIn(p, nil).StatusCode != http.StatusSeeOther || v.who() != "jessica@sisters.example" {
		t.Error("nobody is signed in")
	}
}

// A provider with answers that unpack to gigabytes, or never end, must not fill the hub's memory.
func TestAnswersOfAProviderAreBounded(t *testing.T) {
	s, p := openIDSite(t)
	p.idToken = func(n string) string {
		return token(map[string]any{"alg": "RS256", "kid": "k"}, p.claims(n, nil), rs256(p.key))
	}
	flood := func(path string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, err := io.WriteString(z, `{"x":"`)
			chunk := bytes.Repeat([]byte("x"), 1<<20)
			for n := 0; err == nil && n < 64; n++ {
				_, err = z.Write(chunk)
			}
			_, _ = io.WriteString(z, `"}`)
			_ = z.Close()
			return true
		}
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/token", "/keys"} {
		p.read.Store(0)
		v := s.visitor(t)
		p.answer = flood(path)
		if path == "/.well-known/openid-configuration" {
			if a := v.get("/sign-in/openid"); a.StatusCode != http.StatusConflict {
				t.Errorf("%s: %d %s", path, a.StatusCode, problemIn(a.text))
			}
		} else if a := v.signIn(p, nil); a.StatusCode != http.StatusForbidden || v.who() != "" {
			t.Errorf("%s: %d %s", path, a.StatusCode, problemIn(a.text))
		}
		if read := p.read.Load(); read > 3<<20 { // a token is asked for twice: the client finds out how its secret is sent
			t.Errorf("%s: %d bytes were read", path, read)
		}
	}
	p.answer = nil
	if v := s.visitor(t); v.signIn(p, nil).StatusCode != http.StatusSeeOther {
		t.Error("afterwards nobody can sign in")
	}
}

// A provider that hangs makes no queue: everybody who comes meanwhile waits for one and the same answer.
func TestAProviderThatHangsMakesNoQueue(t *testing.T) {
	const visitors = 8
	s, p := openIDSite(t)
	var asked atomic.Int64
	begun, end := make(chan struct{}, visitors), make(chan struct{})
	p.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		asked.Add(1)
		begun <- struct{}{}
		<-end
		http.Error(w, "out of order", http.StatusInternalServerError)
		return true
	}
	answers := make(chan int, visitors)
	for range visitors {
		v := s.visitor(t)
		go func() { answers <- v.get("/sign-in/openid").StatusCode }()
	}
	<-begun
	time.Sleep(300 * time.Millisecond) // the others come
	close(end)
	for range visitors {
		if status := <-answers; status != http.StatusConflict {
			t.Errorf("status %d", status)
		}
	}
	if n := asked.Load(); n >= visitors/2 {
		t.Errorf("the provider was asked %d times by %d visitors", n, visitors)
	}
}
