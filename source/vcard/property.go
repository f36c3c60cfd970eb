package vcard

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

// A property is one line of a card, unfolded.
type property struct {
	group string // "item1" in lower case, or ""
	name  string // in upper case
	types string // its types and bare parameters in upper case with spaces around each: " HOME VOICE "
	pref  int    // from 1, the most preferred; 100 where it is not said
	quoted,
	base64 bool
	charset string
	value   []byte // as it stands in the file
}

// parse reads a line: group, name, parameters and value. ok is false where it is not a property.
func parse(line []byte) (p property, ok bool) {
	head, value, ok := cutValue(line)
	if !ok {
		return p, false
	}
	p.value, p.pref = value, 100
	name, params, _ := cutQuoted(head, ';')
	if dot := bytes.LastIndexByte(name, '.'); dot >= 0 {
		p.group, name = strings.ToLower(string(name[:dot])), name[dot+1:]
	}
	if p.name = known(name); p.name == "" {
		return p, false
	}
	for len(params) > 0 {
		var one []byte
		one, params, _ = cutQuoted(params, ';')
		p.parameter(one)
	}
	return p, true
}

// cutValue cuts a line at the first colon that is not in quotes; where the quotes are not closed, at the first colon.
func cutValue(line []byte) (head, value []byte, ok bool) {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return nil, nil, false
	}
	if bytes.IndexByte(line[:colon], '"') < 0 {
		return line[:colon], line[colon+1:], true
	}
	if head, value, ok = cutQuoted(line, ':'); ok {
		return head, value, true
	}
	return line[:colon], line[colon+1:], true
}

// cutQuoted cuts a text at the first separator that is not in quotes.
func cutQuoted(text []byte, separator byte) (before, after []byte, found bool) {
	quoted := false
	for i, b := range text {
		switch {
		case b == '"':
			quoted = !quoted
		case b == separator && !quoted:
			return text[:i], text[i+1:], true
		}
	}
	return text, nil, false
}

// names are the properties that are used, so that their names need no memory.
var names = func() map[string]string {
	list := map[string]string{}
	for _, name := range strings.Fields("BEGIN END VERSION FN N NICKNAME ORG TITLE ROLE EMAIL TEL URL ADR LABEL PHOTO NOTE UID REV KIND CATEGORIES BDAY X-ABLABEL X-ABADR X-SOCIALPROFILE X-TWITTER X-ADDRESSBOOKSERVER-KIND AGENT LOGO SOUND KEY PRODID") {
		list[name] = name
	}
	return list
}()

// known returns a property's name in upper case, or "" where it cannot be one.
func known(name []byte) string {
	name = bytes.TrimSpace(name)
	if found, ok := names[string(name)]; ok {
		return found
	}
	for _, b := range name {
		if !(b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '-' || b == '_') {
			return ""
		}
	}
	return strings.ToUpper(string(name))
}

// parameter reads NAME=value, or a bare value of version 2.1.
func (p *property) parameter(text []byte) {
	name, value, named := strings.Cut(strings.ToUpper(strings.TrimSpace(string(text))), "=")
	value = strings.Trim(strings.TrimSpace(value), `"`)
	switch {
	case !named:
		p.bare(name)
	case name == "TYPE":
		for one := range strings.SplitSeq(value, ",") {
			p.bare(strings.Trim(one, `" `))
		}
	case name == "ENCODING":
		p.bare(value)
	case name == "CHARSET":
		p.charset = value
	case name == "PREF":
		if n := number(value); n > 0 {
			p.pref = n
		}
	}
}

func (p *property) bare(value string) {
	switch value {
	case "QUOTED-PRINTABLE":
		p.quoted = true
	case "BASE64", "B":
		p.base64 = true
	case "PREF":
		p.pref = 1
	case "":
	default:
		if p.types == "" {
			p.types = " "
		}
		p.types += value + " "
	}
}

func (p *property) is(kind string) bool { return strings.Contains(p.types, " "+kind+" ") }

func number(text string) int {
	n := 0
	for _, r := range text {
		if r < '0' || r > '9' || n > 100 {
			return 0
		}
		n = 10*n + int(r-'0')
	}
	return n
}

// decode returns the value without its encodings, as UTF-8, with its backslashes. Bytes that are no UTF-8, and have no character set, are
// Windows-1252.
func (p *property) decode() []byte {
	value := p.value
	if p.quoted && bytes.IndexByte(value, '=') >= 0 {
		// What is no escape stays as it is.
		if plain, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(value))); err == nil {
			value = plain
		}
	} else if p.base64 {
		if plain, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(value), nil))); err == nil {
			value = plain
		}
	}
	if p.charset != "" && p.charset != "UTF-8" {
		if encoding, err := htmlindex.Get(p.charset); err == nil {
			if plain, err := encoding.NewDecoder().Bytes(value); err == nil {
				return plain
			}
		}
	}
	if !utf8.Valid(value) {
		if plain, err := charmap.Windows1252.NewDecoder().Bytes(value); err == nil {
			return plain
		}
	}
	return value
}

// text returns the value without backslashes and white space around it.
func (p *property) text() string { return strings.TrimSpace(unescape(string(p.decode()))) }

// unescape removes the backslashes of a value; \n is a line break.
func unescape(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		switch i++; text[i] {
		case 'n', 'N':
			b.WriteByte('\n')
		case ',', ';', ':', '\\', '"':
			b.WriteByte(text[i])
		default:
			b.WriteByte('\\')
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

// parts returns the parts of a value with semicolons between them, such as a name's.
func (p *property) parts() []string {
	text := string(p.decode())
	var list []string
	from := 0
	for i := 0; i <= len(text); i++ {
		switch {
		case i == len(text) || text[i] == ';':
			list = append(list, strings.TrimSpace(unescape(text[from:i])))
			from = i + 1
		case text[i] == '\\':
			i++
			if i == len(text) {
				i--
			}
		}
	}
	return list
}
