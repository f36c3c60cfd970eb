package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/test/pgtest"
)

// E11: one number that is no time of the column's form becomes no checkpoint and hides no other row, whatever it means.
func TestOddIntegersE11(t *testing.T) {
	units := map[string]string{"epoch_s": "1", "epoch_ms": "1000", "epoch_us": "1000000"}
	for unit, per := range units {
		stamp := "(extract(epoch from clock_timestamp()) * " + per + ")::bigint"
		odd := []string{"9999999999", "7", "9223372036854775807"}
		for other, factor := range units {
			if other != unit {
				odd = append(odd, "((extract(epoch from now()) - 3600) * "+factor+")::bigint")
			}
		}
		for _, as := range []string{"auto", unit} {
			db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u bigint DEFAULT `+stamp+`)`,
				`INSERT INTO customers (id, u) SELECT i, (extract(epoch from now()) - 600 + i) * `+per+` FROM generate_series(1, 5) i`)
			r := open(t, db.DSN, `{table: customers, id: id, updated: u, updated_as: `+as+`, clock_skew: 1ns, fields: {name: id}}`)
			_, checkpoint := r.run(t, "", 2)
			for n, number := range odd {
				db.Exec(t, fmt.Sprintf(`INSERT INTO customers (id, u) VALUES (%d, %s)`, 60+n, number))
				got, _ := r.run(t, checkpoint, 2)
				if !has(got, 60+n) {
					t.Errorf("%s, updated_as %s: the row with %s is not delivered: %s", unit, as, number, ids(got))
				}
				_, checkpoint = r.run(t, checkpoint, 2)
			}
			for n := range 3 {
				insert(t, db, 100+n)
				got, next := r.run(t, checkpoint, 2)
				if !has(got, 100+n) {
					t.Errorf("%s, updated_as %s: row %d is lost after %s: %s", unit, as, 100+n, checkpoint, ids(got))
				}
				checkpoint = next
			}
			if got, _ := r.run(t, "", 2); once(got) == "" || len(strings.Fields(once(got))) != 5+len(odd)+3 {
				t.Errorf("%s, updated_as %s: an initial run shows %s", unit, as, ids(got))
			}
			if as == "auto" && !strings.HasPrefix(string(checkpoint), unit+"=") {
				t.Errorf("%s: the checkpoint does not say what was decided: %s", unit, checkpoint)
			}
			if got := problems(t, r); !strings.Contains(got, "odd_updated") {
				t.Errorf("%s: preview finds %s", unit, got)
			}
		}
	}
}

// E11: a number far beyond a sequence is not taken for its newest.
func TestOddSequenceNumberE11(t *testing.T) {
	db := server.Database(t, `CREATE SEQUENCE s; CREATE TABLE customers (id int PRIMARY KEY, u bigint DEFAULT nextval('s'))`,
		`INSERT INTO customers (id) SELECT generate_series(1, 5)`)
	for _, as := range []string{"auto", "sequence"} {
		r := open(t, db.DSN, `{table: customers, id: id, updated: u, updated_as: `+as+`, fields: {name: id}}`)
		_, checkpoint := r.run(t, "", 2)
		db.Exec(t, `INSERT INTO customers (id, u) VALUES (66, 9999999999)`)
		for n := range 3 {
			db.Exec(t, `INSERT INTO customers (id) VALUES ($1::int)`, 100+n)
			got, next := r.run(t, checkpoint, 2)
			if !has(got, 100+n) || !has(got, 66) {
				t.Errorf("%s: row %d or 66 is lost after %s: %s", as, 100+n, checkpoint, ids(got))
			}
			checkpoint = next
		}
		db.Exec(t, `DELETE FROM customers WHERE id > 5`)
	}
}

// E11: the same of a sequence that has come far already, whatever somebody writes for "never" or takes for a stamp.
func TestOddNumberOfALongSequenceE11(t *testing.T) {
	for _, odd := range []string{"2147483647", "4294967295", "9223372036854775807", "extract(epoch FROM now())::bigint", "(extract(epoch FROM now()) * 1000)::bigint"} {
		db := server.Database(t, `CREATE SEQUENCE s START 400000000; CREATE TABLE customers (id int PRIMARY KEY, u bigint DEFAULT nextval('s'))`,
			`INSERT INTO customers (id) SELECT generate_series(1, 5)`)
		r := open(t, db.DSN, `{table: customers, id: id, updated: u, fields: {name: id}}`)
		_, checkpoint := r.run(t, "", 2)
		db.Exec(t, `INSERT INTO customers (id, u) VALUES (66, `+odd+`)`)
		for n := range 3 {
			insert(t, db, 100+n)
			got, next := r.run(t, checkpoint, 2)
			if !has(got, 100+n) || !has(got, 66) {
				t.Errorf("%s: row %d or 66 is lost after %s: %s", odd, 100+n, checkpoint, ids(got))
			}
			checkpoint = next
		}
	}
}

// E11: a column with a changed meaning is read again, once.
func TestConvertedIntegersAreReadAgainE11(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u bigint)`,
		`INSERT INTO customers (id, u) SELECT i, extract(epoch from now()) - 600 + i FROM generate_series(1, 5) i`)
	r := open(t, db.DSN, `{table: customers, id: id, updated: u, fields: {name: id}}`)
	_, checkpoint := r.run(t, "", 2)
	db.Exec(t, `UPDATE customers SET u = u * 1000`)
	got, checkpoint := r.run(t, checkpoint, 2)
	expect(t, "after the conversion", ids(got), "1 2 3 4 5")
	got, _ = r.run(t, checkpoint, 2)
	expect(t, "after that", ids(got), "")
}

// T13 holds for sequences: a backup is put back, or the sequence set back.
func TestSequenceSetBackReadsEverythingAgainT13(t *testing.T) {
	for _, as := range []string{"auto", "sequence"} {
		db := server.Database(t, `CREATE SEQUENCE s; CREATE TABLE customers (id int PRIMARY KEY, name text, u bigint DEFAULT nextval('s'))`,
			`INSERT INTO customers (id, name) SELECT i, 'v1' FROM generate_series(1, 5) i`, `UPDATE customers SET name = 'v2', u = DEFAULT`)
		r := open(t, db.DSN, `{table: customers, id: id, updated: u, updated_as: `+as+`, fields: {name: name}}`)
		_, checkpoint := r.run(t, "", 2)
		db.Exec(t, `UPDATE customers SET name = 'v1', u = id`)
		db.Exec(t, `SELECT setval('s', 5)`)
		db.Exec(t, `UPDATE customers SET name = 'v3', u = DEFAULT WHERE id IN (1, 2)`)
		db.Exec(t, `INSERT INTO customers (id, name) VALUES (6, 'new')`)
		got, checkpoint := r.run(t, checkpoint, 2)
		expect(t, "after the restore", ids(got), "3 4 5 1 2 6")
		got, checkpoint = r.run(t, checkpoint, 2)
		expect(t, "nothing new", ids(got), "")
		db.Exec(t, `UPDATE customers SET name = 'v4', u = DEFAULT WHERE id = 4`)
		got, _ = r.run(t, checkpoint, 2)
		expect(t, "after a change", ids(got), "4")
	}
}

// E12: a row with a stamp that goes back while an initial run reads existed all the time: it is shown, whatever is read.
func TestRowsThatMoveBackAreShownE12(t *testing.T) {
	for name, config := range map[string]string{
		"table":           plain,
		"expression":      `{table: customers, id: id, updated: "coalesce(updated_at, '2000-01-01')", fields: {name: name}}`,
		"query":           `{query: "SELECT * FROM customers", id: id, updated: updated_at, fields: {name: name}}`,
		"view":            `{table: people, id: id, updated: updated_at, fields: {name: name}}`,
		"another's stamp": `{table: customers, id: id, updated: "(SELECT max(o.updated_at) FROM orders o WHERE o.customer = customers.id)", fields: {name: name}}`,
	} {
		for _, to := range []string{"NULL", "'2001-01-01'"} {
			db := server.Database(t, customers, `CREATE VIEW people AS SELECT * FROM customers`,
				`CREATE TABLE orders (customer int, updated_at timestamptz); INSERT INTO orders SELECT id, updated_at FROM customers`)
			r := open(t, db.DSN, config)
			got, _ := r.finish(t, r.begin(t, ""), 2, func(page int) {
				if page == 1 {
					db.Exec(t, `UPDATE customers SET updated_at = `+to+` WHERE id = 5`)
					db.Exec(t, `UPDATE orders SET updated_at = `+to+` WHERE customer = 5`)
				}
			})
			if !has(got, 5) {
				t.Errorf("%s: updated set to %s while the run read: it showed %s", name, to, ids(got))
			}
			if got, _ := r.run(t, "", 2); len(strings.Fields(once(got))) != 5 || name == "table" && len(got) != 5 {
				t.Errorf("%s: while nothing is changed a run shows %s", name, ids(got))
			}
		}
	}
}

// D8: rows without an id are not silently left out of an initial run.
func TestRowsWithoutAnIDAreRejectedD8(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int, updated_at timestamptz DEFAULT now())`,
		`INSERT INTO customers VALUES (1, now() - interval '1 hour'), (NULL, now() - interval '1 hour')`)
	for _, config := range []string{`{table: customers, id: id, fields: {name: id}}`, `{table: customers, id: id, updated: updated_at, fields: {name: id}}`} {
		r := open(t, db.DSN, config)
		got := r.page(t, r.begin(t, ""), nil, 0)
		if len(got) != 2 || got[1].Rejected == "" || got[1].Contact.ID != "" {
			t.Errorf("%s: %+v", config, got)
		}
	}
}

// D7: what "deleted" means does not depend on the column's type.
func TestDeletedOfEveryTypeD7(t *testing.T) {
	for columnType, values := range map[string][2]string{ // not gone, gone
		"boolean": {"false", "true"}, "smallint": {"0", "1"}, "int": {"0", "-1"}, "bigint": {"0", "2"}, "numeric(1)": {"0", "1"},
		"numeric(5,2)": {"0.00", "0.50"}, "real": {"0", "0.5"}, "double precision": {"-0", "1"}, "money": {"0", "1"}, "oid": {"0", "1"},
		"text": {"N", "yes"}, "varchar(5)": {"false", "x"}, "char(1)": {"0", "1"}, "char(5)": {"no", "Y"}, `"char"`: {"f", "t"},
		"name": {"n", "y"}, "bit": {"0", "1"}, "bit(3)": {"000", "010"}, "varbit": {"0", "01"}, "bytea": {`\x00`, `\x01`},
		"jsonb": {"false", "true"}, "json": {"0", "1"}, "answer": {"no", "yes"}, "flag": {"0", "1"}, "timestamptz": {"", "2026-11-29"}, "date": {"", "2026-11-29"},
		"uuid": {"", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, "int[]": {"", "{1}"},
	} {
		literal := func(s string) string {
			if s == "" {
				return "NULL"
			}
			return "'" + s + "'"
		}
		db := server.Database(t, `CREATE TYPE answer AS ENUM ('yes', 'no'); CREATE DOMAIN flag AS numeric(1)`,
			`CREATE TABLE customers (id int PRIMARY KEY, updated_at timestamptz DEFAULT now() - interval '1 hour', gone `+columnType+`)`,
			`INSERT INTO customers (id, gone) VALUES (1, NULL), (2, `+literal(values[0])+`), (3, `+literal(values[1])+`)`)
		r := open(t, db.DSN, `{table: customers, id: id, updated: updated_at, deleted: gone, fields: {name: id}}`)
		got, _ := r.run(t, "", 0)
		expect(t, columnType, ids(got), "1 2 -3")
	}
}

// A column of times may say by one of them that a contact is not gone.
func TestTimesThatStandForNever(t *testing.T) {
	for _, columnType := range []string{"timestamptz", "timestamp", "date"} {
		db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, updated_at timestamptz DEFAULT now() - interval '1 hour', gone `+columnType+`)`,
			`INSERT INTO customers (id, gone) VALUES (1, '9999-12-31'), (2, '10000-01-01'), (3, '20000-01-01'), (4, '294275-12-31'), (5, 'infinity'), (6, '-infinity'),
			(7, '4713-01-01 BC'), (8, '0001-01-01'), (9, '1900-01-01'), (10, '1970-01-01'), (11, '2026-11-29')`)
		got, _ := open(t, db.DSN, `{table: customers, id: id, updated: updated_at, deleted: gone, fields: {name: id}}`).run(t, "", 0)
		expect(t, columnType, ids(got), "1 2 3 4 5 6 7 8 9 10 -11")
	}
}

// E2: in a procedure that commits, statement_timestamp() is older than the transaction, even between two of them.
func TestProceduresThatCommitE2(t *testing.T) {
	db := server.Database(t, customers,
		`CREATE PROCEDURE batch() LANGUAGE plpgsql AS $$ BEGIN
			PERFORM pg_sleep(0.1); COMMIT; PERFORM pg_advisory_lock(1);
			UPDATE customers SET name = 'batch', updated_at = statement_timestamp() WHERE id = 2; COMMIT;
		END $$`)
	r := open(t, db.DSN, strings.Replace(plain, "{", "{clock_skew: 1ms, ", 1))
	holder, conn, done := db.Conn(t), db.Conn(t), make(chan error, 1)
	exec(t, holder, "SELECT pg_advisory_lock(1)")
	go func() { _, err := conn.Exec(t.Context(), "CALL batch()"); done <- err }()
	for waits := false; !waits; time.Sleep(10 * time.Millisecond) {
		if err := holder.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks
			WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	insert(t, db, 10)
	_, checkpoint := r.run(t, "", 2)
	exec(t, holder, "SELECT pg_advisory_unlock(1)")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got, _ := r.run(t, checkpoint, 2); !has(got, 2) {
		t.Errorf("what the procedure changed is lost: %s after %s", ids(got), checkpoint)
	}
}

// E2: a standby that has not replayed a commit since its start does not know how far it lags.
func TestStandbyWithoutReplayedCommitE2(t *testing.T) {
	own := pgtest.Suite{Private: true} // a standby replays what other tests commit
	primary := own.Server(t)
	t.Cleanup(func() { _ = primary.Stop() })
	db := own.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u timestamptz DEFAULT now())`,
		`INSERT INTO customers (id, u) VALUES (1, now() - interval '10 min')`)
	late := begin(t, db, "INSERT INTO customers (id) VALUES (3)")
	insert(t, db, 4)
	standby, err := primary.Standby(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = standby.Stop() })
	r := open(t, standby.DSN(db.Name), `{table: customers, id: id, updated: u, overlap: 1ms, clock_skew: 1ns, fields: {name: id}}`)
	replica := open(t, standby.DSN(db.Name), plain).Database().(*database).conns
	var replayed *time.Time
	if err := replica.QueryRow(t.Context(), "SELECT pg_last_xact_replay_timestamp()").Scan(&replayed); err != nil || replayed != nil {
		t.Fatalf("the standby has replayed %v (%v)", replayed, err)
	}
	if _, err := replica.Exec(t.Context(), "SELECT pg_wal_replay_pause()"); err != nil { // stands for any lag
		t.Fatal(err)
	}
	exec(t, late, "COMMIT")
	got, checkpoint := r.run(t, "", 2)
	expect(t, "while nothing is safe", once(got), "1 4")
	expect(t, "the checkpoint of it", string(checkpoint), "")
	if got, again := r.run(t, "2020-01-01T00:00:00.000000Z", 2); once(got) != "1 4" || again != "2020-01-01T00:00:00.000000Z" {
		t.Errorf("an incremental run while nothing is safe: %s, checkpoint %s", ids(got), again)
	}
	if _, err := replica.Exec(t.Context(), "SELECT pg_wal_replay_resume()"); err != nil {
		t.Fatal(err)
	}
	if err := primary.CaughtUp(t.Context(), standby); err != nil {
		t.Fatal(err)
	}
	if got, _ := r.run(t, checkpoint, 2); !has(got, 3) {
		t.Errorf("row 3 is lost: %s", ids(got))
	}
}

// E12: what a transaction wrote before the run began is seen again too, if it is committed later, by a savepoint's id as well; a
// transaction of another database makes nothing be shown twice.
func TestOpenTransactionsThatMoveBackE12(t *testing.T) {
	db, other := server.Database(t, customers), server.Database(t, customers)
	begin(t, other, "UPDATE customers SET name = 'x'")
	db.Exec(t, "UPDATE customers SET name = 'y', updated_at = updated_at")
	r := open(t, db.DSN, plain)
	got, _ := r.run(t, "", 2)
	expect(t, "beside a transaction of another database", ids(got), "1 2 3 4 5")
	late := begin(t, db, "SAVEPOINT one; UPDATE customers SET updated_at = NULL WHERE id = 5; RELEASE one")
	got, _ = r.finish(t, r.begin(t, ""), 2, func(page int) {
		if page == 1 {
			exec(t, late, "COMMIT")
		}
	})
	if !has(got, 5) {
		t.Errorf("5 is not shown: %s", ids(got))
	}
}
