package bridgeserver_test

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver of the file that is written

	"github.com/contactbridge/contactbridge/internal/bridgeserver"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/demo/sample"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
)

const benchContacts = 20_000

var benchColumns = []string{"id", "name", "company", "title", "email", "email2", "phone", "mobile", "address", "url", "plan", "created_at", "updated_at"}

const benchFields = `id: id, updated: updated_at, fields: {name: name, company: company, title: title, emails: [email, email2], phones: [phone, mobile],
  address: address, url: url, custom_fields: {Plan: plan, Customer since: created_at}}`

// BenchmarkPages measures every page of a run of each kind, without the network: the processor's time and the allocations of the
// path from the source to the answer's body.
func BenchmarkPages(b *testing.B) {
	for _, bench := range []struct {
		name, keys, phones string
		write              func(b *testing.B, path string)
	}{
		{"csv", "kind: csv, " + benchFields, "{format: as-is}", writeCSV},
		{"csv-e164", "kind: csv, " + benchFields, "{region: US, format: e164}", writeCSV},
		{"jsonl", "kind: jsonl, id: id, updated: updated_at", "{format: as-is}", writeJSONL},
		{"vcard", "kind: vcard, id: uid, updated: rev", "{format: as-is}", writeVCard},
		{"sqlite", "kind: sqlite, table: customers, " + benchFields, "{format: as-is}", writeSQLite},
	} {
		b.Run(bench.name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "customers")
			bench.write(b, path)
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(path, old, old); err != nil {
				b.Fatal(err)
			}
			text := fmt.Sprintf("endpoints: {crm: {auth: none, phones: %s, source: {%s, path: %q}}}", bench.phones, bench.keys, path)
			cfg, err := config.Parse("bridge.yaml", []byte(text), strictyaml.Environment{})
			if err != nil {
				b.Fatal(err)
			}
			server, err := bridgeserver.New(cfg, bridgeserver.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer server.Close()
			c := &crawler{handler: server, answer: answerTo{header: http.Header{}}}
			contacts, best := c.page(b), time.Hour
			for c.offset != "" { // all pages once, before anything is measured
				contacts += c.page(b)
			}
			if contacts != benchContacts {
				b.Fatalf("%d contacts", contacts)
			}
			b.ReportAllocs()
			contacts = 0
			before := processorTime(b)
			for b.Loop() {
				started := time.Now()
				n := c.page(b)
				contacts += n
				best = min(best, time.Since(started)/time.Duration(n))
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(contacts), "cpu-ns/contact")
			b.ReportMetric(float64(best), "best-ns/contact")
			b.ReportMetric(float64(contacts)/b.Elapsed().Seconds(), "contacts/s")
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// A crawler asks for one page after the other, and for the first one after the last.
type crawler struct {
	handler http.Handler
	offset  string
	answer  answerTo
}

// page asks for the next page and returns how many contacts it has.
func (c *crawler) page(b *testing.B) (contacts int) {
	r := httptest.NewRequest(http.MethodPost, "/crm/contact_sync", strings.NewReader(`{"meta":{"offset":"`+c.offset+`"}}`))
	c.answer.body.Reset()
	c.handler.ServeHTTP(&c.answer, r)
	body := c.answer.body.Bytes()
	if c.answer.status != http.StatusOK {
		b.Fatalf("status %d: %s", c.answer.status, body)
	}
	c.offset = ""
	if at := bytes.LastIndex(body, []byte(`"next_offset":"`)); at >= 0 {
		c.offset, _, _ = strings.Cut(string(body[at+len(`"next_offset":"`):]), `"`)
	}
	return bytes.Count(body, []byte(`"id":"`))
}

// An answerTo keeps an answer in memory that is used again.
type answerTo struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answerTo) Header() http.Header         { return a.header }
func (a *answerTo) WriteHeader(status int)      { a.status = status }
func (a *answerTo) Write(b []byte) (int, error) { return a.body.Write(b) }

var _ http.ResponseWriter = (*answerTo)(nil)

// eachRow gives the values of the columns of every contact.
func eachRow(row func(values []string)) {
	g := sample.New(1, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	for range benchContacts {
		c := g.Next()
		id := strconv.Itoa(c.ID)
		row([]string{
			id, c.FirstName + " " + c.LastName, c.Company, c.Title, c.Email, c.Email2, c.Phone, c.Mobile, c.City,
			"https://crm.example.com/customers/" + id, c.Plan, c.Created.Format(time.RFC3339), c.Updated.Format(time.RFC3339Nano),
		})
	}
}

func writeCSV(b *testing.B, path string) {
	withFile(b, path, func(f *bufio.Writer) {
		w := csv.NewWriter(f)
		_ = w.Write(benchColumns)
		eachRow(func(values []string) { _ = w.Write(values) })
		w.Flush()
	})
}

func writeJSONL(b *testing.B, path string) {
	withFile(b, path, func(f *bufio.Writer) {
		w := json.NewEncoder(f)
		eachRow(func(v []string) {
			_ = w.Encode(map[string]any{
				"id": v[0], "name": v[1], "company": v[2], "title": v[3], "emails": texts(v[4], v[5]), "phones": texts(v[6], v[7]),
				"address": map[string]string{"city": v[8]}, "updated_at": v[12],
			})
		})
	})
}

func texts(list ...string) (filled []string) {
	for _, text := range list {
		if text != "" {
			filled = append(filled, text)
		}
	}
	return filled
}

func writeVCard(b *testing.B, path string) {
	withFile(b, path, func(f *bufio.Writer) {
		eachRow(func(v []string) {
			fmt.Fprintf(f, "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%s\r\nFN:%s\r\nORG:%s\r\nTITLE:%s\r\n", v[0], v[1], v[2], v[3])
			for _, email := range texts(v[4], v[5]) {
				fmt.Fprintf(f, "EMAIL;TYPE=INTERNET:%s\r\n", email)
			}
			for _, number := range texts(v[6], v[7]) {
				fmt.Fprintf(f, "TEL;TYPE=WORK:%s\r\n", number)
			}
			fmt.Fprintf(f, "ADR;TYPE=WORK:;;;%s;;;\r\nREV:%s\r\nEND:VCARD\r\n", v[8], v[12])
		})
	})
}

func writeSQLite(b *testing.B, path string) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	exec := func(query string, args ...any) {
		if _, err := db.ExecContext(b.Context(), query, args...); err != nil {
			b.Fatal(err)
		}
	}
	exec("CREATE TABLE customers (" + strings.Replace(strings.Join(benchColumns, " TEXT, ")+" TEXT", "id TEXT", "id INTEGER PRIMARY KEY", 1) + ")")
	exec("BEGIN")
	insert := "INSERT INTO customers VALUES (?" + strings.Repeat(", ?", len(benchColumns)-1) + ")"
	eachRow(func(values []string) {
		args := make([]any, len(values))
		for i, value := range values {
			args[i] = value
		}
		exec(insert, args...)
	})
	exec("COMMIT")
	exec("CREATE INDEX changed ON customers (updated_at, id)")
}

func withFile(b *testing.B, path string, write func(w *bufio.Writer)) {
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	write(w)
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}
