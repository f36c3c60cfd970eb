package memory

import (
	"fmt"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// Config is the configuration of kind memory.
type Config struct {
	Contacts []Contact `yaml:"contacts" digest:"-" jsonschema:"required" hint:"List the contacts to serve." jsonschema_description:"The contacts."`
}

// A Contact is one contact of a configuration.
type Contact struct {
	ID           string              `yaml:"id" jsonschema:"required" jsonschema_description:"Unique among the contacts." hint:"Write an id that no other contact has."`
	Name         string              `yaml:"name"`
	Title        string              `yaml:"title"`
	Company      string              `yaml:"company"`
	Emails       record.Expressions  `yaml:"emails"`
	Phones       record.Expressions  `yaml:"phones"`
	Websites     record.Expressions  `yaml:"websites"`
	PhotoURL     string              `yaml:"photo_url"`
	Address      string              `yaml:"address"`
	Twitter      string              `yaml:"twitter"`
	URL          string              `yaml:"url"`
	Country      string              `yaml:"country" jsonschema_description:"The country that national phone numbers belong to, by code or name. It is not sent."`
	CustomFields record.CustomFields `yaml:"custom_fields"`
	Updated      string              `yaml:"updated" jsonschema_description:"When it was changed last: 2024-05-01 or 2024-05-01T10:00:00Z. If no contact says it, every change of the configuration sends all contacts again."`
	Deleted      bool                `yaml:"deleted" jsonschema_description:"The contact is gone."`
}

// New makes the factory of one endpoint. It finds every problem at once.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	store := NewStore(deps.Defaults().Clock)
	store.fixed, store.endpoint = true, deps.Endpoint
	var errs source.ConfigErrors
	errs.If(len(cfg.Contacts) == 0, "contacts", "contacts is missing", "List the contacts to serve.")
	indexes := map[string]int{}
	for i, c := range cfg.Contacts {
		updated, err := c.check(indexes, i)
		errs.Add(err)
		if err == nil {
			store.load(c.contact(), updated, c.Deleted)
		}
	}
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return store.Factory(), nil
}

// check finds what is wrong with a contact, and when it was updated. seen holds the indexes of those before it, by id.
func (c Contact) check(seen map[string]int, index int) (time.Time, error) {
	key := fmt.Sprintf("contacts[%d]", index)
	if c.ID == "" {
		return time.Time{}, &source.ConfigError{Key: key, Message: key + ".id is missing", Hint: "Write an id that no other contact has."}
	}
	if first, ok := seen[c.ID]; ok {
		return time.Time{}, &source.ConfigError{
			Key: key + ".id", Message: fmt.Sprintf("%s.id cannot be %q: contacts[%d] has it already", key, c.ID, first), Hint: "Write an id that no other contact has.",
		}
	}
	seen[c.ID] = index
	if c.Updated == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, c.Updated); err == nil {
			return t, nil
		}
	}
	return time.Time{}, &source.ConfigError{
		Key: key + ".updated", Message: fmt.Sprintf("%s.updated cannot be %q", key, c.Updated), Hint: "Write a time such as 2024-05-01T10:00:00Z, or a date.",
	}
}

func (c Contact) contact() contact.Contact {
	made := contact.Contact{
		ID: c.ID, Name: c.Name, Title: c.Title, Company: c.Company, Emails: c.Emails, Phones: c.Phones, Websites: c.Websites,
		PhotoURL: c.PhotoURL, Address: c.Address, Twitter: c.Twitter, URL: c.URL, Country: c.Country,
	}
	for _, f := range c.CustomFields {
		made.CustomFields = append(made.CustomFields, contact.CustomField{Key: f.Key, Value: f.Expression})
	}
	return made
}
