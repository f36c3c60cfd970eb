package source_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

func TestTemplateTakesTheCallersCredentials(t *testing.T) {
	const text = "postgres://{{auth.username}}:{{ auth.password }}@db/crm?application_name={{auth.username}}"
	tmpl, err := source.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"username", "password"}, tmpl.Names()); diff != "" {
		t.Error(diff)
	}
	got, err := tmpl.Expand(bridge.Auth{"username": "jané", "password": "p@ss/{{auth.username}}:%"}, source.EscapeURL)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	if u.User.Username() != "jané" || password != "p@ss/{{auth.username}}:%" || u.Host != "db" {
		t.Errorf("the credentials did not survive: %s", got)
	}
	if tmpl.String() != text {
		t.Errorf("String is %q", tmpl.String())
	}
}

func TestTemplateWithoutCredentialIsUnauthorized(t *testing.T) {
	tmpl, err := source.ParseTemplate("{{auth.tenant}}.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, auth := range []bridge.Auth{nil, {"tenant": ""}, {"Tenant": "x"}} {
		_, err := tmpl.Expand(auth, source.EscapeURL)
		if bridge.CodeOf(err) != bridge.CodeUnauthorized || !strings.Contains(err.Error(), "auth.tenant") {
			t.Errorf("auth %v: %v, want unauthorized and the name", auth, err)
		}
	}
}

func TestTemplateRefusalOfAValueDoesNotShowIt(t *testing.T) {
	tmpl, err := source.ParseTemplate("{{auth.tenant}}")
	if err != nil {
		t.Fatal(err)
	}
	refusal := errors.New("not allowed here")
	_, err = tmpl.Expand(bridge.Auth{"tenant": "secret"}, func(string) (string, error) { return "", refusal })
	if !errors.Is(err, refusal) || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "auth.tenant") {
		t.Errorf("got %v", err)
	}
}

func TestMalformedTemplateIsRefusedWithoutItsText(t *testing.T) {
	for text, place := range map[string]string{
		"ää{{auth.}}secret": "character 3", "{{auth.x": "character 1", "{{secret}}": "character 1",
		"{{auth.a b}}": "character 1", "{{auth.a}}{{}}": "character 11", "{{{auth.a}}}": "character 1", "{{auth.ä}}": "character 1",
	} {
		_, err := source.ParseTemplate(text)
		if err == nil || !strings.Contains(err.Error(), place) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %s and no secret", text, err, place)
		}
	}
	for _, text := range []string{"", "}}", "{ {", "a}}b{"} {
		if got, err := source.ParseTemplate(text); err != nil || got.String() != text {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTemplateIsReadFromYAML(t *testing.T) {
	var cfg struct {
		Path source.Template `yaml:"path"`
	}
	if err := yaml.Load([]byte("path: '{{auth.tenant}}.csv'"), &cfg, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"tenant"}, cfg.Path.Names()); diff != "" {
		t.Error(diff)
	}
	err := yaml.Load([]byte("\npath: '{{tenant}}.csv'"), &cfg, yaml.WithKnownFields())
	if err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v, want the line", err)
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("postgres://{{auth.user}}@db", "x")
	f.Add("{{auth.a}}{{ auth.b }}}}", "{{auth.a}}")
	f.Add("{{", "")
	f.Fuzz(func(t *testing.T, text, value string) {
		tmpl, err := source.ParseTemplate(text)
		if err != nil {
			return
		}
		auth := bridge.Auth{}
		for _, name := range tmpl.Names() {
			auth[name] = value
		}
		got, err := tmpl.Expand(auth, source.EscapeURL)
		if err != nil {
			if value != "" || len(auth) == 0 {
				t.Fatal(err)
			}
			return
		}
		if len(auth) == 0 && got != text {
			t.Fatalf("a text without credentials became %q", got)
		}
		escaped, _ := source.EscapeURL(value)
		if back, err := url.PathUnescape(escaped); err != nil || back != value {
			t.Fatalf("%q came back as %q, %v", value, back, err)
		}
		if len(auth) > 0 && !strings.Contains(got, escaped) {
			t.Fatalf("the value is not in %q", got)
		}
	})
}
