package postgres_test

import (
	"fmt"
	"testing"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/postgres"
)

// What an older release has stored is found as what this one stores.
func TestContactsOfAnOlderReleaseAreFoundByWhatPeopleType(t *testing.T) {
	database, key := server.Database(t), directory.Key{Account: "acme", Integration: "crm"}
	store, err := postgres.Open(t.Context(), database.DSN)
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
		page.Contacts = append(page.Contacts, directory.Record{Contact: contact.Contact{ID: id, Name: name, Phones: []string{"+14155550100"}}})
	}
	if err := store.ApplyPage(t.Context(), run, page); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	database.Exec(t, `UPDATE contactbridge.contacts SET words = replace(replace(words::text, 'lukasz', 'łukasz'), 'oconnor', 'nothing')::tsvector`)
	database.Exec(t, "DELETE FROM contactbridge.directory_migrations WHERE version_id >= 9")
	database.Exec(t, "ALTER TABLE contactbridge.contacts DROP COLUMN changed")
	database.Exec(t, `DROP TABLE contactbridge.agents;
		ALTER TABLE contactbridge.integrations DROP COLUMN agents_synced, DROP COLUMN agents_error, DROP COLUMN agents_hint`)
	database.Exec(t, "DROP TABLE contactbridge.member_words, contactbridge.leavers, contactbridge.members, contactbridge.books")
	if store, err = postgres.Open(t.Context(), database.DSN); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for text, want := range map[string]string{"lukasz": "l", "oconnor": "o", "connor": "o", "sinead": "o"} {
		found, err := store.Search(t.Context(), "acme", directory.Query{Text: text})
		if err != nil || len(found) != 1 || found[0].Contact.ID != want {
			t.Errorf("%s finds %v, %v", text, found, err)
		}
	}
	if found, err := store.Search(t.Context(), "acme", directory.Query{Text: "plain", Limit: 2000}); err != nil || len(found) != 1500 {
		t.Errorf("%d of the others are found, %v", len(found), err)
	}
}
