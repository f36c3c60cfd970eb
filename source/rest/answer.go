package rest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// An answer is what the service said.
type answer struct {
	status int
	header http.Header
	body   []byte
	url    *url.URL
	token  string // the access token that it was asked with
	empty  bool   // it means that there are no records
}

// date returns the service's clock, or what is given.
func (a *answer) date(otherwise time.Time) time.Time {
	if at, err := http.ParseTime(a.header.Get("Date")); err == nil {
		return at
	}
	return otherwise
}

// find returns the JSON at a path, or a header; ok is false if it is missing or null.
func (a *answer) find(path string) (raw []byte, ok bool) {
	if name, isHeader := strings.CutPrefix(path, "header:"); isHeader {
		if strings.EqualFold(name, "Link") {
			return nextLink(a.header.Values("Link"))
		}
		value := a.header.Get(name)
		return []byte(value), value != ""
	}
	raw, ok = find(a.body, path)
	return raw, ok && string(raw) != "null"
}

// text returns the text at a path; empty if it is missing, null or no single value.
func (a *answer) text(path string) string {
	raw, ok := a.find(path)
	if !ok || len(raw) == 0 || raw[0] == '{' || raw[0] == '[' {
		return ""
	}
	return unquote(raw)
}

// unquote returns what a JSON value says as text.
func unquote(raw []byte) string {
	if raw[0] != '"' {
		return string(raw)
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return ""
	}
	return string(text)
}

// nextLink returns the address with rel=next of Link headers. Addresses may have commas and semicolons in them.
func nextLink(headers []string) ([]byte, bool) {
	for _, header := range headers {
		for header != "" {
			_, from, found := strings.Cut(header, "<")
			address, after, closed := strings.Cut(from, ">")
			if !found || !closed {
				break
			}
			parameters := after
			if end := strings.IndexByte(after, '<'); end >= 0 { // of the next address
				parameters = after[:end]
			}
			if strings.Contains(parameters, `rel="next"`) || strings.Contains(parameters, "rel=next") {
				return []byte(address), true
			}
			header = after
		}
	}
	return nil, false
}

// whole is the path of the answer itself.
const whole = "$"

// find returns the value at a path of a JSON text. Keys may have dots in them. What follows the value is not looked at.
func find(text []byte, path string) ([]byte, bool) {
	d := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if path == whole {
		raw, err := d.ReadValue()
		return bytes.TrimSpace(raw), err == nil
	}
	return findIn(d, path)
}

func findIn(d *jsontext.Decoder, path string) ([]byte, bool) {
	if !seek(d, path) {
		return nil, false
	}
	raw, err := d.ReadValue()
	return raw, err == nil
}

// seek reads up to the value at a path, and reports whether there is one.
func seek(d *jsontext.Decoder, path string) bool {
	if d.PeekKind() == '[' {
		return seekAt(d, path)
	}
	if d.PeekKind() != '{' {
		return false
	}
	if _, err := d.ReadToken(); err != nil {
		return false
	}
	for d.PeekKind() == '"' {
		token, err := d.ReadToken()
		if err != nil {
			return false
		}
		key := token.String()
		if key == path {
			return true
		}
		if rest, inside := strings.CutPrefix(path, key+"."); inside && (d.PeekKind() == '{' || d.PeekKind() == '[') {
			return seek(d, rest)
		}
		if d.SkipValue() != nil {
			return false
		}
	}
	return false
}

// seekAt is seek for a path whose first step is the number of an element, from 0.
func seekAt(d *jsontext.Decoder, path string) bool {
	step, rest, deeper := strings.Cut(path, ".")
	n, err := strconv.Atoi(step)
	if err != nil || n < 0 {
		return false
	}
	if _, err := d.ReadToken(); err != nil {
		return false
	}
	for range n {
		if d.PeekKind() == ']' || d.SkipValue() != nil {
			return false
		}
	}
	if d.PeekKind() == ']' {
		return false
	}
	return !deeper || seek(d, rest)
}

// split returns the elements of the list at a path of a JSON text, which share its bytes. found is false if nothing stands there;
// isList is false if that is no list, or null, or if the whole text is not one JSON value: what is damaged or cut off after the
// list may have said that there are more records. It stops after one element more than most: those are too many.
func split(text []byte, path string, most int) (elements [][]byte, found, isList bool) {
	d := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if path != whole && !seek(d, path) {
		return nil, false, false
	}
	switch d.PeekKind() {
	case 'n':
		return nil, true, d.SkipValue() == nil && ends(d)
	case '[':
	default:
		return nil, true, false
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, true, false
	}
	for d.PeekKind() != ']' {
		raw, err := d.ReadValue()
		if err != nil {
			return nil, true, false
		}
		end := d.InputOffset()
		elements = append(elements, text[end-int64(len(raw)):end:end])
		if len(elements) > most {
			return elements, true, true
		}
	}
	_, err := d.ReadToken()
	return elements, true, err == nil && ends(d)
}

// ends reports whether what is left of a JSON text ends the value that is being read, and nothing comes after it.
func ends(d *jsontext.Decoder) bool {
	for d.StackDepth() > 0 {
		var err error
		switch d.PeekKind() {
		case '}', ']':
			_, err = d.ReadToken()
		default:
			err = d.SkipValue()
		}
		if err != nil {
			return false
		}
	}
	_, err := d.ReadToken()
	return errors.Is(err, io.EOF)
}
