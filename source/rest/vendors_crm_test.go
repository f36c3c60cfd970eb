package rest_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
)

// crmTenants are the tenants of presets for more CRM systems.
func crmTenants() []tenant { return []tenant{copper()} }

// copperField returns the number of the custom field in which a value of the suite stands.
func copperField(value string) int { return 705_300 + slices.Index(suiteNames, value) }

func copper() tenant {
	return tenant{
		kind: "copper",
		text: "api_key: copper-4711WRONG\nuser_email: sync@example.com\nchanges: {page: {size: 5}}\nby_id: {page: {size: 3}}\n" + fast +
			suiteMapping(func(value string) string {
				return fmt.Sprintf("find(custom_fields, .custom_field_definition_id == %d).value", copperField(value))
			}),
		numbers: true,
		ownTies: true,
		ticks:   time.Second,
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewCopper(now, 4711)
			s.SetLimits()
			return s, s.Store
		},
		fields: func(c contact.Contact) vendors.Fields {
			var custom []any
			for name, value := range suiteValues(c) {
				custom = append(custom, map[string]any{"custom_field_definition_id": copperField(name), "value": value})
			}
			return vendors.Fields{"name": c.Name, "custom_fields": custom}
		},
	}
}

func crmSpecimens() map[string]specimen {
	return map[string]specimen{
		"copper": {
			id: "27140359",
			fields: vendors.Fields{
				"name": "Jane Doe", "first_name": "Jane", "last_name": "Doe", "title": "Buyer", "company_id": 9607580, "company_name": "Acme Inc.",
				"emails":        list{object{"email": "jane@example.com", "category": "work"}, object{"email": "doe@example.org", "category": "other"}},
				"phone_numbers": list{object{"number": "415-555-0100", "category": "mobile"}, object{"number": "+1 415 555 0101", "category": "work"}},
				"address":       object{"street": "301 Howard St", "city": "San Francisco", "state": "CA", "postal_code": "94105", "country": "US"},
				"socials":       list{object{"url": "https://www.linkedin.com/in/janedoe", "category": "linkedin"}, object{"url": "https://twitter.com/janedoe", "category": "twitter"}},
				"websites":      list{object{"url": "https://example.com", "category": "work"}}, "details": "A good customer", "tags": list{"vip"},
			},
			want: contact.Contact{
				ID: "27140359", Name: "Jane Doe", Title: "Buyer", Company: "Acme Inc.", Emails: []string{"jane@example.com", "doe@example.org"},
				Phones: []string{"415-555-0100", "+1 415 555 0101"}, Websites: []string{"https://example.com"}, Address: "301 Howard St, 94105 San Francisco, CA, US",
				Twitter: "https://twitter.com/janedoe", URL: "https://app.copper.com/companies/4711/app#/contact/27140359", Country: "US",
			},
			least: vendors.Fields{"emails": list{object{"email": "only@example.com", "category": "work"}}}, name: "only@example.com",
		},
	}
}

// crmTranscripts are answers of more CRM systems: see transcripts.
func crmTranscripts() map[string]*transcript {
	return map[string]*transcript{
		"copper": {
			text: "api_key: x\nuser_email: a@example.com", verify: `{"id": 88, "name": "Acme"}`, path: "/people/search", without: `[]`,
			pages: []string{`[
				{"id": 73616, "name": "Aino Virtanen", "prefix": null, "first_name": "Aino", "middle_name": null, "last_name": "Virtanen", "suffix": null,
				 "address": {"street": "Mannerheimintie 1", "city": "Helsinki", "state": null, "postal_code": "00100", "country": "FI"}, "assignee_id": null, "company_id": 1, "company_name": "Lumi Oy",
				 "contact_type_id": 501947, "details": null, "emails": [{"email": "aino@example.com", "category": "work"}], "phone_numbers": [], "socials": [], "tags": ["a"], "title": "CFO",
				 "websites": [], "custom_fields": [{"custom_field_definition_id": 705303, "value": 2082340}, {"custom_field_definition_id": 705404, "value": null}],
				 "date_created": 1745000000, "date_modified": 1745000100, "date_last_contacted": null, "interaction_count": 0, "leads_converted_from": [], "date_lead_created": null},
				{"id": 73617, "name": "", "first_name": null, "last_name": null, "address": null, "company_name": null, "emails": [{"email": "info@example.org", "category": "work"}],
				 "phone_numbers": [{"number": "0800 000 001", "category": "work"}], "socials": null, "title": null, "websites": null, "custom_fields": [], "date_created": 1745000000, "date_modified": 1745000101}
			]`},
			want: []contact.Contact{
				{
					ID: "73616", Name: "Aino Virtanen", Title: "CFO", Company: "Lumi Oy", Emails: []string{"aino@example.com"}, Address: "Mannerheimintie 1, 00100 Helsinki, FI", Country: "FI",
					URL: "https://app.copper.com/companies/88/app#/contact/73616",
				},
				{ID: "73617", Name: "info@example.org", Emails: []string{"info@example.org"}, Phones: []string{"0800 000 001"}, URL: "https://app.copper.com/companies/88/app#/contact/73617"},
			},
		},
	}
}

// TestMoreContactsThanAPageWithOneStampAreReadInPages reads 1,001 contacts of one second from services that cannot sort by id, while
// some of them are changed, and so leave the pages that are still to come.
func TestMoreContactsThanAPageWithOneStampAreReadInPages(t *testing.T) {
	for _, v := range crmTenants() {
		t.Run(v.kind, func(t *testing.T) {
			s := newScene(t, v, "")
			const contacts = 1001
			second := s.clock.Now().Truncate(time.Second)
			for n := range contacts {
				s.store.Put(second, s.store.NewID(n+1), v.fields(person("Doe", n)))
			}
			s.clock.Advance(time.Hour)
			next := 0
			between := func() {
				if next += 7; next < contacts {
					s.store.Update(s.store.NewID(next), v.fields(person("Doe", next)))
				}
			}
			if err := s.directory.sync(t.Context(), s.source, 40, between); err != nil {
				t.Fatal(err)
			}
			if n := len(s.directory.contacts); n != contacts {
				t.Errorf("%d of %d contacts were read", n, contacts)
			}
		})
	}
}
