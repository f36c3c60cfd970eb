package vcard

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/filetest"
)

func written(lines ...string) string {
	return "BEGIN:VCARD\n" + strings.Join(lines, "\n") + "\nEND:VCARD\n"
}

// plain returns a record's values that are not empty.
func plain(record string) string {
	var list []string
	for value := range strings.SplitSeq(record, "|") {
		if value != "" {
			list = append(list, value)
		}
	}
	return strings.Join(list, "|")
}

func TestRecords(t *testing.T) {
	a, c := written("VERSION:3.0", "UID:a", "FN:Ann"), written("VERSION:3.0", "UID:c", "FN:Cy")
	for _, test := range []struct {
		name, content string
		want          []string
	}{
		{"no card", "", nil},
		{"END is missing", a + "BEGIN:VCARD\nUID:b\nFN:Bob\n" + c, []string{"a|Ann", "fault: unclosed", "c|Cy"}},
		{"END is missing at the end", a + "BEGIN:VCARD\nUID:b", []string{"a|Ann", "fault: unclosed"}},
		{"BEGIN is missing", a + "UID:b\nFN:Bob\nEND:VCARD\n\n" + c, []string{"a|Ann", "fault: outside", "c|Cy"}},
		{"files that were joined", "\xef\xbb\xbf" + a + "\xef\xbb\xbf" + c, []string{"a|Ann", "c|Cy"}},
		{"the end of a DOS text", a + c + "\x1a", []string{"a|Ann", "c|Cy"}},
		{"a group", a + written("KIND:group", "FN:All") + c, []string{"a|Ann", "c|Cy"}},
		{"too long", a + written("FN:"+strings.Repeat("x", 700_000), "NOTE:"+strings.Repeat("x", 700_000)) + c, []string{"a|Ann", "fault: too_long", "c|Cy"}},
		{"a photo of 3 MB in one line", written("UID:p", "PHOTO;ENCODING=b:"+strings.Repeat("x", 3_000_000), "FN:Pat"), []string{"p|Pat"}},
		{"a photo of 3 MB in many lines", written("UID:p", "PHOTO;ENCODING=b:x"+strings.Repeat("\n "+strings.Repeat("x", 74), 40_000), "FN:Pat"), []string{"p|Pat"}},
		{"a photo as a data URI", written("UID:p", "PHOTO:data:image/jpeg;base64,/9j/4AA", "FN:Pat"), []string{"p|Pat"}},
		{"an agent", written("VERSION:2.1", "UID:g", "AGENT:", "BEGIN:VCARD", "FN:Agent", "END:VCARD", "FN:Gus"), []string{"g|Gus"}},
		{"a soft break at the end of a card", written("UID:s", "NOTE;QUOTED-PRINTABLE:abc=", "FN;QUOTED-PRINTABLE:Sue="), []string{"s|abcFN;QUOTED-PRINTABLE:Sue"}},
		{"folded within a character", written("UID:f", "FN:Zo\xc3\n \xa9"), []string{"f|Zoé"}},
		{"folded in version 2.1", written("VERSION:2.1", "UID:f", "FN:Ann\n Lee"), []string{"f|Ann Lee"}},
		{"lower case, spaces", "begin:vcard \nuid:l\nfn:Lee\nend:vcard", []string{"l|Lee"}},
		{"an empty number", written("UID:e", "TEL;TYPE=WORK:+442079460001", "TEL;TYPE=CELL:"), []string{"e|+442079460001"}},
		{"the same number twice", written("UID:e", "TEL:1", "TEL:1"), []string{"e|1"}},
		{"an escaped comma", written("UID:o", `ORG:Example\, Inc.;North`), []string{"o|Example, Inc.|North"}},
		{"no FN", written("UID:n", "N:Example;Ada;B.,C.;Dr.;Jr."), []string{"n|Dr. Ada B. C. Example Jr."}},
		{"tel in upper case", written("UID:t", "TEL;VALUE=uri;TYPE=cell:TEL:+44-7700-(900)002"), []string{"t|+447700900002"}},
		{"a local tel URI", written("UID:t", "TEL:tel:900002;phone-context=+447700"), []string{"t|tel:900002;phone-context=+447700"}},
		{"a quoted colon", written("UID:q", `TEL;LABEL="a:b;c":5550100`), []string{"q|5550100"}},
		{"bytes that are not UTF-8", written("UID:w", "FN:J\xf6rg"), []string{"w|Jörg"}},
		{"a charset", written("UID:w", "FN;CHARSET=KOI8-R:\xe9\xd7\xc1\xce"), []string{"w|Иван"}},
		{"wrong quoted-printable", written("UID:w", "FN;QUOTED-PRINTABLE:100=zz"), []string{"w|100=zz"}},
		{"times", written("UID:r", "REV:20260301T100000Z"), []string{"r|2026-03-01T10:00:00Z"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, records := filetest.Run(t, format{}, []byte(test.content))
			for i := range records {
				records[i] = plain(records[i])
			}
			if strings.Join(records, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("%.300q, want %q", records, test.want)
			}
		})
	}
}

// A line that is not a property is left out, and a note says that the card has one.
func TestLinesThatAreNoPropertiesAreSaid(t *testing.T) {
	content := written("UID:a", "FN:Ann", "NOTE:first", "second line of the note", "TEL:5550100")
	in := file.Input{ReaderAt: strings.NewReader(content), Size: int64(len(content))}
	table, err := format{}.Open(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	records, err := table.Records(in)
	if err != nil {
		t.Fatal(err)
	}
	var rec file.Record
	if err := records.Next(&rec); err != nil || rec.Remark != unreadable || string(rec.Values[columnPhone]) != "5550100" {
		t.Errorf("%v %+v", err, rec)
	}
}

func TestWhatIsNoVCardIsRefused(t *testing.T) {
	for content, want := range map[string]string{
		"%PDF-1.7\n":          "is a PDF document, not vCard",
		"id,name\n1,Ann\n":    "has no card",
		"BEGIN:VCARD\rFN:x\r": "end with CR only",
		"<?xml":               "is an XML document",
	} {
		_, err := format{}.Open(t.Context(), file.Input{ReaderAt: strings.NewReader(content), Size: int64(len(content)), Name: "a"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", content, err, want)
		}
	}
}

// FuzzRecords checks that whatever a file holds, reading it from any card on gives the same cards, and each BEGIN is told of.
func FuzzRecords(f *testing.F) {
	names, err := filepath.Glob("testdata/*.vcf")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Add([]byte("BEGIN:VCARD\nFN:a\nBEGIN:VCARD\nAGENT:\nBEGIN:VCARD\nEND:VCARD"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if _, err := (format{}).Open(t.Context(), file.Input{ReaderAt: bytes.NewReader(content), Size: int64(len(content))}); err != nil {
			return
		}
		filetest.Run(t, format{}, content)
	})
}
