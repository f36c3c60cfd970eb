package xlsx

import (
	"context"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
)

// Kind describes the kind.
func Kind() source.Kind {
	return source.KindOf(source.Kind{
		Name:    "xlsx",
		Family:  source.FamilyFile,
		Title:   "Excel workbook",
		Icon:    source.IconSheet,
		Fresh:   "A new version of the file is read as a whole. Nothing is read while the file stays as it is.",
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
		Untrusted:     source.Untrusted(func(c Config) error { return c.Uploaded() }),
		OpenTo:        "anyone who knows a file's name",
		Formats: []source.Format{{
			Name: "an Excel workbook (.xlsx), an OpenDocument sheet or another ZIP archive", Starts: []string{"PK\x03\x04", "PK\x05\x06"},
			Hint: "Set kind: xlsx for an Excel workbook. An OpenDocument sheet is saved as one first; a ZIP archive is unpacked first.",
		}},
		Setup: file.Setup(file.Guide{
			Example: "customers.xlsx", Choices: sheetsOf, Noun: "sheet", Key: "sheet",
			New: func(cfg file.Config, sheet string, deps source.Deps) (source.Factory, error) {
				return New(Config{Config: cfg, Sheet: sheet}, deps)
			},
		}),
	}, New)
}

// Title implements [source.Titled].
func (c Config) Title() string { return source.PathTitle(c.Path) }

// sheetsOf lists the sheets of a workbook that people see.
func sheetsOf(ctx context.Context, in file.Input) ([]string, error) {
	a, err := openArchive(ctx, in)
	if err != nil {
		return nil, err
	}
	book, err := readWorkbook(a)
	if err != nil {
		return nil, err
	}
	sheets, err := book.candidates("")
	var names []string
	for _, s := range sheets {
		names = append(names, s.Name)
	}
	return names, err
}
