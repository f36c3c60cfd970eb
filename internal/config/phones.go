package config

import (
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/phone"
	"github.com/contactbridge/contactbridge/source"
)

// Phones says what happens to phone numbers.
type Phones struct {
	Region string `yaml:"region" jsonschema_description:"The country whose national numbers are written without a country code, in two letters: US, PT, BR."`
	Format string `yaml:"format" jsonschema:"enum=e164,enum=as-is" jsonschema_description:"e164 sends +15555550100; what is no phone number is sent as it is written. as-is sends every number as the external service has it. Default: e164 where region is given, otherwise as-is."`
}

// The formats of phone numbers.
const (
	FormatE164 = "e164"
	FormatAsIs = "as-is"
)

// phonesRevision is raised when the same phone settings begin to write numbers in another way, and never otherwise.
const phonesRevision = 1

// settings are what of the phone settings checkpoints belong to; the default is left out.
func (p Phones) settings() source.Settings {
	if p.Format == p.defaultFormat() {
		p.Format = ""
	}
	return source.SettingsOf("phones", phonesRevision, p)
}

// defaultFormat is the format where none is configured.
func (p Phones) defaultFormat() string {
	if p.Region != "" {
		return FormatE164
	}
	return FormatAsIs
}

// Prepare is what is done to a contact's numbers before it is sent; nil where they stay as they are.
func (p Phones) Prepare() func(*contact.Contact) {
	if p.Format != FormatE164 {
		return nil
	}
	return func(c *contact.Contact) { formatPhones(c.Phones, p.Region) }
}

// formatPhones turns numbers into E.164 in place. The new ones share one allocation.
func formatPhones(phones []string, region string) {
	var textSpace [96]byte
	var endSpace [8]int
	text, ends, changed := textSpace[:0], endSpace[:0], false
	for _, raw := range phones {
		start := len(text)
		text = phone.AppendFormat(text, raw, region)
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
