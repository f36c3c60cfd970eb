package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"unicode/utf8"

	"github.com/pressly/goose/v3"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

// respell returns the migration that makes contacts of older releases findable by other spellings: ł by l, and O'Connor by oconnor.
func respell() *goose.Migration {
	return goose.NewGoMigration(9, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		for after, more := int64(0), true; more; {
			var err error
			if after, more, err = respellSome(ctx, tx, after); err != nil {
				return err
			}
		}
		return nil
	}}, nil)
}

// respellSome does so for the next contacts after a pk.
func respellSome(ctx context.Context, tx *sql.Tx, after int64) (last int64, more bool, err error) {
	added := map[int64][]byte{}
	rows, err := tx.QueryContext(ctx, `SELECT c.pk, i.account, c.data FROM contacts c JOIN integrations i ON i.pk = c.integration
		WHERE c.pk > ? ORDER BY c.pk LIMIT ?`, after, fillAtOnce)
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var account int64
		var data sql.RawBytes
		if err := rows.Scan(&last, &account, &data); err != nil {
			return 0, false, err
		}
		more = true
		var c contact.Contact
		if !directory.Respelled(data) || c.UnmarshalJSON(bytes.Clone(data)) != nil {
			continue
		}
		for _, term := range directory.Terms(&c) {
			added[last] = append(append(utf8.AppendRune(append(added[last], ' '), mark(account)), term...), ' ')
		}
	}
	if err := rows.Err(); err != nil {
		return 0, false, err
	}
	for pk, terms := range added {
		if _, err := tx.ExecContext(ctx, "UPDATE search SET terms = terms || ? WHERE rowid = ?", string(terms), pk); err != nil {
			return 0, false, err
		}
	}
	return last, more, nil
}
