package carddav

import "github.com/contactbridge/contactbridge/source"

// Kind describes the kind.
func Kind() source.Kind {
	return source.KindOf(source.Kind{
		Name:    "carddav",
		Family:  source.FamilyBooks,
		Title:   "CardDAV address books",
		Icon:    source.IconBook,
		Fresh:   "Each run reads only the cards that changed.",
		Summary: "The address books of a CardDAV server.",
		Docs: `Reads the address books of one user: all of them, or those in ` + "`books`" + `. ` + "`url`" + ` may be the server, its CardDAV address, or one
address book; the way there is found as RFC 6764 says. Fields need not be given; the columns are those of ` + "`kind: vcard`" + `, and any
property that is named. The id of a contact is the path of its card on the server: a card that is renamed or moved to another book is a
new contact, and the old one is gone. Groups, and photos that are data, are not sent.

**Exact.** Where the server has sync-collection (RFC 6578), a run brings what was changed and names what is gone. Where it does not, a
book that has changed is read whole, and contacts that are no longer in it are gone. A sync-token that the server no longer takes
makes the run an initial one. [More](carddav.md)`,
		Example: `kind: carddav
url: https://dav.example.com/
username: alice
password: ${DAV_PW}
`,
		CallerExample: `username: "{{auth.username}}"`,
		Setup:         setup(),
		Untrusted:     source.Untrusted(func(Config) error { return nil }),
	}, New)
}

// Title implements [source.Titled].
func (c Config) Title() string {
	if len(c.URL.Names()) > 0 {
		return ""
	}
	return "address books at " + hostOf(c.URL.String())
}
