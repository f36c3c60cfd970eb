package rest

import (
	"strings"
	"testing"

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
