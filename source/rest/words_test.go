package rest

import (
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/source"
)

func TestFiltersOfColumnsAndPaths(t *testing.T) {
	values := scope{"columns": []string{"id", "properties.email", "properties.phone", "properties.email"}, "mailbox": "users/a b@example.com", "deep": []string{"a.b.c", "f", "a.b.d", "a.e"}}
	for written, want := range map[string]string{
		"{{columns}}":                  "id,properties.email,properties.phone,properties.email",
		"{{columns|below:properties}}": "email,phone",
		"{{columns|top}}":              "id,properties",
		"{{columns|graphql}}":          "id properties { email phone }",
		"a/{{mailbox|path}}/b":         "a/users/a%20b@example.com/b",
		"a/{{mailbox}}/b":              "a/users%2Fa%20b%40example.com/b",
		"{ {{deep|graphql}} }":         "{ a { b { c d } e } f }",
	} {
		text, err := parseText(written)
		if err != nil {
			t.Fatal(err)
		}
		got, err := text.expand(values, source.EscapeURL)
		if !strings.Contains(written, "mailbox") {
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

func TestFiltersOfTimes(t *testing.T) {
	zone := time.FixedZone("", 2*60*60)
	values := scope{"since": moment{time.Date(2026, 3, 1, 12, 0, 5, 123_456_789, time.UTC), zone}}
	for filter, want := range map[string]string{
		"": "2026-03-01T12:00:05Z", "|rfc3339_ms": "2026-03-01T12:00:05.123Z", "|rfc3339_us": "2026-03-01T12:00:05.123456Z", "|iso": "2026-03-01T14:00:05+02:00",
		"|datetime": "2026-03-01 14:00:05", "|date": "2026-03-01", "|unix": "1772366405", "|unix_ms": "1772366405123", "|minus:5s|datetime": "2026-03-01 14:00:00",
	} {
		text, err := parseText("{{since" + filter + "}}")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := text.expand(values, nil); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", filter, got, err, want)
		}
	}
}
