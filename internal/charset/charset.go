// Package charset decodes answers in JSON that are not in UTF-8. JSON is UTF-8, but some bridges and services answer in ISO-8859-1 or another
// character set. An answer is decoded where its Content-Type or its bytes say which one it is; what is left is not guessed, but marked with
// [Unreadable].
package charset

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Unreadable stands for bytes of an answer that are in no known character set. It is not a character.
const Unreadable = '\uFFFF'

// Why is the reason that is given for a contact of which a text holds [Unreadable].
const Why = "its text is not UTF-8, and the answer is not in ISO-8859-1 either"

// An UnknownError is the error of an answer in a character set that is not known.
type UnknownError struct {
	Name string // as the answer has it
}

// Error implements [error].
func (e *UnknownError) Error() string {
	return fmt.Sprintf("the answer's character set %q is unknown", e.Name)
}

// Decode returns where to read an answer's body from: a reader over it that is positioned after its byte order mark. It is in UTF-8, and text
// is nil, where the character set is one of several bytes a character or rarely met; otherwise text reads it in UTF-8. The error is an
// [*UnknownError]. contentType is the answer's header, and may be empty.
func Decode(body *bufio.Reader, contentType string) (decoded *bufio.Reader, text *Reader, err error) {
	head, _ := body.Peek(len(mark)) // fewer of a short body
	if bytes.Equal(head, mark) {
		_, _ = body.Discard(len(mark)) // it was peeked
	} else if order, ok := utf16Of(head); ok {
		return decodeAll(body, unicode.UTF16(order, unicode.UseBOM)), nil, nil
	}
	name := nameOf(contentType)
	if latin := latinOf(name); latin != nil {
		return body, &Reader{from: body, latin: latin}, nil
	}
	known, err := htmlindex.Get(name)
	if err != nil {
		return nil, nil, &UnknownError{Name: name}
	}
	return decodeAll(body, known), nil, nil
}

// Bytes returns a body that was read whole in UTF-8, without a byte order mark. damaged says that [Unreadable] stands in it. A body that is
// UTF-8 is not copied, and may be in a character set that is unknown. The error is an [*UnknownError].
func Bytes(body []byte, contentType string) (decoded []byte, damaged bool, err error) {
	name := nameOf(contentType)
	head := body[:min(len(body), len(mark))]
	_, wide := utf16Of(head)
	_, unknown := htmlindex.Get(name)
	if !wide && (latinOf(name) != nil || unknown != nil) && utf8.Valid(body) {
		return bytes.TrimPrefix(body, mark), false, nil
	}
	rest, text, err := Decode(bufio.NewReader(bytes.NewReader(body)), contentType)
	if err != nil {
		return nil, false, err
	}
	from := io.Reader(rest)
	if text != nil {
		from = text
	}
	decoded, err = io.ReadAll(from)
	return decoded, text != nil && text.damaged, err
}

// mark is the byte order mark in UTF-8. Never written to.
var mark = []byte("\xef\xbb\xbf")

// utf16Of tells UTF-16 by its byte order mark, or by the first character, which is ASCII in every JSON text.
func utf16Of(head []byte) (order unicode.Endianness, ok bool) {
	switch {
	case len(head) < 2:
	case head[0] == 0xff && head[1] == 0xfe, head[0] != 0 && head[1] == 0:
		return unicode.LittleEndian, true
	case head[0] == 0xfe && head[1] == 0xff, head[0] == 0 && head[1] != 0:
		return unicode.BigEndian, true
	}
	return unicode.BigEndian, false
}

// nameOf returns the character set that a Content-Type names, or "".
func nameOf(contentType string) string {
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return parameters["charset"]
}

// latinOf returns the character set of one byte a character that an answer may be in where it says UTF-8, nothing, or that set: bytes
// decide. That a header says ISO-8859-1 by default while the bytes are UTF-8 is as usual as the other way round. It is nil for other names.
func latinOf(name string) *charmap.Charmap {
	switch strings.ToLower(name) {
	case "", "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "windows-1252", "cp1252":
		return charmap.Windows1252
	case "iso-8859-15", "iso8859-15", "latin9", "latin-9":
		return charmap.ISO8859_15
	}
	return nil
}

// decodeAll returns a reader of a body that is decoded from another character set.
func decodeAll(body *bufio.Reader, from encoding.Encoding) *bufio.Reader {
	return bufio.NewReader(transform.NewReader(body, from.NewDecoder()))
}
