package contact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Decode reads the decoder's next value into c, leniently (D1): null is the same as absent, unknown fields are ignored, a
// number is taken by its literal text where a string is due, a string stands for an array of one, a custom field's value
// may be a number or a boolean. [NewDecoder] makes a decoder that is as lenient.
//
// A contact that cannot be taken gives a reason, a phrase such as "has no id"; the decoder stands behind the contact then,
// and c.ID is set if it has one. A missing name is no reason: see [Contact.FillName]. err is the decoder's: what it reads is
// not JSON, or could not be read; nothing more can be read from it.
func (c *Contact) Decode(dec *jsontext.Decoder) (reason string, err error) {
	*c = Contact{}
	if kind := dec.PeekKind(); kind != '{' {
		if err := dec.SkipValue(); err != nil {
			return "", err
		}
		return "is " + kindName(kind) + ", not an object", nil
	}
	d := decoder{json: dec}
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
	json   *jsontext.Decoder
	reason string
}

func (d *decoder) reject(name string, kind jsontext.Kind, due string) {
	if d.reason == "" {
		d.reason = name + " is " + kindName(kind) + ", not " + due
	}
}

// object reads an object and calls field behind every name.
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

// field reads the value behind one of the contact's names. The name is quoted as on the wire.
func (d *decoder) field(c *Contact, name []byte) error {
	if bytes.IndexByte(name, '\\') >= 0 {
		return d.escapedField(c, name)
	}
	switch string(name) { // the name's bytes are the decoder's: gone with the next read
	case `"id"`:
		return d.text("id", &c.ID)
	case `"name"`:
		return d.text("name", &c.Name)
	case `"title"`:
		return d.text("title", &c.Title)
	case `"company"`:
		return d.text("company", &c.Company)
	case `"emails"`:
		return d.list("emails", &c.Emails)
	case `"phones"`:
		return d.list("phones", &c.Phones)
	case `"websites"`:
		return d.list("websites", &c.Websites)
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

// escapedField is field for a name with escapes in it, which nobody writes but anybody may.
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
		*into = unquote(value)
	case '0':
		*into = string(value)
	case 'n':
		*into = ""
	default:
		d.reject(name, kind, "a string")
	}
	return nil
}

// list reads an array of strings, or one string. Entries that are null or empty are passed over.
func (d *decoder) list(name string, into *[]string) error {
	*into = nil
	kind := d.json.PeekKind()
	if kind != '[' {
		return d.listOfOne(name, into)
	}
	if _, err := d.json.ReadToken(); err != nil {
		return err
	}
	for {
		switch kind := d.json.PeekKind(); kind {
		case ']', 0:
			_, err := d.json.ReadToken()
			return err
		default:
			var entry string
			if err := d.entry(name, &entry); err != nil {
				return err
			}
			if entry != "" {
				*into = append(*into, entry)
			}
		}
	}
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
	for d.json.PeekKind() == '{' || d.json.PeekKind() == 'n' {
		var f CustomField
		if err := d.customField(&f); err != nil {
			return err
		}
		if f.Key != "" && f.Value != "" {
			c.CustomFields = append(c.CustomFields, f)
		}
	}
	return d.endOfCustomFields()
}

// endOfCustomFields reads to the array's end, past entries that are no objects.
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

// unquote is the text of a JSON string, always valid UTF-8.
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
