package json

import "github.com/contactbridge/contactbridge/source"

// Kind describes the kind.
func Kind() source.Kind {
	return source.KindOf(source.Kind{
		Name:    "json",
		Family:  source.FamilyFile,
		Summary: "A JSON document with an array of contacts, or a folder of them.",
		Docs: `Reads an array of objects in a JSON document, or in all files of a folder or of a pattern as one table. The document is read as a
stream, however large it is. ` + "`records`" + ` is the path of the array; without it the first array of objects is taken, and
` + "`preview`" + ` says which. Columns are the keys of all objects; one within an object is named by its path, such as
` + "`address.city`" + `. A list is several values: of texts, or of objects with ` + "`value`, `number`, `phone` or `email`" + `. Numbers
keep their digits as they are written, null is empty, and of a key that comes twice the last value counts.

**Exact** for every version of the files. Without ` + "`updated`" + ` a new version is sent whole, and contacts that are no longer in it
are gone. With it, what is stamped later than the checkpoint is sent. [More](serve-my-files.md#json)`,
		Example: `kind: json
path: members.json
records: data.members
id: member_no
`,
		CallerExample: `path: exports/{{auth.tenant}}.json`,
		OpenTo:        "anyone who knows a file's name",
	}, New)
}
