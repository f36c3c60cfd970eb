package caller_test

import (
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

func TestAttribution(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "US",
		person{"jane", []string{"(415) 555-0100"}},
		person{"desk-1", []string{"(415) 555-0199 x1"}}, person{"desk-2", []string{"(415) 555-0199 x2"}},
		person{"couple-a", []string{"(415) 555-0150"}}, person{"couple-b", []string{"415-555-0150", "(415) 555-0151"}},
		person{"local", []string{"555-0177"}})
	fill(t, store, "abroad", "", person{"national", []string{"415 555 0100"}})
	fill(t, store, "helpdesk", "US", person{"ticket-owner", []string{"(415) 555-0100"}}, person{"other", []string{"(415) 555-0142"}})

	for _, c := range []struct{ name, integration, number, want, reason string }{
		{"one contact", "crm", "+1 415 555 0100", "jane", ""},
		{"in another integration somebody else", "helpdesk", "+1 415 555 0100", "ticket-owner", ""},
		{"without its country code", "abroad", "+1 415 555 0100", "national", ""},
		{"shared", "crm", "+1 415 555 0150", "couple-a couple-b", "2 contacts of crm share"},
		{"one of a couple alone", "crm", "+1 415 555 0151", "couple-b", ""},
		{"shared but for the extension", "crm", "+1 415 555 0199 ext. 2", "desk-2", ""},
		{"shared, the extension unknown", "crm", "+1 415 555 0199", "desk-1 desk-2", "share"},
		{"another extension", "crm", "+1 415 555 0199 x3", "desk-1 desk-2", "extension"},
		{"only alike", "crm", "+1 415 555 0177", "local", "last 7 digits"},
		{"elsewhere only", "crm", "+1 415 555 0142", "", "No contact of crm"},
		{"withheld", "crm", "anonymous", "", "does not show"},
		{"no number", "crm", "x", "", "not a phone number"},
	} {
		key := directory.Key{Account: account, Integration: c.integration}
		a, err := caller.Attribute(t.Context(), store, key, caller.Subject{Number: c.number})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(idsOf(a), " "); got != c.want || !strings.Contains(a.Reason, c.reason) || (a.Record == nil) != (a.Reason != "") {
			t.Errorf("%s: %+v, want %q because %q", c.name, a, c.want, c.reason)
		}
	}
}

func TestAttributionByEmail(t *testing.T) {
	store := newStore(t)
	fillEmails(t, store, "crm", contact.Contact{ID: "jane", Name: "Jane", Emails: []string{"j.doe@example.org", "Jane@Example.com"}, URL: "https://crm.example.com/jane"},
		contact.Contact{ID: "desk-1", Name: "One", Emails: []string{"desk@example.com"}}, contact.Contact{ID: "desk-2", Name: "Two", Emails: []string{"desk@example.com"}})
	fillEmails(t, store, "helpdesk", contact.Contact{ID: "ticket-owner", Name: "Jane", Emails: []string{"jane@example.com"}})
	for _, c := range []struct{ name, integration, email, want, reason string }{
		{"one contact", "crm", "jane@example.com", "jane", ""},
		{"written otherwise", "crm", " JANE@example.com ", "jane", ""},
		{"in another integration another record", "helpdesk", "jane@example.com", "ticket-owner", ""},
		{"shared", "crm", "desk@example.com", "desk-1 desk-2", "2 contacts of crm share this e-mail address."},
		{"elsewhere only", "helpdesk", "desk@example.com", "", "No contact of helpdesk has this e-mail address."},
		{"no contact", "crm", "nobody@example.com", "", "No contact of crm has this e-mail address."},
		{"no address", "crm", "jane", "", "not an e-mail address"},
	} {
		a, err := caller.Attribute(t.Context(), store, directory.Key{Account: account, Integration: c.integration}, caller.Subject{Email: c.email})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(idsOf(a), " "); got != c.want || !strings.Contains(a.Reason, c.reason) || (a.Record == nil) != (a.Reason != "") {
			t.Errorf("%s: %+v, want %q because %q", c.name, a, c.want, c.reason)
		}
	}
	a, err := caller.Attribute(t.Context(), store, directory.Key{Account: account, Integration: "crm"}, caller.Subject{Email: "jane@example.com"})
	if err != nil || a.Record == nil || a.Record.How != caller.Email || a.Record.URL != "https://crm.example.com/jane" || a.Record.Email != "Jane@Example.com" {
		t.Errorf("the record is %+v %v", a.Record, err)
	}
}

// idsOf returns the record that an attribution names, or its candidates.
func idsOf(a caller.Attribution) (ids []string) {
	if a.Record != nil {
		ids = append(ids, a.Record.ID)
	}
	for _, m := range a.Candidates {
		ids = append(ids, m.ID)
	}
	return ids
}

// fillEmails stores contacts as one complete run of an integration.
func fillEmails(t *testing.T, store directory.Store, integration string, contacts ...contact.Contact) {
	t.Helper()
	run, err := store.StartRun(t.Context(), directory.Key{Account: account, Integration: integration}, directory.Start{Full: true, Lease: time.Minute, FreshFor: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	page := directory.PageChanges{Seq: 1}
	for _, c := range contacts {
		page.Contacts = append(page.Contacts, directory.Record{Contact: c})
	}
	if err := store.ApplyPage(t.Context(), run, page); err != nil {
		t.Fatal(err)
	}
}
