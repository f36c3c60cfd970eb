package postgres

import (
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/source"
)

// The example in the kind's description reads a table as an application might have it.
func TestTheKindsExampleIsRead(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id bigint PRIMARY KEY, first_name text, last_name text, email text, email2 text,
		phone text, mobile text, plan text, updated_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz)`,
		`INSERT INTO customers VALUES (1, 'Jane', 'Doe', 'jane@example.com', NULL, '+12125550187', NULL, 'gold')`)
	example := regexp.MustCompile(`(?m)^dsn: .*$`).ReplaceAllString(Kind().Example, "dsn: "+db.DSN)
	example = strings.TrimPrefix(example, "kind: postgres\n")
	factory, err := Kind().New(func(into any) error { return yaml.Load([]byte(example), into, yaml.WithKnownFields()) }, source.Deps{})
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
	n := 0
	for change, err := range src.Read(t.Context(), run, nil, 10) {
		if err != nil || change.Contact.Name != "Jane Doe" || len(change.Contact.Phones) != 1 || len(change.Contact.CustomFields) != 1 {
			t.Errorf("%+v, %v", change.Contact, err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d contacts", n)
	}
}
