package rest_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
)

// A transcript is what a vendor answers to the requests for contacts, one after the other, with all that stands beside the values that a
// preset maps, and the contacts that it becomes. The last answer is repeated.
type transcript struct {
	text    string // the configuration
	verify  string // the answer of the preset's verify
	first   string // the answer of an initial run, where pages are those of a later one
	path    string // that pages are asked for by: what their address or body contains
	pages   []string
	want    []contact.Contact
	without string // the answer to every other request; {} if it is empty
}

// answering returns a transport that answers so.
func (s *transcript) answering() http.RoundTripper {
	next := 0
	return roundTripper(func(r *http.Request) (int, string) {
		sent, _ := io.ReadAll(r.Body) // it is in memory
		address := r.URL.RequestURI() + string(sent)
		switch {
		case strings.Contains(address, s.path) && next < len(s.pages):
			next++
			return http.StatusOK, s.pages[next-1]
		case s.first != "" && next == 0 && strings.Contains(address, "/users?"):
			return http.StatusOK, s.first
		case s.without != "" && strings.Contains(address, s.path):
			return http.StatusOK, s.without
		}
		return http.StatusOK, s.verify
	})
}

// roundTripperOf is a function as a transport.
type roundTripperOf func(r *http.Request) (*http.Response, error)

func (f roundTripperOf) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Vendors answer with more than a preset asks for: names of types, links, null in any place, lists of lists. The samples have the forms
// of the vendors' documentation and clients, with names and values of their own.
func TestWholeAnswersBecomeContacts(t *testing.T) {
	all := transcripts()
	for _, k := range kinds() {
		if all[k.Name] == nil && k.Name != "rest" {
			t.Errorf("there is no answer of %s", k.Name)
		}
	}
	for kind, s := range all {
		t.Run(kind, func(t *testing.T) {
			src, err := open(t.Context(), kind, s.text, s.answering(), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			d := directory{contacts: map[string]contact.Contact{}}
			runs := 1
			if s.first != "" {
				runs = 2
			}
			for range runs {
				if err := d.sync(t.Context(), src, 100, nil); err != nil {
					t.Fatal(err)
				}
			}
			got := slices.SortedFunc(maps.Values(d.contacts), func(a, b contact.Contact) int { return strings.Compare(a.ID, b.ID) })
			if diff := cmp.Diff(s.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func transcripts() map[string]*transcript {
	all := crmTranscripts()
	maps.Copy(all, map[string]*transcript{
		"hubspot": {
			text: "access_token: x", verify: `{"portalId": 4711, "results": []}`, path: "/search", without: `{"total": 0, "results": []}`,
			pages: []string{`{
				"total": 57,
				"results": [
					{"id": "2201", "properties": {"company": null, "createdate": "2025-04-02T08:11:12.013Z", "email": "ines@example.com", "firstname": "Ines", "lastname": "Moreau",
						"hs_object_id": "2201", "hs_additional_emails": "moreau@example.org;i.m@example.net", "lastmodifieddate": "2025-04-02T08:12:00.100Z", "phone": "+33 1 99 00 12 34",
						"mobilephone": null, "hs_whatsapp_phone_number": "+33 6 99 00 12 34", "website": null, "jobtitle": "Directrice", "address": "1 rue du Port", "city": "Nantes",
						"zip": "44000", "state": null, "country": "France", "twitterhandle": "inesm"},
					 "createdAt": "2025-04-02T08:11:12.013Z", "updatedAt": "2025-04-02T08:12:00.100Z", "archived": false, "url": "https://app-eu1.hubspot.com/contacts/4711/record/0-1/2201"},
					{"id": "2202", "properties": {"company": "Quai Ouest", "createdate": "2025-04-02T08:11:12.500Z", "email": null, "firstname": "", "lastname": null, "hs_object_id": "2202",
						"lastmodifieddate": "2025-04-03T08:12:00Z", "phone": "", "website": "quaiouest.example"},
					 "createdAt": "2025-04-02T08:11:12.500Z", "updatedAt": "2025-04-03T08:12:00Z", "archived": false}
				],
				"paging": {"next": {"after": "2", "link": "https://api.hubapi.com/crm/v3/objects/contacts/search?after=2"}}
			}`},
			want: []contact.Contact{
				{
					ID: "2201", Name: "Ines Moreau", Title: "Directrice", Emails: []string{"ines@example.com", "moreau@example.org", "i.m@example.net"},
					Phones: []string{"+33 1 99 00 12 34", "+33 6 99 00 12 34"}, Address: "1 rue du Port, 44000 Nantes, France", Country: "France", Twitter: "inesm",
					URL: "https://app-eu1.hubspot.com/contacts/4711/record/0-1/2201",
				},
				{ID: "2202", Name: "Quai Ouest", Company: "Quai Ouest", Websites: []string{"quaiouest.example"}},
			},
		},
		"salesforce": {
			text: "domain: acme\naccess_token: x", verify: `{"DailyApiRequests": {"Max": 15000, "Remaining": 14998}}`, path: "/queryAll", without: `{"totalSize": 0, "done": true, "records": []}`,
			pages: []string{`{
				"totalSize": 20, "done": true,
				"records": [
					{"attributes": {"type": "Contact", "url": "/services/data/v60.0/sobjects/Contact/003Qy00000AbCdEIAV"}, "Id": "003Qy00000AbCdEIAV", "IsDeleted": false,
					 "SystemModstamp": "2025-03-04T05:06:07.000+0000", "Name": "Nuria Prats", "Title": null, "Account": {"attributes": {"type": "Account",
					 "url": "/services/data/v60.0/sobjects/Account/001Qy00000BcDeFIAV"}, "Name": "Taller Prats"}, "Email": "nuria@example.com", "Phone": "+34 910 000 001", "MobilePhone": null,
					 "HomePhone": null, "OtherPhone": "600 000 002", "MailingStreet": "C. Mayor 3\r\n2º izq.", "MailingPostalCode": "28013", "MailingCity": "Madrid", "MailingState": null,
					 "MailingCountry": "Spain", "Department": "Finance", "AssistantName": "Ana", "Description": null},
					{"attributes": {"type": "Contact", "url": "/services/data/v60.0/sobjects/Contact/003Qy00000AbCdFIAV"}, "Id": "003Qy00000AbCdFIAV", "IsDeleted": false,
					 "SystemModstamp": "2025-03-04T05:06:08.000+0000", "Name": "Roca", "Title": "Gerente", "Account": null, "Email": null, "Phone": null, "MobilePhone": null,
					 "HomePhone": null, "OtherPhone": null, "MailingStreet": null, "MailingPostalCode": null, "MailingCity": null, "MailingState": null, "MailingCountry": null},
					{"attributes": {"type": "Contact", "url": "/services/data/v60.0/sobjects/Contact/003Qy00000AbCdGIAV"}, "Id": "003Qy00000AbCdGIAV", "IsDeleted": true,
					 "SystemModstamp": "2025-03-04T05:06:09.000+0000", "Name": "Gone", "Account": null}
				]
			}`},
			want: []contact.Contact{
				{
					ID: "003Qy00000AbCdEIAV", Name: "Nuria Prats", Company: "Taller Prats", Emails: []string{"nuria@example.com"}, Phones: []string{"+34 910 000 001", "600 000 002"},
					Address: "C. Mayor 3\r\n2º izq., 28013 Madrid, Spain", Country: "Spain", URL: "https://acme.my.salesforce.com/003Qy00000AbCdEIAV",
				},
				{ID: "003Qy00000AbCdFIAV", Name: "Roca", Title: "Gerente", URL: "https://acme.my.salesforce.com/003Qy00000AbCdFIAV"},
			},
		},
		"salesforce_leads": {
			text: "domain: acme\naccess_token: x", verify: `{"DailyApiRequests": {"Max": 15000, "Remaining": 14998}}`, path: "/queryAll", without: `{"totalSize": 0, "done": true, "records": []}`,
			pages: []string{`{
				"totalSize": 8, "done": true, "nextRecordsUrl": null,
				"records": [
					{"attributes": {"type": "Lead", "url": "/services/data/v60.0/sobjects/Lead/00QQy00000CdEfGMAV"}, "Id": "00QQy00000CdEfGMAV", "IsDeleted": false, "IsConverted": false,
					 "SystemModstamp": "2025-03-04T05:06:07.000+0000", "Name": "Piet Vos", "FirstName": "Piet", "Title": "Inkoper", "Company": "Vos BV", "Email": "piet@example.com",
					 "Phone": "(020) 000-0001", "MobilePhone": null, "Website": null, "CleanStatus": "Pending",
					 "Address": {"city": "Utrecht", "country": "NL", "geocodeAccuracy": null, "latitude": null, "longitude": null, "postalCode": "3511", "state": "UT", "street": "Oudegracht 1"},
					 "Street": "Oudegracht 1", "PostalCode": "3511", "City": "Utrecht", "State": "UT", "Country": "NL"}
				]
			}`},
			want: []contact.Contact{{
				ID: "00QQy00000CdEfGMAV", Name: "Piet Vos", Title: "Inkoper", Company: "Vos BV", Emails: []string{"piet@example.com"}, Phones: []string{"(020) 000-0001"},
				Address: "Oudegracht 1, 3511 Utrecht, UT, NL", Country: "NL", URL: "https://acme.my.salesforce.com/00QQy00000CdEfGMAV",
			}},
		},
		"zendesk": {
			text: "subdomain: acme\nemail: a@example.com\napi_token: x", verify: `{"user": {"id": 1, "role": "admin"}}`, first: `{"users": [], "meta": {"has_more": false}, "links": {"next": null}}`,
			path: "/incremental/users/cursor",
			pages: []string{
				`{
				"users": [{
					"id": 31415926535, "url": "https://acme.zendesk.com/api/v2/users/31415926535.json", "name": "Tove Lind", "email": "tove@example.com", "created_at": "2024-05-06T07:08:09Z",
					"updated_at": "2024-05-06T07:08:10Z", "time_zone": "Europe/Stockholm", "iana_time_zone": "Europe/Stockholm", "phone": "+46 8 000 001", "shared_phone_number": false,
					"photo": {"url": "https://acme.zendesk.com/api/v2/attachments/9.json", "id": 9, "file_name": "tove.png", "content_url": "https://acme.zendesk.com/system/photos/9/tove.png",
						"mapped_content_url": "https://acme.zendesk.com/system/photos/9/tove.png", "content_type": "image/png", "size": 10, "width": 80, "height": 80, "inline": false, "deleted": false,
						"thumbnails": [{"id": 10, "content_url": "https://acme.zendesk.com/system/photos/9/tove_thumb.png", "thumbnails": []}]},
					"locale_id": 1, "locale": "sv", "organization_id": null, "role": "end-user", "verified": false, "external_id": null, "tags": [], "alias": null, "active": true, "shared": false,
					"last_login_at": null, "signature": null, "details": "", "notes": null, "role_type": null, "custom_role_id": null, "suspended": false, "default_group_id": null,
					"user_fields": {"title": "Inköpare"}
				}],
				"after_url": "https://acme.zendesk.com/api/v2/incremental/users/cursor?cursor=Tk9UIEEgQ1VSU09S&per_page=1", "before_url": null, "after_cursor": "Tk9UIEEgQ1VSU09S",
				"before_cursor": null, "end_of_stream": false
				}`,
				`{
				"users": [
					{"id": 31415926536, "name": "Agent", "email": "agent@example.com", "updated_at": "2025-02-03T04:05:06Z", "phone": null, "photo": null, "role": "admin", "role_type": 4, "active": true, "user_fields": {}},
					{"id": 31415926537, "name": "Only A Name", "email": null, "updated_at": "2025-02-03T04:05:07Z", "phone": null, "photo": null, "role": "end-user", "active": true, "user_fields": {}}
				],
				"after_url": "https://acme.zendesk.com/api/v2/incremental/users/cursor?cursor=TEFTVA%3D%3D&per_page=1", "before_url": null, "after_cursor": "TEFTVA==", "before_cursor": null, "end_of_stream": true
				}`,
			},
			want: []contact.Contact{
				{
					ID: "31415926535", Name: "Tove Lind", Title: "Inköpare", Emails: []string{"tove@example.com"}, Phones: []string{"+46 8 000 001"},
					PhotoURL: "https://acme.zendesk.com/system/photos/9/tove.png", URL: "https://acme.zendesk.com/agent/users/31415926535",
				},
				{ID: "31415926537", Name: "Only A Name", URL: "https://acme.zendesk.com/agent/users/31415926537"},
			},
		},
		"pipedrive": {
			text: "company: acme\napi_token: x", verify: `{"success": true, "data": {"company_id": 77}}`, path: "/v2/persons", without: `{"success": true, "data": [], "additional_data": {"next_cursor": null}}`,
			pages: []string{`{
				"success": true,
				"data": [{
					"id": 812, "name": "Olha Bondar", "first_name": "Olha", "last_name": "Bondar", "owner_id": 3, "org_id": null, "add_time": "2025-01-02T03:04:05Z", "update_time": "2025-02-03T04:05:06Z",
					"emails": [{"value": "olha@example.com", "primary": true, "label": "work"}, {"value": "ob@example.org", "primary": false, "label": "other"}],
					"phones": [{"value": "+380 44 000 0001", "primary": true, "label": "mobile"}], "is_deleted": false, "visible_to": 3, "label_ids": [1, 2], "picture_id": null,
					"postal_address": {"value": "Khreshchatyk 1, Kyiv", "country": "Ukraine", "admin_area_level_1": null, "locality": "Kyiv", "postal_code": null}, "notes": null,
					"im": [{"value": "olha", "primary": true, "label": "telegram"}], "birthday": null, "job_title": "Buhalterka", "custom_fields": {"0a1b2c3d4e5f60718293a4b5c6d7e8f901234567": null}
				}],
				"additional_data": {"next_cursor": null}
			}`},
			want: []contact.Contact{{
				ID: "812", Name: "Olha Bondar", Title: "Buhalterka", Emails: []string{"olha@example.com", "ob@example.org"}, Phones: []string{"+380 44 000 0001"},
				Address: "Khreshchatyk 1, Kyiv", Country: "Ukraine", URL: "https://acme.pipedrive.com/person/812",
			}},
		},
		"freshdesk": {
			text: "domain: acme\napi_key: x", verify: `[]`, path: "page=1&", without: `[]`,
			pages: []string{`[{
				"active": false, "deleted": false, "email": "kofi@example.com", "id": 600000001, "name": "Kofi Mensah", "time_zone": "Accra", "language": "en", "created_at": "2025-01-02T03:04:05Z",
				"updated_at": "2025-01-02T03:04:05Z", "first_name": "Kofi", "last_name": "Mensah", "visitor_id": "0f0e0d0c-0b0a-4a09-8807-060504030201", "org_contact_id": 1900000000000000001,
				"other_emails": ["mensah@example.org"], "phone": null, "mobile": "+233 20 000 0001", "job_title": null, "address": null, "twitter_id": null, "company_id": null, "custom_fields": {"plan": null},
				"avatar": {"avatar_url": "https://cdn.example.com/kofi.png", "content_type": "image/png", "id": 4, "name": "kofi.png", "size": 12}
			}]`},
			want: []contact.Contact{{
				ID: "600000001", Name: "Kofi Mensah", Emails: []string{"kofi@example.com", "mensah@example.org"}, Phones: []string{"+233 20 000 0001"}, PhotoURL: "https://cdn.example.com/kofi.png",
				URL: "https://acme.freshdesk.com/a/contacts/600000001",
			}},
		},
		"microsoft_graph": {
			text: "access_token: x", verify: `{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users('me')/contacts", "value": []}`, path: "/delta",
			pages: []string{
				`{
				"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(contact)", "@odata.nextLink": "https://graph.microsoft.com/v1.0/me/contactFolders/contacts/contacts/delta?$skiptoken=R0usmcCM", "value": [{
					"@odata.type": "#microsoft.graph.contact", "@odata.etag": "W/\"EQAAABYAAAC\"", "id": "AAMkADk0MGFkODE3LWE4=", "createdDateTime": "2025-01-02T03:04:05Z",
					"lastModifiedDateTime": "2025-01-02T03:04:06Z", "changeKey": "EQAAABYAAAC", "categories": [], "parentFolderId": "AAMkADk0MGFkODE3LWE4LgAA", "birthday": null, "fileAs": "Sato, Yui",
					"displayName": "Yui Sato", "givenName": "Yui", "initials": null, "middleName": null, "nickName": null, "surname": "Sato", "title": "Dr.", "jobTitle": "Chemist", "companyName": "Sato Labs",
					"department": "R&D", "officeLocation": null, "profession": null, "businessHomePage": "https://sato.example", "assistantName": null, "manager": null, "homePhones": ["+81 3 0000 0003"],
					"mobilePhone": "+81 90 0000 0001", "businessPhones": ["+81 3 0000 0002"], "spouseName": null, "personalNotes": "", "children": [], "imAddresses": [null],
					"emailAddresses": [{"name": "Yui Sato", "address": "yui@example.com"}], "homeAddress": {}, "otherAddress": {},
					"businessAddress": {"street": "1-2-3 Chuo", "city": "Osaka", "state": "Osaka", "countryOrRegion": "Japan", "postalCode": "540-0001"}
				}]}`,
				`{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(contact)", "@odata.deltaLink": "https://graph.microsoft.com/v1.0/me/contactFolders/contacts/contacts/delta?$deltatoken=R0usmcMD", "value": []}`,
			},
			want: []contact.Contact{{
				ID: "AAMkADk0MGFkODE3LWE4=", Name: "Yui Sato", Title: "Chemist", Company: "Sato Labs", Emails: []string{"yui@example.com"}, Websites: []string{"https://sato.example"},
				Phones: []string{"+81 90 0000 0001", "+81 3 0000 0002", "+81 3 0000 0003"}, Address: "1-2-3 Chuo, 540-0001 Osaka, Osaka, Japan", Country: "Japan",
			}},
		},
		"microsoft_org_contacts": {
			text: "access_token: x", verify: `{"value": [{"id": "3f1c0e66-0000-4000-8000-000000000001"}]}`, path: "/contacts/delta",
			pages: []string{`{
				"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#contacts", "@odata.deltaLink": "https://graph.microsoft.com/v1.0/contacts/delta?$deltatoken=rel2", "value": [{
					"id": "9d1b3c5e-0000-4000-8000-000000000002", "displayName": "Lars Holm", "givenName": "Lars", "surname": "Holm", "mail": "lars@example.com", "mailNickname": "lars", "companyName": null,
					"jobTitle": null, "department": "Salg", "onPremisesSyncEnabled": null, "proxyAddresses": ["SMTP:lars@example.com"],
					"addresses": [{"city": "Bergen", "countryOrRegion": "Norway", "officeLocation": null, "postalCode": "5003", "state": null, "street": "Bryggen 1"}],
					"phones": [{"number": null, "type": "mobile"}, {"number": "+47 55 00 00 01", "type": "business"}, {"number": "+47 55 00 00 09", "type": "businessFax"}]
				}]
			}`},
			want: []contact.Contact{{
				ID: "9d1b3c5e-0000-4000-8000-000000000002", Name: "Lars Holm", Emails: []string{"lars@example.com"}, Phones: []string{"+47 55 00 00 01"},
				Address: "Bryggen 1, 5003 Bergen, Norway", Country: "Norway",
			}},
		},
		"google": {
			text: "access_token: x", verify: `{"resourceName": "people/107", "etag": "%EgM="}`, path: "/connections",
			pages: []string{
				`{
				"connections": [{
					"resourceName": "people/c2718281828", "etag": "%EgUBAi43PRoEAQIFByIM",
					"metadata": {"sources": [{"type": "PROFILE", "id": "1", "updateTime": "2020-01-01T00:00:00Z"}, {"type": "CONTACT", "id": "2a", "etag": "#x=", "updateTime": "2025-01-02T03:04:05.123456Z"}], "objectType": "PERSON"},
					"names": [
						{"metadata": {"source": {"type": "PROFILE", "id": "1"}}, "displayName": "M. Okafor"},
						{"metadata": {"primary": true, "source": {"type": "CONTACT", "id": "2a"}, "sourcePrimary": true}, "displayName": "Ngozi Okafor", "familyName": "Okafor", "givenName": "Ngozi",
						 "displayNameLastFirst": "Okafor, Ngozi", "unstructuredName": "Ngozi Okafor"}],
					"photos": [{"metadata": {"primary": true}, "url": "https://lh3.example.com/a=s100", "default": true}],
					"emailAddresses": [{"metadata": {"primary": true}, "value": "ngozi@example.com", "type": "work", "formattedType": "Work"}],
					"phoneNumbers": [{"metadata": {"primary": true}, "value": "0800 000 0001", "canonicalForm": "+2348000000001", "type": "mobile"}, {"value": "12 34", "type": "other"}],
					"organizations": [{"metadata": {"primary": true}, "name": "Okafor Foods", "title": "Owner"}],
					"addresses": [{"metadata": {"primary": true}, "formattedValue": "1 Marina\nLagos\nNigeria", "type": "work", "streetAddress": "1 Marina", "city": "Lagos", "country": "Nigeria", "countryCode": "NG"}],
					"urls": [{"value": "https://okafor.example", "type": "homePage"}]
				}],
				"nextPageToken": "GiAKHAgBagsIvd7bwwYQ", "totalPeople": 2, "totalItems": 2
				}`,
				`{
				"connections": [{
					"resourceName": "people/c3141592653", "etag": "%EgUBAi43PRoEAQIFByIN", "metadata": {"sources": [{"type": "CONTACT", "id": "3b", "updateTime": "2025-01-03T00:00:00Z"}]},
					"organizations": [{"metadata": {"primary": true}, "name": "Lagos Port"}]
				}],
				"totalPeople": 2, "totalItems": 2, "nextSyncToken": "EPn2qN0F"
				}`,
			},
			want: []contact.Contact{
				{
					ID: "people/c2718281828", Name: "Ngozi Okafor", Title: "Owner", Company: "Okafor Foods", Emails: []string{"ngozi@example.com"}, Phones: []string{"+2348000000001", "12 34"},
					Websites: []string{"https://okafor.example"}, Address: "1 Marina, Lagos, Nigeria", Country: "NG", URL: "https://contacts.google.com/person/c2718281828",
				},
				{ID: "people/c3141592653", Name: "Lagos Port", Company: "Lagos Port", URL: "https://contacts.google.com/person/c3141592653"},
			},
		},
		"dynamics365": {
			text: "environment: acme.crm4\naccess_token: x", verify: `{"@odata.context": "x", "OrganizationId": "5a4b3c2d-0000-4000-8000-000000000003", "UserId": "1"}`, path: "/contacts?",
			pages: []string{
				`{
				"@odata.context": "https://acme.crm4.dynamics.com/api/data/v9.2/$metadata#contacts(fullname,emailaddress1)/$delta", "@Microsoft.Dynamics.CRM.totalrecordcount": -1,
				"@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded": false, "@Microsoft.Dynamics.CRM.globalmetadataversion": "6012567",
				"value": [
					{"@odata.etag": "W/\"5512001\"", "contactid": "0b1c2d3e-0000-4000-8000-000000000004", "fullname": "Aino Virta", "emailaddress1": "aino@example.com", "emailaddress2": null, "emailaddress3": null,
					 "telephone1": "+358 9 000 0001", "mobilephone": null, "telephone2": null, "telephone3": null, "jobtitle": "Ostaja", "fax": "+358 9 000 0009",
					 "_parentcustomerid_value@OData.Community.Display.V1.FormattedValue": "Virta Oy", "_parentcustomerid_value": "7c8d9e0f-0000-4000-8000-000000000005", "address1_line1": "Katu 1",
					 "address1_line2": null, "address1_city": "Turku", "address1_stateorprovince": null, "address1_postalcode": "20100", "address1_country": "Finland", "websiteurl": null,
					 "familystatuscode@OData.Community.Display.V1.FormattedValue": "Single", "familystatuscode": 1, "statecode@OData.Community.Display.V1.FormattedValue": "Active", "statecode": 0,
					 "modifiedon@OData.Community.Display.V1.FormattedValue": "1/2/2025 3:04 AM", "modifiedon": "2025-01-02T03:04:05Z"}
				],
				"@odata.nextLink": "https://acme.crm4.dynamics.com/api/data/v9.2/contacts?$select=fullname&$skiptoken=%3Ccookie%20pagenumber=%222%22%20istracking=%22False%22%20/%3E"
				}`,
				`{
				"@odata.context": "https://acme.crm4.dynamics.com/api/data/v9.2/$metadata#contacts(fullname,emailaddress1)/$delta",
				"value": [
					{"@odata.etag": "W/\"5512002\"", "contactid": "0b1c2d3e-0000-4000-8000-000000000006", "fullname": "Left Us", "statecode": 1, "modifiedon": "2025-01-02T03:04:05Z"},
					{"@odata.etag": "W/\"5512003\"", "contactid": "0b1c2d3e-0000-4000-8000-000000000007", "fullname": null, "firstname": null, "lastname": null, "emailaddress1": "x@example.com", "statecode": 0, "modifiedon": "2025-01-02T03:04:06Z"}
				],
				"@odata.deltaLink": "https://acme.crm4.dynamics.com/api/data/v9.2/contacts?$select=fullname&$deltatoken=919042%2108%2f22%2f2017"
				}`,
			},
			want: []contact.Contact{
				{
					ID: "0b1c2d3e-0000-4000-8000-000000000004", Name: "Aino Virta", Title: "Ostaja", Company: "Virta Oy", Emails: []string{"aino@example.com"}, Phones: []string{"+358 9 000 0001"},
					Address: "Katu 1, 20100 Turku, Finland", Country: "Finland",
					URL: "https://acme.crm4.dynamics.com/main.aspx?pagetype=entityrecord&etn=contact&id=0b1c2d3e-0000-4000-8000-000000000004",
				},
				{
					ID: "0b1c2d3e-0000-4000-8000-000000000007", Name: "x@example.com", Emails: []string{"x@example.com"},
					URL: "https://acme.crm4.dynamics.com/main.aspx?pagetype=entityrecord&etn=contact&id=0b1c2d3e-0000-4000-8000-000000000007",
				},
			},
		},
		"zoho": {
			text: "data_center: eu\naccess_token: x", verify: `{"org": [{"id": "20070000000000001", "company_name": "Acme"}], "data": []}`, path: "/Contacts?", without: `{"data": []}`,
			pages: []string{`{
				"data": [{
					"id": "3652397000000649013", "Full_Name": "Mr. Deepa Rao", "First_Name": "Deepa", "Last_Name": "Rao", "Title": null, "Account_Name": {"name": "Rao Textiles", "id": "3652397000000624001"},
					"Email": "deepa@example.com", "Secondary_Email": null, "Phone": "+91 80 0000 0001", "Mobile": "", "Home_Phone": null, "Other_Phone": null, "Mailing_Street": "1 MG Road",
					"Mailing_Zip": "560001", "Mailing_City": "Bengaluru", "Mailing_State": "KA", "Mailing_Country": "India", "Twitter": null, "Owner": {"name": "A", "id": "1", "email": "a@example.com"},
					"$approval": {"delegate": false, "approve": false}, "$editable": true, "Tag": [], "Modified_Time": "2025-01-02T08:34:05+05:30"
				}],
				"info": {"per_page": 200, "count": 1, "page": 1, "sort_by": "Modified_Time", "sort_order": "asc", "more_records": false, "next_page_token": null}
			}`},
			want: []contact.Contact{{
				ID: "3652397000000649013", Name: "Mr. Deepa Rao", Company: "Rao Textiles", Emails: []string{"deepa@example.com"}, Phones: []string{"+91 80 0000 0001"},
				Address: "1 MG Road, 560001 Bengaluru, KA, India", Country: "India",
			}},
		},
		"espocrm": {
			text: "url: https://crm.example.com\napi_key: x", verify: `{"user": {"id": "1"}, "list": []}`, path: "/Contact?", without: `{"total": -2, "list": []}`,
			pages: []string{`{
				"total": -2,
				"list": [{
					"id": "66e0123456789abcd", "name": "Dr. Milo Novak", "deleted": false, "salutationName": "Dr.", "firstName": "Milo", "lastName": "Novak", "title": "Lékař", "accountName": "Nemocnice",
					"emailAddress": "milo@example.com", "emailAddressIsOptedOut": false, "emailAddressData": [{"emailAddress": "milo@example.com", "lower": "milo@example.com", "primary": true, "optOut": false,
					"invalid": false}, {"emailAddress": "novak@example.org", "primary": false}], "phoneNumber": "+420 200 000 001", "phoneNumberData": [{"phoneNumber": "+420 200 000 001", "primary": true,
					"type": "Office"}, {"phoneNumber": "+420 600 000 002", "primary": false, "type": "Mobile"}], "addressStreet": "Dlouhá 1", "addressCity": "Praha", "addressState": null,
					"addressPostalCode": "110 00", "addressCountry": "Česko", "createdAt": "2025-01-02 03:04:05", "modifiedAt": "2025-01-02 03:04:06", "teamsIds": []
				}]
			}`},
			want: []contact.Contact{{
				ID: "66e0123456789abcd", Name: "Dr. Milo Novak", Title: "Lékař", Company: "Nemocnice", Emails: []string{"milo@example.com", "novak@example.org"},
				Phones: []string{"+420 200 000 001", "+420 600 000 002"}, Address: "Dlouhá 1, 110 00 Praha, Česko", Country: "Česko", URL: "https://crm.example.com/#Contact/view/66e0123456789abcd",
			}},
		},
		"dolibarr": {
			text: "url: https://erp.example.com\napi_key: x\ntime_zone: Europe/Paris", verify: `{"success": {"code": 200}}`, path: "/contacts?", without: `[]`,
			pages: []string{`[{
				"module": null, "id": "41", "entity": "1", "import_key": null, "array_options": [], "linkedObjectsIds": null, "fk_project": null, "civility_code": "MR", "lastname": "Petit", "firstname": "Luc",
				"address": "2 rue Neuve", "zip": "69001", "town": "Lyon", "state": "", "country": "France", "country_code": "FR", "socid": "7", "socname": "Petit SARL", "poste": "Gérant", "email": "luc@example.com",
				"mail": "luc@example.com", "socialnetworks": {"twitter": "lucp"}, "phone_pro": "+33 4 00 00 00 01", "phone_perso": null, "phone_mobile": "", "fax": "", "statut": "1",
				"date_creation": 1735700000, "date_modification": 1735786645, "canvas": null
			}]`},
			want: []contact.Contact{{
				ID: "41", Name: "Luc Petit", Title: "Gérant", Company: "Petit SARL", Emails: []string{"luc@example.com"}, Phones: []string{"+33 4 00 00 00 01"}, Twitter: "lucp",
				Address: "2 rue Neuve, 69001 Lyon, France", Country: "FR", URL: "https://erp.example.com/contact/card.php?id=41",
			}},
		},
		"odoo": {
			text: "url: https://acme.odoo.com\napi_key: x", verify: `0`, path: "/search_read", without: `[]`,
			pages: []string{`[
				{"id": 55, "name": "Rosa Klein", "active": true, "function": false, "commercial_company_name": "Klein AG", "parent_id": [12, "Klein AG"], "email": "rosa@example.com", "phone": "+41 44 000 00 01",
				 "website": false, "street": "Bahnhofstr. 1", "street2": false, "zip": "8001", "city": "Zürich", "country_id": [43, "Switzerland"], "write_date": "2025-01-02 03:04:05", "create_date": "2025-01-01 00:00:00"},
				{"id": 56, "name": "Archived", "active": false, "function": false, "commercial_company_name": false, "parent_id": false, "email": false, "phone": false, "website": false, "street": false,
				 "street2": false, "zip": false, "city": false, "country_id": false, "write_date": "2025-01-02 03:04:06"}
			]`},
			want: []contact.Contact{{
				ID: "55", Name: "Rosa Klein", Company: "Klein AG", Emails: []string{"rosa@example.com"}, Phones: []string{"+41 44 000 00 01"},
				Address: "Bahnhofstr. 1, 8001 Zürich, Switzerland", Country: "Switzerland", URL: "https://acme.odoo.com/odoo/contacts/55",
			}},
		},
		"close": {
			text: "api_key: x", verify: `{"id": "user_1", "organizations": [{"id": "orga_1"}]}`, path: "/contact/?", without: `{"has_more": false, "data": []}`,
			pages: []string{`{
				"has_more": false, "data": [
					{"id": "cont_0a", "organization_id": "orga_1", "lead_id": "lead_0b", "created_by": "user_1", "updated_by": null, "date_created": "2025-01-02T03:04:05.154000+00:00",
					 "date_updated": "2025-01-02T03:04:05.154321+00:00", "name": "Nils Holm", "title": "Säljare", "display_name": "Nils Holm", "integration_links": [], "urls": [],
					 "emails": [{"type": "office", "email": "nils@example.com", "is_unsubscribed": false}], "phones": [{"type": "office", "phone": "+468123456", "phone_formatted": "+46 8 12 34 56", "country": "SE"}],
					 "custom.cf_lVTzZFmBtD5KNSID39CQNXre0eRM4biI9E7TDOhBqx7": ["a", "b"]},
					{"id": "cont_0c", "lead_id": "lead_0b", "date_updated": "2025-01-02T03:04:05.154321+00:00", "name": "", "title": null, "display_name": "+4681", "emails": [], "phones": [{"phone": "+4681"}], "urls": null}
				], "total_results": 2
			}`},
			want: []contact.Contact{
				{
					ID: "cont_0a", Name: "Nils Holm", Title: "Säljare", Emails: []string{"nils@example.com"}, Phones: []string{"+468123456"}, Country: "SE", URL: "https://app.close.com/lead/lead_0b/",
				},
				{ID: "cont_0c", Name: "+4681", Phones: []string{"+4681"}, URL: "https://app.close.com/lead/lead_0b/"},
			},
		},
		"freshsales": {
			text: "bundle: acme\napi_key: x\nview: \"1\"", verify: `{"filters": [{"id": 1, "name": "All Contacts"}], "contacts": []}`, path: "&page=1&", without: `{"contacts": [], "meta": {"total_pages": 1, "total": 2}}`,
			pages: []string{`{
				"contacts": [
					{"partial": true, "id": 402000123457, "first_name": "Ravi", "last_name": "Iyer", "display_name": "Ravi Iyer", "avatar": null, "job_title": null, "city": "Chennai", "state": "TN",
					 "zipcode": null, "country": "India", "email": "ravi@example.com", "emails": [{"id": 5, "value": "ravi@example.com", "is_primary": true, "label": null, "_destroy": false}],
					 "time_zone": null, "work_number": "+91 44 0000 0001", "mobile_number": null, "address": null, "last_seen": null, "lead_score": 3, "is_deleted": false, "team_user_ids": null,
					 "created_at": "2025-01-02T08:34:05+05:30", "updated_at": "2025-01-02T08:34:06+05:30", "twitter": null, "facebook": null, "linkedin": null, "custom_field": {"cf_plan": null},
					 "links": {"conversations": "/crm/sales/contacts/402000123457/conversations/all?include=email_conversation_recipients"}, "sales_accounts": []},
					{"id": 402000123458, "display_name": "Gone", "email": null, "emails": [], "is_deleted": true, "updated_at": "2025-01-02T08:34:05+05:30"}
				],
				"meta": {"total_pages": 1, "total": 2}
			}`},
			want: []contact.Contact{{
				ID: "402000123457", Name: "Ravi Iyer", Emails: []string{"ravi@example.com"}, Phones: []string{"+91 44 0000 0001"}, Address: "Chennai, TN, India", Country: "India",
				URL: "https://acme.myfreshworks.com/crm/sales/contacts/402000123457",
			}},
		},
		"intercom": {
			text: "access_token: x", verify: `{"type": "admin", "id": "1", "app": {"type": "app", "id_code": "w1"}}`, path: "/contacts?",
			pages: []string{
				`{
				"type": "list", "data": [{
					"type": "contact", "id": "65a0b1c2d3e4f5a6b7c8d9e0", "workspace_id": "w1", "external_id": "u-1", "role": "user", "email": "lena@example.com", "phone": "+4712345678", "name": "Lena Berg",
					"avatar": {"type": "avatar", "image_url": null}, "owner_id": null, "social_profiles": {"type": "list", "data": [{"type": "social_profile", "name": "twitter", "url": "http://twitter.example/lena"}]},
					"has_hard_bounced": false, "created_at": 1735786645, "updated_at": 1735786646, "last_seen_at": null, "browser": null,
					"location": {"type": "location", "country": "Norway", "region": null, "city": "Oslo", "country_code": "NOR", "continent_code": "EU"}, "custom_attributes": {"plan": null},
					"tags": {"type": "list", "data": [], "url": "/contacts/65a0/tags", "total_count": 0, "has_more": false}, "companies": {"type": "list", "data": [], "total_count": 0}
				}],
				"total_count": 2, "pages": {"type": "pages", "next": {"page": 2, "starting_after": "WzEsIjIiLDNd"}, "page": 1, "per_page": 1, "total_pages": 2}
				}`,
				`{"type": "list", "data": [
					{"type": "contact", "id": "65a0b1c2d3e4f5a6b7c8d9e1", "workspace_id": "w1", "role": "lead", "email": "", "phone": null, "name": null, "avatar": null, "social_profiles": {"type": "list", "data": []},
					 "created_at": 1735786647, "updated_at": 1735786648, "location": {"type": "location", "country": null, "region": null, "city": null}, "custom_attributes": {}}
				], "total_count": 2, "pages": {"type": "pages", "page": 2, "per_page": 1, "total_pages": 2}}`,
			},
			want: []contact.Contact{
				{
					ID: "65a0b1c2d3e4f5a6b7c8d9e0", Name: "Lena Berg", Emails: []string{"lena@example.com"}, Phones: []string{"+4712345678"}, Address: "Oslo, Norway", Country: "Norway",
					Twitter: "http://twitter.example/lena", URL: "https://app.intercom.com/a/apps/w1/users/65a0b1c2d3e4f5a6b7c8d9e0",
				},
				{ID: "65a0b1c2d3e4f5a6b7c8d9e1", URL: "https://app.intercom.com/a/apps/w1/users/65a0b1c2d3e4f5a6b7c8d9e1"},
			},
		},
		"servicenow": {
			text: "instance: acme\naccess_token: x\ntable: customer_contact", verify: `{"result": []}`, path: "sys_updated_on", without: `{"result": []}`,
			pages: []string{`{"result": [
				{"sys_id": "0b1c2d3e4f5061728394a5b6c7d8e9f0", "sys_updated_on": "2025-01-02 03:04:05", "active": "true", "name": "Amara Diallo", "first_name": "Amara", "middle_name": "", "last_name": "Diallo",
				 "user_name": "", "title": "", "company.name": "", "account.name": "Diallo SA", "email": "amara@example.com", "phone": "+221 33 000 00 01", "mobile_phone": "", "home_phone": "",
				 "street": "", "zip": "", "city": "Dakar", "state": "", "country": ""},
				{"sys_id": "0b1c2d3e4f5061728394a5b6c7d8e9f1", "sys_updated_on": "2025-01-02 03:04:06", "active": "false", "name": "Left Us", "email": "left@example.com"}
			]}`},
			want: []contact.Contact{{
				ID: "0b1c2d3e4f5061728394a5b6c7d8e9f0", Name: "Amara Diallo", Company: "Diallo SA", Emails: []string{"amara@example.com"}, Phones: []string{"+221 33 000 00 01"}, Address: "Dakar",
				URL: "https://acme.service-now.com/nav_to.do?uri=customer_contact.do%3Fsys_id%3D0b1c2d3e4f5061728394a5b6c7d8e9f0",
			}},
		},
		"shopify": {
			text: "shop: acme\naccess_token: x", verify: `{"data": {"shop": {"id": "gid://shopify/Shop/1"}}}`, path: "customers(",
			without: `{"data": {"customers": {"nodes": [], "pageInfo": {"hasNextPage": false, "endCursor": null}}}}`,
			pages: []string{`{
				"data": {"customers": {"nodes": [
					{"legacyResourceId": "7004023529606", "updatedAt": "2025-01-02T03:04:05Z", "displayName": "Jun Park", "defaultEmailAddress": {"emailAddress": "jun@example.com"}, "defaultPhoneNumber": null,
					 "defaultAddress": {"company": null, "phone": "+82 2 000 0001", "address1": "1 Sejong-daero", "address2": "", "zip": "04524", "city": "Seoul", "province": null, "country": "South Korea", "countryCodeV2": "KR"}},
					{"legacyResourceId": "7004023529607", "updatedAt": "2025-01-02T03:04:05Z", "displayName": "+447700900001", "defaultEmailAddress": null, "defaultPhoneNumber": {"phoneNumber": "+447700900001"},
					 "defaultAddress": null}
				], "pageInfo": {"hasNextPage": false}}},
				"extensions": {"cost": {"requestedQueryCost": 202, "actualQueryCost": 10, "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 1990, "restoreRate": 100.0}}}
			}`},
			want: []contact.Contact{
				{
					ID: "7004023529606", Name: "Jun Park", Emails: []string{"jun@example.com"}, Phones: []string{"+82 2 000 0001"}, Address: "1 Sejong-daero, 04524 Seoul, South Korea", Country: "KR",
					URL: "https://admin.shopify.com/store/acme/customers/7004023529606",
				},
				{ID: "7004023529607", Name: "+447700900001", Phones: []string{"+447700900001"}, URL: "https://admin.shopify.com/store/acme/customers/7004023529607"},
			},
		},
	})
	return all
}

// Any JSON beside the records of any preset's service: it is reported and left out, the records beside it are read, and none is told as
// deleted.
func FuzzRecordsOfPresets(f *testing.F) {
	all := transcripts()
	names := slices.Sorted(maps.Keys(all))
	for n := range names {
		for _, record := range []string{
			`null`, `{}`, `[]`, `[[]]`, `"x"`, `{"id": null}`, `{"id": {"id": []}, "Id": [], "contactid": {}}`, `{"id": "1", "properties": [], "names": {}, "emails": "x", "phones": 5, "reason": {}}`,
			`{"id": "1", "properties": {"hs_merged_object_ids": {"a": [1]}, "lastmodifieddate": "2025-04-02T08:12:00.100Z"}, "metadata": {"sources": "CONTACT", "deleted": []}}`,
			`{"id": "1", "active": [], "role": {}, "write_date": "0000-00-00", "country_id": [], "parent_id": [[]], "@removed": {"reason": null}, "addresses": [null], "phones": [null, 1, {}]}`,
			`{"resourceName": 7, "names": [null, {"metadata": 1}], "organizations": [[]], "photos": [{"default": "x"}], "addresses": [{"formattedValue": {}}], "urls": [1]}`,
		} {
			f.Add(uint8(n), record)
		}
	}
	var current http.RoundTripper
	transport := roundTripperOf(func(r *http.Request) (*http.Response, error) { return current.RoundTrip(r) })
	factories := map[string]source.Factory{} // to make one takes long
	for kind, s := range all {
		factory, err := newFactory(kind, s.text+"\n"+fast, transport, nil)
		if err != nil {
			f.Fatal(err)
		}
		factories[kind] = factory
	}
	f.Fuzz(func(t *testing.T, n uint8, record string) {
		kind := names[int(n)%len(names)]
		s := *all[kind]
		s.pages = slices.Clone(s.pages)
		place := strings.IndexByte(s.pages[0], '[')
		s.pages[0] = s.pages[0][:place+1] + record + ", " + s.pages[0][place+1:]
		current = s.answering()
		src, err := factories[kind].Open(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		run, err := src.Begin(t.Context(), "")
		if err == nil && s.first != "" {
			run, err = src.Begin(t.Context(), src.Checkpoint(run, nil, true))
		}
		if err != nil {
			t.Fatal(err)
		}
		shown := map[string]bool{}
		for c, err := range src.Read(t.Context(), run, nil, 0) {
			if err != nil {
				if bridge.CodeOf(err) != bridge.CodeSourceBroken {
					t.Errorf("%s, %q: %v", kind, record, err)
				}
				return // the whole answer is no JSON, or its order is wrong
			}
			shown[c.Contact.ID] = shown[c.Contact.ID] || !c.Deleted
		}
		if !json.Valid([]byte(record)) {
			return // it closes the list, so that what follows is somewhere else
		}
		for _, c := range s.want {
			if !shown[c.ID] && !strings.Contains(record, c.ID) {
				t.Errorf("%s, %q: contact %s beside it is missing", kind, record, c.ID)
			}
		}
	})
}
