package directory

import "github.com/contactbridge/contactbridge/contact"

// Decoded are the contacts that a lookup has decoded, by the store's key: a contact is decoded once, however many of its numbers
// agree. The usual lookup finds one contact, and costs no map. The zero value holds none.
type Decoded struct {
	key  int64
	one  contact.Contact
	more map[int64]contact.Contact
}

// Find sets c to a contact that was decoded already, and reports whether it was.
func (d *Decoded) Find(key int64, c *contact.Contact) (found bool) {
	if d.key == key && d.one.ID != "" {
		*c = d.one
		return true
	}
	if d.more != nil {
		*c, found = d.more[key]
	}
	return found
}

// Keep remembers a contact.
func (d *Decoded) Keep(key int64, c *contact.Contact) {
	if d.one.ID == "" {
		d.key, d.one = key, *c
		return
	}
	if d.more == nil {
		d.more = map[int64]contact.Contact{}
	}
	d.more[key] = *c
}
