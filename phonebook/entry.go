package phonebook

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

// An Entry is a contact as telephones show it. No text holds control characters.
type Entry struct {
	Card        string // its name in the phonebook, made of letters and digits
	Integration string
	ID          string // in the external service
	Seq         int64  // grows with every change
	Sort        string // what it is sorted by

	Name          string // what is shown; the company where there is no name
	Given, Family string // Family is never empty
	Company       string // empty where it is the name
	company       bool   // the name is the company's
	Title         string
	Emails        []string
	Numbers       []Number // of an entry that was found by [View.Words], [View.Starts] or [View.Scan], only after [Entry.AllNumbers]
	Address       string
	URL           string

	unread *contact.Contact // its numbers have not been read yet: that takes longer than all the rest
	rules  *Numbers
}

// AllNumbers returns the numbers.
func (e *Entry) AllNumbers() []Number {
	if e.unread != nil {
		e.Numbers, e.unread = e.rules.numbersOf(e.unread), nil
	}
	return e.Numbers
}

// entryOf makes an entry of a member.
func (n *Numbers) entryOf(m *directory.Member) Entry {
	e := n.unread(m)
	e.AllNumbers()
	return e
}

// unread makes an entry with numbers that are not read yet.
func (n *Numbers) unread(m *directory.Member) Entry {
	c := &m.Contact
	e := Entry{
		Card: m.Card, Integration: m.Integration, ID: c.ID, Seq: m.Seq, Sort: m.Sort,
		Company: clean(c.Company), Title: clean(c.Title), Address: clean(c.Address), URL: clean(c.URL), unread: c, rules: n,
	}
	for _, address := range c.Emails {
		if address = clean(address); address != "" {
			e.Emails = append(e.Emails, address)
		}
	}
	name := clean(c.Name)
	e.Given, e.Family = split(name)
	switch {
	case name != "" && len(e.Given)+1+len(e.Family) == len(name) && e.Given+" "+e.Family == name: // no copy of it
		e.Name = name
	case e.Family != "":
		e.Name = strings.TrimSpace(e.Given + " " + e.Family)
	case e.Company != "":
		e.Name, e.Family, e.Company, e.company = e.Company, e.Company, "", true
	default:
		e.Name, e.Family = firstOf(e.Emails), firstOf(e.Emails)
	}
	if e.Name == "" && len(e.AllNumbers()) > 0 {
		e.Name, e.Family = e.Numbers[0].Dial, e.Numbers[0].Dial
	}
	if e.Name == "" {
		e.Name, e.Family = unnamed, unnamed
	}
	if e.Company == e.Name { // it has no given name
		e.Given, e.Family, e.Company, e.company = "", e.Name, "", true
	}
	return e
}

const unnamed = "?"

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// clean is a text in one line, composed, without control characters.
func clean(text string) string {
	if isClean(text) {
		return text
	}
	text = norm.NFC.String(strings.ToValidUTF8(text, "\ufffd"))
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), r == '\u2028', r == '\u2029':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\ufeff', r == '\ufffe', r == '\uffff':
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// isClean reports whether a text is surely as clean leaves it: in one line, without more spaces than one between words, of ASCII and of
// Latin letters that are composed.
func isClean(text string) bool {
	before := ' '
	for _, r := range text {
		switch {
		case r == ' ' && before == ' ', r < ' ', r == '\x7f':
			return false
		case r > '~' && (r >= combining || !unicode.IsLetter(r)):
			return false
		}
		before = r
	}
	return text == "" || before != ' '
}

// combining is the first character that may change the one before it. Letters before it are in the composed form.
const combining = '\u0300'

// particles belong to the family name that follows them.
var particles = []string{
	"af", "al", "av", "bin", "d'", "da", "das", "de", "del", "della", "den", "der", "des", "di", "do", "dos", "du", "el", "ibn", "la", "las", "le", "los", "ten", "ter", "van",
	"vom", "von", "zu", "zum", "zur",
}

// suffixes do not make a family name.
var suffixes = []string{"jr", "jr.", "sr", "sr.", "ii", "iii", "iv", "phd", "ph.d.", "md", "m.d.", "mba", "esq", "esq."}

// Split parts a name into given and family name: "Anna Müller", "Müller, Anna", "Jan van der Berg", "Martin King Jr.". A single word
// is a family name.
func Split(name string) (given, family string) { return split(clean(name)) }

// split is Split of a text that is clean.
func split(name string) (given, family string) {
	if before, after, ok := strings.Cut(name, ","); ok && !isSuffix(after) {
		given, family = strings.TrimSpace(after), strings.TrimSpace(before)
		if family == "" {
			return "", given
		}
		return given, family
	}
	if first, last, ok := strings.Cut(name, " "); ok && !strings.Contains(last, " ") && !isSuffix(last) && !strings.HasPrefix(last, "(") {
		return first, last // most names
	}
	words := strings.Fields(name)
	remark := len(words) // "(Ops)" and "Jr." stay with the family name
	for remark > 1 && (isSuffix(words[remark-1]) || strings.HasPrefix(words[remark-1], "(")) {
		remark--
	}
	at := remark - 1
	for at > 1 && slices.Contains(particles, strings.ToLower(words[at-1])) {
		at--
	}
	if at <= 0 {
		return "", name
	}
	return strings.Join(words[:at], " "), strings.Join(words[at:], " ")
}

func isSuffix(word string) bool {
	word = strings.TrimSpace(word)
	return len(word) <= longestSuffix && slices.Contains(suffixes, strings.ToLower(word))
}

const longestSuffix = 5

// IsCompany reports whether the entry is a company, and not a person.
func (e *Entry) IsCompany() bool { return e.company }

// refOf names the contact of an entry.
func refOf(integration string, c *contact.Contact) directory.Ref {
	return directory.Ref{Integration: integration, ID: c.ID}
}

// UTF8 returns what a device sent as UTF-8. Text that is not UTF-8 is read as Latin-1 (Windows-1252), which older devices send.
func UTF8(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	decoded, err := charmap.Windows1252.NewDecoder().String(text)
	if err != nil {
		return strings.ToValidUTF8(text, "")
	}
	return decoded
}
