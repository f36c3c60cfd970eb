package postgres

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
)

// there is a table of another server, with stamps of every sort.
const there = `CREATE SEQUENCE s; CREATE TABLE customers (id int PRIMARY KEY, u timestamptz DEFAULT now(), n bigint DEFAULT nextval('s'), x xid8 DEFAULT pg_current_xact_id());
	INSERT INTO customers (id, u) VALUES (1, now() - interval '1 hour'), (2, now() - interval '30 min')`

// foreign makes the table of another server readable in a database: as itself, through a view, and as a partition.
func foreign(t *testing.T) (remote, local *pgtest.Database) {
	t.Helper()
	remote = server.Database(t, there)
	local = server.Database(t, `CREATE SCHEMA extension; CREATE EXTENSION postgres_fdw SCHEMA extension`,
		fmt.Sprintf(`CREATE SERVER remote FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '%d', dbname '%s')`, server.Server(t).Port, remote.Name),
		`CREATE USER MAPPING FOR postgres SERVER remote OPTIONS (user 'postgres')`,
		`CREATE TABLE everyone (id int, u timestamptz, n bigint, x xid8) PARTITION BY RANGE (id)`,
		`CREATE FOREIGN TABLE customers PARTITION OF everyone FOR VALUES FROM (0) TO (1000) SERVER remote`,
		`CREATE VIEW joined AS SELECT c.* FROM (SELECT * FROM customers) c JOIN customers d USING (id)`)
	return remote, local
}

// The transactions of another server cannot be seen here, so the overlap is read again: through views, queries and partitions
// too.
func TestForeignRowsE2(t *testing.T) {
	for _, from := range []string{"table: customers", "table: joined", "table: everyone", "query: SELECT * FROM joined"} {
		for _, updated := range []string{"u", "n"} {
			t.Run(from+" by "+updated, func(t *testing.T) {
				remote, local := foreign(t)
				r := open(t, local.DSN, `{`+from+`, id: id, updated: `+updated+`, fields: {name: id}}`)
				late := begin(t, remote, "INSERT INTO customers (id) VALUES (3)")
				insert(t, remote, 4)
				got, checkpoint := r.run(t, "", 2)
				expect(t, "first run", once(got), "1 2 4")
				got, checkpoint = r.run(t, checkpoint, 2)
				if !has(got, 4) {
					t.Errorf("second run: got %s", ids(got))
				}
				exec(t, late, "COMMIT")
				if got, _ = r.run(t, checkpoint, 2); !has(got, 3) {
					t.Errorf("the late commit is lost: got %q after %s", ids(got), checkpoint)
				}
				if !strings.Contains(problems(t, r), "imported") || !strings.Contains(r.log.String(), "filled from elsewhere") {
					t.Errorf("no word that rows come from elsewhere: %s; %s", problems(t, r), r.log)
				}
			})
		}
	}
}

// A number of another server is safe once the overlap has passed since it was seen: the run ends some day.
func TestForeignNumbersBecomeSafe(t *testing.T) {
	_, local := foreign(t)
	r := open(t, local.DSN, `{table: customers, id: id, updated: n, overlap: 1ms, clock_skew: 1ns, fields: {name: id}}`)
	_, checkpoint := r.run(t, "", 2)
	time.Sleep(10 * time.Millisecond)
	_, checkpoint = r.run(t, checkpoint, 2)
	got, _ := r.run(t, checkpoint, 2)
	expect(t, "third run after "+string(checkpoint), ids(got), "")
}

func TestTransactionIDsOfElsewhereAreRefused(t *testing.T) {
	_, local := foreign(t)
	local.Exec(t, `CREATE MATERIALIZED VIEW stored AS SELECT * FROM customers`)
	for _, config := range []string{
		`{table: customers, id: id, updated: xmin, fields: {name: id}}`,
		`{table: joined, id: id, updated: x, fields: {name: id}}`,
		`{table: everyone, id: id, updated: "x::text::bigint", updated_as: xid, fields: {name: id}}`,
		`{table: stored, id: id, updated: x, fields: {name: id}}`,
	} {
		_, err := open(t, local.DSN, config).Begin(t.Context(), "")
		wantError(t, err, bridge.CodeSourceBroken, "transaction ids")
	}
	r := open(t, local.DSN, `{table: stored, id: id, updated: xmin, fields: {name: id}}`)
	got, checkpoint := r.run(t, "", 2)
	expect(t, "xmin of a materialized view", ids(got), "1 2")
	local.Exec(t, "REFRESH MATERIALIZED VIEW stored")
	got, _ = r.run(t, checkpoint, 2)
	expect(t, "when it was refreshed", ids(got), "1 2")
}

// What was committed after a refresh under an earlier stamp comes with the next one.
func TestMaterializedViewE2(t *testing.T) {
	db := server.Database(t, there, `CREATE MATERIALIZED VIEW stored AS SELECT * FROM customers`, `CREATE VIEW shown AS SELECT * FROM stored`)
	for _, table := range []string{"stored", "shown"} {
		r := open(t, db.DSN, `{table: `+table+`, id: id, updated: u, fields: {name: id}}`)
		late := begin(t, db, "DELETE FROM customers WHERE id = 3; INSERT INTO customers (id) VALUES (3)")
		db.Exec(t, "INSERT INTO customers (id, u) SELECT 4, now() ON CONFLICT (id) DO UPDATE SET u = now(); REFRESH MATERIALIZED VIEW stored")
		exec(t, late, "COMMIT")
		got, checkpoint := r.run(t, "", 2)
		if !has(got, 4) {
			t.Errorf("%s: first run: got %s", table, ids(got))
		}
		db.Exec(t, "REFRESH MATERIALIZED VIEW stored")
		if got, _ = r.run(t, checkpoint, 2); !has(got, 3) {
			t.Errorf("%s: what was refreshed late is lost: got %q after %s", table, ids(got), checkpoint)
		}
	}
}

// On a subscriber rows appear with the stamps that they were given long before. Transaction ids are exact where the trigger
// of docs/exactness.md fires for what the subscription writes.
func TestSubscriberE2(t *testing.T) {
	publisher := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u timestamptz DEFAULT now())`, `CREATE PUBLICATION all_of_it FOR TABLE customers`,
		`INSERT INTO customers VALUES (1, now() - interval '10 min')`)
	slot := publisher.Name + "_slot"
	publisher.Exec(t, "SELECT pg_create_logical_replication_slot('"+slot+"', 'pgoutput')")
	db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u timestamptz)`, xid8Trigger, `ALTER TABLE customers ENABLE ALWAYS TRIGGER stamp_changed`,
		fmt.Sprintf(`CREATE SUBSCRIPTION %s CONNECTION '%s' PUBLICATION all_of_it WITH (create_slot = false)`, slot, publisher.DSN))
	t.Cleanup(func() {
		db.Exec(t, "ALTER SUBSCRIPTION "+slot+" DISABLE")
		db.Exec(t, "ALTER SUBSCRIPTION "+slot+" SET (slot_name = NONE)")
		db.Exec(t, "DROP SUBSCRIPTION "+slot)
		publisher.Exec(t, `SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = $1 AND active`, slot)
		publisher.Exec(t, "DROP PUBLICATION all_of_it")
		publisher.Exec(t, "SELECT pg_drop_replication_slot('"+slot+"')")
	})
	arrived := func(id int) {
		t.Helper()
		conn := db.Conn(t)
		for there := false; !there; time.Sleep(10 * time.Millisecond) {
			if err := conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM customers WHERE id = $1)", id).Scan(&there); err != nil {
				t.Fatal(err)
			}
		}
	}
	arrived(1)
	stamps := open(t, db.DSN, `{table: customers, id: id, updated: u, fields: {name: id}}`)
	xids := open(t, db.DSN, `{table: customers, id: id, updated: changed, fields: {name: id}}`)
	late := begin(t, publisher, "INSERT INTO customers (id) VALUES (2)")
	insert(t, publisher, 3)
	arrived(3)
	got, seen := stamps.run(t, "", 2)
	expect(t, "stamps", once(got), "1 3")
	got, exact := xids.run(t, "", 2)
	expect(t, "transaction ids", once(got), "1 3")
	exec(t, late, "COMMIT")
	arrived(2)
	if got, _ = stamps.run(t, seen, 2); !has(got, 2) {
		t.Errorf("stamps: what arrived late is lost: got %q after %s", ids(got), seen)
	}
	if got, _ = xids.run(t, exact, 2); !has(got, 2) || has(got, 1) {
		t.Errorf("transaction ids: got %q after %s, want what arrived late", ids(got), exact)
	}
	if !strings.Contains(problems(t, stamps), "imported") {
		t.Errorf("problems: %s", problems(t, stamps))
	}
}

// xid8Trigger is the statement that docs/exactness.md recommends.
var xid8Trigger = documented("ALTER TABLE customers ADD COLUMN changed", "CREATE INDEX ON customers (changed, id);")

// The trigger of docs/exactness.md, as it stands there, stamps what is inserted and what is updated, in subtransactions too.
func TestTriggerOfTheDocsE2(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, name text); INSERT INTO customers SELECT generate_series(1, 3)`, xid8Trigger)
	r := open(t, db.DSN, `{table: customers, id: id, updated: changed, fields: {name: name}}`)
	got, checkpoint := r.run(t, "", 2)
	expect(t, "initial run", ids(got), "1 2 3")
	late := begin(t, db, "SAVEPOINT a", "UPDATE customers SET name = 'late' WHERE id = 1", "RELEASE a", "SAVEPOINT b", "INSERT INTO customers (id) VALUES (4)")
	db.Exec(t, "UPDATE customers SET name = 'in time' WHERE id = 2")
	got, checkpoint = r.run(t, checkpoint, 2)
	expect(t, "while it is open", ids(got), "2")
	exec(t, late, "COMMIT")
	got, checkpoint = r.run(t, checkpoint, 2)
	expect(t, "when it has committed", ids(got), "1 4 2")
	got, _ = r.run(t, checkpoint, 2)
	expect(t, "when nothing is open", ids(got), "")
	expect(t, "problems", problems(t, r), "")
}

// documented returns a piece of docs/exactness.md.
func documented(from, to string) string {
	text, err := os.ReadFile("../../docs/exactness.md")
	if err != nil {
		return "the documentation cannot be read: " + err.Error()
	}
	_, rest, _ := strings.Cut(string(text), from)
	body, _, found := strings.Cut(rest, to)
	if !found {
		return "the documentation has no " + from
	}
	return from + body + to
}
