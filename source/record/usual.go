package record

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// A Guess is the meaning of a table's or file's columns as far as their names tell it.
type Guess struct {
	// Fields are the contact fields that were found, in the order of bridge documents, each at most once. Of one field that a
	// format names several times (a name that is a text in some records and an object in others) the last one with a value counts.
	Fields []Guessed
	// Country is the column of the country that national phone numbers belong to, or "".
	Country string
	// ID, Updated and Deleted are columns that look like the contact's id, its time of change and its time of deletion;
	// empty where none does. They are hints for the author of a configuration and are never chosen silently: whether a
	// column is kept up to date cannot be told by its name.
	ID, Updated, Deleted string
}

// A Guessed is a contact field and the columns, as they are spelled, that give its values.
type Guessed struct {
	Field   string   // one of the Field constants
	Columns []string // at least one
	// Join is put between the values of the columns that are not empty, to make one value ("Jane" and "Doe" by " ").
	// Empty: every column is a value of its own (emails, phones, websites), or there is one column only.
	Join string
}

// Usual finds the columns with the usual names: "full_name", "First Name" and "lastName", "e-mail", "telefon"… Upper and
// lower case, accents and all characters other than letters and digits make no difference. Fax numbers are left out.
func Usual(columns []string) Guess {
	n := newNames(columns)
	g := Guess{ID: n.first(usualID), Updated: n.first(usualUpdated), Deleted: n.first(usualDeleted), Country: n.first(usualCountry)}
	g.add(FieldName, " ", n.person()...)
	g.add(FieldTitle, "", n.one(usualTitle)...)
	g.add(FieldCompany, "", n.one(usualCompany)...)
	g.add(FieldEmails, "", n.every(usualEmail, emailWords)...)
	g.add(FieldPhones, "", n.every(usualPhone, phoneWords)...)
	g.add(FieldWebsites, "", n.every(usualWebsite, websiteWords)...)
	g.add(FieldPhotoURL, "", n.one(usualPhoto)...)
	g.add(FieldAddress, ", ", n.address()...)
	g.add(FieldTwitter, "", n.one(usualTwitter)...)
	g.add(FieldURL, "", n.one(usualURL)...)
	return g
}

func (g *Guess) add(field, join string, columns ...string) {
	if len(columns) == 0 {
		return
	}
	if len(columns) == 1 {
		join = ""
	}
	g.Fields = append(g.Fields, Guessed{Field: field, Columns: columns, Join: join})
}

// names finds columns by their plain names; the first column of a plain name counts.
type names struct {
	columns []string
	plain   []string
	byPlain map[string]string
}

func newNames(columns []string) names {
	n := names{columns: columns, plain: make([]string, len(columns)), byPlain: make(map[string]string, len(columns))}
	for i, column := range columns {
		n.plain[i] = plainName(column)
		if _, taken := n.byPlain[n.plain[i]]; !taken {
			n.byPlain[n.plain[i]] = column
		}
	}
	return n
}

// spelled writes signs as letters, and the small letters of Nº and 1ª not at all.
var spelled = strings.NewReplacer("ß", "ss", "№", "N", "º", "", "ª", "")

// plainName returns a name's letters without accents and its digits, in lower case.
func plainName(name string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(spelled.Replace(name)) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// first returns the column with the first of the wanted names that there is, or "".
func (n names) first(wanted []string) string {
	for _, name := range wanted {
		if column, ok := n.byPlain[name]; ok {
			return column
		}
	}
	return ""
}

// one is first as a list: of one column or none.
func (n names) one(wanted []string) []string { return present(n.first(wanted)) }

// present returns the columns that are not "".
func present(columns ...string) []string {
	var list []string
	for _, c := range columns {
		if c != "" {
			list = append(list, c)
		}
	}
	return list
}

// every lists the columns with a name that is one of the bases, numbered ("email2", "E-mail 2 Address") or qualified ("work
// phone", "telefon_privat", "Teléfono del trabajo") or not, in the order of the columns.
func (n names) every(bases []string, words wordSet) []string {
	var list []string
	for i, plain := range n.plain {
		bare := strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) {
				return -1
			}
			return r
		}, plain)
		if isQualified(bare, bases) || words.fit(n.columns[i]) {
			list = append(list, n.columns[i])
		}
	}
	return list
}

func isQualified(name string, bases []string) bool {
	for _, base := range bases {
		if before, ok := strings.CutSuffix(name, base); ok && isQualifier(before) {
			return true
		}
		if behind, ok := strings.CutPrefix(name, base); ok && isQualifier(behind) {
			return true
		}
	}
	return false
}

func isQualifier(word string) bool {
	if word == "" {
		return true
	}
	for _, q := range usualQualifiers {
		if word == q {
			return true
		}
	}
	return false
}

// person returns the columns of the full name, or of its parts.
func (n names) person() []string {
	if full := n.first(usualFullName); full != "" {
		return []string{full}
	}
	for _, pair := range usualNameParts {
		if first, last := n.first(pair.first), n.first(pair.last); first != "" && last != "" {
			return present(first, n.first(usualMiddleName), last)
		}
	}
	if name := n.first(usualName); name != "" {
		return []string{name}
	}
	for _, pair := range usualNameParts {
		if either := present(n.first(pair.first), n.first(pair.last)); len(either) > 0 {
			return either
		}
	}
	return nil
}

// A wordSet tells names by their words: each must be one that the field is called by, or that qualifies it.
type wordSet struct {
	bases  map[string]bool // at least one of them must be in the name
	others map[string]bool // of this field only
}

func newWordSet(bases, others string) wordSet {
	return wordSet{bases: setOf(bases), others: setOf(others)}
}

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(words) {
		set[word] = true
	}
	return set
}

// fit reports whether a name is made of the set's words, numbers and qualifiers only, one of its bases among them.
func (w wordSet) fit(name string) bool {
	based := false
	for _, word := range nameWords(name) {
		switch {
		case w.bases[word]:
			based = true
		case !w.others[word] && !qualifierWords[word]:
			return false
		}
	}
	return based
}

// nameWords returns the words of a name without accents, in lower case, and without numbers: "E-Mail 2: Adresse" and
// "emailAdresse" are email and adresse.
func nameWords(name string) []string {
	var b strings.Builder
	lower := false
	for _, r := range norm.NFD.String(strings.ReplaceAll(name, "ß", "ss")) {
		switch {
		case unicode.IsLetter(r):
			if unicode.IsUpper(r) && lower {
				b.WriteByte(' ')
			}
			b.WriteRune(unicode.ToLower(r))
			lower = unicode.IsLower(r)
		case !unicode.Is(unicode.Mn, r):
			b.WriteByte(' ')
			lower = false
		}
	}
	words := strings.Fields(b.String())
	joined := words[:0]
	for i := 0; i < len(words); i++ {
		if next := i + 1; next < len(words) && (words[i] == "e" && strings.HasPrefix(words[next], "mail") || words[i] == "i" && words[next] == "phone") {
			words[next] = words[i] + words[next]
			i++
		}
		joined = append(joined, words[i])
	}
	return joined
}

// address returns the columns of the address, or of its parts; a country or state alone is not an address.
func (n names) address() []string {
	if full := n.first(usualFullAddress); full != "" {
		return []string{full}
	}
	street, city := n.first(usualStreet), n.first(usualCity)
	if street == "" && city == "" {
		return nil
	}
	return present(street, n.first(usualStreet2), n.first(usualZip), city, n.first(usualState), n.first(usualCountry))
}
