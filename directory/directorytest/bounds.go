package directorytest

import (
	"fmt"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

// giant returns a contact far beyond the bounds of package contact, as an older version may have stored it. Its numbers all end alike.
func giant(id string, size int) directory.Record {
	r := directory.Record{Contact: contact.Contact{ID: id, Name: "Giant " + id}}
	for i := range size {
		digits := fmt.Sprintf("1415%06d5555", i)
		r.Contact.Phones = append(r.Contact.Phones, "+"+digits)
		r.Contact.Emails = append(r.Contact.Emails, fmt.Sprintf("giant.%06d@example.com", i))
		r.Numbers = append(r.Numbers, directory.Number{Raw: "+" + digits, E164: "+" + digits, Match: digits})
	}
	return r
}

// giantContact stores a contact beyond all bounds (D11): a store takes it, and both find it by the same numbers and addresses.
func giantContact(b *bench) {
	const size = 40_000
	g := giant("g", size)
	b.complete(directory.PageChanges{Contacts: []directory.Record{g, person("00001", "Ann", "+14150000001")}, Checkpoint: "c"})
	if c, err := b.store.Contact(ctx, b.key, "g"); err != nil || len(c.Phones) != size || len(c.Emails) != size {
		b.Fatalf("%d phones, %d addresses, %v", len(c.Phones), len(c.Emails), err)
	}
	last := directory.MaxNumbers - 1
	b.wantIDs(b.found(g.Numbers[0].E164), "g")
	b.wantIDs(b.found(g.Numbers[last].E164), "g")
	b.wantIDs(b.found(g.Numbers[last+1].E164))
	for i, want := range map[int]int{0: 1, directory.MaxEmails - 1: 1, directory.MaxEmails: 0} {
		if entries, err := b.store.ByEmail(ctx, b.key.Account, g.Contact.Emails[i:i+1], 9); err != nil || len(entries) != want {
			b.Errorf("address %d: %d contacts, %v", i, len(entries), err)
		}
	}
	b.wantIDs(b.search("giant"), "g")
	g.Contact.Name, g.Numbers = "Small", g.Numbers[:1]
	run := b.start()
	b.apply(run, directory.PageChanges{Contacts: []directory.Record{g}, Checkpoint: "d"})
	b.wantIDs(b.found(g.Contact.Phones[1]))
}

// giantsDoNotSlowOthers asks beside contacts that are beyond all bounds: no question takes a time that anyone notices. The limit is
// ten times what storing them takes, so that a slow machine has more: what grows with the square of their numbers would take minutes.
func giantsDoNotSlowOthers(b *bench) {
	const size = 100_000
	began := time.Now()
	b.complete(directory.PageChanges{Contacts: append(people(1, 3, "Ann"), giant("g", size), giant("h", size)), Checkpoint: "c"})
	stored := time.Since(began)
	b.Logf("stored after %v", stored)
	all := giant("g", size).Contact.Emails
	for name, question := range map[string]func() (int, error){
		"the end of all its numbers": func() (int, error) { return b.searched("5555", 2) },
		"their beginning":            func() (int, error) { return b.searched("+1415", 2) },
		"its name":                   func() (int, error) { return b.searched("giant", 2) },
		"its addresses":              func() (int, error) { return b.searched("example", 2) },
		"an ending": func() (int, error) {
			found, err := b.store.BySuffix(ctx, b.key.Account, "005555", 200)
			return len(found), err
		},
		"many of its addresses": func() (int, error) {
			found, err := b.store.ByEmail(ctx, b.key.Account, all[:200], 200)
			return len(found), err
		},
	} {
		began := time.Now()
		n, err := question()
		took := time.Since(began)
		b.Logf("%s: %d contacts after %v", name, n, took)
		if err != nil || n == 0 || took > 10*stored {
			b.Errorf("%s: %d contacts after %v, where storing them took %v: %v", name, n, took, stored, err)
		}
	}
}

// searched returns how many contacts a text finds, which are so many at least.
func (b *bench) searched(text string, least int) (int, error) {
	found, err := b.store.Search(ctx, b.key.Account, directory.Query{Text: text})
	if len(found) < least {
		b.Errorf("%s finds %d contacts", text, len(found))
	}
	return len(found), err
}

// searchIsBounded looks for what many large contacts have in common: only some of them are read.
func searchIsBounded(b *bench) {
	var page []directory.Record
	for i := range 60 {
		r := person(fmt.Sprintf("%05d", i), "Large", fmt.Sprintf("+1415000%04d", i))
		r.Contact.Address = strings.Repeat("x", contact.MaxText-1000)
		page = append(page, r)
	}
	b.complete(directory.PageChanges{Contacts: page, Checkpoint: "c"})
	b.completeSearch()
	found, err := b.store.Search(ctx, b.key.Account, directory.Query{Text: "large", Limit: 100})
	if most := directory.MaxRanked / (contact.MaxText - 1000); err != nil || len(found) == 0 || len(found) > most {
		b.Errorf("%d contacts of %d MiB together, %v", len(found), len(found)*contact.MaxText>>20, err)
	}
}
