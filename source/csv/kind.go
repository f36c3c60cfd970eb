package csv

import "github.com/contactbridge/contactbridge/source"

// Kind describes the kind.
func Kind() source.Kind {
	return source.KindOf(source.Kind{
		Name:    "csv",
		Family:  source.FamilyFile,
		Summary: "A CSV file, such as an export.",
		Docs: `Reads a file whose first row names the columns. A new version of the file is noticed by its fingerprint. Write a new file
and rename it over the old one, so that nobody reads half of it.

**Exact** for every version of the file. Without ` + "`updated`" + ` a new version is sent whole, and contacts that are no longer in it
are gone. With it, what is stamped later than the checkpoint is sent; the checkpoint stays ` + "`overlap`" + ` before the file was written.`,
		Example: `kind: csv
path: customers.csv
id: Customer No
updated: Last Modified
time_zone: Europe/London
`,
		CallerExample: `path: exports/{{auth.tenant}}.csv`,
		OpenTo:        "anyone who knows a file's name",
	}, New)
}

// Title implements [source.Titled].
func (c Config) Title() string { return source.PathTitle(c.Path) }
