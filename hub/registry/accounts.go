package registry

import (
	"context"
	"fmt"
	"regexp"

	"github.com/contactbridge/contactbridge/failure"
)

const accountColumns = "name, region, time_zone, managed, created, callers"

func scanAccount(row scanner) (a Account, err error) {
	err = row.Scan(&a.Name, &a.Region, &a.TimeZone, &a.Managed, stamp{&a.Created}, stored(&a.Callers))
	return a, err
}

// PutAccount makes or changes an account. Created stays what it was. [ErrGoing] while one of its name is being removed.
func (d *DB) PutAccount(ctx context.Context, a Account) error {
	if err := checkName("account", a.Name); err != nil {
		return err
	}
	callers, err := encoded(&a.Callers)
	if err != nil {
		return wrap(err, "keep account %s", a.Name)
	}
	n, err := d.write().exec(ctx, `INSERT INTO hub.accounts AS a (`+accountColumns+`) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO UPDATE SET
		region = excluded.region, time_zone = excluded.time_zone, managed = excluded.managed, callers = excluded.callers WHERE a.going = 0`,
		a.Name, a.Region, a.TimeZone, a.Managed, d.orNow(a.Created), callers)
	if err == nil && n == 0 {
		err = ErrGoing
	}
	return wrap(err, "keep account %s", a.Name)
}

// Account returns one account, or [ErrNotFound].
func (d *DB) Account(ctx context.Context, name string) (Account, error) {
	a, err := one(ctx, d.read(), scanAccount, "SELECT "+accountColumns+" FROM hub.accounts WHERE name = $1 AND going = 0", name)
	return a, wrap(err, "account %s", name)
}

// Accounts lists all by name.
func (d *DB) Accounts(ctx context.Context) ([]Account, error) {
	all, err := list(ctx, d.read(), scanAccount, "SELECT "+accountColumns+" FROM hub.accounts WHERE going = 0 ORDER BY name")
	return all, wrap(err, "list the accounts")
}

// SeveralAccounts reports whether there is more than one. It reads no more than two.
func (d *DB) SeveralAccounts(ctx context.Context) (bool, error) {
	n, err := one(ctx, d.read(), value[int64], "SELECT count(*) FROM (SELECT 1 FROM hub.accounts WHERE going = 0 LIMIT 2) AS some")
	return n > 1, wrap(err, "count the accounts")
}

// DeleteAccount deletes an account with its integrations, tokens and webhooks, their secrets and deliveries, and its kept look-ups, or returns
// [ErrNotFound]. Events, samples and audit entries stay.
func (d *DB) DeleteAccount(ctx context.Context, name string) error {
	err := d.revoke(ctx, func(s session) error {
		// First of all, so that nothing is added to the account meanwhile.
		if _, err := one(ctx, s, value[string], "SELECT name FROM hub.accounts WHERE name = $1 {lock}", name); err != nil {
			return err
		}
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		// The CAST is for PostgreSQL: a parameter in a list of columns has no type there.
		if _, err := s.exec(ctx, `INSERT INTO hub.removed (account, name, at) SELECT account, name, CAST($2 AS BIGINT) FROM hub.integrations WHERE account = $1
			ON CONFLICT (account, name) DO UPDATE SET at = excluded.at, until = 0`, name, now); err != nil {
			return err
		}
		for _, text := range []string{
			// The integrations before their secrets: none gets another one in between.
			"DELETE FROM hub.integrations WHERE account = $1",
			"DELETE FROM hub.secrets WHERE owner > $1 || '/' AND owner < $1 || '0'", // 0 follows / in ASCII
			"DELETE FROM hub.secrets WHERE owner IN (SELECT 'webhook:' || id FROM hub.webhooks WHERE account = $1)",
			"DELETE FROM hub.secrets WHERE owner IN (SELECT 'phonebook-key:' || id FROM hub.phonebook_keys WHERE account = $1)",
			"DELETE FROM hub.calls WHERE account = $1",
			"DELETE FROM hub.recognition WHERE account = $1",
			"DELETE FROM hub.readers WHERE account = $1",
			"DELETE FROM hub.erasures WHERE account = $1",
			"DELETE FROM hub.accounts WHERE name = $1",
		} {
			if _, err := s.exec(ctx, text, name); err != nil {
				return err
			}
		}
		return countPhonebooks(ctx, s)
	})
	return wrap(err, "account %s", name)
}

var nameShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// checkName refuses names that could be taken for something else.
func checkName(kind, name string) error {
	if nameShape.MatchString(name) {
		return nil
	}
	return &failure.Error{
		Message: fmt.Sprintf("%q cannot be the name of an %s", name, kind),
		Hint:    "use letters, digits, hyphens and underscores, at most 64",
	}
}

// wrap says what was done when an error came; nil for nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
