package record_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/source/record"
)

func TestUsualNames(t *testing.T) {
	tests := []struct {
		name    string
		columns string // separated by |
		want    []string
		hints   string // id, updated, deleted
	}{
		{
			name:    "a CRM's table",
			columns: "id|first_name|last_name|company|job_title|email|email2|phone|mobile|fax|website|twitter|avatar|updated_at|deleted_at",
			want: []string{
				`name=first_name+last_name by " "`, "title=job_title", "company=company", "emails=email+email2",
				"phones=phone+mobile", "websites=website", "photo_url=avatar", "twitter=twitter",
			},
			hints: "id updated_at deleted_at",
		},
		{
			name: "Chinook's customers",
			columns: "CustomerId|FirstName|LastName|Company|Address|City|State|Country|PostalCode|Phone|Fax|Email|" +
				"SupportRepId",
			want: []string{
				`name=FirstName+LastName by " "`, "company=Company", "emails=Email", "phones=Phone",
				`address=Address+PostalCode+City+State+Country by ", "`,
			},
			hints: "CustomerId  ",
		},
		{
			name:    "an Outlook export",
			columns: "First Name|Middle Name|Last Name|Job Title|Business Fax|Business Phone|Home Phone|Mobile Phone|E-mail Address|E-mail 2 Address|Web Page",
			want: []string{
				`name=First Name+Middle Name+Last Name by " "`, "title=Job Title", "emails=E-mail Address+E-mail 2 Address",
				"phones=Business Phone+Home Phone+Mobile Phone", "websites=Web Page",
			},
			hints: "  ",
		},
		{
			name:    "a German list",
			columns: "Kundennr|Name|Vorname|Firma|Straße|PLZ|Ort|Land|Telefon privat|Handy|Telefax|E-Mail|geändert am",
			want: []string{
				`name=Vorname+Name by " "`, "company=Firma", "emails=E-Mail", "phones=Telefon privat+Handy",
				`address=Straße+PLZ+Ort+Land by ", "`,
			},
			hints: "Kundennr geändert am ",
		},
		{
			name:    "a full name wins over its parts",
			columns: "uuid|full_name|first_name|last_name|organisation|tel|work_email|homepage",
			want:    []string{"name=full_name", "company=organisation", "emails=work_email", "phones=tel", "websites=homepage"},
			hints:   "uuid  ",
		},
		{
			name:    "half a name is better than none, half an address is none",
			columns: "surname|country|state",
			want:    []string{"name=surname"},
			hints:   "  ",
		},
		{
			name:    "what only looks like it",
			columns: "email_verified|phone_type|fax|home_fax|mailing_list|emailed_at|telegram|username|filename|companyid|phoneme",
			hints:   "  ",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := record.Usual(strings.Split(test.columns, "|"))
			var got []string
			for _, f := range g.Fields {
				line := f.Field + "=" + strings.Join(f.Columns, "+")
				if f.Join != "" {
					line += fmt.Sprintf(" by %q", f.Join)
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if hints := g.ID + " " + g.Updated + " " + g.Deleted; hints != test.hints {
				t.Errorf("hints %q, want %q", hints, test.hints)
			}
		})
	}
}

func TestUsualNamesOfNothing(t *testing.T) {
	if g := record.Usual(nil); len(g.Fields) != 0 || g.ID != "" {
		t.Errorf("got %+v", g)
	}
	if g := record.Usual([]string{"", "  ", "__"}); len(g.Fields) != 0 || g.ID != "" {
		t.Errorf("got %+v", g)
	}
}

// The numbers of customers, contacts and members have usual names in every language.
func TestUsualNamesOfIDs(t *testing.T) {
	for name := range strings.SplitSeq("Customer No.|Customer Number|customer_code|Client No|Member number|Kundennummer|Kunden-Nr.|Kunden-ID|Debitorennr.|Mitgliedsnummer|Adressnummer|"+
		"N° client|Nº client|№ client|N° de client|Numéro client|Numéro de client|Code client|Réf. client|Nº cliente|Nº de cliente|Número de cliente|Código de cliente|ID cliente|"+
		"N. cliente|Numero cliente|Codice cliente|Cod. cliente|Número do cliente|Nº do cliente|Código do cliente|Klantnr|Klantnr.|Klantnummer|Klantcode|Relatienummer|Debiteurnummer|Lidnummer", "|") {
		if guess := record.Usual([]string{"name", name, "phone"}); guess.ID != name {
			t.Errorf("%q is not known as an id", name)
		}
	}
	for name := range strings.SplitSeq("Contact No.|Client|Cliente|Order number|Kontaktnummer|Numéro", "|") {
		if guess := record.Usual([]string{name}); guess.ID != "" {
			t.Errorf("%q is taken for an id", name)
		}
	}
}
