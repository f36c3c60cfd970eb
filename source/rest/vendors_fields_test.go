package rest_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
)

// list is a JSON array.
type list = []any

// object is a JSON object.
type object = map[string]any

// A specimen is a record in the vendor's own shape, with every field that a preset maps, and the contact that it becomes.
type specimen struct {
	id     string
	fields vendors.Fields
	want   contact.Contact
	least  vendors.Fields // a record with as little as the vendor allows
	name   string         // which becomes a contact with this name
}

func specimens() map[string]specimen {
	salesforceContact := vendors.Fields{
		"Name": "Jane Doe", "FirstName": "Jane", "LastName": "Doe", "Title": "Buyer", "Account.Name": "Acme Inc.", "Email": "jane@example.com", "Phone": "+49 30 1234567",
		"MobilePhone": "+49 170 1234567", "HomePhone": "030 7654321", "OtherPhone": nil, "MailingStreet": "Hauptstr. 1", "MailingPostalCode": "10115", "MailingCity": "Berlin",
		"MailingState": nil, "MailingCountry": "Germany",
	}
	all := crmSpecimens()
	maps.Copy(all, map[string]specimen{
		"hubspot": {
			id: "220006890315",
			fields: vendors.Fields{
				"firstname": "Jane", "lastname": "Doe", "email": "jane@example.com", "hs_additional_emails": "j.doe@example.com;doe@example.org", "phone": "+49 30 1234567",
				"mobilephone": "0170 1234567", "company": "Acme Inc.", "jobtitle": "Buyer", "address": "Hauptstr. 1", "city": "Berlin", "zip": "10115", "state": "", "country": "Germany",
				"website": "https://example.com", "twitterhandle": "janedoe",
			},
			want: contact.Contact{
				ID: "220006890315", Name: "Jane Doe", Title: "Buyer", Company: "Acme Inc.", Emails: []string{"jane@example.com", "j.doe@example.com", "doe@example.org"},
				Phones: []string{"+49 30 1234567", "0170 1234567"}, Websites: []string{"https://example.com"}, Address: "Hauptstr. 1, 10115 Berlin, Germany", Twitter: "janedoe",
				URL: "https://app.hubspot.com/contacts/7/record/0-1/220006890315", Country: "Germany",
			},
			least: vendors.Fields{"email": "only@example.com"}, name: "only@example.com",
		},
		"salesforce": {
			id: "003ak000003dQCGAA2", fields: salesforceContact,
			want: contact.Contact{
				ID: "003ak000003dQCGAA2", Name: "Jane Doe", Title: "Buyer", Company: "Acme Inc.", Emails: []string{"jane@example.com"},
				Phones: []string{"+49 30 1234567", "+49 170 1234567", "030 7654321"}, Address: "Hauptstr. 1, 10115 Berlin, Germany",
				URL: "https://acme.my.salesforce.com/003ak000003dQCGAA2", Country: "Germany",
			},
			least: vendors.Fields{"Name": "Doe", "LastName": "Doe"}, name: "Doe",
		},
		"salesforce_leads": {
			id: "00Qak00000696HFEAY",
			fields: vendors.Fields{
				"Name": "Bertha Boxer", "Title": "Director", "Company": "Farmers Coop.", "Email": "bertha@example.com", "Phone": "(850) 644-4200", "MobilePhone": nil, "Website": "example.com",
				"Street": "321 Westcott Building", "City": "Tallahassee", "State": "FL", "PostalCode": "32306", "Country": "USA",
			},
			want: contact.Contact{
				ID: "00Qak00000696HFEAY", Name: "Bertha Boxer", Title: "Director", Company: "Farmers Coop.", Emails: []string{"bertha@example.com"}, Phones: []string{"(850) 644-4200"},
				Websites: []string{"example.com"}, Address: "321 Westcott Building, 32306 Tallahassee, FL, USA", URL: "https://acme.my.salesforce.com/00Qak00000696HFEAY", Country: "USA",
			},
			least: vendors.Fields{"Name": "Boxer", "LastName": "Boxer", "Company": "Coop"}, name: "Boxer",
		},
		"zendesk": {
			id: "26363597354387",
			fields: vendors.Fields{
				"name": "The Customer", "email": "customer@example.com", "phone": "+14155550100", "user_fields": object{"title": "Buyer"},
				"photo": object{"content_url": "https://acme.zendesk.com/system/photos/1/profile.png"},
			},
			want: contact.Contact{
				ID: "26363597354387", Name: "The Customer", Title: "Buyer", Emails: []string{"customer@example.com"}, Phones: []string{"+14155550100"},
				PhotoURL: "https://acme.zendesk.com/system/photos/1/profile.png", URL: "https://acme.zendesk.com/agent/users/26363597354387",
			},
			least: vendors.Fields{"name": "Caller +14155550100"}, name: "Caller +14155550100",
		},
		"pipedrive": {
			id: "12",
			fields: vendors.Fields{
				"name": "Jane Doe", "first_name": "Jane", "last_name": "Doe", "job_title": "Buyer",
				"emails": list{object{"value": "jane@example.com", "primary": true, "label": "work"}, object{"value": "doe@example.org", "primary": false, "label": "home"}},
				"phones": list{object{"value": "+372 555 0100", "primary": true, "label": "work"}, object{"value": "", "primary": false, "label": "home"}},
				"org_id": 5, "postal_address": object{"value": "Mustamäe tee 3a, Tallinn, Estonia", "country": "Estonia"},
			},
			want: contact.Contact{
				ID: "12", Name: "Jane Doe", Title: "Buyer", Emails: []string{"jane@example.com", "doe@example.org"}, Phones: []string{"+372 555 0100"},
				Address: "Mustamäe tee 3a, Tallinn, Estonia", URL: "https://acme.pipedrive.com/person/12", Country: "Estonia",
			},
			least: vendors.Fields{"name": "Doe"}, name: "Doe",
		},
		"freshdesk": {
			id: "501002381517",
			fields: vendors.Fields{
				"name": "Super Man", "first_name": "Super", "last_name": "Man", "email": "superman@example.com", "other_emails": list{"clark@example.com"}, "phone": "+14155550100",
				"mobile": "415-555-0101", "job_title": "Reporter", "address": "344 Clinton St, Metropolis", "twitter_id": "superman", "company_id": 7,
			},
			want: contact.Contact{
				ID: "501002381517", Name: "Super Man", Title: "Reporter", Emails: []string{"superman@example.com", "clark@example.com"}, Phones: []string{"+14155550100", "415-555-0101"},
				Address: "344 Clinton St, Metropolis", Twitter: "superman", URL: "https://acme.freshdesk.com/a/contacts/501002381517",
			},
			least: vendors.Fields{"first_name": "Super", "last_name": "Man"}, name: "Super Man",
		},
		"microsoft_graph": {
			id: "AAMkAGI2THk=",
			fields: vendors.Fields{
				"displayName": "Jane Doe", "givenName": "Jane", "surname": "Doe", "title": "Ms", "jobTitle": "Buyer", "companyName": "Acme Inc.", "department": "Purchasing",
				"emailAddresses": list{object{"name": "Jane Doe", "address": "jane@example.com"}, object{"name": "Home", "address": "doe@example.org"}},
				"businessPhones": list{"+1 732 555 0102", "+1 732 555 0103"}, "homePhones": list{"+1 732 555 0104"}, "mobilePhone": "+1 732 555 0101", "businessHomePage": "https://example.com",
				"businessAddress": object{"street": "1 Main St", "city": "Edison", "state": "NJ", "postalCode": "08817", "countryOrRegion": "United States"}, "homeAddress": object{},
			},
			want: contact.Contact{
				ID: "AAMkAGI2THk=", Name: "Jane Doe", Title: "Buyer", Company: "Acme Inc.", Emails: []string{"jane@example.com", "doe@example.org"},
				Phones: []string{"+1 732 555 0101", "+1 732 555 0102", "+1 732 555 0103", "+1 732 555 0104"}, Websites: []string{"https://example.com"},
				Address: "1 Main St, 08817 Edison, NJ, United States", Country: "United States",
			},
			least: vendors.Fields{"companyName": "Acme Inc."}, name: "Acme Inc.",
		},
		"microsoft_org_contacts": {
			id: "25caf6a2-d5cb-470d-8940-20ba795ef62d",
			fields: vendors.Fields{
				"displayName": "Adele Vance", "givenName": "Adele", "surname": "Vance", "mail": "adele@example.com", "companyName": "Contoso", "jobTitle": "Retail Manager", "department": "Retail",
				"phones":    list{object{"type": "business", "number": "+1 425 555 0109"}, object{"type": "mobile", "number": nil}, object{"type": "businessFax", "number": "+1 425 555 0110"}},
				"addresses": list{object{"street": "9256 Towne Center Dr.", "city": "Bellevue", "state": "WA", "postalCode": "98004", "countryOrRegion": "USA"}},
			},
			want: contact.Contact{
				ID: "25caf6a2-d5cb-470d-8940-20ba795ef62d", Name: "Adele Vance", Title: "Retail Manager", Company: "Contoso", Emails: []string{"adele@example.com"},
				Phones: []string{"+1 425 555 0109"}, Address: "9256 Towne Center Dr., 98004 Bellevue, WA, USA", Country: "USA",
			},
			least: vendors.Fields{"companyName": "Contoso"}, name: "Contoso",
		},
		"google": {
			id: "c3194283054244587340",
			fields: vendors.Fields{
				"names":          list{object{"metadata": object{"primary": false}, "displayName": "J. D."}, object{"metadata": object{"primary": true}, "displayName": "Josh Brown", "givenName": "Josh"}},
				"emailAddresses": list{object{"value": "josh@example.com", "type": "work"}},
				"phoneNumbers":   list{object{"value": "(415) 555-0100", "canonicalForm": "+14155550100"}, object{"value": "555 0101"}},
				"organizations":  list{object{"name": "Acme Inc.", "title": "Buyer", "current": true}},
				"addresses":      list{object{"formattedValue": "1 Main St\nSan Francisco, CA 94105\nUS", "countryCode": "US"}},
				"urls":           list{object{"value": "https://example.com"}},
				"photos":         list{object{"url": "https://lh3.example.com/default", "default": true}, object{"url": "https://lh3.example.com/photo"}},
			},
			want: contact.Contact{
				ID: "people/c3194283054244587340", Name: "Josh Brown", Title: "Buyer", Company: "Acme Inc.", Emails: []string{"josh@example.com"}, Phones: []string{"+14155550100", "555 0101"},
				Websites: []string{"https://example.com"}, PhotoURL: "https://lh3.example.com/photo", Address: "1 Main St, San Francisco, CA 94105, US",
				URL: "https://contacts.google.com/person/c3194283054244587340", Country: "US",
			},
			least: vendors.Fields{"emailAddresses": list{object{"value": "only@example.com"}}}, name: "only@example.com",
		},
		"dynamics365": {
			id: "cdcfa450-cb0c-ea11-a813-000d3a1b1223",
			fields: vendors.Fields{
				"fullname": "Heriberto Nathan", "firstname": "Heriberto", "lastname": "Nathan", "jobtitle": "Owner", "_parentcustomerid_value": "a16b3f4b-1be7-e611-8101-e0071b6af231",
				"_parentcustomerid_value@OData.Community.Display.V1.FormattedValue": "Northwind Traders", "emailaddress1": "heriberto@example.com", "emailaddress2": "h.nathan@example.org",
				"telephone1": "614-555-0121", "telephone2": nil, "mobilephone": "614-555-0123", "fax": "614-555-0122", "address1_line1": "1234 Elm St", "address1_line2": "Suite 5",
				"address1_city": "Columbus", "address1_stateorprovince": "OH", "address1_postalcode": "43004", "address1_country": "U.S.", "websiteurl": "https://example.com",
			},
			want: contact.Contact{
				ID: "cdcfa450-cb0c-ea11-a813-000d3a1b1223", Name: "Heriberto Nathan", Title: "Owner", Company: "Northwind Traders", Emails: []string{"heriberto@example.com", "h.nathan@example.org"},
				Phones: []string{"614-555-0121", "614-555-0123"}, Websites: []string{"https://example.com"}, Address: "1234 Elm St, Suite 5, 43004 Columbus, OH, U.S.",
				URL: "https://acme.crm4.dynamics.com/main.aspx?pagetype=entityrecord&etn=contact&id=cdcfa450-cb0c-ea11-a813-000d3a1b1223", Country: "U.S.",
			},
			least: vendors.Fields{"emailaddress1": "only@example.com"}, name: "only@example.com",
		},
		"zoho": {
			id: "4150868000000480039",
			fields: vendors.Fields{
				"Full_Name": "Ms. Jane Doe", "First_Name": "Jane", "Last_Name": "Doe", "Title": "Buyer", "Account_Name": object{"name": "Acme Inc.", "id": "4150868000000480001"},
				"Email": "jane@example.com", "Secondary_Email": "doe@example.org", "Phone": "+49 30 1234567", "Mobile": "+49 170 1234567", "Home_Phone": nil, "Other_Phone": nil,
				"Mailing_Street": "Hauptstr. 1", "Mailing_Zip": "10115", "Mailing_City": "Berlin", "Mailing_State": nil, "Mailing_Country": "Germany", "Twitter": "janedoe",
			},
			want: contact.Contact{
				ID: "4150868000000480039", Name: "Ms. Jane Doe", Title: "Buyer", Company: "Acme Inc.", Emails: []string{"jane@example.com", "doe@example.org"},
				Phones: []string{"+49 30 1234567", "+49 170 1234567"}, Address: "Hauptstr. 1, 10115 Berlin, Germany", Twitter: "janedoe", Country: "Germany",
			},
			least: vendors.Fields{"Last_Name": "Doe"}, name: "Doe",
		},
		"close": {
			id: "cont_Cf4oIarVuMdMGGSesibzjJTaZJTBfsTPm6ylbMwZEyp",
			fields: vendors.Fields{
				"lead_id": "lead_YwEcogm9mopaw41KPrrAHO", "name": "Gob Bluth", "display_name": "Gob Bluth", "title": "Magician",
				"emails": list{object{"type": "office", "email": "gob@example.com", "is_unsubscribed": false}, object{"type": "home", "email": "bluth@example.org"}},
				"phones": list{object{"type": "office", "phone": "+18045550100", "phone_formatted": "+1 804-555-0100", "country": "US"}}, "urls": list{object{"url": "https://example.com", "type": "url"}},
				"integration_links": list{object{"name": "LinkedIn Search", "url": "https://linkedin.example/?keywords=Gob"}}, "custom.cf_1": "gold",
			},
			want: contact.Contact{
				ID: "cont_Cf4oIarVuMdMGGSesibzjJTaZJTBfsTPm6ylbMwZEyp", Name: "Gob Bluth", Title: "Magician", Emails: []string{"gob@example.com", "bluth@example.org"}, Phones: []string{"+18045550100"},
				Websites: []string{"https://example.com"}, URL: "https://app.close.com/lead/lead_YwEcogm9mopaw41KPrrAHO/", Country: "US",
			},
			least: vendors.Fields{"emails": list{object{"type": "office", "email": "only@example.com"}}}, name: "only@example.com",
		},
		"freshsales": {
			id: "402000123456",
			fields: vendors.Fields{
				"first_name": "Jane", "last_name": "Sampleton", "display_name": "Jane Sampleton", "avatar": "https://cdn.example.com/jane.png", "job_title": "Sales Manager", "email": "jane@example.com",
				"emails":      list{object{"id": 1, "value": "jane@example.com", "is_primary": true, "label": nil}, object{"id": 2, "value": "js@example.org", "is_primary": false, "label": "home"}},
				"work_number": "3684932360", "mobile_number": "1-926-555-9504", "phone_numbers": list{object{"id": 3, "value": "+1 702 555 0100", "label": "Other"}}, "address": "604 Pine Ave", "city": "Glendale",
				"state": "Arizona", "zipcode": "85301", "country": "USA", "twitter": "janesampleton", "sales_accounts": list{object{"id": 6, "name": "Other Inc."}, object{"id": 7, "name": "Widgetz.io", "is_primary": true}},
			},
			want: contact.Contact{
				ID: "402000123456", Name: "Jane Sampleton", Title: "Sales Manager", Company: "Widgetz.io", Emails: []string{"jane@example.com", "js@example.org"},
				Phones: []string{"3684932360", "1-926-555-9504", "+1 702 555 0100"}, PhotoURL: "https://cdn.example.com/jane.png", Address: "604 Pine Ave, 85301 Glendale, Arizona, USA",
				Twitter: "janesampleton", URL: "https://acme.myfreshworks.com/crm/sales/contacts/402000123456", Country: "USA",
			},
			least: vendors.Fields{"email": "only@example.com"}, name: "only@example.com",
		},
		"intercom": {
			id: "6762f0d01bb69f9f2193bb7d",
			fields: vendors.Fields{
				"external_id": "70", "role": "lead", "name": "Jane Doe", "email": "jane@example.com", "phone": "+493012345678", "avatar": object{"type": "avatar", "image_url": "https://static.example.com/jane.png"},
				"location":        object{"type": "location", "country": "Germany", "region": "Berlin", "city": "Berlin", "country_code": "DEU", "continent_code": "EU"},
				"social_profiles": object{"type": "list", "data": list{object{"type": "social_profile", "name": "LinkedIn", "url": "https://linkedin.example/jane"}, object{"type": "social_profile", "name": "Twitter", "url": "https://twitter.example/janedoe"}}},
				"companies":       object{"type": "list", "data": list{object{"id": "6643703ffae7834d1792fd31", "type": "company"}}, "total_count": 1, "has_more": false},
			},
			want: contact.Contact{
				ID: "6762f0d01bb69f9f2193bb7d", Name: "Jane Doe", Emails: []string{"jane@example.com"}, Phones: []string{"+493012345678"}, PhotoURL: "https://static.example.com/jane.png",
				Address: "Berlin, Berlin, Germany", Twitter: "https://twitter.example/janedoe", URL: "https://app.intercom.com/a/apps/acme/users/6762f0d01bb69f9f2193bb7d", Country: "Germany",
			},
			least: vendors.Fields{"role": "lead", "phone": "+493012345678"}, name: "+493012345678",
		},
		"servicenow": {
			id: "5137153cc611227c000bbd1bd8cd2005",
			fields: vendors.Fields{
				"name": "Fred Luddy", "first_name": "Fred", "last_name": "Luddy", "user_name": "fred.luddy", "title": "Founder", "company": "31bea3d53790200044e0bfc8bcbe5dec", "company.name": "Acme Inc.",
				"email": "fred@example.com", "phone": "+1 858 555 0100", "mobile_phone": "858-555-0101", "home_phone": "", "street": "1 Main St\nFloor 2", "city": "San Diego", "state": "CA", "zip": "92101",
				"country": "US", "photo": "4a1f", "active": "true", "u_plan": "gold",
			},
			want: contact.Contact{
				ID: "5137153cc611227c000bbd1bd8cd2005", Name: "Fred Luddy", Title: "Founder", Company: "Acme Inc.", Emails: []string{"fred@example.com"},
				Phones: []string{"+1 858 555 0100", "858-555-0101"}, Address: "1 Main St\nFloor 2, 92101 San Diego, CA, US", Country: "US",
				URL: "https://acme.service-now.com/nav_to.do?uri=sys_user.do%3Fsys_id%3D5137153cc611227c000bbd1bd8cd2005",
			},
			least: vendors.Fields{"user_name": "integration"}, name: "integration",
		},
		"shopify": {
			id: "7004023529605",
			fields: vendors.Fields{
				"firstName": "Amélie", "lastName": "Roy", "displayName": "Amélie Roy", "note": nil, "tags": list{"VIP"}, "state": "ENABLED", "locale": "fr",
				"defaultEmailAddress": object{"emailAddress": "amelie@example.com", "marketingState": "SUBSCRIBED"}, "defaultPhoneNumber": object{"phoneNumber": "+15145550100"},
				"defaultAddress": object{
					"firstName": "Amélie", "lastName": "Roy", "company": "Roy Inc.", "address1": "150 Elgin Street", "address2": nil, "city": "Ottawa", "province": "Ontario", "provinceCode": "ON",
					"country": "Canada", "countryCodeV2": "CA", "zip": "K2P 1L4", "phone": "613-555-0101",
				},
				"image": object{"url": "https://cdn.example.com/amelie.png"},
			},
			want: contact.Contact{
				ID: "7004023529605", Name: "Amélie Roy", Company: "Roy Inc.", Emails: []string{"amelie@example.com"}, Phones: []string{"+15145550100", "613-555-0101"},
				Address: "150 Elgin Street, K2P 1L4 Ottawa, Ontario, Canada", URL: "https://admin.shopify.com/store/acme/customers/7004023529605", Country: "CA",
			},
			least: vendors.Fields{"defaultEmailAddress": object{"emailAddress": "only@example.com"}}, name: "only@example.com",
		},
	})
	return all
}

// credentialsOf returns the configuration of a tenant as a user writes it: without what the suite changes in the preset.
func credentialsOf(v tenant) string {
	var kept []string
	for line := range strings.Lines(strings.ReplaceAll(v.text, "WRONG", "")) {
		if !strings.Contains(line, "{") && !strings.HasPrefix(line, "link:") && !strings.HasPrefix(line, "id:") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestVendorsMapTheirOwnFields(t *testing.T) {
	all := specimens()
	for _, v := range ofVendors() {
		t.Run(v.kind, func(t *testing.T) {
			want, ok := all[v.kind]
			if !ok {
				t.Fatal("there is no record in the vendor's own shape")
			}
			s := newScene(t, v, credentialsOf(v))
			s.store.Put(s.clock.Now(), want.id, want.fields)
			id := s.store.Create(want.least)
			s.clock.Advance(20 * time.Minute)
			s.run(t)
			if diff := cmp.Diff(want.want, s.directory.contacts[want.want.ID], cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			least := s.directory.contacts[id]
			if v.kind == "google" {
				least = s.directory.contacts["people/"+id]
			}
			if least.Name != want.name {
				t.Errorf("a record with the least has the name %q, want %q", least.Name, want.name)
			}
			if len(s.directory.contacts) != 2 {
				t.Errorf("%d contacts", len(s.directory.contacts))
			}
		})
	}
}
