package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// AddCalls keeps look-ups.
func (d *DB) AddCalls(ctx context.Context, calls []Call) error {
	err := d.change(ctx, func(s session) error {
		for _, c := range calls {
			id, err := one(ctx, s, value[int64], "INSERT INTO hub.calls (account, time, number, reason, answer) VALUES ($1, $2, $3, $4, $5) RETURNING id",
				c.Account, micros(c.Time), storable(c.Number), c.Reason, string(c.Answer))
			if err != nil {
				return err
			}
			for _, ref := range c.Contacts {
				_, err := s.exec(ctx, "INSERT INTO hub.call_contacts (call, account, integration, contact) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
					id, c.Account, ref.Integration, contactDigest(ref))
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	return wrap(err, "keep look-ups")
}

// contactDigest stands for a contact's id: any text can be one, and no more is needed to find it again.
func contactDigest(ref directory.Ref) string {
	sum := sha256.Sum256([]byte(ref.ID))
	return hex.EncodeToString(sum[:])
}

// storable is a text as both databases can hold it.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "?")
}

func scanCall(row scanner) (c Call, err error) {
	var answer string
	err = row.Scan(&c.ID, &c.Account, stamp{&c.Time}, &c.Number, &c.Reason, &answer)
	c.Answer = json.RawMessage(answer)
	return c, err
}

// Calls lists an account's kept look-ups, the newest first: those with an ID below before; 0: from the newest on.
func (d *DB) Calls(ctx context.Context, account string, before int64, limit int) ([]Call, error) {
	all, err := list(ctx, d.read(), scanCall, `SELECT id, account, time, number, reason, answer FROM hub.calls
		WHERE account = $1 AND ($2 = 0 OR id < $2) ORDER BY id DESC LIMIT $3`, account, before, limit)
	return all, wrap(err, "list kept look-ups of account %s", account)
}

// PurgeCalls deletes the kept look-ups that tell of contacts, or were for one of these numbers as they are kept. It reports how
// many there were.
func (d *DB) PurgeCalls(ctx context.Context, account string, refs []directory.Ref, numbers []string) (n int64, err error) {
	err = d.change(ctx, func(s session) error {
		for _, ref := range refs {
			gone, err := s.exec(ctx, "DELETE FROM hub.calls WHERE account = $1 AND id IN (SELECT call FROM hub.call_contacts WHERE account = $1 AND integration = $2 AND contact = $3)",
				account, ref.Integration, contactDigest(ref))
			if err != nil {
				return err
			}
			n += gone
		}
		for _, number := range numbers {
			gone, err := s.exec(ctx, "DELETE FROM hub.calls WHERE account = $1 AND number = $2", account, storable(number))
			if err != nil {
				return err
			}
			n += gone
		}
		return nil
	})
	return n, wrap(err, "purge kept look-ups of account %s", account)
}

// Called lists the accounts that keep look-ups, by name.
func (d *DB) Called(ctx context.Context) ([]Account, error) {
	all, err := list(ctx, d.read(), scanAccount, "SELECT "+accountColumns+` FROM hub.accounts a WHERE going = 0
		AND EXISTS (SELECT 1 FROM hub.calls c WHERE c.account = a.name) ORDER BY name`)
	return all, wrap(err, "list the accounts that keep look-ups")
}

// PruneCalls deletes an account's kept look-ups from before a time, and all but the newest so many.
func (d *DB) PruneCalls(ctx context.Context, account string, before time.Time, most int) error {
	for _, condition := range []struct {
		text  string
		value int64
	}{
		{"time < $2", micros(before)},
		{"id <= (SELECT c.id FROM hub.calls c WHERE c.account = $1 ORDER BY c.id DESC LIMIT 1 OFFSET $2)", int64(most)},
	} {
		text := "DELETE FROM hub.calls WHERE account = $1 AND id IN (SELECT id FROM hub.calls WHERE account = $1 AND " + condition.text + " LIMIT $3)"
		for n := int64(pruneBatch); n == pruneBatch; {
			var err error
			if n, err = d.write().exec(ctx, text, account, condition.value, pruneBatch); err != nil {
				return wrap(err, "delete old look-ups of account %s", account)
			}
		}
	}
	return nil
}

// AddRecognition adds to the counts of accounts and days.
func (d *DB) AddRecognition(ctx context.Context, counts []Recognition) error {
	err := d.change(ctx, func(s session) error {
		for _, c := range counts {
			_, err := s.exec(ctx, `INSERT INTO hub.recognition AS r (account, day, asked, named, ambiguous, unknown) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (account, day) DO UPDATE SET asked = r.asked + excluded.asked, named = r.named + excluded.named,
				ambiguous = r.ambiguous + excluded.ambiguous, unknown = r.unknown + excluded.unknown`,
				c.Account, micros(c.Day.UTC().Truncate(day)), c.Asked, c.Named, c.Ambiguous, c.Unknown)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "count calls")
}

func scanRecognition(row scanner) (r Recognition, err error) {
	err = row.Scan(&r.Account, stamp{&r.Day}, &r.Asked, &r.Named, &r.Ambiguous, &r.Unknown)
	return r, err
}

// Recognitions lists an account's counts since a day, ascending; all accounts' summed where account is empty.
func (d *DB) Recognitions(ctx context.Context, account string, since time.Time) ([]Recognition, error) {
	text := "SELECT account, day, asked, named, ambiguous, unknown FROM hub.recognition WHERE day >= $1 AND account = $2 ORDER BY day"
	args := []any{micros(since.UTC().Truncate(day)), account}
	if account == "" {
		text, args = `SELECT '', day, CAST(sum(asked) AS BIGINT), CAST(sum(named) AS BIGINT), CAST(sum(ambiguous) AS BIGINT), CAST(sum(unknown) AS BIGINT)
			FROM hub.recognition WHERE day >= $1 GROUP BY day ORDER BY day`, args[:1]
	}
	all, err := list(ctx, d.read(), scanRecognition, text, args...)
	return all, wrap(err, "list counts of calls")
}

// A CallerSource is what a look-up has to know of an integration.
type CallerSource struct {
	Name     string
	Priority int
	Role     string
	Fresh    time.Time
	Ask      bool // its source is asked where no contact is known
	Paused   bool
	Health   Health
	Version  int64 // of its settings and auth values
}

// CallerSources lists an account's integrations as look-ups need them.
func (d *DB) CallerSources(ctx context.Context, account string) ([]CallerSource, error) {
	all, err := list(ctx, d.read(), func(row scanner) (c CallerSource, err error) {
		var settings configured
		err = row.Scan(&c.Name, stored(&settings), stamp{&c.Fresh}, &c.Paused, &c.Health, &c.Version)
		c.Priority, c.Role, c.Ask = settings.Priority, settings.Role, settings.Ask
		return c, err
	}, "SELECT name, config, fresh, paused, health, version FROM hub.integrations WHERE account = $1", account)
	return all, wrap(err, "list the integrations of account %s", account)
}
