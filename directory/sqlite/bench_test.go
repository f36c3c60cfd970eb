package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/internal/demo/sample"
)

const pageSize = 1000

// records are n contacts of the sample with the numbers that find them.
func records(n int, name string) []directory.Record {
	all := make([]directory.Record, n)
	for i, c := range sample.All(1, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), n) {
		all[i] = directory.Record{
			Contact: contact.Contact{
				ID: strconv.Itoa(c.ID), Name: c.FirstName + " " + c.LastName + name, Title: c.Title, Company: c.Company, Emails: []string{c.Email},
				Phones: []string{c.Phone}, Address: c.City, CustomFields: []contact.CustomField{{Key: "Plan", Value: c.Plan}},
			},
			Numbers: []directory.Number{{Raw: c.Phone, E164: c.E164, Match: c.E164[1:]}},
		}
	}
	return all
}

// BenchmarkApplyPage stores pages of 1,000 contacts; an operation is one contact.
func BenchmarkApplyPage(b *testing.B) {
	const n = 100_000
	first, changed := records(n, ""), records(n, " jun.")
	b.Run("first fill", func(b *testing.B) {
		store := openForBenchmark(b)
		b.ResetTimer()
		storeForBenchmark(b, store, first, b.N)
	})
	for _, c := range []struct {
		name string
		then []directory.Record
	}{{"unchanged", first}, {"changed", changed}} {
		b.Run(c.name, func(b *testing.B) {
			store := openForBenchmark(b)
			storeForBenchmark(b, store, first, b.N)
			b.ResetTimer()
			storeForBenchmark(b, store, c.then, b.N)
		})
	}
}

func openForBenchmark(b *testing.B) *sqlite.Store {
	store, err := sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "contacts.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	return store
}

// storeForBenchmark stores count contacts, every len(all) of them in an integration of their own.
func storeForBenchmark(b *testing.B, store *sqlite.Store, all []directory.Record, count int) {
	ctx := context.Background()
	for integration := 0; count > 0; integration++ {
		n := min(count, len(all))
		count -= n
		run, err := store.StartRun(ctx, directory.Key{Account: "a", Integration: strconv.Itoa(integration)}, directory.Start{Full: true, Lease: time.Hour})
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; i < n; i += pageSize {
			page := directory.PageChanges{Seq: run.Pages + 1, Contacts: all[i:min(i+pageSize, n)]}
			if i+pageSize < n {
				page.NextOffset = "more"
			}
			if err := store.ApplyPage(ctx, run, page); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkByE164 is one number looked up among 100,000 contacts, and, to compare with, the bare query for it.
func BenchmarkByE164(b *testing.B) {
	ctx, path := context.Background(), filepath.Join(b.TempDir(), "contacts.db")
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	all := records(100_000, "")
	storeForBenchmark(b, store, all, len(all))
	b.Run("store", func(b *testing.B) {
		number := make([]string, 1)
		for i := 0; b.Loop(); i++ {
			number[0] = all[i%len(all)].Numbers[0].E164
			if found, err := store.ByE164(ctx, "a", number, 10); err != nil || len(found) == 0 {
				b.Fatalf("%s: %v, %v", number, found, err)
			}
		}
	})
	b.Run("bare query", func(b *testing.B) {
		db, err := sql.Open("sqlite", "file:"+path)
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		query, err := db.Prepare("SELECT c.data FROM numbers n JOIN contacts c ON c.pk = n.contact WHERE n.account = 1 AND n.ending = ?")
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; b.Loop(); i++ {
			key, _ := sqlite.Endings(all[i%len(all)].Numbers[0].Match)
			rows, err := query.Query(key)
			if err != nil {
				b.Fatal(err)
			}
			for rows.Next() {
				var data []byte
				if err := rows.Scan(&data); err != nil {
					b.Fatal(err)
				}
			}
			if err := rows.Err(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
