package record_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/source/record"
)

const fullFields = `
name: first_name || ' ' || last_name
company: company
emails: [email, email2]
phones: phone
websites: []
url: "'https://crm.example.com/customers/' || id"
custom_fields:
  Zone: zone
  Plan: plan
  "Customer since": created_at
  Answer: 42
`

func decode(text string) (record.Fields, error) {
	var f record.Fields
	err := yaml.Load([]byte(text), &f, yaml.WithKnownFields())
	return f, err
}

func TestFieldsAreReadFromYAMLInTheOrderOfTheFile(t *testing.T) {
	got, err := decode(fullFields)
	if err != nil {
		t.Fatal(err)
	}
	want := record.Fields{
		Name:     "first_name || ' ' || last_name",
		Company:  "company",
		Emails:   record.Expressions{"email", "email2"},
		Phones:   record.Expressions{"phone"},
		Websites: record.Expressions{},
		URL:      "'https://crm.example.com/customers/' || id",
		CustomFields: record.CustomFields{
			{Key: "Zone", Expression: "zone"},
			{Key: "Plan", Expression: "plan"},
			{Key: "Customer since", Expression: "created_at"},
			{Key: "Answer", Expression: "42"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Empty() || !(record.Fields{}).Empty() {
		t.Error("Empty is wrong")
	}
}

func TestFieldsWithAliasesAndNulls(t *testing.T) {
	got, err := decode("emails: &all [a, b]\nphones: *all\nwebsites: ~\ncustom_fields:\n")
	if err != nil {
		t.Fatal(err)
	}
	want := record.Fields{Emails: record.Expressions{"a", "b"}, Phones: record.Expressions{"a", "b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWrongFieldsAreRefusedWithTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"name: n\nmail: x":                             "line 2",
		"name: n\nemails: {a: b}":                      "line 2",
		"emails: [a, [b]]":                             "line 1",
		"emails:\n  - a\n  -":                          "line 3",
		"custom_fields: [a]":                           "line 1",
		"custom_fields:\n  A: a\n  B:":                 "line 3",
		"custom_fields:\n  A: a\n  B: b\n  A: c":       "line 4",
		"custom_fields:\n  A: a\n  B: [b]":             "line 3",
		"custom_fields:\n  A: a\n  [b]: b":             "line 3",
		"custom_fields:\n  A: &x a\n  B: b\n  'A': *x": "line 4",
	} {
		_, err := decode(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that names %s", text, err, want)
		}
	}
}

func TestMappedListsTheFieldsInTheOrderOfDocuments(t *testing.T) {
	fields, err := decode(fullFields)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range fields.Mapped() {
		got = append(got, m.Field+"="+m.From)
	}
	want := []string{
		"name=first_name || ' ' || last_name", "company=company", "emails=email", "emails=email2", "phones=phone",
		"url='https://crm.example.com/customers/' || id", "custom_fields.Zone=zone", "custom_fields.Plan=plan",
		"custom_fields.Customer since=created_at", "custom_fields.Answer=42",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The generated schema must take what the decoder takes, and refuse what it refuses.
func TestSchemaAgreesWithTheDecoder(t *testing.T) {
	schema := compile(t, &record.Fields{})
	for text, valid := range map[string]bool{
		`{"name": "n", "emails": "e", "phones": ["p", "q"], "custom_fields": {"Plan": "plan"}}`: true,
		`{}`:                              true,
		`{"mail": "m"}`:                   false,
		`{"emails": {"a": "b"}}`:          false,
		`{"emails": ["a", ["b"]]}`:        false,
		`{"custom_fields": ["a"]}`:        false,
		`{"custom_fields": {"A": ["a"]}}`: false,
	} {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); (err == nil) != valid {
			t.Errorf("schema on %s: %v, want valid: %t", text, err, valid)
		}
		if _, err := decode(text); (err == nil) != valid {
			t.Errorf("decoder on %s: %v, want valid: %t", text, err, valid)
		}
	}
}

func compile(t *testing.T, value any) *validator.Schema {
	t.Helper()
	reflector := jsonschema.Reflector{FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true}
	text, err := json.Marshal(reflector.Reflect(value))
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
	return schema
}
