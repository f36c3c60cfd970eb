package sqlite_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
)

// A copy that is taken while a run is writing holds whole pages, and the run can be gone on with in it.
func TestABackupIsWholeWhileARunIsWriting(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "directory.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	key := directory.Key{Account: "acme", Integration: "crm"}
	start := directory.Start{Lease: 1e9, FreshFor: 3600e9}
	run, err := store.StartRun(t.Context(), key, start)
	if err != nil {
		t.Fatal(err)
	}
	const perPage = 100
	written := make(chan error, 1)
	halfway := make(chan struct{})
	go func() {
		for page := int64(1); page <= 40; page++ {
			if page == 20 {
				close(halfway)
			}
			p := directory.PageChanges{Seq: page, NextOffset: fmt.Sprint(page), Checkpoint: fmt.Sprint("c", page)}
			for n := range int64(perPage) {
				p.Contacts = append(p.Contacts, directory.Record{Contact: contact.Contact{ID: fmt.Sprint(page*perPage + n), Name: "Ann"}})
			}
			if err := store.ApplyPage(t.Context(), run, p); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	<-halfway
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := store.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := store.Backup(t.Context(), path); !errors.Is(err, os.ErrExist) {
		t.Errorf("a backup replaced another one: %v", err)
	}
	restored, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	state, err := restored.State(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	pages := state.LastRun.Pages
	if pages < 19 || pages > 40 || state.Contacts != perPage*pages || state.LastRun.Offset != fmt.Sprint(pages) {
		t.Errorf("%d contacts, run %+v", state.Contacts, state.LastRun)
	}
}

// A directory that was restored has gone another way than devices that read it before: no change number of the one is known to the other, however
// often one copy is restored.
func TestARestoredDirectoryGivesItsPhonebooksNewEpochs(t *testing.T) {
	folder := t.TempDir()
	store, err := sqlite.Open(t.Context(), filepath.Join(folder, "directory.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.SetBooks(t.Context(), []directory.Book{{Account: "acme", Name: "desk", Rule: "all"}}); err != nil {
		t.Fatal(err)
	}
	epochs := map[string]bool{epochOf(t, store): true}
	t.Chdir(folder)
	for n := range 2 {
		path := fmt.Sprint("copy", n, ".db")
		if err := store.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		if err := sqlite.Restored(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		restored, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		epochs[epochOf(t, restored)] = true
		if err := restored.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(epochs) != 3 {
		t.Errorf("a directory and two restored copies have %d epochs", len(epochs))
	}
}

func epochOf(t *testing.T, store *sqlite.Store) string {
	t.Helper()
	state, err := store.Book(t.Context(), directory.BookKey{Account: "acme", Name: "desk"})
	if err != nil {
		t.Fatal(err)
	}
	return state.Epoch
}
