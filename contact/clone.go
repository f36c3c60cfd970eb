package contact

import "strings"

// Clone returns a copy that shares no memory with c, strings included.
func (c *Contact) Clone() Contact {
	var text strings.Builder // one piece of memory for all strings
	text.Grow(c.textLen())
	keep := func(s string) string {
		start := text.Len()
		text.WriteString(s)
		return text.String()[start:]
	}
	keepAll := func(list []string) []string {
		if list == nil {
			return nil
		}
		kept := make([]string, len(list))
		for i, s := range list {
			kept[i] = keep(s)
		}
		return kept
	}
	d := Contact{
		ID: keep(c.ID), Name: keep(c.Name), Title: keep(c.Title), Company: keep(c.Company),
		Emails: keepAll(c.Emails), Phones: keepAll(c.Phones), Websites: keepAll(c.Websites),
		PhotoURL: keep(c.PhotoURL), Address: keep(c.Address), Twitter: keep(c.Twitter), URL: keep(c.URL), Country: keep(c.Country),
	}
	if c.CustomFields != nil {
		d.CustomFields = make([]CustomField, len(c.CustomFields))
		for i, f := range c.CustomFields {
			d.CustomFields[i] = CustomField{Key: keep(f.Key), Value: keep(f.Value)}
		}
	}
	return d
}

// textLen returns the number of bytes in all of the contact's strings.
func (c *Contact) textLen() int {
	n := len(c.ID) + len(c.Name) + len(c.Title) + len(c.Company) +
		len(c.PhotoURL) + len(c.Address) + len(c.Twitter) + len(c.URL) + len(c.Country)
	for _, list := range [...][]string{c.Emails, c.Phones, c.Websites} {
		for _, s := range list {
			n += len(s)
		}
	}
	for _, f := range c.CustomFields {
		n += len(f.Key) + len(f.Value)
	}
	return n
}
