// Package kinds lists the kinds of source: what "kind" may be in an endpoint's source. Each describes itself in its own
// package.
package kinds

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/contactbridge/contactbridge/internal/proposal"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/carddav"
	"github.com/contactbridge/contactbridge/source/csv"
	"github.com/contactbridge/contactbridge/source/json"
	"github.com/contactbridge/contactbridge/source/jsonl"
	"github.com/contactbridge/contactbridge/source/ldap"
	"github.com/contactbridge/contactbridge/source/memory"
	"github.com/contactbridge/contactbridge/source/mysql"
	"github.com/contactbridge/contactbridge/source/postgres"
	"github.com/contactbridge/contactbridge/source/rest"
	"github.com/contactbridge/contactbridge/source/sqlite"
	"github.com/contactbridge/contactbridge/source/vcard"
	"github.com/contactbridge/contactbridge/source/xlsx"
)

// All lists the kinds in the order in which they are documented. Each knows how the files of the others begin.
func All() []source.Kind { return slices.Clone(all()) }

// all describes them once: that takes milliseconds, and kinds are looked up by their names often.
var all = sync.OnceValue(func() []source.Kind {
	return slices.Insert(slices.Clone(own()), len(own())-1, knowing(rest.Kinds())...)
})

// own are those that are not presets. To read all presets takes as long as the rest of a program's start.
var own = sync.OnceValue(func() []source.Kind { return knowing(plain()) })

// knowing returns kinds whose dependencies hold the formats of files. Presets have none.
func knowing(kinds []source.Kind) []source.Kind {
	var formats []source.Format
	for _, k := range plain() {
		for _, f := range k.Formats {
			f.Hint = cmp.Or(f.Hint, "Use kind: "+k.Name+".")
			formats = append(formats, f)
		}
	}
	known := make([]source.Kind, len(kinds))
	for i, k := range kinds {
		known[i] = withFormats(formats, k)
	}
	return known
}

// withFormats returns a kind whose dependencies hold formats.
func withFormats(formats []source.Format, k source.Kind) source.Kind {
	create := k.New
	k.New = func(decode func(into any) error, deps source.Deps) (source.Factory, error) {
		deps.Formats = formats
		return create(decode, deps)
	}
	if k.Setup != nil && k.Setup.Look != nil {
		setup, look := *k.Setup, k.Setup.Look
		setup.Look = func(ctx context.Context, answers source.Answers, deps source.Deps) (proposal.Inventory, error) {
			deps.Formats = formats
			return look(ctx, answers, deps)
		}
		k.Setup = &setup
	}
	return k
}

// plain are the kinds that are not presets, as they describe themselves.
var plain = sync.OnceValue(func() []source.Kind {
	return []source.Kind{
		postgres.Kind(),
		mysql.Kind(),
		sqlite.Kind(),
		csv.Kind(),
		vcard.Kind(),
		jsonl.Kind(),
		json.Kind(),
		xlsx.Kind(),
		ldap.Kind(),
		carddav.Kind(),
		memory.Kind(), // after the presets
	}
})

// A Family holds what several kinds have in common.
type Family struct {
	Name string // one of source's Family constants
	// Guide is the file in docs that shows how a source of the family is served, and Title its heading. Empty where nothing has
	// to be shown.
	Guide, Title string
	Group        string // what a catalogue calls its kinds together
}

// Families lists the families of all kinds.
func Families() []Family {
	return []Family{
		{Name: source.FamilySQL, Guide: "serve-my-database.md", Title: "Serve my database", Group: "Databases"},
		{Name: source.FamilyFile, Guide: "serve-my-files.md", Title: "Serve my files", Group: "Files"},
		{Name: source.FamilyAccounts, Guide: "ldap.md", Title: "Serve my directory", Group: "Directories and address books"},
		{Name: source.FamilyBooks, Guide: "carddav.md", Title: "Serve my address books", Group: "Directories and address books"},
		{Name: source.FamilyREST, Guide: "vendors.md", Title: "Serve a vendor's contacts", Group: "Services"},
		{Name: source.FamilyMemory, Group: "Other"},
	}
}

// FamilyOf returns the family of a kind.
func FamilyOf(kind source.Kind) Family {
	for _, f := range Families() {
		if f.Name == kind.Family {
			return f
		}
	}
	return Family{}
}

// Named returns the kind of a name; ok is false if the name is unknown.
func Named(name string) (kind source.Kind, ok bool) {
	for _, list := range []func() []source.Kind{own, all} {
		for _, k := range list() {
			if k.Name == name {
				return k, true
			}
		}
	}
	return source.Kind{}, false
}
