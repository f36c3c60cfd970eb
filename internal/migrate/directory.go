package migrate

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/postgres"
)

// owned joins the integration i that rows of the file belong to: only one that has a name, since the others are being forgotten.
// A CROSS JOIN is done in the order in which it is written.
const owned = " CROSS JOIN integrations i ON i.name IS NOT NULL AND i.pk = "

var (
	account     = as("account", "i.account")
	integration = same("integration")

	accountsTable     = &table{name: "accounts", columns: columns(as("id", "t.pk"), bytes("name"))}
	integrationsTable = &table{name: "integrations", columns: columns(same("account"), as("id", "t.pk"), bytes("name checkpoint"), same("contacts"), bytes("settings"), same("agents_synced"), bytes("agents_error agents_hint"),
		// Of the digests in suppressed, and how many there are: the file has one salt for all integrations.
		same("salt suppressed"))}
	suppressedTable = &table{name: "suppressed", columns: same("account integration digest")}
	forgottenTable  = &table{name: "forgotten", columns: same("account integration")}

	contactsTable = &table{
		name: "contacts", from: "contacts t" + owned + "t.integration", order: "t.pk",
		columns: columns(account, same("pk"), integration, bytes("id"), same("hash data changed")), // and words, which are made here
	}
	wordsColumn  = column{name: "words"}
	numbersTable = &table{
		name: "numbers", from: "numbers t CROSS JOIN contacts c ON c.pk = t.contact" + owned + "c.integration", order: "t.pk",
		columns: columns(same("account contact position reversed"), []column{{name: "isfull", from: "t.full", flag: true}}, bytes("raw extension")),
	}
	runsTable = &table{
		name: "runs", from: "runs t" + owned + "t.integration", order: "t.pk",
		columns: columns(account, same("pk"), integration, same("kind state"), bytes("since offset"), same("context"), bytes("checkpoint"),
			same("lease lease_until lease_ms started updated finished"), bytes("error hint"), same("newest had"),
			same("pages contacts created changed unchanged deleted rejected bytes"),
			flags("isfull"), bytes("settings"), same("doubt"), flags("interrupted exact"), same("restarts brought")),
	}
	seenTable = &table{name: "seen", from: "seen t CROSS JOIN runs r ON r.pk = t.run" + owned + "r.integration", columns: columns(account, same("run page marks"))}
	heldTable = &table{
		name: "held", from: "held t" + owned + "t.integration", order: "t.contact",
		columns: columns(account, same("contact"), integration, flags("named"), same("run")),
	}
	agentsTable = &table{
		name: "agents", from: "agents t" + owned + "t.integration",
		columns: columns(account, integration, bytes("id name email folded")),
	}
	rejectedTable = &table{
		name: "rejected", from: "rejected t" + owned + "t.integration", order: "t.pk",
		columns: columns(account, same("pk"), integration, same("run"), bytes("id reason")),
	}
)

// directoryTables are all tables of a directory.
func directoryTables() []*table {
	return []*table{
		accountsTable, integrationsTable, contactsTable, numbersTable, runsTable, seenTable, heldTable, rejectedTable, agentsTable, suppressedTable, forgottenTable,
	}
}

// moveDirectory fills a directory's empty tables with everything that a file holds.
func (m *mover) moveDirectory(ctx context.Context, c *copier) error {
	d := &directoryMover{mover: m, copier: c}
	for _, step := range []func(context.Context) error{d.places, d.contacts, d.runs, d.keys} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// A directoryMover moves a directory's rows.
type directoryMover struct {
	*mover
	copier *copier

	greatest     map[string]int64 // key that a table of the file ever had
	accounts     map[string]int64
	integrations map[directory.Key]*movedIntegration
	suppressed   [][]any
}

type movedIntegration struct {
	account, id                int64
	name, checkpoint, settings string // bytes there; as a string, an empty one is not taken for a missing one
	contacts, suppressed       int64

	agentsSynced            int64
	agentsError, agentsHint string
}

// places moves accounts, integrations, and the digests of suppressed contacts. Of integrations that never ran but have suppressed
// contacts the file knows only the names; they get a place here.
func (d *directoryMover) places(ctx context.Context) error {
	for _, read := range []func(context.Context) error{d.readKeys, d.readAccounts, d.readIntegrations, d.readSuppressed} {
		if err := read(ctx); err != nil {
			return err
		}
	}
	salt, err := d.salt(ctx)
	if err != nil {
		return err
	}
	var accounts, integrations [][]any
	for name, id := range d.accounts {
		accounts = append(accounts, []any{id, []byte(name)})
	}
	for _, i := range d.integrations {
		own := salt
		if i.suppressed == 0 { // nothing depends on it: one of its own tells integrations' digests apart
			own = make([]byte, 16)
			_, _ = rand.Read(own) // never fails
		}
		integrations = append(integrations, []any{
			i.account, i.id, []byte(i.name), []byte(i.checkpoint), i.contacts, []byte(i.settings),
			i.agentsSynced, []byte(i.agentsError), []byte(i.agentsHint), own, i.suppressed,
		})
	}
	for _, t := range []struct {
		*table
		rows [][]any
	}{{accountsTable, accounts}, {integrationsTable, integrations}, {suppressedTable, d.suppressed}} {
		if err := d.copier.copy(ctx, t.table, inMemory(t.rows)); err != nil {
			return err
		}
	}
	return nil
}

// readKeys reads the greatest key that each table ever had: none is used again.
func (d *directoryMover) readKeys(ctx context.Context) error {
	d.greatest = map[string]int64{}
	return d.directory.Each(ctx, `SELECT name, max(seq) FROM (SELECT name, seq FROM sqlite_sequence
		UNION ALL SELECT 'accounts', max(pk) FROM accounts UNION ALL SELECT 'rejected', max(pk) FROM rejected) WHERE seq IS NOT NULL GROUP BY name`,
		func(row *sql.Rows) error {
			var table string
			var key int64
			err := row.Scan(&table, &key)
			d.greatest[table] = key
			return err
		})
}

func (d *directoryMover) readAccounts(ctx context.Context) error {
	d.accounts = map[string]int64{}
	return d.directory.Each(ctx, "SELECT pk, name FROM accounts", func(row *sql.Rows) error {
		var id int64
		var name string
		err := row.Scan(&id, &name)
		d.accounts[name] = id
		return err
	})
}

func (d *directoryMover) readIntegrations(ctx context.Context) error {
	d.integrations = map[directory.Key]*movedIntegration{}
	return d.directory.Each(ctx, `SELECT a.name, i.account, i.pk, i.name, i.checkpoint, i.settings, i.contacts, i.agents_synced, i.agents_error, i.agents_hint
		FROM integrations i JOIN accounts a ON a.pk = i.account WHERE i.name IS NOT NULL`, func(row *sql.Rows) error {
		var account string
		i := &movedIntegration{}
		err := row.Scan(&account, &i.account, &i.id, &i.name, &i.checkpoint, &i.settings, &i.contacts, &i.agentsSynced, &i.agentsError, &i.agentsHint)
		d.integrations[directory.Key{Account: account, Integration: i.name}] = i
		return err
	})
}

func (d *directoryMover) readSuppressed(ctx context.Context) error {
	return d.directory.Each(ctx, "SELECT account, integration, digest FROM suppressed", func(row *sql.Rows) error {
		var key directory.Key
		var digest []byte
		if err := row.Scan(&key.Account, &key.Integration, &digest); err != nil {
			return err
		}
		i := d.integrationNamed(key)
		i.suppressed++
		d.suppressed = append(d.suppressed, []any{i.account, i.id, digest})
		return nil
	})
}

// integrationNamed finds an integration, or makes a place for one after all others.
func (d *directoryMover) integrationNamed(key directory.Key) *movedIntegration {
	if i := d.integrations[key]; i != nil {
		return i
	}
	id, ok := d.accounts[key.Account]
	if !ok {
		id = d.newKey("accounts")
		d.accounts[key.Account] = id
	}
	i := &movedIntegration{account: id, id: d.newKey("integrations"), name: key.Integration}
	d.integrations[key] = i
	return i
}

// newKey is one that a table never had.
func (d *directoryMover) newKey(table string) int64 {
	d.greatest[table]++
	return d.greatest[table]
}

// salt is that of the suppressed contacts' digests.
func (d *directoryMover) salt(ctx context.Context) (salt []byte, err error) {
	err = d.directory.Value(ctx, &salt, "SELECT max(value) FROM notes WHERE name = 'salt'")
	if err == nil && len(salt) == 0 && len(d.suppressed) > 0 {
		err = errors.New("the salt of the suppressed contacts is missing")
	}
	return salt, err
}

// contacts moves contacts and numbers. Their indexes are made afterwards, which is several times as fast.
func (d *directoryMover) contacts(ctx context.Context) error {
	if _, err := d.copier.tx.Exec(ctx, "SET LOCAL maintenance_work_mem = '256MB'"); err != nil {
		return err
	}
	indexes, err := d.takeIndexes(ctx, contactsTable, numbersTable)
	if err != nil {
		return err
	}
	withWords := *contactsTable
	withWords.columns = append(slices.Clone(contactsTable.columns), wordsColumn)
	if err := d.copier.copy(ctx, &withWords, d.withWords(ctx)); err != nil {
		return err
	}
	if err := d.copier.copy(ctx, numbersTable, d.read(ctx, d.directory, numbersTable)); err != nil {
		return err
	}
	for _, index := range indexes {
		d.report("indexes", 0)
		if _, err := d.copier.tx.Exec(ctx, index); err != nil {
			return fmt.Errorf("make an index: %w", err)
		}
	}
	return nil
}

// takeIndexes drops the indexes that no rule of the schema needs, and returns the statements that make them again.
func (d *directoryMover) takeIndexes(ctx context.Context, tables ...*table) (again []string, err error) {
	for _, t := range tables {
		rows, err := d.copier.tx.Query(ctx, `SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
			WHERE i.indrelid = $1::text::regclass AND NOT i.indisunique ORDER BY 1`, t.String())
		if err != nil {
			return nil, err
		}
		indexes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Name, Definition string }])
		if err != nil {
			return nil, err
		}
		for _, index := range indexes {
			if _, err := d.copier.tx.Exec(ctx, "DROP INDEX "+index.Name); err != nil {
				return nil, err
			}
			again = append(again, index.Definition)
		}
	}
	return again, nil
}

// withWords adds to each contact the words that it is found by in PostgreSQL. They come from its numbers as well, which lie in the
// same order.
func (d *directoryMover) withWords(ctx context.Context) rows {
	names := contactsTable.names()
	account, pk, data := slices.Index(names, "account"), slices.Index(names, "pk"), slices.Index(names, "data")
	return func(yield func([]any, error) bool) {
		next, stop := iter.Pull2(d.directory.Rows(ctx, "SELECT contact, reversed, full FROM numbers ORDER BY pk"))
		defer stop()
		numbers := numberReader{next: next}
		var whole []any
		for row, err := range d.read(ctx, d.directory, contactsTable) {
			if err != nil {
				yield(nil, err)
				return
			}
			var r directory.Record
			if r.Contact.UnmarshalJSON(row[data].([]byte)) != nil {
				r.Contact = contact.Contact{} // found by its numbers at least
			}
			if r.Numbers, err = numbers.of(row[pk].(int64)); err != nil {
				yield(nil, err)
				return
			}
			whole = append(append(whole[:0], row...), postgres.Words(int32(row[account].(int64)), &r))
			if !yield(whole, nil) {
				return
			}
		}
	}
}

// A numberReader reads numbers in the order of their contacts.
type numberReader struct {
	next    func() ([]any, error, bool)
	contact int64 // of the number that was read last
	number  directory.Number
	ended   bool
	list    []directory.Number
}

// of returns the numbers of a contact after the last one that was asked for.
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
		n.contact, n.number = row[0].(int64), directory.Number{Match: directory.Reverse(row[1].(string))}
		if row[2] != int64(0) {
			n.number.E164 = "+" + n.number.Match
		}
	}
	return n.list, nil
}

func (d *directoryMover) runs(ctx context.Context) error {
	for _, t := range []*table{runsTable, seenTable, heldTable, rejectedTable, agentsTable} {
		if err := d.copier.copy(ctx, t, d.read(ctx, d.directory, t)); err != nil {
			return err
		}
	}
	return nil
}

// keys makes sure that no key is given again.
func (d *directoryMover) keys(ctx context.Context) error {
	for _, s := range []struct{ table, sequence string }{
		{"accounts", "pg_get_serial_sequence('contactbridge.accounts', 'id')"},
		{"integrations", "pg_get_serial_sequence('contactbridge.integrations', 'id')"},
		{"contacts", "'contactbridge.contact_keys'"},
		{"runs", "pg_get_serial_sequence('contactbridge.runs', 'pk')"},
		{"rejected", "pg_get_serial_sequence('contactbridge.rejected', 'pk')"},
	} {
		if _, err := d.copier.tx.Exec(ctx, "SELECT setval("+s.sequence+", $1, $2)", cmp.Or(d.greatest[s.table], 1), d.greatest[s.table] > 0); err != nil {
			return err
		}
	}
	return nil
}
