package postgres

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
)

// insert adds a row that is stamped now.
func insert(t testing.TB, db *pgtest.Database, id int) {
	t.Helper()
	db.Exec(t, fmt.Sprintf("INSERT INTO customers (id) VALUES (%d)", id))
}

// begin opens a transaction and runs statements in it.
func begin(t testing.TB, db *pgtest.Database, statements ...string) *pgx.Conn {
	t.Helper()
	conn := db.Conn(t)
	exec(t, conn, "BEGIN")
	for _, s := range statements {
		exec(t, conn, s)
	}
	return conn
}

func exec(t testing.TB, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// has reports whether an id is among the changes.
func has(changes []bridge.Change, id int) bool {
	return strings.Contains(" "+ids(changes)+" ", fmt.Sprintf(" %d ", id))
}

// A stamped is a way to stamp rows, and what configures it.
type stamped struct {
	name, table, config string
}

// stampeds are tables with rows that the database itself stamps. customers(id) has five of them.
var stampeds = []stamped{
	{"timestamptz", `CREATE TABLE customers (id int PRIMARY KEY, u timestamptz DEFAULT now())`, ``},
	{"timestamptz(0)", `CREATE TABLE customers (id int PRIMARY KEY, u timestamptz(0) DEFAULT now())`, ``},
	{"timestamp", `CREATE TABLE customers (id int PRIMARY KEY, u timestamp DEFAULT now())`, ``},
	{"timestamp in a zone", `CREATE TABLE customers (id int PRIMARY KEY, u timestamp DEFAULT (now() AT TIME ZONE 'America/New_York'))`, `, time_zone: America/New_York`},
	{"date", `CREATE TABLE customers (id int PRIMARY KEY, u date DEFAULT now())`, ``},
	{"seconds", `CREATE TABLE customers (id int PRIMARY KEY, u int DEFAULT extract(epoch from now()))`, ``},
	{"milliseconds", `CREATE TABLE customers (id int PRIMARY KEY, u bigint DEFAULT extract(epoch from now()) * 1000)`, ``},
	{"microseconds", `CREATE TABLE customers (id int PRIMARY KEY, u bigint DEFAULT extract(epoch from now()) * 1000000)`, ``},
	{"sequence", `CREATE SEQUENCE s; CREATE TABLE customers (id int PRIMARY KEY, u bigint DEFAULT nextval('s'))`, ``},
	{"xid8", `CREATE TABLE customers (id int PRIMARY KEY, u xid8 DEFAULT pg_current_xact_id())`, ``},
	{"bigint of xid", `CREATE TABLE customers (id int PRIMARY KEY, u bigint DEFAULT pg_current_xact_id()::text::bigint)`, `, updated_as: xid`},
	{"xmin", `CREATE TABLE customers (id int PRIMARY KEY)`, `xmin`},
}

// open makes the table and opens it, for a DSN that a function chooses.
func (s stamped) open(t testing.TB, dsn func(*pgtest.Database) string) (*pgtest.Database, reader) {
	t.Helper()
	db := server.Database(t, s.table, `INSERT INTO customers (id) SELECT generate_series(1, 5)`)
	// Without a clock_skew that is worth the name, or what commits within a second of its stamp would be read again anyway.
	config := `{table: customers, id: id, updated: u, clock_skew: 1ns, fields: {name: id}` + s.config + `}`
	if s.config == "xmin" {
		config = `{table: customers, id: id, updated: xmin, fields: {name: id}}`
	}
	return db, open(t, dsn(db), config)
}

func asOwner(db *pgtest.Database) string { return db.DSN }

// Whatever stamps the rows: a transaction that was open when a run began, stamps before what the run saw and commits when it
// is over, is delivered by the next run (T2). It may have written already, or in a subtransaction, or nothing yet.
func TestLateCommitsE2(t *testing.T) {
	const write = "INSERT INTO customers (id) VALUES (%d)"
	states := []struct{ before, after string }{
		{before: write},
		{before: "SAVEPOINT a; " + write},
		{before: "SELECT %d", after: write},
	}
	for _, s := range stampeds {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			db, r := s.open(t, asOwner)
			checkpoint := bridge.Checkpoint("")
			var got []bridge.Change
			for i, state := range states {
				late, other := 10*(i+1), 10*(i+1)+1
				open := begin(t, db, "SELECT now()", fmt.Sprintf(state.before, late))
				insert(t, db, other)
				if got, checkpoint = r.run(t, checkpoint, 2); !has(got, other) || has(got, late) {
					t.Errorf("%s: first run: got %s", state.before, ids(got))
				}
				if state.after != "" {
					exec(t, open, fmt.Sprintf(state.after, late))
				}
				exec(t, open, "COMMIT")
				if got, checkpoint = r.run(t, checkpoint, 2); !has(got, late) {
					t.Errorf("%s: the late commit is lost: got %s", state.before, ids(got))
				}
			}
		})
	}
}

// When nothing is open and the stamps are old enough, the checkpoint reaches the last of them: nothing is sent twice.
func TestNothingIsSentTwice(t *testing.T) {
	age := map[string]string{
		"timestamptz": "u - interval '1 h'", "timestamptz(0)": "u - interval '1 h'", "timestamp": "u - interval '12 h'", "timestamp in a zone": "u - interval '2 h'",
		"date": "u - 3", "seconds": "u - 3600", "milliseconds": "u - 3600000", "microseconds": "u - 3600000000",
		"sequence": "u", "xid8": "u", "bigint of xid": "u",
	}
	for _, s := range stampeds {
		t.Run(s.name, func(t *testing.T) {
			db, r := s.open(t, asOwner)
			if set := age[s.name]; set != "" {
				db.Exec(t, "UPDATE customers SET u = "+set)
			}
			got, checkpoint := r.run(t, "", 2)
			expect(t, "first run", ids(got), "1 2 3 4 5")
			got, again := r.run(t, checkpoint, 2)
			expect(t, "second run after "+string(checkpoint), ids(got), "")
			expect(t, "checkpoint", string(again), string(checkpoint))
		})
	}
}

func TestPreparedTransactionHoldsTheHorizonE2(t *testing.T) {
	for _, s := range stampeds {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			db, r := s.open(t, asOwner)
			late := begin(t, db, "INSERT INTO customers (id) VALUES (6)")
			gid := "'" + db.Name + "'"
			exec(t, late, "PREPARE TRANSACTION "+gid)
			insert(t, db, 7)
			got, checkpoint := r.run(t, "", 2)
			if !has(got, 7) || has(got, 6) {
				t.Errorf("first run: got %s", ids(got))
			}
			db.Exec(t, "COMMIT PREPARED "+gid)
			if got, _ = r.run(t, checkpoint, 2); !has(got, 6) {
				t.Errorf("the prepared transaction is lost: got %s after %s", ids(got), checkpoint)
			}
		})
	}
}

// Without the privilege to see other users' transactions the overlap is read again. Transaction ids and sequences need none.
func TestWithoutPrivilegeE2(t *testing.T) {
	for _, s := range stampeds {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			db, r := s.open(t, func(db *pgtest.Database) string { return db.User(t) })
			late := begin(t, db, "INSERT INTO customers (id) VALUES (6)")
			insert(t, db, 7)
			got, checkpoint := r.run(t, "", 2)
			if !has(got, 7) || has(got, 6) {
				t.Errorf("first run: got %s", ids(got))
			}
			exec(t, late, "COMMIT")
			if got, _ = r.run(t, checkpoint, 2); !has(got, 6) {
				t.Errorf("the late commit is lost: got %s after %s", ids(got), checkpoint)
			}
			time := !strings.Contains(s.name, "xid") && s.name != "xmin" && s.name != "sequence"
			if said := strings.Count(r.log.String(), "GRANT pg_read_all_stats"); time && said != 1 || !time && said != 0 {
				t.Errorf("the log speaks of the privilege %d times: %s", said, r.log)
			}
		})
	}
}

func TestOverlapWithoutPrivilege(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u timestamptz)`,
		`INSERT INTO customers VALUES (1, now() - interval '61 min'), (2, now() - interval '59 min'), (3, now())`)
	r := open(t, db.User(t), `{table: customers, id: id, updated: u, overlap: 1h, fields: {name: id}}`)
	db.Conn(t) // a session with invisible transactions
	_, checkpoint := r.run(t, "", 0)
	got, _ := r.run(t, checkpoint, 0)
	expect(t, "what is read again", ids(got), "2 3")
}

func TestOwnSessionsNeedNoPrivilege(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u timestamptz)`,
		`INSERT INTO customers VALUES (1, now() - interval '1 min')`)
	dsn := db.User(t)
	r := open(t, dsn, `{table: customers, id: id, updated: u, fields: {name: id}}`)
	own, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close(background())
	_, checkpoint := r.run(t, "", 0)
	got, _ := r.run(t, checkpoint, 0)
	expect(t, "what is read again", ids(got), "")
}

func TestWithPrivilegeTheHorizonIsExact(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u timestamptz)`,
		`INSERT INTO customers VALUES (1, now() - interval '1 min')`)
	r := open(t, db.User(t, "pg_read_all_stats"), `{table: customers, id: id, updated: u, fields: {name: id}}`)
	db.Conn(t)
	_, checkpoint := r.run(t, "", 0)
	got, _ := r.run(t, checkpoint, 0)
	expect(t, "what is read again", ids(got), "")
	expect(t, "log", r.log.String(), "")
}

// A session that does not track its activity shows no transaction at all.
func TestUntrackedSessionCountsAsHidden(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u timestamptz)`,
		`INSERT INTO customers VALUES (1, now() - interval '1 min')`)
	conn := db.Conn(t)
	exec(t, conn, "SET track_activities = off")
	exec(t, conn, "BEGIN")
	r := open(t, db.DSN, `{table: customers, id: id, updated: u, fields: {name: id}}`)
	_, checkpoint := r.run(t, "", 0)
	exec(t, conn, "INSERT INTO customers VALUES (2, now())")
	exec(t, conn, "COMMIT")
	got, _ := r.run(t, checkpoint, 0)
	expect(t, "what is read again", ids(got), "1 2")
}

func TestOtherDatabasesDoNotHoldTheHorizon(t *testing.T) {
	other := server.Database(t)
	begin(t, other, "SELECT now()")
	db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u timestamptz DEFAULT now() - interval '10 s')`)
	insert(t, db, 1)
	r := open(t, db.DSN, `{table: customers, id: id, updated: u, fields: {name: id}}`)
	_, checkpoint := r.run(t, "", 0)
	got, _ := r.run(t, checkpoint, 0)
	expect(t, "what is read again", ids(got), "")
}

// A clock that was set back makes stamps that lie before the checkpoint (T13).
func TestClockSetBackReadsEverythingAgain(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u timestamptz)`, `INSERT INTO customers VALUES (1, '2020-01-01'), (2, NULL)`)
	r := open(t, db.DSN, `{table: customers, id: id, updated: u, fields: {name: id}}`)
	ahead := bridge.Checkpoint(time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000000Z"))
	got, checkpoint := r.run(t, ahead, 1)
	expect(t, "everything, as the bridge says then (D10)", ids(got), "2 1")
	if !r.begin(t, ahead).Initial() {
		t.Error("the run is not an initial one")
	}
	expect(t, "checkpoint", string(checkpoint), "2020-01-01T00:00:00.000000Z/1")
	if !strings.Contains(r.log.String(), "set back") {
		t.Errorf("the log does not say why: %s", r.log)
	}
}

// A database that was restored from a dump counts its transactions from the start again.
func TestTransactionsCountedAnewReadEverythingAgain(t *testing.T) {
	db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u xid8 DEFAULT pg_current_xact_id())`,
		`INSERT INTO customers VALUES (1)`, `INSERT INTO customers VALUES (2, NULL)`)
	r := open(t, db.DSN, `{table: customers, id: id, updated: u, fields: {name: id}}`)
	got, checkpoint := r.run(t, "99999999999/7", 1)
	expect(t, "everything, as the bridge says then (D10)", ids(got), "2 1")
	if strings.HasPrefix(string(checkpoint), "99999999999") {
		t.Errorf("the checkpoint stays at %s", checkpoint)
	}
}

func TestSequenceWaitsForOpenTransactions(t *testing.T) {
	db := server.Database(t, `CREATE SEQUENCE s; CREATE TABLE customers (id int PRIMARY KEY, u bigint DEFAULT nextval('s'))`)
	r := open(t, db.DSN, `{table: customers, id: id, updated: u, fields: {name: id}}`)
	r.Database().(*database).patience = time.Minute
	late := begin(t, db, "INSERT INTO customers (id) VALUES (1)")
	insert(t, db, 2)
	begun := make(chan bridge.Run)
	go func() { begun <- r.begin(t, "") }()
	// The run has begun to wait when it has asked for the open transactions.
	watch := db.Conn(t)
	for waiting := false; !waiting; {
		err := watch.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
			AND application_name = 'contactbridge' AND query LIKE '%virtualxid%')`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	exec(t, late, "COMMIT")
	got, checkpoint := r.finish(t, <-begun, 1, nil)
	expect(t, "run", once(got), "1 2")
	expect(t, "checkpoint", string(checkpoint), "sequence=2")
}

// While some transaction is always open, the number of the run before becomes safe.
func TestSequenceMovesOnWithinBusyDatabasesE2(t *testing.T) {
	db := server.Database(t, `CREATE SEQUENCE s; CREATE TABLE customers (id int PRIMARY KEY, u bigint DEFAULT nextval('s'))`)
	r := open(t, db.DSN, `{table: customers, id: id, updated: u, clock_skew: 1ms, fields: {name: id}}`)
	first := begin(t, db, "SELECT now()")
	insert(t, db, 1)
	insert(t, db, 2)
	_, one := r.run(t, "", 0)
	if !strings.HasPrefix(string(one), "sequence=-infinity?2@") {
		t.Fatalf("first checkpoint: %s", one)
	}
	begin(t, db, "SELECT now()")
	exec(t, first, "COMMIT")
	insert(t, db, 3)
	got, two := r.run(t, one, 0)
	expect(t, "second run", ids(got), "1 2 3")
	if !strings.HasPrefix(string(two), "sequence=2?3@") {
		t.Fatalf("second checkpoint: %s", two)
	}
	got, _ = r.run(t, two, 0)
	expect(t, "third run", ids(got), "3")
}

// Without the privilege to see when transactions began, the checkpoint names those that were open.
func TestSequenceNeedsNoPrivilegeE2(t *testing.T) {
	db := server.Database(t, `CREATE SEQUENCE s; CREATE TABLE customers (id int PRIMARY KEY, u bigint DEFAULT nextval('s'))`)
	r := open(t, db.User(t), `{table: customers, id: id, updated: u, overlap: 1ms, clock_skew: 1ns, fields: {name: id}}`)
	late := begin(t, db, "INSERT INTO customers (id) VALUES (1)")
	insert(t, db, 2)
	_, one := r.run(t, "", 0)
	if !strings.HasPrefix(string(one), "sequence=-infinity?2@") {
		t.Fatalf("first checkpoint: %s", one)
	}
	insert(t, db, 3)
	got, two := r.run(t, one, 0)
	expect(t, "while it is open", ids(got), "2 3")
	if !strings.HasPrefix(string(two), "sequence=-infinity?2@") {
		t.Fatalf("second checkpoint, although the overlap has passed: %s", two)
	}
	begin(t, db, "SELECT now()")
	exec(t, late, "COMMIT")
	got, three := r.run(t, two, 0)
	expect(t, "when it has committed", ids(got), "1 2 3")
	if !strings.HasPrefix(string(three), "sequence=2?3@") {
		t.Fatalf("third checkpoint: %s", three)
	}
}

// A transaction that was open and has been prepared since is not on any list of open ones, but has not ended.
func TestSequenceWaitsForPreparedTransactionsE2(t *testing.T) {
	db := server.Database(t, `CREATE SEQUENCE s; CREATE TABLE customers (id int PRIMARY KEY, u bigint DEFAULT nextval('s'))`)
	r := open(t, db.User(t), `{table: customers, id: id, updated: u, overlap: 1ms, clock_skew: 1ns, fields: {name: id}}`)
	late := begin(t, db, "INSERT INTO customers (id) VALUES (1)")
	insert(t, db, 2)
	_, checkpoint := r.run(t, "", 0)
	gid := "'" + db.Name + "'"
	exec(t, late, "PREPARE TRANSACTION "+gid)
	_, checkpoint = r.run(t, checkpoint, 0)
	db.Exec(t, "COMMIT PREPARED "+gid)
	if got, _ := r.run(t, checkpoint, 0); !has(got, 1) {
		t.Errorf("the prepared transaction is lost: got %q after %s", ids(got), checkpoint)
	}
}

// What an application cuts to seconds or minutes may be stamped before a transaction that has ended (T4).
func TestStampsThatAreCutT4(t *testing.T) {
	for _, unit := range []string{"second", "minute", "hour"} {
		t.Run(unit, func(t *testing.T) {
			db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u timestamptz)`)
			r := open(t, db.DSN, `{table: customers, id: id, updated: u, clock_skew: 1ns, fields: {name: id}}`)
			conn := db.Conn(t)
			for same := false; !same; {
				db.Exec(t, fmt.Sprintf(`TRUNCATE customers; INSERT INTO customers SELECT i, date_trunc('%s', now() - i * interval '1 %[1]s') FROM generate_series(0, 4) i`, unit))
				_, checkpoint := r.run(t, "", 0)
				db.Exec(t, `INSERT INTO customers SELECT -1, max(u) FROM customers`)
				got, _ := r.run(t, checkpoint, 0)
				// Only what is stamped now, cut to the unit, is to be found: on a slow machine that was another second's.
				err := conn.QueryRow(t.Context(), fmt.Sprintf("SELECT date_trunc('%s', clock_timestamp()) = max(u) FROM customers", unit)).Scan(&same)
				if err != nil {
					t.Fatal(err)
				}
				if same && !has(got, -1) {
					t.Errorf("a contact stamped with the same %s is lost: got %s after %s", unit, ids(got), checkpoint)
				}
			}
		})
	}
}

func TestIntegersAreToldApart(t *testing.T) {
	for name, first := range map[string]string{
		"a time": "extract(epoch from now())::int - 10", "a sequence": "1", "a sequence beyond times": "20000000000000000", "a time of long ago is a sequence": "1000",
	} {
		t.Run(name, func(t *testing.T) {
			db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u bigint)`, `INSERT INTO customers VALUES (1, `+first+`)`)
			r := open(t, db.DSN, `{table: customers, id: id, updated: u, fields: {name: id}}`)
			inspection, err := r.Inspect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got, want := fact(inspection, "order"), strings.Contains(name, "sequence"); strings.Contains(got, "sequence") != want {
				t.Errorf("taken for: %s", got)
			}
		})
	}
}

// On a standby open transactions cannot be seen: the overlap before what was replayed last is read again. Transaction ids
// are exact there too.
func TestStandbyE2(t *testing.T) {
	primary := server.Server(t)
	db := server.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, u timestamptz DEFAULT now(), x xid8 DEFAULT pg_current_xact_id())`,
		`INSERT INTO customers (id, u) VALUES (1, now() - interval '10 min'), (2, now() - interval '4 min')`)
	standby, err := primary.Standby(t.Context())
	if errors.Is(err, pgtest.ErrNotInstalled) && os.Getenv(pgtest.BinVariable) != "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standby.Stop(); err != nil {
			t.Error(err)
		}
	})
	caughtUp := func() {
		t.Helper()
		if err := primary.CaughtUp(t.Context(), standby); err != nil {
			t.Fatal(err)
		}
	}
	stamps := open(t, standby.DSN(db.Name), `{table: customers, id: id, updated: u, fields: {name: id}}`)
	xids := open(t, standby.DSN(db.Name), `{table: customers, id: id, updated: x, fields: {name: id}}`)
	late := begin(t, db, "INSERT INTO customers (id) VALUES (3)")
	insert(t, db, 4)
	caughtUp()
	got, seen := stamps.run(t, "", 2)
	expect(t, "stamps", once(got), "1 2 4")
	got, exact := xids.run(t, "", 2)
	expect(t, "transaction ids", once(got), "1 2 4")
	exec(t, late, "COMMIT")
	caughtUp()
	got, _ = stamps.run(t, seen, 2)
	expect(t, "stamps after the late commit", ids(got), "2 3 4")
	got, _ = xids.run(t, exact, 2)
	expect(t, "transaction ids after the late commit", ids(got), "3 4")
	expect(t, "problems", problems(t, stamps), "standby no_index")
	if !strings.Contains(stamps.log.String(), "standby") || strings.Contains(xids.log.String(), "standby") {
		t.Errorf("the logs say: %s%s", stamps.log, xids.log)
	}
}
