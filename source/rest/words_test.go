package rest

import (
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
)

func TestFiltersOfColumnsAndPaths(t *testing.T) {
	values := scope{"columns": []string{"id", "properties.email", "properties.phone", "properties.email"}, "mailbox": "users/a b@example.com"}
	for written, want := range map[string]string{
		"{{columns}}":                  "id,properties.email,properties.phone,properties.email",
		"{{columns|below:properties}}": "email,phone",
		"{{columns|top}}":              "id,properties",
		"a/{{mailbox|path}}/b":         "a/users/a%20b@example.com/b",
		"a/{{mailbox}}/b":              "a/users%2Fa%20b%40example.com/b",
	} {
		text, err := parseText(written)
		if err != nil {
			t.Fatal(err)
		}
		got, err := text.expand(values, source.EscapeURL)
		if strings.Contains(written, "columns") {
			got, err = text.expand(values, nil)
		}
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", written, got, err, want)
		}
	}
	if _, err := parseText("{{columns|below}}"); err == nil {
		t.Error("below without a path is accepted")
	}
}

func TestFieldsOfTheConnectionStandInTheMapping(t *testing.T) {
	const text = `
language: 1
url: https://api.example.com
connection: [{name: company, title: Company, example: acme}, {name: key, title: Key, secret: true}]
values: {company: acme, key: x}
auth: [{by: none}]
verify: {path: /me}
id: id
changes: {path: /people, records: $, order: none, page: {by: none}}
deletions: {by: none}
fields: {name: name, url: '"https://" + ` + "`connection.%s`" + ` + ".example.com/" + id'}
`
	create := func(field string) (*factory, error) {
		made, err := New(parsed(t, strings.ReplaceAll(text, "%s", field)), source.Deps{}.Defaults())
		if err != nil {
			return nil, err
		}
		return made.(*factory), nil
	}
	f, err := create("company")
	if err != nil {
		t.Fatal(err)
	}
	if columns := f.language.columns(); slices.Contains(columns, "connection.company") {
		t.Errorf("requests ask for %v", columns)
	}
	values, err := f.expand(nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := f.newClient(values)
	if err != nil {
		t.Fatal(err)
	}
	items := c.items([][]byte{[]byte(`{"id": 7, "name": "Doe"}`)}, f.asks("changes"))
	w := &walk{f: f}
	if err := f.mapping.fields.Fill(&w.row, items[0].values); err != nil || w.row.Change.Contact.URL != "https://acme.example.com/7" {
		t.Errorf("url: %q, %v", w.row.Change.Contact.URL, err)
	}
	for _, field := range []string{"key", "other"} {
		if _, err := create(field); err == nil {
			t.Errorf("connection.%s is accepted in fields", field)
		}
	}
}

// parsed reads a configuration of kind rest.
func parsed(t *testing.T, text string) (language Language) {
	t.Helper()
	err := strictyaml.Read("rest.yaml", []byte(text), strictyaml.Environment{}, func(d *strictyaml.Document) []strictyaml.Problem {
		return strictyaml.Found(d.Decode(&language))
	})
	if err != nil {
		t.Fatal(err)
	}
	return language
}
