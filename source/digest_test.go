package source_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// D10: no kind takes the checkpoints of another, and no preset those of another preset.
func TestSettingsBelongToKindAndPreset(t *testing.T) {
	type config struct {
		Preset string `yaml:"preset"`
		Table  string `yaml:"table"`
	}
	seen := map[string]string{}
	for _, kind := range []string{"rest", "ldap"} {
		for _, preset := range []string{"", "hubspot", "zoho"} {
			digest := source.SettingsOf(kind, 1, config{Preset: preset, Table: "contacts"}).Digest()
			if other, taken := seen[digest]; taken {
				t.Errorf("%s with preset %q has the digest of %s", kind, preset, other)
			}
			seen[digest] = kind + " with preset " + preset
		}
	}
}

// D10: what is not set is left out, so that a key that is added later changes no existing digest.
func TestSettingsHoldWhatIsSet(t *testing.T) {
	type nested struct {
		Size float64           `yaml:"size"`
		Tags map[string]string `yaml:"tags"`
	}
	type config struct {
		Secret  string          `yaml:"secret" digest:"-"`
		URL     source.Template `yaml:"url"`
		Overlap time.Duration   `yaml:"overlap"`
		On      bool            `yaml:"on"`
		Off     bool            `yaml:"off"`
		Page    uint8           `yaml:"page"`
		Nested  *nested         `yaml:"nested"`
		None    *nested         `yaml:"none"`
		Kept    string          `yaml:"-"`
		hidden  string
		Fields  record.Fields `yaml:"fields"`
	}
	url, err := source.ParseTemplate("https://{{auth.account}}.example.com")
	if err != nil {
		t.Fatal(err)
	}
	got := source.SettingsOf("test", 3, config{
		Secret: "s3cret", URL: url, Overlap: time.Minute, On: true, Page: 7, Kept: "x", hidden: "x",
		Nested: &nested{Size: 1.5, Tags: map[string]string{"a": "b"}},
		Fields: record.Fields{
			Name: "n", Phones: record.Expressions{"p", "q"},
			CustomFields: record.CustomFields{{Key: "Plan.x", Expression: "e"}, {Key: "Plan", Expression: "f"}},
		},
	})
	want := source.Settings{
		"kind": "test", "revision": "3", "set.url": "https://{{auth.account}}.example.com", "set.overlap": "60000000000",
		"set.on": "true", "set.page": "7", "set.nested.size": "1.5", "set.nested.tags.a": "b",
		"set.fields.name": "n", "set.fields.phones.0": "p", "set.fields.phones.1": "q",
		`set.fields.custom_fields."Plan.x".key`: "Plan.x", `set.fields.custom_fields."Plan.x".expression`: "e",
		`set.fields.custom_fields."Plan".key`: "Plan", `set.fields.custom_fields."Plan".expression`: "f",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Digest() == source.SettingsOf("test", 4, config{}).Digest() || got.With(source.Settings{"tenant": ""}).Digest() != got.Digest() {
		t.Error("the digest does not tell what counts")
	}
	if (source.Settings{"a": "b", "c": ""}).Digest() == (source.Settings{"a": "", "c": "b"}).Digest() ||
		(source.Settings{"ab": "c"}).Digest() == (source.Settings{"a": "bc"}).Digest() {
		t.Error("keys and values run into each other")
	}
}
