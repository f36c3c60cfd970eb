package csv

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/filetest"
)

// openTable has a file's dialect found.
func openTable(t *testing.T, content string, wanted ...string) *table {
	t.Helper()
	opened, err := format{}.Open(t.Context(), file.Input{ReaderAt: strings.NewReader(content), Size: int64(len(content)), Name: "x.csv", Wanted: wanted})
	if err != nil {
		t.Fatalf("%.80q: %v", content, err)
	}
	return opened.(*table)
}

func TestCSVIsAFormat(t *testing.T) {
	utf16LE := string(encode16("id;näme\r\n1;\"Zoë\r\nĊਊ\"\r\n2;x\r\n", false))
	for _, content := range []string{
		"id,name\n1,Ann\n", "id,name\n\n1,\"Ann\nDoe\"\n\n2,Bob,x\n3,\"open\nshort\n4,Cid\n5,\"a \"\"b\"\"\"\r\n", utf16LE,
		"sep=;\nid;name\n1;Ann\n", "Report\n\nid,name\n1,Ann\n,,\n2,B\xf6b\n", "'id','name'\n'1','A, B'\n",
	} {
		columns, records := filetest.Run(t, format{}, []byte(content))
		if len(columns) != 2 || len(records) == 0 {
			t.Errorf("%q: columns %q, %d records", content, columns, len(records))
		}
	}
}

// A-C1, F3, sources.md: delimiter, quote and the titles above the header are found, the configured columns first.
func TestDelimiterQuoteAndHeaderAreFound(t *testing.T) {
	for _, test := range []struct {
		name, content, wanted string
		columns               string
		delimiter, quote      byte
		line                  int // of the header
		records               int
	}{
		{"commas in a text", "id;note\n7;one, two, three, four\n8;x\n", "", "id|note", ';', '"', 1, 2},
		{"decimal commas", "name;phone;rate\nAda;07700 900001;1,5\nBob;07700 900002;2,25\n", "", "name|phone|rate", ';', '"', 1, 2},
		{"commas in the header", "Name;Phone, mobile;Phone, office;Company, branch\na;1;2;3\n", "", "Name|Phone, mobile|Phone, office|Company, branch", ';', '"', 1, 1},
		{"tabs", "id\tname, first\n1\tx\n", "", "id|name, first", '\t', '"', 1, 1},
		{"bars", "id|name\n1|x;y;z\n", "", "id#name", '|', '"', 1, 1},
		{"one column", "name\nDoe, Jane\nRoe; Bob\n", "", "name", ',', '"', 1, 2},
		{"single quotes", "'id','name'\n'1','Ann, Doe'\n", "", "id|name", ',', '\'', 1, 1},
		{"single quotes and semicolons", "'id';'full name';'phone'\n'1';'O''Neil; Ann';'5550100'\n", "", "id|full name|phone", ';', '\'', 1, 1},
		{"an apostrophe in front", "'id,name'\n1,Ann\n", "", "'id|name'", ',', '"', 1, 1},
		{"single quotes in values only", "id,name\n1,'Ann'\n", "", "id|name", ',', '"', 1, 1},
		{"a mark before a quoted header (A-C3)", "\xef\xbb\xbf\"Name, full\",phone\n\"Example, Ada\",07700 900001\n", "", "Name, full|phone", ',', '"', 1, 1},
		{"titles", "Kundenliste;;\nStand: 01.05.2024;;\n;;\nKundennr;Name;Telefon\n7;Ann;030 1\n", "", "Kundennr|Name|Telefon", ';', '"', 4, 1},
		{"titles of one cell", "Contacts, exported 2024-05-01\n\nFirst Name\tLast Name\tPhone\nAnn\tDoe\t5550100\n", "", "First Name|Last Name|Phone", '\t', '"', 3, 1},
		{"titles above configured columns", "List A\nNr,Wer,Wo\n1,Ann,Rome\n", "Nr Wer", "Nr|Wer|Wo", ',', '"', 2, 1},
		{"a title with the delimiter of another file", "a;b;c\nNr,Wer\n1,Ann\n", "Nr Wer", "Nr|Wer", ',', '"', 2, 1},
		{"a title that is a configured column", "Nr\nNr,Name,Phone\n1,Ann,030 1\n", "Nr", "Nr|Name|Phone", ',', '"', 2, 1},
		{"a title with a configured column in it", "List of,Nr,Export\nNr,Name,Phone\n1,Ann,030 1\n", "Nr", "Nr|Name|Phone", ',', '"', 2, 1},
		{"a rule below the titles", "Export\n------,------\nid,name\n1,Ann\n", "", "id|name", ',', '"', 3, 1},
		{"values that look like names", "Wer,Was\nName,Phone\nEmail,Company\n", "Wer Was", "Wer|Was", ',', '"', 1, 2},
		{"nothing that is known", "x,y\n1,2\n", "", "x|y", ',', '"', 1, 1},
		{"sep and titles", "sep=|\nExport|x\nid|name\n1|Ann\n", "", "id#name", '|', '"', 3, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			table := openTable(t, test.content, strings.Fields(test.wanted)...)
			columns := strings.Join(table.header, "|")
			if test.delimiter == '|' {
				columns = strings.Join(table.header, "#")
			}
			if columns != test.columns || table.delimiter != test.delimiter || table.quote != test.quote || table.headerLine() != test.line {
				t.Errorf("columns %q, delimiter %q, quote %q, header in line %d", columns, table.delimiter, table.quote, table.headerLine())
			}
			if what, _ := table.Describe(); table.titles > 0 != strings.Contains(what, fmt.Sprintf("header in line %d", test.line)) {
				t.Errorf("described as %s", what)
			}
			if _, records := filetest.Run(t, format{dialect{delimiter: test.delimiter}}, []byte(test.content)); test.wanted == "" && len(records) != test.records {
				t.Errorf("records %q", records)
			}
		})
	}
}

// A-C2: quotes are understood wherever they begin.
func TestQuotesLateInTheFile(t *testing.T) {
	content := "name,company\n" + strings.Repeat("a,b\n", 20_480) + "Bob,\"Example, Ltd.\"\n"
	in := file.Input{ReaderAt: strings.NewReader(content), Size: int64(len(content)), Name: "x"}
	records, err := openTable(t, content).Records(in)
	if err != nil {
		t.Fatal(err)
	}
	var rec file.Record
	last := ""
	for records.Next(&rec) == nil {
		last = string(bytes.Join(rec.Values, []byte("|")))
	}
	if last != "Bob|Example, Ltd." {
		t.Errorf("the last row is %q", last)
	}
}

// A-S7: the encoding is found in the whole file, not in its beginning.
func TestEncodingIsFoundInTheWholeFile(t *testing.T) {
	ascii := "id,name\n" + strings.Repeat("1,Ann\n", 50_000) // more than a chunk
	latin9, err := charmap.ISO8859_15.NewEncoder().String("id,name\n1,Beneš\n2,Cœur\n3,5 €\n4,Šárka ž\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, content string
		want          encoding
		said          string
	}{
		{"ASCII", ascii, encodeUTF8, ""},
		{"UTF-8 late", ascii + "2,Zoé\n", encodeUTF8, ""},
		{"windows-1252 late", ascii + "2,Zo\xe9\n3,B\xf6b\xf6\n", encodeWindows, "2 lines are not utf-8, so windows-1252 is taken"},
		{"one line", "id,name\n1,Zo\xe9\n", encodeWindows, "1 line is not utf-8"},
		{"quotes of Windows", "id,name\n1,\x93Ann\x94 \xbdx\n", encodeWindows, "windows-1252"},
		{"a half and a quarter", "id,street\n1,12\xbd Rue de la Libert\xe9\n2,\xbc acre\n3,O\xb4Neil\n", encodeWindows, "windows-1252"},
		{"ISO 8859-15", latin9, encodeLatin9, "iso-8859-15"},
		{"a bad byte in good UTF-8", "id,name\n1,Zoé\n2,Jürgen\n3,B\xf6b\n", encodeUTF8, ""},
		{"a character across chunks", "id,name\n" + strings.Repeat("1,ééé\n", 60_000), encodeUTF8, ""},
		{"a character that is cut off at the end", "id,name\n1,Zoé\n2,\xc3", encodeUTF8, ""},
		{"UTF-16 of Latin letters", string(encode16("id,name\n1,Ann\n", false)[2:]), encodeUTF16LE, ""},
		{"UTF-16 of no Latin letters", string(encode16("公司,电话\n示例,07700900001\n示例,07700900002\n", false)[2:]), encodeUTF16LE, ""},
		{"UTF-16, high byte first", string(encode16("公司,电话\n示例,07700900001\n示例,07700900002\n", true)[2:]), encodeUTF16BE, ""},
	} {
		table := openTable(t, test.content)
		_, problems := table.Describe()
		if table.encoding != test.want || (test.said != "") != (len(problems) == 1) || len(problems) == 1 && !strings.Contains(problems[0].Message, test.said) {
			t.Errorf("%s: %v, %v", test.name, table.encoding, problems)
		}
	}
	_, records := filetest.Run(t, format{}, []byte(latin9))
	if got := strings.Join(records, "; "); got != "1|Beneš; 2|Cœur; 3|5 €; 4|Šárka ž" {
		t.Errorf("iso-8859-15: %s", got)
	}
}

func TestEveryEncodingReadsTheSame(t *testing.T) {
	const text = "id;name;phone\r\n1;Zoë Müller;07700 900001\r\n2;\"Ñandú; ñ\r\nx\";07700 900002\r\n"
	windows, err := charmap.Windows1252.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for _, content := range []string{
		text, "\xef\xbb\xbf" + text, windows, string(encode16(text, false)), string(encode16(text, true)), string(encode16(text, false)[2:]), string(encode16(text, true)[2:]),
	} {
		columns, records := filetest.Run(t, format{}, []byte(content))
		got := fmt.Sprintf("%q %q", columns, records)
		if want == "" {
			want = got
		}
		if got != want || len(columns) != 3 || len(records) != 2 {
			t.Errorf("%.20q: %s, want %s", content, got, want)
		}
	}
}
