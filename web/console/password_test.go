package console

import (
	"strings"
	"testing"
)

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
