package config

import (
	"slices"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/cell"
	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/phone"
	"github.com/contactbridge/contactbridge/source"
)

// Phones says what happens to phone numbers.
type Phones struct {
	Region string `yaml:"region" jsonschema_description:"The country of numbers that are written without a country code, in two letters: US, PT, BR. A contact's own country (source.fields.country) goes before it."`
	Format string `yaml:"format" jsonschema:"enum=e164,enum=as-is" jsonschema_description:"e164 sends +15555550100; anything that is not a phone number is sent as it is written. A number that is not valid in its contact's country, where that is another than region, is sent with that country's code. as-is sends every number as the external service has it, and in e164 only where the contact's country is another than region. Either way several numbers in one cell are sent as several. Default: e164 where region is given, otherwise as-is."`
}

// The formats of phone numbers.
const (
	FormatE164 = "e164"
	FormatAsIs = "as-is"
)

// phonesRevision is raised when the same phone settings begin to write numbers in another way, and never otherwise.
const phonesRevision = 1

// settings returns the phone settings that checkpoints belong to, without those that have their default.
func (p Phones) settings() source.Settings {
	if p.Format == p.defaultFormat() {
		p.Format = ""
	}
	return source.SettingsOf("phones", phonesRevision, p)
}

// defaultFormat returns the format where none is configured.
func (p Phones) defaultFormat() string {
	if p.Region != "" {
		return FormatE164
	}
	return FormatAsIs
}

// Prepare returns what is done to a contact before it is sent: cells with several phone numbers, e-mail addresses or websites
// are taken apart, and numbers are written as Format says.
func (p Phones) Prepare() func(*contact.Contact) {
	return func(c *contact.Contact) {
		region, e164 := p.Of(c.Country)
		c.Phones = p.split(c.Phones, region)
		switch {
		case e164:
			formatPhones(c.Phones, region, p.Region)
		default:
			for i, raw := range c.Phones {
				c.Phones[i] = phone.Tidy(raw)
			}
		}
		c.Emails = cell.EachEmail(c.Emails)
		c.Websites = cell.EachWebsite(c.Websites)
	}
}

// Leaves returns a function that reports whether what Prepare returns would leave a contact exactly as it is; nil where that takes as long as
// doing it.
func (p Phones) Leaves() func(*contact.Contact) bool {
	if p.Format == FormatE164 {
		return nil
	}
	return func(c *contact.Contact) bool {
		if _, e164 := p.Of(c.Country); e164 {
			return false
		}
		for _, raw := range c.Phones {
			if !phone.IsOne(raw) || phone.Tidy(raw) != raw {
				return false
			}
		}
		return slices.Equal(cell.EachEmail(c.Emails), c.Emails) && slices.Equal(cell.EachWebsite(c.Websites), c.Websites)
	}
}

// Of returns how the numbers of a contact of a country are read, and whether they are sent in E.164: as the configuration
// says, or, as-is, where the receiver would read them as another country's.
func (p Phones) Of(of string) (region string, e164 bool) {
	region, e164 = p.Region, p.Format == FormatE164
	if of == "" {
		return region, e164
	}
	if code := country.Code(of); code != "" && code != region {
		return code, true
	}
	return region, e164
}

// split takes cells with several numbers apart. Without such a cell it returns the list itself, which is the caller's.
func (p Phones) split(phones []string, region string) []string {
	if !slices.ContainsFunc(phones, func(raw string) bool { return !phone.IsOne(raw) }) {
		return phones
	}
	list, same := make([]string, 0, len(phones)+1), true
	for _, raw := range phones {
		parts := phone.Split(raw, region)
		same = same && len(parts) == 1 && parts[0] == raw
		for _, part := range parts {
			if len(list) > most || !slices.Contains(list, part) {
				list = append(list, part)
			}
		}
	}
	if same {
		return phones
	}
	return list
}

// most is up to how many numbers a contact may have for a repeated one to be looked for.
const most = 100

// formatPhones turns a region's numbers into E.164 in place. A receiver in another region, reader, gets those that are not valid with their
// calling code, too: it would read them as its own. The new ones share one allocation.
func formatPhones(phones []string, region, reader string) {
	var textSpace [96]byte
	var endSpace [8]int
	text, ends, changed := textSpace[:0], endSpace[:0], false
	for _, raw := range phones {
		start := len(text)
		if region == reader {
			text = phone.AppendFormat(text, raw, region)
		} else {
			text = phone.AppendAbroad(text, raw, region)
		}
		ends = append(ends, len(text))
		changed = changed || string(text[start:]) != raw
	}
	if !changed {
		return
	}
	all, start := string(text), 0
	for i, end := range ends {
		phones[i], start = all[start:end], end
	}
}
