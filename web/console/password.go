package console

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// A cost is how much work a password's hash is (argon2id).
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// presentCost is the least that OWASP's cheat sheet on password storage asks for.
var presentCost = owaspCost

// owaspCost is the least cost that OWASP's cheat sheet on password storage asks for.
var owaspCost = cost{memory: 19 << 10, passes: 2, threads: 1}

// maxCost bounds what a stored hash may make us do.
var maxCost = cost{memory: 1 << 20, passes: 16, threads: 16}

const (
	saltBytes   = 16
	digestBytes = 32
	// Hashing at the same time, so that a flood of sign-ins does not take all memory.
	hashers = 4
)

// A hash is an encoded password: $argon2id$v=19$m=…,t=…,p=…$salt$digest, and $until=seconds for one that another user has
// set, which lets in until then and must be replaced.
type hash struct {
	cost
	salt, digest []byte
	until        time.Time // zero: for ever
}

// A vault hashes and compares passwords, a few at a time.
type vault struct{ turns chan struct{} }

func newVault() *vault { return &vault{turns: make(chan struct{}, hashers)} }

// hash encodes a password. Until is zero for one that its owner chose.
func (v *vault) hash(ctx context.Context, password string, until time.Time) (string, error) {
	h := hash{cost: presentCost, salt: make([]byte, saltBytes), until: until}
	if _, err := rand.Read(h.salt); err != nil {
		return "", fmt.Errorf("make a salt: %w", err)
	}
	digest, err := v.digest(ctx, password, h)
	if err != nil {
		return "", err
	}
	h.digest = digest
	return h.String(), nil
}

// matches reports whether a password is the encoded one. For a text that is not a hash the work is the same, and the result false.
func (v *vault) matches(ctx context.Context, password, encoded string) (bool, error) {
	h, known := parseHash(encoded)
	if !known {
		h = hash{cost: presentCost, salt: make([]byte, saltBytes), digest: make([]byte, digestBytes)}
	}
	digest, err := v.digest(ctx, password, h)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(digest, h.digest) == 1 && known, nil
}

func (v *vault) digest(ctx context.Context, password string, h hash) ([]byte, error) {
	select {
	case v.turns <- struct{}{}:
		defer func() { <-v.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, digestBytes), nil
}

// String encodes the hash.
func (h hash) String() string {
	text := fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.digest))
	if !h.until.IsZero() {
		text += "$until=" + strconv.FormatInt(h.until.Unix(), 10)
	}
	return text
}

// parseHash reads an encoded hash.
func parseHash(encoded string) (h hash, ok bool) {
	parts := strings.Split(encoded, "$")
	if len(parts) < 6 || len(parts) > 7 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.threads); err != nil {
		return h, false
	}
	if h.memory > maxCost.memory || h.passes == 0 || h.passes > maxCost.passes || h.threads == 0 || h.threads > maxCost.threads {
		return h, false
	}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
	h.digest, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(h.digest) != digestBytes {
		return h, false
	}
	if len(parts) == 7 {
		until, found := strings.CutPrefix(parts[6], "until=")
		seconds, err := strconv.ParseInt(until, 10, 64)
		if !found || err != nil {
			return h, false
		}
		h.until = time.Unix(seconds, 0)
	}
	return h, true
}

// temporary reports whether another user has set this password, and until when it lets in.
func temporary(encoded string) (until time.Time, is bool) {
	h, ok := parseHash(encoded)
	return h.until, ok && !h.until.IsZero()
}

// outdated reports whether a hash is less work than one that is made now.
func outdated(encoded string) bool {
	h, ok := parseHash(encoded)
	return ok && h.cost != presentCost
}

// Bounds of a password, in characters.
const (
	minPassword = 12
	maxPassword = 128
)

// weakness says what is wrong with a password that a user chose; empty where nothing is.
func weakness(password, user string) string {
	n := utf8.RuneCountInString(strings.Join(strings.Fields(password), " ")) // many spaces make it no longer
	folded := strings.ToLower(password)
	switch {
	case n < minPassword:
		return fmt.Sprintf("The password has %d characters. Use %d or more: four words make a good one.", n, minPassword)
	case utf8.RuneCountInString(password) > maxPassword:
		return fmt.Sprintf("The password has %d characters. Use %d at most.", utf8.RuneCountInString(password), maxPassword)
	case distinct(folded) < 5:
		return "The password repeats a few characters. Use several words."
	case strings.Contains(folded, strings.ToLower(user)) && len(user) > 2:
		return "The password holds the name that you sign in with. Use words that have nothing to do with you."
	case common(folded):
		return "The password is among the first that anyone would try. Use several words that have nothing to do with each other."
	}
	return ""
}

func distinct(text string) int {
	seen := map[rune]bool{}
	for _, c := range text {
		seen[c] = true
	}
	return len(seen)
}

// common reports whether little is left of a password without the words and rows of keys that most passwords are made of.
func common(folded string) bool {
	rest := folded
	for _, word := range []string{
		"password", "passwort", "passw0rd", "p@ssw0rd", "p@ssword", "contactbridge", "administrator", "admin", "welcome", "letmein", "iloveyou",
		"changeme", "default", "secret", "dragon", "monkey", "football", "baseball", "sunshine", "princess", "superman", "trustno1",
		"qwertyuiop", "qwertzuiop", "qwerty", "qwertz", "azerty", "asdfghjkl", "asdfgh", "zxcvbnm", "yxcvbnm", "1q2w3e4r", "1qaz2wsx", "abcdef", "abc",
		"1234567890", "123456789", "12345678", "1234567", "123456", "12345", "1234", "123", "0987654321", "987654321", "654321", "4321", "321",
		"login", "hello", "master", "user", "test", "guest", "root", "summer", "winter", "spring", "autumn",
		"2022", "2023", "2024", "2025", "2026", "2027",
	} {
		rest = strings.ReplaceAll(rest, word, "")
	}
	return distinct(strings.Trim(rest, "!?.-_ ")) < 4
}

// invented is a password for another user, to be replaced at the first sign-in.
func invented() string {
	text := strings.ToLower(rand.Text())
	return text[0:5] + "-" + text[5:10] + "-" + text[10:15] + "-" + text[15:20]
}
