package hub

import (
	"strings"
	"testing"
)

func TestFileNamesAreBounded(t *testing.T) {
	for name, want := range map[string]bool{
		"crm.csv": true, "Kunden (2).csv": true, "été.csv": true, "": false, ".csv": false, "a/b.csv": false, "a..csv": false, "a\n": false, "a\xff": false,
		strings.Repeat("é", 100): true, strings.Repeat("é", 101): false,
	} {
		if got := isFileName(name); got != want {
			t.Errorf("%q: %t; want %t", name, got, want)
		}
	}
}
