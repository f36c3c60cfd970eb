package bridge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/contactbridge/contactbridge/contact"
)

// A request is a call to either endpoint (P1–P5).
type request struct {
	auth             Auth   // nil where the request has none
	checkpoint       string // empty: none
	offset           string // empty: none
	supportsDeletion bool   // D7
}

// decodeRequest reads a request's body leniently (D1). A body that it cannot read is [CodeBadRequest] with a message that
// names the field.
func decodeRequest(body []byte) (request, error) {
	var q request
	r := requestReader{json: contact.NewDecoder(bytes.NewBuffer(bytes.TrimPrefix(body, utf8BOM)))}
	err := r.object("the request", func(name string) error {
		switch name {
		case "auth":
			return r.auth(&q)
		case "meta":
			return r.object("meta", func(name string) error { return r.meta(&q, name) })
		}
		return r.json.SkipValue()
	})
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return request{}, badRequest(err)
	}
	return q, nil
}

// utf8BOM stands in front of what some systems write. Never written to.
var utf8BOM = []byte("\xef\xbb\xbf")

// A fieldError says which field has the wrong type.
type fieldError struct{ message string }

func (e *fieldError) Error() string { return e.message }

func badRequest(err error) *Error {
	e := &Error{
		Code: CodeBadRequest,
		Hint: `Send a JSON object as in {"auth": {…}, "meta": {"synchronization_checkpoint": null, "offset": null, "context": null}}.`,
	}
	if field, ok := errors.AsType[*fieldError](err); ok {
		e.Message = field.message
		return e
	}
	e.Message = "the request's body is not valid JSON"
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		e.Message += fmt.Sprintf(": it is invalid after byte %d", syntax.ByteOffset)
	} else if errors.Is(err, io.EOF) {
		e.Message += ": it is empty"
	}
	return e
}

// A requestReader reads a request's fields.
type requestReader struct{ json *jsontext.Decoder }

// object reads an object, calling field after each name. null is the same as absent, but for the request itself.
func (r requestReader) object(what string, field func(name string) error) error {
	kind := r.json.PeekKind()
	if kind == 'n' && what != "the request" {
		return r.json.SkipValue()
	}
	if kind != '{' {
		if err := r.json.SkipValue(); err != nil {
			return err
		}
		return &fieldError{what + " is " + kindName(kind) + ", not an object"}
	}
	return readObject(r.json, field)
}

// readObject reads an object, calling field after each name.
func readObject(json *jsontext.Decoder, field func(name string) error) error {
	if _, err := json.ReadToken(); err != nil {
		return err
	}
	for json.PeekKind() == '"' {
		name, err := json.ReadToken()
		if err != nil {
			return err
		}
		if err := field(name.String()); err != nil {
			return err
		}
	}
	_, err := json.ReadToken()
	return err
}

func (r requestReader) auth(q *request) error {
	return r.object("auth", func(name string) error {
		value, given, err := readText(r.json, "auth."+printableName(name), true)
		if err != nil || !given {
			return err
		}
		if q.auth == nil {
			q.auth = make(Auth)
		}
		q.auth[name] = value
		return nil
	})
}

func (r requestReader) meta(q *request, name string) (err error) {
	switch name {
	case "synchronization_checkpoint":
		q.checkpoint, _, err = readText(r.json, "meta.synchronization_checkpoint", false)
	case "offset":
		q.offset, _, err = readText(r.json, "meta.offset", false)
	case "supports_deletions":
		kind := r.json.PeekKind()
		if err := r.json.SkipValue(); err != nil {
			return err
		}
		if kind != 't' && kind != 'f' && kind != 'n' {
			return &fieldError{"meta.supports_deletions is " + kindName(kind) + ", not a boolean"}
		}
		q.supportsDeletion = kind == 't'
	default:
		return r.json.SkipValue()
	}
	return err
}

// readText reads a string or a number's literal, and where it may a boolean's. null is not given.
func readText(json *jsontext.Decoder, what string, boolean bool) (text string, given bool, err error) {
	value, err := json.ReadValue()
	if err != nil {
		return "", false, err
	}
	switch kind := value.Kind(); {
	case kind == 'n':
		return "", false, nil
	case kind == '"':
		return unquote(value), true, nil
	case kind == '0', boolean && (kind == 't' || kind == 'f'):
		return string(value), true, nil
	default:
		return "", false, &fieldError{what + " is " + kindName(kind) + ", not a string"}
	}
}

// end makes sure that nothing follows the request.
func (r requestReader) end() error {
	switch _, err := r.json.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	default:
		return &fieldError{"something follows the request's JSON object"}
	}
}

// unquote returns the text of a JSON string, always valid UTF-8.
func unquote(quoted []byte) string {
	text, _ := jsontext.AppendUnquote(nil, quoted) // its error says that bytes were replaced
	return string(text)
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	default:
		return "an array"
	}
}

// printableName returns a key that somebody else chose in a form for messages: short, on one line.
func printableName(name string) string {
	const most = 60
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, name)
	if len(clean) > most {
		return strings.ToValidUTF8(clean[:most], "") + "…"
	}
	return clean
}
