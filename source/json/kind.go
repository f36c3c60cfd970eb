package json

import (
	"context"
	"strings"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
)

// Kind describes the kind.
func Kind() source.Kind {
	return source.KindOf(source.Kind{
		Name:    "json",
		Family:  source.FamilyFile,
		Title:   "JSON document",
		Icon:    source.IconBraces,
		Fresh:   "A new version of the file is read as a whole. Nothing is read while the file stays as it is.",
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
		Untrusted:     source.Untrusted(func(c Config) error { return c.Uploaded() }),
		OpenTo:        "anyone who knows a file's name",
		Formats: []source.Format{{
			Name: "a JSON document", Starts: []string{"{\"", "[{", "{\n", "{\r\n", "[\n", "[\r\n", "{ \"", "[ {"},
			Hint: "Use kind: json for one document with an array, kind: jsonl for one object a line.",
		}},
		Setup: file.Setup(file.Guide{
			Example: "contacts.json", Choices: arraysOf, Noun: "array", Key: "records",
			New: func(cfg file.Config, records string, deps source.Deps) (source.Factory, error) {
				return New(Config{Config: cfg, Records: records}, deps)
			},
		}),
	}, New)
}

// arraysOf lists the paths of a document's arrays of objects; of a document that is an array the path is empty.
func arraysOf(ctx context.Context, in file.Input) ([]string, error) {
	t := &table{name: in.Name}
	if err := t.findArray(ctx, in, nil); err != nil {
		return nil, err
	}
	return append([]string{strings.Join(t.path, ".")}, t.others...), nil
}
