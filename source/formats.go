package source

import (
	"bytes"
	"strings"
)

// A Format is one of the formats of files that are given to a kind of source that cannot read them.
type Format struct {
	Name   string   // with its article: "a vCard file"
	Hint   string   // what to do with such a file: a sentence
	starts []string // what its files begin with, in any case
}

// formats are recognised by a file's first bytes.
var formats = []Format{
	{Name: "an Excel workbook (.xlsx), an OpenDocument sheet or another ZIP archive", starts: []string{"PK\x03\x04", "PK\x05\x06"}, Hint: "Set kind: xlsx for an Excel workbook. An OpenDocument sheet is saved as one first; a ZIP archive is unpacked first."},
	{Name: "an old Excel workbook (.xls) or another Office document", starts: []string{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"}, Hint: "Save it as Excel workbook (.xlsx), for kind: xlsx."},
	{Name: "a vCard file", starts: []string{"BEGIN:VCARD"}, Hint: "Use kind: vcard."},
	{Name: "an LDIF file", starts: []string{"dn:", "version: 1\n", "version: 1\r\n"}, Hint: "Export the entries as CSV instead."},
	{Name: "an HTML page", starts: []string{"<!DOCTYPE html", "<html"}, Hint: "Check that the download was not a sign-in page, and save the table as CSV."},
	{Name: "an XML document", starts: []string{"<?xml"}, Hint: "Export the contacts as CSV instead."},
	{Name: "a JSON document", starts: []string{"{\"", "[{", "{\n", "{\r\n", "[\n", "[\r\n", "{ \"", "[ {"}, Hint: "Use kind: json for one document with an array, kind: jsonl for one object a line."},
	{Name: "a SQLite database", starts: []string{"SQLite format 3\x00"}, Hint: "Use kind: sqlite."},
	{Name: "a PDF document", starts: []string{"%PDF-"}, Hint: "Export the contacts as CSV instead."},
	{Name: "compressed with gzip", starts: []string{"\x1f\x8b"}, Hint: "Unpack it first."},
	{Name: "compressed with bzip2, xz or zstd", starts: []string{"BZh", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd"}, Hint: "Unpack it first."},
	{Name: "an Outlook data file (.pst)", starts: []string{"!BDN"}, Hint: "Export the contacts from Outlook as CSV."},
	{Name: "a text with formatting (.rtf)", starts: []string{"{\\rtf"}, Hint: "Save the table as CSV."},
}

// FormatBytes is how many bytes of a file [FormatOf] looks at.
const FormatBytes = 64

// FormatOf recognises a file that is neither CSV nor another text by its first bytes.
func FormatOf(head []byte) (Format, bool) {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	trimmed := bytes.TrimLeft(head, " \t\r\n")
	for _, f := range formats {
		for _, start := range f.starts {
			from := trimmed
			if start[0] < ' ' || start[0] >= 0x80 {
				from = head
			}
			if len(from) >= len(start) && strings.EqualFold(string(from[:len(start)]), start) {
				return f, true
			}
		}
	}
	if i := bytes.IndexByte(head, 0); i >= 0 && !bytes.HasPrefix(head, []byte("\xff\xfe")) && !bytes.HasPrefix(head, []byte("\xfe\xff")) && !looksUTF16(head) {
		return Format{Name: "not a text file", Hint: "Check that path names the right file."}, true
	}
	return Format{}, false
}

// looksUTF16 reports whether every other byte is zero, as in UTF-16 without a byte order mark.
func looksUTF16(head []byte) bool {
	zeros := [2]int{}
	for i, b := range head {
		if b == 0 {
			zeros[i%2]++
		}
	}
	return zeros[0] == 0 && zeros[1]*3 > len(head) || zeros[1] == 0 && zeros[0]*3 > len(head)
}
