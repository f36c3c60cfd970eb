package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
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

// Rows that change while a run reads, faster than it reads, neither keep it from ending nor from showing every row (E3, T6):
// whatever was there when the run began is in it, in that version or a newer one.
func TestRunEndsWhileContactsKeepChangingE3(t *testing.T) {
	for _, s := range stampeds {
		if !slices.Contains([]string{"timestamptz", "date", "sequence", "xmin"}, s.name) {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			db, r := s.open(t, asOwner)
			db.Exec(t, "INSERT INTO customers (id) SELECT generate_series(6, 60)")
			change := "UPDATE customers SET u = DEFAULT WHERE id % 2 = "
			if s.name == "xmin" {
				change = "UPDATE customers SET id = id WHERE id % 2 = "
			}
			checkpoint, next := bridge.Checkpoint(""), 100
			for _, begins := range []string{"initial", "incremental"} {
				got, end := r.finish(t, r.begin(t, checkpoint), 12, func(page int) { // which changes more than it has
					next += 10
					db.Exec(t, fmt.Sprintf("%s %d; INSERT INTO customers (id) SELECT generate_series(%d, %d)", change, page%2, next, next+9))
				})
				checkpoint = end
				for id := 1; id <= 60; id++ {
					if !has(got, id) {
						t.Fatalf("%s run: contact %d is missing in %s", begins, id, ids(got))
					}
				}
				if begins == "initial" {
					db.Exec(t, change+"0; "+change+"1")
				}
			}
		})
	}
}

// A row that is stamped back while the run reads, by a transaction that began before another one's, does not slip through.
func TestRowThatMovesBackIsStillReadE2(t *testing.T) {
	db := server.Database(t, customers)
	r := open(t, db.DSN, plain)
	_, since := r.run(t, "", 0)
	early := begin(t, db, "SELECT now()")
	db.Exec(t, `UPDATE customers SET updated_at = now(), name = 'second' WHERE id <= 3;
		INSERT INTO customers (id, name, updated_at) VALUES (10, 'other', now() - interval '30 s')`)
	got, checkpoint := r.finish(t, r.begin(t, since), 1, func(page int) {
		if page == 1 {
			exec(t, early, "UPDATE customers SET updated_at = now(), name = 'third' WHERE id = 2; COMMIT")
		}
	})
	if !has(got, 1) || !has(got, 2) || !has(got, 3) || !has(got, 10) {
		t.Errorf("got %s", ids(got))
	}
	if got, _ = r.run(t, checkpoint, 1); !has(got, 2) {
		t.Errorf("next run: got %s", ids(got))
	}
}

func TestStampsInTheFutureAreDeliveredNowT3(t *testing.T) {
	db := server.Database(t, customers, `INSERT INTO customers (id, name, updated_at) VALUES (6, '', now() + interval '2 min'), (7, '', '2030-01-01'), (8, '', 'infinity')`)
	r := open(t, db.DSN, plain)
	for _, limit := range []int{0, 1, 3, 100} {
		got, checkpoint := r.run(t, "", limit)
		expect(t, "initial run", ids(got), "1 2 3 4 5 6 7 8")
		db.Exec(t, `UPDATE customers SET updated_at = now() WHERE id = 1`)
		got, _ = r.run(t, checkpoint, limit)
		expect(t, "incremental run", ids(got), "1 6 7 8")
		db.Exec(t, `UPDATE customers SET updated_at = '2020-01-01' WHERE id = 1`)
	}
}

func TestStampsOfAllTimes(t *testing.T) {
	db := server.Database(t, customers, `DELETE FROM customers`, `INSERT INTO customers (id, updated_at) VALUES (6, '-infinity'), (5, '4713-01-01 BC'), (4, '0044-03-15 12:00 BC'),
		(3, '0001-01-01'), (2, '1999-12-31 23:59:59.999999Z'), (1, '2020-02-29 00:00:00.000001Z'), (7, '294276-12-31 23:59:59.999999Z'), (8, 'infinity')`)
	r := open(t, db.DSN, plain)
	got, _ := r.run(t, "", 1)
	expect(t, "initial run", ids(got), "6 5 4 3 2 1 7 8")
	run := r.begin(t, "")
	for i, c := range got[:6] {
		at := r.Checkpoint(run, c.Position, false)
		rest, _ := r.run(t, at, 2)
		expect(t, "from "+string(at), ids(rest), ids(got[i+1:]))
	}
}

func TestNumbersOfAllSizes(t *testing.T) {
	for _, sqlType := range []string{"smallint", "int", "bigint"} {
		db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u `+sqlType+`)`,
			map[string]string{"smallint": `INSERT INTO customers VALUES (1, -32768), (2, 32766), (3, 32767)`, "int": `INSERT INTO customers VALUES (1, -2147483648), (2, 2147483646), (3, 2147483647)`, "bigint": `INSERT INTO customers VALUES (1, -9223372036854775807), (2, 9223372036854775806), (3, 9223372036854775807)`}[sqlType])
		r := open(t, db.DSN, `{table: customers, id: id, updated: u, updated_as: sequence, fields: {name: id}}`)
		run := r.begin(t, "")
		all := r.page(t, run, nil, 0)
		expect(t, sqlType, ids(all), "1 2 3")
		for i, c := range all {
			rest, _ := r.run(t, r.Checkpoint(run, c.Position, false), 1)
			expect(t, sqlType, ids(rest), ids(all[i+1:]))
		}
	}
}

func TestRowsWithoutAStampE9(t *testing.T) {
	db := server.Database(t, customers, `INSERT INTO customers (id, updated_at) VALUES (7, NULL), (6, NULL)`)
	r := open(t, db.DSN, plain)
	for _, limit := range []int{0, 1, 2, 3} {
		run := r.begin(t, "")
		got, checkpoint := r.finish(t, run, limit, nil)
		expect(t, "initial run", ids(got), "6 7 1 2 3 4 5")
		expect(t, "checkpoint within the rows without", string(r.Checkpoint(run, got[1].Position, false)), "")
		db.Exec(t, `INSERT INTO customers (id, updated_at) VALUES (8, NULL)`)
		got, _ = r.run(t, checkpoint, limit)
		expect(t, "incremental run", ids(got), "")
		db.Exec(t, `DELETE FROM customers WHERE id = 8`)
	}
}

func TestOnlyRowsWithoutAStamp(t *testing.T) {
	db := server.Database(t, customers, `UPDATE customers SET updated_at = NULL`)
	r := open(t, db.DSN, plain)
	got, checkpoint := r.run(t, "", 2)
	expect(t, "initial run", ids(got), "1 2 3 4 5")
	if checkpoint == "" {
		t.Error("the run set no checkpoint")
	}
	insert(t, db, 9)
	got, _ = r.run(t, checkpoint, 2)
	expect(t, "incremental run", ids(got), "9")
}

func TestEmptyTable(t *testing.T) {
	for _, s := range stampeds {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			db, r := s.open(t, asOwner)
			db.Exec(t, "DELETE FROM customers")
			got, checkpoint := r.run(t, "", 2)
			expect(t, "initial run", ids(got), "")
			insert(t, db, 1)
			got, _ = r.run(t, checkpoint, 2)
			expect(t, "next run", ids(got), "1")
		})
	}
}

func TestWithoutUpdatedE10(t *testing.T) {
	db := server.Database(t, customers)
	r := open(t, db.DSN, `{table: customers, id: id, fields: {name: name}}`)
	run := r.begin(t, "")
	got, checkpoint := r.finish(t, run, 2, nil)
	expect(t, "initial run", ids(got), "1 2 3 4 5")
	expect(t, "checkpoint of its first page", string(r.Checkpoint(run, got[1].Position, false)), "")
	db.Exec(t, `UPDATE customers SET email = 'not read'`)
	got, again := r.run(t, checkpoint, 2)
	expect(t, "nothing changed", ids(got), "")
	expect(t, "checkpoint", string(again), string(checkpoint))
	for _, change := range []string{
		`UPDATE customers SET name = 'changed' WHERE id = 3`, `DELETE FROM customers WHERE id = 5`,
		`INSERT INTO customers (id, name) VALUES (6, 'new')`, `UPDATE customers SET name = NULL WHERE id = 3`,
	} {
		db.Exec(t, change)
		run := r.begin(t, checkpoint)
		got, next := r.finish(t, run, 2, nil)
		if len(got) < 4 || next == checkpoint {
			t.Errorf("%s: got %s, checkpoint %s after %s", change, ids(got), next, checkpoint)
		}
		expect(t, "checkpoint of a page", string(r.Checkpoint(run, got[1].Position, false)), "")
		checkpoint = next
	}
}

func TestDeletedRows(t *testing.T) {
	for kind, sql := range map[string]string{
		"time": "CASE WHEN id IN (2, 4) THEN now() END", "boolean": "id IN (2, 4)", "null or true": "CASE WHEN id IN (2, 4) THEN true END",
		"integer": "(id % 2 = 0)::int", "text": "CASE WHEN id IN (2, 4) THEN 'gone' END",
	} {
		t.Run(kind, func(t *testing.T) {
			db := server.Database(t, customers)
			r := open(t, db.DSN, `{table: customers, id: id, updated: updated_at, deleted: "`+sql+`", fields: {name: name}}`)
			got, _ := r.run(t, "", 2)
			expect(t, "initial run", ids(got), "1 -2 3 -4 5")
			expect(t, "name", got[1].Contact.Name, "Customer 2")
		})
	}
}

func TestResumeAnywhere(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u timestamptz)`,
		`INSERT INTO customers SELECT i, now() - (i / 7) * interval '1 min' FROM generate_series(1, 60) i`,
		`INSERT INTO customers SELECT i, NULL FROM generate_series(61, 70) i`,
		`INSERT INTO customers SELECT i, now() + interval '1 h' FROM generate_series(71, 80) i`)
	r := open(t, db.DSN, `{table: customers, id: id, updated: u, fields: {name: id}}`)
	run := r.begin(t, "")
	all := r.page(t, run, nil, 0)
	if len(all) != 80 {
		t.Fatalf("got %d contacts", len(all))
	}
	for i, c := range all {
		expect(t, fmt.Sprintf("after %s", c.Contact.ID), ids(r.page(t, run, c.Position, 0)), ids(all[i+1:]))
		expect(t, fmt.Sprintf("two after %s", c.Contact.ID), ids(r.page(t, run, c.Position, 2)), ids(all[i+1:min(i+3, len(all))]))
	}
}

func TestCheckpointNeverGoesBack(t *testing.T) {
	db := server.Database(t, customers)
	r := open(t, db.DSN, plain)
	_, since := r.run(t, "", 0)
	begin(t, db, "SELECT now()")
	cfg := strings.Replace(plain, "updated: ", "clock_skew: 1h, updated: ", 1)
	slow := open(t, db.DSN, cfg) // its horizon is earlier than since
	insert(t, db, 9)
	run := slow.begin(t, since)
	got := slow.page(t, run, nil, 0)
	if !has(got, 9) {
		t.Errorf("got %s", ids(got))
	}
	for _, c := range got {
		expect(t, "checkpoint of a page", string(slow.Checkpoint(run, c.Position, false)), string(since))
	}
	expect(t, "checkpoint of the run", string(slow.Checkpoint(run, got[len(got)-1].Position, true)), string(since))
}
