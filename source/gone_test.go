package source_test

import (
	"testing"

	"github.com/contactbridge/contactbridge/source"
)

func TestIsGone(t *testing.T) {
	for _, value := range []string{
		"", " ", "0", " 0 ", "0.00", "-0", "000", "0000-00-00 00:00:00", "f", "F", "false", "FALSE", "n", "N", "no", "No ", "off", "null",
		"none", `"N"`, `\x00`, "\x00", "-",
	} {
		if source.IsGone(value) {
			t.Errorf("%q: gone", value)
		}
	}
	for _, value := range []string{
		"1", "-1", "0.5", "t", "T", "true", "y", "Y", "yes", "x", "✓", "*", "deleted", "2026-11-29", "0001-01-01", "NaN", "101", "010", `\x01`,
	} {
		if !source.IsGone(value) {
			t.Errorf("%q: not gone", value)
		}
	}
}
