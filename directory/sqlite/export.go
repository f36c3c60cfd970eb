package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/internal/sqlitefile"
)

// An Export is a directory file that is read from one end to the other, to move it into another store. Nobody else has it open
// or can open it meanwhile, and nothing in it is changed.
type Export struct{ file *sqlitefile.Alone }

var _ directory.Mover = (*Export)(nil)

// OpenExport opens a directory file for an export: one that is there, of this release's schema, and that no other process has
// open ([sqlitefile.ErrInUse]).
func OpenExport(ctx context.Context, path string) (*Export, error) {
	file, err := OpenAlone(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		err = &directory.Error{Message: "it is not there", Err: ErrNoFile, Hint: "name a hub's data folder, or the file that contactbridge sync wrote (--db)"}
	}
	if err != nil {
		return nil, fmt.Errorf("open the directory %s: %w", path, err)
	}
	return &Export{file}, nil
}

// Close lets others open the file.
func (e *Export) Close() error { return e.file.Close() }

// Only integrations that have a name, and what belongs to them: the others are being forgotten.
const named = " i ON i.name IS NOT NULL AND i.pk = "

// exports are the queries that give each table. A CROSS JOIN is done in the order in which it is written.
var exports = map[string]string{
	directory.MovedAccounts:     "SELECT pk, CAST(name AS BLOB) FROM accounts",
	directory.MovedIntegrations: "SELECT account, pk, CAST(name AS BLOB), CAST(checkpoint AS BLOB), contacts, CAST(settings AS BLOB) FROM integrations WHERE name IS NOT NULL",
	directory.MovedContacts: `SELECT i.account, c.pk, c.integration, CAST(c.id AS BLOB), c.hash, c.data
		FROM contacts c CROSS JOIN integrations` + named + `c.integration ORDER BY c.pk`,
	directory.MovedNumbers: `SELECT n.account, n.contact, n.position, n.reversed, n.full, CAST(n.raw AS BLOB), CAST(n.extension AS BLOB)
		FROM numbers n CROSS JOIN contacts c ON c.pk = n.contact CROSS JOIN integrations` + named + `c.integration ORDER BY n.pk`,
	directory.MovedRuns: `SELECT i.account, r.pk, r.integration, r.kind, r.state, CAST(r.since AS BLOB), CAST(r."offset" AS BLOB), r.context,
			CAST(r.checkpoint AS BLOB), r.lease, r.lease_until, r.lease_ms, r.started, r.updated, r.finished, CAST(r.error AS BLOB),
			r.newest, r.had, r.pages, r.contacts, r.created, r.changed, r.unchanged, r.deleted, r.rejected, r.bytes, CAST(r.hint AS BLOB),
			r.isfull, CAST(r.settings AS BLOB), r.doubt, r.interrupted, r.exact, r.restarts, r.brought
		FROM runs r CROSS JOIN integrations` + named + `r.integration ORDER BY r.pk`,
	directory.MovedSeen: `SELECT i.account, s.run, s.contact FROM seen s CROSS JOIN runs r ON r.pk = s.run CROSS JOIN integrations` + named + `r.integration`,
	directory.MovedHeld: `SELECT i.account, h.contact, h.integration, h.named, h.run FROM held h CROSS JOIN integrations` + named + `h.integration ORDER BY h.contact`,
	directory.MovedRejected: `SELECT i.account, j.pk, j.integration, j.run, CAST(j.id AS BLOB), CAST(j.reason AS BLOB)
		FROM rejected j CROSS JOIN integrations` + named + `j.integration ORDER BY j.pk`,
	directory.MovedSuppressed: "SELECT CAST(account AS BLOB), CAST(integration AS BLOB), digest FROM suppressed",
	directory.MovedSalt:       "SELECT value FROM notes WHERE name = 'salt'",
	directory.MovedKeys: `SELECT name, max(seq) FROM (SELECT name, seq FROM sqlite_sequence
		UNION ALL SELECT 'accounts', max(pk) FROM accounts UNION ALL SELECT 'rejected', max(pk) FROM rejected) WHERE seq IS NOT NULL GROUP BY name`,
}

// flags are the columns that are numbers in the file and mean yes or no.
var flags = map[string][]int{directory.MovedNumbers: {4}, directory.MovedRuns: {27, 30, 31}, directory.MovedHeld: {3}}

// Rows implements [directory.Mover].
func (e *Export) Rows(ctx context.Context, table string) iter.Seq2[[]any, error] {
	rows := e.file.Rows(ctx, exports[table])
	columns, ok := flags[table]
	if !ok {
		return rows
	}
	return func(yield func([]any, error) bool) {
		for row, err := range rows {
			if err == nil {
				for _, flag := range columns {
					row[flag] = row[flag] != int64(0)
				}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// Count is how many rows a table has, about: some of them may be being forgotten.
func (e *Export) Count(ctx context.Context, table string) (n int64, err error) {
	return n, e.file.Value(ctx, &n, "SELECT count(*) FROM "+table)
}
