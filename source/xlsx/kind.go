package xlsx

import "github.com/contactbridge/contactbridge/source"

// Kind describes the kind.
func Kind() source.Kind {
	return source.KindOf(source.Kind{
		Name:    "xlsx",
		Family:  source.FamilyFile,
		Summary: "A sheet of an Excel workbook (.xlsx), or of a folder of them.",
		Docs: `Reads one sheet of a workbook, or of all workbooks of a folder or of a pattern as one table. The row with the names of the columns
is found; titles may stand above it. Dates and numbers are read as people see them, and a phone number that Excel keeps as a number
keeps all its digits. Fields are columns or [expressions](expressions.md).

A new version is noticed by its fingerprint, and read once, in the background, into a temporary file. Where that takes longer than
a request may, the answer is 503 with ` + "`Retry-After`" + ` until it is done.

**Exact** for every version of the files. Without ` + "`updated`" + ` a new version is sent whole, and contacts that are no longer in it
are gone. With it, what is stamped later than the checkpoint is sent; the checkpoint stays ` + "`overlap`" + ` before the file was
written. [More](serve-my-files.md#workbooks)`,
		Example: `kind: xlsx
path: customers.xlsx
sheet: Contacts
id: Customer No
`,
		CallerExample: `path: workbooks/{{auth.tenant}}.xlsx`,
		OpenTo:        "anyone who knows a file's name",
	}, New)
}

// Title implements [source.Titled].
func (c Config) Title() string { return source.PathTitle(c.Path) }
