package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/failure"
)

// edit runs SQL on a file without the store.
func edit(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}

// made is the path of a directory with nothing in it.
func made(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "contacts.db")
	store, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenSaysWhatIsWrongWithAFile(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "foreign.db")
	edit(t, foreign, "CREATE TABLE songs (title TEXT)")
	signed := filepath.Join(dir, "signed.db")
	edit(t, signed, "PRAGMA application_id = 7; CREATE TABLE songs (title TEXT)")
	newer := made(t)
	edit(t, newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, 1)")
	for _, c := range []struct{ name, path, want string }{
		{"a text file", text, "not an SQLite file"},
		{"a folder", dir, "it is a folder"},
		{"another program's database", foreign, "another program's database"},
		{"another program's signed database", signed, "another program's database"},
		{"a newer release's directory", newer, "a newer contactbridge made the directory (schema 999999"},
	} {
		store, err := sqlite.Open(context.Background(), c.path)
		if err == nil {
			store.Close()
			t.Errorf("%s was opened", c.name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: error %q, want one that says %q and names the file", c.name, err, c.want)
		}
		if failure.Of(err).Hint == "" {
			t.Errorf("%s: no hint in %v", c.name, err)
		}
	}
}

func TestOpenLeavesAnotherProgramsFileAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "foreign.db")
	edit(t, path, "CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('x')")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(context.Background(), path); err == nil {
		t.Fatal("it was opened")
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(before) {
		t.Errorf("the file was changed, %v", err)
	}
}

func TestOpenOfAMissingFile(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.db")
	_, err := sqlite.Open(context.Background(), missing, sqlite.MustExist())
	if !errors.Is(err, sqlite.ErrNoFile) {
		t.Errorf("a missing file: %v, want ErrNoFile", err)
	}
	if !strings.Contains(failure.Of(err).Hint, "contactbridge sync") {
		t.Errorf("no hint what to do in %v", err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("MustExist made the file")
	}
	if _, err := sqlite.Open(context.Background(), filepath.Join(dir, "no", "such", "contacts.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file in a folder that is not there: %v", err)
	}
}

func TestFileIsReadableByItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.db")
	store, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("contacts.db%s has mode %v, want 0600", suffix, info.Mode().Perm())
		}
	}
}

// TestWaitingForAnotherWriterEndsWithTheContext waits in vain, with a context shorter than the store's own patience.
func TestWaitingForAnotherWriterEndsWithTheContext(t *testing.T) {
	path := made(t)
	store, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	other, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	key := directory.Key{Account: "a", Integration: "i"}
	if _, err := store.StartRun(ctx, key, directory.Start{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another process writes: %v, want the context's end", err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.StartRun(context.Background(), key, directory.Start{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestPathMayHoldAnything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "what? 100% #1 & ünï.db")
	store, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestMemoryIsEmptyAndGoneWhenClosed(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, key := context.Background(), directory.Key{Account: "a", Integration: "i"}
	first, err := sqlite.Open(ctx, sqlite.Memory)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.StartRun(ctx, key, directory.Start{}); err != nil {
		t.Fatal(err)
	}
	second, err := sqlite.Open(ctx, sqlite.Memory)
	if err != nil {
		t.Fatal(err)
	}
	if states, err := second.States(ctx, ""); err != nil || len(states) != 0 {
		t.Errorf("the second one holds %v, %v", states, err)
	}
	for _, store := range []*sqlite.Store{first, second} {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestManyMayMakeTheFileAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.db")
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			store, err := sqlite.Open(context.Background(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer store.Close()
			if _, err := store.States(context.Background(), ""); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// TestQueriesUseTheirIndexes reads SQLite's plans: a scan would be right and slow.
func TestQueriesUseTheirIndexes(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+made(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for query, want := range sqlite.IndexedQueries() {
		rows, err := db.Query("EXPLAIN QUERY PLAN "+query, 1, 1, 2, 3, 4, 5)
		if err != nil {
			t.Fatal(query, err)
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(query, err)
		}
		all := strings.Join(plan, "; ")
		if strings.Contains(all, "SCAN") || !strings.Contains(all, want) {
			t.Errorf("%s:\n%s", query, all)
		}
	}
}

func TestEndings(t *testing.T) {
	for _, c := range []struct {
		digits   string
		from, to int64
	}{
		{"14155550123", 321055551, 321055551},
		{"155550123", 321055551, 321055551},
		{"5550123", 321055500, 321055599},
		{"555000", 555000, 555999},
		{"41", 140000000, 149999999},
		{"", 0, 999999999},
	} {
		if from, to := sqlite.Endings(c.digits); from != c.from || to != c.to {
			t.Errorf("numbers ending in %q lie from %d to %d, want %d to %d", c.digits, from, to, c.from, c.to)
		}
	}
}

// A call that is given up just when its transaction begins must not leave it open for the next one.
func TestATransactionGivenUpAtItsBeginningIsNotLeftOpen(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "contacts.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	run, err := store.StartRun(t.Context(), killKey, directory.Start{Lease: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%150)*time.Microsecond)
		_ = store.RenewLease(ctx, run, time.Hour) // in time or not
		cancel()
		if err := store.RenewLease(t.Context(), run, time.Hour); err != nil {
			t.Fatalf("after %d calls: %v", i, err)
		}
	}
}

// A page makes one piece of the search index: all pieces are merged sooner or later, which costs more than all else where there
// are many small ones.
func TestAPageIsOnePieceOfTheSearchIndex(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "contacts.db")
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	pieces := func() (n int) {
		t.Helper()
		db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		// FTS5 keeps a piece's pages under keys with its number in the bits from the 37th on, the lowest free one when it is made.
		if err := db.QueryRowContext(ctx, "SELECT max(id >> 37) FROM search_data").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	storeSome := func(all []directory.Record) {
		t.Helper()
		run, err := store.StartRun(ctx, directory.Key{Account: "a", Integration: "crm"}, directory.Start{Full: true, Lease: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.ApplyPage(ctx, run, directory.PageChanges{Seq: 1, Contacts: all}); err != nil {
			t.Fatal(err)
		}
		if err := store.CompleteSearch(ctx, run.Key); err != nil {
			t.Fatal(err)
		}
	}
	storeSome(records(1000, ""))
	if n := pieces(); n != 1 {
		t.Errorf("a page of new contacts made %d pieces", n)
	}
	storeSome(records(1000, " jun."))
	if n := pieces(); n != 2 {
		t.Errorf("a page of changed contacts came to %d pieces with the one before it", n)
	}
}
