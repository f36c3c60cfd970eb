package synchronizer_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// paged serves total contacts, size to a page, written once per page number: the bridge costs next to nothing.
func paged(total, size int) http.Handler {
	return scripted(func(w http.ResponseWriter, ask meta) {
		from := 0
		fmt.Sscan(ask.Offset, &from)
		body := []byte(`{"contacts":[`)
		for n := from; n < min(from+size, total); n++ {
			if n > from {
				body = append(body, ',')
			}
			c := contact.Contact{
				ID: fmt.Sprint(n), Name: fmt.Sprintf("Person %d", n), Company: "Example Corp.", Emails: []string{fmt.Sprintf("p%d@example.com", n)},
				Phones: []string{fmt.Sprintf("(415) 555-%04d", n%10000), fmt.Sprintf("(212) 555-%04d", n/10000)},
			}
			body = c.AppendJSON(body)
		}
		body = append(body, ']')
		if from+size < total {
			body = fmt.Appendf(body, `,"next_offset":"%d"`, from+size)
		}
		w.Write(append(body, '}'))
	})
}

// BenchmarkSync is a run from JSON to numbers that can be found, against storing alone: what comes before the store should
// disappear in it.
func BenchmarkSync(b *testing.B) {
	const total, size = 50_000, 1000
	numbers := func(phones []string) []directory.Number { return caller.Numbers(phones, "US") }
	b.Run("whole", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			store := openStore(b)
			s := synchronizer.Synchronizer{Bridge: connect(paged(total, size)), Store: store, Numbers: numbers}
			b.StartTimer()
			if _, err := s.Run(context.Background(), key, quick); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(total*b.N)/b.Elapsed().Seconds(), "contacts/s")
	})
	b.Run("storing alone", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			store, pages := openStore(b), prepared(b, total, size, numbers)
			run, err := store.StartRun(context.Background(), key, directory.Start{Lease: synchronizer.DefaultLease})
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			for _, page := range pages {
				if err := store.ApplyPage(context.Background(), run, page); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(total*b.N)/b.Elapsed().Seconds(), "contacts/s")
	})
}

// prepared holds the pages that the run stores, ready in memory.
func prepared(b *testing.B, total, size int, numbers func([]string) []directory.Number) (pages []directory.PageChanges) {
	b.Helper()
	client := connect(paged(total, size))
	for offset := ""; ; {
		answer, err := client.Page(context.Background(), bridge.PageRequest{Offset: offset})
		if err != nil {
			b.Fatal(err)
		}
		page := directory.PageChanges{Seq: int64(len(pages)) + 1, NextOffset: answer.NextOffset}
		for _, c := range answer.Contacts {
			page.Contacts = append(page.Contacts, directory.Record{Contact: c, Numbers: numbers(c.Phones)})
		}
		pages = append(pages, page)
		if offset = answer.NextOffset; offset == "" {
			return pages
		}
	}
}
