package sqlite_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
)

// What an older release has stored is found as what this one stores.
func TestContactsOfAnOlderReleaseAreFoundByWhatPeopleType(t *testing.T) {
	path, key := filepath.Join(t.TempDir(), "contacts.db"), directory.Key{Account: "acme", Integration: "crm"}
	store, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	run, err := store.StartRun(t.Context(), key, directory.Start{})
	if err != nil {
		t.Fatal(err)
	}
	page := directory.PageChanges{Seq: 1, Checkpoint: "c"}
	for n := range 1500 { // more than one batch
		page.Contacts = append(page.Contacts, directory.Record{Contact: contact.Contact{ID: fmt.Sprint("plain-", n), Name: "Plain"}})
	}
	for id, name := range map[string]string{"l": "Łukasz", "o": "Sinéad O'Connor"} {
		page.Contacts = append(page.Contacts, directory.Record{Contact: contact.Contact{ID: id, Name: name}})
	}
	if err := store.ApplyPage(t.Context(), run, page); err != nil {
		t.Fatal(err)
	}
	if err := store.CompleteSearch(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, path, `UPDATE search SET terms = replace(replace(terms, 'lukasz', 'łukasz'), 'oconnor', 'nothing'); DELETE FROM goose_db_version WHERE version_id >= 9;
		ALTER TABLE contacts DROP COLUMN changed; DROP TABLE agents; ALTER TABLE integrations DROP COLUMN agents_synced;
		ALTER TABLE integrations DROP COLUMN agents_error; ALTER TABLE integrations DROP COLUMN agents_hint;
		DROP TABLE member_words; DROP TABLE leavers; DROP TABLE members; DROP TABLE books; DROP TABLE awaiting`)
	if store, err = sqlite.Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for text, want := range map[string]string{"lukasz": "l", "oconnor": "o", "connor": "o", "sinead": "o"} {
		found, err := store.Search(t.Context(), "acme", directory.Query{Text: text})
		if err != nil || len(found) != 1 || found[0].Contact.ID != want {
			t.Errorf("%s finds %v, %v", text, found, err)
		}
	}
	if found, err := store.Search(t.Context(), "acme", directory.Query{Text: strings.ToUpper("plain"), Limit: 2000}); err != nil || len(found) != 1500 {
		t.Errorf("%d of the others are found, %v", len(found), err)
	}
}
