package rest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
)

// Microsoft Graph tells of a change no more than what has changed. The contact keeps the rest, and what was cleared is cleared.
func TestAChangeOfOneFieldKeepsTheOthers(t *testing.T) {
	clock := new(vendors.Clock)
	g := vendors.NewGraph(clock.Now, "acme")
	cloud := new(vendors.Cloud)
	cloud.Add(g)
	for _, id := range []string{"c1=", "c2=", "c3="} {
		g.Put(clock.Now(), id, vendors.Fields{
			"displayName": "Jane Doe " + id, "jobTitle": "Chemist", "mobilePhone": "+44 20 7946 0001", "businessPhones": []any{"+44 20 7946 0002"}, "homePhones": []any{},
			"emailAddresses": []any{map[string]any{"address": "jane@example.com"}},
		})
	}
	s, err := open(t.Context(), "microsoft_graph", "access_token: "+g.OAuth.Token(), cloud, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := directory{contacts: map[string]contact.Contact{}}
	sync := func() {
		t.Helper()
		clock.Advance(time.Minute)
		if err := d.sync(t.Context(), s, 100, nil); err != nil {
			t.Fatal(err)
		}
	}
	sync()
	g.Update("c1=", vendors.Fields{"jobTitle": "Professor"})
	g.Update("c2=", vendors.Fields{"mobilePhone": nil})
	sync()
	for id, want := range map[string]contact.Contact{
		"c1=": {Title: "Professor", Phones: []string{"+44 20 7946 0001", "+44 20 7946 0002"}},
		"c2=": {Title: "Chemist", Phones: []string{"+44 20 7946 0002"}},
		"c3=": {Title: "Chemist", Phones: []string{"+44 20 7946 0001", "+44 20 7946 0002"}},
	} {
		got := d.contacts[id]
		if got.Name != "Jane Doe "+id || got.Title != want.Title || !slices.Equal(got.Phones, want.Phones) || !slices.Equal(got.Emails, []string{"jane@example.com"}) {
			t.Errorf("%s: %+v", id, got)
		}
	}

	// One that is gone before it is asked for is told as deleted.
	g.Update("c1=", vendors.Fields{"jobTitle": "Rector"})
	run, err := s.Begin(t.Context(), d.checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	g.Purge("c1=")
	var changes []bridge.Change
	for c, err := range s.Read(t.Context(), run, nil, 0) {
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, c)
	}
	if len(changes) != 1 || !changes[0].Deleted || changes[0].Contact.ID != "c1=" {
		t.Errorf("%+v", changes)
	}
}

func TestARequestForWholeRecordsIsChecked(t *testing.T) {
	token := "\nlist: {path: /all, records: data, order: none, page: {by: link, next: next}, token: token}\n" +
		"changes: {path: \"{{token}}\", records: data, order: none, page: {by: link, next: next}, token: token}\ndeletions: {by: none}\n"
	for text, message := range map[string]string{
		token + `whole: {path: "/people/{{id}}"}`:                    "",
		token + `whole: {path: /people, query: {id: "{{id}}"}}`:      "",
		token + `whole: {path: /people}`:                             "whole does not say which record is asked for",
		pagedText("", "{by: none}") + `whole: {path: "/one/{{id}}"}`: "whole is of changes with a token",
	} {
		_, err := newFactory("rest", serviceText+text, nil, nil)
		if found := failure.All(err); message == "" && err != nil || message != "" && (len(found) != 1 || found[0].Message != message) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
