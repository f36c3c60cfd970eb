package mysql

import (
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
)

const (
	benchRows   = 100_000
	benchConfig = `{table: customers, id: id, updated: updated_at, fields: {name: "concat(first_name, ' ', last_name)", company: company, title: title, emails: [email, email2],
	phones: [phone, mobile], address: city, url: "concat('https://crm.example.com/customers/', id)", custom_fields: {Plan: plan, Customer since: created_at}}}`
	benchQuery = `SELECT id, concat(first_name, ' ', last_name), company, title, email, email2, phone, mobile, city,
		concat('https://crm.example.com/customers/', id), plan, created_at, updated_at FROM customers ORDER BY updated_at, id`
	benchTable = `CREATE TABLE customers (id bigint PRIMARY KEY, first_name varchar(100), last_name varchar(100), company varchar(100), title varchar(100), email varchar(190),
		email2 varchar(190), phone varchar(40), mobile varchar(40), city varchar(100), plan varchar(40), created_at timestamp(6) NULL, updated_at timestamp(6) NULL, INDEX changed (updated_at, id));
		INSERT INTO customers SELECT seq, concat('First', seq), concat('Last', seq), concat('Company ', seq % 1000), 'Engineer', concat('user', seq, '@example.com'), NULL,
		concat('+1415555', 1000 + seq % 9000), concat('(212) 555-', 1000 + seq % 9000), 'Springfield', 'gold', '2020-01-01', '2026-01-01' + INTERVAL seq SECOND FROM seq_1_to_100000;
		ANALYZE TABLE customers`
)

func BenchmarkRead(b *testing.B) {
	r := read(b, mariadb.Database(b, benchTable).DSN+"?tls=false", benchConfig)
	b.ReportAllocs()
	for b.Loop() {
		run, err := r.Begin(b.Context(), "")
		if err != nil {
			b.Fatal(err)
		}
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
	db := mariadb.Database(b, benchTable)
	b.ReportAllocs()
	for b.Loop() {
		rows, err := db.QueryContext(b.Context(), benchQuery)
		if err != nil {
			b.Fatal(err)
		}
		var values [13]any
		var into [13]any
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
