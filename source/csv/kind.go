package csv

import (
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
)

// Kind describes the kind.
func Kind() source.Kind {
	return source.KindOf(source.Kind{
		Name:    "csv",
		Family:  source.FamilyFile,
		Title:   "CSV file",
		Icon:    source.IconSheet,
		Fresh:   "A new version of the file is read as a whole. Nothing is read while the file stays as it is.",
		Summary: "A CSV file, such as an export, or a folder of them.",
		Docs: `Reads a file whose header names the columns, or all files of a folder or of a pattern as one table. Delimiter, quote, encoding,
and titles above the header are found; ` + "`preview`" + ` says what was found. Fields are columns or [expressions](expressions.md).

A new version is noticed by its fingerprint. Write a new file and rename it over the old one, so that no reader gets half of it.
Reading a new version happens in the background: where it takes longer than a request may, the answer is 503 with
` + "`Retry-After`" + ` until it is done.

**Exact** for every version of the files. Without ` + "`updated`" + ` a new version is sent whole, and contacts that are no longer in it
are gone. With it, what is stamped later than the checkpoint is sent; the checkpoint stays ` + "`overlap`" + ` before the file was
written. Where files come or go in a folder, the next run reads everything. [More](serve-my-files.md#new-versions)`,
		Example: `kind: csv
path: customers.csv
id: Customer No
updated: Last Modified
time_zone: Europe/London
`,
		CallerExample: `path: exports/{{auth.tenant}}.csv`,
		Untrusted:     source.Untrusted(func(c Config) error { return c.Uploaded() }),
		OpenTo:        "anyone who knows a file's name",
		Setup: file.Setup(file.Guide{
			Example: "customers.csv",
			New: func(cfg file.Config, _ string, deps source.Deps) (source.Factory, error) {
				return New(Config{Config: cfg}, deps)
			},
		}),
	}, New)
}

// Title implements [source.Titled].
func (c Config) Title() string { return source.PathTitle(c.Path) }
