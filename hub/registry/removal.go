package registry

import (
	"context"
	"errors"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// BeginRemoval marks an integration as being removed, or returns [ErrNotFound]. From then on it is not listed, nothing of it can
// be changed, no worker gets it, and the run under way is asked to end. One that is being removed already stays so.
func (d *DB) BeginRemoval(ctx context.Context, key directory.Key) error {
	now, err := d.now(ctx, d.read())
	if err != nil {
		return err
	}
	err = d.write().must(ctx, `UPDATE hub.integrations SET going = CASE WHEN going = 0 THEN $3 ELSE going END, due = 0,
		asked = CASE WHEN token = '' THEN 0 ELSE {cancel} END WHERE account = $1 AND name = $2`, key.Account, key.Integration, now)
	return wrap(err, "integration %s", Owner(key))
}

// Removals lists the integrations that are being removed.
func (d *DB) Removals(ctx context.Context) ([]directory.Key, error) {
	all, err := list(ctx, d.read(), scanKey, "SELECT account, name FROM hub.integrations WHERE going > 0 ORDER BY account, name")
	return all, wrap(err, "list what is being removed")
}

func scanKey(row scanner) (key directory.Key, err error) {
	err = row.Scan(&key.Account, &key.Integration)
	return key, err
}

// Removable reports whether no living claim holds an integration that is being removed. False where it is not being removed.
func (d *DB) Removable(ctx context.Context, key directory.Key) (bool, error) {
	now, err := d.now(ctx, d.read())
	if err != nil {
		return false, err
	}
	n, err := one(ctx, d.read(), value[int64], `SELECT count(*) FROM hub.integrations
		WHERE account = $1 AND name = $2 AND going > 0 AND (token = '' OR until <= $3)`, key.Account, key.Integration, now)
	return n > 0, wrap(err, "integration %s", Owner(key))
}

// DeleteIntegration deletes one with its auth values and other secrets, or returns [ErrNotFound]. Its worker's claim is lost.
// That it was removed is remembered, for contacts that a late worker still stores.
func (d *DB) DeleteIntegration(ctx context.Context, key directory.Key) error {
	err := d.change(ctx, func(s session) error {
		i, err := one(ctx, s, scanPlain, "SELECT "+integrationColumns+" FROM hub.integrations WHERE account = $1 AND name = $2 {lock}", key.Account, key.Integration)
		if err != nil {
			return err
		}
		if err := s.must(ctx, "DELETE FROM hub.integrations WHERE account = $1 AND name = $2", key.Account, key.Integration); err != nil {
			return err
		}
		if err := removeFilesOf(ctx, s, i); err != nil {
			return err
		}
		if _, err := s.exec(ctx, "DELETE FROM hub.secrets WHERE owner = $1", Owner(key)); err != nil {
			return err
		}
		if _, err := s.exec(ctx, "DELETE FROM hub.calls WHERE account = $1 AND id IN (SELECT call FROM hub.call_contacts WHERE account = $1 AND integration = $2)",
			key.Account, key.Integration); err != nil {
			return err
		}
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		return remember(ctx, s, key, now)
	})
	return wrap(err, "integration %s", Owner(key))
}

// remember notes that an integration was removed.
func remember(ctx context.Context, s session, key directory.Key, now int64) error {
	_, err := s.exec(ctx, `INSERT INTO hub.removed (account, name, at) VALUES ($1, $2, $3)
		ON CONFLICT (account, name) DO UPDATE SET at = excluded.at, until = 0`, key.Account, key.Integration, now)
	return err
}

// claimName makes a removed integration's name free for a new one; [ErrGoing] while the rest of the old one is removed.
func claimName(ctx context.Context, s session, key directory.Key, now int64) error {
	going, err := one(ctx, s, value[int64], "SELECT going FROM hub.accounts WHERE name = $1 {lock}", key.Account)
	if err == nil && going > 0 {
		return ErrGoing
	}
	if err != nil {
		return wrap(err, "account %s", key.Account)
	}
	going, err = one(ctx, s, value[int64], "SELECT going FROM hub.integrations WHERE account = $1 AND name = $2", key.Account, key.Integration)
	switch {
	case err == nil && going > 0:
		return ErrGoing
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	}
	until, err := one(ctx, s, value[int64], "SELECT until FROM hub.removed WHERE account = $1 AND name = $2 {lock}", key.Account, key.Integration)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case until > now:
		return ErrGoing
	}
	_, err = s.exec(ctx, "DELETE FROM hub.removed WHERE account = $1 AND name = $2", key.Account, key.Integration)
	return err
}

// ForgetRemoved forgets which integrations were removed before a time.
func (d *DB) ForgetRemoved(ctx context.Context, before time.Time) error {
	_, err := d.write().exec(ctx, "DELETE FROM hub.removed WHERE at < $1", micros(before))
	return wrap(err, "forget what was removed")
}

// Removed lists the integrations that were removed since a time and that there are not again.
func (d *DB) Removed(ctx context.Context, since time.Time) ([]directory.Key, error) {
	all, err := list(ctx, d.read(), scanKey, "SELECT account, name FROM hub.removed WHERE at >= $1 ORDER BY account, name", micros(since))
	return all, wrap(err, "list what was removed")
}

// Sweep gives this process the right, for a while, to remove the rest of a removed integration, during which no integration with its name
// can be added. It reports false where there is one of its name again, where another process does it, or where it was not removed.
func (d *DB) Sweep(ctx context.Context, key directory.Key, hold time.Duration) (bool, error) {
	now, err := d.now(ctx, d.read())
	if err != nil {
		return false, err
	}
	n, err := d.write().exec(ctx, "UPDATE hub.removed SET until = $3 WHERE account = $1 AND name = $2 AND until <= $4",
		key.Account, key.Integration, now+hold.Microseconds(), now)
	return n > 0, wrap(err, "integration %s", Owner(key))
}

// SweepUnknown is Sweep for an integration that this registry does not know: for contacts that would not be removed otherwise.
// [ErrExists] where it does.
func (d *DB) SweepUnknown(ctx context.Context, key directory.Key, hold time.Duration) (bool, error) {
	err := d.change(ctx, func(s session) error {
		if _, err := one(ctx, s, value[string], "SELECT name FROM hub.accounts WHERE name = $1 {lock}", key.Account); err != nil {
			return err
		}
		n, err := one(ctx, s, value[int64], "SELECT count(*) FROM hub.integrations WHERE account = $1 AND name = $2", key.Account, key.Integration)
		if err == nil && n > 0 {
			err = ErrExists
		}
		if err != nil {
			return err
		}
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		_, err = s.exec(ctx, "INSERT INTO hub.removed (account, name, at) VALUES ($1, $2, $3) ON CONFLICT (account, name) DO NOTHING",
			key.Account, key.Integration, now)
		return err
	})
	if err != nil {
		return false, wrap(err, "integration %s", Owner(key))
	}
	return d.Sweep(ctx, key, hold)
}

// Swept ends what [DB.Sweep] began.
func (d *DB) Swept(ctx context.Context, key directory.Key) error {
	_, err := d.write().exec(ctx, "UPDATE hub.removed SET until = 0 WHERE account = $1 AND name = $2", key.Account, key.Integration)
	return wrap(err, "integration %s", Owner(key))
}

// Hidden lists the names of an account's integrations with contacts that are no longer shown: those that are being removed, and
// those that were and that there are not again.
func (d *DB) Hidden(ctx context.Context, account string) ([]string, error) {
	all, err := list(ctx, d.read(), value[string], `SELECT name FROM hub.integrations WHERE account = $1 AND going > 0
		UNION SELECT name FROM hub.removed WHERE account = $1`, account)
	return all, wrap(err, "list what is being removed of account %s", account)
}

// BeginAccountRemoval marks an account as being removed, with its integrations: see [DB.BeginRemoval]. Its tokens are not known any
// more from then on.
func (d *DB) BeginAccountRemoval(ctx context.Context, name string) error {
	err := d.revoke(ctx, func(s session) error {
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		if err := s.must(ctx, "UPDATE hub.accounts SET going = CASE WHEN going = 0 THEN $2 ELSE going END WHERE name = $1", name, now); err != nil {
			return err
		}
		_, err = s.exec(ctx, `UPDATE hub.integrations SET going = CASE WHEN going = 0 THEN $2 ELSE going END, due = 0,
			asked = CASE WHEN token = '' THEN 0 ELSE {cancel} END WHERE account = $1`, name, now)
		if err != nil {
			return err
		}
		return countPhonebooks(ctx, s)
	})
	return wrap(err, "account %s", name)
}

// AccountRemovals lists the accounts that are being removed, and have no integrations any more.
func (d *DB) AccountRemovals(ctx context.Context) ([]string, error) {
	all, err := list(ctx, d.read(), value[string], `SELECT name FROM hub.accounts a WHERE going > 0
		AND NOT EXISTS (SELECT 1 FROM hub.integrations i WHERE i.account = a.name) ORDER BY name`)
	return all, wrap(err, "list the accounts that are being removed")
}

// Hold gives a process the right to do something that only one may do at a time, and reports whether it has it. It ends after a
// while, or with [DB.Free].
func (d *DB) Hold(ctx context.Context, name, holder string, hold time.Duration) (bool, error) {
	now, err := d.now(ctx, d.read())
	if err != nil {
		return false, err
	}
	n, err := d.write().exec(ctx, `INSERT INTO hub.leases AS l (name, holder, until) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE l.until <= $4 OR l.holder = excluded.holder`,
		name, holder, now+hold.Microseconds(), now)
	return n > 0, wrap(err, "hold %s", name)
}

// Free gives back what [DB.Hold] gave.
func (d *DB) Free(ctx context.Context, name, holder string) error {
	_, err := d.write().exec(ctx, "DELETE FROM hub.leases WHERE name = $1 AND holder = $2", name, holder)
	return wrap(err, "free %s", name)
}
