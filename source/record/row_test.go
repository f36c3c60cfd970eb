package record_test

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
	columns := record.UsualColumns(guess, func(name string) string { return "<" + name + ">" })
	columns = append(columns, record.Column{Field: record.FieldCustom, Key: "Plan", From: "upper(plan)"})
	want := []record.Mapped{
		{Field: "id", From: "no || ''"},
		{Field: "name", From: `first, Last "Name`, Auto: true},
		{Field: "phones", From: "phone", Auto: true}, {Field: "phones", From: "Mobile Phone", Auto: true},
		{Field: "country", From: "Land", Auto: true}, {Field: "custom_fields.Plan", From: "upper(plan)"},
	}
	if diff := cmp.Diff(want, record.Mapping("no || ''", columns)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
