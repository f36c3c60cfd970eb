package sqlite

import (
	"fmt"
	"testing"
)

const customers = `CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, updated_at DATETIME)`

const plain = `{table: customers, id: id, updated: updated_at, fields: {name: name}}`

func TestInitialRunThenNothingNew(t *testing.T) {
	db := newFile(t, customers, `INSERT INTO customers SELECT value, 'Customer ' || value, '2026-12-31 11:00:0' || value FROM json_each('[1,2,3,4,5]')`)
	r := open(t, db.path, plain)
	for _, limit := range []int{0, 1, 2, 5, 6} {
		got, checkpoint := r.run(t, "", limit)
		expect(t, fmt.Sprintf("initial run, limit %d", limit), ids(got), "1 2 3 4 5")
		expect(t, "checkpoint", string(checkpoint), "2026-12-31 11:00:05/5")
		got, again := r.run(t, checkpoint, limit)
		expect(t, "second run", ids(got), "")
		expect(t, "checkpoint of the second run", string(again), string(checkpoint))
	}
}
