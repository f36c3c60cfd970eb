package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/directorytest"
	"github.com/contactbridge/contactbridge/directory/sqlite"
)

// Members that an older release has put into a book are found by the beginnings of their words.
func TestMembersOfAnOlderReleaseAreFoundByBeginnings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.db")
	open := func() *sqlite.Store {
		t.Helper()
		store, err := sqlite.Open(t.Context(), path, sqlite.WithJudges(directorytest.Judges))
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
	edit(t, path, "DROP TABLE member_words; DROP TABLE awaiting; DELETE FROM goose_db_version WHERE version_id >= 13")
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
