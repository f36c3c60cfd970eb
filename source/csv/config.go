// Package csv is a source of contacts in a CSV file, such as an export of a CRM.
package csv

import (
	"errors"
	"time"

	"github.com/contactbridge/contactbridge/source"
)

// Config is the configuration of kind csv.
type Config struct {
	Path          source.Template `yaml:"path" jsonschema:"required" jsonschema_description:"The file. {{auth.name}} may stand in it."`
	Delimiter     string          `yaml:"delimiter"`
	Encoding      string          `yaml:"encoding"`
	ID            string          `yaml:"id" jsonschema:"required"`
	Updated       string          `yaml:"updated"`
	UpdatedLayout string          `yaml:"updated_layout"`
	TimeZone      string          `yaml:"time_zone"`
	Overlap       time.Duration   `yaml:"overlap"`
	Deleted       string          `yaml:"deleted"`
	Fields        source.Fields   `yaml:"fields"`
}

// New makes the factory of one endpoint.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	return nil, errors.New("not built yet")
}
