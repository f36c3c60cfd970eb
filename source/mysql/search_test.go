package mysql

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// askedNumber is the number that is asked for.
var askedNumber = bridge.Search{Spellings: []string{"+442079460018", "442079460018", "020 7946 0018"}, Digits: []string{"2079460018"}}

func searchable(t *testing.T, dsn string, phones ...string) bridge.Searcher {
	t.Helper()
	f, err := newFactory(sqltable.Config{Table: "people", ID: "id", Fields: record.Fields{Name: "name", Phones: phones}}, dsn)
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
	db := mariadb.Database(t)
	db.Run(t, "CREATE TABLE people (id int, name varchar(20), phone text, fax varchar(30) CHARACTER SET latin1, mobile char(20), digits bigint, bytes varbinary(40), doc json)")
	for i, row := range []string{
		"phone) VALUES (0, '020 7946 0018')", "fax) VALUES (1, '+442079460018')", "mobile) VALUES (2, '442079460018')", "digits) VALUES (3, 442079460018)",
		"bytes) VALUES (4, '020 7946 0018')", `doc) VALUES (5, '["x", "020.79460018"]')`, "phone) VALUES (6, 'T 020/7946 00-18 (work)')", "fax) VALUES (7, '(020) 79 46 00 18')",
	} {
		db.Run(t, "INSERT INTO people (id, "+row)
		found, err := searchable(t, db.User(t, "PROCESS"), "phone", "fax", "mobile", "digits", "bytes", "doc").Search(t.Context(), askedNumber)
		if err != nil || len(found) != 1 {
			t.Errorf("row %d: %v, %v", i, found, err)
		}
		db.Run(t, "DELETE FROM people")
	}
}

// A question that takes too long ends on the server too, which would go on otherwise.
func TestASlowQuestionIsEnded(t *testing.T) {
	t.Parallel()
	db := mariadb.Database(t)
	db.Run(t, "CREATE TABLE people (id int, name varchar(20), phone varchar(40))")
	db.Run(t, "INSERT INTO people VALUES (1, 'Ann', '1'), (2, 'Bob', '2'), (3, 'Cid', '3'), (4, 'Dan', '4')")
	asked := searchable(t, db.User(t, "PROCESS"), "CONCAT(phone, SLEEP(10))")
	if _, err := asked.Search(t.Context(), bridge.Search{}); err != nil { // describes the table
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if found, err := asked.Search(ctx, askedNumber); err == nil || !errors.Is(err, context.DeadlineExceeded) && bridge.CodeOf(err) != bridge.CodeSourceTimeout {
		t.Errorf("%v, %v", found, err)
	}
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE '%SLEEP(10)%' AND id <> CONNECTION_ID()").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		if time.Since(began) > 8*time.Second {
			t.Fatal("the statement goes on")
		}
	}
}
