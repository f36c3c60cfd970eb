package phonebook

import (
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// TestCleanTextIsLeftAlone checks the shortcut of clean: no letter that it lets through is written in another way by it.
func TestCleanTextIsLeftAlone(t *testing.T) {
	for r := rune(1); r < 0x500; r++ {
		for _, text := range []string{string(r), "a" + string(r), string(r) + "a b", "e" + string(r) + "\u0301"} {
			if isClean(text) && (norm.NFC.String(text) != text || unicode.IsControl(r)) {
				t.Errorf("%q (%U) is taken for clean", text, r)
			}
		}
	}
	for text, want := range map[string]bool{"": true, "Anna Müller": true, "Łukasz Żółć": true, " a": false, "a ": false, "a  b": false, "a\u00a0b": false, "Mu\u0308ller": false, "a\xff": false, "a\u00adb": false} {
		if got := isClean(text); got != want {
			t.Errorf("%q is clean: %t, want %t", text, got, want)
		}
	}
}
