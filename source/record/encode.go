package record

import (
	"strings"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/contact"
)

// An encoding writes the JSON of contacts straight from the values of records. It is the way of most records; those that it has no answer
// for go the general way: [Mapper.Fill], then all that is done to a contact until it is sent.
type encoding struct {
	name  encodedField
	steps []encodedField // of the other fields, in the order of the wire
}

// An encodedField is a field that is one plain column.
type encodedField struct {
	*mappedField
	at    uint   // its column
	first string // what is written in front of a value: of the field, or of the first one of a list
	more  string // of a list: in front of any other value
	after string // what is written after a value
}

const (
	mostSteps   = 500      // fields; fewer than any list of a contact may have
	mostEncoded = 64 << 10 // bytes of a contact's JSON; fewer than its text may have
	mostCountry = 100      // bytes
)

// wire is the order of the fields in JSON.
var wire = []struct {
	slot slot
	name string
}{
	{slotCountry, ""},
	{slotTitle, "title"},
	{slotCompany, "company"},
	{slotEmails, "emails"},
	{slotPhones, "phones"},
	{slotPhotoURL, "photo_url"},
	{slotAddress, "address"},
	{slotWebsites, "websites"},
	{slotTwitter, "twitter"},
	{slotURL, "url"},
	{slotCustom, "custom_fields"},
}

// newEncoding returns how the contacts of a mapper's fields are written; nil if that takes more than plain columns, a name among them.
func newEncoding(fields []mappedField) *encoding {
	if len(fields) > mostSteps {
		return nil
	}
	e := &encoding{}
	of := map[slot][]*mappedField{}
	for i := range fields {
		f := &fields[i]
		if !f.direct || f.slot == slotNone || f.slot == slotCustom && f.column.Key == "" {
			return nil
		}
		of[f.slot] = append(of[f.slot], f)
	}
	if len(of[slotName]) != 1 {
		return nil
	}
	e.name = encodedField{mappedField: of[slotName][0], at: uint(of[slotName][0].index)}
	for _, field := range wire {
		for _, f := range of[field.slot] {
			step := encodedField{mappedField: f, at: uint(f.index), first: `,"` + field.name + `":`}
			switch {
			case field.slot == slotCustom:
				pair := `{"key":` + string(contact.AppendString(nil, f.column.Key)) + `,"value":`
				step.first, step.more, step.after = step.first+"["+pair, ","+pair, "}"
			case f.column.IsList():
				step.first, step.more = step.first+"[", ","
			case len(of[field.slot]) > 1:
				return nil // the last one that is not empty counts
			}
			e.steps = append(e.steps, step)
		}
	}
	return e
}

// AppendJSON appends the JSON of the contact with an id that [Mapper.Fill] makes of a record's values, as [contact.Contact.AppendJSON]
// writes it, and returns the extended buffer. In the row it leaves a contact that has no more than its id, its lists but the custom fields, and its
// country; they share the bytes of id and values. ok is false, and the row is of no use, where the fields are more than plain columns, and where
// a contact cannot be sent as it is: one without an id or a name, and one that is large.
func (m *Mapper) AppendJSON(dst []byte, row *Row, id string, values [][]byte) (extended []byte, ok bool) {
	e := m.encoding
	if e == nil || isBlank(id) || len(id) > contact.MaxID {
		return dst, false
	}
	name := e.name.value(values)
	if isBlank(name) || e.name.isJSON(name) {
		return dst, false
	}
	row.Start(id, false)
	start := len(dst)
	dst = contact.AppendString(append(dst, `{"id":`...), id)
	dst = contact.AppendString(append(dst, `,"name":`...), name)
	open := slotNone // the list that is written
	for i := range e.steps {
		f := &e.steps[i]
		value := f.value(values)
		if value == "" {
			continue
		}
		if f.isJSON(value) {
			return dst, false
		}
		if f.slot == slotCountry {
			row.Contact.Country = value
			if len(value) > mostCountry {
				return dst, false
			}
			continue
		}
		before := f.first
		if f.more != "" && !row.addListed(f.slot, value) {
			continue
		}
		switch {
		case open == f.slot:
			before = f.more
		case open != slotNone:
			dst, open = append(dst, ']'), slotNone
		}
		if f.more != "" {
			open = f.slot
		}
		dst = contact.AppendString(append(dst, before...), value)
		if f.after != "" {
			dst = append(dst, f.after...)
		}
	}
	if open != slotNone {
		dst = append(dst, ']')
	}
	dst = append(dst, '}')
	return dst, len(dst)-start <= mostEncoded
}

// value returns a record's value of the field; empty if there is none.
func (f *encodedField) value(values [][]byte) string {
	var value []byte
	if f.at < uint(len(values)) {
		value = values[f.at]
	}
	if !isClean(value) { // as almost all are
		value = f.parts[0].cleaned(values, f.index)
	}
	if f.truths && isTruth(value) {
		return ""
	}
	return view(value)
}

// isJSON reports whether a value is decoded before it is put into the field.
func (f *encodedField) isJSON(value string) bool {
	return f.decode && (value[0] == '[' || value[0] == '{')
}

// addListed puts a value into a list of the contact. It reports whether it was not there yet. Custom fields are all written.
func (r *Row) addListed(s slot, value string) bool {
	c := &r.Contact
	list := &c.Websites
	switch s {
	case slotCustom:
		return true
	case slotEmails:
		list = &c.Emails
	case slotPhones:
		list = &c.Phones
	}
	n := len(*list)
	*list = add(*list, value)
	return len(*list) > n
}

// isBlank reports whether there is nothing but space in a text.
func isBlank(text string) bool {
	if text != "" && text[0] > ' ' && text[0] < utf8.RuneSelf {
		return false
	}
	return strings.TrimSpace(text) == ""
}
