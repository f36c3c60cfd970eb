package caller_test

import (
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/caller"
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
		var got []string
		if a.Record != nil {
			got = append(got, a.Record.ID)
		}
		for _, m := range a.Candidates {
			got = append(got, m.ID)
		}
		if strings.Join(got, " ") != c.want || !strings.Contains(a.Reason, c.reason) || (a.Record == nil) != (a.Reason != "") {
			t.Errorf("%s: %+v, want %q because %q", c.name, a, c.want, c.reason)
		}
	}
}
