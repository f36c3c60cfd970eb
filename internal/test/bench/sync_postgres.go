package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/directory/postgres"
)

// syncPostgres measures a sync into PostgreSQL against a program that has the rows already and only writes them.
func syncPostgres(ctx context.Context, l *laboratory) ([]result, error) {
	s, err := l.serve(ctx, l.postgresSource("customers"), "{format: as-is}")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	ours := func(ctx context.Context) (float64, error) {
		dsn, err := l.emptyDatabase(ctx, "directory")
		if err != nil {
			return 0, err
		}
		took, err := l.synchronize(ctx, s.url(), dsn)
		return float64(l.contacts) / took.searchable.Seconds(), err
	}
	if _, err := ours(ctx); err != nil { // the rows that both write
		return nil, err
	}
	rows, err := l.storedRows(ctx, "directory")
	if err != nil {
		return nil, err
	}
	value, limit, err := paired(ctx, l.repeat, ours, func(ctx context.Context) (float64, error) { return l.unnestInserts(ctx, rows) })
	return []result{{
		Name: "sync-postgres", Value: value, Limit: limit, Unit: "contacts/s", Target: 0.75,
		against: "sync from our bridge into PostgreSQL, whole process, against inserting the same rows into the same tables from memory, as unnest arrays, 1,000 contacts to a transaction",
	}}, err
}

// emptyDatabase makes a database on the laboratory's PostgreSQL, instead of the one that had its name.
func (l *laboratory) emptyDatabase(ctx context.Context, name string) (dsn string, err error) {
	conn, err := l.connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name, "CHECKPOINT"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", err
		}
	}
	return l.postgres.DSN(name), nil
}

// A storedSheet is some contacts with their numbers as the directory stores them, column by column.
type storedSheet struct {
	pks               []int64
	ids, hashes, data [][]byte
	words             []string

	contacts         []int64
	positions        []int32
	reversed         []string
	full             []bool
	raws, extensions [][]byte
}

const perTransaction = 1000 // contacts of a sheet

// storedRows are all rows of a directory in the order of their keys.
func (l *laboratory) storedRows(ctx context.Context, database string) ([]storedSheet, error) {
	conn, err := pgx.Connect(ctx, l.postgres.DSN(database))
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	var sheets []storedSheet
	rows, err := conn.Query(ctx, "SELECT pk, id, hash, data, words::text FROM contactbridge.contacts ORDER BY pk")
	if err != nil {
		return nil, err
	}
	place := map[int64]int{} // of a contact: its sheet
	var pk int64
	var id, hash, data []byte
	var words string
	_, err = pgx.ForEachRow(rows, []any{&pk, &id, &hash, &data, &words}, func() error {
		if n := len(sheets); n == 0 || len(sheets[n-1].pks) == perTransaction {
			sheets = append(sheets, storedSheet{})
		}
		s := &sheets[len(sheets)-1]
		s.pks, s.words = append(s.pks, pk), append(s.words, words)
		s.ids, s.hashes, s.data = append(s.ids, clone(id)), append(s.hashes, clone(hash)), append(s.data, clone(data))
		place[pk] = len(sheets) - 1
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sheets, storedNumbers(ctx, conn, sheets, place)
}

func storedNumbers(ctx context.Context, conn *pgx.Conn, sheets []storedSheet, place map[int64]int) error {
	rows, err := conn.Query(ctx, "SELECT contact, position, reversed, isfull, raw, extension FROM contactbridge.numbers ORDER BY contact, position")
	if err != nil {
		return err
	}
	var contact int64
	var position int32
	var reversed string
	var full bool
	var raw, extension []byte
	_, err = pgx.ForEachRow(rows, []any{&contact, &position, &reversed, &full, &raw, &extension}, func() error {
		s := &sheets[place[contact]]
		s.contacts, s.positions, s.reversed, s.full = append(s.contacts, contact), append(s.positions, position), append(s.reversed, reversed), append(s.full, full)
		s.raws, s.extensions = append(s.raws, clone(raw)), append(s.extensions, clone(extension))
		return nil
	})
	return err
}

// clone keeps what the next row overwrites; never nil, which would be NULL.
func clone(b []byte) []byte { return append([]byte{}, b...) }

// unnestInserts is how many contacts a second a program writes that has nothing else to do.
func (l *laboratory) unnestInserts(ctx context.Context, sheets []storedSheet) (float64, error) {
	dsn, err := l.emptyDatabase(ctx, "bare")
	if err != nil {
		return 0, err
	}
	store, err := postgres.Open(ctx, dsn) // makes the tables
	if err != nil {
		return 0, err
	}
	if err := store.Close(); err != nil {
		return 0, err
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	started := time.Now()
	for i := range sheets {
		if err := sheets[i].insert(ctx, conn); err != nil {
			return 0, err
		}
	}
	return float64(l.contacts) / time.Since(started).Seconds(), nil
}

// insert writes the sheet in one transaction.
func (s *storedSheet) insert(ctx context.Context, conn *pgx.Conn) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var batch pgx.Batch
		batch.Queue(`INSERT INTO contactbridge.contacts (account, integration, pk, id, hash, data, words)
			SELECT 1, 1, c.pk, c.id, c.hash, c.data, c.words::tsvector FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::text[]) AS c (pk, id, hash, data, words)`,
			s.pks, s.ids, s.hashes, s.data, s.words)
		batch.Queue(`INSERT INTO contactbridge.numbers (account, contact, position, reversed, isfull, raw, extension)
			SELECT 1, n.* FROM unnest($1::bigint[], $2::int[], $3::text[], $4::bool[], $5::bytea[], $6::bytea[]) AS n`,
			s.contacts, s.positions, s.reversed, s.full, s.raws, s.extensions)
		return tx.SendBatch(ctx, &batch).Close()
	})
}
