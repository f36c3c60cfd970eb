package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wantError checks an error's code and words.
func wantError(t testing.TB, err error, code bridge.Code, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", code)
	}
	text := err.Error()
	var e *bridge.Error
	if errors.As(err, &e) {
		text += " | " + e.Hint
	}
	if got := bridge.CodeOf(err); got != code {
		t.Errorf("%s: code %s, want %s", text, got, code)
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q does not say %q", text, word)
		}
	}
}

func TestFieldsAndLists(t *testing.T) {
	f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, company TEXT, email TEXT, email2 TEXT, phones TEXT, plan TEXT,
		born DATE, n REAL, ok BOOLEAN, updated_at DATETIME)`,
		`INSERT INTO customers VALUES (7, 'Jane', 'Doe', NULL, 'jane@example.com', 'jane@example.com', '["+1", 2, null, "+1"]', 'gold', '2012-11-20', 1.5, 1, '2026-01-01 00:00:00')`,
		`INSERT INTO customers (id, phones, updated_at) VALUES (8, '[not json', '2026-01-01 00:00:00')`)
	r := open(t, f.path, `
table: customers
id: id
updated: updated_at
fields:
  name: first_name || ' ' || last_name
  company: company
  emails: [email, email2]
  phones: [phones, n]
  url: "'https://crm.example.com/customers/' || id -- the page"
  custom_fields: {Plan: plan, Born: born, OK: ok}
`)
	got, _ := r.run(t, "", 10)
	expect(t, "contact", fmt.Sprintf("%+v", got[0].Contact), "{ID:7 Name:Jane Doe Title: Company: Emails:[jane@example.com] Phones:[+1 2 1.5] Websites:[] "+
		"PhotoURL: Address: Twitter: URL:https://crm.example.com/customers/7 CustomFields:[{Key:Plan Value:gold} {Key:Born Value:2012-11-20} {Key:OK Value:1}] Country:}")
	expect(t, "phones that are not a list", strings.Join(got[1].Contact.Phones, ","), "[not json")
}

func TestCellsWithSeveralValues(t *testing.T) {
	f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, phones TEXT, n REAL, emails TEXT, country TEXT, notes TEXT)`,
		`INSERT INTO customers VALUES (1, '[{"type":"work","value":"07911123468"},["02079460111"]]', 447911123800, '{"work":"a@b.c"}', 'UK', 'x')`,
		`INSERT INTO customers VALUES (2, '{"work":"07911123468","x":"y"}', 447911123457.5, '[]', NULL, 'x')`)
	const config = `{table: customers, id: id, fields: {emails: emails, phones: [phones, n], country: country}}`
	got, _ := open(t, f.path, config).run(t, "", 0)
	var list []string
	for _, c := range got {
		list = append(list, fmt.Sprintf("%q %q %q", c.Contact.Phones, c.Contact.Emails, c.Contact.Country))
	}
	expect(t, "contacts", strings.Join(list, "\n"), `["07911123468" "02079460111" "447911123800.0"] ["a@b.c"] "UK"
["07911123468" "447911123457.5"] [] ""`)
	found, err := open(t, f.path, config).Inspect(t.Context())
	expect(t, "unused columns", fmt.Sprint(found.Unused, err), "[notes] <nil>")
}

func TestAFileOfAnotherFormatIsNamed(t *testing.T) {
	for start, word := range map[string]string{"\x1f\x8b\x08": "gzip", "id,name\n": "not an SQLite database"} {
		path := filepath.Join(t.TempDir(), "x.db")
		if err := os.WriteFile(path, []byte(start+strings.Repeat("x", 4096)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := open(t, path, "{table: customers, id: id}").Begin(t.Context(), "")
		wantError(t, err, bridge.CodeSourceBroken, word)
	}
}

func TestUsualNamesWithoutFields(t *testing.T) {
	f := newFile(t, `CREATE TABLE people (Id, "First Name", "Last Name", "E-Mail", phone INTEGER, city, updated TEXT)`,
		`INSERT INTO people VALUES (1, 'Jane', '', 'jane@example.com', 555, 'Lisbon', '2020-01-01')`)
	r := open(t, f.path, `{table: people, id: Id, updated: updated}`)
	got, _ := r.run(t, "", 10)
	c := got[0].Contact
	expect(t, "contact", fmt.Sprintf("%q %q %q %q", c.Name, c.Emails, c.Phones, c.Address), `"Jane" ["jane@example.com"] ["555"] "Lisbon"`)
	inspection, err := r.Inspect(t.Context())
	if err != nil || len(inspection.Mapping) != 5 || !inspection.Mapping[1].Auto || inspection.Mapping[0].Auto {
		t.Errorf("mapping: %+v (%v)", inspection.Mapping, err)
	}
}

// D10: a column with a usual name changes what is sent, so checkpoints belong to the columns that were found, in every process at
// once. Where fields says what is sent, no column matters.
func TestCheckpointsBelongToTheColumnsThatWereFoundD10(t *testing.T) {
	f := newFile(t, customers, `INSERT INTO customers VALUES (1, 'Jane', '2026-01-01 00:00:00')`)
	const config = `{table: customers, id: id, updated: updated_at}`
	old, configured := open(t, f.path, config), open(t, f.path, plain)
	run := old.begin(t, "")
	before, fixed := digest(t, old), digest(t, configured)
	f.exec(t, "ALTER TABLE customers ADD COLUMN notes TEXT")
	expect(t, "digest with a column that goes nowhere", digest(t, old), before)
	f.exec(t, "ALTER TABLE customers ADD COLUMN email TEXT DEFAULT 'jane@example.com'")
	after := digest(t, old)
	if after == before {
		t.Error("a new column gives no other digest")
	}
	expect(t, "digest in another process", digest(t, open(t, f.path, config)), after)
	if got := old.page(t, run, nil, 0); len(got) == 0 || len(got[0].Contact.Emails) != 1 {
		t.Errorf("the new column is not read: %+v", got)
	}
	expect(t, "digest where fields is set", digest(t, configured), fixed)
	f.exec(t, "ALTER TABLE customers DROP COLUMN email")
	expect(t, "digest when the column is gone", digest(t, old), before)
}

func digest(t testing.TB, r reader) string {
	t.Helper()
	said, err := r.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return said.Digest
}

func TestNamesOfEveryKind(t *testing.T) {
	f := newFile(t, `CREATE TABLE "Table ""Name"" 表" ("the id?" TEXT, "select" DATETIME)`, `INSERT INTO "Table ""Name"" 表" VALUES ('a?', '2020-01-01 00:00:00'), ('b''\', '2020-01-01 00:00:00')`)
	for _, what := range []string{`table: 'main."Table ""Name"" 表"'`, `query: 'SELECT * FROM "Table ""Name"" 表" -- all;'`} {
		r := open(t, f.path, `{`+what+`, id: '"the id?"', updated: '"select" -- when', fields: {name: '''?'' || "the id?" --'}}`)
		for _, limit := range []int{0, 1} {
			got, checkpoint := r.run(t, "", limit)
			expect(t, what, ids(got), `a? b'\`)
			got, _ = r.run(t, checkpoint, limit)
			expect(t, what+", again", ids(got), "")
		}
	}
}

func TestRowsThatAreTheSameTwice(t *testing.T) {
	f := newFile(t, `CREATE TABLE customers (id, u DEFAULT '2026-01-01 00:00:00')`, `INSERT INTO customers (id) VALUES (1), (1), (1), (2), (2), (3), (NULL), (NULL)`)
	r := open(t, f.path, `{table: customers, id: id, updated: u, time_zone: UTC, probe_lock: true, fields: {name: id}}`)
	for _, limit := range []int{0, 1, 2, 3, 100} {
		got, _ := r.run(t, "", limit)
		expect(t, fmt.Sprintf("limit %d", limit), ids(got), "1 2 3")
	}
	if n := strings.Count(r.log.String(), "not unique"); n != 1 {
		t.Errorf("the log says %d times that ids are not unique: %s", n, r.log)
	}
	expect(t, "problems", problems(t, r), "null_id duplicate_id no_index")
}

func TestInspect(t *testing.T) {
	const table = `CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, u, n)`
	const index = `CREATE INDEX customers_updated ON customers (u, id)`
	const row = `INSERT INTO customers VALUES (1, '', '2026-01-01 00:00:00', 5)`
	for _, c := range []struct {
		name, sql, config, want string
	}{
		{"nothing wrong", index + ";" + row, `updated: u, time_zone: UTC, probe_lock: true`, ``},
		{"defaults", index + ";" + row, `updated: u`, `overlap no_time_zone`},
		{"no index", row, `updated: u, time_zone: UTC, probe_lock: true`, `no_index`},
		{"nulls and futures", index + ";" + row + `; INSERT INTO customers (id, u) VALUES (2, NULL), (3, '2027-02-01 00:00:00')`, `updated: u, time_zone: UTC, probe_lock: true`, `future_updated null_updated`},
		{"no updated", row, ``, `no_updated`},
		{"a sequence", row, `updated: n`, `no_index taken_for_sequence`},
		{"a sequence that is said to be one", row, `updated: n, updated_as: sequence`, `no_index`},
		{"empty", index, `updated: u`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFile(t, table, c.sql)
			r := open(t, f.path, `{table: customers, id: id, `+c.config+`}`)
			expect(t, "problems", problems(t, r), c.want)
			inspection, err := r.Inspect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range inspection.Problems {
				if p.Code == "no_index" {
					f.exec(t, p.Hint)
					if after := problems(t, r); strings.Contains(after, "no_index") {
						t.Errorf("still %s after %s", after, p.Hint)
					}
				}
			}
		})
	}
}

func TestErrorsNameTheKeyThatIsWrong(t *testing.T) {
	f := newFile(t, customers)
	for config, words := range map[string][]string{
		`{table: nobody, id: id}`:                                                {"source's table", "no such table"},
		`{query: SELECT FROM WHERE, id: id}`:                                     {"source's query", "syntax error"},
		`{table: customers, id: identity}`:                                       {"source's id", "identity"},
		`{table: customers, id: id, updated: changed}`:                           {"source's updated", "changed"},
		`{table: customers, id: id, deleted: 1 +}`:                               {"source's deleted", "syntax"},
		`{table: customers, id: id, fields: {name: name, phones: [phone, fax]}}`: {"source's fields.phones[0]", "phone"},
		`{table: customers, id: id, fields: {custom_fields: {Plan: plan}}}`:      {"source's fields.custom_fields.Plan", "plan"},
	} {
		_, err := open(t, f.path, config).Begin(t.Context(), "")
		wantError(t, err, bridge.CodeSourceBroken, words...)
	}
}

func TestFilesThatCannotBeOpened(t *testing.T) {
	folder := t.TempDir()
	garbage := filepath.Join(folder, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, c := range map[string]struct {
		code  bridge.Code
		words []string
	}{
		filepath.Join(folder, "missing.db"): {bridge.CodeSourceUnavailable, []string{"does not exist", "path"}},
		folder:                              {bridge.CodeSourceUnavailable, []string{"folder"}},
		garbage:                             {bridge.CodeSourceBroken, []string{"not an SQLite database"}},
	} {
		r := open(t, path, plain)
		wantError(t, r.Probe(t.Context()), c.code, c.words...)
		_, err := r.Begin(t.Context(), "")
		wantError(t, err, c.code, c.words...)
	}
	if _, err := os.Stat(filepath.Join(folder, "missing.db")); !os.IsNotExist(err) {
		t.Error("the missing file was made")
	}
}

func TestFileIsOnlyRead(t *testing.T) {
	f := newFile(t, customers, `INSERT INTO customers VALUES (1, 'x', '2026-01-01 00:00:00')`)
	r := open(t, f.path, `{table: customers, id: id, fields: {name: name}}`)
	if _, err := r.Database().(*database).readers.Exec("DELETE FROM customers"); err == nil {
		t.Error("a row could be deleted")
	}
}

func TestLockedFile(t *testing.T) {
	f := newFile(t, customers, `INSERT INTO customers VALUES (1, 'x', '2026-01-01 00:00:00')`)
	r := open(t, f.path, plain)
	run := r.begin(t, "")
	conn, err := f.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, s := range []string{"PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE"} {
		if _, err := conn.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range r.Read(t.Context(), run, nil, 0) {
		wantError(t, err, bridge.CodeSourceUnavailable, "locked", "WAL")
	}
	_, _ = conn.ExecContext(context.Background(), "ROLLBACK")
}

func TestSlowQueriesTimeOut(t *testing.T) {
	f := newFile(t, customers)
	r := open(t, f.path, `{query: "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i) SELECT n AS id FROM i ORDER BY -n", id: id, fields: {name: id}}`)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := r.Begin(ctx, "")
	wantError(t, err, bridge.CodeSourceTimeout, "index")
}

func TestCredentialsInThePath(t *testing.T) {
	f := newFile(t, customers)
	tenant := filepath.Join(filepath.Dir(f.path), "{{auth.tenant}}.sqlite")
	name := strings.TrimSuffix(filepath.Base(f.path), ".sqlite")
	if err := os.Rename(f.path, filepath.Join(filepath.Dir(f.path), "acme.sqlite")); err != nil {
		t.Fatal(err)
	}
	r, err := tryOpen(t, tenant, plain, bridge.Auth{"tenant": "acme"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"../acme", "a/b", `a\b`, "..", ".hidden", "acme.sqlite?mode=rwc&x=", "a%2Fb", "a\x00b", "c:acme", name, ""} {
		_, err := tryOpen(t, tenant, plain, bridge.Auth{"tenant": bad})
		wantError(t, err, bridge.CodeUnauthorized)
	}
}

// Whether a caller's file is there is nothing that a wrong credential tells apart from any other.
func TestAFileThatIsNotThereIsAWrongCredential(t *testing.T) {
	f := newFile(t, customers)
	r, err := tryOpen(t, filepath.Join(filepath.Dir(f.path), "{{auth.tenant}}.sqlite"), plain, bridge.Auth{"tenant": "nobody"})
	if err == nil {
		err = r.Probe(t.Context())
	}
	wantError(t, err, bridge.CodeUnauthorized)
}

func TestPathsAndURIs(t *testing.T) {
	f := newFile(t, customers, `INSERT INTO customers VALUES (1, 'x', '2026-01-01 00:00:00')`)
	escaped := (&location{name: f.path}).uri("ro")
	for _, path := range []string{f.path, escaped, strings.Replace(escaped, "file:", "file://", 1), strings.Replace(escaped, "file:", "file://localhost", 1), escaped + "&cache=private"} {
		got, _ := open(t, path, plain).run(t, "", 0)
		expect(t, path, ids(got), "1")
	}
	var cfg Config
	if err := yaml.Unmarshal([]byte(plain), &cfg); err != nil {
		t.Fatal(err)
	}
	if err := cfg.DSN.UnmarshalText([]byte(filepath.Base(f.path))); err != nil {
		t.Fatal(err)
	}
	factory, err := New(cfg, source.Deps{Folder: filepath.Dir(f.path)})
	if err != nil {
		t.Fatal(err)
	}
	defer factory.Close()
	s, err := factory.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.(bridge.Prober).Probe(t.Context()); err != nil {
		t.Errorf("a dsn that starts from the configuration's folder: %v", err)
	}
}

func TestConfigurationIsCheckedAtOnce(t *testing.T) {
	for config, words := range map[string][]string{
		`{}`:                                  {"path is missing", "table is missing", "id is missing"},
		`{path: a, dsn: b, table: c, id: d}`:  {"exclude each other"},
		`{path: ":memory:", table: c, id: d}`: {":memory:"},
		`{path: a, table: a, id: c, updated: u, updated_as: weird}`: {"updated_as", "epoch_ms"},
	} {
		var cfg Config
		if err := yaml.Unmarshal([]byte(config), &cfg); err != nil {
			t.Fatal(err)
		}
		_, err := New(cfg, source.Deps{})
		said := sourcetest.ConfigText(err)
		for _, word := range words {
			if !strings.Contains(said, word) {
				t.Errorf("%s: %q does not say %q", config, said, word)
			}
		}
	}
}

func TestTableThatChanges(t *testing.T) {
	f := newFile(t, customers, `INSERT INTO customers VALUES (1, 'x', '2026-01-01 00:00:00')`)
	r := open(t, f.path, plain)
	_, checkpoint := r.run(t, "", 2)
	f.exec(t, "ALTER TABLE customers RENAME name TO full_name")
	run, err := r.Begin(t.Context(), "")
	for _, readErr := range r.Read(t.Context(), run, nil, 1) {
		err = readErr
	}
	wantError(t, err, bridge.CodeSourceBroken)
	_, err = r.Begin(t.Context(), checkpoint)
	wantError(t, err, bridge.CodeSourceBroken, "fields.name")
}
