package rest_test

import (
	"crypto/sha1" //nolint:gosec // a name, no secret
	"encoding/hex"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

// suiteNames are what a contact of the suite consists of.
var suiteNames = []string{"name", "title", "company", "email", "email2", "phone", "phone2", "website", "photo", "address", "twitter", "url", "plan"}

// suiteValues are the values of a contact of the suite by their names.
func suiteValues(c contact.Contact) map[string]any {
	return map[string]any{
		"name": c.Name, "title": c.Title, "company": c.Company, "email": part(c.Emails, 0), "email2": part(c.Emails, 1), "phone": part(c.Phones, 0),
		"phone2": part(c.Phones, 1), "website": part(c.Websites, 0), "photo": c.PhotoURL, "address": c.Address, "twitter": c.Twitter, "url": c.URL, "plan": plan(c),
	}
}

// suiteFields writes a contact of the suite in custom fields: each has a name that is made of that of the value.
func suiteFields(c contact.Contact, name func(string) string) vendors.Fields {
	fields := vendors.Fields{}
	for value, text := range suiteValues(c) {
		fields[name(value)] = text
	}
	return fields
}

// suiteMapping is the mapping of custom fields, as the configuration has it: each expression is made of the name of the value.
func suiteMapping(of func(string) string) string {
	at := func(value string) string { return "'" + of(value) + "'" }
	return "link: \"\"\nfields: {name: " + at("name") + ", title: " + at("title") + ", company: " + at("company") + ", emails: [" + at("email") + ", " + at("email2") + "], phones: [" +
		at("phone") + ", " + at("phone2") + "], websites: " + at("website") + ", photo_url: " + at("photo") + ", address: " + at("address") + ", twitter: " + at("twitter") + ", url: " +
		at("url") + ", country: \"\", custom_fields: {Plan: " + at("plan") + "}}\n"
}

// prefixed puts texts around names.
func prefixed(before, after string) func(string) string {
	return func(name string) string { return before + name + after }
}

// hexed makes names as Pipedrive's custom fields have them.
func hexed(before string) func(string) string {
	return func(name string) string {
		sum := sha1.Sum([]byte(name)) //nolint:gosec // a name, no secret
		return before + hex.EncodeToString(sum[:])
	}
}

// fast lets the suite make as many requests as it likes, in small pages.
const fast = "throttle: {requests: 0}\n"

func hubSpot() tenant {
	return tenant{
		kind:    "hubspot",
		text:    "access_token: pat-na1-7WRONG\nchanges: {page: {size: 5}}\nby_id: {page: {size: 3}}\n" + fast + suiteMapping(prefixed("properties.x_", "")),
		numbers: true,
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewHubSpot(now, 7)
			s.SetLimits()
			return s, s.Store
		},
		fields:       func(c contact.Contact) vendors.Fields { return suiteFields(c, prefixed("x_", "")) },
		deletesApart: true,
		deletes:      (*vendors.Store).Delete,
	}
}

func salesforce(kind string) tenant {
	return tenant{
		kind: kind,
		text: "domain: acme\naccess_token: salesforce-acme-token-1WRONG\nchanges: {page: {size: 5}}\nby_id: {page: {size: 3}}\n" + fast + suiteMapping(prefixed("X_", "__c")),
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewSalesforce(now, "acme")
			s.OAuth.Token()
			if kind == "salesforce_leads" {
				return s, s.Leads
			}
			return s, s.Store
		},
		fields:  func(c contact.Contact) vendors.Fields { return suiteFields(c, prefixed("X_", "__c")) },
		deletes: (*vendors.Store).Delete,
	}
}

func zendesk() tenant {
	return tenant{
		kind: "zendesk",
		text: "subdomain: acme\nemail: sync@example.com\napi_token: zendesk-acmeWRONG\nlist: {query: {\"page[size]\": \"5\"}}\nchanges: {query: {per_page: \"5\"}}\n" + fast +
			suiteMapping(prefixed("user_fields.x_", "")),
		numbers: true,
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewZendesk(now, "acme")
			s.SetLimits()
			return s, s.Store
		},
		fields: func(c contact.Contact) vendors.Fields {
			return vendors.Fields{"name": c.Name, "user_fields": map[string]any(suiteFields(c, prefixed("x_", "")))}
		},
		settles: 6 * time.Minute, // an initial run is followed by changes from five minutes before it began
		token:   true,
		deletes: (*vendors.Store).Delete,
	}
}

func pipedrive() tenant {
	return tenant{
		kind:    "pipedrive",
		text:    "company: acme\napi_token: pipedrive-acmeWRONG\nchanges: {page: {size: 5}}\nby_id: {query: {limit: \"3\"}}\n" + fast + suiteMapping(hexed("custom_fields.")),
		numbers: true,
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewPipedrive(now, "acme")
			s.SetLimits()
			return s, s.Store
		},
		fields: func(c contact.Contact) vendors.Fields { return suiteFields(c, hexed("")) },
	}
}

func freshdesk() tenant {
	return tenant{
		kind:    "freshdesk",
		text:    "domain: acme\napi_key: freshdesk-acmeWRONG\nchanges: {page: {size: 5}}\ndeletions: {page: {size: 5}}\n" + fast + suiteMapping(prefixed("custom_fields.cf_", "")),
		numbers: true,
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewFreshdesk(now, "acme")
			s.SetLimits()
			return s, s.Store
		},
		fields: func(c contact.Contact) vendors.Fields {
			return vendors.Fields{"name": c.Name, "custom_fields": map[string]any(suiteFields(c, prefixed("cf_", "")))}
		},
		unordered:    true,
		deletesApart: true,
		deletes:      (*vendors.Store).Delete,
	}
}

// graphNames are properties of a contact in which the suite's values stand.
var graphNames = map[string]string{
	"name": "displayName", "title": "jobTitle", "company": "companyName", "email": "nickName", "email2": "middleName", "phone": "mobilePhone", "phone2": "givenName",
	"website": "businessHomePage", "photo": "changeKey", "address": "personalNotes", "twitter": "surname", "url": "department", "plan": "parentFolderId",
}

func graph() tenant {
	name := func(value string) string { return graphNames[value] }
	small := "headers: {Prefer: odata.maxpagesize=5}"
	return tenant{
		kind: "microsoft_graph",
		text: "access_token: graph-acme-token-1WRONG\nlist: {" + small + ", query: {$select: \"\"}}\nchanges: {" + small + "}\nwhole: {query: {$select: \"\"}}\n" + fast + suiteMapping(name),
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewGraph(now, "acme")
			s.OAuth.Token()
			s.SetLimits()
			return s, s.Store
		},
		fields:  func(c contact.Contact) vendors.Fields { return suiteFields(c, name) },
		token:   true,
		deletes: (*vendors.Store).Delete,
	}
}

// orgNames are properties of an organizational contact in which the suite's values stand.
var orgNames = map[string]string{
	"name": "displayName", "title": "jobTitle", "company": "companyName", "email": "mail", "email2": "mailNickname", "phone": "givenName", "phone2": "surname",
	"website": "department", "photo": "onPremisesLastSyncDateTime", "address": "proxyAddresses.address", "twitter": "proxyAddresses.twitter", "url": "proxyAddresses.url",
	"plan": "proxyAddresses.plan",
}

func orgContacts() tenant {
	small := "headers: {Prefer: odata.maxpagesize=5}"
	return tenant{
		kind: "microsoft_org_contacts",
		text: "access_token: graph-acme-token-1WRONG\nlist: {" + small + ", query: {$select: \"\"}}\nchanges: {" + small + "}\n" + fast + suiteMapping(func(value string) string { return orgNames[value] }),
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewGraph(now, "acme")
			s.OAuth.Token()
			s.SetLimits()
			return s, s.Org
		},
		fields: func(c contact.Contact) vendors.Fields {
			fields, addresses := vendors.Fields{}, map[string]any{}
			for value, text := range suiteValues(c) {
				if below, ok := strings.CutPrefix(orgNames[value], "proxyAddresses."); ok {
					addresses[below] = text
				} else {
					fields[orgNames[value]] = text
				}
			}
			fields["proxyAddresses"] = addresses
			return fields
		},
		token:   true,
		deletes: (*vendors.Store).Delete,
	}
}

func google() tenant {
	return tenant{
		kind: "google",
		text: "access_token: google-1001-token-1WRONG\nlist: {query: {pageSize: \"5\"}}\nchanges: {query: {pageSize: \"5\"}}\nid: 'trimPrefix(resourceName, \"people/\")'\n" + fast +
			suiteMapping(func(value string) string { return "find(userDefined, .key == \"" + value + "\").value" }),
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewGoogle(now, "1001")
			s.OAuth.Token()
			s.SetLimits()
			return s, s.Store
		},
		fields: func(c contact.Contact) vendors.Fields {
			var defined []any
			for name, value := range suiteValues(c) {
				defined = append(defined, map[string]any{"key": name, "value": value})
			}
			return vendors.Fields{"userDefined": defined}
		},
		token:   true,
		deletes: (*vendors.Store).Delete,
	}
}

func dynamics() tenant {
	var names []string
	for _, name := range suiteNames {
		names = append(names, "new_"+name)
	}
	return tenant{
		kind: "dynamics365",
		text: "environment: acme.crm4\naccess_token: dynamics-acme-token-1WRONG\nlist: {headers: {Prefer: \"odata.track-changes,odata.maxpagesize=5\"}, query: {$select: \"contactid,statecode,modifiedon," +
			strings.Join(names, ",") + "\"}}\nchanges: {headers: {Prefer: odata.maxpagesize=5}}\n" + fast + suiteMapping(prefixed("new_", "")),
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewDynamics(now, "acme")
			s.OAuth.Token()
			s.SetLimits()
			return s, s.Store
		},
		fields:  func(c contact.Contact) vendors.Fields { return suiteFields(c, prefixed("new_", "")) },
		token:   true,
		deletes: (*vendors.Store).Delete,
	}
}

func zoho() tenant {
	return tenant{
		kind:    "zoho",
		text:    "data_center: eu\naccess_token: zoho-7001-token-1WRONG\nchanges: {page: {size: 5}}\nby_id: {page: {size: 3}}\ndeletions: {page: {size: 5}}\n" + fast + suiteMapping(prefixed("X_", "")),
		numbers: true,
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewZoho(now, "7001")
			s.OAuth.Token()
			s.SetLimits()
			return s, s.Store
		},
		fields:       func(c contact.Contact) vendors.Fields { return suiteFields(c, prefixed("X_", "")) },
		deletesApart: true,
		deletes:      (*vendors.Store).Delete,
	}
}

func intercom() tenant {
	return tenant{
		kind: "intercom",
		text: "access_token: intercom-acmeWRONG\nlist: {page: {size: 5}}\nchanges: {page: {size: 5}}\n" + fast + suiteMapping(prefixed("custom_attributes.x_", "")),
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewIntercom(now, "acme")
			s.Zone, _ = time.LoadLocation("Pacific/Auckland")
			s.Delay = 0 // TestIntercomFindsNewContactsLate
			s.SetLimits()
			return s, s.Store
		},
		fields: func(c contact.Contact) vendors.Fields {
			return vendors.Fields{"custom_attributes": map[string]any(suiteFields(c, prefixed("x_", "")))}
		},
		flows: true,
	}
}

func serviceNow() tenant {
	return tenant{
		kind: "servicenow",
		text: "instance: acme\ntime_zone: America/Los_Angeles\naccess_token: servicenow-acme-token-1WRONG\nchanges: {page: {size: 5}}\nby_id: {page: {size: 3}}\n" + fast +
			suiteMapping(prefixed("u_", "")),
		numbers: true,
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewServiceNow(now, "acme")
			s.OAuth.Token()
			s.Zone, _ = time.LoadLocation("America/Los_Angeles")
			s.SetLimits()
			return s, s.Store
		},
		fields: func(c contact.Contact) vendors.Fields { return suiteFields(c, prefixed("u_", "")) },
		deletes: func(store *vendors.Store, at time.Time, id string) {
			if r := store.Get(id); r != nil { // deactivated
				fields := maps.Clone(r.Fields)
				fields["active"] = "false"
				store.Put(at, id, fields)
			}
		},
	}
}

// shopifyNames are fields of a customer in which the suite's values stand.
var shopifyNames = map[string]string{
	"name": "displayName", "title": "note", "company": "defaultAddress.company", "email": "defaultEmailAddress.emailAddress", "email2": "firstName", "phone": "defaultPhoneNumber.phoneNumber",
	"phone2": "defaultAddress.phone", "website": "defaultAddress.address2", "photo": "image.url", "address": "defaultAddress.address1", "twitter": "lastName", "url": "locale", "plan": "defaultAddress.city",
}

func shopify() tenant {
	return tenant{
		kind: "shopify",
		text: "shop: acme\naccess_token: shpat_acmeWRONG\nchanges: {page: {size: 5}}\nby_id: {page: {size: 3}}\n" + fast +
			suiteMapping(func(value string) string { return shopifyNames[value] }),
		numbers: true,
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewShopify(now, "acme")
			s.Most = 0
			return s, s.Store
		},
		fields: func(c contact.Contact) vendors.Fields {
			fields := vendors.Fields{}
			for value, text := range suiteValues(c) {
				object, name, deeper := strings.Cut(shopifyNames[value], ".")
				if !deeper {
					fields[object] = text
					continue
				}
				below, ok := fields[object].(map[string]any)
				if !ok {
					below = map[string]any{}
					fields[object] = below
				}
				below[name] = text
			}
			return fields
		},
	}
}

func freshsales() tenant {
	return tenant{
		kind:    "freshsales",
		text:    "bundle: acme\napi_key: freshsales-acmeWRONG\nview: \"402000000001\"\nchanges: {page: {size: 5}}\n" + fast + suiteMapping(prefixed("custom_field.cf_", "")),
		numbers: true,
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewFreshsales(now, "acme")
			s.SetLimits()
			return s, s.Store
		},
		fields: func(c contact.Contact) vendors.Fields {
			return vendors.Fields{"custom_field": map[string]any(suiteFields(c, prefixed("cf_", "")))}
		},
		unordered: true,
	}
}

func closeCRM() tenant {
	return tenant{
		kind: "close",
		text: "api_key: api_acmeWRONG\nchanges: {page: {size: 5}}\nby_id: {page: {size: 3}}\n" + fast + suiteMapping(prefixed("custom.cf_", "")),
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewClose(now, "acme")
			s.SetLimits()
			return s, s.Store
		},
		fields:       func(c contact.Contact) vendors.Fields { return suiteFields(c, prefixed("custom.cf_", "")) },
		deletesApart: true,
		deletes:      (*vendors.Store).Delete,
	}
}

// ofVendors are the tenants of the presets for vendors, by their kinds.
func ofVendors() []tenant {
	return append([]tenant{
		hubSpot(), salesforce("salesforce"), salesforce("salesforce_leads"), zendesk(), pipedrive(), freshdesk(), graph(), orgContacts(), google(), dynamics(), zoho(),
		closeCRM(), freshsales(), intercom(), serviceNow(), shopify(),
	}, crmTenants()...)
}

func TestVendors(t *testing.T) {
	for _, v := range ofVendors() {
		t.Run(v.kind, func(t *testing.T) {
			t.Parallel()
			sourcetest.Run(t, v.target())
		})
	}
}
