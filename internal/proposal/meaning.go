package proposal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/source/record"
)

// A meaning is what the columns of a thing mean, by their names, types and values.
type meaning struct {
	guess record.Guess // in the names of the thing's columns
	found map[string]string
	// ignored are columns with the name of a field and values that do not fit.
	ignored []ignored
}

type ignored struct{ column, field, why string }

// columns returns the columns of a field.
func (m *meaning) columns(field string) []string {
	for _, g := range m.guess.Fields {
		if g.Field == field {
			return g.Columns
		}
	}
	return nil
}

// understand finds what columns mean. Names come first, and of columns with equal meanings those that are not empty in all records; a column of which the values say something else is left alone, and one
// with a name that says nothing is taken by its values.
func understand(thing Thing) meaning {
	m := meaning{found: map[string]string{}}
	if thing.Ready {
		return m
	}
	plain, original := bareNames(thing)
	guess := record.Usual(plain)
	back := func(name string) string { return original[name] }
	isEmpty := func(name string) bool { return thing.isEmpty(original[name]) }
	filled := record.Usual(slices.DeleteFunc(slices.Clone(plain), isEmpty))
	m.guess = record.Guess{
		ID: back(cmp.Or(filled.ID, guess.ID)), Updated: back(cmp.Or(filled.Updated, guess.Updated)), Deleted: back(guess.Deleted),
		Country: back(cmp.Or(filled.Country, guess.Country)),
	}
	var spare []record.Guessed // a name of empty columns, for want of a better one
	for _, g := range guess.Fields {
		if !isList(g.Field) && !slices.ContainsFunc(g.Columns, func(name string) bool { return !isEmpty(name) }) {
			at := slices.IndexFunc(filled.Fields, func(f record.Guessed) bool { return f.Field == g.Field })
			switch {
			case at >= 0:
				g = filled.Fields[at]
			case g.Field == record.FieldName:
				spare = append(spare, g)
				continue
			}
		}
		m.take(thing, g, back)
	}
	m.byValue(thing, record.FieldPhones, everyOf(looksLikePhone))
	m.byValue(thing, record.FieldEmails, everyOf(looksLikeEmail))
	m.nameInside(thing)
	m.nameByWord(thing, false)
	m.nameByValue(thing)
	if len(m.columns(record.FieldName)) == 0 {
		for _, g := range spare {
			m.take(thing, g, back)
		}
		m.nameByWord(thing, true)
	}
	if m.guess.Country != "" && !valuesFit(values(thing, m.guess.Country), func(v string) bool { return country.Code(v) != "" }) {
		m.guess.Country = ""
	}
	return m
}

// take takes the columns for a field that can hold it. back leads to their names.
func (m *meaning) take(thing Thing, g record.Guessed, back func(string) string) {
	var columns []string
	for _, name := range g.Columns {
		if column := back(name); m.fits(thing, g.Field, column) {
			columns = append(columns, column)
		}
	}
	if len(columns) == 0 {
		return
	}
	g.Columns = columns
	if len(columns) == 1 {
		g.Join = ""
	}
	m.guess.Fields = append(m.guess.Fields, g)
}

// bareNames returns the columns' names without what stands before each of them: a prefix that most of them have ("cust_"), or the
// thing's own name. original leads back.
func bareNames(thing Thing) (plain []string, original map[string]string) {
	original = map[string]string{}
	prefix := commonPrefix(thing.Columns)
	for _, c := range thing.Columns {
		name := c.Name
		if rest, ok := cutPrefixFold(name, prefix); ok && prefix != "" && rest != "" {
			name = rest
		}
		if _, taken := original[name]; taken {
			name = c.Name
		}
		if _, taken := original[name]; taken {
			continue
		}
		original[name] = c.Name
		plain = append(plain, name)
	}
	return plain, original
}

// commonPrefix returns what stands before an underscore in the names of most columns.
func commonPrefix(columns []Column) string {
	counts, most := map[string]int{}, ""
	for _, c := range columns {
		before, _, ok := strings.Cut(strings.ToLower(c.Name), "_")
		if !ok || before == "" {
			continue
		}
		counts[before+"_"]++
		if counts[before+"_"] > counts[most] {
			most = before + "_"
		}
	}
	if len(columns) < 3 || counts[most]*10 < len(columns)*7 {
		return ""
	}
	return most
}

func cutPrefixFold(name, prefix string) (string, bool) {
	if len(name) < len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
		return name, false
	}
	return name[len(prefix):], true
}

func (t *Thing) column(name string) *Column {
	if i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name }); i >= 0 {
		return &t.Columns[i]
	}
	return nil
}

// isReference reports whether a column leads to another thing.
func (t *Thing) isReference(column string) bool {
	return slices.ContainsFunc(t.References, func(r Reference) bool { return slices.Contains(r.Columns, column) })
}

// values returns the values of a column in the samples that are not empty.
func values(thing Thing, column string) []string {
	at := slices.IndexFunc(thing.Columns, func(c Column) bool { return c.Name == column })
	var list []string
	for _, sample := range thing.Samples {
		if at >= 0 && at < len(sample) && strings.TrimSpace(sample[at]) != "" {
			list = append(list, sample[at])
		}
	}
	return list
}

// isEmpty reports whether a column is empty in all records that were looked at.
func (t *Thing) isEmpty(column string) bool {
	return len(t.Samples) > 0 && len(values(*t, column)) == 0
}

// fits reports whether a column with the name of a field can hold it, by its type and values.
func (m *meaning) fits(thing Thing, field, name string) bool {
	c := thing.column(name)
	why := ""
	switch {
	case c == nil:
		return false
	case thing.isReference(name) && c.Is != Text:
		why = "it refers to another table"
	case c.Is == Bool || c.Is == Time || c.Is == Date || c.Is == Other:
		why = "its type is " + c.Type
	case field == record.FieldPhones && !valuesFit(values(thing, name), hasPhone):
		why = "its values are not phone numbers"
	case field == record.FieldEmails && !valuesFit(values(thing, name), func(v string) bool { return strings.Contains(v, "@") }):
		why = "its values are not e-mail addresses"
	}
	if why != "" {
		m.ignored = append(m.ignored, ignored{name, field, why})
		return false
	}
	return true
}

// valuesFit reports whether nothing speaks against a column: it has no values, or at least a fifth of them fit.
func valuesFit(values []string, fit func(string) bool) bool {
	if len(values) == 0 {
		return true
	}
	n := 0
	for _, v := range values {
		if fit(v) {
			n++
		}
	}
	return n*5 >= len(values)
}

// byValue adds the columns to a field of which the names say nothing, but whose values are clear.
func (m *meaning) byValue(thing Thing, field string, clear func(string) bool) {
	for _, c := range thing.Columns {
		if c.Is != Text || m.uses(c.Name) || m.isIgnored(c.Name) || excluded(field, c.Name) {
			continue
		}
		all := values(thing, c.Name)
		n := 0
		for _, v := range all {
			if clear(v) {
				n++
			}
		}
		if n >= 2 && n*10 >= len(all)*8 {
			m.add(field, c.Name)
			m.found[c.Name] = "by its values, such as " + quoteValue(strings.Trim(all[0], `"[]`))
		}
	}
}

func (m *meaning) uses(column string) bool {
	if column == m.guess.ID || column == m.guess.Updated || column == m.guess.Deleted || column == m.guess.Country {
		return true
	}
	return slices.ContainsFunc(m.guess.Fields, func(g record.Guessed) bool { return slices.Contains(g.Columns, column) })
}

func (m *meaning) isIgnored(column string) bool {
	return slices.ContainsFunc(m.ignored, func(i ignored) bool { return i.column == column })
}

func (m *meaning) add(field, column string) {
	for i, g := range m.guess.Fields {
		if g.Field == field {
			m.guess.Fields[i].Columns = append(g.Columns, column)
			return
		}
	}
	m.guess.Fields = append(m.guess.Fields, record.Guessed{Field: field, Columns: []string{column}})
}

// excludedWords are words of columns with values that look like phone numbers and are none.
var excludedWords = setOf(`fax telefax zip postal postcode plz iban bic vat tax account invoice order isbn ean sku serial ssn passport date time ip version
	reference ref code token hash uuid guid rechnung konto steuer birthday geburtstag lat lon latitude longitude price amount`)

func excluded(field, name string) bool {
	return field == record.FieldPhones && slices.ContainsFunc(wordsOf(name), func(w string) bool { return excludedWords[w] })
}

// nameWords are words of columns that hold the name of a person, the best first.
var nameWords = []map[string]bool{
	setOf(`name fullname naam nom nombre nome`),
	setOf(`person contact contactperson ansprechpartner ansprechpartnerin kontaktperson personne persona pessoa contactpersoon referente`),
}

// nameByWord takes a column with a word such as "name" or "person" in its name as the contact's name, where no other column is.
// An empty column is taken only where it is said.
func (m *meaning) nameByWord(thing Thing, empty bool) {
	if len(m.columns(record.FieldName)) > 0 {
		return
	}
	for _, set := range nameWords {
		for _, c := range thing.Columns {
			words := wordsOf(c.Name)
			at := slices.IndexFunc(words, func(w string) bool { return set[w] })
			if c.Is != Text || m.uses(c.Name) || at < 0 || thing.isEmpty(c.Name) && !empty || slices.ContainsFunc(words, func(w string) bool { return notNames[w] }) ||
				!valuesFit(values(thing, c.Name), hasLetters) {
				continue
			}
			m.setName(fmt.Sprintf("by %q in its name", words[at]), " ", c.Name)
			return
		}
	}
}

// setName makes the name of one column, or of several.
func (m *meaning) setName(found, join string, columns ...string) {
	if len(columns) == 1 {
		join = ""
	}
	m.guess.Fields = append([]record.Guessed{{Field: record.FieldName, Columns: columns, Join: join}}, m.guess.Fields...)
	m.found[columns[0]] = found
}

// nameInside takes the parts of a name within an object of a record: person.given and person.family.
func (m *meaning) nameInside(thing Thing) {
	if len(m.columns(record.FieldName)) > 0 {
		return
	}
	inside, columns := map[string][]string{}, map[string]map[string]string{}
	var objects []string
	for _, c := range thing.Columns {
		at := strings.LastIndexByte(c.Name, '.')
		if at <= 0 || c.Is != Text || m.uses(c.Name) {
			continue
		}
		object := c.Name[:at]
		if inside[object] == nil {
			objects, columns[object] = append(objects, object), map[string]string{}
		}
		part := c.Name[at+1:]
		switch strings.ToLower(part) {
		case "given", "middle", "family":
			part += "name"
		}
		columns[object][part] = c.Name
		inside[object] = append(inside[object], part)
	}
	for _, object := range objects {
		for _, g := range record.Usual(inside[object]).Fields {
			if g.Field != record.FieldName {
				continue
			}
			list := make([]string, len(g.Columns))
			for i, part := range g.Columns {
				list[i] = columns[object][part]
			}
			m.setName("by its usual name in "+object, " ", list...)
			return
		}
	}
}

// nameByValue takes the first column as the contact's name in which nearly all values are written as names of people are, and differ.
func (m *meaning) nameByValue(thing Thing) {
	if len(m.columns(record.FieldName)) > 0 {
		return
	}
	for _, c := range thing.Columns {
		if c.Is != Text || m.uses(c.Name) || m.isIgnored(c.Name) || thing.isReference(c.Name) || slices.ContainsFunc(wordsOf(c.Name), func(w string) bool { return notNames[w] }) {
			continue
		}
		all := values(thing, c.Name)
		different := len(slices.Compact(slices.Sorted(slices.Values(all))))
		if len(all) >= 3 && different*2 >= len(all) && share(all, looksLikeName) >= 0.8 {
			m.setName("by its values, such as "+quoteValue(all[0]), "", c.Name)
			return
		}
	}
}

// notNames are words beside "name" in columns that hold no name of a person.
var notNames = setOf(`user file login host domain company account table display nick maiden middle short product brand city street country state
	group role type created updated image path bank dns position street address department title note notes comment subject source
	id uuid guid key no nr number ref code email mail phone tel fax url method channel by preferred preference language`)

// wordsOf returns the words of a name in lower case: "phoneNumbers" and "phone_numbers" are phone and numbers.
func wordsOf(name string) []string {
	var b strings.Builder
	lower := false
	for _, r := range name {
		switch {
		case unicode.IsUpper(r) && lower:
			b.WriteByte(' ')
			fallthrough
		case unicode.IsLetter(r):
			b.WriteRune(unicode.ToLower(r))
			lower = unicode.IsLower(r)
		default:
			b.WriteByte(' ')
			lower = false
		}
	}
	return strings.Fields(b.String())
}

// quoteValue shows a value in a reason.
func quoteValue(v string) string {
	const most = 30
	if runes := []rune(v); len(runes) > most {
		v = string(runes[:most-1]) + "…"
	}
	return `"` + strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, v) + `"`
}
