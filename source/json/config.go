// Package json is a source of contacts in JSON documents that hold an array of them. Package file is its engine.
package json

import (
	"fmt"
	"strings"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
)

// Config is the configuration of kind json. Names of columns are keys, and paths of keys within objects: address.city.
type Config struct {
	file.Config `yaml:",inline"`
	Records     string `yaml:"records" jsonschema_description:"The path of the array of contacts in the document, such as data.contacts. Default: the document itself if it is an array, else the first array of objects in it; preview says which."`
}

// Title implements [source.Titled].
func (c Config) Title() string { return source.PathTitle(c.Path) }

// revision is the kind's mapping revision: see [source.SettingsOf].
const revision = 2

// New makes the factory of one endpoint. It opens no file.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	var problems source.ConfigErrors
	var path []string
	if cfg.Records != "" {
		path = strings.Split(cfg.Records, ".")
	}
	for _, key := range path {
		problems.If(key == "" || strings.ContainsAny(key, "[]*"), "records", fmt.Sprintf("records cannot be %q", cfg.Records),
			"Write the keys that lead to the array with dots between them, such as data.contacts.")
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return file.New(cfg.Config, format{path}, source.SettingsOf("json", revision, cfg), deps)
}
