package xlsx

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
)

// What is no workbook is named, with what to do about it.
func TestOtherFilesAreRecognised(t *testing.T) {
	small := map[string]string{"a.txt": "x"}
	ole := "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 5000)
	for _, test := range []struct{ content, message, hint string }{
		{string(testFile(t, "calc.xls")), "an old Excel workbook (.xls)", "Save it as"},
		{string(testFile(t, "calc.ods")), "OpenDocument", "Save it as"},
		{ole + string(utf16("EncryptedPackage")), "encrypted with a password", "Remove the password"},
		{string(archived(t, map[string]string{"xl/workbook.bin": "x", "_rels/.rels": "x"})), "binary Excel workbook (.xlsb)", "Save it as"},
		{string(archived(t, map[string]string{"Index/Document.iwa": "x"})), "Apple Numbers", "Export"},
		{string(archived(t, map[string]string{"word/document.xml": "x"})), "Word", "Set path"},
		{string(archived(t, small)), "ZIP archive without a workbook", "Unpack"},
		{"name;phone\nAnn;5550100\n", "a text", "set kind to csv"},
		{"BEGIN:VCARD\n", "a vCard file", ""},
		{"", "is empty", "renaming"},
		{"PK\x03\x04 and no more", "damaged or cut off", "save it again"},
		{string(book(t, "", nil)), "no visible sheet with data", `"Contacts"`},
		{string(archived(t, partsOf("<sheetData><row>", nil))), "damaged or cut off", "save it again"},
	} {
		in := input([]byte(test.content))
		in.Formats = []source.Format{{Name: "a vCard file", Starts: []string{"BEGIN:VCARD"}}} // as its kind says
		_, err := format{}.Open(t.Context(), in)
		e := (*bridge.Error)(nil)
		if !errors.As(err, &e) || e.Code != bridge.CodeSourceBroken || !strings.Contains(e.Message, test.message) || !strings.Contains(e.Hint, test.hint) {
			t.Errorf("%.20q: %v, want %q with hint %q", test.content, err, test.message, test.hint)
		}
	}
}

func TestTheSheetIsTheFirstVisibleOneWithDataOrTheOneThatIsNamed(t *testing.T) {
	sheets := func(list string) map[string]string {
		return map[string]string{
			"xl/workbook.xml":          `<workbook><sheets>` + list + `</sheets></workbook>`,
			"xl/worksheets/sheet2.xml": `<worksheet><sheetData>` + row("name", "phone") + row("Bob", "5550101") + `</sheetData></worksheet>`,
		}
	}
	rows := row("name", "phone") + row("Ann", "5550100")
	const first, second = `<sheet name="Lists" STATE id="rId1"/>`, `<sheet name="Contacts" id="rId2"/>`
	hidden := strings.ReplaceAll(first, "STATE", `state="veryHidden"`)
	visible := strings.ReplaceAll(first, "STATE", "")
	for _, test := range []struct{ sheet, sheets, rows, want string }{
		{"", hidden + second, rows, "Bob|5550101"},
		{"lists", hidden + second, rows, "Ann|5550100"},
		{"", visible + second, rows, "Ann|5550100"},
		{"", visible + second, "", "Bob|5550101"},
		{"", `<sheet name="Chart" id="rId3"/>` + second, "", "Bob|5550101"},
		{"Contacts", visible + second, rows, "Bob|5550101"},
	} {
		if got := read(t, format{sheet: test.sheet}, book(t, test.rows, sheets(test.sheets))); len(got) != 1 || got[0] != test.want {
			t.Errorf("sheet %q of %s: %q, want %q", test.sheet, test.sheets, got, test.want)
		}
	}
	_, err := format{sheet: "Kunden"}.Open(t.Context(), input(book(t, rows, sheets(hidden+second))))
	if e := (*bridge.Error)(nil); !errors.As(err, &e) || !strings.Contains(e.Hint, `"Lists" (hidden), "Contacts"`) {
		t.Errorf("an unknown sheet: %v", err)
	}
}

func TestTheHeaderIsFoundBelowTitles(t *testing.T) {
	for _, test := range []struct {
		wanted []string
		rows   string
		header string
		titles int
	}{
		{nil, row("Customers of 2026") + row("Name", "Phone", "Email") + row("Ann", "5550100", "a@example.com"), "Name,Phone,Email", 1},
		{[]string{"Wer"}, row("Liste", "von", "heute") + row("Wer", "Wo", "Was") + row("Ann", "Bonn", "x"), "Wer,Wo,Was", 1},
		{nil, row("Report") + row("made", "") + row("aaa", "bbb", "ccc", "ddd") + row("1", "2", "3", "4"), "aaa,bbb,ccc,ddd", 2},
		{nil, row("aaa", "bbb") + row("1", "2"), "aaa,bbb", 0},
	} {
		in := input(book(t, test.rows, nil))
		in.Wanted = test.wanted
		opened, err := format{}.Open(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(opened.Columns(), ","); got != test.header || opened.(*table).titles != test.titles {
			t.Errorf("%s below %d titles, want %s below %d", got, opened.(*table).titles, test.header, test.titles)
		}
	}
}

func TestPeopleAreToldWhatIsHiddenOrNotRead(t *testing.T) {
	sheet := `<cols><col min="2" max="2" hidden="1"/></cols><sheetData>` + row("name", "phone") + row("Ann", "5550100", "more") + `<row hidden="true"><c t="inlineStr"><is><t>Bob</t></is></c></row></sheetData>`
	content := archived(t, partsOf(sheet, map[string]string{
		"xl/workbook.xml": `<workbook><sheets><sheet name="Contacts" id="rId1"/><sheet name="Old" state="hidden" id="rId2"/></sheets></workbook>`,
	}))
	opened, err := format{}.Open(t.Context(), input(content))
	if err != nil {
		t.Fatal(err)
	}
	_, problems := opened.Describe()
	if len(problems) != 2 || !strings.Contains(problems[0].Message, `"Old" (hidden)`) || !strings.Contains(problems[1].Message, "phone") {
		t.Errorf("problems: %+v", problems)
	}
	got, err := readTable(opened, content)
	if err != nil || strings.Join(got, " ") != "Ann|5550100|remark: beyond_header Bob|remark: hidden_rows" {
		t.Errorf("%q, %v", got, err)
	}
}

// An archive that unpacks to far more than it should is refused before it fills the memory.
func TestArchivesThatUnpackToGigabytesAreRefused(t *testing.T) {
	text := strings.Repeat("x", mostOfToken+100_000)
	for name, content := range map[string][]byte{
		"a long text":        book(t, row("name", "phone")+row(text), nil),
		"a long shared text": book(t, row("name", "phone"), map[string]string{"xl/sharedStrings.xml": "<sst><si><t>" + text + "</t></si></sst>"}),
		"a large part":       book(t, row("name"), map[string]string{"xl/workbook.xml": "<workbook>" + strings.Repeat(" ", mostOfPart)}),
	} {
		opened, err := format{}.Open(t.Context(), input(content))
		if err == nil {
			_, err = readTable(opened, content)
		}
		if e := (*bridge.Error)(nil); !errors.As(err, &e) || !strings.Contains(e.Message, "unpacks to more") {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, err := openArchive(t.Context(), input(book(t, row("name"), nil)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := a.open("xl/worksheets/sheet1.xml", 10)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := io.Copy(io.Discard, p); !errors.Is(err, errTooLarge) {
		t.Errorf("more than a part may have: %v", err)
	}
}

func TestRowsThatAreTooLongAreFaults(t *testing.T) {
	long := strings.Repeat("x", mostOfRow/2+1)
	content := book(t, row("name", "phone", "email")+row(long, long)+row("Bob", "5550101"), nil)
	opened, err := format{}.Open(t.Context(), input(content))
	if err != nil {
		t.Fatal(err)
	}
	records, err := opened.Records(input(content))
	if err != nil {
		t.Fatal(err)
	}
	defer records.(io.Closer).Close()
	var rec file.Record
	if err := records.Next(&rec); err != nil || rec.Fault != tooLongRow || rec.Start.Line != 2 {
		t.Errorf("%+v, %v", rec.Fault, err)
	}
	if err := records.Next(&rec); err != nil || rec.Fault != nil || string(rec.Values[0]) != "Bob" {
		t.Errorf("the next row: %+v, %v", rec.Fault, err)
	}
}

// An error of the file system is no damage of the workbook.
func TestErrorsOfReadingAreReturned(t *testing.T) {
	content := book(t, row("name")+row("Ann"), nil)
	in := input(content)
	in.ReaderAt = failing{bytes.NewReader(content)}
	if _, err := (format{}).Open(t.Context(), in); !errors.Is(err, errDisk) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (format{}).Open(ctx, input(content)); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is done: %v", err)
	}
}

var errDisk = errors.New("the disk fails")

type failing struct{ *bytes.Reader }

func (f failing) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 64 && len(p) > 64 || offset > 0 && offset < 200 {
		return 0, errDisk
	}
	return f.Reader.ReadAt(p, offset)
}

// A damaged archive is read or refused: it neither brings the program down nor goes on for ever.
func FuzzDamagedWorkbook(f *testing.F) {
	for _, name := range []string{"libreoffice.xlsx", "openpyxl.xlsx", "xlsxwriter.xlsx", "calc.xls", "calc.ods"} {
		f.Add(testFile(f, name))
	}
	f.Add(book(f, row("id", "name")+`<row r="2"><c r="B2" t="s"><v>0</v></c></row>`, map[string]string{"xl/sharedStrings.xml": "<sst><si><t>a_x000D_b</t></si></sst>"}))
	f.Fuzz(func(t *testing.T, content []byte) {
		opened, err := format{}.Open(t.Context(), input(content))
		if err == nil {
			_, err = readTable(opened, content)
		}
		if e := (*bridge.Error)(nil); err != nil && (!errors.As(err, &e) || e.Hint == "") {
			t.Errorf("an error without a hint: %v", err)
		}
	})
}

// The XML of a sheet is read or refused, whatever is in it.
func FuzzSheet(f *testing.F) {
	f.Add(`<sheetData>` + row("id", "name") + `<row r="2"><c r="B2" t="s"><v>0</v></c><c s="1"><v>45352.5</v></c></row></sheetData><mergeCells><mergeCell ref="A2:A9"/></mergeCells>`)
	f.Add(`<cols><col min="1" max="-1" hidden="1"/></cols><sheetData><row r="-1"><c r="XFE1" t="b"><v>1</v></c><c r="1"/></row></sheetData>`)
	f.Fuzz(func(t *testing.T, sheet string) {
		content := archived(t, partsOf(sheet, map[string]string{"xl/styles.xml": styled("dd.mm.yyyy", "0.00", `[<5]0;"x"[$-`)}))
		opened, err := format{}.Open(t.Context(), input(content))
		if err == nil {
			_, err = readTable(opened, content)
		}
		if e := (*bridge.Error)(nil); err != nil && !errors.As(err, &e) {
			t.Errorf("not an error for people: %v", err)
		}
	})
}

// Number formats are whatever a workbook says.
func FuzzNumberFormat(f *testing.F) {
	for _, code := range []string{"0000000000", `[<=9999999]###\-####;\(###\)\ ###\-####`, "[$-407]d. mmmm yyyy", "0.00;;", `"`, `\`, "[", "_", "*"} {
		f.Add(code, "4155550100")
	}
	f.Fuzz(func(t *testing.T, code, stored string) {
		r := renderer{}
		defer r.close()
		if _, err := r.text([]byte(stored), newLook(code), false, false); err != nil {
			t.Errorf("%q in %q: %v", stored, code, err)
		}
	})
}
