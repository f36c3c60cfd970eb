package console

import (
	"strings"
	"testing"
	"time"
)

// Tests make hashes that are less work, programs do not; one that was made for less is good, and made again.
func TestPasswordsAreHashedAsOWASPAsks(t *testing.T) {
	cheap := presentCost
	defer func() { presentCost = cheap }()
	made := map[cost]string{}
	for _, c := range []cost{cheap, owaspCost} {
		presentCost = c
		encoded, err := newVault().hash(t.Context(), "correct horse", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		made[c] = encoded
	}
	if want := "$argon2id$v=19$m=19456,t=2,p=1$"; !strings.HasPrefix(made[owaspCost], want) {
		t.Errorf("%s, want %s…", made[owaspCost], want)
	}
	for c, encoded := range made {
		if outdated(encoded) != (c == cheap) {
			t.Errorf("%s is outdated: %t", encoded, c != cheap)
		}
		for word, right := range map[string]bool{"correct horse": true, "correct horses": false} {
			if is, err := newVault().matches(t.Context(), word, encoded); err != nil || is != right {
				t.Errorf("%q matches %s: %t, %v", word, encoded, is, err)
			}
		}
	}
}

func TestAPasswordIsLongAndOfOnesOwn(t *testing.T) {
	for password, good := range map[string]bool{
		"correct horse battery staple":                     true,
		"ein ähnlich guter Satz 🐎":                         true,
		strings.Repeat("lorem ipsum ", 9) + "dolor sit am": true,
		"short and 1":                      false,
		"abcde        ":                    false, // many spaces make it no longer
		"        abcde        fghij":       false,
		strings.Repeat("abcdef ghijk", 11): false, // more than 128
		"aaaaaaaaaaaaaaaa":                 false,
		"Password1234!":                    false,
		"qwertyuiop1234567890":             false,
		"ada lovelace forever":             false,
	} {
		if words := weakness(password, "ada"); (words == "") != good {
			t.Errorf("%q: %q", password, words)
		}
	}
}
