package ldapbook

import (
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/phonebook"
)

// A subject is an entry that is compared and shown.
type subject struct {
	*phonebook.Entry
	view  *phonebook.View
	asked []asked
}

// asked is a number that the search asks for.
type asked struct {
	text   string
	digits string
	read   phonebook.Spellings
}

// askedFor returns the numbers that a filter asks for whole.
func askedFor(f *filter, n phonebook.Numbers) (all []asked) {
	for _, c := range f.children {
		all = append(all, askedFor(c, n)...)
	}
	text := ""
	switch {
	case f.op == opEqual:
		text = f.value
	case f.op == opSubstrings && len(f.any) == 0 && f.final == "":
		text = f.initial
	}
	if a, ok := attributeOf(f.attr); !ok || a.kind != kindNumber || !digitsOnly(text) || len(phonebook.OnlyDigits(text)) < wholeNumber {
		return all
	}
	if !slices.ContainsFunc(all, func(other asked) bool { return other.text == text }) {
		all = append(all, newAsked(text, n))
	}
	return all
}

func newAsked(text string, n phonebook.Numbers) asked {
	return asked{text: text, digits: phonebook.OnlyDigits(text), read: n.Read(text)}
}

func (e *subject) hasNumber(numbers []phonebook.Number, text string) bool {
	if phonebook.OnlyDigits(text) == "" {
		return false
	}
	a := e.knownAsked(text)
	for i := range numbers {
		if e.view.Numbers.Asked(&numbers[i], a.read, a.digits) {
			return true
		}
	}
	return false
}

func (e *subject) knownAsked(text string) asked {
	for _, a := range e.asked {
		if a.text == text {
			return a
		}
	}
	return newAsked(text, e.view.Numbers)
}

type kind int

const (
	kindWord   kind = iota // compared as it stands
	kindText               // folded
	kindNumber             // by its digits
)

// An attribute is one that entries have, or that a search may ask for.
type attribute struct {
	name    string
	kind    kind
	indexed bool // finds entries by the words in the directory's index
	byName  bool // finds entries by the middle of their names
	values  func(e *subject) []string
	numbers func(e *subject) []phonebook.Number
	hidden  bool // it is not in an answer that did not ask for it by its name
	system  bool // operational
	oid     string
	syntax  string
}

func one(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

func allNumbers(e *subject) []phonebook.Number { return e.AllNumbers() }

// dials are numbers as they are shown: in the phonebook's format, and in the spelling that was asked for.
func dials(e *subject, numbers []phonebook.Number) (all []string) {
	for i := range numbers {
		all = append(all, numbers[i].Dial)
	}
	for _, a := range e.asked {
		for i := range numbers {
			if e.view.Numbers.Asked(&numbers[i], a.read, a.digits) && !slices.Contains(all, a.text) {
				all = append(all, a.text)
			}
		}
	}
	return all
}

func ofKind(e *subject, kind phonebook.Kind) (numbers []phonebook.Number) {
	for _, n := range e.AllNumbers() {
		if n.Kind == kind {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// telephoneNumbers are the work numbers; all others where there are none, since many telephones look at no other attribute.
func telephoneNumbers(e *subject) []string {
	numbers := ofKind(e, phonebook.Work)
	if len(numbers) == 0 {
		numbers = e.AllNumbers()
	}
	return dials(e, numbers)
}

// metaNumbers are full numbers, with +.
func metaNumbers(e *subject) (all []string) {
	for _, n := range e.AllNumbers() {
		if n.E164 != "" {
			all = append(all, n.E164)
		}
	}
	return all
}

func organization(e *subject) []string {
	if e.IsCompany() {
		return one(e.Name)
	}
	return one(e.Company)
}

func searchable(e *subject) []string {
	return append(append([]string{e.Name}, organization(e)...), e.Emails...)
}

const (
	syntaxText   = "1.3.6.1.4.1.1466.115.121.1.15"
	syntaxNumber = "1.3.6.1.4.1.1466.115.121.1.50"
	syntaxOID    = "1.3.6.1.4.1.1466.115.121.1.38"
	syntaxIA5    = "1.3.6.1.4.1.1466.115.121.1.26"
)

var classes = []string{"top", "person", "organizationalPerson", "inetOrgPerson"}

// attributes are all attributes, in the order of answers.
func attributes() []*attribute {
	text := func(name, oid string, values func(*subject) []string) *attribute {
		return &attribute{name: name, kind: kindText, values: values, oid: oid, syntax: syntaxText}
	}
	named := func(name, oid string, values func(*subject) []string) *attribute {
		a := text(name, oid, values)
		a.indexed, a.byName = true, true
		return a
	}
	words := func(name, oid string, values func(*subject) []string) *attribute {
		a := text(name, oid, values)
		a.indexed = true
		return a
	}
	number := func(name, oid string, values func(*subject) []string) *attribute {
		return &attribute{name: name, kind: kindNumber, values: values, numbers: allNumbers, oid: oid, syntax: syntaxNumber}
	}
	none := func(*subject) []string { return nil }
	hidden := func(a *attribute) *attribute { a.hidden = true; return a }
	return []*attribute{
		{name: "objectClass", values: func(*subject) []string { return classes }, oid: "2.5.4.0", syntax: syntaxOID},
		{name: "uid", values: func(e *subject) []string { return one(e.Card) }, oid: "0.9.2342.19200300.100.1.1", syntax: syntaxText},
		named("cn", "2.5.4.3", func(e *subject) []string { return one(e.Name) }),
		named("sn", "2.5.4.4", func(e *subject) []string { return one(e.Family) }),
		named("givenName", "2.5.4.42", func(e *subject) []string { return one(e.Given) }),
		named("displayName", "2.16.840.1.113730.3.1.241", func(e *subject) []string { return one(e.Name) }),
		words("o", "2.5.4.10", organization),
		hidden(words("company", "1.2.840.113556.1.2.146", organization)),
		words("title", "2.5.4.12", func(e *subject) []string { return one(e.Title) }),
		func() *attribute {
			a := words("mail", "0.9.2342.19200300.100.1.3", func(e *subject) []string { return e.Emails })
			a.syntax = syntaxIA5
			return a
		}(),
		number("telephoneNumber", "2.5.4.20", telephoneNumbers),
		number("mobile", "0.9.2342.19200300.100.1.41", func(e *subject) []string { return dials(e, ofKind(e, phonebook.Mobile)) }),
		number("homePhone", "0.9.2342.19200300.100.1.20", none),
		hidden(number("ipPhone", "1.2.840.113556.1.4.721", func(e *subject) []string { return dials(e, e.AllNumbers()[:min(1, len(e.AllNumbers()))]) })),
		hidden(number("otherTelephone", "1.2.840.113556.1.2.18", func(e *subject) []string {
			work := ofKind(e, phonebook.Work)
			return dials(e, work[min(1, len(work)):])
		})),
		hidden(number("otherMobile", "1.2.840.113556.1.4.647", func(e *subject) []string {
			mobile := ofKind(e, phonebook.Mobile)
			return dials(e, mobile[min(1, len(mobile)):])
		})),
		hidden(number("searchNumber", "", func(e *subject) []string { return dials(e, e.AllNumbers()) })),
		hidden(number("metaSearchNumber", "", metaNumbers)),
		hidden(words("searchContact", "", searchable)),
		{name: "facsimileTelephoneNumber", kind: kindNumber, values: none, numbers: func(*subject) []phonebook.Number { return nil }, oid: "2.5.4.23", syntax: syntaxNumber},
		text("postalAddress", "2.5.4.16", func(e *subject) []string { return one(e.Address) }),
		text("labeledURI", "1.3.6.1.4.1.250.1.57", func(e *subject) []string { return one(e.URL) }),
		text("ou", "2.5.4.11", none),
		text("l", "2.5.4.7", none),
		text("st", "2.5.4.8", none),
		text("street", "2.5.4.9", none),
		text("postalCode", "2.5.4.17", none),
		text("c", "2.5.4.6", none),
		text("description", "2.5.4.13", none),
		{name: "subschemaSubentry", values: func(*subject) []string { return one(subschemaDN) }, system: true, oid: "2.5.18.10", syntax: syntaxText},
	}
}

// aliases are other names of attributes, in lower case.
var aliases = map[string]string{
	"gn": "givenname", "surname": "sn", "commonname": "cn", "organizationname": "o", "organization": "o", "phone": "telephonenumber", "number": "telephonenumber",
	"tel": "telephonenumber", "telephone": "telephonenumber", "cell": "mobile", "fax": "facsimiletelephonenumber", "hometelephonenumber": "homephone", "email": "mail", "rfc822mailbox": "mail",
	"other": "othertelephone", "department": "ou", "localityname": "l", "userid": "uid", "name": "cn", "homephonenumber": "homephone", "extension": "ipphone", "mobiletelephonenumber": "mobile",
}

// catalogue are the attributes by their names in lower case.
var catalogue = func() map[string]*attribute {
	all := map[string]*attribute{}
	for _, a := range attributes() {
		all[strings.ToLower(a.name)] = a
	}
	for alias, name := range aliases {
		all[alias] = all[name]
	}
	return all
}()

var inOrder = attributes()

// attributeOf finds an attribute by a name, whatever options follow it.
func attributeOf(name string) (*attribute, bool) {
	name, _, _ = strings.Cut(name, ";")
	a, ok := catalogue[strings.ToLower(name)]
	return a, ok
}

// A selection says which attributes an answer has, under which names.
type selection []selected

type selected struct {
	name string // that was asked for
	*attribute
}

// selectionOf reads a list of attributes: none are all but the operational ones, as is *; + are the operational ones; 1.1 is none.
func selectionOf(names []string) (s selection) {
	have := map[string]bool{}
	add := func(name string, a *attribute) {
		if lower := strings.ToLower(name); !have[lower] {
			have[lower] = true
			s = append(s, selected{name, a})
		}
	}
	standard := func(system bool) {
		for _, a := range inOrder {
			if a.system == system && !a.hidden {
				add(a.name, a)
			}
		}
	}
	if len(names) == 0 {
		standard(false)
	}
	for _, name := range names {
		switch name {
		case "*":
			standard(false)
		case "+":
			standard(true)
		default:
			if a, ok := attributeOf(name); ok {
				add(name, a)
			}
		}
	}
	return s
}
