package postgres

import (
	"context"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// Advise implements [sqltable.Adviser].
func (s *session) Advise(ctx context.Context, i *sqltable.Inspector) error {
	if i.Clock != nil {
		if err := s.advisePrivilege(ctx, i); err != nil {
			return err
		}
	}
	return s.adviseIndexes(ctx, i)
}

// advisePrivilege says what keeps open transactions from being seen.
func (s *session) advisePrivilege(ctx context.Context, i *sqltable.Inspector) error {
	switch {
	case i.Clock.Lacks == standbyLacks:
		i.Problem(source.Warning, "standby", standbyLacks+": "+i.Missed, "Read from the primary, or use an xid8 column as updated.")
		return nil
	case i.Clock.Blind:
		i.Problem(source.Warning, "imported", "the rows are written elsewhere and arrive at any time: "+i.Missed,
			"Read from where they are written, or set overlap to the longest delay.")
		return nil
	case i.Stamp.Kind == sqltable.Sequences: // they need none
		return nil
	}
	var user string
	var may bool
	err := s.QueryRow(ctx, "SELECT current_user, pg_has_role(current_user, 'pg_read_all_stats', 'usage')").Scan(&user, &may)
	if err == nil && !may {
		i.Problem(source.Warning, "no_privilege", "this user may not see when other users' transactions began: while they are connected "+i.Missed,
			"GRANT pg_read_all_stats TO "+dialect.Quote(user))
	}
	return err
}
