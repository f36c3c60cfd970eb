package registry

import (
	"context"
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const userColumns = "u.id, u.name, u.role, u.accounts, u.password, u.subject, u.disabled, u.created, u.last_seen, u.email"

func userFields(u *User) []any {
	return []any{&u.ID, &u.Name, &u.Role, stored(&u.Accounts), &u.Password, &u.Subject, &u.Disabled, stamp{&u.Created}, stamp{&u.LastSeen}, &u.Email}
}

func scanUser(row scanner) (u User, err error) {
	err = row.Scan(userFields(&u)...)
	return u, err
}

// Address returns the user's e-mail address: what is kept as such, or the name where it is one; empty where neither is.
func (u User) Address() string {
	if u.Email != "" || !strings.Contains(u.Name, "@") {
		return u.Email
	}
	return u.Name
}

// FoldName returns a name as names are compared everywhere: without regard to case (ß is ss) and to how a letter with an accent
// is composed. Names that FoldName makes the same are one user's.
func FoldName(name string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(name)))
}

const insertUser = `INSERT INTO hub.users AS u (id, name, folded, role, accounts, password, subject, disabled, created, last_seen, email)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

func (d *DB) userValues(u User) []any {
	return []any{
		u.ID, u.Name, FoldName(u.Name), u.Role, encodedList(u.Accounts), u.Password, u.Subject, u.Disabled, d.orNow(u.Created), micros(u.LastSeen), u.Email,
	}
}

// PutUser makes or changes a user by its ID; [ErrExists] where another one has the name, or the subject. Created stays what
// it was, and LastSeen never goes back. Tokens that the user may not make any more end.
func (d *DB) PutUser(ctx context.Context, u User) error {
	err := d.revoke(ctx, func(s session) error {
		_, err := s.exec(ctx, insertUser+` ON CONFLICT (id) DO UPDATE SET name = excluded.name, folded = excluded.folded, role = excluded.role,
			accounts = excluded.accounts, password = excluded.password, subject = excluded.subject, disabled = excluded.disabled, email = excluded.email,
			last_seen = CASE WHEN excluded.last_seen > u.last_seen THEN excluded.last_seen ELSE u.last_seen END`, d.userValues(u)...)
		if err != nil {
			return s.named(err, "")
		}
		return d.endTokens(ctx, s, u)
	})
	return wrap(err, "user %s", u.Name)
}

// ChangeUser changes what an administrator says of a user: name, role, accounts, address, and whether they are locked. Password, subject
// and the rest stay what they are by now, not what a user read of them before. Tokens that the user may not make any more
// end. [ErrNotFound] where the user is gone.
func (d *DB) ChangeUser(ctx context.Context, u User) error {
	err := d.revoke(ctx, func(s session) error {
		err := s.must(ctx, "UPDATE hub.users SET name = $2, folded = $3, role = $4, accounts = $5, disabled = $6, email = $7 WHERE id = $1",
			u.ID, u.Name, FoldName(u.Name), u.Role, encodedList(u.Accounts), u.Disabled, u.Email)
		if err != nil {
			return s.named(err, "")
		}
		return d.endTokens(ctx, s, u)
	})
	return wrap(err, "change user %s", u.Name)
}

// SetPassword puts an encoded password in the place of one; [ErrNotFound] where the user is gone or has another one by now.
func (d *DB) SetPassword(ctx context.Context, id, was, is string) error {
	err := d.write().must(ctx, "UPDATE hub.users SET password = $3 WHERE id = $1 AND password = $2", id, was, is)
	return wrap(err, "set the password of user %s", id)
}

// BindUser gives a user who has none an OpenID Connect subject; [ErrNotFound] where there is no such user, [ErrExists] where
// it is another one's.
func (d *DB) BindUser(ctx context.Context, id, subject string) error {
	s := d.write()
	err := s.must(ctx, "UPDATE hub.users SET subject = $2 WHERE id = $1 AND subject = ''", id, subject)
	return wrap(s.named(err, ""), "bind user %s", id)
}

// CreateFirstUser makes a user if no user exists, or else returns [ErrExists]: two first visits make one administrator.
func (d *DB) CreateFirstUser(ctx context.Context, u User) error {
	err := d.change(ctx, func(s session) error {
		if err := s.must(ctx, "UPDATE hub.counters SET value = value + 1 WHERE name = 'users'"); err != nil { // one at a time
			return err
		}
		n, err := one(ctx, s, value[int64], "SELECT count(*) FROM hub.users")
		if err != nil {
			return err
		}
		if n > 0 {
			return ErrExists
		}
		_, err = s.exec(ctx, insertUser, d.userValues(u)...)
		return err
	})
	return wrap(err, "first user")
}

// Users lists all by name.
func (d *DB) Users(ctx context.Context) ([]User, error) {
	all, err := list(ctx, d.read(), scanUser, "SELECT "+userColumns+" FROM hub.users u ORDER BY u.folded")
	return all, wrap(err, "list the users")
}

// UserByName finds one without regard to case, or [ErrNotFound].
func (d *DB) UserByName(ctx context.Context, name string) (User, error) {
	u, err := one(ctx, d.read(), scanUser, "SELECT "+userColumns+" FROM hub.users u WHERE u.folded = $1", FoldName(name))
	return u, wrap(err, "find a user by name")
}

// UserBySubject finds one by its OpenID Connect subject, or [ErrNotFound].
func (d *DB) UserBySubject(ctx context.Context, subject string) (User, error) {
	u, err := one(ctx, d.read(), scanUser, "SELECT "+userColumns+" FROM hub.users u WHERE u.subject = $1 AND u.subject <> ''", subject)
	return u, wrap(err, "find a user by subject")
}

// DeleteUser deletes a user with all sessions and all tokens that they made, or returns [ErrNotFound].
func (d *DB) DeleteUser(ctx context.Context, id string) error {
	err := d.revoke(ctx, func(s session) error {
		if err := s.must(ctx, "DELETE FROM hub.users WHERE id = $1", id); err != nil {
			return err
		}
		return d.endTokens(ctx, s, User{ID: id})
	})
	return wrap(err, "user %s", id)
}

// OpenSession begins the session of a user who has just proved who they are, and notes that they were seen. Proving takes a
// while: [ErrNotFound] where they are gone meanwhile, locked, or have another password than was proved.
func (d *DB) OpenSession(ctx context.Context, s Session, proved string) error {
	err := d.change(ctx, func(w session) error {
		// It holds the user's row: a change of the password, which ends all sessions, ends this one as well.
		err := w.must(ctx, `UPDATE hub.users SET last_seen = CASE WHEN last_seen > $3 THEN last_seen ELSE $3 END
			WHERE id = $1 AND password = $2 AND NOT disabled`, s.User, proved, d.orNow(s.Created))
		if err != nil {
			return err
		}
		return d.putSession(ctx, w, s)
	})
	return wrap(err, "open a session")
}

// PutSession keeps a session; [ErrNotFound] where its user is gone.
func (d *DB) PutSession(ctx context.Context, s Session) error {
	return wrap(d.putSession(ctx, d.write(), s), "keep a session")
}

func (d *DB) putSession(ctx context.Context, w session, s Session) error {
	_, err := w.exec(ctx, `INSERT INTO hub.sessions (digest, user_id, created, expires, agent) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (digest) DO UPDATE SET expires = excluded.expires, agent = excluded.agent`,
		s.Digest, s.User, d.orNow(s.Created), micros(s.Expires), s.Agent)
	return w.named(err, "user "+s.User)
}

// RenewSession moves a session's end; one that is gone stays gone, and is not an error.
func (d *DB) RenewSession(ctx context.Context, digest []byte, expires time.Time) error {
	_, err := d.write().exec(ctx, "UPDATE hub.sessions SET expires = $2 WHERE digest = $1", digest, micros(expires))
	return wrap(err, "renew a session")
}

func scanSession(row scanner) (s Session, err error) {
	err = row.Scan(&s.Digest, &s.User, stamp{&s.Created}, stamp{&s.Expires}, &s.Agent)
	return s, err
}

// Sessions lists a user's that have not expired, the newest first.
func (d *DB) Sessions(ctx context.Context, user string) ([]Session, error) {
	all, err := list(ctx, d.read(), scanSession, `SELECT digest, user_id, created, expires, agent FROM hub.sessions
		WHERE user_id = $1 AND expires > $2 ORDER BY created DESC, digest`, user, micros(d.clock()))
	return all, wrap(err, "list the sessions of user %s", user)
}

type sessionUser struct {
	Session
	User
}

func scanSessionUser(row scanner) (su sessionUser, err error) {
	s := &su.Session
	err = row.Scan(append([]any{&s.Digest, &s.User, stamp{&s.Created}, stamp{&s.Expires}, &s.Agent}, userFields(&su.User)...)...)
	return su, err
}

// SessionUser returns the session with this digest and its user; [ErrNotFound] if the session is missing, or it has expired, or
// its user is disabled.
func (d *DB) SessionUser(ctx context.Context, digest []byte) (Session, User, error) {
	su, err := one(ctx, d.read(), scanSessionUser, `SELECT s.digest, s.user_id, s.created, s.expires, s.agent, `+userColumns+`
		FROM hub.sessions s JOIN hub.users u ON u.id = s.user_id
		WHERE s.digest = $1 AND s.expires > $2 AND NOT u.disabled`, digest, micros(d.clock()))
	return su.Session, su.User, wrap(err, "find a session")
}

// DeleteSession ends one session; one that is gone already is not an error.
func (d *DB) DeleteSession(ctx context.Context, digest []byte) error {
	err := d.revoke(ctx, func(s session) error {
		_, err := s.exec(ctx, "DELETE FROM hub.sessions WHERE digest = $1", digest)
		return err
	})
	return wrap(err, "end a session")
}

// DeleteSessions ends all of a user's but one; except may be nil.
func (d *DB) DeleteSessions(ctx context.Context, user string, except []byte) error {
	if except == nil {
		except = []byte{}
	}
	err := d.revoke(ctx, func(s session) error {
		_, err := s.exec(ctx, "DELETE FROM hub.sessions WHERE user_id = $1 AND digest <> $2", user, except)
		return err
	})
	return wrap(err, "end the sessions of user %s", user)
}
