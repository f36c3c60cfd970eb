package sqlite

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// E11: one number that is no time of the column's form becomes no checkpoint and hides no other row, whatever it means.
func TestOddIntegersE11(t *testing.T) {
	units := map[string]func(time.Time) int64{"epoch_s": time.Time.Unix, "epoch_ms": time.Time.UnixMilli, "epoch_us": time.Time.UnixMicro}
	for unit, stamp := range units {
		odd := []int64{9999999999, 7, 1<<63 - 1}
		for other, of := range units {
			if other != unit {
				odd = append(odd, of(at(11, 30, 0)))
			}
		}
		for _, as := range []string{"auto", unit} {
			f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, u INTEGER)`)
			for i := range 5 {
				f.exec(t, "INSERT INTO customers VALUES (?, ?)", i+1, stamp(at(11, 0, i)))
			}
			r := open(t, f.path, `{table: customers, id: id, updated: u, updated_as: `+as+`, fields: {name: id}}`)
			_, checkpoint := r.run(t, "", 2)
			for n, number := range odd {
				f.exec(t, "INSERT INTO customers VALUES (?, ?)", 60+n, number)
				got, _ := r.run(t, checkpoint, 2)
				if !has(got, 60+n) {
					t.Errorf("%s, updated_as %s: the row with %d is not delivered: %s", unit, as, number, ids(got))
				}
				_, checkpoint = r.run(t, checkpoint, 2)
			}
			for n := range 3 {
				r.clock.now = r.clock.now.Add(time.Hour)
				f.exec(t, "INSERT INTO customers VALUES (?, ?)", 100+n, stamp(r.clock.now.Add(-30*time.Minute)))
				got, next := r.run(t, checkpoint, 2)
				if !has(got, 100+n) {
					t.Errorf("%s, updated_as %s: row %d is lost after %s: %s", unit, as, 100+n, checkpoint, ids(got))
				}
				checkpoint = next
			}
			if got, _ := r.run(t, "", 2); len(got) != 5+len(odd)+3 {
				t.Errorf("%s, updated_as %s: an initial run shows %s", unit, as, ids(got))
			}
			inspection, err := r.Inspect(t.Context())
			if err != nil || !slices.ContainsFunc(inspection.Problems, func(p source.Problem) bool { return p.Code == "odd_updated" }) {
				t.Errorf("%s: preview finds %v (%v)", unit, inspection.Problems, err)
			}
			if as == "auto" && !strings.HasPrefix(string(checkpoint), unit+"=") {
				t.Errorf("%s: the checkpoint does not say what was decided: %s", unit, checkpoint)
			}
		}
	}
}

// E11: a number far beyond a sequence is not taken for its newest.
func TestOddSequenceNumberE11(t *testing.T) {
	for _, as := range []string{"auto", "sequence"} {
		f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, u INTEGER)`, `INSERT INTO customers SELECT value, value FROM json_each('[1,2,3,4,5]')`)
		r := open(t, f.path, `{table: customers, id: id, updated: u, updated_as: `+as+`, fields: {name: id}}`)
		_, checkpoint := r.run(t, "", 2)
		f.exec(t, `INSERT INTO customers VALUES (66, 9999999999)`)
		for n := range 3 {
			f.exec(t, `INSERT INTO customers VALUES (?, ?)`, 100+n, 6+n)
			got, next := r.run(t, checkpoint, 2)
			if !has(got, 100+n) || !has(got, 66) {
				t.Errorf("%s: row %d or 66 is lost after %s: %s", as, 100+n, checkpoint, ids(got))
			}
			checkpoint = next
		}
	}
}

// T13 holds for sequences: an older copy of the file is put back.
func TestSequenceSetBackReadsEverythingAgainT13(t *testing.T) {
	for _, as := range []string{"auto", "sequence"} {
		f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, u INTEGER)`,
			`INSERT INTO customers SELECT value, 'v2', value + 5 FROM json_each('[1,2,3,4,5]')`)
		r := open(t, f.path, `{table: customers, id: id, updated: u, updated_as: `+as+`, fields: {name: name}}`)
		_, checkpoint := r.run(t, "", 2)
		f.exec(t, `UPDATE customers SET u = id, name = 'v1'`)
		f.exec(t, `UPDATE customers SET u = 6, name = 'v3' WHERE id = 1`)
		f.exec(t, `INSERT INTO customers VALUES (6, 'new', 7)`)
		got, checkpoint := r.run(t, checkpoint, 2)
		expect(t, "after it was put back", ids(got), "2 3 4 5 1 6")
		got, checkpoint = r.run(t, checkpoint, 2)
		expect(t, "nothing new", ids(got), "")
		f.exec(t, `UPDATE customers SET u = 8 WHERE id = 4`)
		got, _ = r.run(t, checkpoint, 2)
		expect(t, "after a change", ids(got), "4")
	}
}

// E11: texts with several offsets do not sort by time. Every row is delivered, whichever offset it has, and wherever in the
// table the first of them stands.
func TestSeveralOffsetsE11(t *testing.T) {
	zones := []*time.Location{time.FixedZone("", 9*3600), time.FixedZone("", -8*3600), time.UTC, time.FixedZone("", -12*3600), time.FixedZone("", 14*3600)}
	const layout = "2006-01-02T15:04:05Z07:00"
	for i, first := range zones {
		for _, second := range []*time.Location{zones[(i+1)%len(zones)], zones[(i+2)%len(zones)]} {
			f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, u TEXT)`)
			r := open(t, f.path, `{table: customers, id: id, updated: u, fields: {name: id}}`)
			for n := range 60 {
				f.exec(t, "INSERT INTO customers VALUES (?, ?)", n+1, r.clock.now.Add(-time.Duration(60-n)*time.Minute).In(first).Format(layout))
			}
			got, checkpoint := r.run(t, "", 7)
			if len(got) != 60 {
				t.Fatalf("an initial run shows %s", ids(got))
			}
			for n := range 30 { // one with the other offset in each hour, until all of the first are long ago
				r.clock.now = r.clock.now.Add(time.Hour)
				id := 100 + 2*n
				f.exec(t, "INSERT INTO customers VALUES (?, ?)", id, r.clock.now.Add(-10*time.Minute).In(second).Format(layout))
				f.exec(t, "INSERT INTO customers VALUES (?, ?)", id+1, r.clock.now.Add(-10*time.Minute).In(first).Format(layout))
				got, next := r.run(t, checkpoint, 0)
				if !has(got, id) || !has(got, id+1) {
					t.Fatalf("%v and %v, hour %d: row %d or %d is lost after %s: %s", first, second, n, id, id+1, checkpoint, ids(got))
				}
				checkpoint = next
			}
			if got, _ := r.run(t, checkpoint, 0); len(got) > 60 {
				t.Errorf("%v and %v: every run reads everything: %d rows after %s", first, second, len(got), checkpoint)
			}
		}
	}
}

// E11: the first text with an offset may come long after the checkpoint was made of UTC stamps, in the middle of the table, and
// on a row that no sample of the newest holds.
func TestAnOffsetThatComesLaterE11(t *testing.T) {
	for utc, zone := range map[string]string{"Z": "Z07:00", " +0000 UTC": " -0700 MST"} {
		for _, hours := range []int{-12, -8, 14} {
			f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, u TEXT)`, `CREATE INDEX by_u ON customers (u, id)`)
			r := open(t, f.path, `{table: customers, id: id, updated: u, fields: {name: id}}`)
			layout := "2006-01-02T15:04:05" + zone
			f.exec(t, `WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 301) -- two a minute
				INSERT INTO customers SELECT i, strftime('%Y-%m-%dT%H:%M:%S', '2026-12-31 12:00', '-' || (i / 2 - 1) || ' minutes') || ? FROM n
				UNION ALL SELECT 1, '2025-12-31T12:00:00' || ?`, utc, utc)
			_, checkpoint := r.run(t, "", 50)
			r.clock.now = r.clock.now.Add(time.Hour)
			f.exec(t, "UPDATE customers SET u = ? WHERE id = 150", r.clock.now.Add(-time.Minute).In(time.FixedZone("X", hours*3600)).Format(layout))
			got, checkpoint := r.run(t, checkpoint, 50)
			if !has(got, 150) {
				t.Errorf("%s, %+d h: row 150 is lost after %s", utc, hours, checkpoint)
			}
			r.clock.now = r.clock.now.Add(time.Hour)
			f.exec(t, "UPDATE customers SET u = ? WHERE id = 151", r.clock.now.Add(-time.Minute).In(time.FixedZone("X", hours*3600)).Format(layout))
			run := r.begin(t, checkpoint)
			if got, _ := r.finish(t, run, 50, nil); !has(got, 151) || run.Initial() {
				t.Errorf("%s, %+d h: row 151 is lost after %s, or everything is read again", utc, hours, checkpoint)
			}
		}
	}
}

// E11: the same for a stamp that is written in another way: by a trigger, say, where the application writes ISO 8601. Its row is
// brought, and when all are written in one way again a run reads only what is new.
func TestAnotherFormThatComesLaterE11(t *testing.T) {
	for _, c := range [][2]string{
		{"2006-01-02T15:04:05Z", "2006-01-02 15:04:05"},
		{"2006-01-02T15:04:05", "2006-01-02 15:04:05"},
		{"2006-01-02 15:04:05", "2006-01-02"},
		{"2006-01-02 15:04:05.000", "2006-01-02 15:04"},
		{"2006-01-02 15:04:05", "2006-01-02 15:04:05-07:00"},
	} {
		f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, u TEXT)`, `CREATE INDEX by_u ON customers (u, id)`)
		r := open(t, f.path, `{table: customers, id: id, updated: u, time_zone: UTC, fields: {name: id}}`)
		f.exec(t, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 301) INSERT INTO customers SELECT i, ? FROM n", at(1, 0, 0).Format(c[0]))
		f.exec(t, "UPDATE customers SET u = ? WHERE id = 1", r.clock.now.AddDate(-1, 0, 0).Format(c[0]))
		f.exec(t, "UPDATE customers SET u = ? WHERE id BETWEEN 200 AND 290", at(11, 0, 0).Format(c[0]))
		_, checkpoint := r.run(t, "", 50)
		r.clock.now = at(13, 0, 0)
		f.exec(t, "UPDATE customers SET u = ? WHERE id = 150", at(12, 59, 0).In(time.FixedZone("", -7*3600)).Format(c[1]))
		got, checkpoint := r.run(t, checkpoint, 50)
		if !has(got, 150) {
			t.Errorf("%s: row 150, stamped as %s, is lost", c[0], c[1])
		}
		f.exec(t, "UPDATE customers SET u = ? WHERE id = 150", at(12, 59, 0).Format(c[0]))
		_, checkpoint = r.run(t, checkpoint, 50)
		r.clock.now = at(14, 0, 0)
		f.exec(t, "UPDATE customers SET u = ? WHERE id = 151", at(13, 30, 0).Format(c[0]))
		if got, _ = r.run(t, checkpoint, 50); !has(got, 151) || len(got) > 100 {
			t.Errorf("%s: written in one way again, a run from %q brings %d rows", c[0], checkpoint, len(got))
		}
	}
}

// E12: a row with a stamp that goes back while an initial run reads is shown, by the same process and by another one (E4).
func TestRowsThatMoveBackAreShownE12(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		for _, to := range []any{nil, "2001-01-01 00:00:00"} {
			for _, other := range []bool{false, true} {
				f := stampedFile(t, stampings["sql"])
				f.exec(t, "PRAGMA journal_mode = "+mode)
				r, replica := open(t, f.path, stampedConfig), open(t, f.path, stampedConfig)
				if !other {
					replica = r
				}
				run := r.begin(t, "")
				got := r.page(t, run, nil, 2)
				at := slices.Clone(got[1].Position)
				f.exec(t, "UPDATE customers SET u = ? WHERE id = 5", to)
				got = append(got, replica.page(t, run, at, 0)...)
				if !has(got, 5) {
					t.Errorf("%s, updated set to %v while the run read: it showed %s", mode, to, ids(got))
				}
				if got, _ := r.run(t, "", 2); len(got) != 5 {
					t.Errorf("%s: while nothing is changed a run shows %s", mode, ids(got))
				}
			}
		}
	}
}

// An application may take its stamp and then wait for the write lock, which is free for a moment between two of its tries:
// probe_lock does not see it, and the row is visible much later than it is stamped (E2).
func TestProbeLockAndWritersThatWaitE2(t *testing.T) {
	f := stampedFile(t, stampings["sql"])
	r := open(t, f.path, strings.Replace(stampedConfig, "{", "{probe_lock: true, ", 1))
	stamp := stampings["sql"](r.clock.now)
	r.clock.now = r.clock.now.Add(30 * time.Second)
	f.exec(t, "INSERT INTO customers (id, u) VALUES (6, ?)", stampings["sql"](r.clock.now.Add(-5*time.Second)))
	_, checkpoint := r.run(t, "", 2)
	f.exec(t, "INSERT INTO customers (id, u) VALUES (7, ?)", stamp)
	if got, _ := r.run(t, checkpoint, 2); !has(got, 7) {
		t.Errorf("the writer that waited is lost: %s after %s", ids(got), checkpoint)
	}
}

// D8: rows without an id are not silently left out of an initial run.
func TestRowsWithoutAnIDAreRejectedD8(t *testing.T) {
	f := newFile(t, `CREATE TABLE customers (id, u)`, `INSERT INTO customers VALUES (1, '2026-01-01 00:00:00'), (NULL, '2026-01-01 00:00:00')`)
	for _, config := range []string{`{table: customers, id: id, fields: {name: id}}`, `{table: customers, id: id, updated: u, fields: {name: id}}`} {
		r := open(t, f.path, config)
		for _, limit := range []int{0, 1, 2} {
			got, checkpoint := r.run(t, "", limit)
			if len(got) != 2 || got[1].Rejected == "" || got[1].Contact.ID != "" {
				t.Errorf("%s: %+v", config, got)
			}
			if got, _ := r.run(t, checkpoint, limit); slices.ContainsFunc(got, func(c bridge.Change) bool { return c.Rejected != "" }) {
				t.Errorf("%s: an incremental run: %+v", config, got)
			}
		}
	}
}

// D7: what "deleted" means does not depend on the value's type.
func TestDeletedOfEveryTypeD7(t *testing.T) {
	f := newFile(t, `CREATE TABLE customers (id INTEGER PRIMARY KEY, u DEFAULT '2026-01-01 00:00:00', gone)`)
	var want []string
	for i, value := range []any{
		nil, 0, 0.0, "", "0", "false", "F", "n", "No", "0.00", "0000-00-00 00:00:00", []byte{0}, []byte("0"), // not gone
		1, -1, 0.5, "1", "true", "Y", "x", "2026-11-29 10:00:00", []byte{1},
	} {
		f.exec(t, "INSERT INTO customers (id, gone) VALUES (?, ?)", i+1, value)
		sign := ""
		if i >= 13 {
			sign = "-"
		}
		want = append(want, fmt.Sprintf("%s%d", sign, i+1))
	}
	r := open(t, f.path, `{table: customers, id: id, updated: u, deleted: gone, fields: {name: id}}`)
	got, _ := r.run(t, "", 0)
	expect(t, "all", ids(got), strings.Join(want, " "))
}
