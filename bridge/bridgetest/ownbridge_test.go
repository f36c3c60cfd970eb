package bridgetest_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/bridge/bridgetest"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/csv"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/memory"
	"github.com/contactbridge/contactbridge/source/postgres"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sqlite"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

var server pgtest.Suite

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

// small pages, so that a run has some.
var small = bridge.Limits{Contacts: 20}

// serveOwn serves a source with our own bridge.
func serveOwn(t testing.TB, factory source.Factory, mutate bridgetest.Mutator, limits bridge.Limits) bridgetest.Target {
	t.Helper()
	t.Cleanup(func() { factory.Close() })
	handler := &bridge.Handler{
		Name:         "crm",
		Open:         factory.Open,
		Authenticate: bridge.RequireAuth(bridge.Auth{"username": "agent", "password": "correct horse battery staple"}),
		Limits:       limits,
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return bridgetest.Target{
		URL:      server.URL + "/crm/contact_sync",
		Auth:     map[string]string{"username": "agent", "password": "correct horse battery staple"},
		Mutate:   mutate,
		Restart:  func(context.Context) error { return nil }, // it keeps nothing between requests
		Contacts: contacts,
	}
}

func sample(i int) contact.Contact {
	return contact.Contact{
		ID: fmt.Sprint(1000 + i), Name: fmt.Sprintf("Zoë Müller %d", i), Company: "Example & Søns",
		Phones: []string{fmt.Sprintf("+1415555%04d", i)}, Emails: []string{fmt.Sprintf("c%d@example.com", i)},
	}
}

// stamp gives seven contacts each one moment, months ago.
func stamp(i int) time.Time {
	return time.Date(2024, 3, 1, 9, 0, 0, 0, time.UTC).Add(time.Duration(i/7) * time.Minute)
}

func TestOwnBridgePassesStrictWithMemory(t *testing.T) {
	store := memory.NewStore(nil)
	tx := store.Begin()
	for i := range contacts {
		tx.PutAt(sample(i), stamp(i))
	}
	tx.Commit()
	mutate := func(_ context.Context, verb bridgetest.Verb, id string) (string, error) {
		if verb == bridgetest.Delete {
			store.Delete(id)
			return "", nil
		}
		store.Put(contact.Contact{ID: id, Name: "changed " + time.Now().String()})
		return "", nil
	}
	bridgetest.Run(t, serveOwn(t, store.Factory(), mutate, small), quick())
}

// D10: our own bridge does restart, and says so.
func TestOwnBridgeRestartsAndSaysSo(t *testing.T) {
	store := memory.NewStore(nil)
	tx := store.Begin()
	for i := range contacts {
		tx.PutAt(sample(i), stamp(i))
	}
	tx.Commit()
	report := check(t, serveOwn(t, store.Factory(), nil, small), quick())
	for id, want := range map[string]string{"restarted": "", "checkpoint-unknown": "0 refused, 9 answered from the beginning"} {
		i := slices.IndexFunc(report.Results, func(r bridgetest.Result) bool { return r.ID == id })
		if r := report.Results[i]; r.Outcome != bridgetest.Passed || r.Detail != want {
			t.Errorf("%s: %s, %q", id, r.Outcome, r.Detail)
		}
	}
}

// Contacts that were all written a moment ago may come again: the bridge cannot know yet that nothing older follows.
func TestOwnBridgePassesStrictWithContactsWrittenJustNow(t *testing.T) {
	store := memory.NewStore(nil)
	for i := range contacts {
		store.Put(sample(i))
	}
	bridgetest.Run(t, serveOwn(t, store.Factory(), nil, small), quick())
}

// execMutator changes contacts in a database; the statements take the id.
func execMutator(db *sql.DB, create, update, remove string) bridgetest.Mutator {
	return func(ctx context.Context, verb bridgetest.Verb, id string) (string, error) {
		statement := map[bridgetest.Verb]string{bridgetest.Create: create, bridgetest.Update: update, bridgetest.Delete: remove}[verb]
		_, err := db.ExecContext(ctx, statement, id)
		return "", err
	}
}

func TestOwnBridgePassesStrictWithSQLite(t *testing.T) {
	for name, moment := range map[string]func(int) time.Time{"old": stamp, "just now": func(int) time.Time { return time.Now() }} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "crm.db")
			db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			const now = `strftime('%Y-%m-%d %H:%M:%f', 'now')`
			execute(t, db, `CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, phone TEXT, updated_at TEXT)`)
			for i := range contacts {
				execute(t, db, `INSERT INTO customers VALUES (?, ?, ?, ?)`,
					1000+i, sample(i).Name, sample(i).Phones[0], moment(i).UTC().Format("2006-01-02 15:04:05.000"))
			}
			factory, err := sqlite.New(sqlite.Config{
				Path: template(t, path), Config: sqltable.Config{
					Table: "customers", ID: "id", Updated: "updated_at", Fields: record.Fields{Name: "name", Phones: record.Expressions{"phone"}},
				},
			}, source.Deps{})
			if err != nil {
				t.Fatal(err)
			}
			mutate := execMutator(db,
				`INSERT INTO customers VALUES (?, 'created', '+14155550000', `+now+`)`,
				`UPDATE customers SET name = name || '!', updated_at = `+now+` WHERE id = ?`,
				`DELETE FROM customers WHERE id = ?`)
			bridgetest.Run(t, serveOwn(t, factory, mutate, small), quick())
		})
	}
}

func execute(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

func TestOwnBridgePassesStrictWithCSV(t *testing.T) {
	path := filepath.Join(t.TempDir(), "customers.csv")
	var rows strings.Builder
	rows.WriteString("id,name,phone,updated_at\n")
	for i := range contacts {
		fmt.Fprintf(&rows, "%d,%s,%s,%s\n", 1000+i, sample(i).Name, sample(i).Phones[0], stamp(i).Format(time.RFC3339))
	}
	if err := os.WriteFile(path, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, updated := range map[string]string{"with times": "updated_at", "without times": ""} {
		t.Run(name, func(t *testing.T) {
			factory, err := csv.New(csv.Config{Config: file.Config{
				Path: template(t, path), ID: "id", Updated: updated,
				Fields: record.Fields{Name: "name", Phones: record.Expressions{"phone"}},
			}}, source.Deps{})
			if err != nil {
				t.Fatal(err)
			}
			bridgetest.Run(t, serveOwn(t, factory, nil, small), quick())
		})
	}
}

func TestOwnBridgePassesStrictWithPostgres(t *testing.T) {
	database := server.Database(t, `CREATE TABLE customers (id bigint PRIMARY KEY, name text, phone text,
		updated_at timestamptz NOT NULL DEFAULT now())`,
		fmt.Sprintf(`INSERT INTO customers SELECT 1000 + i, 'Zoë Müller ' || i, '+14155550' || i,
			timestamptz '2024-03-01' + (i / 7) * interval '1 minute' FROM generate_series(0, %d) i`, contacts-1))
	factory, err := postgres.New(postgres.Config{
		DSN: template(t, database.DSN), Config: sqltable.Config{
			Table: "customers", ID: "id", Updated: "updated_at", Fields: record.Fields{Name: "name", Phones: record.Expressions{"phone"}},
		},
	}, source.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	statements := map[bridgetest.Verb]string{
		bridgetest.Create: `INSERT INTO customers VALUES ($1, 'created', '+14155550000')`,
		bridgetest.Update: `UPDATE customers SET name = name || '!', updated_at = now() WHERE id = $1`,
		bridgetest.Delete: `DELETE FROM customers WHERE id = $1`,
	}
	mutate := func(_ context.Context, verb bridgetest.Verb, id string) (string, error) {
		database.Exec(t, statements[verb], id)
		return "", nil
	}
	bridgetest.Run(t, serveOwn(t, factory, mutate, small), quick())
}

func template(t *testing.T, text string) source.Template {
	t.Helper()
	parsed, err := source.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}
