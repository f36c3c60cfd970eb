package postgres_test

import (
	"testing"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/directorytest"
	"github.com/contactbridge/contactbridge/directory/postgres"
)

// Members that an older release has put into a book are found by the beginnings of their words.
func TestMembersOfAnOlderReleaseAreFoundByBeginnings(t *testing.T) {
	database := server.Database(t)
	open := func() *postgres.Store {
		t.Helper()
		store, err := postgres.Open(t.Context(), database.DSN, postgres.WithJudges(directorytest.Judges))
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	store := open()
	book := directory.Book{Account: "acme", Name: "desk", Rule: "all"}
	if err := store.SetBooks(t.Context(), []directory.Book{book}); err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		var err error
		if more, err = store.FillBooks(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	run, err := store.StartRun(t.Context(), directory.Key{Account: "acme", Integration: "crm"}, directory.Start{})
	if err != nil {
		t.Fatal(err)
	}
	page := directory.PageChanges{Seq: 1, Checkpoint: "c"}
	for id, name := range map[string]string{"a": "Anna Annabel Müller", "e": "Émile Li", "n": ""} {
		page.Contacts = append(page.Contacts, directory.Record{Contact: contact.Contact{ID: id, Name: name}})
	}
	if err := store.ApplyPage(t.Context(), run, page); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	database.Exec(t, "DROP TABLE contactbridge.member_words")
	database.Exec(t, "ALTER TABLE contactbridge.books DROP COLUMN origin")
	database.Exec(t, "DELETE FROM contactbridge.directory_migrations WHERE version_id >= 13")
	store = open()
	defer store.Close()
	state, err := store.Book(t.Context(), directory.BookKey{Account: "acme", Name: "desk"})
	if err != nil {
		t.Fatal(err)
	}
	for begin, want := range map[string]string{"ann": "a", "annab": "a", "mul": "a", "em": "e", "li": "e"} {
		found := ""
		err := store.Members(t.Context(), state, directory.MemberQuery{Begins: [][]string{{begin}}, Limit: 10}, func(m *directory.Member) error {
			found += m.Contact.ID
			return nil
		})
		if err != nil || found != want {
			t.Errorf("%s finds %q, %v; want %s", begin, found, err, want)
		}
	}
}

// A dump that was restored makes the tables anew: devices may know changes that it lacks.
func TestARestoredDatabaseGivesItsPhonebooksNewEpochs(t *testing.T) {
	database := server.Database(t)
	books := []directory.Book{{Account: "acme", Name: "desk", Rule: "all"}}
	epoch := func() string {
		t.Helper()
		store, err := postgres.Open(t.Context(), database.DSN)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		if err := store.SetBooks(t.Context(), books); err != nil {
			t.Fatal(err)
		}
		state, err := store.Book(t.Context(), directory.BookKey{Account: "acme", Name: "desk"})
		if err != nil {
			t.Fatal(err)
		}
		return state.Epoch
	}
	first := epoch()
	if again := epoch(); again != first {
		t.Error("a database that was not restored has another epoch")
	}
	// What pg_dump and pg_restore do with this table.
	database.Exec(t, `ALTER TABLE contactbridge.books RENAME TO old`)
	database.Exec(t, `CREATE TABLE contactbridge.books (LIKE contactbridge.old INCLUDING ALL)`)
	database.Exec(t, `INSERT INTO contactbridge.books OVERRIDING SYSTEM VALUE SELECT * FROM contactbridge.old`)
	database.Exec(t, `DROP TABLE contactbridge.old`)
	restored := epoch()
	if restored == first {
		t.Error("a restored database has the same epoch")
	}
	if again := epoch(); again != restored {
		t.Error("a restored database has another epoch each time")
	}
}
