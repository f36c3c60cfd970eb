package preview_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/internal/preview"
)

func previewOf(t *testing.T, phones, contacts string) *preview.Preview {
	t.Helper()
	return look(t, endpoint(t, "endpoints:\n  crm:\n    auth: none\n    phones: "+phones+"\n    source:\n      kind: memory\n      contacts:\n"+contacts), preview.Options{Limit: 50, Examine: 100})
}

// problemOf returns the message of a problem, or "".
func problemOf(p *preview.Preview, code string) string {
	for _, problem := range p.Problems {
		if problem.Code == code {
			return string(problem.Severity) + ": " + problem.Message
		}
	}
	return ""
}

func TestCellsAreShownAsTheyAreSent(t *testing.T) {
	p := previewOf(t, "{region: GB}", `
        - {id: 1, name: A, phones: "07911123468;02079460111", emails: "a@x.example ::: b@x.example", websites: "www.a.example; https://b.example/x,y"}
        - {id: 2, name: B, phones: '[{"type":"work","value":"07911123468"},{"number":"12345"}]', emails: '["a@x.example",{"value":"b@x.example"}]'}
        - {id: 3, name: C, phones: [447911123457.0, 4.4791112346E+11]}
        - {id: 4, name: D, phones: "(212) 555-0123", country: USA}
        - {id: 5, name: E, phones: "030 26550280", country: Deutschland}
`)
	if said := problemOf(p, "bad_email"); said != "" {
		t.Errorf("of addresses in one cell: %s", said)
	}
	want := []string{
		"[+447911123468 +442079460111] [a@x.example b@x.example] [www.a.example https://b.example/x,y]",
		"[+447911123468 12345] [a@x.example b@x.example] []",
		"[+447911123457 +447911123460] [] []",
		"[+12125550123] [] []",
		"[+493026550280] [] []",
	}
	for i, c := range p.Contacts {
		if got := fmt.Sprint(c.Phones, c.Emails, c.Websites); got != want[i] {
			t.Errorf("contact %s: %s, want %s", c.ID, got, want[i])
		}
	}
}

func TestNumbersThatStayAsTheyAreAreMadeReadableWhereTheCountryDiffers(t *testing.T) {
	p := previewOf(t, "{region: GB, format: as-is}", `
        - {id: 1, name: A, phones: "07911 123468 / 020 7946 0111", country: UK}
        - {id: 2, name: B, phones: "07911 123468"}
        - {id: 3, name: C, phones: "030 26550280", country: DEU}
        - {id: 4, name: D, phones: "030 26550280", country: Atlantis}
        - {id: 5, name: E, phones: "447911123800.0"}
`)
	want := []string{"[07911 123468 020 7946 0111]", "[07911 123468]", "[+493026550280]", "[030 26550280]", "[447911123800]"}
	for i, c := range p.Contacts {
		if got := fmt.Sprint(c.Phones); got != want[i] {
			t.Errorf("contact %s: %s, want %s", c.ID, got, want[i])
		}
	}
	if got := problemOf(p, "unknown_country"); !strings.Contains(got, `"Atlantis" (id 4)`) || !strings.HasPrefix(got, "warning: 1 of 5") {
		t.Errorf("unknown country: %q", got)
	}
}

func TestWhatIsNotSentIsReported(t *testing.T) {
	p := previewOf(t, "{region: US}", `
        - {id: 1, name: A, phones: "(415) 555-2671 ext. 12; ask Jane"}
        - {id: 2, name: B, phones: "1-800-FLOWERS or 415 555 2671 (mobile)"}
        - {id: 3, name: C, phones: "Tel. 415 555 2671"}
        - {id: 4, name: D, phones: ["4.91511E+12", "0000000000", "123456789"]}
        - {id: 5, name: E, phones: "415 555 2671 Rezeption"}
`)
	got := problemOf(p, "not_sent")
	for _, said := range []string{`"ext. 12" (id 1)`, `"ask Jane" (id 1)`, `"Rezeption" (id 5)`} {
		if !strings.Contains(got, said) {
			t.Errorf("%q does not say %s", got, said)
		}
	}
	if !strings.HasPrefix(got, "note: 3 phone cells") {
		t.Errorf("%q", got)
	}
	if got := problemOf(p, "rounded_phone"); !strings.HasPrefix(got, "warning: 1 phone number has lost digits") || !strings.Contains(got, "4.91511E+12") {
		t.Errorf("rounded: %q", got)
	}
	if got := problemOf(p, "placeholder_phone"); !strings.HasPrefix(got, "note: 2 phone numbers") {
		t.Errorf("placeholders: %q", got)
	}
}

func TestNumbersOfAnotherCountryAreWarnedOf(t *testing.T) {
	for _, c := range []struct{ region, contacts, want string }{
		{"DE", "        - {id: 1, name: A, phones: (212) 555-0002}\n        - {id: 2, name: B, phones: 030 26550280}\n", "1 of 2 national phone numbers looks like a number of US, but is read as one of DE"},
		{"US", "        - {id: 1, name: A, phones: 07911 123456}\n        - {id: 2, name: B, phones: 020 7946 0111}\n        - {id: 3, name: B, phones: 0121 496 0123}\n", "of GB"},
		{"US", "        - {id: 1, name: A, phones: (212) 555-0002}\n        - {id: 2, name: B, phones: 415-555-2671}\n", ""},
		{"GB", "        - {id: 1, name: A, phones: 07911 123456}\n        - {id: 2, name: B, phones: 020 7946 0111}\n", ""},
		{"DE", "        - {id: 1, name: A, phones: 030 26550280}\n        - {id: 2, name: B, phones: 0171 1234567}\n        - {id: 3, name: B, phones: 089/1234567}\n", ""},
		{"DE", "        - {id: 1, name: A, phones: (212) 555-0002, country: US}\n", ""},
		{"DE", "        - {id: 1, name: A, phones: +1 212 555 0002}\n", ""},
		{"IT", "        - {id: 1, name: A, phones: [333 1834568, 347 1234567, 347 7654321, 339 8765432]}\n", ""},
		{"NL", "        - {id: 1, name: A, phones: [020 6241234, 020 6241235, 020 6241236, 020 6241237, 06 23456789]}\n", ""},
		{"PH", "        - {id: 1, name: A, phones: (917) 555-1234}\n", ""},
		{"IN", "        - {id: 1, name: A, phones: [987-654-3213, 987-654-3214, 987-654-3215]}\n", ""},
		{"RU", "        - {id: 1, name: A, phones: (495) 223-4568}\n", ""},
		{"DE", "        - {id: 1, name: A, phones: [(212) 555-0002, 030 26550280, 089 63648018]}\n", ""},
		{"DE", "        - {id: 1, name: A, phones: [(212) 555-0002, (212) 555-0003, 415-555-2671, 030 26550280, 089 63648018, 0171 2345678, 0171 2345679]}\n", "3 of 7 national phone numbers look like those of US"},
	} {
		got := problemOf(previewOf(t, "{region: "+c.region+"}", c.contacts), "foreign_phones")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s, %s: %q, want %q", c.region, c.contacts, got, c.want)
		}
	}
}

func TestColumnsThatAreNotUsedAreShown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte("id,name,phone,Fax,Kostenstelle\n1,a,+14155552671,x,y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := look(t, endpoint(t, "endpoints: {crm: {auth: none, source: {kind: csv, id: id, path: '"+path+"'}}}"), preview.Options{Limit: 1, Examine: 1})
	if got := strings.Join(p.Unused, ","); got != "Fax,Kostenstelle" {
		t.Errorf("unused: %q", got)
	}
	var out bytes.Buffer
	if err := preview.Print(&out, p, 80, preview.Style{}); err != nil || !strings.Contains(out.String(), "Columns that are not used\n  Fax, Kostenstelle\n") {
		t.Errorf("%v\n%s", err, &out)
	}
}
