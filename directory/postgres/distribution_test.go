package postgres_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/directory/postgres"
	"github.com/contactbridge/contactbridge/internal/test/distribution"
)

// plan is how the directory is distributed: see docs/scaling.md.
var plan = distribution.Plan{
	Schema: "contactbridge", Column: "account",
	Reference: map[string]string{
		"accounts": "names of accounts and their numbers: looked up by name before the account is known, and hardly ever written",
	},
	Local: map[string]string{
		"directory_migrations": "which versions of the tables were applied: one list for all nodes",
	},
}

// TestTheTablesCanBeDistributedByAccount reads the catalogue. It fails for a table that breaks a rule, and says which rule and how to mend it.
func TestTheTablesCanBeDistributedByAccount(t *testing.T) {
	conn := migrated(t)
	for _, broken := range got(distribution.Check(t.Context(), conn, plan))(t) {
		t.Error(broken)
	}
}

// TestATableThatBreaksARuleOfDistributionIsFound adds such tables, one for each rule.
func TestATableThatBreaksARuleOfDistributionIsFound(t *testing.T) {
	conn := migrated(t)
	for _, c := range []struct{ statement, want string }{
		{"CREATE TABLE contactbridge.notes (id bigint PRIMARY KEY)", "table notes: it has no column account"},
		{"CREATE TABLE contactbridge.notes (account integer, id bigint PRIMARY KEY)", "table notes, index notes_pkey: every unique key of a distributed table contains the column account"},
		{"CREATE TABLE contactbridge.notes (account integer, id bigint, PRIMARY KEY (id) INCLUDE (account))", "table notes, index notes_pkey: every unique key"},
		{"CREATE TABLE contactbridge.notes (account integer, id bigint, text text, PRIMARY KEY (account, id)); CREATE UNIQUE INDEX notes_text ON contactbridge.notes (text)", "table notes, index notes_text: every unique key"},
		{"CREATE TABLE contactbridge.notes (account integer, id integer GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (account, id))", "table notes, column id: an identity column"},
		{
			"CREATE TABLE contactbridge.notes (account integer, theirs integer, contact bigint, PRIMARY KEY (account, contact), FOREIGN KEY (theirs, contact) REFERENCES contactbridge.contacts (account, pk))",
			"table notes, foreign key notes_theirs_contact_fkey: it leads from one account to another's rows",
		},
		{"CREATE TABLE contactbridge.notes (account integer PRIMARY KEY); ALTER TABLE contactbridge.accounts ADD FOREIGN KEY (id) REFERENCES contactbridge.notes (account)", "table accounts, foreign key accounts_id_fkey: accounts is on one node"},
	} {
		tx := got(conn.Begin(t.Context()))(t)
		if _, err := tx.Exec(t.Context(), c.statement); err != nil {
			t.Fatal(err)
		}
		found := got(distribution.Check(t.Context(), conn, plan))(t)
		if !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, c.want) }) {
			t.Errorf("%s: found %q, not %q", c.statement, found, c.want)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// migrated connects to a database with the directory's tables.
func migrated(t *testing.T) *pgx.Conn {
	t.Helper()
	db := server.Database(t)
	store := got(postgres.Open(t.Context(), db.DSN))(t)
	store.Close()
	conn := got(pgx.Connect(t.Context(), db.DSN))(t)
	t.Cleanup(func() { conn.Close(t.Context()) })
	return conn
}

func got[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// partitions returns the statements of docs/scaling.md that move the directory's tables into partitions.
func partitions(t *testing.T) string {
	t.Helper()
	text := string(got(os.ReadFile("../../docs/scaling.md"))(t))
	_, rest, found := strings.Cut(text, "```sql\n-- Partitions")
	statements, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatal("docs/scaling.md has no SQL that begins with -- Partitions")
	}
	return "--" + statements
}
