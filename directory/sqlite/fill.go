package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/pressly/goose/v3"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

// fillSearch is the migration that makes a file of an older release searchable.
func fillSearch() *goose.Migration {
	return goose.NewGoMigration(3, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		f := filler{tx: tx}
		for more := true; more; {
			var err error
			if more, err = f.fill(ctx); err != nil {
				return err
			}
		}
		return nil
	}}, nil)
}

// A filler goes through the contacts by pk, some at a time.
type filler struct {
	tx    *sql.Tx
	after int64 // pk of the last one
}

// An unfound contact is not in the search index yet.
type unfound struct {
	pk, account, integration int64
	directory.Record
}

const fillAtOnce = 1000

func (f *filler) fill(ctx context.Context) (more bool, err error) {
	contacts, err := f.contacts(ctx)
	if err != nil || len(contacts) == 0 {
		return false, err
	}
	if err := f.numbers(ctx, contacts); err != nil {
		return false, err
	}
	insert, err := f.tx.PrepareContext(ctx, "INSERT INTO search (rowid, terms) VALUES (?, ?)")
	if err != nil {
		return false, err
	}
	defer insert.Close()
	for i := range contacts {
		c := &contacts[i]
		if _, err := insert.ExecContext(ctx, c.pk, string(searchTerms(nil, c.account, c.integration, &c.Contact, c.Numbers))); err != nil {
			return false, err
		}
		f.after = c.pk
	}
	return true, nil
}

func (f *filler) contacts(ctx context.Context) (contacts []unfound, err error) {
	rows, err := f.tx.QueryContext(ctx, `SELECT c.pk, i.account, i.pk, c.data FROM contacts c JOIN integrations i ON i.pk = c.integration
		WHERE c.pk > ? ORDER BY c.pk LIMIT ?`, f.after, fillAtOnce)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var u unfound
		var data sql.RawBytes
		if err := rows.Scan(&u.pk, &u.account, &u.integration, &data); err != nil {
			return nil, err
		}
		if err := u.Contact.UnmarshalJSON(data); err != nil {
			u.Contact = contact.Contact{} // found by its numbers at least
		}
		contacts = append(contacts, u)
	}
	return contacts, rows.Err()
}

// numbers reads the contacts' numbers: both lie in the order of the contacts' keys.
func (f *filler) numbers(ctx context.Context, contacts []unfound) (err error) {
	first, last := contacts[0].pk, contacts[len(contacts)-1].pk
	rows, err := f.tx.QueryContext(ctx, "SELECT contact, reversed, full FROM numbers WHERE pk >= ? AND pk < ? ORDER BY pk", numberKey(first, 0), numberKey(last+1, 0))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for at := 0; rows.Next(); {
		var pk int64
		var reversed string
		var full bool
		if err := rows.Scan(&pk, &reversed, &full); err != nil {
			return err
		}
		for at < len(contacts) && contacts[at].pk < pk {
			at++
		}
		if at == len(contacts) || contacts[at].pk != pk {
			continue
		}
		n := directory.Number{Match: directory.Reverse(reversed)}
		if full {
			n.E164 = "+" + n.Match
		}
		contacts[at].Numbers = append(contacts[at].Numbers, n)
	}
	return rows.Err()
}
