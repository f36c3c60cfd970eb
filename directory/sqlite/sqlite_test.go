package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/directorytest"
	"github.com/contactbridge/contactbridge/directory/sqlite"
)

func TestStore(t *testing.T) {
	paths := map[directory.Store]string{}
	open := func(t *testing.T, path string, clock func() time.Time) directory.Store {
		store, err := sqlite.Open(context.Background(), path, sqlite.WithClock(clock), sqlite.WithJudges(directorytest.Judges))
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
