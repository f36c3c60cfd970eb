package registry

import (
	"context"
	"errors"
	"time"
)

// A Reader is a device that reads a phonebook.
type Reader struct {
	Account string    `json:"-"`
	Book    string    `json:"-"`
	Way     string    `json:"way"`              // http, ldap or carddav
	Name    string    `json:"name,omitempty"`   // with which it signed in
	Address string    `json:"address"`          // that it came from
	Device  string    `json:"device,omitempty"` // what it says it is
	Copies  bool      `json:"copies"`           // it keeps a copy of the phonebook
	Since   time.Time `json:"since"`            // when it read first
	Last    time.Time `json:"last"`             // when it read last
	Times   int64     `json:"times"`            // how often it has read
}

// MostReaders is how many readers of a phonebook are kept: those that read last.
const MostReaders = 500

// AddReaders notes that readers have read.
func (d *DB) AddReaders(ctx context.Context, readers []Reader) error {
	err := d.change(ctx, func(s session) error {
		for _, r := range readers {
			copies := 0
			if r.Copies {
				copies = 1
			}
			_, err := s.exec(ctx, `INSERT INTO hub.readers AS r (account, book, way, name, address, device, copies, since, last, times) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
				ON CONFLICT (account, book, way, name, address, device) DO UPDATE SET copies = excluded.copies, last = excluded.last, times = r.times + excluded.times`,
				r.Account, r.Book, r.Way, storable(r.Name), r.Address, storable(r.Device), copies, micros(r.Since), micros(r.Last), r.Times)
			if err != nil {
				return err
			}
			_, err = s.exec(ctx, `DELETE FROM hub.readers WHERE account = $1 AND book = $2 AND last <
				(SELECT o.last FROM hub.readers o WHERE o.account = $1 AND o.book = $2 ORDER BY o.last DESC LIMIT 1 OFFSET $3)`, r.Account, r.Book, MostReaders-1)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "note who read phonebooks")
}

func scanReader(row scanner) (r Reader, err error) {
	var copies int64
	err = row.Scan(&r.Account, &r.Book, &r.Way, &r.Name, &r.Address, &r.Device, &copies, stamp{&r.Since}, stamp{&r.Last}, &r.Times)
	r.Copies = copies == 1
	return r, err
}

// Readers lists who read a phonebook, the last one first.
func (d *DB) Readers(ctx context.Context, account, book string) ([]Reader, error) {
	all, err := list(ctx, d.read(), scanReader, `SELECT account, book, way, name, address, device, copies, since, last, times FROM hub.readers
		WHERE account = $1 AND book = $2 ORDER BY last DESC, way, name, address, device`, account, book)
	return all, wrap(err, "list who read a phonebook of account %s", account)
}

// NoteErasure notes that somebody was purged who was in phonebooks.
func (d *DB) NoteErasure(ctx context.Context, account string, books []string, at time.Time) error {
	err := d.change(ctx, func(s session) error {
		for _, book := range books {
			_, err := s.exec(ctx, "INSERT INTO hub.erasures (account, book, at) VALUES ($1, $2, $3) ON CONFLICT (account, book) DO UPDATE SET at = excluded.at", account, book, micros(at))
			if err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "note a purge in phonebooks of account %s", account)
}

// Erasure is when somebody was purged last who was in a phonebook; the zero time where nobody was.
func (d *DB) Erasure(ctx context.Context, account, book string) (at time.Time, err error) {
	at, err = one(ctx, d.read(), func(row scanner) (t time.Time, err error) { return t, row.Scan(stamp{&t}) },
		"SELECT at FROM hub.erasures WHERE account = $1 AND book = $2", account, book)
	if errors.Is(err, ErrNotFound) {
		return time.Time{}, nil
	}
	return at, wrap(err, "phonebook %s", book)
}

// PruneReaders forgets who has not read since a time.
func (d *DB) PruneReaders(ctx context.Context, before time.Time) error {
	_, err := d.write().exec(ctx, "DELETE FROM hub.readers WHERE last < $1", micros(before))
	return wrap(err, "forget who read phonebooks")
}
