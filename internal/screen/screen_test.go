package screen_test

import (
	"testing"

	"github.com/contactbridge/contactbridge/internal/screen"
)

func TestWhatDrawsOnATerminal(t *testing.T) {
	for _, r := range "\x00\x1b\n\u0085\u061c\u200b\u200e\u200f\u202a\u202e\u2028\u2029\u2060\u2066\u2069\ufeff" {
		if !screen.Draws(r) {
			t.Errorf("%U may stand there", r)
		}
	}
	for _, r := range "a é\u00a0\u200c\u200d東م😀" {
		if screen.Draws(r) {
			t.Errorf("%U may not stand there", r)
		}
	}
}
