package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// number is what is asked for.
var number = bridge.Search{Spellings: []string{"+442079460018", "442079460018", "020 7946 0018"}, Digits: []string{"2079460018"}}

func searchable(t *testing.T, dsn, table string, phones ...string) bridge.Searcher {
	t.Helper()
	f, err := newFactory(sqltable.Config{Table: table, ID: "id", Fields: record.Fields{Name: "name", Phones: phones}}, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	src, err := f.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	return src.(bridge.Searcher)
}

// Columns of every type that holds numbers are asked.
func TestANumberIsFoundInColumnsOfEveryType(t *testing.T) {
	t.Parallel()
	db := server.Database(t, `CREATE EXTENSION IF NOT EXISTS citext;
		CREATE TABLE people (id int, name text, phone text, fax varchar(30), mobile char(20), other citext, digits bigint, many text[], doc jsonb)`)
	for i, row := range []string{
		"phone) VALUES (0, '020 7946 0018'", "fax) VALUES (1, '+442079460018'", "mobile) VALUES (2, '442079460018'", "other) VALUES (3, '020 7946 0018'",
		"digits) VALUES (4, 442079460018", "many) VALUES (5, '{\"+49 30 1\",\"(020) 7946-0018\"}'", `doc) VALUES (6, '["x", "020.79460018"]'`, "phone) VALUES (7, 'T 020/7946 00-18 (work)'",
	} {
		db.Exec(t, "INSERT INTO people (id, "+row+")")
		found, err := searchable(t, db.DSN, "people", "phone", "fax", "mobile", "other", "digits", "many", "doc").Search(t.Context(), number)
		if err != nil || len(found) != 1 {
			t.Errorf("row %d: %v, %v", i, found, err)
		}
		db.Exec(t, "DELETE FROM people")
	}
}

// A question that takes too long ends in the database too, and all rows are not looked through again soon.
func TestASlowQuestionIsCancelled(t *testing.T) {
	t.Parallel()
	db := server.Database(t, `CREATE TABLE people (id int, name text, phone text);
		INSERT INTO people SELECT n, 'Ann', '020 7946 ' || n FROM generate_series(1000, 1999) n;
		CREATE FUNCTION slow(phone text) RETURNS text LANGUAGE plpgsql VOLATILE AS 'BEGIN PERFORM pg_sleep(1); RETURN phone; END'`)
	asked := searchable(t, db.DSN, "people", "slow(phone)")
	if _, err := asked.Search(t.Context(), bridge.Search{}); err != nil { // describes the table
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if found, err := asked.Search(ctx, number); !errors.Is(err, context.DeadlineExceeded) && bridge.CodeOf(err) != bridge.CodeSourceTimeout {
		t.Errorf("%v, %v", found, err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		n := count(t, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%slow(phone)%' AND pid <> pg_backend_pid()")
		if n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d statements go on", n)
		}
	}
}

// An index on the column finds the usual spellings.
func TestAnIndexServesAQuestion(t *testing.T) {
	t.Parallel()
	db := server.Database(t, `CREATE TABLE people (id int, name text, phone varchar(40));
		INSERT INTO people SELECT n, 'Ann', '020 7946 ' || lpad(n::text, 4, '0') FROM generate_series(1, 9999) n;
		CREATE INDEX people_phone ON people (phone); ANALYZE people`)
	used := func() int {
		return count(t, db, "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'people_phone'")
	}
	t.Run("ask", func(t *testing.T) { // what it opens is closed then: a session that ends tells what it used
		found, err := searchable(t, db.DSN, "people", "phone").Search(t.Context(), number)
		if err != nil || len(found) != 1 || found[0].ID != "18" {
			t.Errorf("%v, %v", found, err)
		}
	})
	for deadline := time.Now().Add(30 * time.Second); used() == 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the index was not used")
		}
	}
}

func count(t *testing.T, db *pgtest.Database, sql string) (n int) {
	t.Helper()
	conn := db.Conn(t)
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
