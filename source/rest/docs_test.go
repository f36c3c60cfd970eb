package rest_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/source/rest"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

var update = flag.Bool("update", false, "write the generated part of docs/rest.md anew")

func TestReferenceIsCurrent(t *testing.T) {
	const name, mark = "../../docs/rest.md", " -->\n\n"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, found, ok := strings.Cut(string(text), mark)
	if !ok {
		t.Fatal("docs/rest.md has no generated part")
	}
	want := rest.Reference()
	if found == want {
		return
	}
	if !*update {
		t.Fatal("docs/rest.md is not what the language says: go test ./source/rest -run TestReference -update")
	}
	if err := os.WriteFile(name, []byte(before+mark+want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The text of a preset in kind rest does what the preset's kind does.
func TestThePresetsTextInKindRestDoesTheSame(t *testing.T) {
	for _, v := range []tenant{espoCRM(), dolibarr(), odoo()} {
		for _, p := range rest.Presets() {
			if p.Name != v.kind {
				continue
			}
			text := p.Text + "values:\n"
			for line := range strings.SplitSeq(strings.ReplaceAll(v.text, "WRONG", ""), "\n") {
				if key, value, ok := strings.Cut(line, ": "); ok && (key == "url" || key == "api_key" || key == "time_zone") {
					text += "  " + key + ": " + value + "\n"
				}
			}
			v := v
			v.kind, v.text = "rest", text
			service := v.service(t)
			if err := service.Put(service.Now().Add(-1e12), sourcetest.Full(1)); err != nil {
				t.Fatal(err)
			}
			s, err := service.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if changes, _, _, err := readAll(t.Context(), s, ""); err != nil || len(changes) != 1 {
				t.Errorf("%s: %v, %v", p.Name, changes, err)
			}
			_ = s.Close()
		}
	}
}

// TestEveryPresetIsDocumented looks for what a user has to know of a vendor before the first run.
func TestEveryPresetIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/vendors.md")
	if err != nil {
		t.Fatal(err)
	}
	_, durations, found := strings.Cut(string(text), "\n## How long a first run takes\n")
	if !found {
		t.Fatal("docs/vendors.md does not say how long a first run takes")
	}
	for _, p := range rest.Presets() {
		_, section, found := strings.Cut(string(text), `<a id="`+p.Name+`"></a>`)
		if !found {
			t.Errorf("docs/vendors.md has no section for %s", p.Name)
			continue
		}
		if _, after, ok := strings.Cut(section, "\n## "); ok { // its title; another anchor may stand before it
			section, _, _ = strings.Cut(after, "\n## ")
		}
		if !strings.Contains(section, "kind: "+p.Name+"\n") && !strings.Contains(section, "`"+p.Name+"`") {
			t.Errorf("the section of %s has no configuration", p.Name)
		}
		for _, what := range []string{"create", "sent", "fresh", "deleted", "merged", "limits"} {
			title := strings.ToUpper(what[:1]) + what[1:]
			if !strings.Contains(section, "\n| "+what+" |") && !strings.Contains(section, "**"+title+"**") && !strings.Contains(section, "**"+title+":**") {
				t.Errorf("the section of %s does not say: %s", p.Name, what)
			}
		}
		if !strings.Contains(durations, "`"+p.Name+"`") {
			t.Errorf("how long a first run of %s takes is not said", p.Name)
		}
	}
}
