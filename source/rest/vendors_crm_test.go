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
func crmTenants() []tenant { return []tenant{copper(), kustomer(), suiteCRM(), sugarCRM()} }

// copperField returns the number of the custom field in which a value of the suite stands.
func copperField(value string) int { return 705_300 + slices.Index(suiteNames, value) }

func copper() tenant {
	return tenant{
		kind: "copper",
		text: "api_key: copper-4711WRONG\nuser_email: sync@example.com\nchanges: {page: {size: 5}}\nby_id: {page: {size: 7}}\n" + fast +
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

func kustomer() tenant {
	return tenant{
		kind:    "kustomer",
		text:    "org: acme\napi_key: kustomer-acmeWRONG\nchanges: {page: {size: 5}}\nby_id: {page: {size: 7}}\n" + fast + suiteMapping(prefixed("attributes.custom.", "Str")),
		ownTies: true,
		ticks:   time.Second,
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewKustomer(now, "acme")
			s.SetLimits()
			return s, s.Store
		},
		fields: func(c contact.Contact) vendors.Fields {
			return vendors.Fields{"displayName": c.Name, "custom": map[string]any(suiteFields(c, prefixed("", "Str")))}
		},
		deletes: (*vendors.Store).Delete,
	}
}

func suiteCRM() tenant {
	return tenant{
		kind: "suitecrm",
		text: "url: https://suite.example.com\nclient_id: suite-client\nclient_secret: suite-secretWRONG\nchanges: {page: {size: 5}}\nby_id: {page: {size: 3}}\ndeletions: {page: {size: 5}}\n" +
			fast + suiteMapping(prefixed("attributes.", "_c")),
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewSuiteCRM(now)
			s.Zone, _ = time.LoadLocation("Europe/Berlin")
			return s, s.Store
		},
		fields:       func(c contact.Contact) vendors.Fields { return suiteFields(c, prefixed("", "_c")) },
		deletesApart: true,
		deletes:      (*vendors.Store).Delete,
	}
}

func sugarCRM() tenant {
	return tenant{
		kind: "sugarcrm",
		text: "url: https://sugar.example.com\nusername: sync\npassword: sugar-passwordWRONG\nchanges: {page: {size: 5}}\nby_id: {page: {size: 3}}\n" + fast + suiteMapping(prefixed("", "_c")),
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewSugarCRM(now)
			return s, s.Store
		},
		fields:  func(c contact.Contact) vendors.Fields { return suiteFields(c, prefixed("", "_c")) },
		deletes: (*vendors.Store).Delete,
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
		"kustomer": {
			id: "5f0c9a3e1d2b4c0012345678",
			fields: vendors.Fields{
				"name": "Jane Doe", "displayName": "Jane Doe", "firstName": "Jane", "lastName": "Doe", "externalId": "4711", "avatarUrl": "https://example.com/jane.png",
				"emails":    list{object{"email": "jane@example.com", "type": "work", "verified": true}, object{"email": "doe@example.org", "type": "home", "verified": false}},
				"phones":    list{object{"phone": "+14155550100", "type": "mobile", "verified": false}, object{"phone": "415-555-0101", "type": "work"}},
				"socials":   list{object{"type": "facebook", "username": "jane"}, object{"type": "twitter", "username": "janedoe"}},
				"urls":      list{object{"url": "https://example.com"}},
				"locations": list{object{"type": "home", "address": "1 Main St, San Francisco, CA 94105"}},
			},
			want: contact.Contact{
				ID: "5f0c9a3e1d2b4c0012345678", Name: "Jane Doe", Emails: []string{"jane@example.com", "doe@example.org"}, Phones: []string{"+14155550100", "415-555-0101"},
				Websites: []string{"https://example.com"}, PhotoURL: "https://example.com/jane.png", Address: "1 Main St, San Francisco, CA 94105", Twitter: "janedoe",
				URL: "https://acme.kustomerapp.com/app/customers/5f0c9a3e1d2b4c0012345678",
			},
			least: vendors.Fields{"emails": list{object{"email": "only@example.com"}}}, name: "only@example.com",
		},
		"suitecrm": {
			id: "b1c3de2a-0d5a-4c0e-9d12-5f1f9b2a7c11",
			fields: vendors.Fields{
				"salutation": "Ms.", "first_name": "Jane", "last_name": "Doe", "name": "Jane Doe", "full_name": "Ms. Jane Doe", "title": "Buyer", "department": "Purchasing", "account_name": "Acme Inc.",
				"account_id": "a3", "email1": "jane@example.com", "phone_work": "+44 20 7946 0100", "phone_mobile": "07700 900001", "phone_home": "", "phone_other": "",
				"primary_address_street": "1 High St", "primary_address_city": "London", "primary_address_state": "", "primary_address_postalcode": "N1 1AA", "primary_address_country": "United Kingdom",
			},
			want: contact.Contact{
				ID: "b1c3de2a-0d5a-4c0e-9d12-5f1f9b2a7c11", Name: "Jane Doe", Title: "Buyer", Company: "Acme Inc.", Emails: []string{"jane@example.com"},
				Phones: []string{"+44 20 7946 0100", "07700 900001"}, Address: "1 High St, N1 1AA London, United Kingdom", Country: "United Kingdom",
				URL: "https://suite.example.com/#/contacts/record/b1c3de2a-0d5a-4c0e-9d12-5f1f9b2a7c11",
			},
			least: vendors.Fields{"last_name": "Doe"}, name: "Doe",
		},
		"sugarcrm": {
			id: "f5d1e8c0-7a34-11ef-9b6e-0242ac120004",
			fields: vendors.Fields{
				"first_name": "Jane", "last_name": "Doe", "full_name": "Jane Doe", "name": "Jane Doe", "title": "Buyer", "account_name": "Acme Inc.", "twitter": "janedoe",
				"email": list{
					object{"email_address": "jane@example.com", "primary_address": true, "invalid_email": false, "opt_out": false},
					object{"email_address": "doe@example.org", "primary_address": false, "invalid_email": false, "opt_out": true},
				},
				"phone_work": "(415) 555-0100", "phone_mobile": "+1 415 555 0101", "primary_address_street": "1 Main St", "primary_address_city": "San Francisco", "primary_address_state": "CA",
				"primary_address_postalcode": "94105", "primary_address_country": "USA",
			},
			want: contact.Contact{
				ID: "f5d1e8c0-7a34-11ef-9b6e-0242ac120004", Name: "Jane Doe", Title: "Buyer", Company: "Acme Inc.", Emails: []string{"jane@example.com", "doe@example.org"},
				Phones: []string{"(415) 555-0100", "+1 415 555 0101"}, Address: "1 Main St, 94105 San Francisco, CA, USA", Country: "USA", Twitter: "janedoe",
				URL: "https://sugar.example.com/#Contacts/f5d1e8c0-7a34-11ef-9b6e-0242ac120004",
			},
			least: vendors.Fields{"last_name": "Doe"}, name: "Doe",
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
		"kustomer": {
			text: "org: acme\napi_key: x", verify: `{"data": [], "meta": {"page": 1}}`, path: "/customers/search", without: `{"data": [], "meta": {"total": 0}, "links": {"next": null}}`,
			pages: []string{`{
				"meta": {"pageSize": 300, "page": 1, "totalPages": 1, "total": 3}, "links": {"self": "/v1/customers/search", "first": "/v1/customers/search?page=1", "prev": null, "next": null},
				"data": [
					{"type": "customer", "id": "60aa00000000000000000001", "attributes": {"name": "Luan Prifti", "displayName": "Luan Prifti", "displayColor": "teal", "displayIcon": "fruit",
					 "externalId": null, "externalIds": [], "sharedExternalIds": [], "emails": [{"type": "home", "email": "luan@example.com", "verified": false}], "sharedEmails": [],
					 "phones": [{"type": "mobile", "phone": "+355690000001"}], "sharedPhones": [], "whatsapps": [], "facebookIds": [], "instagramIds": [], "socials": [], "sharedSocials": [],
					 "urls": [], "locations": [{"type": "home", "address": "Rruga e Durrësit 1, Tirana", "name": "home"}], "activeUsers": [], "watchers": [], "recentLocation": {"updatedAt": "2025-04-05T06:07:08.009Z"},
					 "locale": null, "timeZone": null, "tags": [], "custom": {"planStr": "gold", "visitsNum": 3}, "createdAt": "2025-04-05T06:07:08.009Z", "updatedAt": "2025-04-05T06:08:00.001Z",
					 "modifiedAt": "2025-04-05T06:07:59.000Z", "conversationCounts": {"done": 0, "open": 0, "snoozed": 0, "all": 0}, "lastConversation": {"sla": null, "tags": []}, "deleted": false},
					 "relationships": {"org": {"data": {"type": "org", "id": "5a5f"}, "links": {"self": "/v1/orgs/5a5f"}}, "messages": {"links": {"self": "/v1/customers/60aa00000000000000000001/messages"}}},
					 "links": {"self": "/v1/customers/60aa00000000000000000001"}},
					{"type": "customer", "id": "60aa00000000000000000002", "attributes": {"displayName": "Azure Lemon", "name": null, "emails": [], "phones": [{"phone": "+355690000002"}], "socials": [],
					 "locations": [], "urls": null, "createdAt": "2025-04-05T06:07:08.010Z", "updatedAt": "2025-04-05T06:08:00.002Z"}},
					{"type": "customer", "id": "60aa00000000000000000003", "attributes": {"displayName": "Gone", "deleted": true, "createdAt": "2025-04-05T06:07:08.010Z", "updatedAt": "2025-04-05T06:08:00.003Z"}}
				]
			}`},
			want: []contact.Contact{
				{
					ID: "60aa00000000000000000001", Name: "Luan Prifti", Emails: []string{"luan@example.com"}, Phones: []string{"+355690000001"}, Address: "Rruga e Durrësit 1, Tirana",
					URL: "https://acme.kustomerapp.com/app/customers/60aa00000000000000000001",
				},
				{ID: "60aa00000000000000000002", Name: "Azure Lemon", Phones: []string{"+355690000002"}, URL: "https://acme.kustomerapp.com/app/customers/60aa00000000000000000002"},
			},
		},
		"suitecrm": {
			text: "url: https://suite.example.com\nclient_id: a\nclient_secret: b", verify: `{"access_token": "t", "token_type": "Bearer", "expires_in": 3600, "data": []}`, path: "filter%5Bdate_modified",
			without: `{"data": [], "meta": {"message": "There is no data in this list"}}`,
			pages: []string{`{
				"meta": {"total-pages": 1, "records-on-this-page": 2}, "links": {"first": null, "prev": null, "next": null, "last": null},
				"data": [
					{"type": "Contact", "id": "1f0a", "attributes": {"first_name": "Birgit", "last_name": "Lange", "title": "", "account_name": "Lange KG", "email1": "birgit@example.com",
					 "phone_work": "030 0000001", "phone_mobile": "", "phone_home": null, "phone_other": "", "primary_address_street": "", "primary_address_city": "Bremen", "primary_address_state": "",
					 "primary_address_postalcode": "", "primary_address_country": "", "date_modified": "2025-04-05T06:07:08+02:00"},
					 "relationships": {"AOP Case Updates": {"links": {"related": "V8/module/Contacts/1f0a/relationships/aop_case_updates"}}}},
					{"type": "Contact", "id": "1f0b", "attributes": {"first_name": "", "last_name": "Kern", "date_modified": "2025-04-05T06:07:09+02:00"}, "relationships": {}}
				]
			}`},
			want: []contact.Contact{
				{
					ID: "1f0a", Name: "Birgit Lange", Company: "Lange KG", Emails: []string{"birgit@example.com"}, Phones: []string{"030 0000001"}, Address: "Bremen",
					URL: "https://suite.example.com/#/contacts/record/1f0a",
				},
				{ID: "1f0b", Name: "Kern", URL: "https://suite.example.com/#/contacts/record/1f0b"},
			},
		},
		"sugarcrm": {
			text: "url: https://sugar.example.com\nusername: a\npassword: b", verify: `{"access_token": "t", "expires_in": 3600, "token_type": "bearer", "scope": null, "refresh_token": "r",
				"refresh_expires_in": 1209600, "download_token": "d", "current_user": {"id": "1"}}`, path: "/Contacts/filter", without: `{"next_offset": -1, "records": []}`,
			pages: []string{`{
				"next_offset": -1,
				"records": [
					{"id": "2a", "date_modified": "2025-04-05T06:07:08+02:00", "full_name": "Ngozi Eze", "first_name": "Ngozi", "last_name": "Eze", "title": "Director", "account_name": "Eze Ltd",
					 "accounts": {"full_name": "", "name": "Eze Ltd", "id": "a1", "_acl": {"fields": [], "_hash": "x"}}, "email": [{"email_address": "ngozi@example.com", "invalid_email": false, "opt_out": false,
					 "email_address_id": "e1", "primary_address": true, "reply_to_address": false}], "phone_work": "+234 1 000 0001", "phone_mobile": "", "phone_home": "", "phone_other": "",
					 "primary_address_street": "1 Marina", "primary_address_city": "Lagos", "primary_address_state": "", "primary_address_postalcode": "", "primary_address_country": "Nigeria",
					 "twitter": "", "deleted": false, "locked_fields": [], "_acl": {"fields": {}}, "_module": "Contacts"},
					{"id": "2b", "date_modified": "2025-04-05T06:07:09+02:00", "deleted": true, "_acl": {"fields": {}}, "_module": "Contacts"}
				]
			}`},
			want: []contact.Contact{{
				ID: "2a", Name: "Ngozi Eze", Title: "Director", Company: "Eze Ltd", Emails: []string{"ngozi@example.com"}, Phones: []string{"+234 1 000 0001"}, Address: "1 Marina, Lagos, Nigeria",
				Country: "Nigeria", URL: "https://sugar.example.com/#Contacts/2a",
			}},
		},
	}
}

// TestMoreContactsThanAPageWithOneStampAreReadInPages reads 1,001 contacts of one second from services that cannot sort by id, while
// some of them are changed, and so leave the pages that are still to come.
func TestMoreContactsThanAPageWithOneStampAreReadInPages(t *testing.T) {
	for _, v := range []tenant{copper(), kustomer()} {
		t.Run(v.kind, func(t *testing.T) {
			s := newScene(t, v, credentialsOf(v)+fast)
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
