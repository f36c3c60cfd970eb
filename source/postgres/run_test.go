package postgres

import (
	"fmt"
	"strings"
	"testing"
)

// customers is a table with five rows, stamped ten minutes ago and later.
const customers = `CREATE TABLE customers (id int PRIMARY KEY, name text, email text, email2 text, phone text,
	updated_at timestamptz DEFAULT now(), deleted_at timestamptz);
	CREATE INDEX ON customers (updated_at, id);
	INSERT INTO customers (id, name, updated_at) SELECT i, 'Customer ' || i, now() - interval '10 min' + i * interval '1 second' FROM generate_series(1, 5) i`

const plain = `{table: customers, id: id, updated: updated_at, fields: {name: name}}`

func TestInitialRunThenNothingNew(t *testing.T) {
	db := server.Database(t, customers)
	r := open(t, db.DSN, plain)
	for _, limit := range []int{0, 1, 2, 5, 6} {
		got, checkpoint := r.run(t, "", limit)
		expect(t, fmt.Sprintf("initial run, limit %d", limit), ids(got), "1 2 3 4 5")
		got, again := r.run(t, checkpoint, limit)
		expect(t, "second run", ids(got), "")
		expect(t, "checkpoint of the second run", string(again), string(checkpoint))
	}
}

func TestTiesE1(t *testing.T) {
	const n = 100_000
	db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, updated_at timestamptz)`,
		fmt.Sprintf(`INSERT INTO customers SELECT i, '2020-01-01' FROM generate_series(1, %d) i`, n),
		`CREATE INDEX ON customers (updated_at, id)`)
	r := open(t, db.DSN, `{table: customers, id: id, updated: updated_at, fields: {name: id}}`)
	got, checkpoint := r.run(t, "", 1000)
	if len(got) != n {
		t.Fatalf("got %d contacts, want %d", len(got), n)
	}
	for i, c := range got {
		if c.Contact.ID != fmt.Sprint(i+1) {
			t.Fatalf("contact %d has id %s", i+1, c.Contact.ID)
		}
	}
	expect(t, "checkpoint", string(checkpoint), "2020-01-01T00:00:00.000000Z/100000")
	db.Exec(t, `INSERT INTO customers VALUES (100001, '2020-01-01')`)
	got, _ = r.run(t, checkpoint, 1000)
	expect(t, "next run", ids(got), "100001")
}

func TestLateCommitIsDeliveredByTheNextRunE2(t *testing.T) {
	db := server.Database(t, customers)
	r := open(t, db.DSN, plain)
	late := db.Conn(t)
	if _, err := late.Exec(t.Context(), "BEGIN; SELECT now()"); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, `INSERT INTO customers (id, name) VALUES (6, 'in time')`)
	got, checkpoint := r.run(t, "", 2)
	expect(t, "first run", ids(got), "1 2 3 4 5 6")
	if _, err := late.Exec(t.Context(), "INSERT INTO customers (id, name) VALUES (7, 'late'); COMMIT"); err != nil {
		t.Fatal(err)
	}
	got, _ = r.run(t, checkpoint, 2)
	if !strings.Contains(" "+ids(got)+" ", " 7 ") {
		t.Errorf("the late commit was lost: got %q after %s", ids(got), checkpoint)
	}
}
