package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/internal/postgresdb"
	"github.com/contactbridge/contactbridge/internal/sqlitefile"
	"github.com/contactbridge/contactbridge/internal/transfer"
)

// A moved table has the same columns in a file and in PostgreSQL. They come in an order in which each finds what it belongs to.
type moved struct {
	name, columns string
	identity      bool // its keys are given by the database
}

var movedTables = []moved{
	{name: "accounts", columns: "name, region, time_zone, managed, created, going"},
	{name: "integrations", columns: "account, name, config, scheduled, paused, managed, auth_set, created, updated, health, problem, failures, fresh, last_full, due, " +
		"asked, asked_at, taken, token, worker, until, late, touched, going, version, learned"},
	{name: "secrets", columns: "kind, owner, name, sealed, kept"},
	{name: "tokens", columns: "id, account, name, digest, scopes, managed, created, expires, used, maker, parent, made_by"},
	{name: "users", columns: "id, name, folded, role, accounts, password, subject, disabled, created, last_seen"},
	{name: "sessions", columns: "digest, user_id, created, expires, agent"},
	{name: counters, columns: "name, value"},
	{name: "events", columns: "id, time, kind, account, subject, data"},
	{name: "webhooks", columns: "id, account, url, kinds, managed, disabled, created, held, failures"},
	{name: "deliveries", columns: "id, webhook, event, attempts, problem, next, ended", identity: true},
	{name: "audit", columns: "id, time, actor, action, account, subject, detail", identity: true},
	{name: "samples", columns: "account, day, contacts"},
	{name: "settings", columns: "name, value"},
	{name: "removed", columns: "account, name, at, until"},
	{name: "leases", columns: "name, holder, until"},
}

// counters is the table that is never empty.
const counters = "counters"

func (m moved) table() transfer.Table {
	return transfer.Table{Schema: "contactbridge", Name: "hub_" + m.name, Columns: strings.Split(m.columns, ", ")}
}

// Tables are the tables of a registry on PostgreSQL that hold nothing before somebody uses it.
func Tables() (tables []transfer.Table) {
	for _, m := range movedTables {
		if m.name != counters {
			tables = append(tables, m.table())
		}
	}
	return tables
}

// An Export is a registry's file that is read from one end to the other, to move it to PostgreSQL. Nobody else has it open or
// can open it meanwhile, and nothing in it is changed.
type Export struct {
	file     *sqlitefile.Alone
	replaced int64
}

// OpenExport opens a registry's file for an export: one that is there, of this release's schema, and that no other process has
// open ([sqlitefile.ErrInUse]).
func OpenExport(ctx context.Context, path string) (*Export, error) {
	file, err := OpenAlone(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		err = &directory.Error{Message: "it is not there", Hint: "name a hub's data folder, which holds it", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open the registry %s: %w", path, err)
	}
	return &Export{file: file}, nil
}

// Close lets others open the file.
func (e *Export) Close() error { return e.file.Close() }

// Replaced is how many texts held characters that PostgreSQL has no place for, and have U+FFFD there now.
func (e *Export) Replaced() int64 { return e.replaced }

// Secrets is how many sealed secrets there are.
func (e *Export) Secrets(ctx context.Context) (n int, err error) {
	return n, e.file.Value(ctx, &n, "SELECT count(*) FROM secrets")
}

// Check opens every secret, and reports those that do not open.
func (e *Export) Check(ctx context.Context, seal Sealer) error {
	var problems []error
	for row, err := range e.file.Rows(ctx, "SELECT kind, owner, name, sealed FROM secrets ORDER BY owner, kind, name") {
		if err != nil {
			return fmt.Errorf("read the secrets: %w", err)
		}
		kind, owner, name := row[0].(string), row[1].(string), row[2].(string)
		if _, err := seal.Open(row[3].([]byte), place(kind, owner, name)); err != nil {
			problems = append(problems, fmt.Errorf("%s of %s: %w", cmp.Or(name, kind), owner, err))
		}
	}
	return summed(problems)
}

// flags are the columns that are numbers in a file.
var flags = []string{"scheduled", "paused", "managed", "disabled"}

func (e *Export) rows(ctx context.Context, m moved) transfer.Rows {
	columns := m.table().Columns
	return func(yield func([]any, error) bool) {
		for row, err := range e.file.Rows(ctx, "SELECT "+m.columns+" FROM "+m.name) {
			for i := range row {
				switch v := row[i].(type) {
				case string:
					row[i] = e.storable(v)
				case int64:
					if slices.Contains(flags, columns[i]) {
						row[i] = v != 0
					}
				}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// storable is a text as PostgreSQL can keep it: what a browser calls itself may hold anything.
func (e *Export) storable(text string) string {
	if utf8.ValidString(text) && !strings.Contains(text, "\x00") {
		return text
	}
	e.replaced++
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
}

// Import fills a registry's empty tables with everything that an embedded one holds. The caller has locked them, and ends the
// transaction. Claims come along as well: those of a process that has died are taken over here.
func Import(ctx context.Context, c *transfer.Copier, from *Export) error {
	if _, err := c.Tx.Exec(ctx, "DELETE FROM contactbridge.hub_counters"); err != nil {
		return fmt.Errorf("move the registry: %w", postgresdb.Explain(err))
	}
	for _, m := range movedTables {
		err := c.Copy(ctx, m.table(), from.rows(ctx, m))
		if err == nil && m.identity {
			err = goOnBehind(ctx, c, from, m)
		}
		if err != nil {
			return fmt.Errorf("move the registry: %w", postgresdb.Explain(err))
		}
	}
	return nil
}

// goOnBehind makes sure that no key is given again.
func goOnBehind(ctx context.Context, c *transfer.Copier, from *Export, m moved) error {
	var greatest int64
	if err := from.file.Value(ctx, &greatest, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = $1", m.name); err != nil || greatest == 0 {
		return err
	}
	_, err := c.Tx.Exec(ctx, "SELECT setval(pg_get_serial_sequence($1, 'id'), $2)", m.table().String(), greatest)
	return err
}
