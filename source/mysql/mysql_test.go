package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/test/mysqltest"
	"github.com/contactbridge/contactbridge/source"
)

// A reader is a source and what it logged.
type reader struct {
	*Source
	log *bytes.Buffer
}

// read opens a source as it is configured, without its dsn.
func read(t testing.TB, dsn, config string) reader {
	t.Helper()
	r, err := tryRead(t, dsn, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryRead(t testing.TB, dsn, config string, auth bridge.Auth) (reader, error) {
	t.Helper()
	var cfg Config
	err := yaml.Unmarshal([]byte(config), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.DSN, err = source.ParseTemplate(dsn); err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	f, err := New(cfg, source.Deps{Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		return reader{}, err
	}
	t.Cleanup(func() { f.Close() })
	s, err := f.Open(t.Context(), auth)
	if err != nil {
		return reader{}, err
	}
	t.Cleanup(func() { s.Close() })
	return reader{s.(*Source), log}, nil
}

// run makes a whole run with pages of a size.
func (r reader) run(t testing.TB, since bridge.Checkpoint, limit int) ([]bridge.Change, bridge.Checkpoint) {
	t.Helper()
	run, err := r.Begin(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	var all []bridge.Change
	var at bridge.Position
	for {
		n := 0
		for change, err := range r.Read(t.Context(), run, at, limit) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, bridge.Change{Contact: change.Contact.Clone(), Deleted: change.Deleted, Position: slices.Clone(change.Position)})
			n++
		}
		if n > 0 {
			at = all[len(all)-1].Position
		}
		if n < limit {
			return all, r.Checkpoint(run, at, true)
		}
		if len(all) > 1_000_000 {
			t.Fatal("the run does not end")
		}
	}
}

// once leaves out the contacts that an initial run shows once more (E12), as it does where anything was committed on the server
// meanwhile, in another test's database too.
func once(changes []bridge.Change) []bridge.Change {
	var list []bridge.Change
	seen := map[string]bool{}
	for _, c := range changes {
		if !seen[c.Contact.ID] {
			list = append(list, c)
		}
		seen[c.Contact.ID] = true
	}
	return list
}

// ids returns the ids of changes in their order, each once.
func ids(changes []bridge.Change) string {
	var list []string
	for _, c := range once(changes) {
		list = append(list, c.Contact.ID)
	}
	return strings.Join(list, " ")
}

func expect(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// inspect returns the facts and problems of an inspection as texts.
func (r reader) inspect(t testing.TB) string {
	t.Helper()
	found, err := r.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%+v", found)
}

const plain = `{table: c, id: id, updated: updated_at, time_zone: UTC, fields: {name: name}}`

// Pitfall A-M1.
func TestDatesThatDoNotExistAreNoStamps(t *testing.T) {
	for _, typ := range []string{"datetime", "date"} {
		db := mariadb.Database(t, `SET sql_mode = 'ALLOW_INVALID_DATES'; CREATE TABLE c (id int PRIMARY KEY, name text, updated_at `+typ+`, KEY (updated_at, id));
			INSERT INTO c VALUES (1, 'a', '0000-00-00'), (2, 'b', '2025-00-15'), (3, 'c', '2025-02-31'), (4, 'd', '2026-03-01 10:00:00'), (5, 'e', '2024-02-29'), (6, 'f', NULL)`)
		r := read(t, db.User(t, "PROCESS"), plain)
		for _, limit := range []int{1, 2, 10} {
			got, checkpoint := r.run(t, "", limit)
			expect(t, "all rows", ids(got), "1 2 3 6 5 4")
			if string(checkpoint) < "2026-03-01" { // the last row's, or the horizon if the list of transactions stayed out of date
				t.Errorf("the checkpoint is %s", checkpoint)
			}
			got, _ = r.run(t, checkpoint, limit)
			expect(t, "the next run", ids(got), "")
		}
		if found := r.inspect(t); !strings.Contains(found, "4 rows have no updated") {
			t.Errorf("the inspection does not count them: %s", found)
		}
	}
}

// Pitfall A-M1: the zero is the only TIMESTAMP that is no moment.
func TestTheZeroTimestampIsNoStamp(t *testing.T) {
	db := mariadb.Database(t, `SET sql_mode = ''; CREATE TABLE c (id int PRIMARY KEY, name text, updated_at timestamp(6) NULL, KEY (updated_at, id));
		SET time_zone = '+00:00'; INSERT INTO c VALUES (1, 'a', '0000-00-00'), (2, 'b', '1970-01-01 00:00:01'), (3, 'c', '1970-01-01 00:00:01.000001'), (4, 'd', NULL), (5, 'e', '0000-00-00')`)
	r := read(t, db.User(t, "PROCESS"), plain)
	for _, limit := range []int{1, 2, 10} {
		got, checkpoint := r.run(t, "", limit)
		expect(t, "all rows", ids(got), "1 4 5 2 3")
		got, _ = r.run(t, checkpoint, limit)
		expect(t, "the next run", ids(got), "")
	}
	if found := r.inspect(t); !strings.Contains(found, "3 rows have no updated") {
		t.Errorf("the inspection does not count them: %s", found)
	}
}

// An id is what the server writes.
func TestIntegersAsIDs(t *testing.T) {
	for typ, want := range map[string]string{
		"bigint": "-9223372036854775808 7 4000000000", "bigint unsigned": "7 4000000000 18446744073709551615",
		"int(5) unsigned zerofill": "00007 4000000000", "mediumint(4) zerofill": "0007 100000", "smallint": "-9 7", "tinyint": "-9 7",
	} {
		values := strings.ReplaceAll(want, " ", ", '2026-01-01'), (")
		db := mariadb.Database(t, "CREATE TABLE c (id "+typ+" PRIMARY KEY, name text, updated_at timestamp(6), KEY (updated_at, id))",
			"INSERT INTO c (id, updated_at) VALUES ("+values+", '2026-01-01')")
		for _, config := range []string{plain, `{table: c, id: id, fields: {name: name}}`} {
			r := read(t, db.User(t, "PROCESS"), config)
			for _, limit := range []int{1, 10} {
				got, checkpoint := r.run(t, "", limit)
				expect(t, typ, ids(got), want)
				got, _ = r.run(t, checkpoint, limit)
				expect(t, typ+" in the next run", ids(got), "")
			}
		}
	}
}

// Pitfall A-M2.
func TestPositionsHaveThePrecisionOfTheColumn(t *testing.T) {
	for digits := range 7 {
		db := mariadb.Database(t, fmt.Sprintf(`CREATE TABLE c (id int PRIMARY KEY, name text, updated_at datetime(%d), KEY (updated_at, id));
			INSERT INTO c VALUES (1, 'a', '2026-03-01 10:00:00'), (2, 'b', '2026-03-01 10:00:00.148'), (3, 'c', '2026-03-01 10:00:00.726001')`, digits))
		r := read(t, db.User(t, "PROCESS"), plain)
		got, checkpoint := r.run(t, "", 1)
		expect(t, "rows", ids(got), "1 2 3")
		got, _ = r.run(t, checkpoint, 1)
		expect(t, "the next run", ids(got), "")
		db.Run(t, "INSERT INTO c SELECT 4, 'd', max(updated_at) FROM c")
		got, again := r.run(t, checkpoint, 1)
		expect(t, "a row of the same stamp", ids(got), "4")
		got, after := r.run(t, again, 1)
		expect(t, "a run without rows", ids(got)+string(after), string(again))
	}
}

// Pitfall A-M3: what is not visible when its place is read is read by the next run.
func TestLateCommitIsDelivered(t *testing.T) {
	db := mariadb.Database(t, `CREATE TABLE c (id int PRIMARY KEY, name text, updated_at timestamp(6) DEFAULT CURRENT_TIMESTAMP(6), KEY (updated_at, id)) ENGINE=InnoDB;
		INSERT INTO c (id, updated_at) VALUES (1, NOW() - INTERVAL 1 HOUR)`)
	r := read(t, db.User(t, "PROCESS"), plain)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("INSERT INTO c (id) VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond) // longer than clock_skew
	db.Run(t, "INSERT INTO c (id) VALUES (8)")
	got, checkpoint := r.run(t, "", 1)
	if !strings.HasPrefix(ids(got), "1 8") {
		t.Errorf("the first run gave %s", ids(got))
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, _ = r.run(t, checkpoint, 1); !strings.Contains(ids(got), "7") {
		t.Errorf("the late commit is lost: %q after %s", ids(got), checkpoint)
	}
}

// A statement that takes long has stamped its rows when it began.
func TestLongStatementHoldsTheHorizon(t *testing.T) {
	db := mariadb.Database(t, `CREATE TABLE c (id int PRIMARY KEY, name text, updated_at datetime(6), KEY (updated_at, id)) ENGINE=InnoDB; INSERT INTO c VALUES (1, '', '2020-01-01')`)
	r := read(t, db.User(t, "PROCESS"), plain)
	holder, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := holder.ExecContext(t.Context(), "DO GET_LOCK(DATABASE(), 0)"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(t.Context(), "INSERT INTO c SELECT 2, GET_LOCK(DATABASE(), 600), UTC_TIMESTAMP(6)")
		done <- err
	}()
	for waits := false; !waits; time.Sleep(10 * time.Millisecond) {
		if err := holder.QueryRowContext(t.Context(), "SELECT EXISTS (SELECT 1 FROM information_schema.processlist WHERE db = DATABASE() AND state = 'User lock')").Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(1500 * time.Millisecond) // longer than clock_skew
	db.Run(t, "INSERT INTO c VALUES (3, '', UTC_TIMESTAMP(6))")
	_, checkpoint := r.run(t, "", 10)
	if _, err := holder.ExecContext(t.Context(), "DO RELEASE_LOCK(DATABASE())"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got, _ := r.run(t, checkpoint, 10); !strings.Contains(ids(got), "2") {
		t.Errorf("what the statement wrote is lost: %q after %s", ids(got), checkpoint)
	}
}

// Pitfall A-M4.
func TestTimestampsAreInstantsAndDatetimesOfTheConfiguredZone(t *testing.T) {
	db := mariadb.Database(t, `SET time_zone = '+08:00'; CREATE TABLE c (id int PRIMARY KEY, name text, ts timestamp, dt datetime, KEY (ts, id));
		INSERT INTO c VALUES (1, 'a', '2026-03-01 00:00:00', '2026-03-01 00:00:00')`)
	dsn := db.User(t, "PROCESS")
	for updated, want := range map[string]string{"ts": "2026-02-28T16:00:00.000000Z/1", "dt": "2026-03-01T00:00:00.000000/1"} {
		_, checkpoint := read(t, dsn, `{table: c, id: id, updated: `+updated+`, time_zone: Asia/Shanghai, fields: {name: name}}`).run(t, "", 10)
		expect(t, updated, string(checkpoint), want)
	}
}

// Pitfalls A-M5 and A-S2: a value is the same on each page, and a TINYINT(1) is a number.
func TestValuesAreTheSameOnEveryPage(t *testing.T) {
	db := mariadb.Database(t, `CREATE TABLE c (id int PRIMARY KEY, kind tinyint(1), score decimal(6,2), flag bit(1), updated_at datetime, KEY (updated_at, id));
		INSERT INTO c VALUES (0, 0, 1.50, b'0', '2026-01-01'), (1, 1, 2.25, b'1', '2026-01-01'), (2, 2, 3, b'0', '2026-01-01'), (3, 3, NULL, NULL, '2026-01-01')`)
	r := read(t, db.User(t, "PROCESS"), `{table: c, id: id, updated: updated_at, deleted: flag, fields: {title: kind, name: score, company: "concat('What?', id)"}}`)
	var texts []string
	for _, limit := range []int{1, 10} {
		got, _ := r.run(t, "", limit)
		text := ""
		for _, c := range got {
			text += fmt.Sprintf("%s %v %s %s %s;", c.Contact.ID, c.Deleted, c.Contact.Title, c.Contact.Name, c.Contact.Company)
		}
		texts = append(texts, text)
	}
	expect(t, "pages of one", texts[0], texts[1])
	expect(t, "pages", texts[1], "0 false 0 1.50 What?0;1 true 1 2.25 What?1;2 false 2 3.00 What?2;3 false 3  What?3;")
}

// A column of times may say by one of them that a contact is not gone.
func TestTimesThatStandForNever(t *testing.T) {
	for _, typ := range []string{"datetime(6)", "date"} {
		db := mariadb.Database(t, `SET sql_mode = ''; CREATE TABLE c (id int PRIMARY KEY, name text, gone `+typ+`);
			INSERT INTO c VALUES (1, '', '9999-12-31'), (2, '', '0000-00-00'), (3, '', '0001-01-01'), (4, '', '1900-01-00'), (5, '', '1970-01-01'), (6, '', '2026-11-29')`)
		got, _ := read(t, db.User(t, "PROCESS"), `{table: c, id: id, deleted: gone, fields: {name: name}}`).run(t, "", 10)
		text := ""
		for _, c := range got {
			text += fmt.Sprintf("%s %v;", c.Contact.ID, c.Deleted)
		}
		expect(t, typ, text, "1 false;2 false;3 false;4 false;5 false;6 true;")
	}
}

// Ids of every type are found again, in the order of the database.
func TestIdsOfEveryType(t *testing.T) {
	for typ, want := range map[string]string{
		"bigint":                                 "-5 9 10 9007199254740992 9007199254740993",
		"bigint unsigned":                        "9 10 9007199254740993 18446744073709551614 18446744073709551615",
		"decimal(30,2)":                          "9.00 10.00 9007199254740992.01 9007199254740992.02",
		"decimal(40,0)":                          "1 9999999999999999999999999999999999999998 9999999999999999999999999999999999999999",
		"decimal(38,38)":                         "0.00000000000000000000000000000000000001 0.00000000000000000000000000000000000002 0.10000000000000000000000000000000000000",
		"decimal(65,5) unsigned":                 "1.50000 999999999999999999999999999999999999999999999999999999999999.99998 999999999999999999999999999999999999999999999999999999999999.99999",
		"double":                                 "-1.5 5e-324 0.1 0.30000000000000004 9.007199254740991e15 1.7976931348623157e308",
		"double(20,2)":                           "0.07 1.10 9999999999999.98 9999999999999.99",
		"float":                                  "-3.5 0.10000000149011612 0.10000000894069672 16777214 16777215 16777216",
		"float(7,2)":                             "0.10000000149011612 1.100000023841858 99999.9921875",
		"bit(12)":                                "1 2 49 50 4000",
		"binary(16)":                             "00000000000000000000000000000001 10203000000000000000000000000000 ff000000000000000000000000000000",
		"uuid":                                   "123e4567-e89b-12d3-a456-426655440000 123e4567-e89b-12d3-a456-426655440001",
		"varchar(20) COLLATE utf8mb4_general_ci": "a B c Zoë 😀",
		"varchar(20) CHARACTER SET latin1":       "a B c Zoë",
		"enum('b','a')":                          "a b",
	} {
		t.Run(typ, func(t *testing.T) {
			db := mariadb.Database(t, "CREATE TABLE c (id "+typ+" PRIMARY KEY, name text, updated_at datetime, KEY (updated_at, id))")
			for _, id := range strings.Fields(want) {
				value := "'" + id + "'"
				switch typ {
				case "binary(16)":
					value = "UNHEX(" + value + ")"
				case "bit(12)":
					value = id
				}
				db.Run(t, "INSERT INTO c VALUES ("+value+", 'x', '2026-01-01')")
			}
			for _, config := range []string{plain, `{table: c, id: id, fields: {name: name}}`, `{query: "SELECT * FROM c", id: id, updated: updated_at, time_zone: UTC, fields: {name: name}}`} {
				r := read(t, db.User(t, "PROCESS"), config)
				got, checkpoint := r.run(t, "", 1)
				sorted := func(text string) string {
					list := strings.Fields(text)
					slices.Sort(list)
					return strings.Join(list, " ")
				}
				expect(t, "ids", sorted(ids(got)), sorted(want))
				if config == plain {
					expect(t, "order", ids(got), want)
				}
				got, _ = r.run(t, checkpoint, 1)
				expect(t, "the next run", ids(got), "")
			}
		})
	}
}

// A number with a point is no stamp: two changes may have the same.
func TestFloatingNumbersAreNoStamps(t *testing.T) {
	for _, typ := range []string{"float", "double", "decimal(20,6)"} {
		db := mariadb.Database(t, "CREATE TABLE c (id int PRIMARY KEY, name text, updated_at "+typ+")")
		_, err := read(t, db.User(t, "PROCESS"), plain).Begin(t.Context(), "")
		if said := failure.Of(err); !strings.Contains(said.Message, "updated cannot be read as a stamp") || !strings.Contains(said.Hint, "casts to such a type") {
			t.Errorf("%s: %v (%s)", typ, err, said.Hint)
		}
	}
}

// Two ids that differ by case, accents or blanks are two contacts, whatever the collation thinks of them.
func TestIdsThatTheirCollationTakesForOne(t *testing.T) {
	db := mariadb.Database(t, `CREATE TABLE c (id varchar(20) COLLATE utf8mb4_general_ci, name text, updated_at datetime, KEY (updated_at, id));
		INSERT INTO c VALUES ('a', '1', '2026-01-01'), ('A', '2', '2026-01-01'), ('ä', '3', '2026-01-01'), ('a ', '4', '2026-01-01'), ('b', '5', '2026-01-01'), ('B', '6', '2026-01-01')`)
	for _, config := range []string{plain, `{query: "SELECT * FROM c", id: id, updated: updated_at, fields: {name: name}}`, `{table: c, id: id, fields: {name: name}}`} {
		for _, limit := range []int{1, 2, 3, 10} {
			r := read(t, db.User(t, "PROCESS"), config)
			got, _ := r.run(t, "", limit)
			expect(t, fmt.Sprintf("%s by %d", config, limit), ids(got), "A B a a  b ä")
			if found := r.inspect(t); !strings.Contains(found, "id_bytes") || strings.Contains(found, "duplicate_id") {
				t.Errorf("the inspection finds %s", found)
			}
		}
	}
}

// A unique id is read along its index, and many rows of one stamp are read once.
func TestTiesAreReadAlongTheIndex(t *testing.T) {
	const n = 20_000
	db := mariadb.Database(t, `CREATE TABLE c (id varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, name text, updated_at datetime(6), KEY (updated_at, id));
		INSERT INTO c SELECT concat('Id', lpad(seq, 8, '0')), seq, '2026-01-01' FROM seq_1_to_20000`)
	r := read(t, db.User(t, "PROCESS"), plain)
	rowsRead := func() (n int) {
		if err := db.QueryRow("SELECT CAST(SUM(variable_value) AS SIGNED) FROM information_schema.global_status WHERE variable_name LIKE 'HANDLER_READ%'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := rowsRead()
	got, _ := r.run(t, "", 500)
	if got = once(got); len(got) != n {
		t.Fatalf("got %d contacts, want %d", len(got), n)
	}
	if rows := rowsRead() - before; rows > 10*n { // other tests read a few; each page that reads all rows of a stamp would make 40 times as many
		t.Errorf("the server read %d rows", rows)
	}
	if found := r.inspect(t); strings.Contains(found, "no_index") || strings.Contains(found, "id_bytes") {
		t.Errorf("the inspection finds %s", found)
	}
}

// Side tables: phones of a contact as JSON, and none is cut off.
func TestPhonesOfASideTable(t *testing.T) {
	db := mariadb.Database(t, `CREATE TABLE c (id int PRIMARY KEY, name text, updated_at datetime, KEY (updated_at, id)); CREATE TABLE p (c int, number varchar(40), KEY (c));
		INSERT INTO c VALUES (1, 'Zoë 😀', '2026-01-01'); INSERT INTO p SELECT 1, concat('+1212555', lpad(seq, 4, '0')) FROM seq_1_to_200`)
	for _, phones := range []string{"(SELECT json_arrayagg(p.number) FROM p WHERE p.c = c.id)", "(SELECT concat('[\"', group_concat(p.number SEPARATOR '\",\"'), '\"]') FROM p WHERE p.c = c.id)"} {
		r := read(t, db.User(t, "PROCESS"), "table: c\nid: id\nupdated: updated_at\nfields:\n  name: name\n  phones: \""+strings.ReplaceAll(phones, `"`, `\"`)+"\"\n")
		got, _ := r.run(t, "", 10)
		if got = once(got); len(got) != 1 || len(got[0].Contact.Phones) != 200 || got[0].Contact.Phones[199] != "+12125550200" || got[0].Contact.Name != "Zoë 😀" {
			t.Errorf("%s: %+v", phones, got)
		}
	}
}

// Every sql_mode that changes how SQL is read, and generated columns.
func TestModesOfTheServerAndOfTheSession(t *testing.T) {
	db := mariadb.Database(t, "CREATE TABLE `Cus``tomers` (`i d` varchar(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY, n varchar(20), full varchar(40) AS (concat(n, '!')) VIRTUAL, "+
		"updated_at datetime, KEY (updated_at, `i d`)); INSERT INTO `Cus``tomers` (`i d`, n, updated_at) VALUES ('a''\\\\', 'x', '2026-01-01'), ('b\"', 'y', '2026-01-01')")
	for _, mode := range []string{"", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI", "PAD_CHAR_TO_FULL_LENGTH,TRADITIONAL"} {
		dsn := db.User(t, "PROCESS")
		if mode != "" {
			dsn += "?sql_mode=" + mode
		}
		r := read(t, dsn, "table: '`Cus``tomers`'\nid: '`i d`'\nupdated: updated_at\nfields: {name: full}\n")
		got, checkpoint := r.run(t, "", 1)
		expect(t, mode, fmt.Sprint(ids(got), got[0].Contact.Name), `a'\ b"x!`)
		got, _ = r.run(t, checkpoint, 1)
		expect(t, mode, ids(got), "")
	}
}

func TestWithoutPrivilegeTheOverlapIsReadAgain(t *testing.T) {
	db := mariadb.Database(t, `CREATE TABLE c (id int PRIMARY KEY, name text, updated_at datetime(6), KEY (updated_at, id)) ENGINE=InnoDB; INSERT INTO c VALUES (1, 'a', UTC_TIMESTAMP(6))`)
	r := read(t, db.User(t), plain)
	_, checkpoint := r.run(t, "", 10)
	got, _ := r.run(t, checkpoint, 10)
	expect(t, "the overlap", ids(got), "1")
	if found := r.inspect(t); !strings.Contains(found, "no_privilege") || !strings.Contains(found, "GRANT PROCESS ON *.* TO 'reader_") {
		t.Errorf("the inspection finds %s", found)
	}
	if !strings.Contains(r.log.String(), "GRANT PROCESS") {
		t.Errorf("the log says %s", r.log)
	}
}

// The server's list of transactions stays as it is while others ask for it.
func TestTheListOfTransactionsIsNotOutOfDate(t *testing.T) {
	db := mariadb.Database(t, `CREATE TABLE c (id int PRIMARY KEY, name text, updated_at datetime(6), KEY (updated_at, id)) ENGINE=InnoDB; INSERT INTO c VALUES (1, 'a', '2026-01-01')`)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for ctx.Err() == nil {
			_, _ = db.ExecContext(ctx, "SELECT count(*) FROM information_schema.innodb_trx") // it ends with the context
			time.Sleep(20 * time.Millisecond)
		}
	}()
	time.Sleep(200 * time.Millisecond)
	r := read(t, db.User(t, "PROCESS"), plain)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("INSERT INTO c VALUES (2, 'late', UTC_TIMESTAMP(6))"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1200 * time.Millisecond)
	db.Run(t, "INSERT INTO c VALUES (3, 'b', UTC_TIMESTAMP(6))")
	_, checkpoint := r.run(t, "", 10)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, _ := r.run(t, checkpoint, 10); !strings.Contains(ids(got), "2") {
		t.Errorf("the late commit is lost: %q after %s", ids(got), checkpoint)
	}
}

func TestUnixSocket(t *testing.T) {
	db := mariadb.Database(t, `CREATE TABLE c (id int PRIMARY KEY, name text, updated_at datetime); INSERT INTO c VALUES (1, 'a', '2026-01-01')`)
	got, _ := read(t, "mysql://root@/"+db.Name+"?socket="+mariadb.Server(t).Socket(), plain).run(t, "", 10)
	expect(t, "ids", ids(got), "1")
}

// The configuration as the documentation has it.
func TestConfigurationOfTheDocumentation(t *testing.T) {
	db := mariadb.Database(t, `CREATE TABLE customers (id int PRIMARY KEY, first_name text, last_name text, phone text, mobile text, country text, updated_at timestamp, KEY (updated_at, id));
		INSERT INTO customers VALUES (7, 'Jane', NULL, '030 1234567', '', 'Germany', '2026-01-01')`)
	got, _ := read(t, db.User(t, "PROCESS"), `
table: customers
id: id
updated: updated_at
fields: {name: "concat_ws(' ', first_name, last_name)", phones: [phone, mobile], country: country}
`).run(t, "", 10)
	if got = once(got); len(got) != 1 || got[0].Contact.Name != "Jane" || got[0].Contact.Phones[0] != "030 1234567" || got[0].Contact.Country != "Germany" {
		t.Errorf("got %+v", got)
	}
}

func TestDSN(t *testing.T) {
	for dsn, want := range map[string]string{
		"":                               "dsn is missing",
		"postgres://u@h/d":               "cannot be read",
		"mysql://h":                      "no database",
		"mysql:///d":                     "no host",
		"mysql://h/d?allowAllFiles=true": `the setting "allowAllFiles"`,
		"mysql://h/d?allowCleartextPasswords=true":            "the setting",
		"mysql://h/d?multiStatements=true":                    "the setting",
		"mysql://h/d?tls=maybe":                               "a tls that cannot be used",
		"mysql://h/d?socket=/s":                               "a host and a socket",
		"mysql://h/d?sql_mode=A'B":                            "a sql_mode",
		"mysql://h/d?timeout=-1s":                             "a timeout",
		"mysql://h/d?ca=/nowhere.pem":                         "ca that cannot be read",
		"mysql://u:p@{{auth.host}}/d":                         "{{auth.host}}",
		"mysql://u:p@h/d?socket={{auth.s}}":                   "{{auth.s}}",
		"mysql://u:p@h/d?tls={{auth.tls}}":                    "{{auth.tls}}",
		"mysql://{{auth.u}}:{{auth.p}}@h/{{auth.d}}?tls=true": "",
		"mysql://u:p%40%3A@[::1]:3307/d?tls=skip-verify":      "",
	} {
		_, err := tryRead(t, dsn, plain, bridge.Auth{"u": "a", "p": "b@:/?", "d": "c/../d"})
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", dsn, err, want)
		case err != nil && strings.Contains(err.Error(), "u:p"):
			t.Errorf("%s holds a credential", err)
		}
	}
}

// A caller's credential is what it is, with every character that means something in a URL.
func TestCallersCredentials(t *testing.T) {
	db := mariadb.Database(t, `CREATE TABLE c (id int PRIMARY KEY, name text, updated_at datetime); INSERT INTO c VALUES (1, 'a', '2026-01-01')`)
	user, password := "odd_"+db.Name, `p@:/?#%&'"\`
	db.Run(t, fmt.Sprintf("CREATE USER %s@'127.0.0.1' IDENTIFIED BY '%s'; GRANT SELECT ON %s.* TO %[1]s@'127.0.0.1'", user, `p@:/?#%&\'"\\`, db.Name))
	t.Cleanup(func() { db.Run(t, "DROP USER "+user+"@'127.0.0.1'") })
	address := strings.TrimPrefix(db.DSN, "mysql://root@")
	dsn := "mysql://{{auth.user}}:{{auth.password}}@" + strings.Split(address, "/")[0] + "/{{auth.database}}"
	r, err := tryRead(t, dsn, plain, bridge.Auth{"user": user, "password": password, "database": db.Name})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := r.run(t, "", 10)
	expect(t, "ids", ids(got), "1")
	r, err = tryRead(t, dsn, plain, bridge.Auth{"user": user, "password": password, "database": db.Name + "?tls=true"})
	if err == nil {
		err = r.Probe(t.Context())
	}
	if bridge.CodeOf(err) != bridge.CodeUnauthorized {
		t.Errorf("a database that is no name: %v", err)
	}
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	db := mariadb.Database(t, `CREATE TABLE c (id int PRIMARY KEY, name text, updated_at datetime); CREATE TABLE secret (id int)`)
	dsn := db.User(t, "PROCESS")
	for name, c := range map[string]struct {
		dsn, config string
		code        bridge.Code
		words       string
	}{
		"wrong password": {strings.Replace(dsn, ":secret@", ":other@", 1), plain, bridge.CodeUnauthorized, "refused the credentials"},
		"no database":    {db.DSN + "x", plain, bridge.CodeSourceBroken, "does not exist"},
		"not his":        {strings.Replace(dsn, db.Name, "mysql", 1), plain, bridge.CodeUnauthorized, "may not use the database"},
		"unreachable":    {"mysql://u:secret@127.0.0.1:1/d", plain, bridge.CodeSourceUnavailable, "cannot be reached"},
		"no table":       {dsn, `{table: nothing, id: id, fields: {name: name}}`, bridge.CodeSourceBroken, "table"},
		"no column":      {dsn, `{table: c, id: id, fields: {name: nme}}`, bridge.CodeSourceBroken, "nme"},
		"syntax":         {dsn, `{table: c, id: id, fields: {name: "name ||| 'x'"}}`, bridge.CodeSourceBroken, "fields.name"},
		"no stamp":       {dsn, `{table: c, id: id, updated: name, fields: {name: name}}`, bridge.CodeSourceBroken, "updated"},
		"no TLS":         {dsn + "?tls=true", plain, bridge.CodeSourceUnavailable, "TLS"},
	} {
		r, err := tryRead(t, c.dsn, c.config, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = r.Check(t.Context())
		text := fmt.Sprint(err)
		if bridge.CodeOf(err) != c.code || !strings.Contains(text, c.words) || strings.Contains(text, "secret") {
			t.Errorf("%s: code %s, %s; want %s and %q", name, bridge.CodeOf(err), text, c.code, c.words)
		}
	}
}

// Pitfall A-S1: a connection that breaks in the middle of a page is an error, and no end.
func TestBrokenConnectionIsNoEnd(t *testing.T) {
	db := mariadb.Database(t, `CREATE TABLE c (id int PRIMARY KEY, name text, updated_at datetime, KEY (updated_at, id)); INSERT INTO c SELECT seq, repeat('x', 1000), '2026-01-01' FROM seq_1_to_5000`)
	template, err := source.ParseTemplate(db.User(t, "PROCESS") + "?tls=false")
	if err != nil {
		t.Fatal(err)
	}
	var cfg Config
	if err := yaml.Unmarshal([]byte(plain), &cfg); err != nil {
		t.Fatal(err)
	}
	cfg.DSN = template
	dialer := &cutter{}
	f, err := New(cfg, source.Deps{Dial: dialer.dial})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := f.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run, err := s.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	dialer.left = 100_000
	read := 0
	for _, err = range s.Read(t.Context(), run, nil, 5000) {
		if err == nil {
			read++
		}
	}
	if err == nil || read == 0 || bridge.CodeOf(err) != bridge.CodeSourceUnavailable {
		t.Errorf("%d rows, then %v", read, err)
	}
}

// A cutter breaks connections after some bytes.
type cutter struct{ left int }

func (c *cutter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	return &cutConn{conn, c}, err
}

type cutConn struct {
	net.Conn
	cutter *cutter
}

// Read implements [net.Conn].
func (c *cutConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.cutter.left > 0 {
		if c.cutter.left -= n; c.cutter.left <= 0 {
			return 0, errors.Join(errors.New("connection reset"), c.Close())
		}
	}
	return n, err
}

func TestZonesOfTheServer(t *testing.T) {
	for zone, want := range map[string]string{"SYSTEM": "CET", "+02:00": "Etc/GMT-2", "-05:00": "Etc/GMT+5", "+00:00": "UTC", "Europe/Berlin": "Europe/Berlin", "+05:30": "+05:30"} {
		expect(t, zone, serverState{globalZone: zone, ownZone: "CET"}.zone(), want)
	}
}

// A server that is read-only may be a replica: the overlap is read again.
func TestReadOnlyServerCountsAsReplica(t *testing.T) {
	alone := &mysqltest.Suite{Options: []string{"--read-only"}}
	private := alone.Server(t)
	t.Cleanup(func() { _ = private.Stop() })
	db := alone.Database(t, `CREATE TABLE c (id int PRIMARY KEY, name text, updated_at datetime(6), KEY (updated_at, id)); INSERT INTO c VALUES (1, 'a', UTC_TIMESTAMP(6))`)
	r := read(t, db.User(t, "PROCESS"), plain)
	_, checkpoint := r.run(t, "", 10)
	got, _ := r.run(t, checkpoint, 10)
	expect(t, "the overlap", ids(got), "1")
	if found := r.inspect(t); !strings.Contains(found, "standby") || !strings.Contains(r.log.String(), "replica") {
		t.Errorf("the inspection finds %s, the log says %s", found, r.log)
	}
}
