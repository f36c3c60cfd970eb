// Package memory is a source of contacts that are held in memory: those of a configuration, to try without a database, or
// those of a test. It is the reference of the source contract: it knows its own transactions, so its horizon is exact.
package memory

import (
	"errors"

	"github.com/contactbridge/contactbridge/source"
)

// Config is the configuration of kind memory.
type Config struct {
	Contacts []Contact `yaml:"contacts" jsonschema:"required" jsonschema_description:"The contacts."`
}

// A Contact is one contact of a configuration.
type Contact struct {
	ID           string              `yaml:"id" jsonschema:"required"`
	Name         string              `yaml:"name"`
	Title        string              `yaml:"title"`
	Company      string              `yaml:"company"`
	Emails       source.Expressions  `yaml:"emails"`
	Phones       source.Expressions  `yaml:"phones"`
	Websites     source.Expressions  `yaml:"websites"`
	PhotoURL     string              `yaml:"photo_url"`
	Address      string              `yaml:"address"`
	Twitter      string              `yaml:"twitter"`
	URL          string              `yaml:"url"`
	CustomFields source.CustomFields `yaml:"custom_fields"`
	Updated      string              `yaml:"updated" jsonschema_description:"When it was changed last (RFC 3339)."`
	Deleted      bool                `yaml:"deleted"`
}

// New makes the factory of one endpoint.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	return nil, errors.New("not built yet")
}
