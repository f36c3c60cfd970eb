package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/contactbridge/contactbridge/directory"
)

// BenchmarkBareInsert is the baseline for ApplyPage: a program that inserts the same rows and numbers, already in memory,
// 1,000 to a transaction, into tables with the indexes that a lookup needs. An operation is one contact.
func BenchmarkBareInsert(b *testing.B) {
	const n = 100_000
	all := records(n, "")
	rows := make([]bareRow, n)
	for i := range all {
		rows[i] = bareRow{id: all[i].Contact.ID, name: all[i].Contact.Name, data: string(all[i].Contact.AppendJSON(nil)), numbers: all[i].Numbers}
	}
	db := bareFile(b)
	b.ResetTimer()
	for i := 0; i < b.N; i += pageSize {
		from := i % n
		insertBare(b, db, i, rows[from:from+min(pageSize, b.N-i)])
	}
}

type bareRow struct {
	id, name, data string
	numbers        []directory.Number
}

func bareFile(b *testing.B) *sql.DB {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "bare.db")+"?_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=cache_size(-32000)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	if _, err := db.Exec(`
		CREATE TABLE contacts (pk INTEGER PRIMARY KEY, account INTEGER, integration INTEGER, id TEXT, name TEXT, data TEXT);
		CREATE UNIQUE INDEX contacts_id ON contacts (account, integration, id);
		CREATE TABLE numbers (contact INTEGER, account INTEGER, position INTEGER, raw TEXT, e164 TEXT, digits TEXT);
		CREATE INDEX numbers_digits ON numbers (account, digits);
		CREATE INDEX numbers_contact ON numbers (contact)`); err != nil {
		b.Fatal(err)
	}
	return db
}

func insertBare(b *testing.B, db *sql.DB, first int, rows []bareRow) {
	ctx := context.Background()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer tx.Rollback()
	contact, err := tx.PrepareContext(ctx, "INSERT INTO contacts VALUES (?, 1, ?, ?, ?, ?)")
	if err != nil {
		b.Fatal(err)
	}
	number, err := tx.PrepareContext(ctx, "INSERT INTO numbers VALUES (?, 1, ?, ?, ?, ?)")
	if err != nil {
		b.Fatal(err)
	}
	for i, r := range rows {
		pk := first + i + 1
		if _, err := contact.ExecContext(ctx, pk, (first+i)/100_000, r.id, r.name, r.data); err != nil {
			b.Fatal(err)
		}
		for position, n := range r.numbers {
			if _, err := number.ExecContext(ctx, pk, position, n.Raw, n.E164, n.Match); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}
