package phonebook

import (
	"strings"
	"unicode/utf8"
)

// AppendCard appends an entry as a vCard 3.0 (RFC 2426), which every address book reads: lines end with CRLF and have 75 bytes at most.
func AppendCard(dst []byte, e *Entry) []byte {
	c := card{dst: dst}
	c.line("BEGIN:VCARD")
	c.line("VERSION:3.0")
	c.line("PRODID:-//contactbridge//EN")
	c.line("UID:", e.Card)
	c.line("FN:", escape(e.Name))
	if e.IsCompany() {
		c.line("N:;;;;")
		c.line("ORG:", escape(e.Name))
		c.line("X-ABShowAs:COMPANY")
	} else {
		c.line("N:", escape(e.Family), ";", escape(e.Given), ";;;")
		if e.Company != "" {
			c.line("ORG:", escape(e.Company))
		}
	}
	if e.Title != "" {
		c.line("TITLE:", escape(e.Title))
	}
	for _, n := range e.Numbers {
		kind := "TEL;TYPE=WORK,VOICE:"
		if n.Kind == Mobile {
			kind = "TEL;TYPE=CELL:"
		}
		c.line(kind, escape(n.Dial))
	}
	for _, address := range e.Emails {
		c.line("EMAIL;TYPE=INTERNET:", escape(address))
	}
	if e.Address != "" {
		c.line("ADR;TYPE=WORK:;;", escape(e.Address), ";;;;")
	}
	if e.URL != "" {
		c.line("URL:", escape(e.URL))
	}
	c.line("END:VCARD")
	return c.dst
}

// A card is a vCard that is being written.
type card struct{ dst []byte }

const lineBytes = 75

// line appends a line, folded between characters.
func (c *card) line(parts ...string) {
	start := len(c.dst)
	for _, part := range parts {
		c.dst = append(c.dst, part...)
	}
	if len(c.dst)-start > lineBytes {
		text := string(c.dst[start:])
		c.dst = c.dst[:start]
		for room := lineBytes; len(text) > room; room = lineBytes - 1 {
			at := room
			for at > 0 && !utf8.RuneStart(text[at]) {
				at--
			}
			c.dst = append(append(c.dst, text[:at]...), "\r\n "...)
			text = text[at:]
		}
		c.dst = append(c.dst, text...)
	}
	c.dst = append(c.dst, '\r', '\n')
}

var escaping = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`)

func escape(text string) string { return escaping.Replace(text) }
