package postgres_test

import (
	"os"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/directorytest"
	"github.com/contactbridge/contactbridge/directory/postgres"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
)

var server pgtest.Suite

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

func TestStore(t *testing.T) {
	addresses := map[directory.Store]string{}
	open := func(t *testing.T, dsn string, clock func() time.Time) directory.Store {
		store, err := postgres.Open(t.Context(), dsn, postgres.WithClock(clock), postgres.WithJudges(directorytest.Judges))
		if err != nil {
			t.Fatal(err)
		}
		addresses[store] = dsn
		return store
	}
	directorytest.Run(t, directorytest.Harness{
		Open: func(t *testing.T, clock func() time.Time) directory.Store {
			return open(t, server.Database(t).DSN, clock)
		},
		Reopen: func(t *testing.T, store directory.Store, clock func() time.Time) directory.Store {
			return open(t, addresses[store], clock)
		},
	})
}
