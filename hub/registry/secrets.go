package registry

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/sqlitefile"
)

// Kinds of what is sealed.
const (
	kindAuth   = "auth"   // an integration's auth values, as one object
	kindSecret = "secret" // anything else, by name
)

// Owner is an integration as the owner of secrets. They go with it.
func Owner(key directory.Key) string { return key.Account + "/" + key.Integration }

// WebhookOwner is a webhook as the owner of secrets. They go with it.
func WebhookOwner(id string) string { return "webhook:" + id }

// PendingOwner is something that is under way, such as an authorization, as the owner of secrets. What was not taken away is
// pruned after a day.
func PendingOwner(id string) string { return pendingOwner + id }

const pendingOwner = "pending:"

// OAuthTokens is the name of the secret that holds an integration's OAuth tokens.
const OAuthTokens = "oauth"

// sealContext binds what is sealed to where it is kept.
func sealContext(kind, owner, name string) string {
	return "registry/" + kind + "/" + owner + "/" + name
}

var errNoKey = &failure.Error{
	Message: "the key for the stored secrets is missing",
	Hint:    "give the hub its key file, or configure secrets",
}

// secret opens a secret. It returns nil if it is missing.
func (d *DB) secret(ctx context.Context, s session, kind, owner, name string) ([]byte, error) {
	sealed, err := one(ctx, s, value[[]byte], "SELECT sealed FROM hub.secrets WHERE owner = $1 AND kind = $2 AND name = $3", owner, kind, name)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return d.open(sealed, kind, owner, name)
}

func (d *DB) open(sealed []byte, kind, owner, name string) ([]byte, error) {
	if d.options.Seal == nil {
		return nil, errNoKey
	}
	return d.options.Seal.Open(sealed, sealContext(kind, owner, name))
}

// openAuth opens sealed auth values. It returns nil for nil.
func (d *DB) openAuth(key directory.Key, sealed []byte) (map[string]string, error) {
	values := map[string]string{}
	if sealed == nil {
		return values, nil
	}
	plain, err := d.open(sealed, kindAuth, Owner(key), "")
	if err != nil {
		return values, err
	}
	return values, json.Unmarshal(plain, &values)
}

// setSecret seals a secret; nil removes it.
func (d *DB) setSecret(ctx context.Context, s session, kind, owner, name string, plain []byte) error {
	if plain == nil {
		_, err := s.exec(ctx, "DELETE FROM hub.secrets WHERE owner = $1 AND kind = $2 AND name = $3", owner, kind, name)
		return err
	}
	if d.options.Seal == nil {
		return errNoKey
	}
	sealed, err := d.options.Seal.Seal(plain, sealContext(kind, owner, name))
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, `INSERT INTO hub.secrets (owner, kind, name, sealed, kept) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (owner, kind, name) DO UPDATE SET sealed = excluded.sealed, kept = excluded.kept`, owner, kind, name, sealed, micros(d.clock()))
	return err
}

// auth opens an integration's auth values. The result is empty if there are no values.
func (d *DB) auth(ctx context.Context, s session, key directory.Key) (map[string]string, error) {
	values := map[string]string{}
	plain, err := d.secret(ctx, s, kindAuth, Owner(key), "")
	if err != nil || plain == nil {
		return values, err
	}
	return values, json.Unmarshal(plain, &values)
}

// mergeAuth sets and removes auth values, and reports whether that changed any: learned ones came from the bridge. The caller
// holds the integration's row.
func (d *DB) mergeAuth(ctx context.Context, s session, key directory.Key, auth map[string]string, learned bool) (names string, changed bool, err error) {
	if len(auth) == 0 {
		return "", false, nil
	}
	before, err := d.auth(ctx, s, key)
	if err != nil {
		return "", false, err
	}
	after := maps.Clone(before)
	for name, value := range auth {
		after[name] = value
		if value == "" {
			delete(after, name)
		}
	}
	names = encodedList(slices.Sorted(maps.Keys(after)))
	if err := noteLearned(ctx, s, key, auth, learned); err != nil {
		return "", false, err
	}
	if maps.Equal(before, after) {
		return names, false, nil
	}
	var plain []byte
	if len(after) > 0 {
		if plain, err = json.Marshal(after); err != nil {
			return "", false, err
		}
	}
	if err := d.setSecret(ctx, s, kindAuth, Owner(key), "", plain); err != nil {
		return "", false, err
	}
	return names, true, s.must(ctx, "UPDATE hub.integrations SET auth_set = $3 WHERE account = $1 AND name = $2", key.Account, key.Integration, names)
}

// noteLearned keeps the names of the values that the bridge gave. What a user sets is theirs from then on.
func noteLearned(ctx context.Context, s session, key directory.Key, auth map[string]string, learned bool) error {
	was, err := one(ctx, s, scanNames, "SELECT learned FROM hub.integrations WHERE account = $1 AND name = $2", key.Account, key.Integration)
	if err != nil {
		return err
	}
	is := slices.DeleteFunc(slices.Clone(was), func(name string) bool { _, named := auth[name]; return named })
	if learned {
		is = append(is, slices.Collect(maps.Keys(auth))...)
	}
	slices.Sort(is)
	if slices.Equal(was, is) {
		return nil
	}
	return s.must(ctx, "UPDATE hub.integrations SET learned = $3 WHERE account = $1 AND name = $2", key.Account, key.Integration, encodedList(is))
}

func scanNames(row scanner) (names []string, err error) {
	err = row.Scan(stored(&names))
	return names, err
}

// Auth opens an integration's auth values. The result is empty if there are no values.
func (d *DB) Auth(ctx context.Context, key directory.Key) (map[string]string, error) {
	if _, err := d.Integration(ctx, key); err != nil {
		return nil, err
	}
	auth, err := d.auth(ctx, d.read(), key)
	return auth, wrap(err, "auth values of integration %s", Owner(key))
}

// SetAuth sets auth values; those that are not named stay, an empty one is removed. It makes a broken integration due.
func (d *DB) SetAuth(ctx context.Context, key directory.Key, auth map[string]string) error {
	return d.setAuth(ctx, key, auth, 0, false)
}

// LearnAuth is SetAuth with values that the integration's bridge gave (P13). They are for that bridge and those credentials:
// [ErrChanged] where the integration does not have this version any more.
func (d *DB) LearnAuth(ctx context.Context, key directory.Key, auth map[string]string, version int64) error {
	return d.setAuth(ctx, key, auth, version, true)
}

func (d *DB) setAuth(ctx context.Context, key directory.Key, auth map[string]string, version int64, learned bool) error {
	err := d.change(ctx, func(s session) error {
		if _, err := lockIntegration(ctx, s, key, version); err != nil {
			return err
		}
		_, changed, err := d.mergeAuth(ctx, s, key, auth, learned)
		if err != nil {
			return err
		}
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		touched := untouched
		if changed {
			touched = touchedAuth
		}
		return s.must(ctx, `UPDATE hub.integrations SET updated = CASE WHEN $4 > 0 THEN $3 ELSE updated END,
			touched = CASE WHEN touched > $4 THEN touched ELSE $4 END, version = CASE WHEN $4 > 0 THEN version + 1 ELSE version END,
			due = CASE WHEN health = 'broken' AND scheduled AND NOT paused THEN $3 ELSE due END
			WHERE account = $1 AND name = $2`, key.Account, key.Integration, now, touched)
	})
	return wrap(err, "auth values of integration %s", Owner(key))
}

// Secret opens another secret of an integration ([Owner]) or webhook ([WebhookOwner]): its OAuth tokens, its signing secret.
// nil if it is missing.
func (d *DB) Secret(ctx context.Context, owner, name string) ([]byte, error) {
	plain, err := d.secret(ctx, d.read(), kindSecret, owner, name)
	return plain, wrap(err, "secret %s of %s", name, owner)
}

// SetSecret seals a secret; nil removes it. An integration that is gone keeps none: [ErrNotFound].
func (d *DB) SetSecret(ctx context.Context, owner, name string, value []byte) error {
	err := d.change(ctx, func(s session) error {
		if err := holdOwner(ctx, s, owner); err != nil && value != nil {
			return err
		}
		return d.setSecret(ctx, s, kindSecret, owner, name, value)
	})
	return wrap(err, "secret %s of %s", name, owner)
}

// TakeSecret removes a secret, and reports whether it was there: of several that take it at once, one does.
func (d *DB) TakeSecret(ctx context.Context, owner, name string) (bool, error) {
	n, err := d.write().exec(ctx, "DELETE FROM hub.secrets WHERE owner = $1 AND kind = $2 AND name = $3", owner, kindSecret, name)
	return n > 0, wrap(err, "secret %s of %s", name, owner)
}

// holdOwner keeps an integration from being deleted while it gets a secret, which the next one of its name would inherit.
func holdOwner(ctx context.Context, s session, owner string) error {
	account, integration, ok := strings.Cut(owner, "/")
	if !ok {
		return nil
	}
	_, err := one(ctx, s, value[string], "SELECT name FROM hub.integrations WHERE account = $1 AND name = $2 AND going = 0 {lock}", account, integration)
	return err
}

// SettingsKey returns the key of the digests that are made of integrations' settings. It is made once, and outlives a rotation of the
// keys that seal it: with another key, all settings would look changed.
func (d *DB) SettingsKey(ctx context.Context) ([]byte, error) {
	key, err := d.secret(ctx, d.read(), kindSecret, settingsOwner, "digest")
	if err != nil || key != nil || d.options.Seal == nil {
		return key, wrap(err, "the key of settings' digests")
	}
	err = d.change(ctx, func(s session) error {
		// The row is a lock: processes that start together agree.
		if _, err := one(ctx, s, value[int64], "SELECT value FROM hub.counters WHERE name = 'events' {lock}"); err != nil {
			return err
		}
		if key, err = d.secret(ctx, s, kindSecret, settingsOwner, "digest"); err != nil || key != nil {
			return err
		}
		key = []byte(random())
		return d.setSecret(ctx, s, kindSecret, settingsOwner, "digest", key)
	})
	return key, wrap(err, "the key of settings' digests")
}

const settingsOwner = "hub:settings"

// HasSecrets reports whether anything is sealed: then there is a key already.
func (d *DB) HasSecrets(ctx context.Context) (bool, error) {
	n, err := one(ctx, d.read(), value[int64], "SELECT count(*) FROM (SELECT 1 FROM hub.secrets LIMIT 1) AS any_secret")
	return n > 0, wrap(err, "look for secrets")
}

// A sealed is a secret as it lies in the database.
type sealed struct {
	kind, owner, name string
	bytes             []byte
}

func scanSealed(row scanner) (s sealed, err error) {
	err = row.Scan(&s.kind, &s.owner, &s.name, &s.bytes)
	return s, err
}

const resealBatch = 200 // secrets of one transaction

// Reseal seals everything anew with the sealer's present key, after a rotation. It reports how many secrets there are. Every
// secret is either as it was or resealed; what cannot be opened is left as it is and told in the error, after all the others
// were resealed, so that Reseal can be run again. Only when it returns no error may the old keys go.
func (d *DB) Reseal(ctx context.Context) (int, error) {
	if d.options.Seal == nil {
		return 0, errNoKey
	}
	total, problems := 0, []error(nil)
	for last, more := (sealed{}), true; more; {
		var batch []sealed
		var failed []error
		err := d.change(ctx, func(s session) (err error) {
			batch, failed, err = d.resealBatch(ctx, s, last)
			return err
		})
		if err != nil {
			return total, wrap(errors.Join(append(problems, err)...), "reseal")
		}
		total += len(batch)
		problems = append(problems, failed...)
		if more = len(batch) == resealBatch; more {
			last = batch[len(batch)-1]
		}
	}
	return total, wrap(summed(problems), "reseal")
}

// resealBatch reseals the next secrets after one.
func (d *DB) resealBatch(ctx context.Context, s session, last sealed) (batch []sealed, failed []error, err error) {
	batch, err = list(ctx, s, scanSealed, `SELECT kind, owner, name, sealed FROM hub.secrets WHERE (owner, kind, name) > ($1, $2, $3)
		ORDER BY owner, kind, name LIMIT $4 {lock}`, last.owner, last.kind, last.name, resealBatch)
	if err != nil {
		return nil, nil, err
	}
	for _, one := range batch {
		plain, err := d.options.Seal.Open(one.bytes, sealContext(one.kind, one.owner, one.name))
		if err != nil {
			failed = append(failed, fmt.Errorf("%s %s of %s: %w", one.kind, one.name, one.owner, err))
			continue
		}
		sealed, err := d.options.Seal.Seal(plain, sealContext(one.kind, one.owner, one.name))
		if err != nil {
			return nil, nil, err
		}
		if err := s.must(ctx, "UPDATE hub.secrets SET sealed = $4 WHERE owner = $1 AND kind = $2 AND name = $3", one.owner, one.kind, one.name, sealed); err != nil {
			return nil, nil, err
		}
	}
	return batch, failed, nil
}

// summed joins the first few errors and counts the rest.
func summed(errs []error) error {
	const shown = 5
	if len(errs) > shown {
		errs = append(errs[:shown:shown], fmt.Errorf("and %d more", len(errs)-shown))
	}
	return errors.Join(errs...)
}

// CheckSecrets opens every secret of a registry's file, and reports those that do not open.
func CheckSecrets(ctx context.Context, file *sqlitefile.Alone, seal Sealer) error {
	var problems []error
	err := file.Each(ctx, "SELECT kind, owner, name, sealed FROM secrets ORDER BY owner, kind, name", func(row *sql.Rows) error {
		s, err := scanSealed(row)
		if err != nil {
			return err
		}
		if _, err := seal.Open(s.bytes, sealContext(s.kind, s.owner, s.name)); err != nil {
			problems = append(problems, fmt.Errorf("%s of %s: %w", cmp.Or(s.name, s.kind), s.owner, err))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the secrets: %w", err)
	}
	return summed(problems)
}
