package sqlite

import (
	"context"
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
// Words of what a contact said in earlier versions, which lead to no contact any more, are gone from the index with the next [Store.Prune].
func (s *Store) Purge(ctx context.Context, account string, refs []directory.Ref, suppress bool) (purged int64, err error) {
	byIntegration, agents := map[string][]string{}, map[string][]string{}
	for _, ref := range refs {
		if ref.Agent {
			agents[ref.Integration] = append(agents[ref.Integration], ref.ID)
			continue
		}
		byIntegration[ref.Integration] = append(byIntegration[ref.Integration], ref.ID)
	}
	for integration, ids := range agents {
		var n int64
		err := s.writer.transaction(ctx, func(tx *writer) (err error) {
			p := purger{tx: tx, key: directory.Key{Account: account, Integration: integration}}
			n, err = p.purgeAgents(ctx, ids, suppress)
			return err
		})
		if err != nil {
			return purged, fmt.Errorf("purge agents of %s: %w", integration, err)
		}
		purged += n
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

func (p *purger) purge(ctx context.Context, ids []string, suppress bool) (n int64, err error) {
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
	contacts, err := keysOf(ctx, p.tx, integration, ids)
	if err != nil || len(contacts) == 0 {
		return 0, err
	}
	if n, err = p.drop(ctx, contacts); err != nil {
		return 0, err
	}
	_, err = p.tx.ExecContext(ctx, "UPDATE integrations SET contacts = contacts - ? WHERE pk = ?", n, integration)
	return n, err
}

func (p *purger) purgeAgents(ctx context.Context, ids []string, suppress bool) (n int64, err error) {
	if suppress {
		texts := make([]string, len(ids))
		for i, id := range ids {
			texts[i] = directory.AgentSuppression(id)
		}
		if err := p.suppress(ctx, texts); err != nil {
			return 0, err
		}
	}
	integration, err := integrationThere(ctx, p.tx, p.key)
	if errors.Is(err, directory.ErrNotFound) {
		return 0, nil
	}
	for _, id := range ids {
		if err != nil {
			return 0, err
		}
		var result sql.Result
		if result, err = p.tx.ExecContext(ctx, deleteAgent, integration, id); err == nil {
			var gone int64
			gone, err = result.RowsAffected()
			n += gone
		}
	}
	return n, err
}

// drop deletes contacts so that nothing of them stays in the search index either, which usually only notes that they are gone.
func (p *purger) drop(ctx context.Context, contacts []int64) (n int64, err error) {
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

func (p *purger) suppress(ctx context.Context, ids []string) error {
	salt, err := saltOf(ctx, p.tx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		_, err := p.tx.ExecContext(ctx, "INSERT INTO suppressed (account, integration, digest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
			p.key.Account, p.key.Integration, directory.SuppressedDigest(salt, id))
		if err != nil {
			return err
		}
	}
	return nil
}

// saltOf is the salt of the digests of suppressed ids.
func saltOf(ctx context.Context, tx *writer) (salt []byte, err error) {
	err = tx.queryRow(ctx, "SELECT value FROM notes WHERE name = 'salt'", nil, &salt)
	return salt, err
}

var findSuppressed = many{begin: "SELECT digest FROM suppressed WHERE account = ? AND integration = ? AND digest IN (", item: "?", end: ")", columns: 1}

// Suppressed implements [directory.PageTx]. Nearly always no contact is suppressed in the integration, which is one question.
func (p *pageTx) Suppressed(ctx context.Context, records []directory.Record) ([]bool, error) {
	var some bool
	err := p.tx.queryRow(ctx, "SELECT EXISTS (SELECT 1 FROM suppressed WHERE account = ? AND integration = ?)", []any{p.Account, p.Integration}, &some)
	if err != nil || !some {
		return nil, err
	}
	salt, err := saltOf(ctx, p.tx)
	if err != nil {
		return nil, err
	}
	digests := make([][]byte, len(records))
	for i := range records {
		digests[i] = directory.SuppressedDigest(salt, records[i].Contact.ID)
	}
	found := map[string]bool{}
	err = p.tx.queryMany(ctx, findSuppressed, []any{p.Account, p.Integration}, anyOf(digests), func(rows *sql.Rows) error {
		var digest sql.RawBytes
		err := rows.Scan(&digest)
		found[string(digest)] = true
		return err
	})
	suppressed := make([]bool, len(records))
	for i, digest := range digests {
		suppressed[i] = found[string(digest)]
	}
	return suppressed, err
}

// Purged implements [directory.Store].
func (s *Store) Purged(ctx context.Context, key directory.Key, ids []string) ([]bool, error) {
	purged := make([]bool, len(ids))
	var salt []byte
	err := s.read.QueryRowContext(ctx, "SELECT value FROM notes WHERE name = 'salt' AND EXISTS (SELECT 1 FROM suppressed WHERE account = ? AND integration = ?)",
		key.Account, key.Integration).Scan(&salt)
	if errors.Is(err, sql.ErrNoRows) {
		return purged, nil
	}
	for i := 0; i < len(ids) && err == nil; i++ {
		err = s.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM suppressed WHERE account = ? AND integration = ? AND digest = ?)",
			key.Account, key.Integration, directory.SuppressedDigest(salt, ids[i])).Scan(&purged[i])
	}
	if err != nil {
		return nil, fmt.Errorf("read who was purged: %w", err)
	}
	return purged, nil
}
