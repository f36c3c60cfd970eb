package source

import (
	"bytes"
	"slices"
	"strings"
)

// A Format is one of the formats of files that are given to a kind of source that cannot read them.
type Format struct {
	Name   string   // with its article: "a PDF document"
	Hint   string   // what to do with such a file: a sentence. Of a kind's own format it may be empty: the kind is named then
	Starts []string // what its files begin with, in any case
}

// formats are those that no kind reads. A kind says itself how its files begin: [Kind.Formats].
var formats = []Format{
	{Name: "an old Excel workbook (.xls) or another Office document", Starts: []string{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"}, Hint: "Save it as Excel workbook (.xlsx)."},
	{Name: "an LDIF file", Starts: []string{"dn:", "version: 1\n", "version: 1\r\n"}, Hint: "Export the entries as CSV instead."},
	{Name: "an HTML page", Starts: []string{"<!DOCTYPE html", "<html"}, Hint: "Check that the download was not a sign-in page, and save the table as CSV."},
	{Name: "an XML document", Starts: []string{"<?xml"}, Hint: "Export the contacts as CSV instead."},
	{Name: "a PDF document", Starts: []string{"%PDF-"}, Hint: "Export the contacts as CSV instead."},
	{Name: "compressed with gzip", Starts: []string{"\x1f\x8b"}, Hint: "Unpack it first."},
	{Name: "compressed with bzip2, xz or zstd", Starts: []string{"BZh", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd"}, Hint: "Unpack it first."},
	{Name: "an Outlook data file (.pst)", Starts: []string{"!BDN"}, Hint: "Export the contacts from Outlook as CSV."},
	{Name: "a text with formatting (.rtf)", Starts: []string{"{\\rtf"}, Hint: "Save the table as CSV."},
}

// FormatBytes is how many bytes of a file [FormatOf] looks at.
const FormatBytes = 64

// FormatOf recognises a file that is not a plain text by its first bytes. known are the formats of kinds: [Deps.Formats].
func FormatOf(head []byte, known []Format) (Format, bool) {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	trimmed := bytes.TrimLeft(head, " \t\r\n")
	for _, f := range slices.Concat(known, formats) {
		for _, start := range f.Starts {
			from := trimmed
			if start[0] < ' ' || start[0] >= 0x80 {
				from = head
			}
			if len(from) >= len(start) && strings.EqualFold(string(from[:len(start)]), start) {
				return f, true
			}
		}
	}
	if i := bytes.IndexByte(head, 0); i >= 0 && !hasTextLine(head[:i]) && !bytes.HasPrefix(head, []byte("\xff\xfe")) && !bytes.HasPrefix(head, []byte("\xfe\xff")) && !looksUTF16(head) {
		return Format{
			Name: "not a text file", Hint: "Check that path names the right file. If it does, remove the zero byte in its first line.",
		}, true
	}
	return Format{}, false
}

// hasTextLine reports whether a file begins with a whole line of text: a single zero byte after it is a mistake in a text.
func hasTextLine(head []byte) bool {
	isControl := func(r rune) bool { return r < ' ' && r != '\t' && r != '\r' && r != '\n' }
	return bytes.IndexByte(bytes.TrimLeft(head, "\r\n"), '\n') > 0 && !bytes.ContainsFunc(head, isControl)
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
