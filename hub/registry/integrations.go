package registry

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// configured holds an integration's settings as they are stored.
type configured struct {
	Bridge     string        `json:"bridge"`
	Source     string        `json:"source,omitempty"`
	Validation string        `json:"validation,omitempty"`
	Agents     string        `json:"agents,omitempty"`
	Fields     []Field       `json:"fields,omitempty"`
	OAuth      *OAuth        `json:"oauth,omitempty"`
	Every      time.Duration `json:"every,omitempty"` // nanoseconds, as all of them
	Cron       string        `json:"cron,omitempty"`
	Off        bool          `json:"off,omitempty"`
	Full       time.Duration `json:"full,omitempty"`
	Pages      int64         `json:"pages,omitempty"`
	PageBytes  int64         `json:"page_bytes,omitempty"`
	Timeout    time.Duration `json:"timeout,omitempty"`
	Run        time.Duration `json:"run,omitempty"`
	Share      float64       `json:"guard_share,omitempty"`
	Min        int64         `json:"guard_min,omitempty"`
	Always     bool          `json:"guard_always,omitempty"`
	Priority   int           `json:"priority,omitempty"`
	Role       string        `json:"role,omitempty"`
	Files      []string      `json:"files,omitempty"`
	Ask        bool          `json:"ask,omitempty"`
}

func configuredOf(i *Integration) *configured {
	return &configured{
		Bridge: i.Bridge, Source: i.Source, Validation: i.Validation, Agents: i.Agents, Fields: i.Fields, OAuth: i.OAuth,
		Every: i.Schedule.Every, Cron: i.Schedule.Cron, Off: i.Schedule.Off, Full: i.Schedule.Full,
		Pages: i.Limits.Pages, PageBytes: i.Limits.PageBytes, Timeout: i.Limits.Timeout, Run: i.Limits.Run,
		Share: i.Guard.Share, Min: i.Guard.Min, Always: i.Guard.Always, Priority: i.Priority, Role: i.Role, Files: i.Files, Ask: i.Ask,
	}
}

func (c *configured) apply(i *Integration) {
	i.Bridge, i.Source, i.Validation, i.Agents, i.Fields, i.OAuth = c.Bridge, c.Source, c.Validation, c.Agents, c.Fields, c.OAuth
	i.Schedule = Schedule{Every: c.Every, Cron: c.Cron, Off: c.Off, Full: c.Full}
	i.Limits = Limits{Pages: c.Pages, PageBytes: c.PageBytes, Timeout: c.Timeout, Run: c.Run}
	i.Guard = directory.Guard{Share: c.Share, Min: c.Min, Always: c.Always}
	i.Priority, i.Role, i.Files, i.Ask = c.Priority, c.Role, c.Files, c.Ask
}

const integrationColumns = `account, name, config, auth_set, paused, managed, created, updated,
	health, problem, failures, due, fresh, last_full, worker, until, asked | taken, asked_at, version, learned`

// scanIntegration reads [integrationColumns]; more are columns after them.
func scanIntegration(row scanner, more ...any) (i Integration, err error) {
	var c configured
	var asked, askedAt int64
	problem := ""
	into := []any{
		&i.Account, &i.Key.Integration, stored(&c), stored(&i.AuthSet), &i.Paused, &i.Managed,
		stamp{&i.Created},
		stamp{&i.Updated},
		&i.Status.Health, &problem, &i.Status.Failures,
		stamp{&i.Status.Due},
		stamp{&i.Status.Fresh},
		stamp{&i.Status.LastFull},
		&i.Status.Worker,
		stamp{&i.Status.Until},
		&asked, &askedAt, &i.Version, stored(&i.Learned),
	}
	if err := row.Scan(append(into, more...)...); err != nil {
		return i, err
	}
	c.apply(&i)
	i.AuthSet = slices.DeleteFunc(i.AuthSet, func(name string) bool { return name == SourceValue })
	i.Status.Asked = askOf(asked)
	if asked&askAnyRun != 0 && askedAt != never {
		i.Status.AskedFor = time.UnixMicro(askedAt).UTC()
	}
	if problem != "" {
		err = json.Unmarshal([]byte(problem), &i.Status.Problem)
	}
	return i, err
}

func scanPlain(row scanner) (Integration, error) { return scanIntegration(row) }

// AddIntegration makes an integration with its auth values; [ErrExists] if there is one of its name, [ErrGoing] if one of its
// name is still being removed, [ErrNotFound] if there is no such account. Where it has a schedule it is due at once; where many
// are added at once, the hub spreads later runs by itself.
func (d *DB) AddIntegration(ctx context.Context, i Integration, auth map[string]string) error {
	return d.AddConnected(ctx, i, auth, "")
}

// AddConnected is AddIntegration with the OAuth tokens of a pending owner ([PendingOwner]), which become the integration's; [ErrChanged]
// where there are none. An empty owner has none.
func (d *DB) AddConnected(ctx context.Context, i Integration, auth map[string]string, pending string) error {
	if err := checkName("integration", i.Key.Integration); err != nil {
		return err
	}
	config, err := encoded(configuredOf(&i))
	if err != nil {
		return err
	}
	err = d.change(ctx, func(s session) error {
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		if err := claimName(ctx, s, i.Key, now); err != nil {
			return err
		}
		created := now
		if !i.Created.IsZero() {
			created = micros(i.Created)
		}
		due := now
		if i.Paused || i.Schedule.Off {
			due = 0
		}
		_, err = s.exec(ctx, `INSERT INTO hub.integrations (account, name, config, scheduled, paused, managed, created, updated, due)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			i.Account, i.Key.Integration, config, !i.Schedule.Off, i.Paused, i.Managed, created, now, due)
		if err != nil {
			return s.named(err, "account "+i.Account)
		}
		if _, _, err = d.mergeAuth(ctx, s, i.Key, auth, false); err != nil {
			return err
		}
		return d.takeTokens(ctx, s, i.Key, pending)
	})
	return wrap(err, "integration %s", Owner(i.Key))
}

// takeTokens gives an integration the OAuth tokens of a pending owner, which has none of its secrets any more.
func (d *DB) takeTokens(ctx context.Context, s session, key directory.Key, pending string) error {
	if pending == "" {
		return nil
	}
	tokens, err := d.secret(ctx, s, kindSecret, pending, OAuthTokens)
	if err != nil {
		return err
	}
	gone, err := s.exec(ctx, "DELETE FROM hub.secrets WHERE owner = $1", pending)
	if err == nil && (tokens == nil || gone == 0) { // another one took them
		err = ErrChanged
	}
	if err != nil {
		return err
	}
	return d.setSecret(ctx, s, kindSecret, Owner(key), OAuthTokens, tokens)
}

// A Change holds what is changed together with an integration's configuration.
type Change struct {
	Auth         map[string]string // auth values that are set; an empty one is removed, others stay
	ForgetTokens bool              // the OAuth tokens that a provider gave: they were not given for where they would go now
	Pending      string            // the pending owner whose OAuth tokens become the integration's; empty: none
}

// ChangeIntegration replaces what is configured, not its status, and changes auth values and tokens with it: all of it or
// nothing. Where i.Version is not 0, the integration must still have that version, or else [ErrChanged]. What is the same as
// before changes nothing. A change of the schedule, one that resumes a paused integration, and any change of a broken one make it
// due.
func (d *DB) ChangeIntegration(ctx context.Context, i Integration, c Change) error {
	config, err := encoded(configuredOf(&i))
	if err != nil {
		return err
	}
	err = d.change(ctx, func(s session) error {
		old, err := lockIntegration(ctx, s, i.Key, i.Version)
		if err != nil {
			return err
		}
		before, err := encoded(configuredOf(&old))
		if err != nil {
			return err
		}
		if c.ForgetTokens {
			if err := d.setSecret(ctx, s, kindSecret, Owner(i.Key), OAuthTokens, nil); err != nil {
				return err
			}
		}
		_, changed, err := d.mergeAuth(ctx, s, i.Key, c.Auth, false)
		if err != nil {
			return err
		}
		if err := d.takeTokens(ctx, s, i.Key, c.Pending); err != nil {
			return err
		}
		changed = changed || c.Pending != ""
		mends := old.Status.Health == HealthBroken && (before != config || len(c.Auth) > 0 || c.Pending != "")
		if before == config && old.Paused == i.Paused && old.Managed == i.Managed && !changed && !mends {
			return nil
		}
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		due, touched := micros(old.Status.Due), untouched
		if changed {
			touched = touchedAuth
		}
		if old.Schedule != i.Schedule || old.Paused != i.Paused || old.Bridge != i.Bridge || old.Source != i.Source || mends {
			due, touched = now, touchedSchedule
		}
		if i.Paused || i.Schedule.Off {
			due = 0
		}
		return s.must(ctx, `UPDATE hub.integrations SET config = $3, scheduled = $4, paused = $5, managed = $6, updated = $7, due = $8,
			touched = CASE WHEN touched > $9 THEN touched ELSE $9 END, version = version + 1 WHERE account = $1 AND name = $2`,
			i.Account, i.Key.Integration, config, !i.Schedule.Off, i.Paused, i.Managed, now, due, touched)
	})
	return wrap(err, "integration %s", Owner(i.Key))
}

// lockIntegration reads an integration and locks it against other changes until the transaction's end: of this version, unless it is 0.
func lockIntegration(ctx context.Context, s session, key directory.Key, version int64) (Integration, error) {
	i, err := one(ctx, s, scanPlain, "SELECT "+integrationColumns+" FROM hub.integrations WHERE account = $1 AND name = $2 AND going = 0 {lock}",
		key.Account, key.Integration)
	if err == nil && version != 0 && i.Version != version {
		err = ErrChanged
	}
	return i, err
}

// Integration returns one, or [ErrNotFound]: also where it is being removed.
func (d *DB) Integration(ctx context.Context, key directory.Key) (Integration, error) {
	i, err := one(ctx, d.read(), scanPlain, "SELECT "+integrationColumns+" FROM hub.integrations WHERE account = $1 AND name = $2 AND going = 0",
		key.Account, key.Integration)
	return i, wrap(err, "integration %s", Owner(key))
}

// Configured returns an integration with its auth values, both as they are at one moment, or [ErrNotFound]: also where it is being
// removed. Read one after the other, they may be of before and after a change, and what was given for one address would be sent to
// another.
func (d *DB) Configured(ctx context.Context, key directory.Key) (Integration, map[string]string, error) {
	var locked []byte
	i, err := one(ctx, d.read(), func(row scanner) (Integration, error) { return scanIntegration(row, &locked) },
		"SELECT "+integrationColumns+`, (SELECT s.sealed FROM hub.secrets s WHERE s.owner = $3 AND s.kind = $4 AND s.name = '')
		FROM hub.integrations WHERE account = $1 AND name = $2 AND going = 0`, key.Account, key.Integration, Owner(key), kindAuth)
	if err != nil {
		return i, nil, wrap(err, "integration %s", Owner(key))
	}
	auth, err := d.openAuth(key, locked)
	return i, auth, wrap(err, "auth values of integration %s", Owner(key))
}

// Integrations lists an account's by name, all accounts' where account is empty: at most limit (0: all) after a key.
func (d *DB) Integrations(ctx context.Context, account string, after directory.Key, limit int) ([]Integration, error) {
	rows := int64(limit)
	if limit <= 0 {
		rows = math.MaxInt64
	}
	text := "SELECT " + integrationColumns + " FROM hub.integrations WHERE (account, name) > ($1, $2) AND going = 0 ORDER BY account, name LIMIT $3"
	args := []any{after.Account, after.Integration, rows}
	if account != "" {
		text = "SELECT " + integrationColumns + " FROM hub.integrations WHERE account = $1 AND name > $2 AND going = 0 ORDER BY name LIMIT $3"
		args[0] = account
	}
	all, err := list(ctx, d.read(), scanPlain, text, args...)
	return all, wrap(err, "list the integrations")
}
