package contact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Decode reads the decoder's next value into c, leniently (D1): null is the same as absent, unknown fields are ignored, a
// number is taken by its literal text where a string is due, a string stands for an array of one, a custom field's value
// may be a number or a boolean. [NewDecoder] makes a decoder that is as lenient.
//
// A contact that cannot be stored gives a reason, a phrase such as "has no id"; the decoder then stands after the contact,
// and c.ID is set if it has one. A missing name is not a reason: see [Contact.FillName]. err is the decoder's: what it reads is
// not JSON, or could not be read; nothing more can be read from it.
func (c *Contact) Decode(dec *jsontext.Decoder) (reason string, err error) {
	d := decoder{json: dec}
	return d.contact(c)
}

// DecodeBounded is [Contact.Decode] for what others send: a contact beyond the bounds ([MaxPhones] and others) gives a reason too,
// and what is beyond them is read over without being kept. An id that is too long is cut.
func (c *Contact) DecodeBounded(dec *jsontext.Decoder) (reason string, err error) {
	d := decoder{json: dec, bounded: true}
	if reason, err = d.contact(c); err != nil || reason != "" {
		return reason, err
	}
	return c.exceeded(), nil
}

// contact reads one contact.
func (d *decoder) contact(c *Contact) (reason string, err error) {
	*c = Contact{}
	dec := d.json
	if kind := dec.PeekKind(); kind != '{' {
		if err := dec.SkipValue(); err != nil {
			return "", err
		}
		return "is " + kindName(kind) + ", not an object", nil
	}
	if err := d.object(func(name []byte) error { return d.field(c, name) }); err != nil {
		return "", err
	}
	if d.reason == "" && blank(c.ID) {
		d.reason = "has no id"
	}
	return d.reason, nil
}

// NewDecoder returns a decoder for what others wrote: it lets duplicate names and invalid UTF-8 through (D1).
func NewDecoder(r io.Reader) *jsontext.Decoder {
	return jsontext.NewDecoder(r, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// UnmarshalJSON is [Contact.Decode] for encoding/json; a contact that cannot be taken is an error.
func (c *Contact) UnmarshalJSON(data []byte) error {
	dec := NewDecoder(bytes.NewBuffer(data))
	reason, err := c.Decode(dec)
	if err != nil {
		return fmt.Errorf("decode contact: %w", err)
	}
	if reason != "" {
		return errors.New("decode contact: " + reason)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("decode contact: something follows it")
	}
	return nil
}

// A decoder reads one contact. It keeps the first reason why the contact cannot be taken and goes on, so that its id is
// known in any case.
type decoder struct {
	json    *jsontext.Decoder
	bounded bool // by the bounds of a contact
	taken   int  // bytes of text, where bounded
	reason  string
}

func (d *decoder) reject(name string, kind jsontext.Kind, due string) {
	if d.reason == "" {
		d.reason = name + " is " + kindName(kind) + ", not " + due
	}
}

// object reads an object and calls field after every name.
func (d *decoder) object(field func(name []byte) error) error {
	if _, err := d.json.ReadToken(); err != nil {
		return err
	}
	for d.json.PeekKind() == '"' {
		name, err := d.json.ReadValue()
		if err != nil {
			return err
		}
		if err := field(name); err != nil {
			return err
		}
	}
	_, err := d.json.ReadToken()
	return err
}

// field reads the value after one of the contact's names. The name is quoted as on the wire.
func (d *decoder) field(c *Contact, name []byte) error {
	if bytes.IndexByte(name, '\\') >= 0 {
		return d.escapedField(c, name)
	}
	switch string(name) { // the name's bytes are the decoder's: gone with the next read
	case `"id"`:
		return d.id(c)
	case `"name"`:
		return d.text("name", &c.Name)
	case `"title"`:
		return d.text("title", &c.Title)
	case `"company"`:
		return d.text("company", &c.Company)
	case `"emails"`:
		return d.list("emails", MaxEmails, &c.Emails)
	case `"phones"`:
		return d.list("phones", MaxPhones, &c.Phones)
	case `"websites"`:
		return d.list("websites", MaxWebsites, &c.Websites)
	case `"photo_url"`:
		return d.text("photo_url", &c.PhotoURL)
	case `"address"`:
		return d.text("address", &c.Address)
	case `"twitter"`:
		return d.text("twitter", &c.Twitter)
	case `"url"`:
		return d.text("url", &c.URL)
	case `"custom_fields"`:
		return d.customFields(c)
	}
	return d.json.SkipValue()
}

// escapedField is field for a name with escapes in it, which is unusual but valid.
func (d *decoder) escapedField(c *Contact, name []byte) error {
	plain, _ := jsontext.AppendUnquote([]byte{'"'}, name)
	if bytes.IndexByte(plain, '\\') >= 0 {
		return d.json.SkipValue()
	}
	return d.field(c, append(plain, '"'))
}

// text reads a string; null leaves it empty.
func (d *decoder) text(name string, into *string) error {
	value, err := d.json.ReadValue()
	if err != nil {
		return err
	}
	switch kind := value.Kind(); kind {
	case '"':
		if d.room(len(value) - len(`""`)) {
			*into = unquote(value)
		}
	case '0':
		if d.room(len(value)) {
			*into = string(value)
		}
	case 'n':
		*into = ""
	default:
		d.reject(name, kind, "a string")
	}
	return nil
}

// room takes room for a text as it stands on the wire. Where the contact has too much of it, it is rejected and has no room.
func (d *decoder) room(n int) bool {
	if !d.bounded {
		return true
	}
	if d.taken += n; d.taken <= MaxText {
		return true
	}
	if d.reason == "" {
		d.reason = tooMuchText
	}
	return false
}

// id reads the id. It is kept whatever room the contact has left, since a contact that is rejected is known by it.
func (d *decoder) id(c *Contact) error {
	bounded := d.bounded
	d.bounded = false
	err := d.text("id", &c.ID)
	d.bounded = bounded
	if bounded && len(c.ID) > MaxID {
		c.ID = strings.Clone(strings.ToValidUTF8(c.ID[:MaxID], ""))
		if d.reason == "" {
			d.reason = longID
		}
	}
	return err
}

// list reads an array of strings, or one string. Entries that are null or empty are passed over.
func (d *decoder) list(name string, most int, into *[]string) error {
	*into = nil
	kind := d.json.PeekKind()
	if kind != '[' {
		return d.listOfOne(name, into)
	}
	if _, err := d.json.ReadToken(); err != nil {
		return err
	}
	var list gathered[string]
	for {
		switch kind := d.json.PeekKind(); kind {
		case ']', 0:
			*into = list.exactly(&texts)
			_, err := d.json.ReadToken()
			return err
		default:
			var entry string
			if err := d.entry(name, &entry); err != nil {
				return err
			}
			if entry != "" && d.roomFor(list.n, most, name) {
				list.add(&texts, entry)
			}
		}
	}
}

// A gathered list has an unknown length until its end. What is gathered first is lent, so that in the end the list
// costs its own memory and no more.
type gathered[T any] struct {
	n    int
	only T // the first entry, and often the last
	lent *[]T
}

var (
	texts  = sync.Pool{New: func() any { return new([]string) }}
	fields = sync.Pool{New: func() any { return new([]CustomField) }}
)

func (g *gathered[T]) add(lender *sync.Pool, entry T) {
	g.n++
	if g.n == 1 {
		g.only = entry
		return
	}
	if g.lent == nil {
		g.lent = lender.Get().(*[]T)
		*g.lent = append((*g.lent)[:0], g.only)
	}
	*g.lent = append(*g.lent, entry)
}

// exactly returns the list, nil if it is empty, and gives back what was lent.
func (g *gathered[T]) exactly(lender *sync.Pool) []T {
	if g.lent == nil {
		if g.n == 0 {
			return nil
		}
		return []T{g.only}
	}
	list := make([]T, g.n)
	copy(list, *g.lent)
	if cap(*g.lent) <= mostLent {
		clear(*g.lent)
		lender.Put(g.lent)
	}
	return list
}

// mostLent is the longest list that leaves its memory to others.
const mostLent = 2048

// roomFor reports whether a list that has n entries has room for another one. Where it has none, the contact is rejected.
func (d *decoder) roomFor(n, most int, name string) bool {
	if !d.bounded || n < most {
		return true
	}
	if d.reason == "" {
		d.reason = tooMany(most, name)
	}
	return false
}

func (d *decoder) listOfOne(name string, into *[]string) error {
	value, err := d.json.ReadValue()
	if err != nil {
		return err
	}
	switch kind := value.Kind(); kind {
	case '"':
		if entry := unquote(value); entry != "" {
			*into = []string{entry}
		}
	case '0':
		*into = []string{string(value)}
	case 'n':
	default:
		d.reject(name, kind, "an array of strings")
	}
	return nil
}

// entry reads one entry of an array of strings.
func (d *decoder) entry(name string, into *string) error {
	reason := d.reason
	err := d.text(name, into)
	if d.reason != reason {
		d.reason = name + " holds something that is not a string"
	}
	return err
}

// customFields reads the array of custom fields. A field without a key says nothing and is passed over.
func (d *decoder) customFields(c *Contact) error {
	c.CustomFields = nil
	kind := d.json.PeekKind()
	if kind != '[' {
		if kind != 'n' && kind != 0 {
			d.reject("custom_fields", kind, "an array")
		}
		return d.json.SkipValue()
	}
	if _, err := d.json.ReadToken(); err != nil {
		return err
	}
	var list gathered[CustomField]
	for d.json.PeekKind() == '{' || d.json.PeekKind() == 'n' {
		var f CustomField
		if err := d.customField(&f); err != nil {
			return err
		}
		if f.Key != "" && f.Value != "" && d.roomFor(list.n, MaxCustomFields, "custom_fields") {
			list.add(&fields, f)
		}
	}
	c.CustomFields = list.exactly(&fields)
	return d.endOfCustomFields()
}

// endOfCustomFields reads to the array's end, past entries that are not objects.
func (d *decoder) endOfCustomFields() error {
	for {
		kind := d.json.PeekKind()
		if kind == ']' || kind == 0 {
			_, err := d.json.ReadToken()
			return err
		}
		d.reject("custom_fields", kind, "an array of objects")
		if err := d.json.SkipValue(); err != nil {
			return err
		}
	}
}

func (d *decoder) customField(f *CustomField) error {
	if d.json.PeekKind() == 'n' {
		return d.json.SkipValue()
	}
	return d.object(func(name []byte) error {
		switch string(name) {
		case `"key"`:
			return d.text("a custom field's key", &f.Key)
		case `"value"`:
			return d.customValue(&f.Value)
		}
		return d.json.SkipValue()
	})
}

// customValue reads a custom field's value: text, or a number or boolean as its literal.
func (d *decoder) customValue(into *string) error {
	if kind := d.json.PeekKind(); kind != 't' && kind != 'f' {
		return d.text("a custom field's value", into)
	}
	value, err := d.json.ReadValue()
	*into = string(value)
	return err
}

// unquote returns the text of a JSON string, always valid UTF-8.
func unquote(quoted []byte) string {
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text) {
		return string(text)
	}
	clean, _ := jsontext.AppendUnquote(nil, quoted) // its error says that bytes were replaced
	return string(clean)
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
