package jsonl

import (
	"fmt"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/filetest"
	"github.com/contactbridge/contactbridge/source/record"
)

// forms are records whose keys hold a text, a list, an object or nothing.
const forms = `{"id":1,"name":"Jane Doe","company":"Acme","phones":["+447700900001"]}
{"id":2,"name":{"first":"Bob","last":"Roe"},"company":{},"phones":{"home":"+447700900002","work":447700900003}}
{"id":3,"name":{"first":"Eve","last":"Poe"},"company":{"name":"Example","vat":"7"},"phones":"+447700900004"}
{"id":4,"name":null,"company":[],"phones":[]}
`

// serve reads a file with a configuration of fields. It returns the contacts, one a line, and the columns that are not used.
func serve(t *testing.T, content string, fields record.Fields) (contacts, unused string) {
	t.Helper()
	src := filetest.Serve(t, "a.jsonl", content, func(folder string) (source.Factory, error) {
		template, err := source.ParseTemplate("a.jsonl")
		if err != nil {
			return nil, err
		}
		return New(Config{Config: file.Config{Path: template, ID: "id", Fields: fields}}, source.Deps{Folder: folder})
	}, func(c *bridge.Change) {
		contacts += fmt.Sprintf("%s|%s|%s|%s\n", c.Contact.ID, c.Contact.Name, c.Contact.Company, strings.Join(c.Contact.Phones, " "))
	})
	found, err := src.(source.Inspector).Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return contacts, strings.Join(found.Unused, " ")
}

func TestOneKeyIsOneColumnWhateverItHolds(t *testing.T) {
	for _, phones := range []record.Expressions{{"phones"}, {"`phones`"}, {`phones ?? "none"`}} {
		contacts, unused := serve(t, forms, record.Fields{Name: "`name.first` ?? name", Company: "`company.name` ?? company", Phones: phones})
		lines := strings.Split(contacts, "\n")
		if len(lines) != 5 || !strings.HasPrefix(lines[0], "1|Jane Doe|Acme|") || !strings.HasPrefix(lines[1], "2|Bob||") ||
			!strings.HasPrefix(lines[2], "3|Eve|Example|") || !strings.HasPrefix(lines[3], "4|||") {
			t.Errorf("%s: contacts\n%s", phones[0], contacts)
		}
		for i, number := range []string{"+447700900001", "447700900003", "+447700900004"} {
			if !strings.Contains(lines[i], number) {
				t.Errorf("%s: %s lacks %s", phones[0], lines[i], number)
			}
		}
		if unused != "" {
			t.Errorf("%s: not used are %s", phones[0], unused)
		}
	}
	contacts, unused := serve(t, forms, record.Fields{Name: "name.first", Phones: record.Expressions{"phones.home"}})
	if want := "1|||\n2|Bob||+447700900002\n3|Eve||\n4|||\n"; contacts != want || unused != "name company phones name.last phones.work company.name company.vat" {
		t.Errorf("contacts\n%s, not used are %s", contacts, unused)
	}
	flat := `{"id":1,"address.city":"Rome"}` + "\n" + `{"id":2,"address":{"city":"Oslo"}}` + "\n"
	if contacts, _ := serve(t, flat, record.Fields{Company: "address.city"}); contacts != "1||Rome|\n2||Oslo|\n" {
		t.Errorf("a key with a dot and one within an object: contacts\n%s", contacts)
	}
}

func TestUsualKeysThatHoldObjectsInSomeRecords(t *testing.T) {
	contacts, unused := serve(t, forms, record.Fields{})
	want := "1|Jane Doe|Acme|[\"+447700900001\"]\n2|Bob Roe||+447700900002 447700900003\n3|Eve Poe|Example|+447700900004\n4||||[]\n"
	if contacts != strings.Replace(want, "||||", "|||", 1) || unused != "company.vat" {
		t.Errorf("contacts\n%s, not used are %s", contacts, unused)
	}
}
