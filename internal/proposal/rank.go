package proposal

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/source/record"
)

// A candidate is a thing with what was found out about it.
type candidate struct {
	thing  Thing
	meant  meaning
	sides  []side // things with a row for each number or address of a contact
	isSide bool   // it is itself one of another thing
	score  float64
}

// The weights of what makes a thing likely. Only their order of size counts: what is in a thing counts more than its name, and
// an empty thing is the last resort.
const (
	weighPhones = 40
	weighName   = 20
	weighEmails = 15
	weighOther  = 4
	weighWord   = 30
	weighStaff  = 8
	weighEmpty  = 60
	weighSide   = 50
	weighNoID   = 15
)

// Words in the names of things.
var (
	contactWords = setOf(`contact contacts customer customers client clients person persons people kontakt kontakte kunde kunden
		lead leads patient patients member members subscriber subscribers party parties addressbook phonebook directory guest guests tenant tenants
		mitglieder mitglied adresse adressen ansprechpartner patienten personen contacto contactos cliente clientes contatto contatti contato contatos
		clienti persona personas contactpersoon contactpersonen klant klanten personne personnes`)
	staffWords = setOf(`employee employees user users staff supplier suppliers vendor vendors agent agents company companies account accounts organization
		organizations organisation organisations mitarbeiter lieferant lieferanten benutzer firmen firma donor donors partner partners student students`)
	pastWords = setOf(`log logs history hist audit backup bak old tmp temp archive archived staging import imports export test tests session sessions
		migration migrations version versions queue job jobs event events copy deleted trash cache snapshot order orders invoice invoices payment
		payments item items product products ticket tickets message messages mail mails call calls`)
)

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(words) {
		set[word] = true
	}
	return set
}

// rank orders the things of an inventory, the most likely first.
func rank(inv Inventory) []candidate {
	list := make([]candidate, len(inv.Things))
	for i, thing := range inv.Things {
		list[i] = candidate{thing: thing, meant: understand(thing)}
	}
	for i := range list {
		list[i].sides = sidesOf(inv, list[i].thing)
		for _, s := range list[i].sides {
			at := slices.IndexFunc(list, func(c candidate) bool { return c.thing.Name == s.thing.Name })
			// A side has no name of its own: otherwise it is the contacts of a company, say.
			list[at].isSide = list[at].isSide || len(list[at].meant.columns(record.FieldName)) == 0
		}
	}
	for i := range list {
		list[i].score = list[i].weigh()
	}
	slices.SortStableFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.thing.Rows, a.thing.Rows))
	})
	return list
}

func (c *candidate) weigh() float64 {
	if c.thing.Ready {
		return float64(c.thing.Score)
	}
	score := 0.0
	add := func(is bool, weight float64) {
		if is {
			score += weight
		}
	}
	add(c.has(record.FieldPhones), weighPhones)
	add(c.has(record.FieldName), weighName)
	add(c.has(record.FieldEmails), weighEmails)
	add(c.has(record.FieldCompany), weighOther)
	add(c.has(record.FieldAddress), weighOther)
	switch words := wordsOf(c.thing.Name); {
	case slices.ContainsFunc(words, func(w string) bool { return pastWords[w] }):
		score -= weighWord
	case slices.ContainsFunc(words, func(w string) bool { return contactWords[w] }):
		score += weighWord
	case slices.ContainsFunc(words, func(w string) bool { return staffWords[w] }):
		score += weighStaff
	}
	add(c.thing.Rows == 0, -weighEmpty)
	add(c.isSide, -weighSide)
	add(c.idOf().column == "", -weighNoID)
	if c.thing.Rows > 0 {
		score += 2 * math.Log10(float64(c.thing.Rows))
	}
	return score
}

// has reports whether a field can be filled, from the thing's own columns or from sides.
func (c *candidate) has(field string) bool {
	return len(c.meant.columns(field)) > 0 || slices.ContainsFunc(c.sides, func(s side) bool { return s.field == field })
}

// possible reports whether a thing could hold contacts.
func (c *candidate) possible() bool {
	return c.thing.Ready || !c.isSide && (c.has(record.FieldPhones) || c.has(record.FieldEmails) && c.has(record.FieldName))
}

func (c *candidate) sort(inv Inventory) string { return cmp.Or(c.thing.Sort, inv.Noun) }

// why says why a thing is taken.
func (c *candidate) why() string {
	if c.thing.Ready {
		return c.thing.Why
	}
	return cmp.Or(c.content(), "nothing fits better")
}

// content says what a thing holds.
func (c *candidate) content() string {
	var parts []string
	if c.thing.Rows >= 0 {
		parts = append(parts, rows(c.thing.Rows))
	}
	for _, f := range []struct{ field, what string }{
		{record.FieldName, "names"}, {record.FieldPhones, "phone numbers"}, {record.FieldEmails, "e-mail addresses"}, {record.FieldCompany, "companies"},
	} {
		if c.has(f.field) {
			parts = append(parts, f.what)
		}
	}
	return strings.Join(parts, ", ")
}

func rows(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

// whyNot says why a thing was not taken.
func (c *candidate) whyNot() string {
	switch {
	case c.thing.Ready:
		return c.thing.Why
	case c.thing.Rows == 0:
		return "it is empty"
	}
	what := c.content()
	if c.thing.Sort != "" {
		what = c.thing.Sort + ", " + what
	}
	var lacks []string
	if !c.has(record.FieldPhones) {
		lacks = append(lacks, "no phone numbers")
	}
	if !c.has(record.FieldName) {
		lacks = append(lacks, "no names")
	}
	for _, w := range wordsOf(c.thing.Name) {
		if pastWords[w] {
			lacks = append(lacks, fmt.Sprintf("%q in its name", w))
			break
		}
	}
	if len(lacks) == 0 {
		return what
	}
	return what + "; but " + strings.Join(lacks, ", ")
}
