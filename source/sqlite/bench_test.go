package sqlite

import (
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
)

const benchRows = 100_000

const benchConfig = `{table: customers, id: id, updated: updated_at, time_zone: UTC, fields: {name: first_name || ' ' || last_name, title: title, company: company,
	emails: [email, email2], phones: [phone, mobile], address: "street || ', ' || city", url: "'https://crm.example.com/' || id", custom_fields: {Plan: plan}}}`

func benchFile(b *testing.B) file {
	return newFile(b, `CREATE TABLE customers (id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, company TEXT, title TEXT, email TEXT, email2 TEXT,
		phone TEXT, mobile TEXT, street TEXT, city TEXT, plan TEXT, updated_at TEXT)`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
		INSERT INTO customers SELECT i, 'First' || i, 'Last' || i, 'Company ' || i % 1000, 'Engineer', 'user' || i || '@example.com', 'other' || i || '@example.org',
		printf('+1415555%04d', i % 10000), printf('(212) 555-%04d', i % 10000), i || ' Main Street', 'Springfield', 'gold', strftime('%F %H:%M:%f', '2026-01-01', '+' || i || ' seconds') FROM n`,
		`CREATE INDEX customers_updated ON customers (updated_at, id)`)
}

func BenchmarkRead(b *testing.B) {
	r := open(b, benchFile(b).path, benchConfig)
	for b.Loop() {
		run := r.begin(b, "")
		var at bridge.Position
		total := 0
		for n := 1000; n == 1000; total += n {
			n = 0
			for c, err := range r.Read(b.Context(), run, at, 1000) {
				if err != nil {
					b.Fatal(err)
				}
				if n++; n == 1000 {
					at = append(bridge.Position(nil), c.Position...)
				}
			}
		}
		if total != benchRows {
			b.Fatal(total)
		}
	}
	b.ReportMetric(benchRows*float64(b.N)/b.Elapsed().Seconds(), "contacts/s")
}

// BenchmarkScan measures database/sql with the same query.
func BenchmarkScan(b *testing.B) {
	f := benchFile(b)
	for b.Loop() {
		rows, err := f.QueryContext(b.Context(), `SELECT id, updated_at, first_name || ' ' || last_name, title, company, email, email2, phone, mobile, street || ', ' || city,
			'https://crm.example.com/' || id, plan FROM customers ORDER BY updated_at, id`)
		if err != nil {
			b.Fatal(err)
		}
		var values [12]any
		var into [12]any
		for i := range values {
			into[i] = &values[i]
		}
		total := 0
		for rows.Next() {
			if err := rows.Scan(into[:]...); err != nil {
				b.Fatal(err)
			}
			total++
		}
		if rows.Err() != nil || total != benchRows {
			b.Fatal(total, rows.Err())
		}
	}
	b.ReportMetric(benchRows*float64(b.N)/b.Elapsed().Seconds(), "contacts/s")
}
