package registry

import (
	"context"
	"errors"
	"time"
)

const day = 24 * time.Hour

// PutSamples keeps samples of different accounts or days; the last one of an account's day wins.
func (d *DB) PutSamples(ctx context.Context, samples ...Sample) error {
	rows := make([][]any, 0, len(samples))
	for _, s := range samples {
		rows = append(rows, []any{s.Account, micros(s.Day.UTC().Truncate(day)), s.Contacts})
	}
	err := d.write().insert(ctx, "INSERT INTO hub.samples (account, day, contacts) VALUES ", rows, " ON CONFLICT (account, day) DO UPDATE SET contacts = excluded.contacts")
	return wrap(err, "keep samples")
}

func scanSample(row scanner) (s Sample, err error) {
	err = row.Scan(&s.Account, stamp{&s.Day}, &s.Contacts)
	return s, err
}

// Samples lists an account's since a day, ascending; all accounts' summed where account is empty.
func (d *DB) Samples(ctx context.Context, account string, since time.Time) ([]Sample, error) {
	text := "SELECT account, day, contacts FROM hub.samples WHERE day >= $1 AND account = $2 ORDER BY day"
	args := []any{micros(since.UTC().Truncate(day)), account}
	if account == "" {
		text, args = "SELECT '', day, CAST(sum(contacts) AS BIGINT) FROM hub.samples WHERE day >= $1 GROUP BY day ORDER BY day", args[:1]
	}
	all, err := list(ctx, d.read(), scanSample, text, args...)
	return all, wrap(err, "list samples")
}

// Setting returns a setting's value, or an empty one if it is missing.
func (d *DB) Setting(ctx context.Context, name string) (string, error) {
	v, err := one(ctx, d.read(), value[string], "SELECT value FROM hub.settings WHERE name = $1", name)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return v, wrap(err, "setting %s", name)
}

// SetSetting sets one.
func (d *DB) SetSetting(ctx context.Context, name, value string) error {
	_, err := d.write().exec(ctx, "INSERT INTO hub.settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
	return wrap(err, "setting %s", name)
}

const (
	year       = 365 * day
	pruneBatch = 2000 // rows of one statement: others write in between
)

// Prune deletes events, ended deliveries, expired tokens, and audit entries older than a time; expired sessions, and what was
// left of things under way ([PendingOwner]). Audit entries are kept at least a year, and as long as [OpenOptions] say. A delivery
// goes with its event, ended or not.
func (d *DB) Prune(ctx context.Context, before time.Time) error {
	now := d.clock()
	keepAudit := now.Add(-max(year, d.options.KeepAudit))
	if keepAudit.After(before) {
		keepAudit = before
	}
	// A token that has expired long ago is forgotten; what it made does not end by that.
	_, err := d.write().exec(ctx, `UPDATE hub.tokens SET parent = '' WHERE parent IN (SELECT p.id FROM hub.tokens p WHERE p.expires > 0 AND p.expires < $1)`, micros(before))
	if err != nil {
		return wrap(err, "prune")
	}
	for _, p := range []struct {
		table, key, condition string
		before                time.Time
	}{
		{"hub.deliveries", "id", "next = 0 AND ended < $1", before},
		{"hub.events", "id", "time < $1", before},
		{"hub.secrets", "owner", "owner LIKE '" + pendingOwner + "%' AND kept < $1", now.Add(-day)},
		{"hub.sessions", "digest", "expires < $1", now},
		{"hub.leases", "name", "until < $1", now.Add(-day)},
		{"hub.tokens", "id", "expires > 0 AND expires < $1", before},
		{"hub.audit", "id", "time < $1", keepAudit},
	} {
		text := "DELETE FROM " + p.table + " WHERE " + p.key + " IN (SELECT " + p.key + " FROM " + p.table + " WHERE " + p.condition + " LIMIT $2)"
		for n := int64(pruneBatch); n == pruneBatch; {
			var err error
			if n, err = d.write().exec(ctx, text, micros(p.before), pruneBatch); err != nil {
				return wrap(err, "prune")
			}
		}
	}
	return nil
}
