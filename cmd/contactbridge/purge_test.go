package main

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/hub/secret"
)

// A person is in many external services, and not every one of them writes the country code.
func TestAPurgeByNumberFindsEveryRecordOfIt(t *testing.T) {
	dir := t.TempDir()
	ring, err := secret.Parse(secret.NewKey(), "test")
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.Open(t.Context(), filepath.Join(dir, "hub.db"), registry.OpenOptions{Seal: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "directory.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	h := hub.New(r, store)
	if err := h.PutAccount(t.Context(), registry.Account{Name: "acme", Region: "GB"}); err != nil {
		t.Fatal(err)
	}
	for integration, number := range map[string]string{"crm": "+44 20 7946 0958", "shop": "020 7946 0958", "pager": "7946 0958"} {
		run, err := store.StartRun(t.Context(), directory.Key{Account: "acme", Integration: integration}, directory.Start{Lease: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		c := contact.Contact{ID: "jane", Name: "Jane", Phones: []string{number}}
		record := directory.Record{Contact: c, Numbers: caller.Numbers(c.Phones, "")} // no region: not every number is whole
		if err := store.ApplyPage(t.Context(), run, directory.PageChanges{Seq: 1, Contacts: []directory.Record{record}}); err != nil {
			t.Fatal(err)
		}
	}
	entries, alike, err := recordsOf(t.Context(), h, "acme", "+442079460958")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Integration)
	}
	if want := []string{"crm", "shop"}; !slices.Equal(found, want) {
		t.Errorf("it finds the records of %v, want %v", found, want)
	}
	if want := []string{"pager jane"}; !slices.Equal(alike, want) {
		t.Errorf("alike are %v, want %v", alike, want)
	}
}
