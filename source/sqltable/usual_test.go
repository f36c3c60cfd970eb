package sqltable

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/source/record"
)

// People are shown the columns that were found, as they are spelled, and not the expression that was made up for them.
func TestMappingNamesTheColumnsThatWereFound(t *testing.T) {
	guess := record.Guess{Country: "Land", Fields: []record.Guessed{
		{Field: record.FieldName, Columns: []string{"first", `Last "Name`}, Join: " "}, {Field: record.FieldPhones, Columns: []string{"phone", "Mobile Phone"}},
	}}
	columns := usualColumns(guess, &Dialect{})
	columns = append(columns, record.Column{Field: record.FieldCustom, Key: "Plan", From: "upper(plan)"})
	want := []record.Mapped{
		{Field: "id", From: "no || ''"},
		{Field: "name", From: `first, Last "Name`, Auto: true},
		{Field: "phones", From: "phone", Auto: true},
		{Field: "phones", From: "Mobile Phone", Auto: true},
		{Field: "country", From: "Land", Auto: true},
		{Field: "custom_fields.Plan", From: "upper(plan)"},
	}
	if diff := cmp.Diff(want, record.Mapping("no || ''", columns)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := columns[0].From, `concat_ws(' ', NULLIF(CAST("first" AS text), ''), NULLIF(CAST("Last ""Name" AS text), ''))`; got != want {
		t.Errorf("joined by %s, want %s", got, want)
	}
}

// Names are read and written with the quotes of the dialect; a quote in a name is doubled.
func TestNamesAreQuotedAsTheDialectSays(t *testing.T) {
	backtick := &Dialect{Quotes: "`\""}
	for _, c := range []struct {
		dialect    *Dialect
		name, want string
	}{
		{&Dialect{}, `customers`, `"customers"`},
		{&Dialect{}, `"My.Schema"."Table ""Name"" 表"`, `"My.Schema"."Table ""Name"" 表"`},
		{&Dialect{}, "crm.`x`", "\"crm\".\"`x`\""},
		{backtick, `crm.customers`, "`crm`.`customers`"},
		{backtick, "`My.Schema`.\"a`b\"", "`My.Schema`.`a``b`"},
		{&Dialect{}, `a.`, ""},
		{&Dialect{}, `"a`, ""},
		{backtick, "`a", ""},
		{&Dialect{}, "", ""},
		{&Dialect{}, "a\x00", ""},
	} {
		got, err := c.dialect.QuoteName(c.name)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s is quoted as %s (%v), want %s", c.name, got, err, c.want)
		}
	}
}
