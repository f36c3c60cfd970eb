package postgres

import (
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"
)

const sideTable = `
CREATE TABLE people (id int PRIMARY KEY, name text, changed timestamptz);
CREATE TABLE "Phone Numbers" (owner int, number text, place int);
INSERT INTO people SELECT i, 'n' || i, '2020-01-01'::timestamptz + i * interval '1 s' FROM generate_series(1, 2000) i;
INSERT INTO "Phone Numbers" SELECT i / 2, '+1415' || (5550000 + i), i % 2 FROM generate_series(2, 4001) i;
ANALYZE`

// statement matches the statements in a hint.
var statement = regexp.MustCompile(`CREATE INDEX (?:CONCURRENTLY )?ON [^;\n]*\)`)

// What preview says of the indexes of a query that reads another table can be done, and done, it is content.
func TestAdviceOnIndexesOfAJoinCanBeFollowed(t *testing.T) {
	for name, c := range map[string]struct{ written, index, better string }{
		"a join with GROUP BY": {
			`{query: 'SELECT c.id, c.name, c.changed, array_agg(p.number ORDER BY p.place) AS phones FROM people c LEFT JOIN "Phone Numbers" p ON p.owner = c.id GROUP BY c.id', id: id, updated: changed, fields: {name: name, phones: phones}}`,
			`people (changed, id)`,
			`{query: 'SELECT c.id, c.name, c.changed, ARRAY(SELECT p.number FROM "Phone Numbers" p WHERE p.owner = c.id ORDER BY p.place) AS phones FROM people c', id: id, updated: changed, fields: {name: name, phones: phones}}`,
		},
		"a subquery in a query": {
			`{query: 'SELECT c.id, c.name, c.changed, ARRAY(SELECT p.number FROM "Phone Numbers" p WHERE p.owner = c.id) AS phones FROM people c', id: id, updated: changed, fields: {name: name, phones: phones}}`, `people (changed, id)`, "",
		},
		"a subquery as a field": {
			`{table: people, id: id, updated: changed, fields: {name: name, phones: 'ARRAY(SELECT p.number FROM "Phone Numbers" p WHERE p.owner = people.id)'}}`, `"people" ((changed), (id))`, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := server.Database(t, sideTable)
			r := open(t, db.DSN, c.written)
			inspection, err := r.Inspect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var said string
			for _, p := range inspection.Problems {
				said += p.Code + ": " + p.Hint + "\n"
			}
			for _, want := range []string{"CREATE INDEX CONCURRENTLY ON " + c.index, `CREATE INDEX CONCURRENTLY ON "public"."Phone Numbers" (owner)`} {
				if !strings.Contains(said, want) {
					t.Errorf("%s is not said:\n%s", want, said)
				}
			}
			for _, s := range statement.FindAllString(said, -1) {
				db.Exec(t, strings.Replace(s, "CONCURRENTLY ", "", 1))
			}
			if c.better != "" {
				expect(t, "problems of the query as it is, with the indexes", problems(t, open(t, db.DSN, c.written)), "no_index")
				c.written = c.better
			}
			r = open(t, db.DSN, c.written)
			expect(t, "problems when the advice was followed", problems(t, r), "")
			got, _ := r.run(t, "", 500)
			if len(got) != 2000 || len(got[7].Contact.Phones) != 2 {
				t.Errorf("%d contacts, the eighth %+v", len(got), got[7].Contact)
			}
		})
	}
}

func TestAQueryWhoseOrderHasNoTableIsToldSo(t *testing.T) {
	db := server.Database(t, sideTable)
	r := open(t, db.DSN, `{query: 'SELECT id, name, greatest(changed, changed) AS changed FROM people', id: id, updated: changed, fields: {name: name}}`)
	inspection, err := r.Inspect(t.Context())
	if err != nil || len(inspection.Problems) != 1 || !strings.Contains(inspection.Problems[0].Hint, "columns of one table") {
		t.Errorf("%+v (%v)", inspection.Problems, err)
	}
}

// What docs/serve-my-database.md says of phones in another table.
func TestTheDocsWayToPhonesInAnotherTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/serve-my-database.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "### Phones in another table")
	section, _, _ = strings.Cut(section, "\n## ")
	sql := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(section, -1)
	phones := regexp.MustCompile(`phones: (ARRAY\(.*\)) +#`).FindStringSubmatch(section)
	if len(sql) != 3 || phones == nil {
		t.Fatalf("%d SQL texts, %d expressions", len(sql), len(phones))
	}
	db := server.Database(t, `CREATE TABLE companies (id int PRIMARY KEY, name text);
		CREATE TABLE customers (id int PRIMARY KEY, name text, company_id int, updated_at timestamptz);
		CREATE TABLE phones (customer_id int, number text, position int);
		INSERT INTO companies VALUES (1, 'Example Ltd');
		INSERT INTO customers SELECT i, 'n' || i, 1, '2020-01-01' FROM generate_series(1, 300) i;
		INSERT INTO phones SELECT i, '+1415555' || (1000 + i), 1 FROM generate_series(1, 300) i`)
	for _, s := range strings.SplitAfter(strings.ReplaceAll(sql[0][1], "CONCURRENTLY ", ""), ";\n") {
		db.Exec(t, s)
	}
	db.Exec(t, sql[1][1])
	const fields = `, id: id, updated: updated_at, fields: {name: name, phones: `
	table := open(t, db.DSN, `{table: customers`+fields+`"`+phones[1]+`"}}`)
	query := open(t, db.DSN, `{query: "`+strings.ReplaceAll(sql[2][1], "\n", " ")+`"`+fields+`phones, company: company}}`)
	expect(t, "problems", problems(t, table)+problems(t, query), "")
	_, checkpoint := table.run(t, "", 100)
	db.Exec(t, "INSERT INTO phones VALUES (1, '+4420', 2); DELETE FROM phones WHERE customer_id = 2; UPDATE phones SET number = '+33' WHERE customer_id = 3; UPDATE phones SET customer_id = 4 WHERE customer_id = 5")
	changed, _ := table.run(t, checkpoint, 100)
	got := map[string]string{}
	for _, c := range changed {
		got[c.Contact.ID] = strings.Join(c.Contact.Phones, " ")
	}
	if want := map[string]string{"1": "+14155551001 +4420", "2": "", "3": "+33", "4": "+14155551004 +14155551005", "5": ""}; !maps.Equal(got, want) {
		t.Errorf("changed are %v, want %v", got, want)
	}
	if all, _ := query.run(t, "", 100); len(all) != 300 || all[10].Contact.Company != "Example Ltd" || len(all[10].Contact.Phones) != 1 {
		t.Errorf("%d contacts from the query, the eleventh %+v", len(all), all[10].Contact)
	}
}
