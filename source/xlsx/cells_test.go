package xlsx

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/filetest"
)

// Workbooks as programs write them, and the traps in them, are read as people see them.
func TestCellsAreReadAsPeopleSeeThem(t *testing.T) {
	const shared = `<sst><si><t>Jane</t></si><si><r><rPr><b/></rPr><t>rich</t></r><r><t xml:space="preserve"> text</t></r></si>` +
		`<si><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh><phoneticPr fontId="1"/></si>` +
		"<si><t xml:space=\"preserve\">a_x000D_\nb</t></si><si><t>_x005F_x000D_</t></si></sst>"
	header := row("id", "name", "phone")
	for _, test := range []struct {
		name, rows string
		parts      map[string]string
		want       []string
	}{
		{"a dimension of one cell", header + row("1", "Ann", "5550100"), map[string]string{
			"xl/worksheets/sheet1.xml": `<worksheet><dimension ref="A1"/><sheetData>` + header + row("1", "Ann", "5550100") + `</sheetData></worksheet>`,
		}, []string{"1|Ann|5550100"}},
		{
			"shared and rich texts, reading aids, escapes", header + `<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c><c t="s"><v>2</v></c></row><row><c t="s"><v>3</v></c><c t="s"><v>4</v></c></row>`,
			map[string]string{"xl/sharedStrings.xml": shared},
			[]string{"Jane|rich text|東京", "a\r\nb|_x000D_"},
		},
		{"a reading aid inline", header + `<row><c t="inlineStr"><is><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></is></c></row>`, nil, []string{"東京"}},
		{"a long number", header + `<row><c><v>1</v></c><c/><c><v>447700900123</v></c></row><row><c><v>2</v></c><c/><c><v>4.47700900123E11</v></c></row>`, nil, []string{"1||447700900123", "2||447700900123"}},
		{"a long id", header + `<row><c><v>9007199254740993</v></c><c/><c><v>0.30000000000000004</v></c></row>`, nil, []string{"9007199254740993||0.3"}},
		{"cells without places", `<row><c t="inlineStr"><is><t>id</t></is></c><c t="inlineStr"><is><t>name</t></is></c></row><row><c><v>7</v></c><c t="inlineStr"><is><t>Ada</t></is></c></row>`, nil, []string{"7|Ada"}},
		{"cells after one with a place", row("id", "name", "phone", "email", "title") + `<row r="5"><c/><c r="D5"><v>1</v></c><c><v>2</v></c></row>`, nil, []string{"|||1|2"}},
		{"truth and errors", header + `<row><c t="b"><v>1</v></c><c t="e"><v>#N/A</v></c><c t="b"><v>0</v></c></row>`, nil, []string{"TRUE||FALSE"}},
		{"formulas", header + `<row><c t="str"><f>A1</f><v>x_x000A_y</v></c><c><f>1+1</f><v>2</v></c><c><f>2+2</f></c></row>`, nil, []string{"x\ny|2"}},
		{"a date of ISO 8601", header + `<row><c t="d"><v>2026-03-01T00:00:00</v></c><c t="d"><v>2026-03-01T10:30:00</v></c></row>`, nil, []string{"2026-03-01|2026-03-01 10:30:00"}},
		{"a prefix before all names", "", map[string]string{"xl/worksheets/sheet1.xml": `<x:worksheet xmlns:x="u"><x:sheetData><x:row><x:c t="inlineStr"><x:is><x:t>id</x:t></x:is></x:c></x:row>` +
			`<x:row><x:c><x:v>7</x:v></x:c></x:row><x:row/></x:sheetData><x:mergeCells><x:mergeCell ref="A2:A3"/></x:mergeCells></x:worksheet>`}, []string{"7"}},
		{"a hidden row", header + `<row hidden="1"><c><v>1</v></c></row>`, nil, []string{"1"}},
		{"an unknown text", header + `<row><c t="s"><v>9</v></c></row>` + row("2", "Bob"), nil, []string{"fault: unknown_texts", "2|Bob"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, records := filetest.Run(t, format{}, book(t, test.rows, test.parts))
			if diff := cmp.Diff(test.want, records); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNumbersAreReadInTheirFormat(t *testing.T) {
	for _, test := range []struct{ code, stored, want string }{
		{"0000000000", "305550100", "0305550100"},
		{"built-in 1", "4.15555010012E11", "415555010012"},
		{"built-in 3", "447700900123", "447700900123"},
		{"#,##0", "1234567", "1234567"},
		{"built-in 11", "4.4770090012E10", "44770090012"},
		{"built-in 49", "5550100", "5550100"},
		{"(000) 000-0000", "4155550100", "(415) 555-0100"},
		{`[<=9999999]###\-####;\(###\)\ ###\-####`, "4155550100", "(415) 555-0100"},
		{`[<=9999999]###\-####;\(###\)\ ###\-####`, "5550100", "555-0100"},
		{`"+49 "0`, "3055501000", "+49 3055501000"},
		{`00\ 00\ 00\ 00\ 00`, "199000001", "01 99 00 00 01"},
		{"+0", "4155550100", "+4155550100"},
		{"0;(0)", "-5", "(5)"},
		{"0", "-5", "-5"},
		{"0", "2.5", "3"},
		{"0.00", "1.5", "1.50"},
		{"0.0%", "0.125", "12.5%"},
		{";;;", "5550100", "5550100"},
		{`General" pcs"`, "7", "7"},
		{"[Red]0", "7", "7"},
		{`"TRUE";"TRUE";"FALSE"`, "0", "FALSE"},
		{`"TRUE";"TRUE";"FALSE"`, "1", "TRUE"},
		{"built-in 14", "45352", "2024-03-01"},
		{"built-in 22", "45352.5", "2024-03-01 12:00:00"},
		{"dd.mm.yyyy", "45352", "01.03.2024"},
		{"[$-407]d. mmmm yyyy", "45352", "1. März 2024"},
		{"yyyy-mm-dd hh:mm", "45352.75", "2024-03-01 18:00"},
		{"dd.mm.yyyy", "4155550100", "4155550100"},
		{"built-in 14", "0.5", "12:00:00"},
		{"built-in 14", "59", "1900-02-28"},
		{"built-in 14", "61", "1900-03-01"},
	} {
		content := book(t, row("id", "phone")+`<row><c><v>1</v></c><c s="1"><v>`+test.stored+`</v></c></row>`, map[string]string{"xl/styles.xml": styled(test.code)})
		if got := strings.TrimPrefix(strings.Join(read(t, format{}, content), ""), "1|"); got != test.want {
			t.Errorf("%s in %s is %q, want %q", test.stored, test.code, got, test.want)
		}
	}
}

// The column of updated has all digits of a date, whatever is shown of it.
func TestDatesOfUpdatedAreExact(t *testing.T) {
	rows := row("id", "changed", "born") + `<row><c><v>1</v></c><c s="1"><v>45352.38384259259</v></c><c s="1"><v>45352.5</v></c></row>`
	for _, test := range []struct{ workbook, want string }{
		{"", "1|2024-03-01 09:12:44|01.03.24"},
		{`<workbookPr date1904="1"/>`, "1|2028-03-02 09:12:44|02.03.28"},
	} {
		parts := map[string]string{"xl/styles.xml": styled("dd.mm.yy")}
		parts["xl/workbook.xml"] = `<workbook>` + test.workbook + `<sheets><sheet name="Contacts" id="rId1"/></sheets></workbook>`
		if got := read(t, format{updated: "changed"}, book(t, rows, parts)); len(got) != 1 || got[0] != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

func TestMergedCellsBelongToAllTheirRows(t *testing.T) {
	header := row("id", "name", "company")
	sheet := "<sheetData>" + row("Customers") + header + row("1", "Ann", "Acme") + row("2", "Bob", "") + `<row/>` + row("3", "Cy", "") + row("4", "Di") +
		`</sheetData><mergeCells><mergeCell ref="A1:C1"/><mergeCell ref="C3:C6"/></mergeCells>`
	got := read(t, format{}, archived(t, partsOf(sheet, nil)))
	if diff := cmp.Diff([]string{"1|Ann|Acme", "2|Bob|Acme", "3|Cy|Acme", "4|Di"}, got); diff != "" {
		t.Error(diff)
	}
}

// read reads the records of a workbook as texts.
func read(t testing.TB, f format, content []byte) []string {
	t.Helper()
	table, err := f.Open(t.Context(), input(content))
	if err != nil {
		t.Fatal(err)
	}
	list, err := readTable(table, content)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func readTable(table file.Table, content []byte) (list []string, err error) {
	records, err := table.Records(input(content))
	if err != nil {
		return nil, err
	}
	defer records.(io.Closer).Close()
	var rec file.Record
	for {
		if err := records.Next(&rec); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return list, err
		}
		var cells []string
		for _, v := range rec.Values {
			cells = append(cells, string(v))
		}
		if rec.Remark != nil {
			cells = append(cells, "remark: "+rec.Remark.Code)
		}
		list = append(list, strings.Join(cells, "|"))
	}
}

func testFile(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
