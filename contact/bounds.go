package contact

import (
	"fmt"
	"unsafe"
)

// The bounds of one contact (D11). A contact beyond them is rejected by itself: the bridge leaves it out, a synchronizer keeps
// it as it was, and the page goes on. A bridge, a client and both stores agree on them.
const (
	MaxID           = 2048 // bytes
	MaxPhones       = 1000
	MaxEmails       = 1000
	MaxWebsites     = 1000
	MaxCustomFields = 1000
	MaxText         = 1 << 20 // bytes of all its texts together
)

// A BoundError says which bound a contact exceeds.
type BoundError struct{ reason string }

// Error returns the whole sentence.
func (e *BoundError) Error() string { return "the contact " + e.reason }

// Reason returns what is wrong as a phrase: "has more than 1000 phones".
func (e *BoundError) Reason() string { return e.reason }

var (
	longID      = fmt.Sprintf("has an id of more than %d bytes", MaxID)
	tooMuchText = fmt.Sprintf("has more than %d KiB of text", MaxText>>10)
)

func tooMany(most int, field string) string { return fmt.Sprintf("has more than %d %s", most, field) }

// exceeded returns the reason why a contact is beyond a bound; empty where it is within all of them.
func (c *Contact) exceeded() string {
	switch {
	case len(c.ID) > MaxID:
		return longID
	case len(c.Phones) > MaxPhones:
		return tooMany(MaxPhones, "phones")
	case len(c.Emails) > MaxEmails:
		return tooMany(MaxEmails, "emails")
	case len(c.Websites) > MaxWebsites:
		return tooMany(MaxWebsites, "websites")
	case len(c.CustomFields) > MaxCustomFields:
		return tooMany(MaxCustomFields, "custom_fields")
	case c.textLen() > MaxText:
		return tooMuchText
	}
	return ""
}

// The memory of a contact without its texts, and of what stands in its lists. A text takes its length, rounded up to what the
// allocator gives.
const (
	memoryOfContact = int(unsafe.Sizeof(Contact{}))
	memoryOfEntry   = int(unsafe.Sizeof(""))
	memoryOfField   = int(unsafe.Sizeof(CustomField{}))
	rounding        = 8
)

// Memory returns about how many bytes of memory the contact holds.
func (c *Contact) Memory() int {
	entries := len(c.Emails) + len(c.Phones) + len(c.Websites)
	texts := 4 + entries + 2*len(c.CustomFields)
	return memoryOfContact + entries*memoryOfEntry + len(c.CustomFields)*memoryOfField + c.textLen() + texts*rounding
}
