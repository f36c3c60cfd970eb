package sourcetest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// SQL is a kind of database under test. The suite makes a table called contacts in it, and writes to it as an application does.
type SQL struct {
	// Open returns an empty database, and closes it when the test ends. It is called once for each run of the suite.
	Open func(t testing.TB) SQLDatabase
	// ID, Text, Stamp and Phones are the types of the table's columns: of the id, of plain texts, of updated, and of a list of
	// texts. Empty means text.
	ID, Text, Stamp, Phones string
	// Replace says that a row is written with REPLACE INTO, for want of ON CONFLICT.
	Replace bool
	// Parameter writes the n-th parameter, from 1; nil means ?.
	Parameter func(n int) string
	// WriteStamp is how a time is written to updated; nil means as a time.Time.
	WriteStamp func(t time.Time) any
	// WritePhones is how a list is written; nil means as JSON.
	WritePhones func(phones []string) any
	// ManyWriters is [Service.ManyWriters]; Order and HistoryTime are [Target]'s.
	ManyWriters bool
	// LongIDs is [Service.LongIDs].
	LongIDs     bool
	Order       func(a, b string) int
	HistoryTime time.Duration
}

// SQLDatabase is one database.
type SQLDatabase struct {
	*sql.DB
	// New makes a factory that reads the database as a configuration says, to which the kind adds where the database is.
	New func(cfg sqltable.Config) (source.Factory, error)
	// Wrong is New with wrong credentials; nil if there are no credentials.
	Wrong func(cfg sqltable.Config) (source.Factory, error)
}

// Run runs the suite on a table with an updated column.
func (s SQL) Run(t *testing.T) {
	t.Helper()
	db := s.table(t)
	Run(t, Target{Order: s.Order, HistoryTime: s.HistoryTime, Asked: true, New: func(t testing.TB) Service {
		return s.service(t, db, sqlConfig("updated", "gone"))
	}})
}

// RunUnsorted runs the suite on a table without an updated column (E10), and without one of deletions.
func (s SQL) RunUnsorted(t *testing.T) {
	t.Helper()
	db := s.table(t)
	Run(t, Target{Unsorted: true, Order: s.Order, New: func(t testing.TB) Service {
		service := s.service(t, db, sqlConfig("", ""))
		service.Delete, service.Mark, service.PutNull = nil, nil, nil
		return service
	}})
}

func sqlConfig(updated, deleted string) sqltable.Config {
	return sqltable.Config{
		Table: "contacts", ID: "id", Updated: updated, Deleted: deleted,
		Fields: suiteFields("phones"),
	}
}

// sqlColumns lists the table's columns; gone comes after them.
var sqlColumns = []string{
	"id", "name", "title", "company", "email", "email2", "phones", "website", "photo", "address", "twitter", "url", "plan", "updated",
}

// table makes the table.
func (s SQL) table(t testing.TB) SQLDatabase {
	t.Helper()
	db := s.Open(t)
	types := map[string]string{"id": s.ID, "updated": s.Stamp, "phones": s.Phones}
	var columns []string
	for _, name := range append(sqlColumns[:len(sqlColumns):len(sqlColumns)], "gone") {
		typ := types[name]
		if typ == "" {
			typ = s.Text
		}
		if typ == "" {
			typ = "text"
		}
		columns = append(columns, name+" "+typ)
	}
	columns[0] += " PRIMARY KEY"
	for _, statement := range []string{
		"CREATE TABLE contacts (" + strings.Join(columns, ", ") + ")", "CREATE INDEX contacts_updated ON contacts (updated, id)",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return db
}

// service empties the table and gives it to a case.
func (s SQL) service(t testing.TB, db SQLDatabase, cfg sqltable.Config) Service {
	t.Helper()
	w := sqlWriter{SQL: s, db: db, ctx: context.WithoutCancel(t.Context())}
	if err := w.exec(db, "DELETE FROM contacts"); err != nil {
		t.Fatalf("empty the table: %v", err)
	}
	service := Service{
		Open: func(ctx context.Context) (bridge.Source, error) {
			return openAlone(ctx, nil, func() (source.Factory, error) { return db.New(cfg) })
		},
		Now: time.Now, ManyWriters: s.ManyWriters, LongIDs: s.LongIDs,
		Put: func(updated time.Time, contacts ...contact.Contact) error {
			return w.within(func(on executor) error { return w.put(on, w.stamp(updated), contacts...) })
		},
		PutNull: func(contacts ...contact.Contact) error {
			return w.within(func(on executor) error { return w.put(on, nil, contacts...) })
		},
		Mark: func(updated time.Time, c contact.Contact, deleted string) error {
			return w.within(func(on executor) error {
				return errors.Join(w.put(on, w.stamp(updated), c), w.mark(on, w.stamp(updated), deleted, c.ID))
			})
		},
		Delete: func(updated time.Time, ids ...string) error {
			return w.within(func(on executor) error { return w.mark(on, w.stamp(updated), "1", ids...) })
		},
		Begin: w.begin,
	}
	if db.Wrong != nil {
		service.OpenWrong = func(ctx context.Context) (bridge.Source, error) {
			return openAlone(ctx, nil, func() (source.Factory, error) { return db.Wrong(cfg) })
		}
	}
	return service
}

// A sqlWriter writes to the table.
type sqlWriter struct {
	SQL
	db  SQLDatabase
	ctx context.Context
}

type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (w sqlWriter) exec(on executor, statement string, args ...any) error {
	if _, err := on.ExecContext(w.ctx, statement, args...); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// within runs a function in a transaction.
func (w sqlWriter) within(do func(executor) error) error {
	tx, err := w.db.BeginTx(w.ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (w sqlWriter) put(on executor, stamp any, contacts ...contact.Contact) error {
	for _, c := range contacts {
		if err := w.exec(on, w.upsert(), w.row(c, stamp)...); err != nil {
			return err
		}
	}
	return nil
}

func (w sqlWriter) mark(on executor, stamp any, deleted string, ids ...string) error {
	for _, id := range ids {
		statement := "UPDATE contacts SET gone = " + w.parameter(1) + ", updated = " + w.parameter(2) + " WHERE id = " + w.parameter(3)
		if err := w.exec(on, statement, deleted, stamp, id); err != nil {
			return err
		}
	}
	return nil
}

// begin implements [Service.Begin].
func (w sqlWriter) begin() (Tx, error) {
	tx, err := w.db.BeginTx(w.ctx, nil)
	return sqlTx{Tx: tx, writer: w, stamp: w.stamp(time.Now())}, err
}

type sqlTx struct {
	*sql.Tx
	writer sqlWriter
	stamp  any
}

func (tx sqlTx) Put(contacts ...contact.Contact) error {
	return tx.writer.put(tx.Tx, tx.stamp, contacts...)
}

func (w sqlWriter) parameter(n int) string {
	if w.Parameter == nil {
		return "?"
	}
	return w.Parameter(n)
}

func (w sqlWriter) stamp(t time.Time) any {
	if w.WriteStamp == nil {
		return t
	}
	return w.WriteStamp(t)
}

// upsert returns the statement that writes a row, whether it was there before or not; it is not deleted then.
func (w sqlWriter) upsert() string {
	var parameters, updates []string
	for i, name := range sqlColumns {
		parameters = append(parameters, w.parameter(i+1))
		updates = append(updates, name+" = excluded."+name)
	}
	rest := "INTO contacts (" + strings.Join(sqlColumns, ", ") + ", gone) VALUES (" + strings.Join(parameters, ", ") + ", NULL)"
	if w.Replace {
		return "REPLACE " + rest
	}
	return "INSERT " + rest + " ON CONFLICT (id) DO UPDATE SET " + strings.Join(updates, ", ") + ", gone = NULL"
}

func (w sqlWriter) row(c contact.Contact, stamp any) []any {
	return []any{
		c.ID, c.Name, c.Title, c.Company, at(c.Emails, 0), at(c.Emails, 1), w.phones(c.Phones), at(c.Websites, 0),
		c.PhotoURL, c.Address, c.Twitter, c.URL, planOf(c), stamp,
	}
}

func (w sqlWriter) phones(list []string) any {
	if w.WritePhones != nil {
		return w.WritePhones(list)
	}
	if len(list) == 0 {
		return "[]"
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // texts can always be written
	}
	return string(text)
}
