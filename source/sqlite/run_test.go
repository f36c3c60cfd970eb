package sqlite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source/stamp"
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

// at returns a time on the last day of 2026, when the tests' clock stands at noon.
func at(hour, minute, second int) time.Time {
	return time.Date(2026, 12, 31, hour, minute, second, 0, time.UTC)
}

// stampedFile has five customers, stamped one second after another an hour before the clock.
func stampedFile(t testing.TB, stamp func(time.Time) any) file {
	t.Helper()
	f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, u)`, `CREATE INDEX customers_updated ON customers (u, id)`)
	for i := range 5 {
		f.exec(t, "INSERT INTO customers (id, u) VALUES (?, ?)", i+1, stamp(at(11, 0, i+1)))
	}
	return f
}

const stampedConfig = `{table: customers, id: id, updated: u, time_zone: UTC, fields: {name: name}}`

// However stamps are written: a write that is stamped now and visible only after the run is delivered by the next one, and
// what is settled is not sent again (E2, T4).
func TestStampsOfEveryForm(t *testing.T) {
	for name, stamp := range stampings {
		t.Run(name, func(t *testing.T) {
			f := stampedFile(t, stamp)
			r := open(t, f.path, stampedConfig)
			settled := map[string]int{"date": 48, "offset": 26} // hours: a date when it is over, an offset when it is over everywhere
			r.clock.now = at(12+settled[name], 0, 0)
			got, checkpoint := r.run(t, "", 2)
			expect(t, "initial run", ids(got), "1 2 3 4 5")
			got, again := r.run(t, checkpoint, 2)
			expect(t, "run from "+string(checkpoint), ids(got), "")
			expect(t, "checkpoint", string(again), string(checkpoint))
			// Two writes of the same moment, the first of them seen by a run, and one that was open meanwhile.
			f.exec(t, "INSERT INTO customers (id, u) VALUES (7, ?)", stamp(r.clock.now))
			got, checkpoint = r.run(t, checkpoint, 2)
			expect(t, "run", ids(got), "7")
			f.exec(t, "INSERT INTO customers (id, u) VALUES (6, ?), (8, ?)", stamp(r.clock.now), stamp(r.clock.now.Add(-4*time.Minute)))
			got, _ = r.run(t, checkpoint, 2)
			for _, id := range []string{"6", "8"} {
				if !strings.Contains(ids(got), id) {
					t.Errorf("%s is lost: got %s after %s", id, ids(got), checkpoint)
				}
			}
		})
	}
}

func TestProbeLockE2(t *testing.T) {
	f := stampedFile(t, stampings["sql"])
	config := strings.Replace(stampedConfig, "{", "{probe_lock: true, ", 1)
	r := open(t, f.path, config)
	r.clock.now = at(11, 1, 10) // a minute later, when anyone who waits for the lock has given up
	_, checkpoint := r.run(t, "", 0)
	expect(t, "checkpoint without a writer", string(checkpoint), "2026-12-31 11:00:05/5")
	tx, err := f.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("INSERT INTO customers (id, u) VALUES (6, '2026-12-31 11:00:03')"); err != nil {
		t.Fatal(err)
	}
	_, checkpoint = r.run(t, "", 0)
	expect(t, "checkpoint while somebody writes", string(checkpoint), "2026-12-31 10:56:08")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	got, _ := r.run(t, checkpoint, 0)
	expect(t, "next run", ids(got), "1 2 3 6 4 5")
}

// A transaction that began to write before the sequence was read gives its numbers when it commits: never below.
func TestSequence(t *testing.T) {
	f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, u INTEGER)`, `INSERT INTO customers VALUES (3, 1), (2, 2), (1, 2)`)
	r := open(t, f.path, `{table: customers, id: id, updated: u, fields: {name: id}}`)
	got, checkpoint := r.run(t, "", 2)
	expect(t, "initial run", ids(got), "3 1 2")
	expect(t, "checkpoint", string(checkpoint), "sequence=2/2")
	f.exec(t, "UPDATE customers SET u = 3 WHERE id = 3")
	got, _ = r.run(t, checkpoint, 2)
	expect(t, "next run", ids(got), "3")
}

// What an application cuts to seconds or minutes may be stamped before a transaction that has ended (T4).
// A page that ends among rows of one number, the greatest there is, leaves its others to the run that starts from its
// checkpoint: the horizon itself is not after it (E1).
func TestTiesAtTheHorizonE1(t *testing.T) {
	f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, u INTEGER)`, `INSERT INTO customers VALUES (1, 7), (2, 7), (3, 7)`)
	r := open(t, f.path, `{table: customers, id: id, updated: u, updated_as: sequence, fields: {name: id}}`)
	run := r.begin(t, "")
	first := r.page(t, run, nil, 1)
	expect(t, "first page", ids(first), "1")
	got, _ := r.run(t, r.Checkpoint(run, first[0].Position, false), 1)
	expect(t, "from its checkpoint", ids(got), "2 3")
}

// Stamps that say +01:00 say +02:00 in summer, and another row says anything else: the texts do not sort by time, and the wall
// of the westernmost zone counts (T12, E11).
func TestOffsetsChangeWithTheSeasonT12(t *testing.T) {
	f := textForm("2026-03-29T01:30:00+01:00", stamp.Auto)
	f.decided = zonedForm
	at := time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC)
	expect(t, "lowest", f.lowest(at.Add(f.precision), nil).Text, "2026-07-15T00:00:00")
	expect(t, "highest", f.highest(at, nil).Text, "2026-07-16T02:00:01")
}

func TestStampsThatAreCutT4(t *testing.T) {
	for name, stamp := range map[string]func(time.Time) any{
		"milliseconds cut to a minute": func(t time.Time) any { return t.Truncate(time.Minute).UnixMilli() },
		"fractions cut to a second":    func(t time.Time) any { return float64(t.Unix()) },
		"seconds":                      func(t time.Time) any { return t.Unix() },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, u)`)
			r := open(t, f.path, `{table: customers, id: id, updated: u, clock_skew: 1ns, probe_lock: true, fields: {name: id}}`)
			r.clock.now = at(12, 0, 30).Add(300 * time.Millisecond)
			for i := range 5 {
				f.exec(t, "INSERT INTO customers VALUES (?, ?)", i, stamp(r.clock.now.Add(-time.Duration(i)*time.Minute)))
			}
			_, checkpoint := r.run(t, "", 0)
			f.exec(t, "INSERT INTO customers VALUES (-1, ?)", stamp(r.clock.now.Add(100*time.Millisecond)))
			got, _ := r.run(t, checkpoint, 0)
			if !strings.Contains(ids(got), "-1") {
				t.Errorf("a contact with the same stamp is lost: got %s after %s", ids(got), checkpoint)
			}
		})
	}
}

func TestMixedStampsReadEverything(t *testing.T) {
	for name, second := range map[string]any{
		"number": at(11, 30, 0).Unix(), "separator": "2026-12-31T11:30:00", "zone": "2026-12-31 11:30:00Z", "no time": "yesterday", "other order": "31.12.2026",
	} {
		t.Run(name, func(t *testing.T) {
			f := stampedFile(t, stampings["sql"])
			f.exec(t, "INSERT INTO customers (id, u) VALUES (6, ?)", second)
			r := open(t, f.path, stampedConfig)
			_, checkpoint := r.run(t, "2026-12-31 11:30:00/5", 2)
			got, _ := r.run(t, checkpoint, 2)
			expect(t, "every run", ids(got), "1 2 3 4 5 6")
			if !strings.Contains(r.log.String(), "more than one way") {
				t.Errorf("the log does not say so: %s", r.log)
			}
			expect(t, "problem", problems(t, r), "mixed_updated")
		})
	}
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

// A day in autumn when the hour between 1 and 2 comes twice (T12).
func TestClockSetBackByDaylightSavingT12(t *testing.T) {
	loc, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	stamp := func(t time.Time) any { return t.In(loc).Format("2006-01-02 15:04:05") }
	f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, u)`, `CREATE INDEX customers_updated ON customers (u, id)`)
	r := open(t, f.path, `{table: customers, id: id, updated: u, time_zone: America/New_York, fields: {name: id}}`)
	id, seen := 0, map[string]bool{}
	checkpoint := bridge.Checkpoint("")
	for now := time.Date(2026, 11, 1, 3, 0, 0, 0, time.UTC); now.Hour() < 9; now = now.Add(7 * time.Minute) {
		id++
		f.exec(t, "INSERT INTO customers VALUES (?, ?)", id, stamp(now))
		r.clock.now = now.Add(time.Minute)
		var got []bridge.Change
		got, checkpoint = r.run(t, checkpoint, 3)
		for _, c := range got {
			seen[c.Contact.ID] = true
		}
		if len(seen) != id {
			t.Fatalf("at %s %d of %d contacts were delivered", now.In(loc), len(seen), id)
		}
	}
	if strings.Contains(r.log.String(), "everything is read again") {
		t.Errorf("the log says: %s", r.log)
	}
}

func TestClockSetBackReadsEverythingAgainT13(t *testing.T) {
	f := stampedFile(t, stampings["sql"])
	r := open(t, f.path, stampedConfig)
	r.clock.now = at(11, 30, 0)
	f.exec(t, "INSERT INTO customers (id, name) VALUES (6, 'not stamped')")
	if !r.begin(t, "2026-12-31 11:40:00/9").Initial() {
		t.Error("the run is not an initial one")
	}
	got, checkpoint := r.run(t, "2026-12-31 11:40:00/9", 2)
	expect(t, "everything, as the bridge says then (D10)", ids(got), "6 1 2 3 4 5")
	expect(t, "checkpoint", string(checkpoint), "2026-12-31 11:00:05/5")
}

func TestStampsChangeTheirForm(t *testing.T) {
	f := stampedFile(t, stampings["sql"])
	r := open(t, f.path, stampedConfig)
	_, checkpoint := r.run(t, "", 2)
	f.exec(t, "UPDATE customers SET u = unixepoch(u)")
	got, checkpoint := r.run(t, checkpoint, 2)
	expect(t, "after the change", ids(got), "1 2 3 4 5")
	got, _ = r.run(t, checkpoint, 2)
	expect(t, "next run", ids(got), "")
}

// The rows after the horizon are read along the ids when they are many, and sorted when they are few; both give the same.
func TestLargeAndSmallTails(t *testing.T) {
	f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, u)`, `CREATE INDEX customers_updated ON customers (u, id)`)
	for _, n := range []int{10, 20_010} {
		f.exec(t, `DELETE FROM customers`)
		f.exec(t, `WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < ?)
			INSERT INTO customers SELECT n, strftime('%F %T', '2026-12-31 12:00:00', '-' || (n % 60) || ' seconds') FROM i`, n)
		r := open(t, f.path, `{table: customers, id: id, updated: u, fields: {name: id}}`)
		got, _ := r.run(t, "2026-12-31 11:00:00/5", n/3)
		if len(got) != n {
			t.Errorf("got %d contacts, want %d", len(got), n)
		}
		for i, c := range got {
			if c.Contact.ID != fmt.Sprint(i+1) {
				t.Fatalf("contact %d has id %s", i, c.Contact.ID)
			}
		}
	}
}

func TestIDsOfEveryKind(t *testing.T) {
	f := newFile(t, `CREATE TABLE customers (id, u TEXT DEFAULT '2026-01-01 00:00:00')`,
		`INSERT INTO customers (id) VALUES (3), (-1), (2.5), ('42'), ('a/b%'), (''), (x'00ff'), ('Zoë'), (9223372036854775807), (NULL)`)
	r := open(t, f.path, `{table: customers, id: id, updated: u, fields: {name: id}}`)
	want := "-1 2.5 3 9223372036854775807  42 Zoë a/b% 00ff"
	run := r.begin(t, "")
	all := r.page(t, run, nil, 0)
	expect(t, "in one page", ids(all), want)
	for i, c := range all {
		expect(t, "after "+c.Contact.ID, ids(r.page(t, run, c.Position, 0)), ids(all[i+1:]))
		next, _ := r.run(t, r.Checkpoint(run, c.Position, false), 2)
		expect(t, "from the checkpoint after "+c.Contact.ID, ids(next), ids(all[i+1:]))
	}
}

func TestRunEndsWhileContactsKeepChangingE3(t *testing.T) {
	f := stampedFile(t, stampings["fraction"])
	r := open(t, f.path, stampedConfig)
	next := 100
	for _, since := range []bridge.Checkpoint{"", "2026-12-31 11:00:02.000/2"} {
		got, _ := r.finish(t, r.begin(t, since), 2, func(page int) {
			r.clock.now = r.clock.now.Add(time.Second)
			now := stampings["fraction"](r.clock.now)
			f.exec(t, "UPDATE customers SET u = ? WHERE id <= 5 AND id % 2 = ?", now, page%2)
			for range 5 {
				next++
				f.exec(t, "INSERT INTO customers (id, u) VALUES (?, ?)", next, now)
			}
		})
		for id := 3; id <= 5; id++ {
			if !strings.Contains(" "+ids(got)+" ", fmt.Sprintf(" %d ", id)) {
				t.Errorf("from %q: contact %d is missing in %s", since, id, ids(got))
			}
		}
	}
}

func TestWithoutUpdatedE10(t *testing.T) {
	f := stampedFile(t, stampings["sql"])
	r := open(t, f.path, `{table: customers, id: id, fields: {name: name}}`)
	run := r.begin(t, "")
	got, checkpoint := r.finish(t, run, 2, nil)
	expect(t, "initial run", ids(got), "1 2 3 4 5")
	expect(t, "checkpoint of its first page", string(r.Checkpoint(run, got[1].Position, false)), "")
	f.exec(t, "UPDATE customers SET u = 'not read'")
	got, again := r.run(t, checkpoint, 2)
	expect(t, "nothing changed", ids(got), "")
	expect(t, "checkpoint", string(again), string(checkpoint))
	f.exec(t, "UPDATE customers SET name = 'new' WHERE id = 4")
	got, again = r.run(t, checkpoint, 2)
	expect(t, "something changed", ids(got), "1 2 3 4 5")
	if again == checkpoint {
		t.Error("the checkpoint is the same")
	}
}

func TestDeletedRows(t *testing.T) {
	f := stampedFile(t, stampings["sql"])
	for kind, sql := range map[string]string{
		"time": "CASE WHEN id IN (2, 4) THEN u END", "number": "id IN (2, 4)", "real": "CASE WHEN id IN (2, 4) THEN 0.5 ELSE 0.0 END", "text": "CASE WHEN id IN (2, 4) THEN 'yes' ELSE '' END",
		"never as a number": "CASE WHEN id IN (2, 4) THEN 20261129 ELSE 99991231 END", "never as a real": "CASE WHEN id IN (2, 4) THEN 20261129.0 ELSE 99991231.0 END",
	} {
		t.Run(kind, func(t *testing.T) {
			r := open(t, f.path, `{table: customers, id: id, updated: u, deleted: "`+sql+`", fields: {name: name}}`)
			got, _ := r.run(t, "", 2)
			expect(t, "initial run", ids(got), "1 -2 3 -4 5")
		})
	}
}
