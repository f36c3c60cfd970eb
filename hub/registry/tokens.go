package registry

import (
	"context"
	"time"
)

const tokenColumns = "id, COALESCE(account, ''), name, scopes, managed, created, expires, used"

func scanToken(row scanner) (t Token, err error) {
	err = row.Scan(&t.ID, &t.Account, &t.Name, stored(&t.Scopes), &t.Managed, stamp{&t.Created}, stamp{&t.Expires}, stamp{&t.Used})
	return t, err
}

// PutToken keeps a token under its value's SHA-256; one of the same account and name is replaced if replace says so, or else
// [ErrExists], which is also what comes of a value that another token has. A replaced token with the same value stays as old
// and as used as it was.
func (d *DB) PutToken(ctx context.Context, t Token, digest []byte, replace bool) error {
	text := `INSERT INTO hub.tokens AS t (id, account, name, digest, scopes, managed, created, expires, used)
		VALUES ($1, NULLIF($2, ''), $3, $4, $5, $6, $7, $8, $9)`
	if replace {
		text += ` ON CONFLICT (COALESCE(account, ''), name) DO UPDATE SET id = excluded.id, scopes = excluded.scopes, managed = excluded.managed,
			expires = excluded.expires, digest = excluded.digest,
			created = CASE WHEN t.digest = excluded.digest THEN t.created ELSE excluded.created END,
			used = CASE WHEN t.digest = excluded.digest THEN t.used ELSE excluded.used END`
	}
	s := d.write()
	_, err := s.exec(ctx, text, t.ID, t.Account, t.Name, digest, encodedList(t.Scopes), t.Managed, d.orNow(t.Created), micros(t.Expires), micros(t.Used))
	return wrap(s.named(err, "account "+t.Account), "token %s", t.Name)
}

// TokenByDigest returns the token with this SHA-256, or [ErrNotFound]. Expired ones are returned as well.
func (d *DB) TokenByDigest(ctx context.Context, digest []byte) (Token, error) {
	t, err := one(ctx, d.read(), scanToken, "SELECT "+tokenColumns+" FROM hub.tokens WHERE digest = $1", digest)
	return t, wrap(err, "find a token")
}

// TokenUsed notes that a token was used. One that is gone is nothing to note.
func (d *DB) TokenUsed(ctx context.Context, id string, at time.Time) error {
	_, err := d.write().exec(ctx, "UPDATE hub.tokens SET used = $2 WHERE id = $1 AND used < $2", id, micros(at))
	return wrap(err, "note the use of token %s", id)
}

// Tokens lists an account's by name; all, by account and name, where account is empty.
func (d *DB) Tokens(ctx context.Context, account string) ([]Token, error) {
	all, err := listOf(ctx, d.read(), scanToken, "SELECT "+tokenColumns+" FROM hub.tokens", account, "COALESCE(account, ''), name")
	return all, wrap(err, "list the tokens")
}

// listOf lists an account's rows; all where account is empty.
func listOf[T any](ctx context.Context, s session, scan func(scanner) (T, error), text, account, order string) ([]T, error) {
	if account == "" {
		return list(ctx, s, scan, text+" ORDER BY "+order)
	}
	return list(ctx, s, scan, text+" WHERE account = $1 ORDER BY "+order, account)
}

// DeleteToken deletes one by its id, or returns [ErrNotFound].
func (d *DB) DeleteToken(ctx context.Context, id string) error {
	return wrap(d.write().must(ctx, "DELETE FROM hub.tokens WHERE id = $1", id), "token %s", id)
}
