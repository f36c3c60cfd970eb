package registry

import (
	"context"
	"fmt"
)

func scanAudit(row scanner) (e AuditEntry, err error) {
	err = row.Scan(&e.ID, stamp{&e.Time}, &e.Actor, &e.Action, &e.Account, &e.Subject, &e.Detail)
	return e, err
}

// AddAudit keeps an entry and sets its ID and Time. The database refuses to change it from then on.
func (d *DB) AddAudit(ctx context.Context, e *AuditEntry) error {
	return wrap(d.addAudit(ctx, d.write(), e), "keep audit entry %s", e.Action)
}

func (d *DB) addAudit(ctx context.Context, s session, e *AuditEntry) error {
	now, err := d.now(ctx, s)
	if err != nil {
		return err
	}
	e.Time = moment(now)
	e.ID, err = one(ctx, s, value[int64], `INSERT INTO hub.audit (time, actor, action, account, subject, detail)
		VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
		now, e.Actor, e.Action, e.Account, e.Subject, e.Detail)
	return err
}

// Audit lists what a filter chooses, newest first.
func (d *DB) Audit(ctx context.Context, f Filter) ([]AuditEntry, error) {
	f.After = 0
	condition, args := f.chosen()
	all, err := list(ctx, d.read(), scanAudit, fmt.Sprintf(`SELECT id, time, actor, action, account, subject, detail
		FROM hub.audit WHERE %s ORDER BY id DESC LIMIT %d`, condition, f.limit()), args...)
	return all, wrap(err, "list audit entries")
}
