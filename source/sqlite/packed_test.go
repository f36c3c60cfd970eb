package sqlite

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
)

// unusual are SQL values that joining and cutting could change.
var unusual = []string{
	"NULL", "''", "' '", "'plain'", "'two' || char(31) || 'values'", "char(31)", "char(31, 31)", "'end' || char(31)", "char(30, 31, 10)", "'Żółć 日本 😀'",
	"1", "-9223372036854775808", "1.0", "1e100", "0.1 + 0.2", "9e999", "123456789012345678", "x'41'", "x'411f42'", "x'ff1fe0'", "x'00'", "'a' || char(0) || 'b'", "x'610062'", "x'e4'",
	"'[\"a\", \"b\"]'", "'{\"value\": \"x\"}'", "zeroblob(3)",
}

// unusualFile has rows in which each value stands in each column, beside usual ones.
func unusualFile(t *testing.T, encoding string) (f file, rows int) {
	t.Helper()
	f = newFile(t, "PRAGMA encoding = '"+encoding+"'", "PRAGMA journal_mode = WAL", "CREATE TABLE customers (id INTEGER PRIMARY KEY, first, last TEXT, company, phone, plan, updated)")
	for i, value := range unusual {
		for column := range 5 {
			list := []string{"'F'", "'L'", "'C'", "'+1415555'", "'gold'"}
			list[column] = value
			rows++
			f.exec(t, fmt.Sprintf("INSERT INTO customers VALUES (%d, %s, '2026-01-01 00:00:%02d')", rows, strings.Join(list, ", "), i))
		}
	}
	return f, rows
}

const unusualConfig = `{table: customers, id: id, updated: updated, time_zone: UTC, fields: {name: "first -- its comment", title: last, company: company, address: "first || last", phones: [phone], custom_fields: {Plan: plan}}}`

// A row that is read as one text has the same values as a row whose columns are cast one by one, for every position of the separator and every page
// size.
func TestRowsThatAreOneTextAreReadAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"UTF-8", "UTF-16le", "UTF-16be"} {
		f, rows := unusualFile(t, encoding)
		want := castValues(t, f)
		r := open(t, f.path, unusualConfig)
		for _, limit := range []int{0, 1, 2, 3, 7, rows - 1, rows} {
			changes, _ := r.run(t, "", limit)
			if len(changes) != rows {
				t.Fatalf("%s, pages of %d: %d contacts of %d", encoding, limit, len(changes), rows)
			}
			for i, c := range changes {
				if got := shown(c); got != want[i] {
					t.Errorf("%s, pages of %d, row %d:\n%q, not\n%q", encoding, limit, i+1, got, want[i])
				}
			}
		}
	}
}

// shown returns the fields that unusualConfig maps, without phones, which are a list.
func shown(c bridge.Change) string {
	plan := ""
	if len(c.Contact.CustomFields) > 0 {
		plan = c.Contact.CustomFields[0].Value
	}
	return strings.Join([]string{c.Contact.ID, c.Contact.Name, c.Contact.Title, c.Contact.Company, c.Contact.Address, plan}, "|")
}

// castValues returns what shown should be, in the order of the rows.
func castValues(t *testing.T, f file) (list []string) {
	t.Helper()
	rows, err := f.QueryContext(t.Context(), `SELECT CAST(id AS TEXT), CAST(first AS TEXT), CAST(last AS TEXT), CAST(company AS TEXT), CAST(first || last AS TEXT),
		CAST(plan AS TEXT) FROM customers ORDER BY updated, id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		values, texts := make([]sql.NullString, 6), make([]string, 6)
		if err := rows.Scan(&values[0], &values[1], &values[2], &values[3], &values[4], &values[5]); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			texts[i] = v.String
		}
		list = append(list, strings.Join(texts, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// The rows that follow one with the separator in it are read by a second statement. It sees the same snapshot as the first one.
func TestRowsBehindASeparatorAreOfTheSameMomentP10(t *testing.T) {
	t.Parallel()
	f, rows := unusualFile(t, "UTF-8")
	r := open(t, f.path, unusualConfig)
	run := r.begin(t, "")
	var ids []string
	for change, err := range r.Read(t.Context(), run, nil, rows) {
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) == 0 {
			f.exec(t, "UPDATE customers SET company = 'changed', updated = '2026-01-01 00:00:59' WHERE id > 2")
		}
		ids = append(ids, change.Contact.ID)
		if change.Contact.Company == "changed" {
			t.Errorf("%s is shown as it is now", change.Contact.ID)
		}
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != rows || len(ids) != rows {
		t.Errorf("%d contacts, %d different ones of %d", len(ids), n, rows)
	}
}

// A row with more columns than a function may have arguments is still read as one text.
func TestManyColumnsAreOneText(t *testing.T) {
	t.Parallel()
	const columns = 450
	var custom, declared, values []string
	for i := range columns {
		declared = append(declared, fmt.Sprintf("c%d", i))
		custom = append(custom, fmt.Sprintf("K%d: c%d", i, i))
		values = append(values, fmt.Sprint(i))
	}
	f := newFile(t, "CREATE TABLE customers (id INTEGER PRIMARY KEY, name, updated, "+strings.Join(declared, ", ")+")",
		"INSERT INTO customers VALUES (1, 'Jane', '2026-01-01 00:00:00', "+strings.Join(values, ", ")+")")
	r := open(t, f.path, "{table: customers, id: id, updated: updated, time_zone: UTC, fields: {name: name, custom_fields: {"+strings.Join(custom, ", ")+"}}}")
	changes, _ := r.run(t, "", 10)
	if len(changes) != 1 || len(changes[0].Contact.CustomFields) != columns {
		t.Fatalf("%d contacts: %v", len(changes), changes)
	}
	for i, c := range changes[0].Contact.CustomFields {
		if c.Key != fmt.Sprint("K", i) || c.Value != fmt.Sprint(i) {
			t.Errorf("%s is %q", c.Key, c.Value)
		}
	}
}
