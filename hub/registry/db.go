package registry

import (
	"context"
	"errors"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// A Sealer keeps secrets at rest. Context binds what is sealed to its place, so that it cannot be moved to another.
type Sealer interface {
	Seal(plain []byte, context string) ([]byte, error)
	Open(sealed []byte, context string) ([]byte, error)
}

// A DB is a registry in a database.
type DB struct{}

// Options say how a registry is opened.
type Options struct {
	Seal  Sealer           // for auth values, OAuth tokens and webhooks' secrets
	Clock func() time.Time // nil: time.Now
}

var errNotBuilt = errors.New("not built")

// Open opens a registry, making it or bringing it up to date: a SQLite file's path, or a postgres:// URL.
func Open(ctx context.Context, at string, o Options) (*DB, error) { return nil, errNotBuilt }

// Close gives back what it holds.
func (d *DB) Close() error { return nil }

// Ping reports whether the database answers.
func (d *DB) Ping(ctx context.Context) error { return errNotBuilt }

// PutAccount makes or changes an account.
func (d *DB) PutAccount(ctx context.Context, a Account) error { return errNotBuilt }

// Account returns one account, or [ErrNotFound].
func (d *DB) Account(ctx context.Context, name string) (Account, error) {
	return Account{}, errNotBuilt
}

// Accounts lists all by name.
func (d *DB) Accounts(ctx context.Context) ([]Account, error) { return nil, errNotBuilt }

// DeleteAccount deletes an account with its integrations, tokens and webhooks.
func (d *DB) DeleteAccount(ctx context.Context, name string) error { return errNotBuilt }

// AddIntegration makes an integration with its auth values; [ErrExists] if there is one of its name. Where it has a
// schedule it is due at once; where many are added at once, the hub spreads later runs by itself.
func (d *DB) AddIntegration(ctx context.Context, i Integration, auth map[string]string) error {
	return errNotBuilt
}

// ChangeIntegration replaces what is configured, not its status or auth values.
func (d *DB) ChangeIntegration(ctx context.Context, i Integration) error { return errNotBuilt }

// Integration returns one, or [ErrNotFound].
func (d *DB) Integration(ctx context.Context, key directory.Key) (Integration, error) {
	return Integration{}, errNotBuilt
}

// Integrations lists an account's by name, all accounts' where account is empty: at most limit (0: all) behind a key.
func (d *DB) Integrations(ctx context.Context, account string, after directory.Key, limit int) ([]Integration, error) {
	return nil, errNotBuilt
}

// DeleteIntegration deletes one with its auth values.
func (d *DB) DeleteIntegration(ctx context.Context, key directory.Key) error { return errNotBuilt }

// Auth opens an integration's auth values.
func (d *DB) Auth(ctx context.Context, key directory.Key) (map[string]string, error) {
	return nil, errNotBuilt
}

// SetAuth sets auth values; those that are not named stay, an empty one is removed. It makes a broken integration due.
func (d *DB) SetAuth(ctx context.Context, key directory.Key, auth map[string]string) error {
	return errNotBuilt
}

// Secret opens another secret of an integration or webhook: its OAuth tokens, its signing secret. nil where there is none.
func (d *DB) Secret(ctx context.Context, owner, name string) ([]byte, error) { return nil, errNotBuilt }

// SetSecret seals a secret; nil removes it.
func (d *DB) SetSecret(ctx context.Context, owner, name string, value []byte) error {
	return errNotBuilt
}

// Reseal seals everything anew with the sealer's present key, after a rotation. It reports how many secrets there are.
func (d *DB) Reseal(ctx context.Context) (int, error) { return 0, errNotBuilt }

// Claim gives a worker up to limit integrations that are due or asked for and that no living claim holds, the latest first.
// Any number of processes may claim at once; none gets what another got.
func (d *DB) Claim(ctx context.Context, worker string, limit int, hold time.Duration) ([]Claim, error) {
	return nil, errNotBuilt
}

// Claimed returns the claim that a token proves, taken over by this worker, or [ErrClaimLost].
func (d *DB) Claimed(ctx context.Context, key directory.Key, token, worker string, hold time.Duration) (Claim, error) {
	return Claim{}, errNotBuilt
}

// Renew shows a sign of life and reports what was asked for since; [ErrClaimLost] where another worker has it.
func (d *DB) Renew(ctx context.Context, c Claim, hold time.Duration) (Ask, error) {
	return Ask{}, errNotBuilt
}

// Release gives a claim back with what came of it. What the claim's Asked held is answered; what was asked for meanwhile
// stays asked for. [ErrClaimLost] where another worker has it.
func (d *DB) Release(ctx context.Context, c Claim, o Outcome) error { return errNotBuilt }

// Ask adds to what is asked of an integration.
func (d *DB) Ask(ctx context.Context, key directory.Key, ask Ask) error { return errNotBuilt }

// Pause pauses or resumes an integration. Resuming makes one that has a schedule due.
func (d *DB) Pause(ctx context.Context, key directory.Key, paused bool) error { return errNotBuilt }

// PutToken keeps a token under its value's SHA-256; one of the same account and name is replaced if replace says so, or else
// [ErrExists].
func (d *DB) PutToken(ctx context.Context, t Token, digest []byte, replace bool) error {
	return errNotBuilt
}

// TokenByDigest returns the token with this SHA-256, or [ErrNotFound]. Expired ones are returned as well.
func (d *DB) TokenByDigest(ctx context.Context, digest []byte) (Token, error) {
	return Token{}, errNotBuilt
}

// TokenUsed notes that a token was used.
func (d *DB) TokenUsed(ctx context.Context, id string, at time.Time) error { return errNotBuilt }

// Tokens lists an account's by name; all where account is empty.
func (d *DB) Tokens(ctx context.Context, account string) ([]Token, error) { return nil, errNotBuilt }

// DeleteToken deletes one by its id.
func (d *DB) DeleteToken(ctx context.Context, id string) error { return errNotBuilt }

// PutUser makes or changes a user by its ID; [ErrExists] where another one has the name.
func (d *DB) PutUser(ctx context.Context, u User) error { return errNotBuilt }

// CreateFirstUser makes a user if there is none at all, or else [ErrExists]: two first visits make one administrator.
func (d *DB) CreateFirstUser(ctx context.Context, u User) error { return errNotBuilt }

// Users lists all by name.
func (d *DB) Users(ctx context.Context) ([]User, error) { return nil, errNotBuilt }

// UserByName finds one without regard to case, or [ErrNotFound].
func (d *DB) UserByName(ctx context.Context, name string) (User, error) { return User{}, errNotBuilt }

// UserBySubject finds one by its OpenID Connect subject, or [ErrNotFound].
func (d *DB) UserBySubject(ctx context.Context, subject string) (User, error) {
	return User{}, errNotBuilt
}

// DeleteUser deletes a user with all sessions.
func (d *DB) DeleteUser(ctx context.Context, id string) error { return errNotBuilt }

// PutSession keeps a session.
func (d *DB) PutSession(ctx context.Context, s Session) error { return errNotBuilt }

// SessionUser returns the session with this digest and its user; [ErrNotFound] where there is none, or it has expired, or
// its user is disabled.
func (d *DB) SessionUser(ctx context.Context, digest []byte) (Session, User, error) {
	return Session{}, User{}, errNotBuilt
}

// DeleteSession ends one session.
func (d *DB) DeleteSession(ctx context.Context, digest []byte) error { return errNotBuilt }

// DeleteSessions ends all of a user's but one; except may be nil.
func (d *DB) DeleteSessions(ctx context.Context, user string, except []byte) error {
	return errNotBuilt
}

// AddEvent keeps an event, sets its ID and Time, and makes a delivery of it for every webhook that wants it, in one
// transaction.
func (d *DB) AddEvent(ctx context.Context, e *Event) error { return errNotBuilt }

// Events lists what a filter chooses, ascending.
func (d *DB) Events(ctx context.Context, f Filter) ([]Event, error) { return nil, errNotBuilt }

// LastEvent is the newest event's ID; 0 where there is none.
func (d *DB) LastEvent(ctx context.Context) (int64, error) { return 0, errNotBuilt }

// PutWebhook makes or changes a webhook by its ID. Its signing secret is [DB.SetSecret]'s.
func (d *DB) PutWebhook(ctx context.Context, w Webhook) error { return errNotBuilt }

// Webhooks lists an account's; all where account is empty.
func (d *DB) Webhooks(ctx context.Context, account string) ([]Webhook, error) {
	return nil, errNotBuilt
}

// DeleteWebhook deletes one with its deliveries.
func (d *DB) DeleteWebhook(ctx context.Context, id string) error { return errNotBuilt }

// Deliveries takes up to limit deliveries that are due and holds them for a while, so that no other process takes them.
func (d *DB) Deliveries(ctx context.Context, limit int, hold time.Duration) ([]Delivery, error) {
	return nil, errNotBuilt
}

// Delivered ends a delivery, or plans its next attempt: next is zero where it is over. Problem is empty where it went well.
func (d *DB) Delivered(ctx context.Context, id int64, problem string, next time.Time) error {
	return errNotBuilt
}

// AddAudit keeps an entry and sets its ID and Time.
func (d *DB) AddAudit(ctx context.Context, e *AuditEntry) error { return errNotBuilt }

// Audit lists what a filter chooses, newest first.
func (d *DB) Audit(ctx context.Context, f Filter) ([]AuditEntry, error) { return nil, errNotBuilt }

// PutSample keeps a day's sample; the last one of a day wins.
func (d *DB) PutSample(ctx context.Context, s Sample) error { return errNotBuilt }

// Samples lists an account's since a day, ascending; all accounts' summed where account is empty.
func (d *DB) Samples(ctx context.Context, account string, since time.Time) ([]Sample, error) {
	return nil, errNotBuilt
}

// Setting returns a setting's value; empty where there is none.
func (d *DB) Setting(ctx context.Context, name string) (string, error) { return "", errNotBuilt }

// SetSetting sets one.
func (d *DB) SetSetting(ctx context.Context, name, value string) error { return errNotBuilt }

// Prune deletes events, ended deliveries, expired sessions and tokens, and audit entries older than a time. Audit entries are kept at least a year.
func (d *DB) Prune(ctx context.Context, before time.Time) error { return errNotBuilt }

// Backup writes a copy of a SQLite registry to a new file while it is in use; secrets stay sealed in it.
func (d *DB) Backup(ctx context.Context, path string) error { return errNotBuilt }
