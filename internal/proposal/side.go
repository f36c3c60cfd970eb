package proposal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/source/record"
)

// A side is a thing with a row for each number or address of a contact.
type side struct {
	thing    Thing
	refers   Reference // from the side to the contacts
	declared bool      // by a foreign key, not only by its name
	field    string
	columns  []string
	typed    string   // the column that says what a row holds, or ""
	types    []string // those of its values that mean this field
	others   []string // its other values in the samples
}

// sidesOf returns the sides of a thing, as far as the inventory has any.
func sidesOf(inv Inventory, of Thing) []side {
	if _, ok := inv.Language.(SQL); !ok || of.Ready {
		return nil
	}
	var list []side
	for _, t := range inv.Things {
		if t.Name == of.Name || t.Ready || t.Sort == "view" || t.Rows == 0 {
			continue
		}
		reference, declared, ok := referenceTo(t, of)
		if !ok {
			continue
		}
		if !declared { // what refers to the contacts holds no number
			t.References = append(slices.Clone(t.References), reference)
		}
		for _, s := range meaningsOfSide(t) {
			s.thing, s.refers, s.declared = t, reference, declared
			list = append(list, s)
		}
	}
	return list
}

// referenceTo returns how the rows of a side belong to those of a thing: by a foreign key, of one or more columns, or by a
// column that has the thing's name.
func referenceTo(t, of Thing) (r Reference, declared, ok bool) {
	for _, r := range t.References {
		if r.To == of.Name && r.complete() {
			return r, true, true
		}
	}
	if len(of.Primary) != 1 {
		return r, false, false
	}
	key := of.column(of.Primary[0])
	for _, c := range t.Columns {
		if key == nil || c.Is != key.Is || slices.ContainsFunc(t.References, func(r Reference) bool { return slices.Contains(r.Columns, c.Name) }) {
			continue
		}
		words := strings.Join(wordsOf(c.Name), "")
		for _, end := range []string{"id", "no", "nr", "key", "uuid", "guid"} {
			if base, ok := strings.CutSuffix(words, end); ok && base != "" && isNameOf(base, of.Name) {
				return Reference{Columns: []string{c.Name}, To: of.Name, ToColumns: of.Primary}, false, true
			}
		}
	}
	return r, false, false
}

// complete reports whether it is known which column holds what each column there holds.
func (r *Reference) complete() bool {
	return len(r.Columns) > 0 && len(r.Columns) == len(r.ToColumns) && !slices.Contains(r.ToColumns, "")
}

// agree is the condition of the rows of two things that belong together.
func agree(sql SQL, a string, columns []string, b string, others []string) string {
	parts := make([]string, len(columns))
	for i, column := range columns {
		parts[i] = sql.Of(a, column) + " = " + sql.Of(b, others[i])
	}
	return strings.Join(parts, " AND ")
}

// isNameOf reports whether a word is the name of a thing, in the singular or not: customer of customers, company of companies,
// person of crm_people.
func isNameOf(word, thing string) bool {
	name := strings.Join(wordsOf(thing[strings.LastIndexByte(thing, '.')+1:]), "")
	for _, plural := range []string{word, word + "s", word + "es", word + "n", word + "en", word + "e", strings.TrimSuffix(word, "y") + "ies"} {
		if name == plural || strings.HasSuffix(name, plural) && len(plural) > 3 {
			return true
		}
	}
	return word == "person" && strings.HasSuffix(name, "people")
}

// phoneThings are words in the names of sides that hold phone numbers, mailThings in those that hold e-mail addresses.
var (
	phoneThings = setOf(`phone phones telephone telephones tel telefon telefone telefonnummer telefonnummern telefonos telefoni mobile mobiles phonenumber
		phonenumbers handy numbers`)
	mailThings   = setOf(`mail mails email emails emailaddress emailaddresses correos`)
	valueColumns = setOf(`value number nr no nummer numero numéro num contact detail details data content text wert entry address`)
	typeColumns  = setOf(`type kind channel method medium sort art typ category label tipo soort genre`)
)

// meaningsOfSide returns what a side could hold: numbers, addresses or both.
func meaningsOfSide(t Thing) []side {
	if list := typedSides(t); len(list) > 0 {
		return list
	}
	m := understand(t)
	if len(m.columns(record.FieldName)) > 0 && !slices.ContainsFunc(wordsOf(t.Name), func(w string) bool { return phoneThings[w] || mailThings[w] }) {
		return nil // they are contacts themselves, such as those of a company
	}
	var list []side
	for _, field := range []string{record.FieldPhones, record.FieldEmails} {
		columns := m.columns(field)
		words := wordsOf(t.Name)
		called := map[string]map[string]bool{record.FieldPhones: phoneThings, record.FieldEmails: mailThings}[field]
		if len(columns) == 0 && slices.ContainsFunc(words, func(w string) bool { return called[w] }) {
			columns = valueColumn(t, &m)
		}
		if len(columns) > 0 {
			list = append(list, side{field: field, columns: columns})
		}
	}
	return list
}

// valueColumn returns the column with a name such as value or number.
func valueColumn(t Thing, m *meaning) []string {
	for _, c := range t.Columns {
		words := wordsOf(c.Name)
		if (c.Is == Text || c.Is == Integer) && !slices.Contains(t.Primary, c.Name) && !t.isReference(c.Name) && !m.isIgnored(c.Name) && len(words) > 0 &&
			valueColumns[words[len(words)-1]] {
			return []string{c.Name}
		}
	}
	return nil
}

// typedSides returns the meanings of a side with a column that says what each row holds: of each of its values it is looked at
// what the rows hold.
func typedSides(t Thing) []side {
	typed, value := "", ""
	for _, c := range t.Columns {
		words := wordsOf(c.Name)
		if len(words) == 0 || c.Is != Text || t.isReference(c.Name) || t.isEmpty(c.Name) {
			continue
		}
		last := words[len(words)-1]
		switch {
		case typed == "" && typeColumns[last]:
			typed = c.Name
		case value == "" && valueColumns[last]:
			value = c.Name
		}
	}
	if typed != "" && value == "" {
		value = reachColumn(t, typed)
	}
	if typed == "" || value == "" {
		return nil
	}
	groups := groupValues(t, typed, value)
	var list []side
	for _, f := range []struct {
		field string
		is    func(string) bool
	}{{record.FieldPhones, isPhoneOf}, {record.FieldEmails, looksLikeEmail}} {
		s := side{field: f.field, columns: []string{value}, typed: typed}
		for _, g := range groups {
			fax := slices.ContainsFunc(wordsOf(g.name), func(w string) bool { return excludedWords[w] })
			if !fax && share(g.values, f.is) >= 0.8 {
				s.types = append(s.types, g.name)
			} else {
				s.others = append(s.others, g.name)
			}
		}
		if len(s.types) > 0 {
			list = append(list, s)
		}
	}
	if len(list) == 1 && len(list[0].others) == 0 && len(groups) > 0 { // all rows are of one field: a label such as work or home
		list[0].typed, list[0].types = "", nil
	}
	return list
}

// reachColumn returns the only column of texts of which nearly all values are phone numbers or e-mail addresses.
func reachColumn(t Thing, typed string) string {
	found := ""
	for _, c := range t.Columns {
		if c.Is != Text || c.Name == typed || slices.Contains(t.Primary, c.Name) || t.isReference(c.Name) {
			continue
		}
		all := values(t, c.Name)
		if len(all) < 2 || share(all, func(v string) bool { return looksLikePhone(v) || looksLikeEmail(v) }) < 0.8 {
			continue
		}
		if found != "" {
			return ""
		}
		found = c.Name
	}
	return found
}

// isPhoneOf reports whether a value among numbers and addresses is a number.
func isPhoneOf(value string) bool {
	return hasPhone(value) && !strings.Contains(value, "@") && !strings.Contains(value, "://") && len(value) < 40 && !notPhone.MatchString(value)
}

type group struct {
	name   string
	values []string
}

func groupValues(t Thing, typed, value string) []group {
	at := func(name string) int {
		return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	}
	typeAt, valueAt := at(typed), at(value)
	var groups []group
	for _, s := range t.Samples {
		if typeAt >= len(s) || valueAt >= len(s) || s[typeAt] == "" || s[valueAt] == "" {
			continue
		}
		i := slices.IndexFunc(groups, func(g group) bool { return g.name == s[typeAt] })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{name: s[typeAt]})
		}
		groups[i].values = append(groups[i].values, s[valueAt])
	}
	slices.SortFunc(groups, func(a, b group) int { return strings.Compare(a.name, b.name) })
	return groups
}

func share(values []string, is func(string) bool) float64 {
	n := 0
	for _, v := range values {
		if is(v) {
			n++
		}
	}
	return float64(n) / float64(max(len(values), 1))
}

// expression writes the values of a side's column as one text for each contact.
func (s *side) expression(sql SQL, column string) string {
	in := func(c string) string { return sql.Of(s.thing.Name, c) }
	where := agree(sql, s.thing.Name, s.refers.Columns, s.refers.To, s.refers.ToColumns)
	if s.typed != "" {
		values := make([]string, len(s.types))
		for i, v := range s.types {
			values[i] = sql.Value(v)
		}
		where += fmt.Sprintf(" AND %s IN (%s)", asText(sql, s.thing.column(s.typed), in(s.typed)), strings.Join(values, ", "))
	}
	m := understand(s.thing)
	if c := s.thing.column(m.guess.Deleted); c != nil {
		where += " AND " + notDeleted(c, in(c.Name))
	}
	order := in(s.refers.Columns[0])
	if len(s.thing.Primary) > 0 {
		order = in(s.thing.Primary[len(s.thing.Primary)-1])
	}
	return fmt.Sprintf("(SELECT %s FROM %s WHERE %s)", sql.List(asText(sql, s.thing.column(column), in(column)), order), sql.Thing(s.thing.Name), where)
}

// asText writes a column as a text. One of characters is one; a list of words, a UUID or a number is cast.
func asText(sql SQL, c *Column, expression string) string {
	if c != nil && c.Is == Text && (strings.Contains(strings.ToLower(c.Type), "char") || strings.Contains(strings.ToLower(c.Type), "text")) {
		return expression
	}
	return sql.Text(expression)
}

// notDeleted is the condition of rows that are not marked as deleted.
func notDeleted(c *Column, expression string) string {
	switch c.Is {
	case Bool:
		return expression + " IS NOT TRUE"
	case Integer, Number:
		return "coalesce(" + expression + ", 0) = 0"
	}
	return expression + " IS NULL"
}

// indexed reports whether an index finds the rows of a contact.
func (s *side) indexed() bool {
	n := len(s.refers.Columns)
	starts := func(columns []string) bool {
		return len(columns) >= n && !slices.ContainsFunc(columns[:n], func(c string) bool { return !slices.Contains(s.refers.Columns, c) })
	}
	return starts(s.thing.Primary) || slices.ContainsFunc(s.thing.Indexes, starts) || slices.ContainsFunc(s.thing.Unique, starts)
}
