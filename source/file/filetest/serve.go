package filetest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// Serve writes a file that nobody has changed for long into a folder, opens a source that reads it there, and gives each change of an initial run. A
// change is valid until the next one. The source is closed when the test ends.
func Serve(t testing.TB, name, content string, open func(folder string) (source.Factory, error), each func(*bridge.Change)) bridge.Source {
	t.Helper()
	folder, old := t.TempDir(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	factory, err := open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { factory.Close() })
	src, err := factory.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	run, err := src.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for change, err := range src.Read(t.Context(), run, nil, 0) {
		if err != nil {
			t.Fatal(err)
		}
		each(&change)
	}
	return src
}
