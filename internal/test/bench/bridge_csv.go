package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/contactbridge/contactbridge/internal/demo/sample"
)

// csvFields maps the columns of the CSV file as fields maps those of the databases.
const csvFields = `{name: name, company: company, title: title, emails: [email, email2], phones: [phone, mobile], address: address, url: url,
        custom_fields: {Plan: plan, Customer since: created_at}}`

func bridgeCSV(ctx context.Context, l *laboratory) ([]result, error) {
	path := filepath.Join(l.dir, "customers.csv")
	if err := l.fillCSV(path); err != nil {
		return nil, fmt.Errorf("fill CSV: %w", err)
	}
	s, err := l.serve(ctx, fmt.Sprintf("{kind: csv, path: %q, id: id, updated: updated_at, fields: %s}", path, csvFields), "{format: as-is}")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	read := func(context.Context) (float64, error) { return l.readRate(path) }
	return l.crawlAgainst(ctx, s, read, result{
		Name: "bridge-csv", Target: 0.6,
		against: "all pages in the order of updated over loopback HTTP, one client, against encoding/csv reading the same file in its order, encoding nothing",
	})
}

// fillCSV writes the customers as an export.
func (l *laboratory) fillCSV(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	err = w.Write([]string{"id", "name", "company", "title", "email", "email2", "phone", "mobile", "address", "url", "plan", "created_at", "updated_at"})
	g := sample.New(seed, start)
	for range l.contacts {
		c := g.Next()
		id := strconv.Itoa(c.ID)
		err = errors.Join(err, w.Write([]string{
			id, c.FirstName + " " + c.LastName, c.Company, c.Title, c.Email, c.Email2, c.Phone, c.Mobile, c.City,
			"https://crm.example.com/customers/" + id, c.Plan, c.Created.Format(time.RFC3339), c.Updated.Format(time.RFC3339Nano),
		}))
	}
	w.Flush()
	old := time.Now().Add(-time.Hour) // so that it has settled
	return errors.Join(err, w.Error(), f.Close(), os.Chtimes(path, old, old))
}

// readRate is how many rows a second the standard library's reader reads.
func (l *laboratory) readRate(path string) (float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	started := time.Now()
	r := csv.NewReader(f)
	r.ReuseRecord = true
	n := -1 // the header
	for ; ; n++ {
		if _, err := r.Read(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return 0, err
		}
	}
	if n != l.contacts {
		return 0, fmt.Errorf("the file has %d rows", n)
	}
	return float64(n) / time.Since(started).Seconds(), nil
}
