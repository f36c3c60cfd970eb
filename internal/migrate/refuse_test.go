package migrate_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/hub/secret"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/migrate"
)

// used is the data folder of a hub that has been used and stopped.
func used(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	c := &clock{at: time.Now().UTC().Truncate(time.Millisecond)}
	w := embedded(t, folder, c)
	w.live(c)
	w.close()
	return folder
}

// rows counts what a database holds in the hub's schema, besides versions and counters.
func rows(t *testing.T, dsn string) (n int64) {
	t.Helper()
	conn := got(pgx.Connect(t.Context(), dsn))(t)
	defer conn.Close(context.WithoutCancel(t.Context()))
	tables := got(conn.Query(t.Context(), `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables
		WHERE schemaname = 'contactbridge' AND tablename !~ 'migrations|counters'`))(t)
	for _, table := range got(pgx.CollectRows(tables, pgx.RowTo[string]))(t) {
		var more int64
		ok(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&more))
		n += more
	}
	return n
}

// refused moves what cannot be moved, and wants to be told so, and that the database is empty.
func refused(t *testing.T, o migrate.Options, message, hint string) error {
	t.Helper()
	_, err := migrate.Run(t.Context(), o)
	if err == nil {
		t.Fatal("it was moved")
	}
	if e := failure.Of(err); !strings.Contains(err.Error(), message) || !strings.Contains(e.Hint, hint) {
		t.Errorf("%v (%+v); want %q, %q", err, e, message, hint)
	}
	if strings.Contains(err.Error(), "pa55") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error holds a secret: %v", err)
	}
	return err
}

func options(t *testing.T, folder, dsn string) migrate.Options {
	t.Helper()
	return migrate.Options{From: folder, To: dsn, Keys: keysOf(folder)}
}

// digests are the files of a folder.
func digests(t *testing.T, folder string) map[string][sha256.Size]byte {
	t.Helper()
	all := map[string][sha256.Size]byte{}
	for _, entry := range got(os.ReadDir(folder))(t) {
		all[entry.Name()] = sha256.Sum256(got(os.ReadFile(filepath.Join(folder, entry.Name())))(t))
	}
	return all
}

func TestNothingIsChangedInTheFolder(t *testing.T) {
	folder := used(t)
	before := digests(t, folder)
	move(t, folder, server.Database(t).DSN)
	if after := digests(t, folder); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("before %x\nafter  %x", before, after)
	}
}

// A hub that runs, even one that does nothing, is noticed; so is any other process that has one of the files open.
func TestAHubThatRunsIsNotMoved(t *testing.T) {
	t.Parallel()
	folder := used(t)
	database := server.Database(t)
	key := got(secret.FromFile(filepath.Join(folder, hubserver.KeyFile), false))(t)
	for name, open := range map[string]func() (interface{ Close() error }, error){
		"registry": func() (interface{ Close() error }, error) {
			return registry.Open(t.Context(), filepath.Join(folder, hubserver.RegistryFile), registry.OpenOptions{Seal: key})
		},
		"directory": func() (interface{ Close() error }, error) {
			return sqlite.Open(t.Context(), filepath.Join(folder, hubserver.DirectoryFile))
		},
	} {
		t.Run(name, func(t *testing.T) {
			held := got(open())(t)
			err := refused(t, options(t, folder, database.DSN), "in use", "stop the hub")
			if !errors.Is(err, migrate.ErrInUse) {
				t.Errorf("%v", err)
			}
			ok(t, held.Close())
		})
	}
	if n := rows(t, database.DSN); n != 0 {
		t.Errorf("%d rows were moved", n)
	}
	move(t, folder, database.DSN)
}

// While it is moved nobody changes it: what they wrote would be missing.
func TestNobodyOpensWhatIsBeingMoved(t *testing.T) {
	folder := used(t)
	o := options(t, folder, server.Database(t).DSN)
	tried := false
	o.Progress = func(migrate.Progress) {
		if tried {
			return
		}
		tried = true
		for _, file := range []string{hubserver.RegistryFile, hubserver.DirectoryFile} {
			db := got(sql.Open("sqlite", filepath.Join(folder, file)+"?_pragma=busy_timeout(10)"))(t)
			if _, err := db.ExecContext(t.Context(), "CREATE TABLE x (y)"); err == nil {
				t.Errorf("%s can be written to", file)
			}
			db.Close()
		}
	}
	got(migrate.Run(t.Context(), o))(t)
	if !tried {
		t.Error("nobody tried")
	}
}

func TestAHubsDatabaseIsNotOverwritten(t *testing.T) {
	folder := used(t)
	database := server.Database(t)
	move(t, folder, database.DSN)
	n := rows(t, database.DSN)
	if err := refused(t, options(t, folder, database.DSN), "holds a hub already", "DROP SCHEMA contactbridge CASCADE"); !errors.Is(err, migrate.ErrOccupied) {
		t.Errorf("%v", err)
	}
	if after := rows(t, database.DSN); n == 0 || after != n {
		t.Errorf("%d rows, then %d", n, after)
	}
	// One account is a hub.
	other := server.Database(t)
	hub := got(registry.Open(t.Context(), other.DSN, registry.OpenOptions{}))(t)
	ok(t, hub.PutAccount(t.Context(), registry.Account{Name: "mine"}))
	ok(t, hub.Close())
	refused(t, options(t, folder, other.DSN), "holds a hub already", "Stop every hub on it")
}

// An older hub's tables are not even brought up to date.
func TestADatabaseThatIsRefusedIsNotTouched(t *testing.T) {
	database := server.Database(t, "CREATE SCHEMA contactbridge", "CREATE TABLE contactbridge.hub_accounts (name text)", "INSERT INTO contactbridge.hub_accounts VALUES ('old')")
	refused(t, options(t, used(t), database.DSN), "holds a hub already", "")
	conn := got(pgx.Connect(t.Context(), database.DSN))(t)
	defer conn.Close(t.Context())
	var tables int
	ok(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'contactbridge'").Scan(&tables))
	if tables != 1 {
		t.Errorf("%d tables", tables)
	}
}

func TestTheKeyMustOpenWhatIsSealed(t *testing.T) {
	folder := used(t)
	database := server.Database(t)
	o := options(t, folder, database.DSN)
	o.Keys = func(context.Context) (*secret.Ring, error) {
		return secret.Parse(secret.NewKey(), "the environment variable HUB_KEY")
	}
	refused(t, o, "the keys of the environment variable HUB_KEY do not open", hubserver.KeyFile)
	ok(t, os.Remove(filepath.Join(folder, hubserver.KeyFile)))
	refused(t, options(t, folder, database.DSN), "the key that opens the hub's 6 sealed credentials cannot be read", "-c")
	conn := got(pgx.Connect(t.Context(), database.DSN))(t)
	defer conn.Close(t.Context())
	var there bool
	ok(t, conn.QueryRow(t.Context(), "SELECT to_regnamespace('contactbridge') IS NOT NULL").Scan(&there))
	if there {
		t.Error("tables were made before the key was tried")
	}
}

// A hub without credentials needs no key.
func TestWhereNothingIsSealedNoKeyIsAskedFor(t *testing.T) {
	folder := t.TempDir()
	w := embedded(t, folder, &clock{at: time.Now()})
	ok(t, w.registry.PutAccount(t.Context(), registry.Account{Name: "acme"}))
	w.close()
	result := got(migrate.Run(t.Context(), migrate.Options{From: folder, To: server.Database(t).DSN}))(t)
	if result.Secrets != 0 || result.Key != "" {
		t.Errorf("%+v", result)
	}
}

func TestWhatIsNoHubIsRefused(t *testing.T) {
	database := server.Database(t)
	folder := t.TempDir()
	for _, path := range []string{filepath.Join(folder, "nothing"), folder} {
		if _, err := migrate.Run(t.Context(), migrate.Options{From: path, To: database.DSN}); !errors.Is(err, migrate.ErrNothing) {
			t.Errorf("%s: %v", path, err)
		}
	}
	text := filepath.Join(folder, "text.db")
	ok(t, os.WriteFile(text, []byte(strings.Repeat("no database ", 100)), 0o600))
	refused(t, migrate.Options{From: text, To: database.DSN}, "not an SQLite file", "")
	hub := filepath.Join(used(t), hubserver.RegistryFile)
	refused(t, migrate.Options{From: hub, To: database.DSN}, "it is not a directory", "data folder")
	for version, message := range map[int]string{2: "older contactbridge", 99: "newer contactbridge"} {
		old := copyFolder(t, used(t))
		db := got(sql.Open("sqlite", filepath.Join(old, hubserver.DirectoryFile)))(t)
		got(db.ExecContext(t.Context(), "DELETE FROM goose_db_version WHERE version_id > 2"))(t)
		got(db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, 1)", version))(t)
		ok(t, db.Close())
		refused(t, options(t, old, database.DSN), message, "contactbridge")
	}
	refused(t, options(t, used(t), "postgres://hub:pa55@127.0.0.1:1/hub"), "cannot be reached", "")
	refused(t, options(t, used(t), "postgres://hub:pa55%zz@127.0.0.1:1/hub"), "cannot be read", "%40")
}

// A single directory file, as sync writes it, is moved alone.
func TestADirectoryIsMovedAlone(t *testing.T) {
	c := &clock{at: time.Now().UTC().Truncate(time.Millisecond)}
	folder := used(t)
	database := server.Database(t)
	result := move(t, filepath.Join(folder, hubserver.DirectoryFile), database.DSN)
	if result.Secrets != 0 || result.Contacts == 0 {
		t.Errorf("%+v", result)
	}
	old, moved := embedded(t, folder, c), shared(t, database.DSN, folder, c)
	defer old.close()
	defer moved.close()
	compareDirectories(t, "after the move", old, moved)
	if accounts := got(moved.registry.Accounts(t.Context()))(t); len(accounts) != 0 {
		t.Errorf("%+v", accounts)
	}
}

// An empty hub becomes an empty hub, with keys that begin at the beginning.
func TestAnEmptyHubIsMoved(t *testing.T) {
	c := &clock{at: time.Now().UTC().Truncate(time.Millisecond)}
	folder := t.TempDir()
	embedded(t, folder, c).close()
	database := server.Database(t)
	move(t, folder, database.DSN)
	w := shared(t, database.DSN, folder, c)
	defer w.close()
	if run := w.complete(crm, false, directory.PageChanges{Contacts: people(1, 3)}); run.ID != 1 || run.Created != 3 {
		t.Errorf("%+v", run)
	}
}

// What browsers call themselves may be no text at all.
func TestTextsThatPostgreSQLCannotKeepAreReplaced(t *testing.T) {
	c := &clock{at: time.Now()}
	folder := t.TempDir()
	w := embedded(t, folder, c)
	ok(t, w.registry.CreateFirstUser(t.Context(), registry.User{ID: "u1", Name: "jane", Role: registry.RoleAdmin}))
	ok(t, w.registry.PutSession(t.Context(), registry.Session{Digest: []byte{1}, User: "u1", Expires: c.at.Add(time.Hour), Agent: "Mozilla\x00 \xff\xfe!"}))
	w.close()
	database := server.Database(t)
	if result := move(t, folder, database.DSN); result.Replaced != 1 {
		t.Errorf("%+v", result)
	}
	w = shared(t, database.DSN, folder, c)
	defer w.close()
	if sessions := got(w.registry.Sessions(t.Context(), "u1"))(t); len(sessions) != 1 || sessions[0].Agent != "Mozilla\ufffd \ufffd!" {
		t.Errorf("%+v", sessions)
	}
}

// Something in the database that changes rows on their way in is noticed, and nothing is kept.
func TestRowsThatDoNotArriveAsTheyWereAreNoticed(t *testing.T) {
	folder := used(t)
	database := server.Database(t)
	w := shared(t, database.DSN, folder, &clock{})
	w.close()
	database.Exec(t, `CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.hash = '\x00'; RETURN NEW; END $$;
		CREATE TRIGGER meddle BEFORE INSERT ON contactbridge.contacts FOR EACH ROW WHEN (NEW.id = '0007') EXECUTE FUNCTION meddle()`)
	refused(t, options(t, folder, database.DSN), "contactbridge.contacts does not hold what was copied", "triggers")
	if n := rows(t, database.DSN); n != 0 {
		t.Errorf("%d rows were kept", n)
	}
}

func TestTablesThatSomebodyWorksInAreNotWaitedForForever(t *testing.T) {
	t.Parallel()
	folder := used(t)
	database := server.Database(t)
	shared(t, database.DSN, folder, &clock{}).close()
	tx := got(database.Conn(t).Begin(t.Context()))(t)
	got(tx.Exec(t.Context(), "LOCK TABLE contactbridge.runs IN SHARE MODE"))(t)
	refused(t, options(t, folder, database.DSN), "another process works in the database's tables", "stop every hub")
	ok(t, tx.Rollback(t.Context()))
	move(t, folder, database.DSN)
}

// victim, in the environment, makes the test binary the process that is killed.
const victim = "MIGRATE_KILL_TEST"

// kill is where the victim dies.
func dieAt(what string) {
	from, to, _ := strings.Cut(os.Getenv(victim), "|")
	to, step, _ := strings.Cut(to, "|")
	_, err := migrate.Run(context.Background(), migrate.Options{From: from, To: to, Keys: keysOf(from), Progress: func(p migrate.Progress) {
		if p.What == step {
			kill()
		}
	}})
	fmt.Fprintln(os.Stderr, what, err)
	os.Exit(1)
}

func kill() {
	self, _ := os.FindProcess(os.Getpid())
	_ = self.Kill()
	select {}
}

// A process that is killed leaves an empty database and whole files, wherever it was, and the next one succeeds.
func TestAKilledMoveLeavesNothing(t *testing.T) {
	folder := used(t)
	before := digests(t, folder)
	database := server.Database(t)
	for _, step := range []string{"accounts", "audit", "contacts", "indexes", "rejected", "statistics"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), victim+"="+folder+"|"+database.DSN+"|"+step)
		text, err := cmd.CombinedOutput()
		if failure, isExit := errors.AsType[*exec.ExitError](err); !isExit || failure.ExitCode() != -1 {
			t.Fatalf("%s: the victim was not killed: %v %s", step, err, text)
		}
		if n := rows(t, database.DSN); n != 0 {
			t.Errorf("%s: %d rows are left", step, n)
		}
	}
	move(t, folder, database.DSN)
	if after := digests(t, folder); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("before %x\nafter  %x", before, after)
	}
}

// An interrupted move leaves nothing either.
func TestAnInterruptedMoveLeavesNothing(t *testing.T) {
	folder := used(t)
	database := server.Database(t)
	ctx, cancel := context.WithCancel(t.Context())
	o := options(t, folder, database.DSN)
	o.Progress = func(p migrate.Progress) {
		if p.What == "contacts" {
			cancel()
		}
	}
	if _, err := migrate.Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if n := rows(t, database.DSN); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	move(t, folder, database.DSN)
}
