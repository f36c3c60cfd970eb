// Package kinds is the table of source kinds: what can stand behind an endpoint's "kind".
package kinds

import (
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/csv"
	"github.com/contactbridge/contactbridge/source/memory"
	"github.com/contactbridge/contactbridge/source/postgres"
	"github.com/contactbridge/contactbridge/source/sqlite"
)

// A Kind is one kind of external service.
type Kind struct {
	Name    string // as written in a configuration
	Summary string // one line
	// Config is a pointer to an empty configuration of this kind, for the JSON Schema. It has no key "kind".
	Config func() any
	// New makes an endpoint's factory. decode fills the kind's configuration from the endpoint's "source", without its key
	// "kind", and must refuse unknown keys. Neither New nor decode connects to anything.
	New func(decode func(into any) error, deps source.Deps) (source.Factory, error)
}

// All lists the kinds in the order in which they are documented.
func All() []Kind {
	return []Kind{
		kind("postgres", "A PostgreSQL table, view or query.", postgres.New),
		kind("sqlite", "A table, view or query of an SQLite file.", sqlite.New),
		kind("csv", "A CSV file, such as an export.", csv.New),
		kind("memory", "Contacts that stand in the configuration itself, to try without a database.", memory.New),
	}
}

// Named finds a kind.
func Named(name string) (Kind, bool) {
	for _, k := range All() {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

func kind[C any](name, summary string, create func(C, source.Deps) (source.Factory, error)) Kind {
	return Kind{
		Name:    name,
		Summary: summary,
		Config:  func() any { return new(C) },
		New: func(decode func(into any) error, deps source.Deps) (source.Factory, error) {
			var cfg C
			if err := decode(&cfg); err != nil {
				return nil, err
			}
			return create(cfg, deps.Defaults())
		},
	}
}
