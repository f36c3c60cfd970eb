package migrate_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/internal/demo/sample"
	"github.com/contactbridge/contactbridge/internal/migrate"
)

// customers are n contacts of the sample with the numbers that find them, a page at a time.
func customers(n int, page func([]directory.Record)) {
	g := sample.New(1, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	var records []directory.Record
	for i := range n {
		c := g.Next()
		r := directory.Record{
			Contact: contact.Contact{
				ID: strconv.Itoa(c.ID), Name: c.FirstName + " " + c.LastName, Title: c.Title, Company: c.Company, Emails: []string{c.Email},
				Phones: []string{c.Phone}, Address: c.City, CustomFields: []contact.CustomField{{Key: "Plan", Value: c.Plan}},
			},
			Numbers: []directory.Number{{Raw: c.Phone, E164: c.E164, Match: c.E164[1:]}},
		}
		if c.Mobile != "" {
			r.Contact.Phones = append(r.Contact.Phones, c.Mobile)
			r.Numbers = append(r.Numbers, directory.Number{Raw: c.Mobile, Match: strconv.Itoa(1e9 + i)})
		}
		if records = append(records, r); len(records) == 1000 || i == n-1 {
			page(records)
			records = records[:0]
		}
	}
}

// BenchmarkRun moves a directory; an operation is one contact. Give it a number of them: -benchtime 1000000x.
func BenchmarkRun(b *testing.B) {
	file := b.TempDir() + "/contacts.db"
	store := got(sqlite.Open(b.Context(), file))(b)
	run := got(store.StartRun(b.Context(), crm, directory.Start{Lease: time.Hour}))(b)
	customers(b.N, func(records []directory.Record) {
		page := directory.PageChanges{Seq: run.Pages + 1, Contacts: records, NextOffset: "more"}
		if int(run.Contacts)+len(records) == b.N {
			page.NextOffset = ""
		}
		ok(b, store.ApplyPage(b.Context(), run, page))
	})
	ok(b, store.Close())
	database := server.Database(b)
	b.ResetTimer()
	got(migrate.Run(b.Context(), migrate.Options{From: file, To: database.DSN}))(b)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "contacts/s")
}
