package carddav

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"sync"
)

// A digest answers the challenges of HTTP Digest (RFC 7616). Many requests use it at once.
type digest struct {
	user, password string

	mu        sync.Mutex
	challenge map[string]string // of the server's last question; nil until there was one
	count     int               // requests with its nonce
}

// take notes a server's question. ok is false where none of its questions is one of Digest that can be answered.
func (d *digest) take(header http.Header) (ok bool) {
	best := map[string]string(nil)
	for _, text := range header.Values("WWW-Authenticate") {
		for _, challenge := range challenges(text) {
			if challenge["scheme"] != "digest" || newHash(challenge["algorithm"]) == nil || challenge["nonce"] == "" {
				continue
			}
			if _, asks := challenge["qop"]; asks && !hasToken(challenge["qop"], "auth") {
				continue
			}
			if best == nil || strings.Contains(strings.ToUpper(challenge["algorithm"]), "SHA-256") {
				best = challenge
			}
		}
	}
	if best == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.challenge, d.count = best, 0
	return true
}

// header returns the answer for a request; empty while there was no question.
func (d *digest) header(method, uri string) string {
	d.mu.Lock()
	c := d.challenge
	d.count++
	count := fmt.Sprintf("%08x", d.count)
	d.mu.Unlock()
	if c == nil {
		return ""
	}
	algorithm := c["algorithm"]
	sum := func(parts ...string) string {
		h := newHash(algorithm)
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	cnonce := hex.EncodeToString(random)
	secret := sum(d.user, c["realm"], d.password)
	if strings.HasSuffix(strings.ToLower(algorithm), "-sess") {
		secret = sum(secret, c["nonce"], cnonce)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `Digest username="%s", realm="%s", nonce="%s", uri="%s"`, quoted(d.user), quoted(c["realm"]), quoted(c["nonce"]), quoted(uri))
	if _, asks := c["qop"]; asks {
		fmt.Fprintf(&b, `, qop=auth, nc=%s, cnonce="%s", response="%s"`, count, cnonce, sum(secret, c["nonce"], count, cnonce, "auth", sum(method, uri)))
	} else {
		fmt.Fprintf(&b, `, response="%s"`, sum(secret, c["nonce"], sum(method, uri)))
	}
	if algorithm != "" {
		b.WriteString(", algorithm=" + algorithm)
	}
	if opaque, ok := c["opaque"]; ok {
		fmt.Fprintf(&b, `, opaque="%s"`, quoted(opaque))
	}
	return b.String()
}

// newHash returns the hash of an algorithm's name; nil for one that is unknown.
func newHash(algorithm string) hash.Hash {
	switch strings.TrimSuffix(strings.ToUpper(algorithm), "-SESS") {
	case "", "MD5":
		return md5.New()
	case "SHA-256":
		return sha256.New()
	}
	return nil
}

func quoted(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
}

func hasToken(list, token string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(one), token) {
			return true
		}
	}
	return false
}

// challenges reads a WWW-Authenticate header: a scheme and its parameters, maybe several after each other. Names are in lower case.
func challenges(text string) []map[string]string {
	var list []map[string]string
	for rest := text; ; {
		rest = strings.TrimLeft(rest, ", \t")
		if rest == "" {
			return list
		}
		end := strings.IndexAny(rest, "=, \t")
		if end < 0 {
			end = len(rest)
		}
		name := strings.ToLower(rest[:end])
		after := strings.TrimLeft(rest[end:], " \t")
		if !strings.HasPrefix(after, "=") { // a scheme
			list = append(list, map[string]string{"scheme": name})
			rest = after
			continue
		}
		value, behind := parameterValue(strings.TrimLeft(after[1:], " \t"))
		rest = behind
		if len(list) > 0 {
			list[len(list)-1][name] = value
		}
	}
}

// parameterValue reads a value that may be in quotes, and returns what follows it.
func parameterValue(text string) (value, rest string) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, ", \t")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:]
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:]
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String(), ""
}
