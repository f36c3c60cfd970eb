package rest

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/charset"
	"github.com/contactbridge/contactbridge/source"
)

// decode makes an answer's body UTF-8, as its header or its bytes say.
func (a *answer) decode() {
	if bytes.HasPrefix(a.body, gzipped) {
		return
	}
	body, damaged, err := charset.Bytes(a.body, a.header.Get("Content-Type"))
	if err != nil { // which matters where the answer must be JSON
		a.undecoded = err
		return
	}
	a.body, a.damaged = body, damaged
}

// gzipped is how what is compressed with gzip begins. Never written to.
var gzipped = []byte("\x1f\x8b")

// isWhole reports whether a value of an answer was read without damage.
func (a *answer) isWhole(value []byte) bool {
	return !a.damaged || !bytes.ContainsRune(value, charset.Unreadable)
}

// spoil marks a record with values that are in no known character set. An id that cannot be read is unknown, so there is none then (D8).
func (i *item) spoil(a *answer) {
	for _, value := range i.values {
		if !a.isWhole(value) {
			i.fault = charset.Why
		}
	}
	if !a.isWhole([]byte(i.id)) {
		i.id = ""
	}
}

// explain says of an answer in which something is missing why that is, if it is no JSON at all.
func (c *client) explain(a *answer, e *bridge.Error) {
	start := bytes.TrimLeft(a.body, " \t\r\n")
	format, known := source.FormatOf(a.body[:min(len(a.body), source.FormatBytes)], nil)
	encoding := a.header.Get("Content-Encoding")
	switch flaw := a.flaw(); {
	case a.undecoded != nil:
		e.Message, e.Hint = a.undecoded.Error(), "Let the service answer in UTF-8."
	case flaw == "":
	case len(start) == 0:
		e.Message = "the answer of " + c.factory.title() + " is empty"
		e.Hint = "APIs answer with JSON even where there are no records. Check the address and the request, and look at the log of the service."
	case start[0] == '<':
		if !known {
			format.Name = "HTML or XML"
		}
		e.Message = "the answer is " + format.Name + ", not JSON"
		e.Hint = "Check the address: it is not that of the API."
	case bytes.HasPrefix(start, gzipped):
		e.Message = "the answer is compressed with gzip, and its header does not say so"
		e.Hint = "Let the service answer without compression, or with the header Content-Encoding: gzip."
	case encoding != "" && encoding != "identity":
		e.Message = fmt.Sprintf("the answer is compressed, with Content-Encoding %.20q, which was not asked for", encoding)
		e.Hint = "Let the service answer without compression, or with gzip."
	default:
		e.Message = "the answer of " + c.factory.title() + " is not valid JSON: " + flaw + c.beginning(start)
		e.Hint = "Look at the log of the service, and at what stands before it. If only large answers are damaged, set page.size to less; if it is not the API that answers, check the address."
	}
}

// flaw says where and why an answer is no JSON; empty for one that is.
func (a *answer) flaw() string {
	d := jsontext.NewDecoder(bytes.NewBuffer(a.body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if _, err := d.ReadValue(); err != nil {
		return a.placed(err)
	}
	at := d.InputOffset()
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return fmt.Sprintf("more follows its end, after %d bytes", at)
	}
	return ""
}

// words are what other languages write for values that JSON has none for, or writes in another way.
var words = []string{"NaN", "Infinity", "-Infinity", "None", "True", "False", "undefined"}

// placed says where the syntax of JSON is wrong. Of the text itself it shows no more than words that are nobody's.
func (a *answer) placed(err error) string {
	wrong, ok := errors.AsType[*jsontext.SyntacticError](err)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || !ok {
		return fmt.Sprintf("it is cut off after %d bytes", len(a.body))
	}
	what := strings.TrimPrefix(wrong.Err.Error(), "jsontext: ")
	if what == "exceeded max depth" {
		what = "it is nested too deep"
	}
	rest := a.body[min(int(wrong.ByteOffset), len(a.body)):]
	for _, word := range words {
		if bytes.HasPrefix(rest, []byte(word)) {
			what = word + " is not a value of JSON"
		}
	}
	if place := strings.ReplaceAll(strings.TrimPrefix(string(wrong.JSONPointer), "/"), "/", "."); place != "" && len(place) <= mostShown {
		what += ", at " + place
	}
	return fmt.Sprintf("%s, after %d bytes", what, wrong.ByteOffset)
}

// mostShown is how much of what an answer says a message has.
const mostShown = 60

// beginning shows how an answer begins that does not begin like JSON: a message of a server or a proxy. One that looks like data, or holds a
// credential, is not shown.
func (c *client) beginning(start []byte) string {
	if strings.IndexByte("{[\"-0123456789", start[0]) >= 0 || !utf8.Valid(start) {
		return ""
	}
	line, _, _ := strings.Cut(string(start), "\n")
	shown := []rune(strings.TrimSpace(line))
	if shown = shown[:min(len(shown), mostShown)]; c.holdsSecret(line) || slices.ContainsFunc(shown, unicode.IsControl) {
		return ""
	}
	return fmt.Sprintf(". It begins with %q", string(shown))
}

// holdsSecret reports whether a text has a credential of the connection in it.
func (c *client) holdsSecret(text string) bool {
	for name, value := range c.values {
		secret, _ := value.(string)
		isSecret := strings.HasPrefix(name, "auth.") || slices.ContainsFunc(c.factory.language.Connection, func(f Field) bool { return f.Secret && f.Name == name })
		if isSecret && secret != "" && strings.Contains(text, secret) {
			return true
		}
	}
	return false
}

// redirect says where an answer leads, without what may be a credential in that address.
func (c *client) redirect(a *answer) string {
	to, err := a.url.Parse(a.header.Get("Location"))
	if err != nil || a.header.Get("Location") == "" || to.Host == "" {
		return "The service answers with a redirect. Write the address that it leads to."
	}
	path, _, _ := strings.Cut(to.Path, ";") // what follows may be a session
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if len(segment) > longestName || c.holdsSecret(segment) {
			segments[i] = "…"
		}
	}
	shown := to.Scheme + "://" + to.Host + (&url.URL{Path: strings.Join(segments, "/")}).EscapedPath()
	return fmt.Sprintf("The service answers with a redirect to %s. Write the address that it leads to.", strings.ReplaceAll(shown, "%E2%80%A6", "…"))
}

// longestName is how long a part of an address may be that is not taken for a credential.
const longestName = 30

// brokenOff returns the error of an answer whose body could not be read to its end.
func (c *client) brokenOff(ctx context.Context, address *url.URL, read int, cause error) error {
	e := &bridge.Error{
		Code: bridge.CodeSourceUnavailable, Message: fmt.Sprintf("the answer of %s broke off after %d bytes", address.Host, read), Err: cause,
		Hint: "Try again later. If it stays so, set page.size to less, and look at the log of the service and of what stands before it.",
	}
	var corrupt flate.CorruptInputError
	timeout, timed := errors.AsType[net.Error](cause)
	switch {
	case ctx.Err() != nil, timed && timeout.Timeout():
		return c.unreachable(ctx, address, cause)
	case errors.Is(cause, gzip.ErrHeader), errors.Is(cause, gzip.ErrChecksum), errors.As(cause, &corrupt):
		e.Code, e.Message = bridge.CodeSourceBroken, "the answer of "+address.Host+" is damaged: it is not compressed with gzip as its header says"
	}
	return e
}
