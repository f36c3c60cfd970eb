package csv_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
)

// idsOf reads a file as a configuration says and returns the ids in their order.
func idsOf(t *testing.T, config, content string) []string {
	t.Helper()
	var ids []string
	for _, c := range readAll(t, config, content) {
		ids = append(ids, c.ID)
	}
	return ids
}

const google = "First Name,Last Name,E-mail 1 - Value,Phone 1 - Value,Notes,Notes\n" +
	"Jane,Doe,jane@x.example ::: jd@x.example,07911123470 ::: 02079460113,a,b\n" +
	"Bob,Roe,,07911123471,,\n" +
	"Bob,Roe,,07911 123471,,\n" +
	"Bob,Roe,,07911123472,,\n" +
	"bob,ROE,,07911123471,,\n"

func TestIDsAreMadeOfNameAddressAndNumber(t *testing.T) {
	ids := idsOf(t, "id: auto", google)
	if len(ids) != 5 || ids[0] == ids[1] || ids[2] != ids[1]+"-2" || ids[3] == ids[1] || ids[4] != ids[1]+"-3" {
		t.Fatalf("ids %q", ids)
	}
	for _, id := range ids {
		if !strings.HasPrefix(id, "auto-") {
			t.Errorf("%q", id)
		}
	}
	moved := idsOf(t, "id: auto", strings.Replace(google, "Bob,Roe,,07911123472,,\n", "", 1))
	if len(moved) != 4 || moved[0] != ids[0] || moved[1] != ids[1] || moved[3] != ids[4] {
		t.Errorf("another row left: %q, before %q", moved, ids)
	}
	sorted := idsOf(t, "id: auto\nupdated: updated\ntime_zone: UTC", "name,phone,updated\nBob,5550100,2020-01-02\nBob,5550100,2020-01-01\n")
	if len(sorted) != 2 || sorted[0] != sorted[1]+"-2" {
		t.Errorf("sorted by updated: %q", sorted)
	}
	first := idsOf(t, "id: auto", "name,email,phone,phone 2\nBob,b@x.example,5550100,\nBob,[],[],5550100\nBob,\"[\"\"b@x.example\"\"]\",\"[\"\" \"\"]\",5550100\n")
	if len(first) != 3 || first[1] == first[0] || first[2] != first[0]+"-2" {
		t.Errorf("the first cell holds no value: %q", first)
	}
	nothing := idsOf(t, "id: auto\nfields: {name: name}", "name,city\n,Rome\n,Oslo\n")
	if len(nothing) != 2 || nothing[0] == nothing[1] {
		t.Errorf("rows without name, address and number: %q", nothing)
	}
}

func TestIDThatIsLeftOutIsChosenAndSaid(t *testing.T) {
	for _, c := range []struct{ config, content, first, said string }{
		{"", "Record ID,Name,Email\n7,Jane,j@x.example\n", "7", `the column "Record ID"`},
		{"", "Name,Email\nJane,j@x.example\nBob,b@x.example\n", "j@x.example", `the column "Email"`},
		{"", "Name,Email\nJane,j@x.example\nBob,J@x.example\n", "auto-", "auto"},
		{"", "Name,E-mail 1 - Value\nJane,j@x.example ::: jane@x.example\nBob,b@x.example\n", "auto-", "auto"},
		{"", "Name,Email\nJane,j@x.example\nBob,\n", "auto-", "auto"},
		{"", google, "auto-", "auto"},
		{"id: '`auto`'", "auto,Name\n9,Jane\n", "9", ""},
		{"id: auto", "auto,Name\n9,Jane\n", "auto-", ""},
	} {
		found := inspect(t, c.config, c.content)
		said := ""
		for _, p := range found.Problems {
			if p.Code == "id_chosen" {
				said = p.Message
			}
		}
		if ids := idsOf(t, c.config, c.content); !strings.HasPrefix(ids[0], c.first) || (said == "") != (c.said == "") || !strings.Contains(said, c.said) {
			t.Errorf("%s of %q: ids %q, said %q", c.config, c.content, ids, said)
		}
	}
	if _, err := tryFactory("path: x.csv\nupdated: u", source.Deps{}); err == nil || !strings.Contains(err.Error(), "id is missing") {
		t.Errorf("an id that the file may change, with updated: %v", err)
	}
}

func TestUnusedColumnsAreListed(t *testing.T) {
	found := inspect(t, "", google)
	if got := strings.Join(found.Unused, "|"); got != "Notes|Notes" {
		t.Errorf("unused %q", got)
	}
	found = inspect(t, "id: id\nfields: {name: name, phones: tel}", "id,name,tel,fax,,Land\n1,a,2,3,4,5\n")
	if got := strings.Join(found.Unused, "|"); got != "fax|(column 5)|Land" {
		t.Errorf("unused %q", got)
	}
}

func TestColumnsOfOneNameAreReadWhereTheyMayBe(t *testing.T) {
	for _, c := range []struct{ config, content, phones string }{
		{"id: id", "id,name,phone,Notes,Notes\n1,Jane,07911123456,a,b\n", "07911123456"},
		{"id: id", "id,name,phone,phone\n1,Jane,07911123456,07911123457\n", "07911123456|07911123457"},
		{"id: id\nfields: {name: name, phones: phone}", "id,name,phone,name2,name2\n1,Jane,07911123456,,\n", "07911123456"},
	} {
		got := readAll(t, c.config, c.content)
		if len(got) != 1 || strings.Join(got[0].Phones, "|") != c.phones {
			t.Errorf("%q: %+v", c.content, got)
		}
	}
}

func TestExcelsHintsAreUnderstood(t *testing.T) {
	for _, content := range []string{
		"sep=;\nid;name;phone\n1;Jane;\"=\"\"07911123458\"\"\"\n",
		"\"sep=;\"\r\nid;name;phone\r\n1;Jane;=\"07911123458\"\r\n",
		"\xef\xbb\xbfSEP=;\r\nid;name;phone\r\n1;Jane;07911123458\r\n",
		"sep=\t\nid\tname\tphone\n1\tJane\t07911123458\n",
		"\xff\xfes\x00e\x00p\x00=\x00;\x00\n\x00i\x00d\x00;\x00n\x00a\x00m\x00e\x00;\x00t\x00e\x00l\x00\n\x001\x00;\x00J\x00a\x00n\x00e\x00;\x000\x007\x009\x001\x001\x001\x002\x003\x004\x005\x008\x00\n\x00",
	} {
		got := readAll(t, "id: id", content)
		if len(got) != 1 || got[0].Name != "Jane" || strings.Join(got[0].Phones, "|") != "07911123458" {
			t.Errorf("%q: %+v", content, got)
		}
	}
}

func TestAFileOfAnotherFormatIsNamed(t *testing.T) {
	for start, word := range map[string]string{
		"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00": ".xls", "<!doctype html><html>": "HTML", "<?xml version=\"1.0\"?>": "XML", "%PDF-1.7": "PDF", "\x1f\x8b\x08": "gzip", "dn: cn=x\n": "LDIF", "abc\x00\x01\x02def": "text file",
	} {
		err := tryRead(t, "id: id", start)
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q: %v, want %s", start, err, word)
		}
	}
}

// openFile opens a source over a file of some content.
func openFile(t *testing.T, config, content string) bridge.Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	factory := newFactory(t, "path: x.csv\n"+config, source.Deps{Folder: filepath.Dir(path)})
	src, err := factory.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(src.Close(), factory.Close()); err != nil {
			t.Error(err)
		}
	})
	return src
}

func readAll(t *testing.T, config, content string) []contact.Contact {
	t.Helper()
	src := openFile(t, config, content)
	run, err := src.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var list []contact.Contact
	for c, err := range src.Read(t.Context(), run, nil, 0) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c.Contact.Clone())
	}
	// From any place on, the same contacts come.
	for at, n := bridge.Position(nil), 0; n < len(list); n++ {
		for c, err := range src.Read(t.Context(), run, at, 1) {
			if err != nil {
				t.Fatal(err)
			}
			if c.Contact.ID != list[n].ID {
				t.Errorf("contact %d is %q when it is read alone, %q in the whole", n, c.Contact.ID, list[n].ID)
			}
			at = append(bridge.Position(nil), c.Position...)
			break
		}
	}
	return list
}

func inspect(t *testing.T, config, content string) source.Inspection {
	t.Helper()
	found, err := openFile(t, config, content).(source.Inspector).Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// tryRead returns the error of a file that cannot be read.
func tryRead(t *testing.T, config, content string) error {
	t.Helper()
	_, err := openFile(t, config, content).Begin(t.Context(), "")
	return err
}
