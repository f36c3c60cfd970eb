package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source/kinds"
)

const examples = "../../examples"

func TestReferenceIsCurrent(t *testing.T) {
	text, err := config.Markdown()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../../docs/configuration.md", string(text))
}

func TestSchemaIsCurrent(t *testing.T) {
	text, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../../schema/bridge.schema.json", string(text))
}

// schema compiles what is generated.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("bridge.schema.json", parsed); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("bridge.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// asJSON returns a YAML file as a schema sees it.
func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var tree any
	if err := yaml.Load(text, &tree); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return files
}

func TestSchemaTakesWhatTheLoaderTakes(t *testing.T) {
	compiled := schema(t)
	for _, file := range append(glob(t, "testdata/good/*.yaml"), glob(t, examples+"/bridge-*.yaml")...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if _, err := config.Parse(file, text, environment()); err != nil {
			t.Errorf("the loader refuses what the schema takes: %v", err)
		}
	}
	for _, text := range []string{
		"endpoints: {a: {auth: none, source: {kind: memory, contacts: [{id: 7, phones: 123}]}, page: {contacts: '${N:-5}', bytes: 512000}}}",
		"endpoints: {a: {auth: none, source: {kind: hubspot, access_token: x, updated: {overlap: 1m}, changes: {query: {a: 1}, body: {limit: 5, x: [1, {y: null}]}, page: {size: 50}}, fields: {custom_fields: {Plan: properties.plan}}}}}",
		"endpoints: {a: {auth: none, sources: {b: {kind: zendesk, subdomain: acme, access_token: x, throttle: {requests: 5}, errors: [{status: [400], then: broken}], deletions: {every: 1h}}}}}",
		"log: {level: '${LEVEL:-debug}'}\nendpoints: {a: {auth: {pin: 0123, yes: true}, source: {kind: csv, path: x.csv, id: 1}}}",
	} {
		if err := compiled.Validate(asJSON(t, []byte(text))); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := config.Parse("f", []byte(text), environment()); err != nil {
			t.Error(err)
		}
	}
}

func TestSchemaRefusesWhatTheLoaderRefuses(t *testing.T) {
	compiled := schema(t)
	good := "endpoints: {a: {auth: none, source: {kind: memory, contacts: [{id: 1}]}}}"
	if err := compiled.Validate(asJSON(t, []byte(good))); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"an unknown key":            strings.Replace(good, "endpoints:", "lisn: x\nendpoints:", 1),
		"an unknown key further in": strings.Replace(good, "auth: none", "auth: none, pgae: {}", 1),
		"a key of another kind":     strings.Replace(good, "contacts:", "table: t, contacts:", 1),
		"no auth":                   strings.Replace(good, "auth: none, ", "", 1),
		"another auth":              strings.Replace(good, "auth: none", "auth: maybe", 1),
		"an empty auth":             strings.Replace(good, "auth: none", "auth: {}", 1),
		"no kind":                   strings.Replace(good, "kind: memory, ", "", 1),
		"another kind":              strings.Replace(good, "kind: memory", "kind: kafka", 1),
		"no endpoints":              "listen: 127.0.0.1:1",
		"a wrong duration":          strings.Replace(good, "auth: none", "auth: none, page: {time: 7}", 1),
		"a wrong size":              strings.Replace(good, "auth: none", "auth: none, page: {bytes: 1 mib}", 1),
		"too many contacts":         strings.Replace(good, "auth: none", "auth: none, page: {contacts: 1000000}", 1),
		"a wrong key of a preset's": strings.Replace(good, "kind: memory, contacts: [{id: 1}]", "kind: hubspot, access_token: x, updated: {overlaps: 1m}", 1),
		"a preset's wrong duration": strings.Replace(good, "kind: memory, contacts: [{id: 1}]", "kind: hubspot, access_token: x, updated: {overlap: soon}", 1),
		"a preset's wrong word":     strings.Replace(good, "kind: memory, contacts: [{id: 1}]", "kind: hubspot, access_token: x, changes: {order: sorted}", 1),
		"another format":            strings.Replace(good, "auth: none", "auth: none, phones: {format: E164}", 1),
	} {
		if compiled.Validate(asJSON(t, []byte(text))) == nil {
			t.Errorf("the schema takes %s", name)
		}
		if _, err := config.Parse("f", []byte(text), environment()); err == nil {
			t.Errorf("the loader takes %s", name)
		}
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	for _, of := range []any{config.Config{}, config.TLS{}, config.Log{}, config.Endpoint{}, config.Page{}, config.Phones{}, config.Registration{}, config.AuthField{}} {
		for _, f := range strictyaml.Fields(reflect.TypeOf(of)) {
			if f.Description == "" {
				t.Errorf("%T.%s has no description", of, f.Key)
			}
		}
	}
	text, err := config.Markdown()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds.All() {
		for _, f := range strictyaml.Fields(reflect.TypeOf(kind.Config())) {
			if !strings.Contains(string(text), "| `"+f.Key+"` |") {
				t.Errorf("%s.%s is not in the reference", kind.Name, f.Key)
			}
		}
	}
}

// every type that a kind is configured with can be decoded: an unknown one shows as a fault of ours.
func TestEveryKindCanBeConfigured(t *testing.T) {
	for _, kind := range kinds.All() {
		var b strings.Builder
		b.WriteString("endpoints:\n  a:\n    auth: none\n    source:\n      kind: " + kind.Name + "\n")
		for _, f := range strictyaml.Fields(reflect.TypeOf(kind.Config())) {
			value := "x"
			switch {
			case f.Type == reflect.TypeFor[time.Duration]():
				value = "1s"
			case f.Type.Kind() == reflect.Bool:
				value = "true"
			case f.Type.Kind() == reflect.Struct && f.Key == "fields":
				value = "{name: x, emails: [x], custom_fields: {A: x}}"
			case f.Key == "contacts":
				value = "[{id: x, emails: [x], custom_fields: {A: x}, deleted: true}]"
			case len(f.Enum) > 0:
				value = f.Enum[0]
			}
			b.WriteString("      " + f.Key + ": " + value + "\n")
		}
		_, err := config.Parse(kind.Name, []byte(b.String()), environment())
		if err != nil && (strings.Contains(err.Error(), "fault of contactbridge") || strings.Contains(err.Error(), "unknown key")) {
			t.Error(err)
		}
	}
}

func TestPhonesBecomeE164(t *testing.T) {
	cases := []struct {
		phones config.Phones
		in     string
		want   string
	}{
		{config.Phones{Region: "US", Format: "e164"}, "(415) 555-2671|+44 20 7946 0018|none|", "+14155552671|+442079460018|none|"},
		{config.Phones{Region: "US", Format: "e164"}, "+14155552671", "+14155552671"},
		{config.Phones{Format: "e164"}, "(415) 555-2671|+44 20 7946 0018", "(415) 555-2671|+442079460018"},
		{config.Phones{Region: "US", Format: "as-is"}, "(415) 555-2671", "(415) 555-2671"},
	}
	for _, c := range cases {
		got := strings.Split(c.in, "|")
		if prepare := c.phones.Prepare(); prepare != nil {
			prepare(contactWith(got))
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%+v: %q becomes %q, want %q", c.phones, c.in, got, c.want)
		}
	}
}

func contactWith(phones []string) *contact.Contact { return &contact.Contact{ID: "1", Phones: phones} }

func BenchmarkPhones(b *testing.B) {
	prepare := config.Phones{Region: "US", Format: "e164"}.Prepare()
	c := contactWith(make([]string, 2))
	b.ReportAllocs()
	for b.Loop() {
		c.Phones[0], c.Phones[1] = "(415) 555-2671", "+14155552671"
		prepare(c)
	}
}
