package vcard

import (
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
)

// Kind describes the kind.
func Kind() source.Kind {
	return source.KindOf(source.Kind{
		Name:    "vcard",
		Family:  source.FamilyFile,
		Title:   "vCard file",
		Icon:    source.IconCards,
		Fresh:   "A new version of the file is read as a whole. Nothing is read while the file stays as it is.",
		Summary: "A vCard file of one or many contacts, or a folder of them.",
		Docs: `Reads the cards of versions 2.1, 3.0 and 4.0 in a file, or in all files of a folder or of a pattern as one table. Neither ` + "`fields`" + `
nor ` + "`id`" + ` need be given: the id is the card's UID, and made (auto) for a card without one. The columns are ` + "`uid, fn, org, department,\ntitle, role, email, tel, fax, url, adr, country, photo, twitter, nickname, note, categories, bday, rev`" + `, and any property that is
named, such as ` + "`x-customer-no`" + `. Groups of contacts, and photos that are data, are not sent. A card without an end costs no other.

**Exact** for every version of the files. Without ` + "`updated`" + ` a new version is sent whole, and contacts that are no longer in it
are gone. With ` + "`updated: rev`" + ` and ` + "`id: uid`" + ` what is stamped later than the checkpoint is sent; few programs write REV at every
change. [More](serve-my-files.md#vcards)`,
		Example: `kind: vcard
path: contacts.vcf
`,
		CallerExample: `path: exports/{{auth.tenant}}.vcf`,
		Untrusted:     source.Untrusted(func(c Config) error { return c.Uploaded() }),
		OpenTo:        "anyone who knows a file's name",
		Formats:       []source.Format{{Name: "a vCard file", Starts: []string{"BEGIN:VCARD"}}},
		Setup: file.Setup(file.Guide{
			Example: "contacts.vcf",
			New: func(cfg file.Config, _ string, deps source.Deps) (source.Factory, error) {
				return New(Config{Config: cfg}, deps)
			},
		}),
	}, New)
}

// Title implements [source.Titled].
func (c Config) Title() string { return source.PathTitle(c.Path) }
