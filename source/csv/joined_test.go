package csv_test

import "testing"

// Files that were joined (copy a.csv+b.csv) have byte order marks and headers in the middle, and texts of DOS programs end with 0x1A.
func TestJoinedFilesAndTextsOfDOS(t *testing.T) {
	const want = "1 2"
	for name, content := range map[string]string{
		"marks and headers":       "\ufeffid,name,phone\r\n1,Ann,1\r\n\ufeffid,name,phone\r\n2,Bob,2\r\n",
		"a mark alone":            "id,name,phone\n1,Ann,1\n\ufeff2,Bob,2\n",
		"a mark before a quote":   "id,name,phone\n1,Ann,1\n\ufeff\"2\",\"Bob\nB\",2\n",
		"headers":                 "id,name,phone\n1,Ann,1\n id ,\"name\",phone\n2,Bob,2\n",
		"the end of a DOS text":   "id,name,phone\r\n1,Ann,1\r\n2,Bob,2\r\n\x1a",
		"the end of its last row": "id,phone,name\r\n1,1,Ann\r\n2,2,Bob\x1a",
		"a block of ends":         "id,name,phone\r\n1,Ann,1\r\n2,Bob,2\r\n\x1a\x1a\x1a",
		"UTF-16":                  "\xff\xfei\x00d\x00,\x00n\x00\n\x001\x00,\x00A\x00\n\x00\xff\xfei\x00d\x00,\x00n\x00\n\x002\x00,\x00B\x00\n\x00\x1a\x00",
		"windows-1252":            "id,name\n1,Zo\xeb\n\xef\xbb\xbf2,Bob\n",
		"a zero byte in a cell":   "id,name,phone\n1,A\x00nn,1\n2,Bob,2\n",
	} {
		if got, _ := newFixture(t, "id: id", content).run(""); got != want {
			t.Errorf("%s: read %q, want %q", name, got, want)
		}
	}
	f := newFixture(t, "id: id", "id,na\x00me,phone\n1,Ann,1\n")
	_, err := f.src.Begin(t.Context(), "")
	wantError(t, err, "source_broken", "not a text file")
}
