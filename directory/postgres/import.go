package postgres

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/internal/transfer"
)

const schemaName = "contactbridge"

func table(name string, columns ...string) transfer.Table {
	return transfer.Table{Schema: schemaName, Name: name, Columns: columns}
}

var (
	accountsTable     = table("accounts", "id", "name")
	integrationsTable = table("integrations", "account", "id", "name", "checkpoint", "contacts", "settings", "salt", "suppressed")
	contactsTable     = table("contacts", "account", "pk", "integration", "id", "hash", "data", "words")
	numbersTable      = table("numbers", "account", "contact", "position", "reversed", "isfull", "raw", "extension")
	runsTable         = table("runs", "account", "pk", "integration", "kind", "state", "since", "offset", "context", "checkpoint", "lease", "lease_until", "lease_ms",
		"started", "updated", "finished", "error", "newest", "had", "pages", "contacts", "created", "changed", "unchanged", "deleted", "rejected", "bytes", "hint",
		"isfull", "settings", "doubt", "interrupted", "exact", "restarts", "brought")
	seenTable       = table("seen", "account", "run", "contact")
	heldTable       = table("held", "account", "contact", "integration", "named", "run")
	rejectedTable   = table("rejected", "account", "pk", "integration", "run", "id", "reason")
	suppressedTable = table("suppressed", "account", "integration", "digest")
	forgottenTable  = table("forgotten", "account", "integration")
)

// Tables are all tables of a directory in a database.
func Tables() []transfer.Table {
	return []transfer.Table{
		accountsTable, integrationsTable, contactsTable, numbersTable, runsTable, seenTable, heldTable, rejectedTable, suppressedTable, forgottenTable,
	}
}

// Import fills a directory's empty tables with everything that another one holds. The caller has locked them, and ends the
// transaction.
func Import(ctx context.Context, c *transfer.Copier, from directory.Mover) error {
	m := &mover{copier: c, from: from}
	for _, step := range []func(context.Context) error{m.places, m.contacts, m.runs, m.keys} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("move the directory: %w", explained(err))
		}
	}
	return nil
}

// A mover moves a directory here.
type mover struct {
	copier *transfer.Copier
	from   directory.Mover

	greatest     map[string]int64 // key that a table ever had
	accounts     map[string]int64
	integrations map[[2]string]*movedIntegration // by the names of account and integration
	suppressed   [][]any
}

type movedIntegration struct {
	account, id          int64
	name, checkpoint     []byte
	settings             []byte
	contacts, suppressed int64
}

// places moves accounts and integrations. Of those that never ran but have suppressed contacts only the names are known; they
// get a place here.
func (m *mover) places(ctx context.Context) error {
	if err := m.readPlaces(ctx); err != nil {
		return err
	}
	for row, err := range m.from.Rows(ctx, directory.MovedSuppressed) {
		if err != nil {
			return err
		}
		i := m.integration(string(row[0].([]byte)), string(row[1].([]byte)))
		i.suppressed++
		m.suppressed = append(m.suppressed, []any{i.account, i.id, bytes.Clone(row[2].([]byte))})
	}
	salt, err := m.salt(ctx)
	if err != nil {
		return err
	}
	var accounts, integrations [][]any
	for name, id := range m.accounts {
		accounts = append(accounts, []any{id, []byte(name)})
	}
	for _, i := range m.integrations {
		own := salt
		if i.suppressed == 0 { // nothing depends on it: one of its own tells integrations' digests apart
			own = make([]byte, 16)
			_, _ = rand.Read(own) // never fails
		}
		integrations = append(integrations, []any{i.account, i.id, i.name, i.checkpoint, i.contacts, i.settings, own, i.suppressed})
	}
	for _, t := range []struct {
		transfer.Table
		rows [][]any
	}{{accountsTable, accounts}, {integrationsTable, integrations}, {suppressedTable, m.suppressed}} {
		if err := m.copier.Copy(ctx, t.Table, inMemory(t.rows)); err != nil {
			return err
		}
	}
	return nil
}

func (m *mover) readPlaces(ctx context.Context) error {
	m.greatest, m.accounts, m.integrations = map[string]int64{}, map[string]int64{}, map[[2]string]*movedIntegration{}
	for row, err := range m.from.Rows(ctx, directory.MovedKeys) {
		if err != nil {
			return err
		}
		m.greatest[row[0].(string)] = row[1].(int64)
	}
	names := map[int64]string{}
	for row, err := range m.from.Rows(ctx, directory.MovedAccounts) {
		if err != nil {
			return err
		}
		id, name := row[0].(int64), string(row[1].([]byte))
		names[id], m.accounts[name] = name, id
	}
	for row, err := range m.from.Rows(ctx, directory.MovedIntegrations) {
		if err != nil {
			return err
		}
		i := &movedIntegration{
			account: row[0].(int64), id: row[1].(int64), name: bytes.Clone(row[2].([]byte)), checkpoint: bytes.Clone(row[3].([]byte)), contacts: row[4].(int64),
			settings: bytes.Clone(row[5].([]byte)),
		}
		m.integrations[[2]string{names[i.account], string(i.name)}] = i
	}
	return nil
}

// integration finds a place by its names, or makes one behind all others.
func (m *mover) integration(account, name string) *movedIntegration {
	if i := m.integrations[[2]string{account, name}]; i != nil {
		return i
	}
	id, ok := m.accounts[account]
	if !ok {
		id = m.key("accounts")
		m.accounts[account] = id
	}
	i := &movedIntegration{account: id, id: m.key("integrations"), name: []byte(name), checkpoint: []byte{}, settings: []byte{}}
	m.integrations[[2]string{account, name}] = i
	return i
}

// key is one that a table never had.
func (m *mover) key(table string) int64 {
	m.greatest[table]++
	return m.greatest[table]
}

func (m *mover) salt(ctx context.Context) (salt []byte, err error) {
	for row, err := range m.from.Rows(ctx, directory.MovedSalt) {
		if err != nil {
			return nil, err
		}
		salt = bytes.Clone(row[0].([]byte))
	}
	if len(salt) == 0 && len(m.suppressed) > 0 {
		return nil, errors.New("the salt of the suppressed contacts is missing")
	}
	return salt, nil
}

func inMemory(rows [][]any) transfer.Rows {
	return func(yield func([]any, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// contacts moves contacts and numbers. Their indexes are made behind them, which is several times as fast.
func (m *mover) contacts(ctx context.Context) error {
	if _, err := m.copier.Tx.Exec(ctx, "SET LOCAL maintenance_work_mem = '256MB'"); err != nil {
		return err
	}
	indexes, err := m.takeIndexes(ctx, contactsTable, numbersTable)
	if err != nil {
		return err
	}
	if err := m.copier.Copy(ctx, contactsTable, m.withWords(ctx)); err != nil {
		return err
	}
	if err := m.copier.Copy(ctx, numbersTable, m.from.Rows(ctx, directory.MovedNumbers)); err != nil {
		return err
	}
	for _, index := range indexes {
		m.copier.Say("indexes", 0)
		if _, err := m.copier.Tx.Exec(ctx, index); err != nil {
			return fmt.Errorf("make an index: %w", err)
		}
	}
	return nil
}

// takeIndexes drops the indexes that no rule of the schema needs, and returns the statements that make them again.
func (m *mover) takeIndexes(ctx context.Context, tables ...transfer.Table) (again []string, err error) {
	for _, t := range tables {
		rows, err := m.copier.Tx.Query(ctx, `SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
			WHERE i.indrelid = $1::text::regclass AND NOT i.indisunique ORDER BY 1`, t.String())
		if err != nil {
			return nil, err
		}
		indexes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Name, Definition string }])
		if err != nil {
			return nil, err
		}
		for _, index := range indexes {
			if _, err := m.copier.Tx.Exec(ctx, "DROP INDEX "+index.Name); err != nil {
				return nil, err
			}
			again = append(again, index.Definition)
		}
	}
	return again, nil
}

// withWords adds to each contact the words that it is found by here. They come from its numbers as well, which lie in the
// same order.
func (m *mover) withWords(ctx context.Context) transfer.Rows {
	return func(yield func([]any, error) bool) {
		next, stop := iter.Pull2(m.from.Rows(ctx, directory.MovedNumbers))
		defer stop()
		numbers := numberReader{next: next}
		var whole []any
		for row, err := range m.from.Rows(ctx, directory.MovedContacts) {
			if err != nil {
				yield(nil, err)
				return
			}
			var r directory.Record
			if r.Contact.UnmarshalJSON(row[5].([]byte)) != nil {
				r.Contact = contact.Contact{} // found by its numbers at least
			}
			if r.Numbers, err = numbers.of(row[1].(int64)); err != nil {
				yield(nil, err)
				return
			}
			whole = append(append(whole[:0], row...), tsvector(wordsOf(int32(row[0].(int64)), &r)))
			if !yield(whole, nil) {
				return
			}
		}
	}
}

// tsvector is a list of words as PostgreSQL keeps it: sorted, each once.
func tsvector(words []string) pgtype.TSVector {
	slices.Sort(words)
	words = slices.Compact(words)
	v := pgtype.TSVector{Valid: true, Lexemes: make([]pgtype.TSVectorLexeme, len(words))}
	for i, w := range words {
		v.Lexemes[i].Word = w
	}
	return v
}

// A numberReader reads numbers in the order of their contacts.
type numberReader struct {
	next    func() ([]any, error, bool)
	contact int64 // of the number that was read last
	number  directory.Number
	ended   bool
	list    []directory.Number
}

// of are the numbers of a contact behind the last one that was asked for.
func (n *numberReader) of(contact int64) ([]directory.Number, error) {
	n.list = n.list[:0]
	for !n.ended && n.contact <= contact {
		if n.contact == contact {
			n.list = append(n.list, n.number)
		}
		row, err, more := n.next()
		if err != nil {
			return nil, err
		}
		if n.ended = !more; n.ended {
			break
		}
		n.contact, n.number = row[1].(int64), directory.Number{Match: reverse(row[3].(string))}
		if row[4].(bool) {
			n.number.E164 = "+" + n.number.Match
		}
	}
	return n.list, nil
}

func (m *mover) runs(ctx context.Context) error {
	for _, t := range []struct {
		transfer.Table
		from string
	}{{runsTable, directory.MovedRuns}, {seenTable, directory.MovedSeen}, {heldTable, directory.MovedHeld}, {rejectedTable, directory.MovedRejected}} {
		if err := m.copier.Copy(ctx, t.Table, m.from.Rows(ctx, t.from)); err != nil {
			return err
		}
	}
	return nil
}

// keys makes sure that no key is given again.
func (m *mover) keys(ctx context.Context) error {
	for _, s := range []struct{ table, sequence string }{
		{"accounts", "pg_get_serial_sequence('contactbridge.accounts', 'id')"},
		{"integrations", "pg_get_serial_sequence('contactbridge.integrations', 'id')"},
		{"contacts", "'contactbridge.contact_keys'"},
		{"runs", "pg_get_serial_sequence('contactbridge.runs', 'pk')"},
		{"rejected", "pg_get_serial_sequence('contactbridge.rejected', 'pk')"},
	} {
		if _, err := m.copier.Tx.Exec(ctx, "SELECT setval("+s.sequence+", $1, $2)", cmp.Or(m.greatest[s.table], 1), m.greatest[s.table] > 0); err != nil {
			return err
		}
	}
	return nil
}
