package postgres

import (
	"context"
	"database/sql"
	"errors"

	"github.com/pressly/goose/v3"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

const respellAtOnce = 1000

// respell returns the migration that makes contacts of older releases findable by other spellings: ł by l, and O'Connor by oconnor.
func respell() *goose.Migration {
	return goose.NewGoMigration(9, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		account, pk := int32(-1<<31), int64(0)
		for more := true; more; {
			var err error
			if account, pk, more, err = respellSome(ctx, tx, account, pk); err != nil {
				return err
			}
		}
		return nil
	}}, nil)
}

// respellSome does so for the next contacts after a key.
func respellSome(ctx context.Context, tx *sql.Tx, account int32, pk int64) (_ int32, _ int64, more bool, err error) {
	var accounts []int32
	var keys []int64
	var added []string
	rows, err := tx.QueryContext(ctx, "SELECT account, pk, data FROM contactbridge.contacts WHERE (account, pk) > ($1, $2) ORDER BY account, pk LIMIT $3", account, pk, respellAtOnce)
	if err != nil {
		return 0, 0, false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var data []byte
		if err := rows.Scan(&account, &pk, &data); err != nil {
			return 0, 0, false, err
		}
		more = true
		var c contact.Contact
		if !directory.Respelled(data) || c.UnmarshalJSON(data) != nil {
			continue
		}
		var words []string
		for _, t := range directory.Terms(&c) {
			words = append(words, word(account, term, t))
		}
		accounts, keys, added = append(accounts, account), append(keys, pk), append(added, vector(words))
	}
	if err := rows.Err(); err != nil {
		return 0, 0, false, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE contactbridge.contacts AS c SET words = c.words || n.words::tsvector
		FROM unnest($1::int[], $2::bigint[], $3::text[]) AS n (account, pk, words) WHERE c.account = n.account AND c.pk = n.pk`, accounts, keys, added)
	return account, pk, more, err
}
