package postgres

import (
	"io"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
)

const benchRows = 200_000

func benchTable(b *testing.B) *pgtest.Database {
	db := server.Database(b, `CREATE TABLE customers (id bigint PRIMARY KEY, first_name text, last_name text, company text, title text, email text, email2 text,
		phone text, mobile text, street text, city text, plan text, updated_at timestamptz)`,
		`INSERT INTO customers SELECT i, 'First' || i, 'Last' || i, 'Company ' || i % 1000, 'Engineer', 'user' || i || '@example.com', 'other' || i || '@example.org',
		'+1415555' || lpad((i % 10000)::text, 4, '0'), '(212) 555-' || lpad((i % 10000)::text, 4, '0'), i || ' Main Street', 'Springfield', 'gold',
		timestamptz '2026-01-01' + i * interval '1 ms' FROM generate_series(1, 200000) i`,
		`CREATE INDEX ON customers (updated_at, id)`)
	db.Exec(b, "VACUUM ANALYZE customers")
	return db
}

const benchConfig = `{table: customers, id: id, updated: updated_at, fields: {name: first_name || ' ' || last_name, title: title, company: company,
	emails: [email, email2], phones: [phone, mobile], address: "street || ', ' || city", url: "'https://crm.example.com/' || id", custom_fields: {Plan: plan}}}`

func BenchmarkRead(b *testing.B) {
	db := benchTable(b)
	r := open(b, db.DSN, benchConfig)
	for b.Loop() {
		run := r.begin(b, "")
		var at bridge.Position
		total := 0
		for {
			n := 0
			for c, err := range r.Read(b.Context(), run, at, 1000) {
				if err != nil {
					b.Fatal(err)
				}
				n++
				if n == 1000 {
					at = append(bridge.Position(nil), c.Position...)
				}
			}
			total += n
			if n < 1000 {
				break
			}
		}
		if total != benchRows {
			b.Fatal(total)
		}
	}
	b.ReportMetric(benchRows*float64(b.N)/b.Elapsed().Seconds(), "contacts/s")
}

func BenchmarkReadWhole(b *testing.B) {
	db := benchTable(b)
	r := open(b, db.DSN, benchConfig)
	for b.Loop() {
		total := 0
		for _, err := range r.Read(b.Context(), r.begin(b, ""), nil, 0) {
			if err != nil {
				b.Fatal(err)
			}
			total++
		}
		if total != benchRows {
			b.Fatal(total)
		}
	}
	b.ReportMetric(benchRows*float64(b.N)/b.Elapsed().Seconds(), "contacts/s")
}

// BenchmarkCopy measures how fast the server itself writes JSON.
func BenchmarkCopy(b *testing.B) {
	db := benchTable(b)
	conn, err := pgx.Connect(b.Context(), db.DSN)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(background())
	for b.Loop() {
		_, err := conn.PgConn().CopyTo(b.Context(), io.Discard, `COPY (SELECT row_to_json(r) FROM (SELECT id, first_name || ' ' || last_name AS name, title, company,
			email, email2, phone, mobile, street || ', ' || city AS address, 'https://crm.example.com/' || id AS url, plan FROM customers ORDER BY updated_at, id) r) TO STDOUT`)
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(benchRows*float64(b.N)/b.Elapsed().Seconds(), "contacts/s")
}
