package sqlite

import (
	"context"
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/sqltable"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// InspectStamps implements [sqltable.OwnStamps]: it says how updated is written and how the horizon is found.
func (s *session) InspectStamps(ctx context.Context, i *sqltable.Inspector) error {
	now, safe, method, err := s.clock(ctx, i.Table)
	if err != nil {
		return err
	}
	newest, f, err := s.form(ctx, i.Table, now, keyset.Since{})
	if err != nil {
		return err
	}
	if newest.Kind == keyset.None {
		i.Order("no row has one yet")
		return nil
	}
	i.Order(f.name)
	if odd := stamp.Odd(f.as); odd > 0 {
		i.OddRows(odd, f.unit)
	}
	switch updated := i.Table.Config.Updated; f.kind {
	case unknown:
		i.Problem(source.Failure, "mixed_updated", "updated is written as "+f.name+", which does not sort by time: every run reads everything",
			"Write it in one way, or use an expression that does, such as unixepoch("+updated+") or strftime('%Y-%m-%d %H:%M:%f', "+updated+").")
	case sequence:
		i.Fact("safe horizon", "the greatest number")
		if i.Table.UpdatedAs == stamp.Auto {
			i.TakenForSequence()
		}
	default:
		s.inspectTimes(i, f, method, now, safe)
	}
	return nil
}

// inspectTimes adds the facts about stamps that are times.
func (s *session) inspectTimes(i *sqltable.Inspector, f form, method string, now, safe time.Time) {
	zones := locations(i.Table)
	i.Fact("safe horizon", method+", now "+keyset.Any.FormatStamp(f.lowest(safe, zones)))
	if !s.db.probe {
		i.Problem(source.Note, "overlap", sqltable.MissedAfter(i.Table.Config.Overlap),
			"Set probe_lock: true if the bridge may write to the file, to read no more than is needed.")
	}
	if f.isText() && !f.zoned && i.Table.Config.TimeZone == "" {
		i.NoZone("UTC or "+time.Local.String()+", whichever is earlier", "UTC, which CURRENT_TIMESTAMP is in")
	}
	i.FutureRows(f.highest(now.Add(time.Minute), zones))
}
