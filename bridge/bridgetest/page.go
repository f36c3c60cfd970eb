package bridgetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// A page is an answer's content, read as leniently as can be so that one fault hides no other; what is not as it must be
// was reported while it was read.
type page struct {
	contacts   int    // also those without an id
	next       string // empty: the run ends here
	checkpoint string // empty: none
	context    []byte // as it came; nil: none
	deleted    int
	deletions  bool // there is a deleted_contacts
	restarted  bool
	exact      bool
}

// extensions names what in a page is only for those who ask for it; empty if there is nothing.
func (p *page) extensions() string {
	var names []string
	for _, extension := range []struct {
		name string
		said bool
	}{{"deleted_contacts", p.deletions}, {"restarted", p.restarted}, {"exact", p.exact}} {
		if extension.said {
			names = append(names, extension.name)
		}
	}
	return strings.Join(names, ", ")
}

// A reader reads pages. report is told of every violation, with the case that it belongs to; contact of every contact
// with an id: the id and the whole object as it came, both valid only during the call. restart is told that a page is read
// once more from its beginning.
type reader struct {
	report  func(caseID, format string, args ...any)
	contact func(id string, raw []byte)
	restart func()

	body    []byte
	decoder *jsontext.Decoder
	opened  int64 // where the object begins that was entered last
}

type shape int

const (
	text shape = iota
	textList
	customFields
)

// contactFields are the fields of a contact (P10).
var contactFields = map[string]shape{
	"id": text, "name": text, "title": text, "company": text, "photo_url": text, "address": text, "twitter": text,
	"url": text, "emails": textList, "phones": textList, "websites": textList, "custom_fields": customFields,
}

// longName is the length in bytes from which a name is worth a note.
const longName = 255

// read reads an answer's body. It returns nil if there is no JSON object in it.
func (r *reader) read(body []byte) *page {
	p, err := r.readWith(body, false)
	if err == nil {
		return p
	}
	// Read again without the strictness about duplicate names and UTF-8: either the JSON is broken in any case, or the
	// strict reader's message is the finding.
	r.restart()
	p, lenientErr := r.readWith(body, true)
	if lenientErr != nil {
		r.restart()
		r.report("json", "%v", syntax(lenientErr))
		return nil
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		r.report("json-duplicate-keys", "%v", syntax(err))
	} else {
		r.report("json", "%v", syntax(err))
	}
	return p
}

// syntax returns a JSON error without its package's name.
func syntax(err error) string {
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Sprintf("%v at byte %d, in %q", s.Err, s.ByteOffset, s.JSONPointer)
	}
	return err.Error()
}

var errNoObject = errors.New("the body is not a JSON object")

func (r *reader) readWith(body []byte, lenient bool) (*page, error) {
	if bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) {
		if !lenient {
			return nil, errors.New("the body begins with a byte order mark")
		}
		body = body[3:]
	}
	r.body = body
	r.decoder = jsontext.NewDecoder(bytes.NewBuffer(body),
		jsontext.AllowDuplicateNames(lenient), jsontext.AllowInvalidUTF8(lenient))
	if r.decoder.PeekKind() != '{' {
		if _, err := r.decoder.ReadValue(); err != nil {
			return nil, err
		}
		return nil, errNoObject
	}
	p := &page{}
	hasContacts := false
	err := r.object(func(name string) error {
		switch name {
		case "contacts":
			hasContacts = true
			return r.contacts(p)
		case "next_offset":
			return r.mark(&p.next, "next_offset", "next-offset")
		case "synchronization_checkpoint":
			return r.mark(&p.checkpoint, "synchronization_checkpoint", "checkpoint")
		case "context":
			return r.context(p)
		case "deleted_contacts":
			p.deletions = true
			return r.deletions(p)
		case "rejected_contacts":
			return r.rejections()
		case "restarted":
			return r.flag(&p.restarted, name)
		case "exact":
			return r.flag(&p.exact, name)
		}
		return r.decoder.SkipValue()
	})
	if err != nil {
		return nil, err
	}
	if !hasContacts {
		r.report("contacts-array", `there is no "contacts"`)
	}
	if _, err := r.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return p, nil
}

// object reads an object, calling member for each, with the value still to be read.
func (r *reader) object(member func(name string) error) error {
	if _, err := r.decoder.ReadToken(); err != nil {
		return err
	}
	r.opened = r.decoder.InputOffset() - 1
	for r.decoder.PeekKind() == '"' {
		raw, err := r.decoder.ReadValue()
		if err != nil {
			return err
		}
		if err := member(r.string(raw)); err != nil {
			return err
		}
	}
	_, err := r.decoder.ReadToken()
	return err
}

// list reads an array, calling element for each, with the value still to be read.
func (r *reader) list(element func(i int) error) error {
	if _, err := r.decoder.ReadToken(); err != nil {
		return err
	}
	for i := 0; ; i++ {
		switch r.decoder.PeekKind() {
		case ']', 0:
			_, err := r.decoder.ReadToken()
			return err
		}
		if err := element(i); err != nil {
			return err
		}
	}
}

// string returns the text of a JSON string.
func (r *reader) string(raw jsontext.Value) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	s, _ := jsontext.AppendUnquote(nil, raw) // an error leaves U+FFFD in it
	return string(s)
}

// mark reads an offset or a checkpoint.
func (r *reader) mark(to *string, field, prefix string) error {
	kind := r.decoder.PeekKind()
	raw, err := r.decoder.ReadValue()
	if err != nil {
		return err
	}
	switch kind {
	case '"':
		if *to = r.string(raw); *to == "" {
			r.report(prefix+"-empty", "%s is an empty string", field)
		}
	case 'n':
	default:
		r.report(prefix+"-type", "%s is %s: %s", field, kindName(kind), short(raw))
		if kind == '0' {
			*to = string(raw)
		}
	}
	return nil
}

func (r *reader) context(p *page) error {
	raw, err := r.decoder.ReadValue()
	if err == nil && string(raw) != "null" {
		p.context = bytes.Clone(raw)
	}
	return err
}

func (r *reader) flag(to *bool, field string) error {
	kind := r.decoder.PeekKind()
	raw, err := r.decoder.ReadValue()
	if err == nil && kind != 't' && kind != 'f' {
		r.report("flags-type", "%s is %s: %s", field, kindName(kind), short(raw))
	}
	*to = kind == 't'
	return err
}

func (r *reader) deletions(p *page) error {
	if kind := r.decoder.PeekKind(); kind != '[' {
		r.report("deletions", "deleted_contacts is %s", kindName(kind))
		return r.decoder.SkipValue()
	}
	return r.list(func(i int) error {
		kind := r.decoder.PeekKind()
		raw, err := r.decoder.ReadValue()
		if err == nil && (kind != '"' || len(raw) == 2) {
			r.report("deletions", "deleted_contacts[%d] is %s", i, short(raw))
		}
		p.deleted++
		return err
	})
}

// rejections checks what the bridge says of the records that it could not send (D8).
func (r *reader) rejections() error {
	if kind := r.decoder.PeekKind(); kind != '[' {
		r.report("deletions", "rejected_contacts is %s", kindName(kind))
		return r.decoder.SkipValue()
	}
	return r.list(func(i int) error {
		kind := r.decoder.PeekKind()
		raw, err := r.decoder.ReadValue()
		if err == nil && kind != '{' {
			r.report("deletions", "rejected_contacts[%d] is %s, not an object", i, short(raw))
		}
		return err
	})
}

func (r *reader) contacts(p *page) error {
	if kind := r.decoder.PeekKind(); kind != '[' && kind != 0 {
		r.report("contacts-array", `"contacts" is %s`, kindName(kind))
		return r.decoder.SkipValue()
	}
	return r.list(func(i int) error {
		p.contacts++
		if kind := r.decoder.PeekKind(); kind != '{' && kind != 0 {
			r.report("contact-types", "contacts[%d] is %s, not an object", i, kindName(kind))
			return r.decoder.SkipValue()
		}
		return r.oneContact(i)
	})
}

func (r *reader) oneContact(i int) error {
	var id string
	hasID, hasName := false, false
	start := int64(-1)
	err := r.object(func(name string) error {
		if start < 0 {
			start = r.opened
		}
		switch name {
		case "id":
			hasID = true
			return r.id(i, &id)
		case "name":
			hasName = true
			return r.name(i, id)
		}
		return r.field(i, id, name)
	})
	if err != nil {
		return err
	}
	if !hasID {
		r.report("contact-id", "contacts[%d] has no id", i)
	}
	if !hasName {
		r.report("contact-name", "contacts[%d] (id %q) has no name", i, id)
	}
	if id != "" {
		r.contact(id, r.body[start:r.decoder.InputOffset()])
	}
	return nil
}

func (r *reader) id(i int, id *string) error {
	kind := r.decoder.PeekKind()
	raw, err := r.decoder.ReadValue()
	if err != nil {
		return err
	}
	switch kind {
	case '"':
		if *id = r.string(raw); *id == "" {
			r.report("contact-id", "contacts[%d].id is an empty string", i)
		}
	case '0':
		*id = string(raw)
		fallthrough
	default:
		r.report("contact-id", "contacts[%d].id is %s: %s", i, kindName(kind), short(raw))
	}
	return nil
}

func (r *reader) name(i int, id string) error {
	kind := r.decoder.PeekKind()
	raw, err := r.decoder.ReadValue()
	if err != nil {
		return err
	}
	switch {
	case kind != '"':
		r.report("contact-name", "contacts[%d].name (id %q) is %s: %s", i, id, kindName(kind), short(raw))
	case len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0:
		r.report("contact-name", "contacts[%d].name (id %q) is empty", i, id)
	case len(raw) > longName:
		r.report("long-names", "contacts[%d].name (id %q) is %d bytes long", i, id, len(raw)-2)
	}
	if kind == '"' {
		r.damage(i, id, "name", raw)
	}
	return nil
}

// field reads any other field of a contact.
func (r *reader) field(i int, id, name string) error {
	want, known := contactFields[name]
	kind := r.decoder.PeekKind()
	switch {
	case !known:
		r.report("contact-unknown-fields", "contacts[%d] (id %q) has a field %q", i, id, name)
		return r.decoder.SkipValue()
	case kind == 'n':
		r.report("contact-nulls", "contacts[%d].%s (id %q) is null", i, name, id)
		return r.decoder.SkipValue()
	case want == text:
		return r.text(i, id, name, whole)
	case kind != '[':
		r.report("contact-types", "contacts[%d].%s (id %q) is %s, not an array", i, name, id, kindName(kind))
		return r.decoder.SkipValue()
	case want == customFields:
		return r.customFields(i, id)
	}
	elements := 0
	err := r.list(func(j int) error {
		elements++
		return r.text(i, id, name, j)
	})
	if elements == 0 {
		r.report("contact-empties", "contacts[%d].%s (id %q) is an empty array", i, name, id)
	}
	return err
}

// whole says that a field is a text itself and not a list of them.
const whole = -1

// text reads a string: a field's value, or the element of a list.
func (r *reader) text(i int, id, name string, element int) error {
	kind := r.decoder.PeekKind()
	raw, err := r.decoder.ReadValue()
	if err != nil || kind == '"' && len(raw) > 2 && isPlain(raw) {
		return err
	}
	if element != whole {
		name = fmt.Sprintf("%s[%d]", name, element)
	}
	switch {
	case kind != '"':
		r.report("contact-types", "contacts[%d].%s (id %q) is %s, not a string: %s", i, name, id, kindName(kind), short(raw))
	case len(raw) == 2:
		r.report("contact-empties", "contacts[%d].%s (id %q) is an empty string", i, name, id)
	default:
		r.damage(i, id, name, raw)
	}
	return nil
}

func (r *reader) customFields(i int, id string) error {
	elements := 0
	err := r.list(func(j int) error {
		elements++
		return r.customField(i, j, id)
	})
	if elements == 0 {
		r.report("contact-empties", "contacts[%d].custom_fields (id %q) is an empty array", i, id)
	}
	return err
}

func (r *reader) customField(i, j int, id string) error {
	report := func(caseID, what string, args ...any) {
		r.report(caseID, "contacts[%d].custom_fields[%d] (id %q) %s", i, j, id, fmt.Sprintf(what, args...))
	}
	if kind := r.decoder.PeekKind(); kind != '{' && kind != 0 {
		report("contact-types", "is %s, not an object", kindName(kind))
		return r.decoder.SkipValue()
	}
	seen := 0
	err := r.object(func(name string) error {
		if name != "key" && name != "value" {
			report("contact-unknown-fields", "has a field %q", name)
			return r.decoder.SkipValue()
		}
		seen++
		if kind := r.decoder.PeekKind(); kind != '"' && kind != 0 {
			report("contact-types", "has a %s that is %s, not a string", name, kindName(kind))
		}
		return r.decoder.SkipValue()
	})
	if err == nil && seen < 2 {
		report("contact-types", "lacks its key or its value")
	}
	return err
}

var (
	replacement  = []byte("\ufffd")
	escapedNUL   = []byte(`\u0000`)
	doubleCoding = [][]byte{[]byte("Ã©"), []byte("Ã¨"), []byte("Ã¼"), []byte("Ã¶"), []byte("Ã¤"), []byte("Ã±"), []byte("â€™")}
)

// damage reports text that was decoded with the wrong character set somewhere before it came here.
func (r *reader) damage(i int, id, name string, raw []byte) {
	if isPlain(raw) {
		return
	}
	switch {
	case bytes.Contains(raw, replacement):
		r.report("text-damage", "contacts[%d].%s (id %q) holds U+FFFD, a letter that was lost: %s", i, name, id, short(raw))
	case bytes.Contains(raw, escapedNUL):
		r.report("text-damage", "contacts[%d].%s (id %q) holds a NUL, which many databases refuse", i, name, id)
	default:
		for _, d := range doubleCoding {
			if bytes.Contains(raw, d) {
				r.report("text-damage", "contacts[%d].%s (id %q) looks like UTF-8 encoded twice: %s", i, name, id, short(raw))
				return
			}
		}
	}
}

// isPlain reports whether a JSON string is nothing but ASCII without an escape.
func isPlain(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf || c == '\\' {
			return false
		}
	}
	return true
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '0':
		return "a number"
	case '"':
		return "a string"
	case '[':
		return "an array"
	case '{':
		return "an object"
	}
	return "no JSON"
}

// short returns a value, cut so that it fits a line.
func short(raw []byte) string {
	const most = 60
	if len(raw) <= most {
		return string(raw)
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(raw[cut]) {
		cut--
	}
	return string(raw[:cut]) + "…"
}

// reencode returns a JSON value spelled differently: an object's names sorted, no needless white space, escapes resolved. Any
// synchronizer that reads a context and writes it again may do that to it.
func reencode(raw []byte) []byte {
	var v any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if decoder.Decode(&v) != nil {
		return raw
	}
	again, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return again
}
