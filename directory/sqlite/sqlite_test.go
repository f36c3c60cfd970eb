package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/directorytest"
	"github.com/contactbridge/contactbridge/directory/sqlite"
)

func TestStore(t *testing.T) {
	paths := map[directory.Store]string{}
	open := func(t *testing.T, path string, clock func() time.Time) directory.Store {
		store, err := sqlite.Open(context.Background(), path, sqlite.WithClock(clock))
		if err != nil {
			t.Fatal(err)
		}
		paths[store] = path
		return store
	}
	directorytest.Run(t, directorytest.Harness{
		Open: func(t *testing.T, clock func() time.Time) directory.Store {
			return open(t, filepath.Join(t.TempDir(), "contacts.db"), clock)
		},
		Reopen: func(t *testing.T, store directory.Store, clock func() time.Time) directory.Store {
			return open(t, paths[store], clock)
		},
	})
}

func TestOpenSaysWhatIsWrongWithAFile(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, want string }{
		{"a text file", text, "no SQLite file"},
		{"a folder", dir, "it is a folder"},
		{"a folder that is not there", filepath.Join(dir, "no", "such", "contacts.db"), "no such file"},
	} {
		if store, err := sqlite.Open(context.Background(), c.path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.want)
			if store != nil {
				store.Close()
			}
		}
	}
	missing := filepath.Join(dir, "missing.db")
	if _, err := sqlite.Open(context.Background(), missing, sqlite.MustExist()); !errors.Is(err, sqlite.ErrNoFile) {
		t.Errorf("a missing file: %v, want ErrNoFile", err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("MustExist made the file")
	}
}

func TestFileIsReadableByItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.db")
	store, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode().Perm())
	}
}
