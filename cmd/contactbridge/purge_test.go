package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// A purge from the command line deletes what was kept of calls as well, also where no record has the number any more.
func TestAPurgeDeletesKeptLookUps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	run := func(args ...string) string {
		t.Helper()
		var out strings.Builder
		cmd := newRootCommand(args)
		cmd.SetOut(&out)
		cmd.SetArgs(append(args, "--data", dir))
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return out.String()
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	run("hub", "account", "set", "acme", "--region", "GB", "--range", "+4420794600xx: Example Ltd")
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
	apply, err := store.StartRun(t.Context(), directory.Key{Account: "acme", Integration: "crm"}, directory.Start{Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	c := contact.Contact{ID: "jane", Name: "Jane", Phones: []string{"020 7946 0958"}}
	if err := store.ApplyPage(t.Context(), apply, directory.PageChanges{Seq: 1, Contacts: []directory.Record{{Contact: c, Numbers: caller.Numbers(c.Phones, "GB")}}}); err != nil {
		t.Fatal(err)
	}
	jane := []directory.Ref{{Integration: "crm", ID: "jane"}}
	call := func(number string, contacts ...directory.Ref) registry.Call {
		return registry.Call{Account: "acme", Time: time.Now(), Number: number, Reason: "exact", Answer: []byte("{}"), Contacts: contacts}
	}
	const other = "+441632960960"
	err = r.AddCalls(t.Context(), []registry.Call{
		call("+442079460958"), call("+44207946xxxx"), call("020 7946 0958"), call("+441632960111", jane...), call("+442079460018"), call("+44207946xxxx"), call(other),
	})
	if err != nil {
		t.Fatal(err)
	}
	left := func() (numbers []string) {
		t.Helper()
		calls, err := r.Calls(t.Context(), "acme", 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range calls {
			numbers = append(numbers, c.Number)
		}
		slices.Sort(numbers)
		return numbers
	}
	run("purge", "020 7946 0018") // nothing without --yes, and a range is no record
	if n := len(left()); n != 7 {
		t.Errorf("%d look-ups are left", n)
	}
	run("purge", "020 7946 0958", "--yes")
	if want := []string{other, "+442079460018"}; !slices.Equal(left(), want) {
		t.Errorf("%q are left, want %q", left(), want)
	}
	if said := run("purge", "020 7946 0018", "--yes"); !strings.Contains(said, "1 kept look-up for this number deleted") {
		t.Errorf("it says %q", said)
	}
	if want := []string{other}; !slices.Equal(left(), want) {
		t.Errorf("%q are left, want %q", left(), want)
	}
	audit, err := r.Audit(t.Context(), registry.Filter{Account: "acme", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(audit) == 0 || audit[0].Action != "calls.purge" || strings.Contains(audit[0].Detail, "7946") {
		t.Errorf("the audit log says %+v", audit)
	}
}
