package csv

import (
	"bytes"
	"fmt"
	"strings"
)

// A format is one of files that are taken for CSV now and then.
type format struct {
	name   string
	starts []string // what its files begin with, in any case
	hint   string
}

// formats are recognised by a file's first bytes.
var formats = []format{
	{"an Excel workbook (.xlsx), an OpenDocument sheet or another ZIP archive", []string{"PK\x03\x04", "PK\x05\x06"}, "open it in its program and save it as CSV UTF-8; a ZIP archive is unpacked first"},
	{"an old Excel workbook (.xls) or another Office document", []string{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"}, "open it in its program and save it as CSV UTF-8"},
	{"a vCard file", []string{"BEGIN:VCARD"}, "export the contacts as CSV instead: Google and Outlook offer both; Apple's Contacts needs a converter"},
	{"an LDIF file", []string{"dn:", "version: 1\n", "version: 1\r\n"}, "export the entries as CSV instead"},
	{"an HTML page", []string{"<!DOCTYPE html", "<html"}, "check that the download was not a sign-in page, and save the table as CSV"},
	{"an XML document", []string{"<?xml"}, "export the contacts as CSV instead"},
	{"a JSON document", []string{"{\"", "[{", "{\n", "{\r\n", "[\n", "[\r\n", "{ \"", "[ {"}, "export the contacts as CSV instead, or write a bridge of your own"},
	{"a SQLite database", []string{"SQLite format 3\x00"}, "use kind: sqlite"},
	{"a PDF document", []string{"%PDF-"}, "export the contacts as CSV instead"},
	{"compressed with gzip", []string{"\x1f\x8b"}, "unpack it first"},
	{"compressed with bzip2, xz or zstd", []string{"BZh", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd"}, "unpack it first"},
	{"an Outlook data file (.pst)", []string{"!BDN"}, "export the contacts from Outlook as CSV"},
	{"a text with formatting (.rtf)", []string{"{\\rtf"}, "save the table as CSV"},
}

// longestStart is how many bytes tell the format of a file.
const longestStart = 64

// formatOf recognises a file that is no CSV by its first bytes.
func formatOf(head []byte) (format, bool) {
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
		return format{name: "not a text file", hint: "check that the path names the CSV file"}, true
	}
	return format{}, false
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

// refuse is the error of a file of another format.
func (f *file) refuse(other format) error {
	return broken(fmt.Sprintf("%s is %s, not CSV", f.name(), other.name), other.hint)
}
