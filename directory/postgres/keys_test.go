package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/postgres"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
)

// TestKeys asks PostgreSQL how many rows it read for what names few: whatever its statistics say, no statement may walk through
// all that an integration has.
func TestKeys(t *testing.T) {
	for _, c := range []struct {
		name     string
		accounts []string // that are filled and analyzed before
		settings string   // of the URL
	}{
		{"NeverAnalyzed", nil, ""},
		{"AnalyzedBeforeTheAccountCame", []string{"other"}, ""},
		{"AnalyzedWithManyAccounts", []string{"b", "c", "d", "e", "f", "g"}, ""},
		{"AsBehindAPooler", []string{"other"}, "&default_query_exec_mode=exec"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMeter(t, c.settings)
			for _, name := range c.accounts {
				key := directory.Key{Account: name, Integration: "crm"}
				m.do(func(s directory.Store) { fill(t, s, key, "Ann", false) })
			}
			if len(c.accounts) > 0 {
				m.database.Exec(t, "VACUUM ANALYZE contactbridge.contacts")
				m.database.Exec(t, "VACUUM ANALYZE contactbridge.numbers")
			}
			m.readsAtMost(t, "pages that create", 10*filled, func(s directory.Store) { fill(t, s, key, "Ann", false) })
			m.readsAtMost(t, "pages that change", 20*filled, func(s directory.Store) { fill(t, s, key, "Eve", true) })
			m.database.Exec(t, "SELECT gin_clean_pending_list('contactbridge.contacts_words')") // as autovacuum does: the planner shuns a long one
			m.readsAtMost(t, "lookups", 100*asked, func(s directory.Store) { lookEverywhere(t, s) })
			// Who is gone is looked for once among all contacts.
			m.readsAtMost(t, "a page that judges", 10*filled, func(s directory.Store) { judge(t, s) })
			m.readsAtMost(t, "pages that delete", 40*filled/2, func(s directory.Store) { deleteNamed(t, s) })
			m.readsAtMost(t, "a purge", 5000, func(s directory.Store) {
				if n, err := s.Purge(t.Context(), key.Account, []directory.Ref{{Integration: key.Integration, ID: id(0)}}, true); n != 1 || err != nil {
					t.Errorf("purged %d, %v", n, err)
				}
			})
		})
	}
}

const (
	pages, perPage = 40, 100
	filled         = pages * perPage
	asked          = 20
)

var key = directory.Key{Account: "acme", Integration: "crm"}

func id(n int) string     { return fmt.Sprintf("c%05d", n) }
func number(n int) string { return fmt.Sprintf("+1415555%04d", n) }

func record(n int, name string) directory.Record {
	return directory.Record{
		Contact: contact.Contact{ID: id(n), Name: fmt.Sprintf("%s %d", name, n), Emails: []string{fmt.Sprintf("p%d@example.com", n)}, Phones: []string{number(n)}},
		Numbers: []directory.Number{{Raw: number(n), E164: number(n), Match: number(n)[1:]}},
	}
}

func start(t *testing.T, s directory.Store, key directory.Key, full bool) *directory.Run {
	t.Helper()
	run, err := s.StartRun(t.Context(), key, directory.Start{Full: full, Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func apply(t *testing.T, s directory.Store, run *directory.Run, page directory.PageChanges) {
	t.Helper()
	page.Seq, page.Guard = run.Pages+1, directory.Guard{Share: 1}
	if err := s.ApplyPage(t.Context(), run, page); err != nil {
		t.Fatal(err)
	}
}

// fill is a whole run.
func fill(t *testing.T, s directory.Store, key directory.Key, name string, full bool) {
	run := start(t, s, key, full)
	for page := range pages {
		p := directory.PageChanges{Checkpoint: "filled"}
		for n := range perPage {
			p.Contacts = append(p.Contacts, record(page*perPage+n, name))
		}
		if page < pages-1 {
			p.NextOffset = fmt.Sprint(page)
		}
		apply(t, s, run, p)
	}
}

func lookEverywhere(t *testing.T, s directory.Store) {
	for n := range asked {
		for what, look := range map[string]func() (int, error){
			"number": func() (int, error) { return found(s.ByE164(t.Context(), key.Account, []string{number(n)}, 10)) },
			"ending": func() (int, error) { return found(s.BySuffix(t.Context(), key.Account, number(n)[4:], 10)) },
			"address": func() (int, error) {
				return found(s.ByEmail(t.Context(), key.Account, []string{fmt.Sprintf("p%d@example.com", n)}, 10))
			},
			"search": func() (int, error) {
				return found(s.Search(t.Context(), key.Account, directory.Query{Text: number(n)}))
			},
		} {
			if got, err := look(); got != 1 || err != nil {
				t.Errorf("%s of %s: %d, %v", what, id(n), got, err)
			}
		}
	}
}

func found[T any](list []T, err error) (int, error) { return len(list), err }

// judge is a whole run of one page that shows every contact but a few.
func judge(t *testing.T, s directory.Store) {
	p := directory.PageChanges{Checkpoint: "judged"}
	for n := range filled - perPage/2 {
		p.Contacts = append(p.Contacts, record(n, "Eve"))
	}
	run := start(t, s, key, true)
	apply(t, s, run, p)
	if run.Deleted != perPage/2 {
		t.Errorf("%d contacts are gone", run.Deleted)
	}
}

func deleteNamed(t *testing.T, s directory.Store) {
	run := start(t, s, key, false)
	for page := range pages / 2 {
		p := directory.PageChanges{NextOffset: fmt.Sprint(page)}
		for n := range perPage {
			p.Deleted = append(p.Deleted, id(page*perPage+n+1))
		}
		apply(t, s, run, p)
	}
	apply(t, s, run, directory.PageChanges{Checkpoint: "deleted"})
	if run.Deleted != filled/2 {
		t.Errorf("%d contacts were deleted", run.Deleted)
	}
}

// A meter opens a directory for a while and tells how many rows were read meanwhile.
type meter struct {
	database *pgtest.Database
	settings string
	conn     *pgx.Conn
	t        *testing.T
}

func newMeter(t *testing.T, settings string) *meter {
	m := &meter{t: t, database: server.Database(t), settings: settings}
	m.do(func(directory.Store) {}) // makes the tables
	for _, table := range []string{"contacts", "numbers", "seen", "runs"} {
		m.database.Exec(t, "ALTER TABLE contactbridge."+table+" SET (autovacuum_enabled = false)")
	}
	m.conn = m.database.Conn(t)
	return m
}

func (m *meter) do(f func(directory.Store)) {
	m.t.Helper()
	store, err := postgres.Open(m.t.Context(), m.database.DSN+m.settings)
	if err != nil {
		m.t.Fatal(err)
	}
	defer store.Close()
	f(store)
}

func (m *meter) readsAtMost(t *testing.T, what string, most int64, f func(directory.Store)) {
	t.Helper()
	before := m.rowsRead()
	m.do(f)
	read := m.rowsRead() - before
	t.Logf("%s: %d rows read", what, read)
	if read > most {
		t.Errorf("%s: PostgreSQL read %d rows; want at most %d", what, read, most)
	}
}

// rowsRead are the entries of indexes and rows of tables that were read so far by sessions that have ended.
func (m *meter) rowsRead() (read int64) {
	m.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		var others int
		if err := m.conn.QueryRow(m.t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()").Scan(&others); err != nil {
			m.t.Fatal(err)
		}
		if others == 0 {
			break
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("%d sessions of a closed directory live on", others)
		}
		time.Sleep(10 * time.Millisecond)
	}
	err := m.conn.QueryRow(context.Background(), `SELECT (SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables WHERE relname IN ('contacts', 'numbers', 'seen'))
		+ (SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes WHERE relname IN ('contacts', 'numbers', 'seen'))`).Scan(&read)
	if err != nil {
		m.t.Fatal(err)
	}
	return read
}
