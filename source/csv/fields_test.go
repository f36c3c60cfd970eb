package csv_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

// Every field may be an expression over the columns; a column's name stays one, whatever is in it.
func TestFieldsAreExpressions(t *testing.T) {
	got := readAll(t, "id: '`Customer No`'\nupdated: 'Changed ?? \"2020-01-01\"'\ndeleted: 'Status == \"left\" ? \"yes\" : \"\"'\n"+
		"fields: {name: '`First Name` + \" \" + [Last Name]', phones: [Phone - 1, 'split(Others, \"/\")'], company: 'Company ?? \"private\"', custom_fields: {Plan: 'upper(Plan)'}}",
		"Customer No,First Name,Last Name,Phone - 1,Others,Company,Plan,Status,Changed\n"+
			"7,Ann,Doe,5550100,5550101 / 5550102,,gold,,2024-05-01\n8,Bob,Roe,,,Acme,,left,\n")
	var list []string
	for _, c := range got {
		list = append(list, strings.Join([]string{c.ID, c.Name, c.Company, strings.Join(c.Phones, "+")}, "|"))
	}
	want := []string{"8|Bob Roe|Acme|", "7|Ann Doe|private|5550100+5550101+5550102"}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	if len(got) != 2 || len(got[1].CustomFields) != 1 || got[1].CustomFields[0].Value != "GOLD" {
		t.Errorf("custom fields: %+v", got)
	}
}

// A column's name is that column, whatever else it could mean.
func TestNamesWithQuotesAndQuestionMarksAreColumns(t *testing.T) {
	all := readAll(t, "id: Who are you??\nfields: {name: 'Full \"Name\"', company: 'Size 5\"'}", "Who are you??,\"Full \"\"Name\"\"\",\"Size 5\"\"\"\nx,Anna,large\n")
	if len(all) != 1 || all[0].ID != "x" || all[0].Name != "Anna" || all[0].Company != "large" {
		t.Errorf("read %+v", all)
	}
}

func TestMistakesInExpressionsAreErrorsOfTheConfiguration(t *testing.T) {
	_, err := tryFactory("{path: x.csv, id: id, fields: {name: 'a + \"b', phones: [ok, 'uper(a) ?? b']}}", source.Deps{})
	text := sourcetest.ConfigText(err)
	for _, want := range []string{"fields.name: ", "fields.phones[1]: "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
	var one *source.ConfigError
	if !errors.As(err, &one) || one.Key != "fields.name" {
		t.Errorf("error %#v", one)
	}
}

// D8: a record of which an expression makes nothing is rejected, with its id where that is known, and costs no other one.
func TestARecordThatAnExpressionFailsForIsRejectedD8(t *testing.T) {
	const content = "id,name,phones,updated\n1,Ann,\"[\"\"a\"\",\"\"b\"\"]\",2024-05-01\n2,Bob,x,2024-05-02\n"
	for config, want := range map[string]string{
		"id: id, fields: {name: name, title: 'phones + name'}":                   "1! 2",
		"id: id, updated: updated, fields: {name: name, title: 'phones + name'}": "1! 2",
		"id: 'phones + id', fields: {name: name}":                                "! x2",
		"id: 'phones + id', updated: updated, fields: {name: name}":              "! x2",
		"id: auto, fields: {name: 'phones + name'}":                              "! auto",
	} {
		f := newFixture(t, config, content)
		got, _ := f.run("")
		if config[:8] == "id: auto" && len(got) > 6 {
			got = got[:6]
		}
		if got != want {
			t.Errorf("%s: %q, want %q", config, got, want)
		}
		if log := f.log.String(); !strings.Contains(log, "line 2 cannot be read: ") {
			t.Errorf("%s: the log is %s", config, log)
		}
		failures := 0
		for _, p := range f.inspect().Problems {
			if p.Code == "not_a_contact" && strings.HasPrefix(p.Message, "1 row (line 2) is not a contact by the configuration (") {
				failures++
			}
		}
		if failures != 1 {
			t.Errorf("%s: problems %v", config, f.inspect().Problems)
		}
	}
}
