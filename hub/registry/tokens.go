package registry

import (
	"context"
	"slices"
	"time"
)

const tokenColumns = "t.id, COALESCE(t.account, ''), t.name, t.scopes, t.managed, t.created, t.expires, t.used, t.maker, t.parent, t.made_by"

func tokenFields(t *Token) []any {
	return []any{
		&t.ID, &t.Account, &t.Name, stored(&t.Scopes), &t.Managed, stamp{&t.Created}, stamp{&t.Expires}, stamp{&t.Used}, &t.Maker, &t.Parent, &t.MadeBy,
	}
}

func scanToken(row scanner) (t Token, err error) {
	err = row.Scan(tokenFields(&t)...)
	return t, err
}

// MayMake reports whether the user may make, and so may have made, a token for its account.
func (u User) MayMake(t Token) bool {
	return u.Role == RoleAdmin && !u.Disabled && (len(u.Accounts) == 0 || t.Account != "" && slices.Contains(u.Accounts, t.Account))
}

// PutToken keeps a token under its value's SHA-256; one of the same account and name is replaced if replace says so, or else
// [ErrExists], which is also what comes of a value that another token has. A replaced token with the same value stays as old
// and as used as it was; one with another value ends, and with it the tokens that were made by it.
func (d *DB) PutToken(ctx context.Context, t Token, digest []byte, replace bool) error {
	text := `INSERT INTO hub.tokens AS t (id, account, name, digest, scopes, managed, created, expires, used, maker, parent, made_by)
		VALUES ($1, NULLIF($2, ''), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	if replace {
		text += ` ON CONFLICT (COALESCE(account, ''), name) DO UPDATE SET id = excluded.id, scopes = excluded.scopes, managed = excluded.managed,
			expires = excluded.expires, digest = excluded.digest, maker = excluded.maker, parent = excluded.parent, made_by = excluded.made_by,
			created = CASE WHEN t.digest = excluded.digest THEN t.created ELSE excluded.created END,
			used = CASE WHEN t.digest = excluded.digest THEN t.used ELSE excluded.used END`
	}
	put := func(s session) error {
		if replace {
			if err := replaceParent(ctx, s, t, digest); err != nil {
				return err
			}
		}
		_, err := s.exec(ctx, text, t.ID, t.Account, t.Name, digest, encodedList(t.Scopes), t.Managed, d.orNow(t.Created), micros(t.Expires), micros(t.Used),
			t.Maker, t.Parent, t.MadeBy)
		return s.named(err, "account "+t.Account)
	}
	if !replace {
		return wrap(put(d.write()), "token %s", t.Name)
	}
	return wrap(d.revoke(ctx, put), "token %s", t.Name)
}

// replaceParent prepares the replacement of a token: what it made is from now on made by the new one, or ends with its value.
func replaceParent(ctx context.Context, s session, t Token, digest []byte) error {
	same, err := list(ctx, s, value[string], "SELECT id FROM hub.tokens WHERE COALESCE(account, '') = $1 AND name = $2 AND digest = $3", t.Account, t.Name, digest)
	if err != nil {
		return err
	}
	for _, id := range same {
		_, err := s.exec(ctx, "UPDATE hub.tokens SET parent = $2 WHERE parent = $1", id, t.ID)
		return err
	}
	old, err := list(ctx, s, value[string], "SELECT id FROM hub.tokens WHERE COALESCE(account, '') = $1 AND name = $2", t.Account, t.Name)
	if err != nil {
		return err
	}
	for _, id := range old {
		if _, err := s.exec(ctx, "DELETE FROM hub.tokens WHERE id <> $1 AND id IN ("+descendants+")", id); err != nil {
			return err
		}
	}
	return nil
}

// descendants are a token and all that were made by it, or by one that it made.
const descendants = `WITH RECURSIVE made (id) AS (SELECT id FROM hub.tokens WHERE id = $1 UNION SELECT c.id FROM hub.tokens c JOIN made ON c.parent = made.id) SELECT id FROM made`

// A tokenMaker is a token with what decides whether it still holds: its maker's rights, and the token that made it.
type tokenMaker struct {
	Token
	maker  User
	parent string
}

func scanTokenMaker(row scanner) (t tokenMaker, err error) {
	err = row.Scan(append(tokenFields(&t.Token), &t.maker.Role, stored(&t.maker.Accounts), &t.maker.Disabled, &t.parent)...)
	return t, err
}

// TokenByDigest returns the token with this SHA-256, or [ErrNotFound]: also where its maker may not make it any more, the
// token that made it has ended, or its account is being removed. Expired ones are returned as well.
func (d *DB) TokenByDigest(ctx context.Context, digest []byte) (Token, error) {
	t, err := one(ctx, d.read(), scanTokenMaker, "SELECT "+tokenColumns+`, COALESCE(u.role, ''), COALESCE(u.accounts, ''), COALESCE(u.disabled, TRUE), COALESCE(p.id, '')
		FROM hub.tokens t LEFT JOIN hub.users u ON u.id = t.maker LEFT JOIN hub.tokens p ON p.id = t.parent WHERE t.digest = $1
		AND NOT EXISTS (SELECT 1 FROM hub.accounts a WHERE a.name = t.account AND a.going > 0)`, digest)
	if err == nil && (t.Maker != "" && !t.maker.MayMake(t.Token) || t.parent != t.Parent) {
		err = ErrNotFound
	}
	if err != nil {
		return Token{}, wrap(err, "find a token")
	}
	return t.Token, nil
}

// TokenUsed notes that a token was used. One that is gone is nothing to note.
func (d *DB) TokenUsed(ctx context.Context, id string, at time.Time) error {
	_, err := d.write().exec(ctx, "UPDATE hub.tokens SET used = $2 WHERE id = $1 AND used < $2", id, micros(at))
	return wrap(err, "note the use of token %s", id)
}

// Tokens lists an account's by name; all, by account and name, where account is empty.
func (d *DB) Tokens(ctx context.Context, account string) ([]Token, error) {
	all, err := listOf(ctx, d.read(), scanToken, "SELECT "+tokenColumns+" FROM hub.tokens t", account, "COALESCE(account, ''), name")
	return all, wrap(err, "list the tokens")
}

// listOf lists an account's rows; all where account is empty.
func listOf[T any](ctx context.Context, s session, scan func(scanner) (T, error), text, account, order string) ([]T, error) {
	if account == "" {
		return list(ctx, s, scan, text+" ORDER BY "+order)
	}
	return list(ctx, s, scan, text+" WHERE account = $1 ORDER BY "+order, account)
}

// DeleteToken deletes one by its id, with all that were made by it, or returns [ErrNotFound].
func (d *DB) DeleteToken(ctx context.Context, id string) error {
	err := d.revoke(ctx, func(s session) error {
		return s.must(ctx, "DELETE FROM hub.tokens WHERE id IN ("+descendants+")", id)
	})
	return wrap(err, "token %s", id)
}

// endTokens ends the tokens of a user who may not make them any more, and notes that in the audit log: the user is locked,
// demoted, or gone (the zero User but for its ID).
func (d *DB) endTokens(ctx context.Context, s session, u User) error {
	made, err := list(ctx, s, scanToken, "SELECT "+tokenColumns+" FROM hub.tokens t WHERE t.maker = $1 ORDER BY t.created, t.id", u.ID)
	if err != nil {
		return err
	}
	for _, t := range made {
		if u.MayMake(t) {
			continue
		}
		if n, err := s.exec(ctx, "DELETE FROM hub.tokens WHERE id IN ("+descendants+")", t.ID); err != nil || n == 0 { // 0: it ended with another
			if err != nil {
				return err
			}
			continue
		}
		err := d.addAudit(ctx, s, &AuditEntry{Actor: "hub", Action: "token.end", Account: t.Account, Subject: t.Name, Detail: "it was made by " + t.MadeBy + ", who may not make it any more"})
		if err != nil {
			return err
		}
	}
	return nil
}
