package xlsx

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/source/file"
)

// book writes a workbook of one sheet, Contacts. rows is the XML of the rows; parts replace or add parts, and an empty one is left
// out.
func book(t testing.TB, rows string, parts map[string]string) []byte {
	t.Helper()
	return archived(t, partsOf("<sheetData>"+rows+"</sheetData>", parts))
}

func partsOf(sheet string, parts map[string]string) map[string]string {
	const rels = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">%s</Relationships>`
	const related = `<Relationship Id="%s" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/%s" Target="%s"/>`
	all := map[string]string{
		"_rels/.rels": fmt.Sprintf(rels, fmt.Sprintf(related, "rId1", "officeDocument", "xl/workbook.xml")),
		"xl/workbook.xml": `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">` +
			`<sheets><sheet name="Contacts" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": fmt.Sprintf(rels, fmt.Sprintf(related, "rId1", "worksheet", "worksheets/sheet1.xml")+
			fmt.Sprintf(related, "rId2", "worksheet", "/xl/worksheets/sheet2.xml")+fmt.Sprintf(related, "rId3", "chartsheet", "chartsheets/sheet1.xml")+
			fmt.Sprintf(related, "rId4", "styles", "styles.xml")+fmt.Sprintf(related, "rId5", "sharedStrings", "sharedStrings.xml")),
		"xl/worksheets/sheet1.xml": `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` + sheet + `</worksheet>`,
		"xl/styles.xml":            styled(),
	}
	maps.Copy(all, parts)
	return all
}

// styled is the part of the styles in which the cells of style 1, 2, 3… have number formats.
func styled(codes ...string) string {
	formats, cells := "", `<xf numFmtId="0"/>`
	for i, code := range codes {
		var id int
		if _, err := fmt.Sscanf(code, "built-in %d", &id); err != nil {
			id = 164 + i
			formats += fmt.Sprintf(`<numFmt numFmtId="%d" formatCode="%s"/>`, id, strings.NewReplacer(`&`, "&amp;", `"`, "&quot;", "<", "&lt;", ">", "&gt;").Replace(code))
		}
		cells += fmt.Sprintf(`<xf numFmtId="%d"/>`, id)
	}
	return `<styleSheet><numFmts>` + formats + `</numFmts><cellXfs>` + cells + `</cellXfs></styleSheet>`
}

func archived(t testing.TB, parts map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if parts[name] == "" {
			continue
		}
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(parts[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// row is the XML of a row of inline texts.
func row(cells ...string) string {
	b := "<row>"
	for _, c := range cells {
		b += `<c t="inlineStr"><is><t>` + strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(c) + `</t></is></c>`
	}
	return b + "</row>"
}

func input(content []byte) file.Input {
	return file.Input{ReaderAt: bytes.NewReader(content), Size: int64(len(content)), Name: "customers.xlsx"}
}
