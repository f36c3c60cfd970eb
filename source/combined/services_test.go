package combined_test

import (
	"context"
	"database/sql"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/source"
	csvfile "github.com/contactbridge/contactbridge/source/csv"
	"github.com/contactbridge/contactbridge/source/memory"
	"github.com/contactbridge/contactbridge/source/postgres"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sourcetest"
	"github.com/contactbridge/contactbridge/source/sqlite"
)

var server pgtest.Suite

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

// A service is an external service that the tests write to, as sourcetest wants it, and what opens it.
type service struct {
	sourcetest.Service
	factory func() (source.Factory, error)
	wrong   func() (source.Factory, error) // with wrong credentials; nil if the service has no credentials
}

// columns are those of every table and file.
var columns = []string{
	"id", "name", "title", "company", "email", "email2", "phone", "mobile", "website", "photo", "address", "twitter", "url", "plan", "updated", "gone",
}

var fields = record.Fields{
	Name: "name", Title: "title", Company: "company", Emails: record.Expressions{"email", "email2"}, Phones: record.Expressions{"phone", "mobile"},
	Websites: record.Expressions{"website"}, PhotoURL: "photo", Address: "address", Twitter: "twitter", URL: "url",
	CustomFields: record.CustomFields{{Key: "Plan", Expression: "plan"}},
}

// values returns what a contact's row holds, up to updated.
func values(c contact.Contact) []string {
	at := func(list []string, i int) string {
		if i < len(list) {
			return list[i]
		}
		return ""
	}
	plan := ""
	if len(c.CustomFields) > 0 {
		plan = c.CustomFields[0].Value
	}
	return []string{
		c.ID, c.Name, c.Title, c.Company, at(c.Emails, 0), at(c.Emails, 1), at(c.Phones, 0), at(c.Phones, 1), at(c.Websites, 0),
		c.PhotoURL, c.Address, c.Twitter, c.URL, plan,
	}
}

// services make a new and empty service of a kind. number tells the two of a pair apart.
var services = map[string]func(t testing.TB, shared *shared, number int) service{
	"memory": newMemory, "csv": newCSV, "sqlite": newSQLite, "postgres": newPostgres,
}

// shared holds what all services of a test use, since it is expensive to make.
type shared struct {
	database *pgtest.Database
	db       *sql.DB
}

// newShared makes what services of some kinds share.
func newShared(t testing.TB, kinds ...string) *shared {
	if !slices.Contains(kinds, "postgres") {
		return nil
	}
	database := server.Database(t, append(schema("contacts0", "timestamptz"), schema("contacts1", "timestamptz")...)...)
	db, err := sql.Open("pgx", database.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &shared{database, db}
}

type memoryTx struct{ *memory.Tx }

func (tx memoryTx) Put(contacts ...contact.Contact) error {
	for _, c := range contacts {
		tx.Tx.Put(c)
	}
	return nil
}

func (tx memoryTx) Commit() error   { tx.Tx.Commit(); return nil }
func (tx memoryTx) Rollback() error { tx.Tx.Rollback(); return nil }

func newMemory(testing.TB, *shared, int) service {
	store := memory.NewStore(clock.System{})
	put := func(updated time.Time, contacts ...contact.Contact) error {
		tx := store.Begin()
		defer tx.Commit()
		for _, c := range contacts {
			tx.PutAt(c, updated)
		}
		return nil
	}
	remove := func(_ time.Time, ids ...string) error {
		tx := store.Begin()
		defer tx.Commit()
		for _, id := range ids {
			tx.Delete(id)
		}
		return nil
	}
	return service{
		factory: func() (source.Factory, error) { return store.Factory(), nil },
		Service: sourcetest.Service{
			Put: put, Delete: remove, ManyWriters: true,
			PutNull: func(contacts ...contact.Contact) error { return put(time.Time{}, contacts...) },
			Mark: func(updated time.Time, c contact.Contact, deleted string) error {
				err := put(updated, c)
				if err == nil && source.IsGone(deleted) {
					err = remove(updated, c.ID)
				}
				return err
			},
			Begin: func() (sourcetest.Tx, error) { return memoryTx{store.Begin()}, nil },
		},
	}
}

// newCSV makes a file that is written anew after every change.
func newCSV(t testing.TB, _ *shared, _ int) service { return newFile(t, "updated") }

// newFile makes a file with a column of times of this name; without a name its content is the checkpoint.
func newFile(t testing.TB, updated string) service {
	folder, err := os.MkdirTemp("", "combined")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	var mu sync.Mutex
	rows := map[string][]string{}
	write := func(change func()) error {
		mu.Lock()
		defer mu.Unlock()
		change()
		var b strings.Builder
		w := csv.NewWriter(&b)
		_ = w.Write(columns)
		for _, row := range rows {
			_ = w.Write(row)
		}
		w.Flush()
		next := filepath.Join(folder, "next")
		if err := os.WriteFile(next, []byte(b.String()), 0o600); err != nil {
			return err
		}
		return os.Rename(next, filepath.Join(folder, "right.csv"))
	}
	mark := func(updated time.Time, deleted string, contacts ...contact.Contact) error {
		return write(func() {
			for _, c := range contacts {
				rows[c.ID] = append(values(c), iso(updated), deleted)
			}
		})
	}
	if err := write(func() {}); err != nil {
		t.Fatal(err)
	}
	open := func(name string) func() (source.Factory, error) {
		return func() (source.Factory, error) {
			path, err := source.ParseTemplate("{{auth." + name + "}}.csv")
			if err != nil {
				return nil, err
			}
			var cfg csvfile.Config
			cfg.Path, cfg.ID, cfg.Updated, cfg.Deleted, cfg.Fields = path, "id", updated, "gone", fields
			return csvfile.New(cfg, source.Deps{Folder: folder})
		}
	}
	return service{
		factory: open("right"), wrong: open("wrong"),
		Service: sourcetest.Service{
			Put:     func(updated time.Time, contacts ...contact.Contact) error { return mark(updated, "", contacts...) },
			PutNull: func(contacts ...contact.Contact) error { return mark(time.Time{}, "", contacts...) },
			Mark:    func(updated time.Time, c contact.Contact, deleted string) error { return mark(updated, deleted, c) },
			Delete: func(updated time.Time, ids ...string) error {
				return write(func() {
					for _, id := range ids {
						if row, ok := rows[id]; ok {
							rows[id] = append(row[:len(columns)-2:len(columns)-2], iso(updated), "yes")
						}
					}
				})
			},
		},
	}
}

// iso returns a stamp as text; empty if the time is zero.
func iso(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// A table is a service of SQL.
type table struct {
	db    *sql.DB
	name  string
	stamp func(time.Time) any
	// parameter is the name of the n-th parameter, from 1.
	parameter func(n int) string
}

type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (s table) put(on executor, updated any, gone any, contacts ...contact.Contact) error {
	var parameters, excluded []string
	for i, column := range columns {
		parameters = append(parameters, s.parameter(i+1))
		excluded = append(excluded, column+" = excluded."+column)
	}
	query := "INSERT INTO " + s.name + " VALUES (" + strings.Join(parameters, ", ") + ") ON CONFLICT (id) DO UPDATE SET " + strings.Join(excluded, ", ")
	for _, c := range contacts {
		var row []any
		for _, value := range values(c) {
			row = append(row, value)
		}
		if _, err := on.ExecContext(context.Background(), query, append(row, updated, gone)...); err != nil {
			return err
		}
	}
	return nil
}

func (s table) service() sourcetest.Service {
	return sourcetest.Service{
		Put: func(updated time.Time, contacts ...contact.Contact) error {
			tx, err := s.db.Begin()
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if err := s.put(tx, s.stamp(updated), nil, contacts...); err != nil {
				return err
			}
			return tx.Commit()
		},
		PutNull: func(contacts ...contact.Contact) error { return s.put(s.db, nil, nil, contacts...) },
		Mark: func(updated time.Time, c contact.Contact, deleted string) error {
			return s.put(s.db, s.stamp(updated), deleted, c)
		},
		Delete: func(updated time.Time, ids ...string) error {
			for _, id := range ids {
				query := fmt.Sprintf("UPDATE %s SET gone = '1', updated = %s WHERE id = %s", s.name, s.parameter(1), s.parameter(2))
				if _, err := s.db.Exec(query, s.stamp(updated), id); err != nil {
					return err
				}
			}
			return nil
		},
		Begin: func() (sourcetest.Tx, error) {
			tx, err := s.db.Begin()
			if err != nil {
				return nil, err
			}
			now := time.Now()
			if s.parameter(1) != "?" {
				if err := tx.QueryRow("SELECT now()").Scan(&now); err != nil {
					return nil, err
				}
			}
			return tableTx{tx, func(contacts ...contact.Contact) error { return s.put(tx, s.stamp(now), nil, contacts...) }}, nil
		},
	}
}

type tableTx struct {
	*sql.Tx
	put func(...contact.Contact) error
}

func (tx tableTx) Put(contacts ...contact.Contact) error { return tx.put(contacts...) }

// schema makes the table and the index of its order.
func schema(name, stamp string) []string {
	var list []string
	for _, column := range columns {
		list = append(list, column+" text")
	}
	text := strings.Replace(strings.Join(list, ", "), "updated text", "updated "+stamp, 1)
	text = strings.Replace(text, "id text", "id text PRIMARY KEY", 1)
	return []string{"CREATE TABLE " + name + " (" + text + ")", "CREATE INDEX " + name + "_updated ON " + name + " (updated, id)"}
}

func newSQLite(t testing.TB, _ *shared, _ int) service {
	folder, err := os.MkdirTemp("", "combined")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "crm.db")
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = db.Close(), os.RemoveAll(folder) })
	for _, statement := range schema("contacts", "text") {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	s := table{db: db, name: "contacts", stamp: func(t time.Time) any { return iso(t) }, parameter: func(int) string { return "?" }}
	return service{Service: s.service(), factory: func() (source.Factory, error) {
		cfg := sqlite.Config{}
		cfg.Path, err = source.ParseTemplate(path)
		if err != nil {
			return nil, err
		}
		cfg.Table, cfg.ID, cfg.Updated, cfg.Deleted, cfg.Fields = "contacts", "id", "updated", "gone", fields
		return sqlite.New(cfg, source.Deps{})
	}}
}

func newPostgres(t testing.TB, shared *shared, number int) service {
	name := fmt.Sprintf("contacts%d", number)
	if _, err := shared.db.Exec("TRUNCATE " + name); err != nil {
		t.Fatal(err)
	}
	s := table{db: shared.db, name: name, stamp: func(t time.Time) any { return t }, parameter: func(n int) string { return fmt.Sprintf("$%d", n) }}
	open := func(dsn string) func() (source.Factory, error) {
		return func() (source.Factory, error) {
			cfg := postgres.Config{}
			var err error
			if cfg.DSN, err = source.ParseTemplate(dsn); err != nil {
				return nil, err
			}
			cfg.Table, cfg.ID, cfg.Updated, cfg.Deleted, cfg.Fields = name, "id", "updated", "gone", fields
			return postgres.New(cfg, source.Deps{})
		}
	}
	made := service{Service: s.service(), factory: open(shared.database.DSN), wrong: func() (source.Factory, error) {
		return open(strings.Replace(shared.database.User(t), ":secret@", ":wrong@", 1))()
	}}
	made.ManyWriters = true
	return made
}

// credentials are right for every service that is not opened with wrong ones.
var credentials = bridge.Auth{"right": "right", "wrong": "nobody"}
