package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

// wantError checks an error's code and words, and that it holds no credential.
func wantError(t testing.TB, err error, code bridge.Code, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", code)
	}
	text := err.Error()
	var e *bridge.Error
	if asError(err, &e) {
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
	if strings.Contains(text, "secret") || strings.Contains(text, "postgres://") {
		t.Errorf("%q holds a credential", text)
	}
}

func TestConfigurationOfTheExample(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, first_name text, last_name text, company text, email text, email2 text, phone text, mobile text,
		plan text, created_at date, updated_at timestamptz, deleted_at timestamptz)`,
		`INSERT INTO customers VALUES (7, 'Jane', 'Doe', 'Example Corp.', 'jane@example.com', 'jane@example.com', '', '+15555555555', 'gold', '2012-11-20', '2012-12-01', NULL)`)
	r := open(t, db.DSN, `
table: customers
id: id
updated: updated_at
deleted: deleted_at
fields:
  name: first_name || ' ' || last_name
  company: company
  emails: [email, email2]
  phones: [phone, mobile]
  url: "'https://crm.example.com/customers/' || id"
  custom_fields: {Plan: plan, Customer since: created_at}
`)
	got, _ := r.run(t, "", 10)
	if len(got) != 1 {
		t.Fatalf("got %d contacts", len(got))
	}
	expect(t, "contact", fmt.Sprintf("%+v", got[0].Contact), "{ID:7 Name:Jane Doe Title: Company:Example Corp. Emails:[jane@example.com] Phones:[+15555555555] Websites:[] "+
		"PhotoURL: Address: Twitter: URL:https://crm.example.com/customers/7 CustomFields:[{Key:Plan Value:gold} {Key:Customer since Value:2012-11-20}] Country:}")
}

func TestUsualNamesWithoutFields(t *testing.T) {
	db := server.Database(t, `CREATE TABLE people ("Id" int, "First Name" text, "Last Name" text, "E-Mail" text, phone int, city text, updated timestamp)`,
		`INSERT INTO people VALUES (1, 'Jane', '', 'jane@example.com', 555, 'Lisbon', '2020-01-01')`)
	r := open(t, db.DSN, `{table: people, id: '"Id"', updated: updated}`)
	got, _ := r.run(t, "", 10)
	c := got[0].Contact
	expect(t, "contact", fmt.Sprintf("%q %q %q %q", c.Name, c.Emails, c.Phones, c.Address), `"Jane" ["jane@example.com"] ["555"] "Lisbon"`)
	inspection, err := r.Inspect(t.Context())
	if err != nil || len(inspection.Mapping) != 5 || !inspection.Mapping[1].Auto || inspection.Mapping[0].Auto {
		t.Errorf("mapping: %+v (%v)", inspection.Mapping, err)
	}
}

func TestNamesOfEveryKind(t *testing.T) {
	db := server.Database(t, `CREATE SCHEMA "My.Schema"; CREATE TABLE "My.Schema"."Table ""Name"" 表" ("the id?" text, "select" timestamptz);
		INSERT INTO "My.Schema"."Table ""Name"" 表" VALUES ('a?', '2020-01-01'), ('b''\', '2020-01-01')`)
	r := open(t, db.DSN, `{table: '"My.Schema"."Table ""Name"" 表"', id: '"the id?"', updated: '"select" -- when', fields: {name: '''?'' || "the id?" --'}}`)
	for _, limit := range []int{0, 1} {
		got, checkpoint := r.run(t, "", limit)
		expect(t, "run", ids(got), `a? b'\`)
		got, _ = r.run(t, checkpoint, limit)
		expect(t, "next run", ids(got), "")
	}
}

func TestIDsOfEveryKind(t *testing.T) {
	for name, ddl := range map[string][2]string{
		"smallint": {"i smallint", "(1), (2), (-3), (4), (NULL)"}, "bigint": {"i bigint", "(1), (9223372036854775807), (-3), (4)"},
		"uuid":    {"i uuid", "('00000000-0000-0000-0000-00000000000a'), (gen_random_uuid()), (gen_random_uuid()), (gen_random_uuid())"},
		"text":    {"i text", "('a'), ('B'), (''), ('é'), ('a b/c?d%')"},
		"varchar": {"i varchar(5)", "('a'), ('b'), ('c'), (NULL)"},
		"char":    {"i char(5)", "('abc'), ('abd'), ('b')"},
		"bit":     {"i bit(3)", "('101'), ('100'), ('111')"},
		"numeric": {"i numeric", "(1.5), (2), (10), (-7)"},
		"bytea":   {"i bytea", "('\\x00'), ('\\xff'), ('\\x0a')"},
		"pair":    {"a int, b text, i text GENERATED ALWAYS AS (a || '-' || b) STORED", "(1, 'x'), (1, 'y'), (2, 'x')"},
		"domain":  {"i d", "('a'), ('b'), ('c')"},
		"enum":    {"i e", "('z'), ('a'), ('m')"},
	} {
		t.Run(name, func(t *testing.T) {
			db := server.Database(t, "CREATE DOMAIN d AS text; CREATE TYPE e AS ENUM ('z', 'm', 'a'); CREATE TABLE customers ("+ddl[0]+", u timestamptz DEFAULT '2020-01-01')",
				"INSERT INTO customers VALUES "+ddl[1])
			r := open(t, db.DSN, `{table: customers, id: i, updated: u, fields: {name: i}}`)
			run := r.begin(t, "")
			all := r.page(t, run, nil, 0)
			if len(all) < 3 {
				t.Fatalf("got %s", ids(all))
			}
			for i, c := range all {
				expect(t, "after "+c.Contact.ID, ids(r.page(t, run, c.Position, 0)), ids(all[i+1:]))
				next, _ := r.run(t, r.Checkpoint(run, c.Position, false), 2)
				expect(t, "from the checkpoint after "+c.Contact.ID, ids(next), ids(all[i+1:]))
			}
		})
	}
}

func TestQueriesViewsAndPartitions(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int, u timestamptz, PRIMARY KEY (u, id)) PARTITION BY RANGE (u);
		CREATE TABLE old PARTITION OF customers FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
		CREATE TABLE new PARTITION OF customers FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
		INSERT INTO customers SELECT i, timestamptz '2020-12-25' + i * interval '1 day' FROM generate_series(1, 12) i;
		CREATE VIEW everyone AS SELECT id, u, 'x' AS name FROM customers`)
	for _, what := range []string{
		"table: customers", "table: everyone", "query: 'SELECT * FROM customers;'", "query: 'WITH c AS (SELECT * FROM customers) SELECT id, u FROM c ORDER BY 1 DESC'",
	} {
		r := open(t, db.DSN, `{`+what+`, id: id, updated: u, fields: {name: id}}`)
		got, checkpoint := r.run(t, "", 5)
		expect(t, what, ids(got), "1 2 3 4 5 6 7 8 9 10 11 12")
		got, _ = r.run(t, checkpoint, 5)
		expect(t, what+", again", ids(got), "")
	}
}

func TestListsAndTypes(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int, emails text[], phones jsonb, site json, n numeric, ok bool, t timestamptz, u timestamptz DEFAULT '2020-01-01')`,
		`INSERT INTO customers VALUES (1, ARRAY['a@b.c', NULL, '', 'd"e@b.c', 'a@b.c'], '["+1", 2, null, {"x": 1}]', '"https://x"', 1.50, true, '2026-01-02 03:04:05Z'),
			(2, NULL, NULL, NULL, NULL, NULL, NULL), (3, '{}', '{"no": "list"}', '3', NULL, NULL, NULL)`)
	r := open(t, db.DSN, `{table: customers, id: id, updated: u, fields: {emails: emails, phones: [phones, n], websites: site, title: ok, custom_fields: {T: t AT TIME ZONE 'UTC'}}}`)
	got, _ := r.run(t, "", 0)
	var list []string
	for _, c := range got {
		list = append(list, fmt.Sprintf("%q %q %q %q %v", c.Contact.Emails, c.Contact.Phones, c.Contact.Websites, c.Contact.Title, c.Contact.CustomFields))
	}
	expect(t, "contacts", strings.Join(list, "\n"), `["a@b.c" "d\"e@b.c"] ["+1" "2" "1.50"] ["https://x"] "true" [{T 2026-01-02 03:04:05}]
[] [] [] "" []
[] ["{\"no\": \"list\"}"] ["3"] "" []`)
}

func TestCellsWithSeveralValues(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int, phones jsonb, more text[][], f float8, n numeric(20,2), r real, emails jsonb, land text, u timestamptz DEFAULT '2020-01-01')`,
		`INSERT INTO customers VALUES (1, '[{"type":"work","value":"07911123468"},{"type":"home","number":"02079460111"}]', ARRAY[['1001','1002'],['1003',NULL]],
			447911123457, 447911123458, 5, '{"work":{"value":"a@b.c"},"home":["b@b.c"]}', 'Germany'),
			(2, '{"work":"07911123468","primary":true}', '{}', NULL, NULL, NULL, 'null', NULL), (3, '{}', NULL, 4.915112345678e20, NULL, NULL, '[]', NULL)`)
	r := open(t, db.DSN, `{table: customers, id: id, updated: u, fields: {emails: emails, phones: [phones, more, f, n, r], country: land}}`)
	got, _ := r.run(t, "", 0)
	var list []string
	for _, c := range got {
		list = append(list, fmt.Sprintf("%q %q %q", c.Contact.Phones, c.Contact.Emails, c.Contact.Country))
	}
	expect(t, "contacts", strings.Join(list, "\n"), `["07911123468" "02079460111" "1001" "1002" "1003" "447911123457.0" "447911123458.00" "5"] ["b@b.c" "a@b.c"] "Germany"
["07911123468"] [] ""
["4.915112345678e+20"] [] ""`)
	found, err := open(t, db.DSN, `{table: customers, id: id, updated: u, fields: {phones: "coalesce(phones::text, n::text)"}}`).Inspect(t.Context())
	expect(t, "unused columns", fmt.Sprint(found.Unused, err), "[more f r emails land] <nil>")
}

func TestRowsThatAreTheSameTwice(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int, n int, u timestamptz DEFAULT '2020-01-01')`,
		`INSERT INTO customers SELECT i / 10, i FROM generate_series(10, 59) i; INSERT INTO customers VALUES (NULL, 1), (NULL, 2)`)
	r := open(t, db.DSN, `{table: customers, id: id, updated: u, fields: {name: n}}`)
	for _, limit := range []int{0, 1, 2, 3, 100} {
		got, _ := r.run(t, "", limit)
		if !strings.HasPrefix(ids(got), "1 2 3 4 5") {
			t.Errorf("limit %d: got %s", limit, ids(got))
		}
	}
	if n := strings.Count(r.log.String(), "not unique"); n != 1 {
		t.Errorf("the log says %d times that ids are not unique: %s", n, r.log)
	}
	expect(t, "problems", problems(t, r), "null_id duplicate_id no_index")
}

// problems returns the codes of what preview finds.
func problems(t testing.TB, r reader) string {
	t.Helper()
	inspection, err := r.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, p := range inspection.Problems {
		if p.Hint == "" {
			t.Errorf("%s has no hint", p.Code)
		}
		list = append(list, p.Code)
	}
	return strings.Join(list, " ")
}

func TestInspect(t *testing.T) {
	const table = `CREATE TABLE customers (id int PRIMARY KEY, name text, updated_at timestamptz, local timestamp, n bigint); `
	for _, c := range []struct{ name, sql, config, want string }{
		{"nothing wrong", `CREATE INDEX ON customers (updated_at, id)`, `updated: updated_at`, ``},
		{"no index", ``, `updated: updated_at`, `no_index`},
		{"an index on the stamp alone", `CREATE INDEX ON customers (updated_at)`, `updated: updated_at`, `no_index`},
		{"nulls and futures", `CREATE INDEX ON customers (updated_at, id); INSERT INTO customers VALUES (1, '', NULL), (2, '', now() + interval '1 day')`, `updated: updated_at`, `future_updated null_updated`},
		{"no zone", `CREATE INDEX ON customers (local, id)`, `updated: local`, `no_time_zone`},
		{"a zone", `CREATE INDEX ON customers (local, id)`, `updated: local, time_zone: UTC`, ``},
		{"no updated", ``, ``, `no_updated`},
		{"xmin", ``, `updated: xmin`, `xmin_scans no_index`},
		{"a sequence", `CREATE INDEX ON customers (n, id); INSERT INTO customers (id, n) VALUES (1, 5)`, `updated: n`, `taken_for_sequence`},
		{"a sequence that is said to be one", `CREATE INDEX ON customers (n, id); INSERT INTO customers (id, n) VALUES (1, 5)`, `updated: n, updated_as: sequence`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := server.Database(t, table+c.sql)
			r := open(t, db.DSN, `{table: customers, id: id, `+c.config+`}`)
			expect(t, "problems", problems(t, r), c.want)
		})
	}
}

func TestInspectNamesTheGrantAndTheIndex(t *testing.T) {
	db := server.Database(t, `CREATE TABLE "Customers" (id int PRIMARY KEY, u timestamptz)`)
	r := open(t, db.User(t), `{table: Customers, id: id, updated: u, fields: {name: id}}`)
	inspection, err := r.Inspect(t.Context())
	if err != nil || len(inspection.Problems) != 2 {
		t.Fatalf("%+v (%v)", inspection.Problems, err)
	}
	for _, p := range inspection.Problems {
		db.Exec(t, strings.Replace(p.Hint, "CONCURRENTLY ", "", 1))
	}
	expect(t, "problems when the hints were followed", problems(t, r), "")
}

func TestAHostThatIsUnknownMayBeAPartOfThePassword(t *testing.T) {
	s, _, err := tryOpen(t, "postgres://reader:secret@pw..invalid:5432/crm?connect_timeout=5", plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Probe(t.Context())
	known, ok := errors.AsType[*bridge.Error](err)
	if !ok || known.Code != bridge.CodeSourceUnavailable || !strings.Contains(known.Hint, "percent-encoded") || strings.Contains(err.Error()+known.Hint, "pw..invalid") {
		t.Errorf("%v, hint %q", err, known.Hint)
	}
}

func TestOldTransactionIsNamed(t *testing.T) {
	db := server.Database(t, customers)
	begin(t, db, "SELECT now()")
	r := open(t, db.DSN, strings.Replace(plain, "{", "{overlap: 1ms, ", 1))
	expect(t, "problems", problems(t, r), "old_transaction")
	r.begin(t, "")
	if !strings.Contains(r.log.String(), "open for long") {
		t.Errorf("the log says: %s", r.log)
	}
}

func TestErrorsNameTheKeyThatIsWrong(t *testing.T) {
	db := server.Database(t, customers)
	for config, words := range map[string][]string{
		`{table: nobody, id: id}`:                                                          {"source's table", "nobody", "upper and lower case"},
		`{table: none.customers, id: id}`:                                                  {"source's table", "none.customers"},
		`{query: SELECT FROM WHERE, id: id}`:                                               {"source's query", "syntax error"},
		`{query: SELECT 1 AS x, id: id}`:                                                   {"source's id", "column \"id\""},
		`{table: customers, id: identity}`:                                                 {"source's id", "identity"},
		`{table: customers, id: id, updated: changed}`:                                     {"source's updated", "changed"},
		`{table: customers, id: id, updated: name}`:                                        {"updated", "type is text", "cast"},
		`{table: customers, id: id, updated: updated_at, updated_as: epoch_s}`:             {"updated_as", "timestamp with time zone"},
		`{table: customers, id: id, updated: id, updated_as: date}`:                        {"updated_as", "integer"},
		`{table: customers, id: id, deleted: 1 +}`:                                         {"source's deleted", "syntax"},
		`{table: customers, id: id, fields: {name: name, phones: [phone, fax]}}`:           {"source's fields.phones[1]", "fax"},
		`{table: customers, id: id, fields: {custom_fields: {Plan: plan}}}`:                {"source's fields.custom_fields.Plan", "plan"},
		`{table: customers, id: id, fields: {name: "$1::text"}}`:                           {"parameter"},
		`{table: customers, id: id, fields: {name: "name), (phone"}}`:                      {"fields"},
		`{table: customers, id: id, updated: updated_at, fields: {name: "(1 / 0)::text"}}`: {"division by zero"},
	} {
		t.Run(config, func(t *testing.T) {
			r := open(t, db.DSN, config)
			run, err := r.Begin(t.Context(), "")
			for _, readErr := range r.Read(t.Context(), run, nil, 1) {
				if err == nil {
					err = readErr
				}
			}
			wantError(t, err, bridge.CodeSourceBroken, words...)
		})
	}
}

func TestErrorsOfTheConnection(t *testing.T) {
	db := server.Database(t, customers)
	reader := db.User(t)
	db.Exec(t, "CREATE TABLE hidden (id int)")
	for name, c := range map[string]struct {
		dsn, config string
		code        bridge.Code
		words       []string
	}{
		"wrong password":   {strings.Replace(reader, ":secret@", ":wrongsecret@", 1), plain, bridge.CodeUnauthorized, []string{"dsn"}},
		"unknown user":     {strings.Replace(reader, "//reader", "//nobody", 1), plain, bridge.CodeUnauthorized, nil},
		"unknown database": {strings.Replace(db.DSN, db.Name, "nowhere", 1), plain, bridge.CodeSourceBroken, []string{"does not exist"}},
		"no server":        {"postgres://a:secret@127.0.0.1:1/x", plain, bridge.CodeSourceUnavailable, []string{"refused"}},
		"unknown host":     {"postgres://a:secret@nowhere.invalid/x", plain, bridge.CodeSourceUnavailable, []string{"name"}},
		"no privilege":     {reader, `{table: hidden, id: id}`, bridge.CodeSourceBroken, []string{"permission denied", "GRANT SELECT"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, c.dsn, c.config)
			_, err := r.Begin(t.Context(), "")
			wantError(t, err, c.code, c.words...)
		})
	}
}

func TestTooManyConnections(t *testing.T) {
	db := server.Database(t, customers)
	dsn := db.User(t)
	name := strings.TrimPrefix(strings.SplitN(dsn, ":", 3)[1], "//")
	db.Exec(t, "ALTER ROLE "+name+" CONNECTION LIMIT 1")
	one, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close(background())
	_, err = open(t, dsn, plain).Begin(t.Context(), "")
	wantError(t, err, bridge.CodeSourceUnavailable, "connections")
	var e *bridge.Error
	if !asError(err, &e) || e.RetryAfter == 0 {
		t.Errorf("%v does not say when to try again", err)
	}
}

func TestSlowQueriesTimeOut(t *testing.T) {
	db := server.Database(t, customers)
	r := open(t, db.DSN, `{table: customers, id: id, updated: updated_at, fields: {name: pg_sleep(60)}}`)
	run := r.begin(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for _, err := range r.Read(ctx, run, nil, 0) {
		wantError(t, err, bridge.CodeSourceTimeout, "index")
	}
	if ctx.Err() == nil {
		t.Fatal("the query was not slow")
	}
	// The server was told to give up: nothing of ours is running.
	conn := db.Conn(t)
	for running := true; running; {
		err := conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
			AND application_name = 'contactbridge')`).Scan(&running)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A page that is not read to its end costs no more than what was read, and the connection can be used again.
func TestStoppingEarlyCancelsTheQuery(t *testing.T) {
	db := server.Database(t, customers)
	r := open(t, db.DSN, `{table: customers, id: id, updated: updated_at, fields: {name: "CASE WHEN id > 2 THEN pg_sleep(60)::text END"}}`)
	run := r.begin(t, "")
	for c, err := range r.Read(t.Context(), run, nil, 2) {
		if err != nil {
			t.Fatal(err)
		}
		if c.Contact.ID == "1" {
			break
		}
	}
	started := time.Now()
	for _, err := range r.Read(t.Context(), run, nil, 1) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if time.Since(started) > 30*time.Second {
		t.Error("the connection was still busy")
	}
}

func TestTableThatChangesItsTypes(t *testing.T) {
	db := server.Database(t, customers)
	r := open(t, db.DSN, plain)
	_, checkpoint := r.run(t, "", 2)
	db.Exec(t, "ALTER TABLE customers ALTER id TYPE text, ALTER name TYPE varchar(100)")
	insert(t, db, 6)
	deadline := 3
	for ; deadline > 0; deadline-- {
		run, err := r.Begin(t.Context(), checkpoint)
		if err != nil {
			continue
		}
		got := ""
		for c, readErr := range r.Read(t.Context(), run, nil, 2) {
			if err = readErr; err == nil {
				got = c.Contact.ID
			}
		}
		if err == nil && got == "6" {
			return
		}
	}
	t.Error("the source does not recover from a change of types")
}

func TestCredentialsInTheDSN(t *testing.T) {
	db := server.Database(t, customers)
	const password = `p@ss:/?#%&=' \"{{é}} $x`
	db.Exec(t, `CREATE ROLE "agent smith" LOGIN PASSWORD '`+strings.ReplaceAll(password, "'", "''")+`'; GRANT SELECT ON customers TO "agent smith"`)
	t.Cleanup(func() { db.Exec(t, `DROP OWNED BY "agent smith"; DROP ROLE "agent smith"`) })
	auth := bridge.Auth{"user": "agent smith", "password": password}
	host := db.DSN[strings.Index(db.DSN, "127.0.0.1:"):]
	port := strings.TrimPrefix(strings.SplitN(host, "/", 2)[0], "127.0.0.1:")
	for _, dsn := range []string{
		"postgres://{{auth.user}}:{{auth.password}}@" + host,
		"host=127.0.0.1 port=" + port + " dbname=" + db.Name + " user={{auth.user}} password={{auth.password}}",
		"host=127.0.0.1 port=" + port + " dbname=" + db.Name + " user='{{auth.user}}' password='{{auth.password}}'",
	} {
		s, _, err := tryOpen(t, dsn, plain, auth)
		if err == nil {
			err = s.Probe(t.Context())
		}
		if err != nil {
			t.Errorf("%s: %v", dsn, err)
		}
		_, _, err = tryOpen(t, dsn, plain, bridge.Auth{"user": "agent smith"})
		wantError(t, err, bridge.CodeUnauthorized, "auth.password")
		s, _, err = tryOpen(t, dsn, plain, bridge.Auth{"user": "agent smith", "password": "x host=10.0.0.1 secret"})
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, s.Probe(t.Context()), bridge.CodeUnauthorized)
	}
}

// Behind a PgBouncer that gives every transaction another session, runs are as exact as without.
func TestBehindPgBouncer(t *testing.T) {
	for _, mode := range []string{"transaction", "session"} {
		t.Run(mode, func(t *testing.T) {
			db := server.Database(t, customers)
			dsn, err := db.Bouncer(t, mode)
			if errors.Is(err, pgtest.ErrNoBouncer) && os.Getenv("CI") != "true" {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = open(t, dsn, plain).Begin(t.Context(), "")
			wantError(t, err, bridge.CodeSourceBroken, "PgBouncer", "default_query_exec_mode=exec")
			dsn += "&default_query_exec_mode=exec"
			r := open(t, dsn, strings.Replace(plain, "{", "{clock_skew: 1ns, ", 1))
			got, checkpoint := r.run(t, "", 2)
			expect(t, "run", ids(got), "1 2 3 4 5")
			got, _ = r.run(t, checkpoint, 2)
			expect(t, "next run", ids(got), "")
			expect(t, "problems", problems(t, r), "")
			late := begin(t, db, "INSERT INTO customers (id) VALUES (6)")
			insert(t, db, 7)
			got, checkpoint = r.run(t, checkpoint, 2)
			expect(t, "while a transaction is open", ids(got), "7")
			exec(t, late, "COMMIT")
			if got, _ = r.run(t, checkpoint, 2); !has(got, 6) {
				t.Errorf("the late commit is lost: got %q after %s", ids(got), checkpoint)
			}
		})
	}
}

// With default_query_exec_mode=exec no setting of the session is touched, which PgBouncer would hand on to others or refuse.
func TestSessionsAreLeftAloneForPgBouncer(t *testing.T) {
	db := server.Database(t, customers)
	r := open(t, db.DSN+"&default_query_exec_mode=exec", plain)
	got, _ := r.run(t, "", 2)
	expect(t, "run", ids(got), "1 2 3 4 5")
	var changed int
	err := r.Database().(*database).conns.QueryRow(t.Context(), "SELECT count(*) FROM pg_settings WHERE name IN ('default_transaction_read_only', 'statement_timeout') AND source = 'client'").Scan(&changed)
	if err != nil || changed != 0 {
		t.Errorf("%d settings of the session were touched (%v)", changed, err)
	}
}

func TestSessionsCannotWrite(t *testing.T) {
	db := server.Database(t, customers)
	r := open(t, db.DSN, plain)
	if _, err := r.Database().(*database).conns.Exec(t.Context(), "DELETE FROM customers"); err == nil {
		t.Error("a row could be deleted")
	}
}

func TestConfigurationIsCheckedAtOnce(t *testing.T) {
	for config, words := range map[string][]string{
		`{}`:                                            {"dsn is missing", "table is missing", "id is missing"},
		`{dsn: "postgres://u:secret@h/d%zz"}`:           {"dsn cannot be read"},
		`{dsn: "host=h port=secret"}`:                   {"dsn cannot be read"},
		`{dsn: x, table: a, query: b, id: c}`:           {"exclude each other"},
		`{dsn: x, table: 'a"b', id: c}`:                 {"not the name of a table"},
		`{dsn: x, table: a., id: c}`:                    {"not the name of a table"},
		`{dsn: x, table: a, id: c, updated_as: weekly}`: {"updated_as cannot be \"weekly\"", "epoch_ms", "updated is not"},
		`{dsn: x, table: a, id: c, time_zone: Mars}`:    {"time_zone \"Mars\" is unknown"},
		`{dsn: x, table: a, id: c, overlap: -5m}`:       {"overlap is negative"},
		`{dsn: "postgres://h/d?default_query_exec_mode=simple_protocol", table: a, id: c}`: {"exec"},
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
		if strings.Contains(said, "secret") {
			t.Errorf("%s: %q holds a credential", config, said)
		}
	}
}
