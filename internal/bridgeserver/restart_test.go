package bridgeserver_test

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
)

// A syncPage is a page as a synchronizer reads it that knows our extensions.
type syncPage struct {
	NextOffset string `json:"next_offset"`
	Checkpoint string `json:"synchronization_checkpoint"`
	Restarted  bool   `json:"restarted"`
	Exact      bool   `json:"exact"`
	Contacts   []struct {
		ID string `json:"id"`
	} `json:"contacts"`
}

// follow follows a run to its end: the ids that came, the last checkpoint, and whether the first page said restarted.
func (r *running) follow(t *testing.T, path, checkpoint string) (ids, last string, restarted bool) {
	t.Helper()
	var all []string
	for offset, page := "", 1; ; page++ {
		body, _ := json.Marshal(map[string]any{"auth": map[string]string{"username": "agent", "password": password}, "meta": map[string]any{
			"synchronization_checkpoint": checkpoint, "offset": offset, "supports_deletions": true,
		}})
		a := r.do(t, "POST", path, string(body))
		var p syncPage
		if err := json.Unmarshal([]byte(a.body), &p); a.status != 200 || err != nil || !p.Exact || page > 20 {
			t.Fatalf("page %d: %d %s", page, a.status, a.body)
		}
		if p.Restarted && page > 1 {
			t.Errorf("page %d says restarted", page)
		}
		restarted = restarted || p.Restarted
		for _, c := range p.Contacts {
			all = append(all, c.ID)
		}
		if p.Checkpoint != "" {
			last = p.Checkpoint
		}
		if offset = p.NextOffset; offset == "" {
			return strings.Join(all, " "), last, restarted
		}
	}
}

// crm returns a folder with a database of two tables and two files.
func crm(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "crm.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		`CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, phone TEXT, u TEXT)`,
		`INSERT INTO customers VALUES (1, 'a', '1', '2024-05-01 10:00:00'), (2, 'b', '2', '2024-05-02 10:00:00'), (3, 'c', '3', '2024-05-03 10:00:00')`,
		`CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, phone TEXT, u TEXT)`, // older ones
		`INSERT INTO people VALUES (11, 'd', '1', '2023-05-01 10:00:00'), (12, 'e', '2', NULL), (13, 'f', '3', '2023-05-03 10:00:00')`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	write(t, folder, "customers.csv", "id,name,phone,u\n1,a,1,2024-05-01\n2,b,2,2024-05-02\n3,c,3,2024-05-03\n")
	write(t, folder, "people.csv", "id,name,phone,u\n11,d,1,2023-05-01\n12,e,2,\n13,f,3,2023-05-03\n")
	return folder
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serveCRM serves one endpoint over the folder, in pages of two.
func serveCRM(t *testing.T, folder, source string, others ...string) *running {
	t.Helper()
	text := "listen: 127.0.0.1:0\nendpoints:\n  crm:\n    auth: {username: agent, password: \"" + password + "\"}\n    page: {contacts: 2}\n    source: " + source +
		"\n    " + strings.Join(others, "\n    ") + "\n"
	cfg, err := config.Parse("bridge.yaml", []byte(text), strictyaml.Environment{Folder: folder})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return serve(t, cfg, nil)
}

const (
	sqliteCustomers = "{kind: sqlite, path: crm.db, table: customers, id: id, updated: u, fields: {name: name}}"
	csvCustomers    = "{kind: csv, path: customers.csv, id: id, updated: u, fields: {name: name}}"
)

// D10: another table, file, mapping or phone setting has everything sent again, at once and by itself; the same
// configuration, written in another way, has nothing sent again.
func TestD10ChangedConfigurationSendsEverythingAgain(t *testing.T) {
	for _, c := range []struct {
		name, before, after string
		others              []string
		want                string // empty: nothing comes again
	}{
		{"another table", sqliteCustomers, strings.Replace(sqliteCustomers, "customers", "people", 1), nil, "12 11 13"},
		{"a query", sqliteCustomers, strings.Replace(sqliteCustomers, "table: customers", "query: SELECT * FROM people", 1), nil, "12 11 13"},
		{"another mapping", sqliteCustomers, strings.Replace(sqliteCustomers, "name: name", "name: name, phones: phone", 1), nil, "1 2 3"},
		{"another region", sqliteCustomers, sqliteCustomers, []string{"phones: {region: US}"}, "1 2 3"},
		{"another file", csvCustomers, strings.Replace(csvCustomers, "customers", "people", 1), nil, "12 11 13"},
		{"another kind", csvCustomers, sqliteCustomers, nil, "1 2 3"},
		{
			"the same in another order", sqliteCustomers,
			"{kind: sqlite, fields: {name: name}, updated_as: auto, updated: u, id: id, table: customers, path: ./crm.db, overlap: 1m}",
			[]string{"phones: {format: as-is}"},
			"",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := crm(t)
			_, checkpoint, restarted := serveCRM(t, folder, c.before).follow(t, "/crm/contact_sync", "")
			if checkpoint == "" || restarted {
				t.Fatalf("the initial run: checkpoint %q, restarted %v", checkpoint, restarted)
			}
			r := serveCRM(t, folder, c.after, c.others...)
			for range 2 { // a synchronizer that lost the first answer asks again
				ids, _, restarted := r.follow(t, "/crm/contact_sync", checkpoint)
				if ids != c.want || restarted != (c.want != "") {
					t.Errorf("came %q, restarted %v", ids, restarted)
				}
			}
			_, next, _ := r.follow(t, "/crm/contact_sync", checkpoint)
			if ids, _, restarted := r.follow(t, "/crm/contact_sync", next); ids != "" || restarted {
				t.Errorf("and then %q, restarted %v", ids, restarted)
			}
		})
	}
}

// E10: a file without times is read whole when it changes, and says so: who is no longer in it is gone.
func TestE10ChangedFileSaysRestarted(t *testing.T) {
	folder := crm(t)
	r := serveCRM(t, folder, "{kind: csv, path: customers.csv, id: id, fields: {name: name}}")
	_, checkpoint, _ := r.follow(t, "/crm/contact_sync", "")
	if ids, again, restarted := r.follow(t, "/crm/contact_sync", checkpoint); ids != "" || again != checkpoint || restarted {
		t.Errorf("unchanged: %q, %q, restarted %v", ids, again, restarted)
	}
	write(t, folder, "customers.csv", "id,name,phone,u\n1,a,1,\n3,c,3,\n4,d,4,\n")
	ids, next, restarted := r.follow(t, "/crm/contact_sync", checkpoint)
	if ids != "1 3 4" || next == checkpoint || !restarted {
		t.Errorf("changed: %q, %q, restarted %v", ids, next, restarted)
	}
	if a := r.do(t, "GET", "/metrics", ""); !strings.Contains(a.body, `contactbridge_restarts_total{endpoint="crm",reason="source"} 1`) {
		t.Error("the restart is not counted")
	}
}

// D10: what is answered with a full run is said once and counted each time, unless it is refused.
func TestD10UnknownCheckpointIsSaidOnceAndCounted(t *testing.T) {
	folder := crm(t)
	r := serveCRM(t, folder, sqliteCustomers)
	for range 3 {
		if ids, _, restarted := r.follow(t, "/crm/contact_sync", "2012-11-20 23:01:00 UTC"); ids != "1 2 3" || !restarted {
			t.Errorf("came %q, restarted %v", ids, restarted)
		}
	}
	if n := strings.Count(r.logs.String(), "every contact is sent again"); n != 1 {
		t.Errorf("said %d times in %s", n, r.logs)
	}
	if a := r.do(t, "GET", "/metrics", ""); !strings.Contains(a.body, `contactbridge_restarts_total{endpoint="crm",reason="unknown"} 3`) {
		t.Error("the restarts are not counted")
	}
	r = serveCRM(t, folder, sqliteCustomers, "unknown_checkpoint: refuse")
	a := r.do(t, "POST", "/crm/contact_sync", strings.Replace(credentials("agent", password), `}}`, `},"meta":{"synchronization_checkpoint":"x"}}`, 1))
	if a.status != 400 || a.page.Error.Code != "invalid_checkpoint" || !strings.Contains(a.page.Error.Hint, "unknown_checkpoint: restart") {
		t.Errorf("refused with %d %s", a.status, a.body)
	}
	if _, err := config.Parse("bridge.yaml", []byte("endpoints: {crm: {auth: none, source: "+csvCustomers+", unknown_checkpoint: maybe}}"), strictyaml.Environment{}); err == nil {
		t.Error("unknown_checkpoint: maybe was taken")
	}
}
