package bridge

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	textunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/contactbridge/contactbridge/contact"
)

// JSON is UTF-8, but some bridges answer in ISO-8859-1 or another character set. An answer is decoded where its Content-Type or
// its bytes say which one it is; what is left is not guessed: its contacts are rejected.

// unreadable stands for bytes of an answer that are in no known character set. It is not a character.
const unreadable = '\uFFFF'

// inUTF8 returns the answer's body in UTF-8. It is read through the answer's body still.
func (a *answer) inUTF8() (io.Reader, error) {
	if start, _ := a.body.Peek(2); bytes.Equal(start, []byte("\xff\xfe")) || bytes.Equal(start, []byte("\xfe\xff")) {
		return a.decodeAll(textunicode.UTF16(textunicode.LittleEndian, textunicode.UseBOM)), nil
	}
	name := charsetOf(a.res.Header)
	switch strings.ToLower(name) {
	case "", "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "windows-1252", "cp1252":
		// That the header says ISO-8859-1 by default while the bytes are UTF-8 is as usual as the other way round: bytes decide.
		a.text = &textReader{from: a.body, latin: charmap.Windows1252}
		return a.text, nil
	case "iso-8859-15", "iso8859-15", "latin9", "latin-9":
		a.text = &textReader{from: a.body, latin: charmap.ISO8859_15}
		return a.text, nil
	}
	var known encoding.Encoding
	known, err := htmlindex.Get(name)
	if err != nil {
		return nil, a.badAnswer("the answer's character set "+a.quoted(name, others)+" is unknown", "Let the bridge answer in UTF-8.")
	}
	return a.decodeAll(known), nil
}

// decodeAll makes the answer's body one that is decoded from another character set.
func (a *answer) decodeAll(from encoding.Encoding) io.Reader {
	a.body = bufio.NewReader(transform.NewReader(a.body, from.NewDecoder()))
	return a.body
}

// charsetOf returns the character set that an answer names, or "".
func charsetOf(header http.Header) string {
	_, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return parameters["charset"]
}

// A textReader reads a body that is UTF-8 or, if its first character beyond ASCII is not, in a character set of one byte a
// character. Where it turns out to be neither it gives [unreadable].
type textReader struct {
	from    *bufio.Reader
	latin   *charmap.Charmap
	mode    textMode
	out     []byte // decoded and not yet given
	damaged bool   // unreadable was given
}

type textMode uint8

const (
	onlyASCII textMode = iota // so far
	inUnicode
	inLatin
)

// Read implements [io.Reader]. It returns as much as it has, since many small reads are slow.
func (t *textReader) Read(p []byte) (n int, err error) {
	n = t.flush(p)
	for n < len(p) && (n == 0 || t.from.Buffered() > 0) {
		if _, err := t.from.Peek(1); err != nil {
			return n, err
		}
		ready, err := t.from.Peek(min(t.from.Buffered(), len(p)-n))
		if err != nil {
			return n, err
		}
		if plain := t.readable(ready); plain > 0 {
			n += copy(p[n:], ready[:plain])
			if _, err := t.from.Discard(plain); err != nil {
				return n, err
			}
			continue
		}
		if err := t.decode(); err != nil {
			return n, err
		}
		n += t.flush(p[n:])
	}
	return n, nil
}

// flush gives what is decoded already.
func (t *textReader) flush(p []byte) int {
	n := copy(p, t.out)
	t.out = append(t.out[:0], t.out[n:]...)
	return n
}

// readable returns how many of the next bytes can be given as they are.
func (t *textReader) readable(b []byte) int {
	ascii := 0
	for ascii < len(b) && b[ascii] < utf8.RuneSelf {
		ascii++
	}
	if ascii == len(b) || t.mode == inLatin {
		return ascii
	}
	if utf8.Valid(b) {
		t.mode = inUnicode
		return len(b)
	}
	n := ascii
	for n < len(b) {
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		if size > 1 {
			t.mode = inUnicode
		}
		n += size
	}
	return n
}

// decode decodes the next character, which starts with a byte beyond ASCII.
func (t *textReader) decode() error {
	next, _ := t.from.Peek(utf8.UTFMax) // fewer at the end
	r, size := utf8.DecodeRune(next)
	isUTF8 := size > 1
	if t.mode == onlyASCII {
		t.mode = inLatin
		if isUTF8 {
			t.mode = inUnicode
		}
	}
	switch {
	case t.mode == inUnicode && isUTF8:
	case t.mode == inLatin && !isUTF8:
		r = t.latin.DecodeByte(next[0])
		if r == utf8.RuneError || r >= 0x80 && r < 0xA0 { // no character of the set, or a control character
			r = unreadable
		}
	default:
		r = unreadable
	}
	t.damaged = t.damaged || r == unreadable
	t.out = utf8.AppendRune(t.out, r)
	_, err := t.from.Discard(max(size, 1))
	return err
}

// judge returns why a contact cannot be taken as it was read: "" where it can.
func (t *textReader) judge(c *contact.Contact) (reason string) {
	if t == nil || !t.damaged {
		return ""
	}
	texts := []string{c.ID, c.Name, c.Title, c.Company, c.PhotoURL, c.Address, c.Twitter, c.URL}
	texts = slices.Concat(texts, c.Emails, c.Phones, c.Websites)
	for _, f := range c.CustomFields {
		texts = append(texts, f.Key, f.Value)
	}
	for _, text := range texts {
		if !t.isWhole(text) {
			return "its text is not UTF-8, and the answer is not in ISO-8859-1 either"
		}
	}
	return ""
}

// isWhole reports whether a text was read without damage.
func (t *textReader) isWhole(text string) bool {
	return t == nil || !t.damaged || !strings.ContainsRune(text, unreadable)
}

// check refuses a page of which something else than a contact is damaged.
func (t *textReader) check(p *Page) error {
	for name, texts := range map[string][]string{
		"next_offset": {p.NextOffset}, "synchronization_checkpoint": {p.Checkpoint}, "deleted_contacts": p.Deleted, "context": {string(p.Context)},
	} {
		for _, text := range texts {
			if !t.isWhole(text) {
				return &fieldError{fmt.Sprintf("%s is not UTF-8, and the answer is not in ISO-8859-1 either", name)}
			}
		}
	}
	return nil
}
