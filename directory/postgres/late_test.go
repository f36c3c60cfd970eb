package postgres_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/postgres"
)

// A telephone system waits 45 ms for a name. If every look-up that takes longer broke its connection, a busy server would have to open new
// connections all the time, and would stay busy.
func TestALookUpThatIsTooLateKeepsItsConnection(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		held time.Duration // how long the server is busy after the caller has given up; 0 means until the look-up has ended
	}{
		"it ends soon":         {held: 50 * time.Millisecond}, // a tenth of the time after which it is cancelled
		"it has to be stopped": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := server.Database(t)
			store, err := postgres.Open(t.Context(), db.DSN)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { store.Close() })
			run, err := store.StartRun(t.Context(), directory.Key{Account: "acme", Integration: "crm"}, directory.Start{Lease: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if err := store.FailRun(t.Context(), run, errors.New("it was only for the account"), ""); err != nil {
				t.Fatal(err)
			}
			ask := func(ctx context.Context) error {
				_, err := store.ByE164(ctx, "acme", []string{"+442071838750"}, 10)
				return err
			}
			if err := ask(t.Context()); err != nil {
				t.Fatal(err)
			}
			conn := db.Conn(t)
			before := sessions(t, conn)

			busy, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := busy.Exec(t.Context(), "LOCK TABLE contactbridge.numbers"); err != nil {
				t.Fatal(err)
			}
			ctx, giveUp := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- ask(ctx) }()
			for waits := false; !waits; time.Sleep(time.Millisecond) {
				err := busy.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'contactbridge.numbers'::regclass)").Scan(&waits)
				if err != nil || len(ended) > 0 {
					t.Fatalf("the look-up does not wait for the table: %v", err)
				}
			}
			giveUp()
			if c.held > 0 {
				time.Sleep(c.held)
				if err := busy.Rollback(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-ended; err == nil && c.held == 0 {
				t.Error("a look-up ended well while the server could not answer it")
			}
			_ = busy.Rollback(t.Context())

			if err := ask(t.Context()); err != nil {
				t.Errorf("the next look-up: %v", err)
			}
			if after := sessions(t, conn); !slices.Equal(before, after) {
				t.Errorf("sessions of the directory were %v and are %v", before, after)
			}
		})
	}
}

// sessions returns the server's process ids of all connections to conn's database but conn itself.
func sessions(t *testing.T, conn *pgx.Conn) []int {
	t.Helper()
	rows, err := conn.Query(t.Context(), "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY pid")
	if err != nil {
		t.Fatal(err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil || len(pids) == 0 {
		t.Fatalf("sessions: %v, %v", pids, err)
	}
	return pids
}
