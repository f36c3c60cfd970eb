package csv

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/lines"
)

// readAll reads every record of a text: "line: a|b" or "line: fault".
func readAll(t testing.TB, content []byte, e encoding, mark int64, columns int) []string {
	t.Helper()
	r := newRecords(lines.New(bytes.NewReader(content), e.ofLines()), ',', '"')
	r.columns = columns
	r.Seek(file.Place{Offset: mark, Line: 1})
	var list []string
	for {
		fault, err := r.read()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		switch fault {
		case good:
			list = append(list, fmt.Sprintf("%d: %s", r.start.Line, bytes.Join(r.fields, []byte("|"))))
		case emptyRow:
		default:
			list = append(list, fmt.Sprintf("%d: %s", r.start.Line, fault))
		}
	}
}

func TestRecords(t *testing.T) {
	long := strings.Repeat("x", lines.Max)
	many := strings.Repeat("l ine \"\"x\"\"\n", 2500)
	tests := []struct {
		name, content string
		want          []string
	}{
		{"plain", "a,b,c\nd,e,f\n", []string{"1: a|b|c", "2: d|e|f"}},
		{"CRLF and no end", "a,b,c\r\nd,e,f", []string{"1: a|b|c", "2: d|e|f"}},
		{"empty fields and lines", "\n,,c\r\n\r\n,,\n\na,,\n", []string{"2: ||c", "6: a||"}},
		{"quotes", `"a,1","b ""x"" y",""` + "\n", []string{`1: a,1|b "x" y|`}},
		{"a line break in quotes", "a,\"b\r\nc\n\nd\",e\nf,g,h\n", []string{"1: a|b\nc\n\nd|e", "5: f|g|h"}},
		{"quotes in the middle", "a,b \"x\" c,d\n", []string{`1: a|b "x" c|d`}},
		{"blanks before quotes", "a, \"b, \"\"x\"\" y\" ,  \"c\"\nd, \"e\", f\n", []string{`1: a|b, "x" y|c`, "2: d|e| f"}},
		{"blanks before quotes that are text", "a, \"b\" x, c\na, \"b\", \"c\nd,e,f\n", []string{`1: a| "b" x| c`, `2: a|b| "c`, "3: d|e|f"}},
		{"blanks before quotes among lines", "a, \"b, x\",\"c\nd\"\n\"e\n\", \"f, y\", g\n", []string{"1: a|b, x|c\nd", "3: e\n|f, y| g"}},
		{"quotes in quotes", `a,"b "x" c",d` + "\ne,f,g\n", []string{`1: a|b "x" c|d`, "2: e|f|g"}},
		{"too many cells", "c,d,e\nf,g,h,i\n", []string{"1: c|d|e", "2: ragged"}},
		{"too many empty cells", "c,d,e,,\nf,g,h, \n", []string{"1: c|d|e", "2: f|g|h"}},
		{"cells missing at the end (F3)", "a\nb,c\n\"d\ne\",f\ng,h,i\n", []string{"1: a||", "2: b|c|", "3: d\ne|f|", "5: g|h|i"}},
		{"a quote that is not closed before short rows", "a,\"b\nc,d\n\"e\",f,g\nh\n", []string{"1: unclosed", "2: ragged", "3: e|f|g", "4: h||"}},
		{"a quote that swallows a row and closes", "a,\"b\nc,d,e\nf\"\n", []string{"1: unclosed", "2: c|d|e", "3: ragged"}},
		{"a quote that is not closed costs its line", "a,\"b,c\nd,e,f\ng,h,i\n", []string{"1: unclosed", "2: d|e|f", "3: g|h|i"}},
		{"also where another one seems to close it", "a,\"b,c\nd,\"e\",f\ng,\"h\",i\n", []string{"1: unclosed", `2: d|e|f`, "3: g|h|i"}},
		{"at the end", "a,b,c\nd,\"e,f", []string{"1: a|b|c", "2: unclosed"}},
		{"too long", "a,b,c\n" + long + "x,b,c\nd,e,f\n", []string{"1: a|b|c", "2: too_long", "3: d|e|f"}},
		{"too long in quotes", "a,\"b,c\n" + strings.Repeat("x,y,z\n", 1005), append([]string{"1: unclosed"}, numbered(2, 1005, "x|y|z")...)},
		{"many lines in quotes", "a,b,\"" + many + "\"\nd,e,f\n", []string{"1: a|b|" + strings.ReplaceAll(many, `""`, `"`), "2502: d|e|f"}},
		{"more than 1 MiB in quotes", "a,b,\"" + strings.Repeat(many, 100) + "\"\nd,e,f\ng\n", []string{"1: too_long", "250002: d|e|f", "250003: g||"}},
		{"rows in more than 1 MiB of quotes", "a,b,\"" + strings.Repeat("x,y,z\n", 1<<18) + "\"\nd,e,f\n", []string{"1: too_long", "262146: d|e|f"}},
		{"many lines after a quote that is not closed", "a,\"b\n" + strings.Repeat("x\n", 900) + "d,e,f\ng\n", append(append([]string{"1: unclosed"}, numberedFaults(2, 900)...), "902: d|e|f", "903: g||")},
		{"a line that is too long in quotes", "a,b,\"" + long + "\nx\ny\"\nd,e,f\n", []string{"1: too_long", "2: ragged", "3: ragged", "4: d|e|f"}},
		{"as long as it may be", long[:lines.Max-5] + ",b,c\n", []string{"1: " + long[:lines.Max-5] + "|b|c"}},
		{"nothing", "", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := readAll(t, []byte(test.content), encodeUTF8, 0, 3); !slices.Equal(got, test.want) {
				t.Errorf("got %.300q, want %.300q", got, test.want)
			}
		})
	}
}

func numberedFaults(from, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%d: ragged", from+i)
	}
	return list
}

func numbered(from, n int, what string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%d: %s", from+i, what)
	}
	return list
}

func encode16(text string, big bool) []byte {
	b := []byte{0xff, 0xfe}
	if big {
		b = []byte{0xfe, 0xff}
	}
	for _, u := range utf16.Encode([]rune(text)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return b
}

func TestEncodings(t *testing.T) {
	// Ċ is U+010A, ਊ is U+0A0A: bytes of a line's end inside a character.
	const text = "Zoë,Ċਊ,👩‍👧\r\n\"a\n☎\",b,c\n"
	want := []string{"1: Zoë|Ċਊ|👩‍👧", "2: a\n☎|b|c"}
	for name, content := range map[string][]byte{
		"UTF-8":    []byte(text),
		"BOM":      append([]byte("\xef\xbb\xbf"), text...),
		"UTF-16LE": encode16(text, false),
		"UTF-16BE": encode16(text, true),
	} {
		e, mark := detectEncoding(content, openEncoding)
		if diff := cmp.Diff(want, readAll(t, content, e, mark, 3)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if e, mark := detectEncoding([]byte("\x00i\x00d"), encodeUTF16); e != encodeUTF16BE || mark != 0 {
		t.Errorf("UTF-16 without a mark: %d %d", e, mark)
	}
	for text, want := range map[string]encoding{
		"i\x00d\x00,\x00n\x00a\x00": encodeUTF16LE, "\x00i\x00d\x00,\x00n\x00a": encodeUTF16BE, "id,name,x": openEncoding, "i\x00d,name\x00": openEncoding,
	} {
		if e, mark := detectEncoding([]byte(text), openEncoding); e != want || mark != 0 {
			t.Errorf("%q without a mark or a configured encoding: %d %d, want %d", text, e, mark, want)
		}
	}
	if e, _ := detectEncoding([]byte("i\x00d\x00"), encodeUTF16); e != encodeUTF16LE {
		t.Errorf("UTF-16 without a mark: %d", e)
	}
	e, _ := detectEncoding([]byte("id"), encodeWindows)
	if got := readAll(t, []byte("Zo\xeb,\x80,\x93x\x94\n"), e, 0, 3); !slices.Equal(got, []string{"1: Zoë|€|“x”"}) {
		t.Errorf("windows-1252: %q", got)
	}
	// Half a character at the end, and half a pair.
	if got := readAll(t, append(encode16("a,b,c", false), 0x3d, 0xd8, 0x41), encodeUTF16LE, 2, 3); len(got) != 1 || !strings.HasPrefix(got[0], "1: a|b|c\uFFFD") {
		t.Errorf("half a character: %q", got)
	}
}

// Whatever encoding/csv reads without complaint must be read the same, from every record's offset on.
func FuzzRecords(f *testing.F) {
	for _, s := range []string{
		"a,b\nc,d\n", "a,\"b\nc\"\nd,e", "\"a\"\"b\",c\r\n\r\nd,\"\"", ",\n\n,x\n", "a,\"b,c\nd,e\n", "\"a\n\"b\n\"", "\xff,\x00\n\"\xfe\",b", "a\rb,c\r\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		type record struct {
			start, end int64
			fields     []string
		}
		var got []record
		var faults int
		r := newRecords(lines.New(bytes.NewReader(content), lines.Unchanged), ',', '"')
		r.columns = 2
		r.Seek(file.Place{Line: 1})
		last := int64(0)
		for {
			fault, err := r.read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || r.start.Offset != last || r.end.Offset <= r.start.Offset || r.end.Offset > int64(len(content)) {
				t.Fatalf("record from %v to %v after %d: %v", r.start, r.end, last, err)
			}
			last = r.end.Offset
			switch fault {
			case good:
				got = append(got, record{r.start.Offset, r.end.Offset, texts(r.fields)})
			case emptyRow:
			default:
				faults++
			}
		}
		if last != int64(len(content)) {
			t.Fatalf("read to %d of %d", last, len(content))
		}
		for _, want := range got { // every record can be read again from its offset
			again := newRecords(lines.New(bytes.NewReader(content), lines.Unchanged), ',', '"')
			again.columns = 2
			again.Seek(file.Place{Offset: want.start, Line: 1})
			if fault, err := again.read(); fault != good || err != nil || again.end.Offset != want.end || !slices.Equal(texts(again.fields), want.fields) {
				t.Fatalf("from offset %d: %q %v, want %q", want.start, texts(again.fields), err, want.fields)
			}
		}
		if bytes.Contains(content, []byte("\xef\xbb\xbf")) || bytes.HasSuffix(content, []byte{0x1a}) {
			return // byte order marks and the end of a DOS text are no part of values here
		}
		reader := csv.NewReader(bytes.NewReader(content))
		reader.FieldsPerRecord = 2
		theirs, err := reader.ReadAll()
		if err != nil {
			return
		}
		theirs = slices.DeleteFunc(theirs, func(fields []string) bool { return strings.TrimSpace(strings.Join(fields, "")) == "" })
		if faults > 0 || len(theirs) != len(got) {
			t.Fatalf("%d records and %d faults, want %q", len(got), faults, theirs)
		}
		for i, fields := range theirs {
			if !slices.Equal(fields, got[i].fields) {
				t.Fatalf("record %d is %q, want %q", i, got[i].fields, fields)
			}
		}
	})
}

// FuzzSplit compares with the plain way to cut a line.
func FuzzSplit(f *testing.F) {
	for n := range 200 {
		f.Add([]byte(strings.Repeat("a", n)+","+strings.Repeat("b,", n%9)+"-\xac\xd3+"), byte(','))
	}
	f.Add([]byte(strings.Repeat(";", 130)), byte(';'))
	f.Add([]byte("a\tb\x89\t"), byte('\t'))
	f.Fuzz(func(t *testing.T, line []byte, delimiter byte) {
		if delimiter == 0 || delimiter >= utf8.RuneSelf {
			return
		}
		r := newRecords(nil, delimiter, '"')
		r.split(line)
		if got, want := texts(r.fields), texts(bytes.Split(line, []byte{delimiter})); !slices.Equal(got, want) {
			t.Errorf("%q is cut into %q, want %q", line, got, want)
		}
	})
}

func texts(fields [][]byte) []string {
	var list []string
	for _, f := range fields {
		list = append(list, string(f))
	}
	return list
}
