package kinds_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/kinds"
)

// good and bad are one configuration each of every kind.
var configurations = map[string]struct{ good, bad string }{
	"postgres": {
		good: `{dsn: "postgres://reader@127.0.0.1:5432/crm", table: customers, id: id, updated: updated_at, fields: {name: name, emails: [email, email2]}}`,
		bad:  `{dsn: "postgres://reader@127.0.0.1:5432/crm", tabel: customers, id: id}`,
	},
	"mysql": {
		good: `{dsn: "mysql://reader@127.0.0.1:3306/crm?tls=true", table: customers, id: id, updated: updated_at, fields: {phones: [phone, mobile]}}`,
		bad:  `{dsn: "mysql://reader@127.0.0.1:3306/crm", table: customers, id: id, deletd: gone}`,
	},
	"sqlite": {
		good: `{path: crm.db, table: customers, id: id, fields: {name: name, phones: phone, custom_fields: {Plan: plan}}}`,
		bad:  `{path: crm.db, table: customers, id: id, fields: {names: name}}`,
	},
	"csv": {
		good: `{path: "{{auth.tenant}}.csv", id: id, updated: changed, delimiter: ";", encoding: windows-1252, time_zone: Europe/Berlin}`,
		bad:  `{path: contacts.csv, id: id, separator: ";"}`,
	},
	"vcard": {
		good: `{path: "cards/**/*.vcf", id: uid, updated: rev, fields: {name: fn, phones: tel, custom_fields: {No: x-customer-no}}}`,
		bad:  `{path: contacts.vcf, encoding: utf-8}`,
	},
	"jsonl": {
		good: `{path: "{{auth.tenant}}.jsonl", id: id, updated: changed, fields: {name: name, address: "[address.city]"}}`,
		bad:  `{path: contacts.jsonl, records: data}`,
	},
	"json": {
		good: `{path: exports/, records: data.contacts, id: auto}`,
		bad:  `{path: contacts.json, record: data}`,
	},
	"xlsx": {
		good: `{path: customers.xlsx, sheet: Contacts, id: id, fields: {name: name, phones: [phone, mobile]}}`,
		bad:  `{path: customers.xlsx, sheets: Contacts}`,
	},
	"ldap": {
		good: `{url: "ldaps://{{auth.tenant}}.example.com", bind_dn: "uid={{auth.username}},ou=people,dc=example,dc=com", password: "{{auth.password}}", bases: ["ou=people,dc=example,dc=com"], member_of: ["cn=sales,ou=groups,dc=example,dc=com"], fields: {name: cn}}`,
		bad:  `{url: "ldap://127.0.0.1", bse: "dc=example,dc=com"}`,
	},
	"carddav": {
		good: `{url: "https://dav.example.com/", username: alice, password: secret, books: [Contacts], fields: {name: fn, phones: tel}}`,
		bad:  `{url: "https://dav.example.com/", user: alice}`,
	},
	"rest": {
		good: `{language: 1, url: "https://api.example.com/v2", auth: [{by: bearer, token: "{{auth.token}}"}], verify: {path: /me}, id: id, updated: {path: updated_at}, changes: {path: /people, query: {since: "{{since}}", per_page: "{{limit}}"}, records: data, order: updated, page: {by: keyset, size: 100}}, deletions: {by: none}, fields: {name: name, phones: [phone, mobile]}}`,
		bad:  `{language: 1, url: "https://api.example.com/v2", change: {path: /people}}`,
	},
	"espocrm": {
		good: `{url: "https://crm.example.com", api_key: "{{auth.api_key}}", changes: {page: {size: 100}}, fields: {custom_fields: {Plan: cPlan}}}`,
		bad:  `{url: "https://crm.example.com", api_kee: x}`,
	},
	"dolibarr": {
		good: `{url: "https://erp.example.com", api_key: "{{auth.api_key}}", time_zone: Europe/Paris}`,
		bad:  `{url: "https://erp.example.com", api_key: x, timezone: Europe/Paris}`,
	},
	"odoo": {
		good: `{url: "https://acme.odoo.com", api_key: "{{auth.api_key}}", fields: {phones: [phone, mobile]}}`,
		bad:  `{url: "https://acme.odoo.com", api_key: x, dbase: acme}`,
	},
	"hubspot": {
		good: `{access_token: "{{auth.access_token}}", fields: {custom_fields: {Stage: properties.lifecyclestage}}}`,
		bad:  `{access_tokem: x}`,
	},
	"salesforce": {
		good: `{domain: acme--test.sandbox, client_id: x, client_secret: y, changes: {page: {size: 500}}}`,
		bad:  `{domain: acme, access_tokens: x}`,
	},
	"salesforce_leads": {
		good: `{domain: acme, access_token: "{{auth.access_token}}"}`,
		bad:  `{domain: acme, token: x}`,
	},
	"zendesk": {
		good: `{subdomain: "{{auth.subdomain}}", email: "{{auth.email}}", api_token: "{{auth.api_token}}", fields: {company: user_fields.company}}`,
		bad:  `{subdomain: acme, email: a@example.com, api_tokens: x}`,
	},
	"pipedrive": {
		good: `{company: acme, api_token: x, changes: {page: {size: 100}}}`,
		bad:  `{company: acme, api_key: x}`,
	},
	"freshdesk": {
		good: `{domain: acme, api_key: "{{auth.api_key}}", throttle: {requests: 180}}`,
		bad:  `{domain: acme, api_kee: x}`,
	},
	"microsoft_graph": {
		good: `{directory: acme.onmicrosoft.com, client_id: x, client_secret: y, mailbox: users/jane@example.com, folder: AAMkAD=}`,
		bad:  `{access_token: x, mailboxes: me}`,
	},
	"microsoft_org_contacts": {
		good: `{access_token: "{{auth.access_token}}"}`,
		bad:  `{access_token: x, mailbox: me}`,
	},
	"google": {
		good: `{client_id: x, client_secret: y, refresh_token: "{{auth.refresh_token}}"}`,
		bad:  `{client_id: x, client_secrets: y}`,
	},
	"dynamics365": {
		good: `{environment: acme.crm4, access_token: "{{auth.access_token}}"}`,
		bad:  `{environment: acme.crm4, access_tokens: x}`,
	},
	"zoho": {
		good: `{data_center: com.au, access_token: "{{auth.access_token}}"}`,
		bad:  `{data_center: eu, access_tokens: x}`,
	},
	"close": {
		good: `{api_key: "{{auth.api_key}}", changes: {query: {date_updated__gte: "", date_updated__gt: "{{since|rfc3339_us}}"}, since: {exclusive: true}}}`,
		bad:  `{api_kee: x}`,
	},
	"freshsales": {
		good: `{bundle: acme, api_key: "{{auth.api_key}}", view: "402000000001"}`,
		bad:  `{bundle: acme, api_key: x, views: "1"}`,
	},
	"intercom": {
		good: `{access_token: "{{auth.access_token}}", host: api.eu.intercom.io}`,
		bad:  `{access_token: x, region: eu}`,
	},
	"servicenow": {
		good: `{instance: acme, table: customer_contact, time_zone: Europe/Berlin, user: sync, password: "{{auth.password}}"}`,
		bad:  `{instance: acme, user: sync, pasword: x}`,
	},
	"shopify": {
		good: `{shop: acme, access_token: "{{auth.access_token}}", version: 2026-10, fields: {custom_fields: {Note: note}}}`,
		bad:  `{shop: acme, acces_token: x}`,
	},
	"copper": {
		good: `{api_key: "{{auth.api_key}}", user_email: sync@example.com, throttle: {requests: 90}}`,
		bad:  `{api_key: x, email: sync@example.com}`,
	},
	"kustomer": {
		good: `{org: acme, api_key: "{{auth.api_key}}", throttle: {requests: 90}}`,
		bad:  `{organization: acme, api_key: x}`,
	},
	"suitecrm": {
		good: `{url: "https://crm.example.com", api: Api, client_id: x, client_secret: "{{auth.client_secret}}", fields: {custom_fields: {Plan: attributes.plan_c}}}`,
		bad:  `{url: "https://crm.example.com", client_id: x, client_secrets: y}`,
	},
	"sugarcrm": {
		good: `{url: "https://acme.sugarondemand.com", username: bridge, password: "{{auth.password}}", platform: contactbridge, version: "11_20"}`,
		bad:  `{url: "https://acme.sugarondemand.com", user: bridge, password: x}`,
	},
	"memory": {
		good: `{contacts: [{id: a, name: Jane, phones: ["+1 415 555 0100"], custom_fields: {Plan: gold}}]}`,
		bad:  `{contacts: [{id: a, phone: "1"}]}`,
	},
}

func TestEveryKindIsComplete(t *testing.T) {
	all := kinds.All()
	if len(all) != len(configurations) {
		t.Errorf("%d kinds, %d are tested", len(all), len(configurations))
	}
	for _, k := range all {
		if found, ok := kinds.Named(k.Name); !ok || found.Summary != k.Summary || !strings.HasSuffix(k.Summary, ".") {
			t.Errorf("%s is not found by its name, or its summary is not a sentence", k.Name)
		}
		family := kinds.FamilyOf(k)
		if family.Name != k.Family || k.Family == "" {
			t.Errorf("%s is of the family %q, which is not listed", k.Name, k.Family)
		}
		if page, err := os.ReadFile("../../docs/" + family.Guide); family.Guide != "" && (err != nil || !strings.HasPrefix(string(page), "# "+family.Title+"\n")) {
			t.Errorf("docs/%s is not the page %q: %v", family.Guide, family.Title, err)
		}
		if !strings.Contains(k.Docs, "**Exact") && !strings.Contains(k.Docs, "**Overlap") {
			t.Errorf("%s: the documentation does not say what the kind promises: **Exact** or **Overlap**", k.Name)
		}
		if k.Title == "" || !slices.Contains(source.Icons(), k.Icon) || !strings.HasSuffix(k.Fresh, ".") {
			t.Errorf("%s: a catalogue has title %q, icon %q and fresh %q of it", k.Name, k.Title, k.Icon, k.Fresh)
		}
		if !strings.HasPrefix(k.Example, "kind: "+k.Name+"\n") {
			t.Errorf("%s: the example does not begin with its kind", k.Name)
		}
		_, err := os.Stat("../../examples/bridge-" + k.Name + ".yaml")
		if err != nil && k.Preset == "" { // a preset has a section in docs/vendors.md
			t.Errorf("%s has no file in examples: %v", k.Name, err)
		}
		if v := reflect.ValueOf(k.Config()); v.Kind() != reflect.Pointer || !v.Elem().IsZero() {
			t.Errorf("%s: Config is no pointer to an empty configuration", k.Name)
		}
	}
	if _, ok := kinds.Named("oracle"); ok {
		t.Error("a kind that there is not was found")
	}
}

func TestKindsMakeTheirFactoryFromStrictYAML(t *testing.T) {
	for _, k := range kinds.All() {
		t.Run(k.Name, func(t *testing.T) {
			factory, err := k.New(decoder(configurations[k.Name].good), source.Deps{Folder: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			checker, canBeAsked := factory.(source.SearchChecker)
			if canBeAsked {
				err := checker.CheckSearch()
				canBeAsked = err == nil || failure.Of(err).Field == failure.Of(source.NoPhones()).Field
			}
			if canBeAsked != (k.Asked != "") {
				t.Errorf("it can be asked for a number: %t; it says how: %q", canBeAsked, k.Asked)
			}
			if err := factory.Close(); err != nil {
				t.Error(err)
			}
			_, err = k.New(decoder("\n"+configurations[k.Name].bad), source.Deps{})
			if err == nil || !strings.Contains(err.Error(), "line 2") {
				t.Errorf("an unknown key: %v, want its line", err)
			}
			if _, err = k.New(decoder("{}"), source.Deps{}); err == nil {
				t.Error("an empty configuration was taken")
			}
		})
	}
}

func TestAMissingKeyIsExplained(t *testing.T) {
	for _, k := range kinds.All() {
		for _, f := range strictyaml.Fields(reflect.TypeOf(k.Config())) {
			if f.Required && f.Hint == "" {
				t.Errorf("%s: the key %s is required, and has no tag hint that says what to write", k.Name, f.Key)
			}
		}
	}
}

// contactbridge init writes answers to keys of the configuration, and makes flags of them.
func TestSetupAsksForKeysOfTheConfiguration(t *testing.T) {
	for _, k := range kinds.All() {
		if k.Setup == nil {
			continue
		}
		fields := strictyaml.Fields(reflect.TypeOf(k.Config()))
		asked := map[string]bool{}
		for _, q := range k.Setup.Questions(source.Answers{}) {
			top, _, _ := strings.Cut(q.Key, ".")
			if !slices.ContainsFunc(fields, func(f strictyaml.Field) bool { return f.Key == top }) {
				t.Errorf("%s: %s is no key of the configuration", k.Name, q.Key)
			}
			if q.Title == "" || asked[q.Key] || q.Optional && q.Default != "" || q.Secret && q.Conceal != nil || q.Help != "" && !strings.HasSuffix(q.Help, ".") {
				t.Errorf("%s: the question for %s has no title, is asked twice, is optional and has a default, is secret and conceals a part, or its help is not a sentence", k.Name, q.Key)
			}
			asked[q.Key] = true
		}
		if len(asked) == 0 {
			t.Errorf("%s: nothing is asked", k.Name)
		}
	}
}

// A kind says how its files begin, and every other kind names it to people who gave it such a file.
func TestAFileOfAnotherKindIsNamed(t *testing.T) {
	folder := t.TempDir()
	for _, of := range kinds.All() {
		for _, f := range of.Formats {
			for i, start := range f.Starts {
				name := fmt.Sprintf("%s-%d", of.Name, i)
				if err := os.WriteFile(filepath.Join(folder, name), []byte(start+strings.Repeat("x", 4096)), 0o600); err != nil {
					t.Fatal(err)
				}
				for _, given := range kinds.All() {
					if given.Setup == nil || given.Name == of.Name || !given.Setup.Questions(source.Answers{})[0].File || strings.HasPrefix(given.Name, of.Name) {
						continue
					}
					_, err := given.Setup.Look(t.Context(), source.Answers{"path": name}, source.Deps{Folder: folder})
					hint := failure.Of(err).Hint
					if err == nil || !strings.Contains(err.Error(), f.Name) || !strings.Contains(hint, "kind: "+of.Name) {
						t.Errorf("%q given to %s: %v; %s", start, given.Name, err, hint)
					}
				}
			}
		}
	}
}

func decoder(text string) func(into any) error {
	return func(into any) error { return yaml.Load([]byte(text), into, yaml.WithKnownFields()) }
}

func TestSchemasAgreeWithTheDecoder(t *testing.T) {
	for _, k := range kinds.All() {
		reflector := jsonschema.Reflector{FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true}
		text, err := json.Marshal(reflector.Reflect(k.Config()))
		if err != nil {
			t.Fatal(err)
		}
		document, err := validator.UnmarshalJSON(strings.NewReader(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		c := validator.NewCompiler()
		if err := c.AddResource("schema.json", document); err != nil {
			t.Fatal(err)
		}
		schema, err := c.Compile("schema.json")
		if err != nil {
			t.Fatal(err)
		}
		for text, valid := range map[string]bool{configurations[k.Name].good: true, configurations[k.Name].bad: false, "{}": !strings.Contains(string(text), `"required"`)} {
			var value any
			if err := yaml.Load([]byte(text), &value); err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value); (err == nil) != valid {
				t.Errorf("%s: %s: %v, want valid: %t", k.Name, text, err, valid)
			}
		}
	}
}
