package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/contactbridge/contactbridge/internal/demo/sample"
)

func bridgeXLSX(ctx context.Context, l *laboratory) ([]result, error) {
	path := filepath.Join(l.dir, "customers.xlsx")
	if err := l.fillXLSX(path); err != nil {
		return nil, fmt.Errorf("fill the workbook: %w", err)
	}
	config := fmt.Sprintf("{kind: xlsx, path: %q, id: id, updated: updated_at, fields: %s}", path, csvFields)
	crawl := func(ctx context.Context) (float64, error) { // with the reading of the workbook, which is done once for each version
		s, err := l.serve(ctx, config, "{format: as-is}")
		if err != nil {
			return 0, err
		}
		defer s.stop()
		started := time.Now()
		if err := l.learn(ctx, s.url()); err != nil {
			return 0, err
		}
		if _, err = l.crawl(ctx, s.url()); err != nil {
			return 0, err
		}
		return float64(l.contacts) / time.Since(started).Seconds(), nil
	}
	read := func(context.Context) (float64, error) { return l.readWorkbookRate(path) }
	value, limit, err := paired(ctx, l.repeat, crawl, read)
	return []result{{
		Name: "bridge-xlsx", Value: value, Limit: limit, Unit: "contacts/s", Target: 0.5,
		against: "all pages in the order of updated over loopback HTTP, one client, from a new version of the workbook on, against excelize reading its rows in their order, encoding nothing",
	}}, err
}

// learn waits until the bridge has read a file that is new to it: it says 503 as long as that takes longer than a page may.
func (l *laboratory) learn(ctx context.Context, url string) error {
	body := fmt.Sprintf(`{"auth": {"username": "agent", "password": %q}, "meta": {}}`, secret)
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		started := time.Now()
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		answer, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return err
		}
		l.longest = max(l.longest, time.Since(started))
		switch response.StatusCode {
		case http.StatusOK:
			return nil
		case http.StatusServiceUnavailable, http.StatusGatewayTimeout: // the latter where this machine stands still meanwhile
		default:
			return fmt.Errorf("the bridge answered %s: %s", response.Status, answer)
		}
	}
}

// fillXLSX writes the customers as a workbook, as the other benchmarks' exports are.
func (l *laboratory) fillXLSX(path string) error {
	f := excelize.NewFile()
	defer f.Close()
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		return err
	}
	err = w.SetRow("A1", []any{"id", "name", "company", "title", "email", "email2", "phone", "mobile", "address", "url", "plan", "created_at", "updated_at"})
	g := sample.New(seed, start)
	for i := range l.contacts {
		c := g.Next()
		id := strconv.Itoa(c.ID)
		err = errors.Join(err, w.SetRow("A"+strconv.Itoa(i+2), []any{
			c.ID, c.FirstName + " " + c.LastName, c.Company, c.Title, c.Email, c.Email2, c.Phone, c.Mobile, c.City,
			"https://crm.example.com/customers/" + id, c.Plan, c.Created.Format(time.RFC3339), c.Updated.Format(time.RFC3339Nano),
		}))
	}
	if err = errors.Join(err, w.Flush()); err == nil {
		err = f.SaveAs(path)
	}
	old := time.Now().Add(-time.Hour) // so that it has settled
	return errors.Join(err, os.Chtimes(path, old, old))
}

// readWorkbookRate is how many rows a second excelize reads, one after the other.
func (l *laboratory) readWorkbookRate(path string) (float64, error) {
	started := time.Now()
	f, err := excelize.OpenFile(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	rows, err := f.Rows("Sheet1")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n := -1 // the header
	for ; rows.Next(); n++ {
		if _, err := rows.Columns(); err != nil {
			return 0, err
		}
	}
	if err := rows.Error(); err != nil {
		return 0, err
	}
	if n != l.contacts {
		return 0, fmt.Errorf("the workbook has %d rows", n)
	}
	return float64(n) / time.Since(started).Seconds(), nil
}
