package bridge

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/charset"
)

// inUTF8 returns the answer's body in UTF-8. It is read through the answer's body still.
func (a *answer) inUTF8() (io.Reader, error) {
	body, text, err := charset.Decode(a.body, a.res.Header.Get("Content-Type"))
	if unknown, ok := errors.AsType[*charset.UnknownError](err); ok {
		return nil, a.badAnswer("the answer's character set "+a.quoted(unknown.Name, others)+" is unknown", "Let the bridge answer in UTF-8.")
	}
	if a.body, a.text = body, text; text != nil {
		return text, nil
	}
	return body, nil
}

// judge returns why a contact cannot be taken as it was read from a text: "" where it can.
func judge(t *charset.Reader, c *contact.Contact) (reason string) {
	if !t.IsDamaged() {
		return ""
	}
	texts := []string{c.ID, c.Name, c.Title, c.Company, c.PhotoURL, c.Address, c.Twitter, c.URL}
	texts = slices.Concat(texts, c.Emails, c.Phones, c.Websites)
	for _, f := range c.CustomFields {
		texts = append(texts, f.Key, f.Value)
	}
	for _, text := range texts {
		if !t.IsWhole(text) {
			return charset.Why
		}
	}
	return ""
}

// checkText refuses a page of which something else than a contact is damaged.
func checkText(t *charset.Reader, p *Page) error {
	for name, texts := range map[string][]string{
		"next_offset": {p.NextOffset}, "synchronization_checkpoint": {p.Checkpoint}, "deleted_contacts": p.Deleted, "context": {string(p.Context)},
	} {
		for _, text := range texts {
			if !t.IsWhole(text) {
				return &fieldError{fmt.Sprintf("%s is not UTF-8, and the answer is not in ISO-8859-1 either", name)}
			}
		}
	}
	return nil
}
