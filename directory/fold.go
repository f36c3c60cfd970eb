package directory

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/contactbridge/contactbridge/contact"
)

// Fold writes text so that what people type finds what was stored: lower case, without accents and strokes, in compatibility
// form, as the words between characters that are neither letters nor digits. "Zoë  Müller-Ångström" is zoe, muller, angstrom, and
// "Łukasz" is lukasz.
func Fold(text string) []string { return appendFolded(nil, text) }

// appendFolded appends the words of a text, as [Fold] returns them.
func appendFolded(words []string, text string) []string {
	text, ascii := plain(text)
	if !ascii {
		return append(words, strings.FieldsFunc(text, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) || r == '\u02bc' || r == '\u02b9' // apostrophes that Unicode counts as letters
		})...)
	}
	start := -1 // where the present word begins; -1 between words
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			if start < 0 {
				start = i
			}
		case start >= 0:
			words = append(words, text[start:i])
			start = -1
		}
	}
	if start >= 0 {
		words = append(words, text[start:])
	}
	return words
}

// plain is text in lower case, without accents and strokes, in compatibility form; ascii says that it was ASCII from the start.
func plain(text string) (folded string, ascii bool) {
	if isASCII(text) {
		return strings.ToLower(text), true // the same, at a fifth of the time
	}
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range norm.NFKD.String(text) {
		if unicode.Is(unicode.Mn, r) {
			continue
		}
		r = unicode.ToLower(r)
		if typed, ok := undecomposed[r]; ok {
			b.WriteString(typed)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String(), false
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// undecomposed are the letters that people without such a keyboard type as others, and that Unicode does not take apart.
var undecomposed = map[rune]string{
	'ł': "l", 'ø': "o", 'đ': "d", 'ð': "d", 'þ': "th", 'ß': "ss", 'æ': "ae", 'œ': "oe", 'ı': "i", 'ħ': "h", 'ŧ': "t", 'ŋ': "n", 'ĸ': "k", 'ɨ': "i", 'ƶ': "z", 'ς': "σ",
}

// apostrophes are the signs within a name that many leave out when they type it.
const apostrophes = "'\u2018\u2019\u02bc\u02b9\u00b4`"

// closed returns the words of a text without its apostrophes: O'Connor is oconnor.
func closed(text string) []string {
	if !strings.ContainsAny(text, apostrophes) {
		return nil
	}
	return Fold(strings.Map(func(r rune) rune {
		if strings.ContainsRune(apostrophes, r) {
			return -1
		}
		return r
	}, text))
}

// Rank returns how well a contact fits what was typed: 0 where that is one of its e-mail addresses, 1 where it is its name, 2
// otherwise.
func Rank(text string) func(c *contact.Contact) int {
	address, name := FoldEmail(text), strings.Join(Fold(text), " ")
	if !strings.Contains(address, "@") {
		address = ""
	}
	return func(c *contact.Contact) int {
		switch {
		case address != "" && slices.ContainsFunc(c.Emails, func(e string) bool { return FoldEmail(e) == address }):
			return 0
		case name != "" && (strings.Join(Fold(c.Name), " ") == name || strings.Join(closed(c.Name), " ") == name):
			return 1
		}
		return 2
	}
}

// FoldEmail writes an e-mail address so that two spellings of one address are equal: trimmed, composed, in lower case.
func FoldEmail(address string) string {
	if address = strings.TrimSpace(address); isASCII(address) {
		return strings.ToLower(address) // it is composed
	}
	return strings.ToLower(norm.NFC.String(address))
}

// maxTerms keeps a contact with a book in its title from filling the index.
const maxTerms = 64

// Terms are the words that a contact is found by ([Query]), each once, sorted: those of its name, company and title, and of
// its e-mail addresses; and the same without apostrophes, so that O'Connor is found by connor and by oconnor. At most 64.
func Terms(c *contact.Contact) []string {
	terms := appendFolded(make([]string, 0, 16), c.Name)
	terms = appendFolded(terms, c.Company)
	terms = appendFolded(terms, c.Title)
	for _, address := range c.Emails {
		terms = appendFolded(terms, address)
	}
	terms = append(terms, closed(c.Name)...)
	terms = append(terms, closed(c.Company)...)
	terms = append(terms, closed(c.Title)...)
	for _, address := range c.Emails {
		terms = append(terms, closed(address)...)
	}
	terms = terms[:min(len(terms), maxTerms)]
	slices.Sort(terms)
	return slices.Compact(terms)
}

// Respelled reports whether what is stored of a contact may hold a letter or an apostrophe that [Terms] of an older release took
// otherwise: its search terms must be written anew.
func Respelled(data []byte) bool {
	return bytes.ContainsAny(data, apostrophes) || bytes.IndexFunc(data, func(r rune) bool {
		_, is := undecomposed[unicode.ToLower(r)]
		return is
	}) >= 0
}
