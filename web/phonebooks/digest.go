package phonebooks

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the telephones' Digest
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// digest is HTTP Digest access authentication (RFC 7616) with MD5, the only algorithm of the telephones that have it. A nonce says
// when it was made, and is not kept: within its time an answer may be sent again.
type digest struct {
	clock func() time.Time
	key   [32]byte
}

const nonceTime = 5 * time.Minute

func (d *digest) challenge(realm string, stale bool) string {
	c := fmt.Sprintf("Digest realm=%q, qop=\"auth\", algorithm=MD5, nonce=%q", realm, d.nonce())
	if stale {
		c += ", stale=true"
	}
	return c
}

func (d *digest) nonce() string {
	stamp := binary.BigEndian.AppendUint64(nil, uint64(d.clock().Unix()))
	return base64.RawURLEncoding.EncodeToString(append(stamp, d.seal(stamp)...))
}

func (d *digest) seal(stamp []byte) []byte {
	mac := hmac.New(sha256.New, d.key[:])
	mac.Write(stamp)
	return mac.Sum(nil)[:16]
}

// age returns how old a nonce of ours is.
func (d *digest) age(nonce string) (age time.Duration, ours bool) {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != 24 || !hmac.Equal(b[8:], d.seal(b[:8])) {
		return 0, false
	}
	return d.clock().Sub(time.Unix(int64(binary.BigEndian.Uint64(b)), 0)), true
}

// check checks the answer to a challenge. stale is one that is right, to an old nonce.
func (d *digest) check(r *http.Request, text, realm, user, password string) (stale, ok bool) {
	p := digestParameters(text)
	if a := p["algorithm"]; a != "" && !strings.EqualFold(a, "MD5") {
		return false, false
	}
	age, ours := d.age(p["nonce"])
	if p["realm"] != realm || !equal(p["username"], user) || !d.sameTarget(r, p["uri"]) {
		return false, false
	}
	secret := hash(user + ":" + realm + ":" + password)
	method := hash(r.Method + ":" + p["uri"])
	want := hash(secret + ":" + p["nonce"] + ":" + method) // RFC 2069: without qop
	if p["qop"] != "" {
		want = hash(strings.Join([]string{secret, p["nonce"], p["nc"], p["cnonce"], p["qop"], method}, ":"))
	}
	if p["qop"] != "" && p["qop"] != "auth" || !equal(strings.ToLower(p["response"]), want) {
		return false, false
	}
	fresh := ours && age >= 0 && age <= nonceTime
	return !fresh, fresh
}

// sameTarget reports whether the address that was signed is the one that is asked for.
func (d *digest) sameTarget(r *http.Request, uri string) bool {
	asked := r.RequestURI
	if asked == "" {
		asked = r.URL.RequestURI()
	}
	if _, after, ok := strings.Cut(uri, "://"); ok { // an absolute address
		_, path, _ := strings.Cut(after, "/")
		uri = "/" + path
	}
	return uri == asked
}

func hash(text string) string {
	sum := md5.Sum([]byte(text)) //nolint:gosec // the telephones' Digest
	return hex.EncodeToString(sum[:])
}

// digestParameters reads name=value and name="value", separated by commas.
func digestParameters(text string) map[string]string {
	p := map[string]string{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeft(text, ", \t") {
		name, rest, ok := strings.Cut(text, "=")
		if !ok {
			break
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if !strings.HasPrefix(rest, `"`) {
			value, after, _ := strings.Cut(rest, ",")
			p[name], text = strings.TrimSpace(value), after
			continue
		}
		var value strings.Builder
		at := 1
		for ; at < len(rest) && rest[at] != '"'; at++ {
			if rest[at] == '\\' && at+1 < len(rest) {
				at++
			}
			value.WriteByte(rest[at])
		}
		p[name], text = value.String(), rest[min(at+1, len(rest)):]
	}
	return p
}
