package sqlite_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/directorytest"
	"github.com/contactbridge/contactbridge/directory/sqlite"
)

func TestStore(t *testing.T) { directorytest.Run(t, harness()) }

// TestStoreThatLeavesSearchForLater runs the cases in which something is searched with stores that enter nothing into the index at once.
func TestStoreThatLeavesSearchForLater(t *testing.T) {
	sqlite.Await(1, 7)
	t.Cleanup(func() { sqlite.Await(50, 4000) })
	h := harness()
	h.Only = func(name string) bool {
		return strings.Contains(name, "Search") || strings.Contains(name, "Book") || strings.Contains(name, "Purge") || strings.Contains(name, "Email")
	}
	directorytest.Run(t, h)
}

func harness() directorytest.Harness {
	paths := map[directory.Store]string{}
	open := func(t *testing.T, path string, clock func() time.Time) directory.Store {
		store, err := sqlite.Open(context.Background(), path, sqlite.WithClock(clock), sqlite.WithJudges(directorytest.Judges))
		if err != nil {
			t.Fatal(err)
		}
		paths[store] = path
		return store
	}
	return directorytest.Harness{
		Open: func(t *testing.T, clock func() time.Time) directory.Store {
			return open(t, filepath.Join(t.TempDir(), "contacts.db"), clock)
		},
		Reopen: func(t *testing.T, store directory.Store, clock func() time.Time) directory.Store {
			return open(t, paths[store], clock)
		},
	}
}
