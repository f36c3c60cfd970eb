package postgres_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/postgres"
	"github.com/contactbridge/contactbridge/internal/demo/sample"
)

// records are n contacts of the sample with the numbers that find them.
func records(n int, name string) []directory.Record {
	all := make([]directory.Record, n)
	for i, c := range sample.All(1, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), n) {
		all[i] = directory.Record{
			Contact: contact.Contact{ID: strconv.Itoa(c.ID), Name: c.FirstName + " " + c.LastName + name, Company: c.Company, Emails: []string{c.Email}, Phones: []string{c.Phone}},
			Numbers: []directory.Number{{Raw: c.Phone, E164: c.E164, Match: c.E164[1:]}},
		}
	}
	return all
}

// BenchmarkApplyPage stores pages of 1,000 contacts in a full run; an operation is one contact. Give it a number of them: -benchtime 50000x.
func BenchmarkApplyPage(b *testing.B) {
	for _, kind := range []struct{ name, before, after string }{{"first fill", "", ""}, {"unchanged", "a", "a"}, {"changed", "a", "b"}} {
		b.Run(kind.name, func(b *testing.B) {
			store, err := postgres.Open(b.Context(), server.Database(b).DSN)
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			if kind.before != "" {
				storePages(b, store, records(b.N, kind.before))
			}
			all := records(b.N, kind.after)
			b.ResetTimer()
			storePages(b, store, all)
		})
	}
}

func storePages(b *testing.B, store *postgres.Store, all []directory.Record) {
	run, err := store.StartRun(b.Context(), directory.Key{Account: "a", Integration: "i"}, directory.Start{Full: true, Lease: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < len(all); i += 1000 {
		page := directory.PageChanges{Seq: run.Pages + 1, Contacts: all[i:min(i+1000, len(all))]}
		if i+1000 < len(all) {
			page.NextOffset = "more"
		}
		if err := store.ApplyPage(b.Context(), run, page); err != nil {
			b.Fatal(err)
		}
	}
}
