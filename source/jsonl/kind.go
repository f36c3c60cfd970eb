package jsonl

import (
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
)

// Kind describes the kind.
func Kind() source.Kind {
	return source.KindOf(source.Kind{
		Name:    "jsonl",
		Family:  source.FamilyFile,
		Title:   "JSON lines",
		Icon:    source.IconBraces,
		Fresh:   "A new version of the file is read as a whole. Nothing is read while the file stays as it is.",
		Summary: "A file of JSON lines (NDJSON), one object for each contact, or a folder of them.",
		Docs: `Reads a file with one JSON object a line, or all files of a folder or of a pattern as one table. Columns are the keys of all
objects; one within an object is named by its path, such as ` + "`address.city`" + `. A list is several values: of texts, or of objects
with ` + "`value`, `number`, `phone` or `email`" + `. Numbers keep their digits as they are written, null is empty, and of a key that comes
twice the last value counts. A line that is not a JSON object costs no other line.

**Exact** for every version of the files. Without ` + "`updated`" + ` a new version is sent whole, and contacts that are no longer in it
are gone. With it, what is stamped later than the checkpoint is sent. [More](serve-my-files.md#json)`,
		Example: `kind: jsonl
path: people.jsonl
id: id
updated: updated_at
`,
		CallerExample: `path: exports/{{auth.tenant}}.jsonl`,
		Untrusted:     source.Untrusted(func(c Config) error { return c.Uploaded() }),
		OpenTo:        "anyone who knows a file's name",
		Setup: file.Setup(file.Guide{
			Example: "contacts.jsonl",
			New: func(cfg file.Config, _ string, deps source.Deps) (source.Factory, error) {
				return New(Config{Config: cfg}, deps)
			},
		}),
	}, New)
}
