package sqlite

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/contactbridge/contactbridge/directory"
)

// purgeAtOnce is how many contacts a transaction purges: each takes some hundredths of a second in the search index.
const purgeAtOnce = 20

// Purge implements [directory.Store]. What is deleted in this file is overwritten, always; here the search index is made to do
// the same, and the log is emptied. While a process reads an old state for long the log stays as it is, until the next purge.
// Words of what a contact said in earlier versions, which lead to nobody any more, are gone from the index with the next [Store.Prune].
func (s *Store) Purge(ctx context.Context, account string, refs []directory.Ref, suppress bool) (purged int64, err error) {
	byIntegration := map[string][]any{}
	for _, ref := range refs {
		byIntegration[ref.Integration] = append(byIntegration[ref.Integration], ref.ID)
	}
	for integration, ids := range byIntegration {
		for some := range slices.Chunk(ids, purgeAtOnce) {
			var n int64
			err := s.writer.transaction(ctx, func(tx *writer) (err error) {
				p := purger{tx: tx, key: directory.Key{Account: account, Integration: integration}}
				n, err = p.purge(ctx, some, suppress)
				return err
			})
			if err != nil {
				return purged, fmt.Errorf("purge contacts of %s: %w", integration, err)
			}
			purged += n
		}
	}
	if err := s.writer.emptyLog(ctx); err != nil {
		return purged, fmt.Errorf("empty the log after a purge: %w", err)
	}
	return purged, nil
}

// A purger deletes contacts of one integration for good.
type purger struct {
	tx  *writer
	key directory.Key
}

func (p *purger) purge(ctx context.Context, ids []any, suppress bool) (n int64, err error) {
	if suppress {
		if err := p.suppress(ctx, ids); err != nil {
			return 0, err
		}
	}
	var integration int64
	if err := p.tx.queryRow(ctx, "SELECT coalesce("+integrationOf+", 0)", []any{p.key.Account, p.key.Integration}, &integration); err != nil || integration == 0 {
		return 0, err
	}
	for _, id := range ids {
		if _, err := p.tx.ExecContext(ctx, "DELETE FROM rejected WHERE integration = ? AND id = ?", integration, id); err != nil {
			return 0, err
		}
	}
	var contacts []any
	err = p.tx.queryMany(ctx, findContacts, []any{integration}, ids, func(rows *sql.Rows) error {
		var id, hash sql.RawBytes
		var pk int64
		err := rows.Scan(&id, &pk, &hash)
		contacts = append(contacts, pk)
		return err
	})
	if err != nil || len(contacts) == 0 {
		return 0, err
	}
	if n, err = p.drop(ctx, contacts); err != nil {
		return 0, err
	}
	_, err = p.tx.ExecContext(ctx, "UPDATE integrations SET contacts = contacts - ? WHERE pk = ?", n, integration)
	return n, err
}

// drop deletes contacts so that nothing of them stays in the search index either, which usually only notes that they are gone.
func (p *purger) drop(ctx context.Context, contacts []any) (n int64, err error) {
	if _, err := p.tx.ExecContext(ctx, setSearch, "secure-delete", 1); err != nil {
		return 0, err
	}
	if n, err = drop(ctx, p.tx, contacts); err != nil {
		return 0, err
	}
	if _, err = p.tx.ExecContext(ctx, setSearch, "secure-delete", 0); err != nil {
		return 0, err
	}
	return n, noteLeftovers(ctx, p.tx)
}

func (p *purger) suppress(ctx context.Context, ids []any) error {
	d, err := newDigester(ctx, p.tx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		_, err := p.tx.ExecContext(ctx, "INSERT INTO suppressed (account, integration, digest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", p.key.Account, p.key.Integration, d.digest(id.(string)))
		if err != nil {
			return err
		}
	}
	return nil
}

// A digester makes of ids what is kept of them when they are suppressed.
type digester struct{ salt []byte }

func newDigester(ctx context.Context, tx *writer) (d digester, err error) {
	err = tx.queryRow(ctx, "SELECT value FROM notes WHERE name = 'salt'", nil, &d.salt)
	return d, err
}

func (d digester) digest(id string) []byte {
	h := hmac.New(sha256.New, d.salt)
	h.Write([]byte(id))
	return h.Sum(nil)
}

var findSuppressed = many{begin: "SELECT digest FROM suppressed WHERE account = ? AND integration = ? AND digest IN (", item: "?", end: ")", columns: 1}

// leaveOutSuppressed takes the contacts that were purged on request out of a page, and says that it did. Nearly always there
// is none in the integration, which is one question.
func (a *applier) leaveOutSuppressed(ctx context.Context, records []directory.Record) ([]directory.Record, []directory.Rejected, error) {
	var account, integration string
	err := a.tx.queryRow(ctx, `SELECT a.name, i.name FROM integrations i JOIN accounts a ON a.pk = i.account
		WHERE i.pk = ? AND EXISTS (SELECT 1 FROM suppressed s WHERE s.account = a.name AND s.integration = i.name)`, []any{a.integration}, &account, &integration)
	if errors.Is(err, sql.ErrNoRows) || len(records) == 0 {
		return records, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	d, err := newDigester(ctx, a.tx)
	if err != nil {
		return nil, nil, err
	}
	digests := make([]any, len(records))
	for i := range records {
		digests[i] = d.digest(records[i].Contact.ID)
	}
	suppressed := map[[sha256.Size]byte]bool{}
	err = a.tx.queryMany(ctx, findSuppressed, []any{account, integration}, digests, func(rows *sql.Rows) error {
		var digest sql.RawBytes
		err := rows.Scan(&digest)
		suppressed[[sha256.Size]byte(digest)] = true
		return err
	})
	if err != nil || len(suppressed) == 0 {
		return records, nil, err
	}
	var kept []directory.Record
	var rejected []directory.Rejected
	for i := range records {
		if suppressed[[sha256.Size]byte(digests[i].([]byte))] {
			rejected = append(rejected, directory.Rejected{Reason: directory.ReasonPurged})
			continue
		}
		kept = append(kept, records[i])
	}
	return kept, rejected, nil
}
