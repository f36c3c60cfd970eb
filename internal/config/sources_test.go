package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
)

const twoSources = `
endpoints:
  crm:
    auth: none
    sources:
      partners: {kind: memory, contacts: [{id: a, name: Partner}, {id: b, name: Other}]}
      customers:
        prefix: ""
        kind: memory
        contacts: [{id: a, name: Customer}]
      archive: {kind: memory, prefix: old/, contacts: [{id: a, name: Old}]}
`

func TestSourcesAreReadInTheOrderOfTheFileWithTheirPrefixes(t *testing.T) {
	cfg, err := config.Parse("bridge.yaml", []byte(twoSources), strictyaml.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	e := cfg.Endpoints["crm"]
	if e.Kind.Name != "sources" || e.Title != "partners (memory), then customers (memory), then archive (memory)" {
		t.Errorf("the endpoint is said to read %q, %q", e.Kind.Name, e.Title)
	}
	factory, err := e.New(source.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer factory.Close()
	src, err := factory.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	run, err := src.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for change, err := range src.Read(t.Context(), run, nil, 0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Clone(change.Contact.ID)+" "+change.Contact.Name)
	}
	if want := []string{"partners:a Partner", "partners:b Other", "a Customer", "old/a Old"}; !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

// A source keeps what its checkpoints belong to where its place in the file changes, and nothing else does (D10).
func TestDigestOfSources(t *testing.T) {
	digest := func(text string) string { return digestOf(t, text, nil) }
	lines := strings.SplitAfter(twoSources, "\n")
	reordered := strings.Join(slices.Concat(lines[:5], lines[10:11], lines[6:10], lines[5:6]), "")
	before := digest(twoSources)
	if digest(reordered) != before {
		t.Error("another order is another source")
	}
	for what, text := range map[string]string{
		"a source less":  strings.Join(slices.Delete(slices.Clone(lines), 5, 6), ""),
		"another name":   strings.Replace(twoSources, "partners", "friends", 1),
		"another prefix": strings.Replace(twoSources, "old/", "new/", 1),
	} {
		if digest(text) == before {
			t.Errorf("%s is the same source", what)
		}
	}
}
