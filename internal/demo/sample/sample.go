// Package sample makes up the customers of an international company: the same ones for the same seed, with names in their
// own scripts and phone numbers as people write them. The demo, the benchmarks and the tests read them.
package sample

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// A Customer is a row of a CRM.
type Customer struct {
	ID        int
	FirstName string
	LastName  string
	Company   string
	Title     string
	Email     string
	Email2    string // one in five has it
	Phone     string // as people write it
	Mobile    string // as people write it; one in two has it
	E164      string // of Phone
	Region    string // ISO 3166-1 alpha-2
	City      string
	Plan      string
	Created   time.Time
	Updated   time.Time
}

// A Generator makes customers one after the other.
type Generator struct {
	random *rand.Rand
	start  time.Time
	next   int
}

// New returns a generator. Its first customer has id 1 and was updated at start; each later one a little later.
func New(seed uint64, start time.Time) *Generator {
	return &Generator{random: rand.New(rand.NewPCG(seed, 0x5eed)), start: start, next: 1}
}

// Next makes the next customer.
func (g *Generator) Next() Customer {
	id := g.next
	g.next++
	p := places[g.weighted()]
	first, last := pick(g, p.first), pick(g, p.last)
	c := Customer{
		ID: id, FirstName: first, LastName: last, Region: p.region, City: pick(g, p.cities),
		Company: pick(g, companyWords) + " " + pick(g, p.companyForms),
		Title:   pick(g, titles),
		Plan:    pick(g, plans),
		Created: g.start.Add(-time.Duration(g.random.IntN(900*24)) * time.Hour),
		Updated: g.start.Add(time.Duration(id) * 250 * time.Millisecond),
	}
	mailbox := fmt.Sprintf("%s.%s%d", latin(first, "contact"), latin(last, p.region), id)
	c.Email = strings.ToLower(mailbox) + "@" + domain(c.Company, p.region)
	if g.random.IntN(5) == 0 {
		c.Email2 = strings.ToLower(mailbox) + "@mail.example"
	}
	c.Phone, c.E164 = g.number(p, p.landline)
	if g.random.IntN(2) == 0 {
		c.Mobile, _ = g.number(p, p.mobile)
	}
	return c
}

// All makes the first n customers.
func All(seed uint64, start time.Time, n int) []Customer {
	g := New(seed, start)
	all := make([]Customer, n)
	for i := range all {
		all[i] = g.Next()
	}
	return all
}

// weighted picks a place, the first ones more often.
func (g *Generator) weighted() int {
	return min(g.random.IntN(len(places)), g.random.IntN(len(places)))
}

// number makes a number of one of the shapes, in one of the ways in which people of that place write it.
func (g *Generator) number(p place, shapes []shape) (written, e164 string) {
	s := shapes[g.random.IntN(len(shapes))]
	local := make([]byte, 0, 16)
	for _, c := range []byte(s.national) {
		switch c {
		case 'x':
			c = byte('0' + g.random.IntN(10))
		case 'n':
			c = byte('2' + g.random.IntN(8))
		}
		local = append(local, c)
	}
	digits := onlyDigits(string(local))
	e164 = "+" + p.code + digits[s.trunk:]
	switch g.random.IntN(4) {
	case 0:
		return e164, e164
	case 1:
		return "+" + p.code + " " + strings.TrimLeft(string(local[s.trunk:]), " -/"), e164
	default:
		return string(local), e164
	}
}

func pick(g *Generator, from []string) string { return from[g.random.IntN(len(from))] }

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// latin is a name's ASCII letters, or a word to stand for it in an address.
func latin(name, otherwise string) string {
	folded := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, name)
	if len(folded) < 2 {
		return otherwise
	}
	return folded
}

func domain(company, region string) string {
	word, _, _ := strings.Cut(company, " ")
	return strings.ToLower(word) + "-" + strings.ToLower(region) + ".example"
}
