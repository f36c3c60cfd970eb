package rest

import (
	"bytes"
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

// nextLink returns the address with rel=next of Link headers.
func nextLink(headers []string) ([]byte, bool) {
	for _, header := range headers {
		for link := range strings.SplitSeq(header, ",") {
			address, parameters, _ := strings.Cut(strings.TrimSpace(link), ";")
			next := strings.Contains(parameters, `rel="next"`) || strings.Contains(parameters, "rel=next")
			if next && strings.HasPrefix(address, "<") && strings.HasSuffix(address, ">") {
				return []byte(address[1 : len(address)-1]), true
			}
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
	if d.PeekKind() == '[' {
		return findAt(d, path)
	}
	if d.PeekKind() != '{' {
		return nil, false
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, false
	}
	for d.PeekKind() == '"' {
		token, err := d.ReadToken()
		if err != nil {
			return nil, false
		}
		key := token.String()
		if key == path {
			raw, err := d.ReadValue()
			return raw, err == nil
		}
		if rest, inside := strings.CutPrefix(path, key+"."); inside && (d.PeekKind() == '{' || d.PeekKind() == '[') {
			return findIn(d, rest)
		}
		if d.SkipValue() != nil {
			return nil, false
		}
	}
	return nil, false
}

// findAt returns the value at a path whose first step is the number of an element, from 0.
func findAt(d *jsontext.Decoder, path string) ([]byte, bool) {
	step, rest, deeper := strings.Cut(path, ".")
	n, err := strconv.Atoi(step)
	if err != nil || n < 0 {
		return nil, false
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, false
	}
	for range n {
		if d.PeekKind() == ']' || d.SkipValue() != nil {
			return nil, false
		}
	}
	if d.PeekKind() == ']' {
		return nil, false
	}
	if deeper {
		return findIn(d, rest)
	}
	raw, err := d.ReadValue()
	return raw, err == nil
}

// split returns the elements of a JSON array. ok is false if the text is no array.
func split(text []byte) (elements [][]byte, ok bool) {
	d := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if d.PeekKind() != '[' {
		return nil, false
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, false
	}
	for d.PeekKind() != ']' {
		raw, err := d.ReadValue()
		if err != nil {
			return nil, false
		}
		end := d.InputOffset()
		elements = append(elements, text[end-int64(len(raw)):end:end])
	}
	_, err := d.ReadToken()
	return elements, err == nil
}
