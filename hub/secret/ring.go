// Package secret seals what a hub keeps at rest: credentials, tokens of OAuth, signing secrets. A [Ring] holds the keys; where
// they come from is a file, an environment variable, or a command that asks a key management service.
//
// What is sealed is AES-256-GCM: a version byte, four bytes that name the key, a random nonce, the ciphertext. Version, name
// and the context in which it was sealed are authenticated with it, so nothing can be moved to another place.
package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// KeySize is the size of a key in bytes.
const KeySize = 32

const (
	version    = 1
	idSize     = 4
	headerSize = 1 + idSize
)

// Errors of a ring. They are wrapped in a [*failure.Error] that says what to do; compare with errors.Is.
var (
	ErrUnknownKey = errors.New("the key is not there")
	ErrDamaged    = errors.New("it is damaged, or does not belong here")
	ErrBadKey     = errors.New("it is not a key")
)

// A Ring holds keys: the present one seals, all of them open. Its methods may be called concurrently.
type Ring struct {
	origin string // where the keys come from, for people
	file   *file  // nil where they come from elsewhere

	mu   sync.RWMutex
	keys []key
}

var _ registry.Sealer = (*Ring)(nil)

type key struct {
	id   [idSize]byte
	text string // as it is written in a file
	aead cipher.AEAD
}

// NewKey makes a key as a line of text: base64 of 32 random bytes.
func NewKey() string {
	var raw [KeySize]byte
	_, _ = rand.Read(raw[:]) // it never fails
	return base64.StdEncoding.EncodeToString(raw[:])
}

// Parse reads keys, one a line: the first is the present one. Empty lines and lines that begin with # are skipped. Origin says
// in errors where the text comes from.
func Parse(text, origin string) (*Ring, error) {
	keys, err := parse(text, origin)
	if err != nil {
		return nil, err
	}
	return &Ring{origin: origin, keys: keys}, nil
}

func parse(text, origin string) (keys []key, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, err := parseKey(line)
		if err != nil {
			return nil, &failure.Error{
				Message: fmt.Sprintf("line %d of %s is not a key", n, origin), Err: err,
				Hint: "a key is the base64 of 32 random bytes, on a line of its own: openssl rand -base64 32",
			}
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, &failure.Error{
			Message: origin + " holds no key", Err: ErrBadKey,
			Hint: "a key is the base64 of 32 random bytes: openssl rand -base64 32; or restore the one that there was",
		}
	}
	return keys, nil
}

// parseKey reads a key. Its errors hold nothing of it.
func parseKey(text string) (key, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != KeySize {
		return key{}, ErrBadKey
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return key{}, ErrBadKey
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return key{}, ErrBadKey
	}
	k := key{text: text, aead: aead}
	sum := sha256.Sum256(append([]byte("contactbridge key "), raw...))
	copy(k.id[:], sum[:])
	return k, nil
}

// String says what the ring is, without its keys.
func (r *Ring) String() string { return "keys of " + r.origin }

// GoString is String.
func (r *Ring) GoString() string { return r.String() }

// IDs name the keys, the present one first: eight hexadecimal digits each, which tell nothing about the key.
func (r *Ring) IDs() []string {
	var ids []string
	for _, k := range r.present() {
		ids = append(ids, hex.EncodeToString(k.id[:]))
	}
	return ids
}

func (r *Ring) present() []key {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.keys
}

// Seal seals with the present key. What was sealed opens only with the same context.
func (r *Ring) Seal(plain []byte, context string) ([]byte, error) {
	if err := r.refresh(); err != nil {
		return nil, err
	}
	k := r.present()[0]
	header := append([]byte{version}, k.id[:]...)
	return k.aead.Seal(header, nil, plain, additional(header, context)), nil
}

// Open opens what was sealed with any of the keys. If the ring has no such key, the ring's file is read again first: another
// process may have rotated it.
func (r *Ring) Open(sealed []byte, context string) ([]byte, error) {
	if len(sealed) < headerSize || sealed[0] != version {
		return nil, damaged("a secret was not sealed by this release of contactbridge", ErrDamaged)
	}
	header := sealed[:headerSize]
	k, ok := r.find(header[1:])
	if !ok {
		if err := r.refresh(); err != nil {
			return nil, err
		}
		k, ok = r.find(header[1:])
	}
	if !ok {
		return nil, &failure.Error{
			Message: fmt.Sprintf("a secret was sealed with key %x, which is not in %s", header[1:], r.origin), Err: ErrUnknownKey,
			Hint: "add that key there, on a line of its own after the present one; if it is lost, set the credentials again",
		}
	}
	plain, err := k.aead.Open(nil, nil, sealed[headerSize:], additional(header, context))
	if err != nil {
		return nil, damaged(fmt.Sprintf("a secret does not open with key %x", header[1:]), ErrDamaged)
	}
	return plain, nil
}

func damaged(message string, err error) error {
	return &failure.Error{Message: message, Hint: "set the credentials again, or restore the database from a backup", Err: err}
}

func (r *Ring) find(id []byte) (key, bool) {
	keys := r.present()
	i := slices.IndexFunc(keys, func(k key) bool { return bytes.Equal(k.id[:], id) })
	if i < 0 {
		return key{}, false
	}
	return keys[i], true
}

func additional(header []byte, context string) []byte {
	return append(header[:headerSize:headerSize], context...)
}
