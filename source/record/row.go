package record

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/cell"
)

// A Column is one expression of a query and where its value goes in a contact.
type Column struct {
	Field string // one of source's Field constants
	Key   string // the custom field's key
	From  string // the expression, as configured or found
	Path  string // where it stands in the configuration: "fields.phones[1]"
	Auto  bool   // found by its usual name
	// Found are the names of the columns that From is made of, where it is an expression that was made up for columns found
	// by their usual names. People are shown these.
	Found []string
}

// IsList reports whether the column's values make a list.
func (c Column) IsList() bool {
	return c.Field == FieldEmails || c.Field == FieldPhones || c.Field == FieldWebsites
}

// Columns lists the configured fields in the order of bridge documents.
func Columns(f Fields) []Column {
	var list []Column
	seen := map[string]int{}
	for _, m := range f.Mapped() {
		c := Column{Field: m.Field, From: m.From, Path: "fields." + m.Field}
		if key, custom := strings.CutPrefix(m.Field, FieldCustom+"."); custom {
			c.Field, c.Key = FieldCustom, key
		}
		if c.IsList() {
			c.Path += "[" + strconv.Itoa(seen[c.Field]) + "]"
			seen[c.Field]++
		}
		list = append(list, c)
	}
	return list
}

// Mapping says what became what, for an inspection.
func Mapping(id string, columns []Column) []Mapped {
	list := []Mapped{{Field: "id", From: id}}
	for _, c := range columns {
		m := Mapped{Field: c.Field, From: cmp.Or(strings.Join(c.Found, ", "), c.From), Auto: c.Auto}
		if c.Key != "" {
			m.Field += "." + c.Key
		}
		list = append(list, m)
	}
	return list
}

// A Row is the contact that is being read. It is used again for the next one.
type Row struct {
	bridge.Change
	// Bare says of the values of the record that is read, by their columns, which are JSON's numbers and truth values rather than texts: they are
	// compared, and judged by conditions, as such. Nil where none is.
	Bare []bool
	eval *evaluator // of expressions; nil until one is run
}

// Start makes the row an empty contact with an id. The id may be empty: such a contact cannot be sent, which is for the
// handler to say (D6).
func (r *Row) Start(id string, deleted bool) {
	c := &r.Contact
	*c = contact.Contact{
		ID: id, Emails: c.Emails[:0], Phones: c.Phones[:0], Websites: c.Websites[:0], CustomFields: c.CustomFields[:0],
	}
	r.Deleted, r.Rejected, r.JSON = deleted, "", nil
}

// Set puts a column's value into the contact. Empty values are left out (D1), and so are values that a list holds
// already.
func (r *Row) Set(c *Column, value string) {
	if value != "" {
		r.put(slotOf(c.Field), c, value)
	}
}

// A slot is a field of a contact, as a number.
type slot uint8

const (
	slotNone slot = iota
	slotName
	slotTitle
	slotCompany
	slotEmails
	slotPhones
	slotWebsites
	slotPhotoURL
	slotAddress
	slotTwitter
	slotURL
	slotCountry
	slotCustom
)

// slotOf returns the slot of one of the Field constants.
func slotOf(field string) slot {
	switch field {
	case FieldName:
		return slotName
	case FieldTitle:
		return slotTitle
	case FieldCompany:
		return slotCompany
	case FieldEmails:
		return slotEmails
	case FieldPhones:
		return slotPhones
	case FieldWebsites:
		return slotWebsites
	case FieldPhotoURL:
		return slotPhotoURL
	case FieldAddress:
		return slotAddress
	case FieldTwitter:
		return slotTwitter
	case FieldURL:
		return slotURL
	case FieldCountry:
		return slotCountry
	case FieldCustom:
		return slotCustom
	}
	return slotNone
}

// put is Set for a value that is not empty and a slot that is known.
func (r *Row) put(s slot, c *Column, value string) {
	to := &r.Contact
	switch s {
	case slotName:
		to.Name = value
	case slotTitle:
		to.Title = value
	case slotCompany:
		to.Company = value
	case slotEmails:
		to.Emails = add(to.Emails, value)
	case slotPhones:
		to.Phones = add(to.Phones, value)
	case slotWebsites:
		to.Websites = add(to.Websites, value)
	case slotPhotoURL:
		to.PhotoURL = value
	case slotAddress:
		to.Address = value
	case slotTwitter:
		to.Twitter = value
	case slotURL:
		to.URL = value
	case slotCountry:
		to.Country = value
	case slotCustom:
		to.CustomFields = append(to.CustomFields, contact.CustomField{Key: c.Key, Value: value})
	}
}

// SetJSON puts the texts and numbers of JSON into a list: those of an array, of objects with a value, of nested arrays; or a
// JSON text; nothing of JSON that holds no value. It returns false where the value is not such JSON: it means itself then.
func (r *Row) SetJSON(c *Column, value string) bool {
	var text string
	if value[0] == '"' && json.Unmarshal([]byte(value), &text) == nil {
		r.Set(c, text)
		return true
	}
	values, ok := cell.JSON(value)
	for _, text := range values {
		r.Set(c, text)
	}
	return ok || value == "null"
}

// add appends a value that is not there yet. A list that is beyond a contact's bounds already, so that the contact is left out,
// does not grow on.
func add(list []string, value string) []string {
	if len(list) > mostListed || slices.Contains(list, value) {
		return list
	}
	return append(list, value)
}

// mostListed is the longest of the lists that a contact may have.
const mostListed = max(contact.MaxPhones, contact.MaxEmails, contact.MaxWebsites)
