package recording

import (
	"strings"
	"testing"
)

func TestOrdinaryKeysAreBounded(t *testing.T) {
	for key, want := range map[string]bool{
		"name": true, "@odata.id": true, "prénom": true, "": false, "1": false, "a b": false, "a\n": false, "a\xff": false,
		strings.Repeat("é", 80): true, strings.Repeat("é", 81): false,
	} {
		if got := isOrdinaryKey(key); got != want {
			t.Errorf("%q: %t; want %t", key, got, want)
		}
	}
}
