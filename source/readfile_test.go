package source_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/contactbridge/contactbridge/source"
)

// A file that has no end, or is far too large, is not read to its end.
func TestASmallFileIsRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(name, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if content, err := source.ReadFile(name, 5); string(content) != "12345" || err != nil {
		t.Errorf("%q, %v", content, err)
	}
	for _, large := range []string{name, "/dev/zero"} {
		if content, err := source.ReadFile(large, 4); err == nil || len(content) > 0 {
			t.Errorf("%s: %d bytes are read", large, len(content))
		}
	}
}
