package inside_test

import (
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/inside"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/kinds"
)

func field(t *testing.T, fields []hub.SourceField, path string) hub.SourceField {
	t.Helper()
	for _, f := range fields {
		if f.Path == path {
			return f
		}
	}
	t.Fatal("there is no field", path)
	return hub.SourceField{}
}

// Every kind that people may choose has a form with its questions, and what is filled in stands in the source and in the form again.
func TestEveryOfferHasAForm(t *testing.T) {
	s := inside.New(inside.Options{})
	offers := s.Offers()
	if len(offers) < 15 {
		t.Error(len(offers), "offers")
	}
	for _, o := range offers {
		k, _ := kinds.Named(o.Kind)
		text, values := "source:\n  kind: "+o.Kind+"\n", map[string][]string{"phones.region": {"GB"}, "source.fields.phones": {"a", "", "b"}, "source.fields.custom_fields": {"Plan: plan\nNo: id"}}
		for _, q := range k.Setup.Questions(source.Answers{}) {
			if q.Example != "" {
				values["source."+q.Key] = []string{q.Example}
			}
		}
		filled, _, err := s.Fill(text, values)
		if err != nil {
			t.Errorf("%s: %v", o.Kind, err)
		}
		fields, err := s.Form(filled)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range values {
			got := field(t, fields, path)
			if got.Secret && (got.Value != "" || !got.Set) || !got.Secret && !got.Set && got.Value != strings.ReplaceAll(strings.Join(want, "\n"), "\n\n", "\n") {
				t.Errorf("%s: %s is shown as %+v", o.Kind, path, got)
			}
		}
		if again, moved, err := s.Fill(filled, map[string][]string{"source.fields.phones": {"a", "b", ""}, "page.contacts": {"1000"}}); err != nil || moved || again != filled {
			t.Errorf("%s: what stays changes the source (%t, %v):\n%s\n%s", o.Kind, moved, err, filled, again)
		}
	}
}

// A password is not shown, stays with the rest as it was, and goes with what decides where it is sent.
func TestAFormKeepsCredentials(t *testing.T) {
	s := inside.New(inside.Options{})
	text, moved, err := s.Fill("source: {kind: mysql}", map[string][]string{"source.dsn": {"mysql://jane:p@ss/w#rd@db.example.com/crm"}, "source.table": {"people"}})
	if err != nil || !moved || !strings.Contains(text, "p%40ss%2Fw%23rd") {
		t.Fatal(text, moved, err)
	}
	fields, _ := s.Form(text)
	dsn := field(t, fields, "source.dsn")
	if dsn.Value != "mysql://jane:********@db.example.com/crm" || !dsn.Set {
		t.Errorf("%+v", dsn)
	}
	if same, moved, err := s.Fill(text, map[string][]string{"source.dsn": {dsn.Value}, "source.id": {"id"}}); err != nil || moved || !strings.Contains(same, "p%40ss%2Fw%23rd") {
		t.Error(same, moved, err)
	}
	if other, _, err := s.Fill(text, map[string][]string{"source.dsn": {"mysql://jane:********@evil.example/crm"}}); err == nil || strings.Contains(other, "evil") {
		t.Error(other, err)
	}
	for _, secret := range []string{"${HOME}", "mysql://jane:${SECRET}@db/crm"} {
		if with, _, err := s.Fill(text, map[string][]string{"source.dsn": {secret}}); err == nil || strings.Contains(with, "${") {
			t.Error("a reference is taken:", with)
		}
	}
	for _, dsn := range []string{"postgres://jane:p4ss@db.example.com/crm?sslpassword=p4ss", "postgres://jane@db.example.com/crm?password=p4ss", "host=db.example.com user=jane password=p4ss sslpassword=p4ss"} {
		fields, err := s.Form("source: {kind: postgres, dsn: '" + dsn + "'}")
		if shown := field(t, fields, "source.dsn"); err != nil || strings.Contains(shown.Value, "p4ss") || shown.Value != strings.ReplaceAll(dsn, "p4ss", "********") || !shown.Set {
			t.Errorf("%s is shown as %+v, %v", dsn, shown, err)
		}
	}
	// What a form has no place for may hold a credential, too.
	bare, lost, err := s.WithoutCredentials("source: {kind: hubspot, access_token: t0ken, headers: {X-Key: k3y}, fields: {name: n}}")
	if err != nil || strings.Contains(bare, "t0ken") || strings.Contains(bare, "k3y") || !strings.Contains(bare, "name: n") || len(lost) != 1 {
		t.Error(bare, lost, err)
	}
	if _, moved, _ := s.Fill(bare, map[string][]string{"source.fields.name": {"m"}}); moved {
		t.Error("another mapping moves the credentials")
	}
}
