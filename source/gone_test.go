package source_test

import (
	"testing"

	"github.com/contactbridge/contactbridge/source"
)

func TestIsGone(t *testing.T) {
	for _, value := range []string{
		"", " ", "0", " 0 ", "0.00", "-0", "000", "0000-00-00 00:00:00", "f", "F", "false", "FALSE", "n", "N", "no", "No ", "off", "null",
		"none", `"N"`, `\x00`, "\x00", "-", "—", "0E-10", "+0", "0 %", "€0.00", "{}", "[]", "{0}", `""`, "{f}", `\x30`, `\x4e`,
		"NEIN", "Não", "non", "never", "N/A", "\u00a0", "infinity", "Infinity", "9999-12-31 23:59:59+00", "0001-01-01", "0001-01-01 00:00:00",
		"1970-01-01 01:00:00+01", "1969-12-31 19:00:00-05", "1900-01-01", "00000000-0000-0000-0000-000000000000",
	} {
		if source.IsGone(value) {
			t.Errorf("%q: gone", value)
		}
	}
	for _, value := range []string{
		"1", "-1", "0.5", "t", "T", "true", "y", "Y", "yes", "x", "✓", "*", "deleted", "2026-11-29", "1970-02-01", "NaN", "1e-400", `{"a":1}`, "Ja", "{0,1}", "{1}", "101", "010", `\x01`,
	} {
		if !source.IsGone(value) {
			t.Errorf("%q: not gone", value)
		}
	}
}
