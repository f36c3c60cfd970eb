package sqlite

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

var statement = regexp.MustCompile(`CREATE INDEX [^;\n]*\)`)

// What preview says of the indexes of a source that reads another table can be done, and done, it is content.
func TestAdviceOnIndexesOfASideTableCanBeFollowed(t *testing.T) {
	const sideTable = `
		CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, n INTEGER);
		CREATE TABLE numbers (owner INTEGER, number TEXT);
		WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 500)
			INSERT INTO people SELECT i, 'n' || i, i FROM i;
		INSERT INTO numbers SELECT id, '+1415555' || (1000 + id) FROM people;
		INSERT INTO numbers SELECT id, '+1416555' || (1000 + id) FROM people;`
	for name, c := range map[string]struct{ config, want string }{
		"a join with GROUP BY":  {`{query: 'SELECT c.id, c.name, c.n, json_group_array(p.number) AS phones FROM people c JOIN numbers p ON p.owner = c.id GROUP BY c.id', id: id, updated: n, updated_as: sequence, fields: {name: name, phones: phones}}`, "no_index"},
		"a subquery as a field": {`{table: people, id: id, updated: n, updated_as: sequence, fields: {name: name, phones: '(SELECT json_group_array(p.number) FROM numbers p WHERE p.owner = people.id)'}}`, ""},
		"a subquery in a query": {`{query: 'SELECT c.id, c.name, c.n, (SELECT json_group_array(p.number) FROM numbers p WHERE p.owner = c.id) AS phones FROM people c', id: id, updated: n, updated_as: sequence, fields: {name: name, phones: phones}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFile(t, sideTable)
			r := open(t, f.path, c.config)
			inspection, err := r.Inspect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if said := fmt.Sprint(inspection.Problems); c.want == "" && !strings.Contains(said, `ON "numbers" ("owner")`) {
				t.Errorf("the index that the side table lacks is not said: %s", said)
			}
			for _, p := range inspection.Problems {
				for _, s := range statement.FindAllString(p.Hint, -1) {
					f.exec(t, s)
				}
			}
			f.exec(t, `CREATE INDEX IF NOT EXISTS people_order ON people (n, id)`)
			expect(t, "problems when the advice was followed", problems(t, open(t, f.path, c.config)), c.want)
			got, _ := r.run(t, "", 100)
			if len(got) != 500 || len(got[7].Contact.Phones) != 2 {
				t.Errorf("%d contacts, the eighth %+v", len(got), got[7].Contact)
			}
		})
	}
}
