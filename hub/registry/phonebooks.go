package registry

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// A Phonebook is one that somebody made. Those of the configuration file are not kept here.
type Phonebook struct {
	Account  string
	Name     string // unique in its account
	Settings PhonebookSettings
	Created  time.Time
	Updated  time.Time
}

// PhonebookSettings say what is in a phonebook, and how it is read. The words are those of the configuration file.
type PhonebookSettings struct {
	Integrations []string         `json:"integrations,omitempty"` // empty: all
	Where        string           `json:"where,omitempty"`        // empty: every contact
	Numbers      PhonebookNumbers `json:"numbers,omitzero"`
	HTTP         *PhonebookHTTP   `json:"http,omitempty"`    // nil: it is not read over HTTP
	LDAP         *PhonebookLDAP   `json:"ldap,omitempty"`    // nil: it is not read over LDAP
	CardDAV      *PhonebookDAV    `json:"carddav,omitempty"` // nil: it is not read over CardDAV
}

// PhonebookNumbers say how numbers are written.
type PhonebookNumbers struct {
	Format        string `json:"format,omitempty"` // empty: e164
	Region        string `json:"region,omitempty"` // empty: the account's
	Area          string `json:"area,omitempty"`
	OutsidePrefix string `json:"outside_prefix,omitempty"`
}

// PhonebookHTTP says how a phonebook is read over HTTP.
type PhonebookHTTP struct {
	Title  string   `json:"title,omitempty"` // what devices show; empty: the phonebook's name
	First  string   `json:"first,omitempty"` // which entries go in first; empty: name
	Prefer string   `json:"prefer,omitempty"`
	Allow  []string `json:"allow,omitempty"` // networks; empty: every address
}

// PhonebookLDAP says how a phonebook is read over LDAP. Where that listens is the operator's.
type PhonebookLDAP struct {
	SizeLimitCode int `json:"size_limit_code"` // of an answer that has not all entries: 4 or 0
}

// PhonebookDAV says how a phonebook is read over CardDAV.
type PhonebookDAV struct {
	Title string `json:"title,omitempty"` // what address books show; empty: the phonebook's name
}

// A PhonebookKey is what a device or a site signs in with, without its secret.
type PhonebookKey struct {
	ID      string
	Account string
	Book    string
	Name    string // unique in its phonebook
	Kind    KeyKind
	Created time.Time
	MadeBy  string // as the audit log writes it
}

// A KeyKind says how a key is shown.
type KeyKind string

// The kinds of keys.
const (
	KeyPassword KeyKind = "password" // with a name
	KeyDigest   KeyKind = "digest"   // the same, also by HTTP Digest: its password is kept sealed
	KeyPath     KeyKind = "path"     // in the address
)

// Bounds of phonebooks.
const (
	MostPhonebooks = 100  // of one account, that somebody made
	MostKeys       = 1000 // of one phonebook
)

// ErrTooMany says that an account or a phonebook has as many of them as it may have.
var ErrTooMany = errors.New("there are too many")

func keyOwner(id string) string { return "phonebook-key:" + id }

const phonebookColumns = "p.account, p.name, p.config, p.created, p.updated"

func scanPhonebook(row scanner) (p Phonebook, err error) {
	var config string
	if err := row.Scan(&p.Account, &p.Name, &config, stamp{&p.Created}, stamp{&p.Updated}); err != nil {
		return p, err
	}
	return p, json.Unmarshal([]byte(config), &p.Settings)
}

// changePhonebooks does everything of f or nothing, and tells all processes that phonebooks have changed.
func (d *DB) changePhonebooks(ctx context.Context, f func(s session) error) error {
	return d.change(ctx, func(s session) error {
		if err := f(s); err != nil {
			return err
		}
		return countPhonebooks(ctx, s)
	})
}

func countPhonebooks(ctx context.Context, s session) error {
	_, err := s.exec(ctx, "UPDATE hub.counters SET value = value + 1 WHERE name = 'phonebooks'")
	return err
}

// PhonebookChanges counts the changes of phonebooks, and the keys that were made or revoked, in any process.
func (d *DB) PhonebookChanges(ctx context.Context) (int64, error) {
	n, err := one(ctx, d.read(), value[int64], "SELECT value FROM hub.counters WHERE name = 'phonebooks'")
	return n, wrap(err, "count the changes of phonebooks")
}

// holdAccount keeps an account from being removed in this transaction.
func holdAccount(ctx context.Context, s session, account string) error {
	going, err := one(ctx, s, value[int64], "SELECT going FROM hub.accounts WHERE name = $1 {lock}", account)
	if err == nil && going > 0 {
		err = ErrGoing
	}
	return err
}

// PutPhonebook makes a phonebook, or changes its settings, and reports whether it is new. A new one has no keys: those of a phonebook of
// its name, which the configuration file had, are deleted. [ErrNotFound] if there is no such account, [ErrGoing] if it is being removed,
// [ErrTooMany] if it has [MostPhonebooks].
func (d *DB) PutPhonebook(ctx context.Context, p Phonebook) (made bool, err error) {
	config, err := json.Marshal(p.Settings)
	if err != nil {
		return false, err
	}
	put := func(s session) error {
		if err := holdAccount(ctx, s, p.Account); err != nil {
			return err
		}
		names, err := list(ctx, s, value[string], "SELECT name FROM hub.phonebooks WHERE account = $1 AND name = $2", p.Account, p.Name)
		if err != nil {
			return err
		}
		now := micros(d.clock())
		if len(names) == 1 {
			return s.must(ctx, "UPDATE hub.phonebooks SET config = $3, updated = $4 WHERE account = $1 AND name = $2", p.Account, p.Name, string(config), now)
		}
		made = true
		n, err := one(ctx, s, value[int64], "SELECT count(*) FROM hub.phonebooks WHERE account = $1", p.Account)
		if err == nil && n >= MostPhonebooks {
			err = ErrTooMany
		}
		if err != nil {
			return err
		}
		if err := deleteKeys(ctx, s, "account = $1 AND book = $2", p.Account, p.Name); err != nil {
			return err
		}
		if err := forgetReaders(ctx, s, p.Account, p.Name); err != nil {
			return err
		}
		_, err = s.exec(ctx, "INSERT INTO hub.phonebooks (account, name, config, created, updated) VALUES ($1, $2, $3, $4, $5)", p.Account, p.Name, string(config), now, now)
		return err
	}
	err = d.revoke(ctx, func(s session) error {
		if err := put(s); err != nil {
			return err
		}
		return countPhonebooks(ctx, s)
	})
	return made, wrap(err, "phonebook %s of account %s", p.Name, p.Account)
}

// forgetReaders forgets who read a phonebook, for the next one of its name.
func forgetReaders(ctx context.Context, s session, account, book string) error {
	for _, text := range []string{"DELETE FROM hub.readers WHERE account = $1 AND book = $2", "DELETE FROM hub.erasures WHERE account = $1 AND book = $2"} {
		if _, err := s.exec(ctx, text, account, book); err != nil {
			return err
		}
	}
	return nil
}

// Phonebooks lists an account's by name; all, by account and name, where account is empty. Those of accounts that are being removed are
// left out.
func (d *DB) Phonebooks(ctx context.Context, account string) ([]Phonebook, error) {
	text := "SELECT " + phonebookColumns + " FROM hub.phonebooks p JOIN hub.accounts a ON a.name = p.account AND a.going = 0"
	args := []any{}
	if account != "" {
		text, args = text+" WHERE p.account = $1", append(args, account)
	}
	all, err := list(ctx, d.read(), scanPhonebook, text+" ORDER BY p.account, p.name", args...)
	return all, wrap(err, "list the phonebooks")
}

// Phonebook returns one, or [ErrNotFound].
func (d *DB) Phonebook(ctx context.Context, account, name string) (Phonebook, error) {
	p, err := one(ctx, d.read(), scanPhonebook, "SELECT "+phonebookColumns+" FROM hub.phonebooks p WHERE p.account = $1 AND p.name = $2", account, name)
	return p, wrap(err, "phonebook %s of account %s", name, account)
}

// DeletePhonebook deletes one with its keys, or returns [ErrNotFound].
func (d *DB) DeletePhonebook(ctx context.Context, account, name string) error {
	err := d.revoke(ctx, func(s session) error {
		if err := s.must(ctx, "DELETE FROM hub.phonebooks WHERE account = $1 AND name = $2", account, name); err != nil {
			return err
		}
		if err := deleteKeys(ctx, s, "account = $1 AND book = $2", account, name); err != nil {
			return err
		}
		return countPhonebooks(ctx, s)
	})
	return wrap(err, "phonebook %s of account %s", name, account)
}

// deleteKeys deletes keys with what is sealed of them.
func deleteKeys(ctx context.Context, s session, where string, args ...any) error {
	if _, err := s.exec(ctx, "DELETE FROM hub.secrets WHERE owner IN (SELECT 'phonebook-key:' || id FROM hub.phonebook_keys WHERE "+where+")", args...); err != nil {
		return err
	}
	_, err := s.exec(ctx, "DELETE FROM hub.phonebook_keys WHERE "+where, args...)
	return err
}

const keyColumns = "k.id, k.account, k.book, k.name, k.kind, k.created, k.made_by"

func scanKeyOfBook(row scanner) (k PhonebookKey, err error) {
	err = row.Scan(&k.ID, &k.Account, &k.Book, &k.Name, &k.Kind, stamp{&k.Created}, &k.MadeBy)
	return k, err
}

// AddKey keeps a key under its secret's SHA-256, and completes k. The password of one for Digest is given too, and sealed. [ErrExists]
// where the phonebook has a key of that name, [ErrTooMany] where it has [MostKeys]. Whether there is such a phonebook is not asked:
// the configuration file knows some.
func (d *DB) AddKey(ctx context.Context, k *PhonebookKey, digest []byte, password string) error {
	k.ID, k.Created = random(), moment(micros(d.clock()))
	err := d.changePhonebooks(ctx, func(s session) error {
		if err := holdAccount(ctx, s, k.Account); err != nil {
			return err
		}
		n, err := one(ctx, s, value[int64], "SELECT count(*) FROM hub.phonebook_keys WHERE account = $1 AND book = $2", k.Account, k.Book)
		if err == nil && n >= MostKeys {
			err = ErrTooMany
		}
		if err != nil {
			return err
		}
		_, err = s.exec(ctx, "INSERT INTO hub.phonebook_keys (id, account, book, name, kind, digest, created, made_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
			k.ID, k.Account, k.Book, k.Name, k.Kind, digest, micros(k.Created), k.MadeBy)
		if err != nil {
			return s.named(err, "account "+k.Account)
		}
		if k.Kind != KeyDigest {
			return nil
		}
		return d.setSecret(ctx, s, kindSecret, keyOwner(k.ID), keyPassword, []byte(password))
	})
	return wrap(err, "credential %s of phonebook %s", k.Name, k.Book)
}

// keyPassword is the name of the secret that holds a key's password.
const keyPassword = "password"

// Keys lists the keys of an account's phonebook by name; of all its phonebooks where book is empty.
func (d *DB) Keys(ctx context.Context, account, book string) ([]PhonebookKey, error) {
	text, args := "SELECT "+keyColumns+" FROM hub.phonebook_keys k WHERE k.account = $1", []any{account}
	if book != "" {
		text, args = text+" AND k.book = $2", append(args, book)
	}
	all, err := list(ctx, d.read(), scanKeyOfBook, text+" ORDER BY k.book, k.name", args...)
	return all, wrap(err, "list the credentials of phonebooks of account %s", account)
}

// KeyKinds says of which kinds each phonebook has keys.
func (d *DB) KeyKinds(ctx context.Context) (map[directory.BookKey][]KeyKind, error) {
	type kindOf struct {
		book directory.BookKey
		kind KeyKind
	}
	all, err := list(ctx, d.read(), func(row scanner) (k kindOf, err error) {
		err = row.Scan(&k.book.Account, &k.book.Name, &k.kind)
		return k, err
	}, "SELECT DISTINCT account, book, kind FROM hub.phonebook_keys")
	kinds := map[directory.BookKey][]KeyKind{}
	for _, k := range all {
		kinds[k.book] = append(kinds[k.book], k.kind)
	}
	return kinds, wrap(err, "list the credentials of phonebooks")
}

// KeyByDigest returns the key whose secret has this SHA-256, or [ErrNotFound]: also where its account is being removed.
func (d *DB) KeyByDigest(ctx context.Context, digest []byte) (PhonebookKey, error) {
	k, err := one(ctx, d.read(), scanKeyOfBook, "SELECT "+keyColumns+` FROM hub.phonebook_keys k JOIN hub.accounts a ON a.name = k.account AND a.going = 0
		WHERE k.digest = $1`, digest)
	return k, wrap(err, "find a credential of a phonebook")
}

// KeyForDigest returns a key of the kind [KeyDigest] by its name, with its password, or [ErrNotFound].
func (d *DB) KeyForDigest(ctx context.Context, account, book, name string) (k PhonebookKey, password string, err error) {
	k, err = one(ctx, d.read(), scanKeyOfBook, "SELECT "+keyColumns+` FROM hub.phonebook_keys k JOIN hub.accounts a ON a.name = k.account AND a.going = 0
		WHERE k.account = $1 AND k.book = $2 AND k.name = $3 AND k.kind = $4`, account, book, name, KeyDigest)
	if err != nil {
		return k, "", wrap(err, "find a credential of a phonebook")
	}
	plain, err := d.Secret(ctx, keyOwner(k.ID), keyPassword)
	if err == nil && plain == nil { // it was revoked meanwhile
		err = ErrNotFound
	}
	return k, string(plain), wrap(err, "find a credential of a phonebook")
}

// DeleteKey revokes a key, or returns [ErrNotFound].
func (d *DB) DeleteKey(ctx context.Context, k PhonebookKey) error {
	err := d.revoke(ctx, func(s session) error {
		if err := s.must(ctx, "DELETE FROM hub.phonebook_keys WHERE id = $1 AND account = $2", k.ID, k.Account); err != nil {
			return err
		}
		if _, err := s.exec(ctx, "DELETE FROM hub.secrets WHERE owner = $1", keyOwner(k.ID)); err != nil {
			return err
		}
		return countPhonebooks(ctx, s)
	})
	return wrap(err, "credential %s of phonebook %s", k.Name, k.Book)
}

// LivingKeys returns which of some keys, by id, have not been revoked.
func (d *DB) LivingKeys(ctx context.Context, ids []string) (map[string]bool, error) {
	living := map[string]bool{}
	for some := range slices.Chunk(ids, 500) {
		var args []any
		text := "SELECT k.id FROM hub.phonebook_keys k JOIN hub.accounts a ON a.name = k.account AND a.going = 0 WHERE k.id IN (" + places(some, &args) + ")"
		found, err := list(ctx, d.read(), value[string], text, args...)
		if err != nil {
			return nil, wrap(err, "ask for credentials of phonebooks")
		}
		for _, id := range found {
			living[id] = true
		}
	}
	return living, nil
}
