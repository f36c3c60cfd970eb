// Package kinds lists the kinds of source: what "kind" may be in an endpoint's source. Each describes itself in its own
// package.
package kinds

import (
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/csv"
	"github.com/contactbridge/contactbridge/source/memory"
	"github.com/contactbridge/contactbridge/source/postgres"
	"github.com/contactbridge/contactbridge/source/sqlite"
)

// All lists the kinds in the order in which they are documented.
func All() []source.Kind {
	return []source.Kind{
		postgres.Kind(),
		sqlite.Kind(),
		csv.Kind(),
		memory.Kind(),
	}
}

// Named returns the kind of a name; ok is false where there is none.
func Named(name string) (kind source.Kind, ok bool) {
	for _, k := range All() {
		if k.Name == name {
			return k, true
		}
	}
	return source.Kind{}, false
}
