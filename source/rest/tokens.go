package rest

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// tokens are access tokens that are fetched, or read from a file. One goroutine fetches at a time.
type tokens struct {
	client *client
	way    *Auth

	turn    chan struct{} // holds one element while nobody fetches
	token   string
	refresh string    // the refresh token that replaced the one of the configuration; empty while none did
	expires time.Time // zero: never, as far as is known
	read    time.Time // when the file was changed that was read
}

func (c *client) newTokens(way *Auth) *tokens {
	t := &tokens{client: c, way: way, turn: make(chan struct{}, 1)}
	t.turn <- struct{}{}
	return t
}

// early is how long before it expires a token is fetched anew.
const early = time.Minute

// sign puts a token into a request.
func (t *tokens) sign(ctx context.Context, r *http.Request) (string, error) {
	select {
	case <-t.turn:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	token, err := t.current(ctx)
	t.turn <- struct{}{}
	if err == nil {
		err = t.client.putHeaders(r, t.way)
	}
	if err != nil {
		return "", err
	}
	if t.way.Value.IsZero() {
		r.Header.Set("Authorization", "Bearer "+token)
		return token, nil
	}
	way := *t.way
	if way.Name == "" {
		way.Name = "Authorization"
	}
	way.By = "header"
	return token, t.client.put(r, &way, t.client.values.with(scope{"access_token": token}))
}

// renew implements authenticator.
func (t *tokens) renew(token string) bool {
	<-t.turn
	defer func() { t.turn <- struct{}{} }()
	if t.token == token {
		t.token, t.read = "", time.Time{}
	}
	return true
}

// current returns the token, fetched if need be.
func (t *tokens) current(ctx context.Context) (string, error) {
	if !t.way.TokenFile.IsZero() {
		return t.fromFile()
	}
	now := t.client.factory.deps.Clock.Now()
	if t.token != "" && (t.expires.IsZero() || now.Before(t.expires)) {
		return t.token, nil
	}
	return t.token, t.fetch(ctx, now)
}

// maxToken is the most, in bytes, that a token's file may have.
const maxToken = 64 << 10

// fromFile reads the token's file if it has changed.
func (t *tokens) fromFile() (string, error) {
	name, err := t.way.TokenFile.expand(t.client.values, nil)
	if err != nil {
		return "", err
	}
	name = t.client.factory.deps.Path(name)
	unreadable := func(err error) error {
		return &bridge.Error{Code: bridge.CodeUnauthorized, Message: "the file with the access token cannot be read", Hint: "Check token_file, and that this process may read it.", Err: err}
	}
	info, err := os.Stat(name)
	if err != nil {
		return "", unreadable(err)
	}
	if t.token != "" && info.ModTime().Equal(t.read) {
		return t.token, nil
	}
	content, err := source.ReadFile(name, maxToken)
	if err != nil {
		return "", unreadable(err)
	}
	token := strings.TrimSpace(string(content))
	if token == "" || strings.ContainsAny(token, "\r\n\x00") {
		return "", &bridge.Error{Code: bridge.CodeUnauthorized, Message: "the file with the access token does not hold one line", Hint: "Write the token into it, and nothing else."}
	}
	t.token, t.read = token, info.ModTime()
	return token, nil
}

// fetch asks for a token.
func (t *tokens) fetch(ctx context.Context, now time.Time) error {
	request, err := t.request(ctx, now)
	if err != nil {
		return err
	}
	a, err := t.client.exchange(ctx, request)
	if err != nil {
		return err
	}
	a.asked = "token_url"
	if err := t.failed(a); err != nil {
		return err
	}
	token := ""
	if a.status < 300 && json.Valid(a.body) {
		token = a.text(cmp.Or(t.way.AccessToken, "access_token"))
	}
	if token == "" && a.status < 300 && a.text("error") == "" {
		return t.missing(a)
	}
	if token == "" || strings.ContainsAny(token, "\r\n\x00") {
		t.refresh = "" // somebody may have made the configured one valid again
		return t.refused(a, a.text("error"))
	}
	t.token, t.expires = token, time.Time{}
	if seconds, err := strconv.ParseFloat(a.text("expires_in"), 64); err == nil && seconds > 0 && seconds < 1e9 {
		life := time.Duration(seconds * float64(time.Second))
		t.expires = now.Add(life - min(early, life/2))
	}
	if t.way.By == "refresh_token" {
		t.rotate(a.text("refresh_token"))
	}
	return nil
}

// failed returns the error of an answer that says nothing about the credentials; nil for any other.
func (t *tokens) failed(a *answer) error {
	switch r := usual(a.status); r.Then {
	case reactThrottled:
		wait := t.client.waitOf(a, r)
		t.client.bucket.pause(wait)
		return t.client.throttled(a, r, wait)
	case reactDown, reactTenant:
		return t.client.failed(a, r)
	}
	return nil
}

// missing returns the error of an answer that is neither a token nor an error.
func (t *tokens) missing(a *answer) error {
	e := &bridge.Error{
		Code: bridge.CodeSourceBroken, Status: a.status, Message: fmt.Sprintf("%s gave no access token at %s", t.client.factory.title(), cmp.Or(t.way.AccessToken, "access_token")),
		Hint: "The API may have changed, or token_url is another page. Compare the answer with the API's documentation.",
	}
	if len(bytes.TrimSpace(a.body)) == 0 {
		e.Message += ": its answer is empty"
		return e
	}
	t.client.explain(a, e)
	return e
}

// refused returns the error of a service that gives no token.
func (t *tokens) refused(a *answer, code string) error {
	message := fmt.Sprintf("%s gave no access token: it answered %d", t.client.factory.title(), a.status)
	if code != "" && len(code) < 100 && strings.Trim(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" {
		message += " (" + code + ")"
	}
	return &bridge.Error{
		Code: bridge.CodeUnauthorized, Message: message, Status: a.status,
		Hint: "Check " + t.client.factory.secrets() + ". A refresh token that was used elsewhere, or revoked, has to be made anew.",
	}
}

// rotate takes the refresh token that an answer brought, if it is another one, and says once that a bridge cannot store it.
func (t *tokens) rotate(next string) {
	written, err := t.way.RefreshToken.expand(t.client.values, nil)
	if err != nil || next == "" || next == cmp.Or(t.refresh, written) {
		return
	}
	first := t.refresh == ""
	if t.refresh = next; !first {
		return
	}
	t.client.factory.deps.Logger.Warn("the service replaced the refresh token, and a bridge cannot store the new one: the next process will be refused",
		"hint", "Switch the rotation of refresh tokens off, or use client credentials, a JWT or a token_file.")
}

// request makes the request for a token.
func (t *tokens) request(ctx context.Context, now time.Time) (*http.Request, error) {
	form, err := t.form(now)
	if err != nil {
		return nil, err
	}
	path, err := t.way.TokenURL.expand(t.client.values, nil)
	if err != nil {
		return nil, err
	}
	address, err := t.client.resolve(path)
	if err != nil {
		return nil, err
	}
	user, password := form.Get("client_id"), form.Get("client_secret")
	if t.way.ClientIn == "basic" {
		form.Del("client_id")
		form.Del("client_secret")
	}
	body, kind, err := t.body(form)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "contactbridge")
	if t.way.ClientIn == "basic" {
		request.SetBasicAuth(url.QueryEscape(user), url.QueryEscape(password))
	}
	return request, nil
}

// body returns what is sent for a token, and its type.
func (t *tokens) body(form url.Values) (body, kind string, err error) {
	if t.way.Send != "json" {
		return form.Encode(), "application/x-www-form-urlencoded", nil
	}
	object := make(map[string]string, len(form))
	for name := range form {
		object[name] = form.Get(name)
	}
	text, err := json.Marshal(object)
	if err != nil {
		return "", "", fmt.Errorf("write a request: %w", err)
	}
	return string(text), "application/json", nil
}

// jwtGrant is the grant of jwt_bearer.
const jwtGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// form returns what is sent for a token.
func (t *tokens) form(now time.Time) (url.Values, error) {
	form := url.Values{"grant_type": {t.way.By}}
	texts := map[string]Text{"client_id": t.way.ClientID, "client_secret": t.way.ClientSecret, "scope": t.way.Scope}
	switch t.way.By {
	case "refresh_token":
		texts["refresh_token"] = t.way.RefreshToken
	case "password":
		texts["username"], texts["password"] = t.way.User, t.way.Password
	case "jwt_bearer":
		assertion, err := t.assertion(now)
		if err != nil {
			return nil, err
		}
		form.Set("grant_type", jwtGrant)
		form.Set("assertion", assertion)
	}
	maps.Copy(texts, t.way.Form)
	if t.refresh != "" {
		delete(texts, "refresh_token")
		form.Set("refresh_token", t.refresh)
	}
	for name, text := range texts {
		value, err := text.expand(t.client.values, nil)
		if err != nil {
			return nil, err
		}
		if value != "" {
			form.Set(name, value)
		}
	}
	return form, nil
}

// assertion returns a signed JWT (RFC 7523), with RS256.
func (t *tokens) assertion(now time.Time) (string, error) {
	claims := map[string]any{"iat": now.Unix(), "exp": now.Add(3 * time.Minute).Unix()}
	for name, text := range t.way.Claims {
		value, err := text.expand(t.client.values, nil)
		if err != nil {
			return "", err
		}
		claims[name] = value
	}
	key, err := t.key()
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("write the claims: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(body)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign the assertion: %w", err)
	}
	return signed + "." + encode(signature), nil
}

// key reads the private key. Its errors hold nothing of it.
func (t *tokens) key() (*rsa.PrivateKey, error) {
	text, err := t.way.Key.expand(t.client.values, nil)
	if err != nil {
		return nil, err
	}
	wrong := &bridge.Error{Code: bridge.CodeUnauthorized, Message: "the private key is not an RSA key in PEM", Hint: "Write it whole, from -----BEGIN to END-----, as ${file:PATH}."}
	block, _ := pem.Decode([]byte(strings.ReplaceAll(text, `\n`, "\n")))
	if block == nil {
		return nil, wrong
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, wrong
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, wrong
	}
	return key, nil
}
