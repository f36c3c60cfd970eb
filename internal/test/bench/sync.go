package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/internal/demo/sample"
)

func syncSQLite(ctx context.Context, l *laboratory) ([]result, error) {
	s, err := l.serve(ctx, l.postgresSource("customers"), "{format: as-is}")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	rows := l.bareRows()
	var until []float64 // search found all, against the run's time
	value, limit, err := paired(ctx, l.repeat,
		func(ctx context.Context) (float64, error) {
			db := filepath.Join(l.dir, "contacts.db")
			if err := removeDatabase(db); err != nil {
				return 0, err
			}
			took, err := l.synchronize(ctx, s.url(), db)
			until = append(until, took.searchable.Seconds()/took.stored.Seconds())
			return float64(l.contacts) / took.stored.Seconds(), err
		},
		func(ctx context.Context) (float64, error) { return l.bareInserts(ctx, rows) })
	return []result{
		{
			Name: "sync-sqlite", Value: value, Limit: limit, Unit: "contacts/s", Target: 0.6,
			against: "sync from our bridge on PostgreSQL, from the process's start until all is stored and found by its numbers, against inserting the same rows and numbers from memory, 1,000 to a transaction",
		},
		{
			Name: "sync-searchable", Value: median(until), Limit: 1, Unit: "times", Target: 2, atMost: true,
			against: "time until search finds every contact by its words, against the time until all is stored",
		},
	}, err
}

// A bareRow is a contact with its numbers, ready to be inserted.
type bareRow struct {
	id, name, company, data string
	numbers                 []directory.Number
}

func (l *laboratory) bareRows() []bareRow {
	rows := make([]bareRow, 0, l.contacts)
	g := sample.New(seed, start)
	for range l.contacts {
		c := g.Next()
		data, _ := json.Marshal(c)
		phones := []string{c.Phone}
		if c.Mobile != "" {
			phones = append(phones, c.Mobile)
		}
		rows = append(rows, bareRow{
			id: strconv.Itoa(c.ID), name: c.FirstName + " " + c.LastName, company: c.Company, data: string(data),
			numbers: caller.Numbers(phones, "US"),
		})
	}
	return rows
}

// bareInserts is how many contacts a second a program writes that has nothing else to do.
func (l *laboratory) bareInserts(ctx context.Context, rows []bareRow) (float64, error) {
	path := filepath.Join(l.dir, "bare.db")
	if err := removeDatabase(path); err != nil {
		return 0, err
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=cache_size(-32000)")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	started := time.Now()
	if _, err := db.ExecContext(ctx, `
		CREATE TABLE contacts (pk INTEGER PRIMARY KEY, account INTEGER, integration INTEGER, id TEXT, name TEXT, company TEXT, data TEXT);
		CREATE UNIQUE INDEX contacts_id ON contacts (account, integration, id);
		CREATE TABLE numbers (contact INTEGER, account INTEGER, position INTEGER, raw TEXT, e164 TEXT, digits TEXT);
		CREATE INDEX numbers_digits ON numbers (account, digits);
		CREATE INDEX numbers_contact ON numbers (contact)`); err != nil {
		return 0, err
	}
	for i := 0; i < len(rows); i += 1000 {
		if err := insertBare(ctx, db, i, rows[i:min(i+1000, len(rows))]); err != nil {
			return 0, err
		}
	}
	return float64(len(rows)) / time.Since(started).Seconds(), nil
}

func insertBare(ctx context.Context, db *sql.DB, first int, rows []bareRow) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	contact, err := tx.PrepareContext(ctx, "INSERT INTO contacts VALUES (?, 1, 1, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	number, err := tx.PrepareContext(ctx, "INSERT INTO numbers VALUES (?, 1, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	for i, r := range rows {
		pk := first + i + 1
		if _, err := contact.ExecContext(ctx, pk, r.id, r.name, r.company, r.data); err != nil {
			return err
		}
		for position, n := range r.numbers {
			if _, err := number.ExecContext(ctx, pk, position, n.Raw, n.E164, n.Match); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}

func removeDatabase(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func lookup(ctx context.Context, l *laboratory) ([]result, error) {
	s, err := l.serve(ctx, l.postgresSource("customers"), "{region: US, format: as-is}")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	path := filepath.Join(l.dir, "lookup.db")
	if _, err := l.synchronize(ctx, s.url(), path); err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	numbers := l.knownNumbers(ctx, store)
	if len(numbers) == 0 {
		return nil, errors.New("no number of the sample is found in the directory")
	}
	bare, err := bareLookups(path, numbers)
	if err != nil {
		return nil, err
	}
	value, limit, err := paired(ctx, l.repeat, func(ctx context.Context) (float64, error) {
		started := time.Now()
		for _, n := range numbers {
			answer, err := caller.Lookup(ctx, store, "default", n, "US", caller.LookupOptions{})
			if err != nil {
				return 0, err
			}
			if len(answer.Matches) == 0 {
				return 0, fmt.Errorf("%s has no name", n)
			}
		}
		return float64(len(numbers)) / time.Since(started).Seconds(), nil
	}, bare)
	return []result{{
		Name: "lookup", Value: value, Limit: limit, Unit: "lookups/s", Target: 0.75,
		against: "a number in its E.164 spelling as a library call, against the bare prepared query by key on the same file",
	}}, err
}

// knownNumbers are numbers of the sample that the directory knows, every so many.
func (l *laboratory) knownNumbers(ctx context.Context, store directory.Store) []string {
	var known []string
	g := sample.New(seed, start)
	for i := range l.contacts {
		c := g.Next()
		if i%max(1, l.contacts/20_000) != 0 {
			continue
		}
		if found, err := store.ByE164(ctx, "default", []string{c.E164}, 1); err == nil && len(found) > 0 {
			known = append(known, c.E164)
		}
	}
	return known
}
