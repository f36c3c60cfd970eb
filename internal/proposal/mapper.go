package proposal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/source/record"
)

// A mapper proposes the settings of one thing.
type mapper struct {
	inventory Inventory
	thing     Thing
	facts     candidate
	wish      Wish
	proposal  *Proposal
	elsewhere []string // the things that fields come from whose changes leave no trace in this one
}

func (m *mapper) propose() error {
	if err := m.id(); err != nil {
		return err
	}
	m.fields()
	m.updated()
	m.deleted()
	m.region()
	for _, i := range m.facts.meant.ignored {
		m.proposal.problem(fmt.Sprintf("If it belongs there all the same, add it to fields.%s.", i.field), "column %s is not taken for %s: %s", i.column, i.field, i.why)
	}
	return nil
}

func (m *mapper) set(key string, value any, why string) {
	m.proposal.Settings = append(m.proposal.Settings, Setting{Key: key, Value: value, Why: why})
}

// column writes a column in the language of the kind.
func (m *mapper) column(name string) string { return m.language().Column(name) }

func (m *mapper) language() Language {
	if m.inventory.Language == nil {
		return Records{}
	}
	return m.inventory.Language
}

// An identity is the column, or the expression, of the id.
type identity struct {
	column, why string
	all         []string // several columns together
}

// idOf finds what identifies a thing's records.
func (c *candidate) idOf() identity {
	t := &c.thing
	if t.ID != "" {
		if own := numberOf(t); own != "" && t.ID != c.meant.guess.ID {
			return identity{column: own, why: "by its name; every row that was looked at has a value of its own"}
		}
		return identity{column: t.ID, why: t.WhyID}
	}
	if len(t.Primary) == 1 {
		return identity{column: t.Primary[0], why: "the primary key"}
	}
	if len(t.Primary) > 1 {
		return identity{column: t.Primary[0], all: t.Primary, why: "the primary key has several columns"}
	}
	for _, columns := range t.Unique {
		if len(columns) == 1 {
			return identity{column: columns[0], why: "it is unique and never empty"}
		}
	}
	own := slices.IndexFunc(t.Columns, func(column Column) bool {
		base, ok := strings.CutSuffix(strings.Join(wordsOf(column.Name), ""), "id")
		return ok && base != "" && isNameOf(base, t.Name)
	})
	usual := c.meant.guess.ID
	if usual == "" && own >= 0 {
		usual = t.Columns[own].Name
	}
	if usual != "" && isUnique(values(*t, usual), len(t.Samples)) {
		return identity{column: usual, why: "by its name; its values in the first rows differ"}
	}
	return identity{}
}

// numberOf returns the column that numbers the records of a file, by its name and values.
func numberOf(t *Thing) string {
	for _, c := range t.Columns {
		words := wordsOf(c.Name)
		if len(words) > 0 && numberWords[words[len(words)-1]] && !slices.ContainsFunc(words, func(w string) bool { return notNumbers[w] }) &&
			len(t.Samples) > 1 && isUnique(values(*t, c.Name), len(t.Samples)) {
			return c.Name
		}
	}
	return ""
}

// What ends the names of columns that number records, and what is in those that number something else.
var (
	numberWords = setOf(`id no nr number nummer num key code uuid guid`)
	notNumbers  = setOf(`phone telephone tel telefon fax mobile mobil cell handy zip postal country area house street hausnummer vat tax account iban bank company`)
)

func isUnique(values []string, of int) bool {
	sorted := slices.Sorted(slices.Values(values))
	return len(values) == of && len(slices.Compact(sorted)) == of
}

func (m *mapper) id() error {
	if m.wished("id") {
		return nil
	}
	id := m.facts.idOf()
	switch {
	case id.column == "":
		return &failure.Error{
			Code: failure.Invalid, Message: fmt.Sprintf("%s %s has no column that identifies a contact for certain: no primary key, no unique column that is never empty", cmp.Or(m.thing.Sort, m.inventory.Noun), m.thing.Name),
			Hint: "Name the column, or write the expression, with --id.",
		}
	case len(id.all) > 0:
		m.set("id", m.key(id.all), id.why+": "+strings.Join(id.all, ", "))
	case id.column == m.thing.ID:
		m.set("id", id.column, id.why)
	default:
		m.set("id", m.column(id.column), id.why)
	}
	return nil
}

func (m *mapper) wished(key string) bool {
	return slices.ContainsFunc(m.wish.Settings, func(s Setting) bool { return s.Key == key && !isEmpty(s.Value) })
}

// text writes a column as a text.
func (m *mapper) text(name string) string {
	expression := m.column(name)
	if sql, ok := m.language().(SQL); ok {
		return asText(sql, m.thing.column(name), expression)
	}
	return expression
}

// isList reports whether several columns of a field are several values.
func isList(field string) bool {
	return field == record.FieldPhones || field == record.FieldEmails || field == record.FieldWebsites
}

func (m *mapper) fields() {
	for _, g := range m.facts.meant.guess.Fields {
		if isList(g.Field) {
			continue
		}
		why := ""
		for _, column := range g.Columns {
			why = cmp.Or(why, m.facts.meant.found[column])
		}
		if g.Join == "" || len(g.Columns) == 1 {
			m.set("fields."+g.Field, m.column(g.Columns[0]), why)
			continue
		}
		parts := make([]string, len(g.Columns))
		for i, column := range g.Columns {
			parts[i] = m.text(column)
		}
		m.set("fields."+g.Field, m.language().Join(g.Join, parts), "")
	}
	m.lookUp(record.FieldCompany, companyWords)
	for _, field := range []string{record.FieldEmails, record.FieldPhones, record.FieldWebsites} {
		m.list(field)
	}
	if c := m.facts.meant.guess.Country; c != "" {
		m.set("fields.country", m.column(c), "numbers without a country code belong to this country")
	} else {
		m.lookUp(record.FieldCountry, countryWords)
	}
}

// list proposes a field of several values: columns of the thing, and those of its sides.
func (m *mapper) list(field string) {
	var expressions, why []string
	for _, column := range m.facts.meant.columns(field) {
		expressions = append(expressions, m.column(column))
		if found := m.facts.meant.found[column]; found != "" {
			why = append(why, column+" "+found)
		}
	}
	for _, s := range m.facts.sides {
		if s.field != field {
			continue
		}
		for _, column := range s.columns {
			expressions = append(expressions, s.expression(m.language().(SQL), column))
		}
		why = append(why, s.why())
		m.side(s)
	}
	if len(expressions) > 0 {
		m.set("fields."+field, expressions, strings.Join(why, "; "))
	}
}

func (s *side) why() string {
	how := "its foreign key"
	if !s.declared {
		how = "the name of its column"
	}
	why := fmt.Sprintf("%s %s belongs to it by %s %s", "table", s.thing.Name, how, strings.Join(s.refers.Columns, ", "))
	if s.typed != "" {
		why += fmt.Sprintf(", with %s %s", s.typed, strings.Join(s.types, ", "))
	}
	return why
}

// side notes what follows from a field that comes from a side.
func (m *mapper) side(s side) {
	if slices.Contains(m.elsewhere, s.thing.Name) {
		return
	}
	m.elsewhere = append(m.elsewhere, s.thing.Name)
	if left := m.leftOut(s); len(left) > 0 {
		m.proposal.problem("Add what holds phone numbers or e-mail addresses to the lists in the configuration.",
			"rows of table %s with these values of %s are not taken: %s", s.thing.Name, s.typed, list(left, 8))
	}
	if !s.indexed() {
		sql, columns := m.language().(SQL), s.refers.Columns
		list := make([]string, len(columns))
		for i, column := range columns {
			list[i] = sql.Column(column)
		}
		bare := s.thing.Name[strings.LastIndexByte(s.thing.Name, '.')+1:]
		m.proposal.Problems = append(m.proposal.Problems, Problem{
			Message: fmt.Sprintf("table %s has no index on %s: for every contact all of its rows are read", s.thing.Name, strings.Join(columns, ", ")),
			Hint:    fmt.Sprintf("CREATE INDEX %s ON %s (%s) makes it quick.", sql.Column(bare+"_"+strings.Join(columns, "_")), sql.Thing(s.thing.Name), strings.Join(list, ", ")),
			Code:    "no_side_index", About: " " + bare + " ",
		})
	}
}

// leftOut returns the types of a side's rows that mean no field.
func (m *mapper) leftOut(s side) []string {
	var left []string
	for _, other := range s.others {
		if !slices.ContainsFunc(m.facts.sides, func(has side) bool { return has.thing.Name == s.thing.Name && slices.Contains(has.types, other) }) {
			left = append(left, other)
		}
	}
	return left
}

var (
	companyWords = setOf(`company companies organization organizations organisation organisations account accounts firm firms employer employers business businesses
		firma firmen unternehmen societe societes empresa empresas azienda aziende bedrijf bedrijven`)
	countryWords = setOf(`country countries land laender lander pays pais paises paese paesi landen`)
)

// lookUp proposes a field that is the name of something another thing holds: the company with company_id.
func (m *mapper) lookUp(field string, words map[string]bool) {
	sql, ok := m.language().(SQL)
	if !ok || len(m.facts.meant.columns(field)) > 0 {
		return
	}
	for _, r := range m.thing.References {
		at := slices.IndexFunc(m.inventory.Things, func(t Thing) bool { return t.Name == r.To })
		if at < 0 || r.To == m.thing.Name || !r.complete() || !slices.ContainsFunc(wordsOf(r.To), func(w string) bool { return words[w] }) {
			continue
		}
		to := m.inventory.Things[at]
		column := nameIn(to, field)
		if column == "" {
			continue
		}
		m.set("fields."+field, fmt.Sprintf("(SELECT %s FROM %s WHERE %s)", sql.Of(to.Name, column), sql.Thing(to.Name), agree(sql, to.Name, r.ToColumns, m.thing.Name, r.Columns)),
			fmt.Sprintf("table %s, by the foreign key %s", to.Name, strings.Join(r.Columns, ", ")))
		if field != record.FieldCountry { // countries keep their names
			m.elsewhere = append(m.elsewhere, to.Name)
		}
		return
	}
}

// nameIn returns the column with the name of a company or country; of a country its code where there is one.
func nameIn(t Thing, field string) string {
	preferred := []string{"name", "title", "label", "bezeichnung"}
	if field == record.FieldCountry {
		preferred = append([]string{"iso", "iso2", "isocode", "code", "alpha2", "countrycode", "iso3166"}, preferred...)
	}
	for _, name := range preferred {
		for _, c := range t.Columns {
			if c.Is == Text && !t.isEmpty(c.Name) && strings.EqualFold(strings.NewReplacer("_", "", "-", "", " ", "").Replace(c.Name), name) {
				return c.Name
			}
		}
	}
	if columns := understandAs(t, field); len(columns) > 0 {
		return columns[0]
	}
	return ""
}

func understandAs(t Thing, field string) []string {
	m := understand(t)
	if field == record.FieldCountry && m.guess.Country != "" {
		return []string{m.guess.Country}
	}
	return m.columns(field)
}

// updated proposes the column of the last change. It must move with every change of a contact: that of a row elsewhere moves it
// nowhere, and then it is left out.
func (m *mapper) updated() {
	guess := m.facts.meant.guess.Updated
	c := m.thing.column(guess)
	const without = "without updated every run looks at all rows, and sends all of them if any has changed"
	switch {
	case m.wished("updated"):
	case m.thing.ID != "" || m.inventory.Language == nil: // of a file every new version is sent whole
	case c == nil || c.Is != Time && c.Is != Date && c.Is != Integer:
		m.proposal.problem("Set updated if there is a column that moves with every change.", "no column was found that says when a contact was last changed: %s", without)
	case len(m.elsewhere) > 0:
		m.proposal.problem(fmt.Sprintf("Set updated: %s if your program moves it as well whenever a row there is added, changed or removed.", m.column(guess)),
			"updated is left out: %s does not tell of changes in %s; %s", guess, strings.Join(m.elsewhere, ", "), without)
	case len(values(m.thing, guess)) < len(m.thing.Samples):
		m.unstamped(guess)
	default:
		why := "by its name"
		if c.Stamped {
			why = "the database sets it with every change"
		}
		m.set("updated", m.column(guess), why)
		if !c.Stamped {
			m.proposal.problem("Leave updated out if that is not so: changes that do not move it are never sent.", "updated is %s by its name: check that your program moves it with every change", guess)
		}
	}
}

// unstamped proposes what to do about a column of changes that some rows have no value in.
func (m *mapper) unstamped(guess string) {
	for _, name := range []string{"createdat", "created", "createdon", "createtime", "createddate", "datecreated", "insertedat", "angelegtam", "erstelltam"} {
		for _, c := range m.thing.Columns {
			if strings.Join(wordsOf(c.Name), "") == name && c.Is == m.thing.column(guess).Is && len(values(m.thing, c.Name)) == len(m.thing.Samples) {
				m.set("updated", fmt.Sprintf("coalesce(%s, %s)", m.column(guess), m.column(c.Name)), guess+" is empty in some rows")
				return
			}
		}
	}
	m.proposal.problem("Fill it for every row, and set updated to it.", "updated is left out: %s is empty in some of the first rows, and a new contact without it would never be sent", guess)
}

func (m *mapper) deleted() {
	if m.wished("deleted") || m.facts.meant.guess.Deleted == "" {
		return
	}
	m.set("deleted", m.column(m.facts.meant.guess.Deleted), "by its name: contacts with a value there are gone")
}

// region looks at whether numbers can be told without their country.
func (m *mapper) region() {
	if slices.ContainsFunc(m.proposal.Settings, func(s Setting) bool { return s.Key == "fields.country" }) {
		return
	}
	regions := map[string]int{}
	look := func(t Thing, columns []string) {
		for _, column := range columns {
			for _, v := range values(t, column) {
				if isNational(v) {
					m.proposal.National = true
				} else if region := regionOf(v); region != "" {
					regions[region]++
				}
			}
		}
	}
	look(m.thing, m.facts.meant.columns(record.FieldPhones))
	for _, s := range m.facts.sides {
		if s.field == record.FieldPhones {
			look(s.thing, s.columns)
		}
	}
	if len(regions) == 1 {
		for region, n := range regions {
			if n >= 3 {
				m.proposal.Region = region
			}
		}
	}
}
