package inside_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
)

// question is asked of every source.
var question = bridge.Search{Spellings: []string{"+442079460018", "020 7946 0018"}, Digits: []string{"2079460018"}}

// What can be asked is known before anything is asked, and an error says what to do.
func TestWhatCanBeAsked(t *testing.T) {
	s := sources(t, "")
	const table = ", table: t, id: id, fields: {name: n, phones: p}}"
	for text, message := range map[string]string{
		inMemory: "",
		"source: {kind: postgres, dsn: 'postgres://u:p@db/x'" + table:                                                                "",
		"source: {kind: mysql, dsn: 'mysql://u:p@db/x'" + table:                                                                      "",
		"source: {kind: mysql, dsn: 'mysql://u:p@db/x', table: t, id: id}":                                                           "",
		"source: {kind: mysql, dsn: 'mysql://u:p@db/x', table: t, id: id, fields: {name: n}}":                                        "the source cannot be asked for a number: no field is a phone number",
		"source: {kind: ldap, url: 'ldaps://ldap.example.com', base: 'dc=x'}":                                                        "",
		"source: {kind: hubspot, access_token: x}":                                                                                   "",
		"source: {kind: google, access_token: x}":                                                                                    "Google cannot be asked for a number: it has no search for phone numbers",
		"source: {kind: carddav, url: 'https://dav.example.com', username: a, password: b}":                                          "a source of kind carddav cannot be asked for a number",
		"sources: {a: {kind: carddav, url: 'https://d.example.com', username: a, password: b}, b: {kind: hubspot, access_token: x}}": "",
		"source: {kind: nothing}": "there is no kind of source \"nothing\"",
	} {
		err := s.CheckSearch(hub.InsideSource{Text: text})
		if said := failure.Of(err); said.Message != message || message != "" && said.Hint == "" {
			t.Errorf("%s: %q, %q; %v", text, said.Message, said.Hint, err)
		}
	}
	if err := s.CheckSearch(hub.InsideSource{Text: "source: {kind: csv, path: a.csv}", Trusted: true}); failure.Of(err).Message != "a source of kind csv cannot be asked for a number" {
		t.Error(err)
	}
}

// An answer is what a run would bring, numbers and all.
func TestAnAnswerIsWhatARunBrings(t *testing.T) {
	folder := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(folder, "crm.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT, mail TEXT, phone TEXT, gone INTEGER);
		INSERT INTO people VALUES ('7', '', 'ann@example.com', 'T 020/7946 0018; 0171 1', 0), ('8', 'Bob', '', '(020) 7946 0018', 1), ('9', 'Cid', '', '020 7946 0019', 0), ('', 'Dan', '', '020.7946.0018', 0)`)
	if err != nil {
		t.Fatal(err)
	}
	const text = "source: {kind: sqlite, path: crm.db, table: people, id: id, deleted: gone, fields: {name: name, emails: mail, phones: phone}}\nphones: {region: GB, format: e164}"
	found, err := sources(t, folder).Search(t.Context(), hub.InsideSource{Text: text, Trusted: true}, nil, question)
	want := []contact.Contact{{ID: "7", Name: "ann@example.com", Emails: []string{"ann@example.com"}, Phones: []string{"+442079460018", "0171 1"}}}
	if diff := cmp.Diff(want, found, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if _, err := sources(t, folder).Search(t.Context(), hub.InsideSource{Text: text}, nil, question); err == nil {
		t.Error("somebody else's source reads a file")
	}
	if found, err := sources(t, folder).Search(t.Context(), hub.InsideSource{Text: "source: {kind: csv, path: a.csv}", Trusted: true}, nil, question); err != nil || found != nil {
		t.Error("what cannot be asked answers:", found, err)
	}
}
