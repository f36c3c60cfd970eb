package postgres_test

import (
	"os"
	"strings"
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
	t.Parallel()
	runSuite(t, func(t *testing.T) string {
		return server.Prepared(t, "directory", func(db *pgtest.Database) { makeTables(t, db) }).DSN
	})
}

// TestPartitionedStore runs the suite on tables that were moved into partitions as docs/scaling.md says.
func TestPartitionedStore(t *testing.T) {
	t.Parallel()
	statements := strings.Replace(partitions(t), "parts CONSTANT int := 16", "parts CONSTANT int := 2", 1)
	runSuite(t, func(t *testing.T) string {
		return server.Prepared(t, "directory in partitions", func(db *pgtest.Database) {
			makeTables(t, db)
			db.Exec(t, statements)
		}).DSN
	})
}

// makeTables makes the directory's tables.
func makeTables(t *testing.T, db *pgtest.Database) {
	t.Helper()
	store, err := postgres.Open(t.Context(), db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	store.Close()
}

// runSuite runs the suite of all stores on databases that make returns.
func runSuite(t *testing.T, make func(t *testing.T) (dsn string)) {
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
			return open(t, make(t), clock)
		},
		Reopen: func(t *testing.T, store directory.Store, clock func() time.Time) directory.Store {
			return open(t, addresses[store], clock)
		},
	})
}
