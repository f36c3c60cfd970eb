package directory

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/contactbridge/contactbridge/contact"
)

// Fold writes text so that what people type finds what was stored: lower case, without accents, in compatibility form, as the
// words between everything that is no letter and no digit. "Zoë  Müller-Ångström" is zoe, muller, angstrom.
func Fold(text string) []string {
	return strings.FieldsFunc(plain(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// plain is text in lower case, without accents, in compatibility form.
func plain(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return strings.ToLower(text) // the same, at a fifth of the time
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(text))
}

// FoldEmail writes an e-mail address so that two spellings of one address are equal: trimmed, composed, in lower case.
func FoldEmail(address string) string {
	return strings.ToLower(norm.NFC.String(strings.TrimSpace(address)))
}

// maxTerms keeps a contact with a book in its title from filling the index.
const maxTerms = 64

// Terms are the words that a contact is found by ([Query]), each once, sorted: those of its name, company and title, and of
// its e-mail addresses. At most 64.
func Terms(c *contact.Contact) []string {
	terms := Fold(c.Name)
	terms = append(terms, Fold(c.Company)...)
	terms = append(terms, Fold(c.Title)...)
	for _, address := range c.Emails {
		terms = append(terms, Fold(address)...)
	}
	terms = terms[:min(len(terms), maxTerms)]
	slices.Sort(terms)
	return slices.Compact(terms)
}
