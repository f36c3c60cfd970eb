package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// inspectTime is how long each question about all rows may take; then it stays unanswered.
const inspectTime = 1500 * time.Millisecond

// An inspector collects what is found.
type inspector struct {
	*Source
	conn  conn
	shape *shape
	found source.Inspection
}

// Inspect implements [source.Inspector].
func (s *Source) Inspect(ctx context.Context) (source.Inspection, error) {
	i := &inspector{Source: s}
	err := s.with(ctx, func(conn conn, shape *shape) error {
		i.conn, i.shape = conn, shape
		return i.look(ctx)
	})
	if err != nil {
		return source.Inspection{}, fmt.Errorf("inspect source: %w", err)
	}
	source.SortProblems(i.found.Problems)
	return i.found, nil
}

func (i *inspector) look(ctx context.Context) error {
	cfg := i.factory.cfg
	i.found.Mapping = record.Mapping(cfg.ID, i.shape.columns)
	rows, err := i.conn.QueryContext(ctx, "SELECT * FROM "+i.shape.from+" LIMIT 0", nil)
	if err != nil {
		return err
	}
	names := rows.Columns()
	if err := rows.Close(); err != nil {
		return err
	}
	i.found.Unused = keyset.Unused(names, cfg.Expressions(i.shape.columns)...)
	if i.shape.updated == "" {
		i.fact("order", cfg.ID)
		i.found.Problems = append(i.found.Problems, keyset.NoUpdated(record.Usual(names).Updated))
	} else if err := i.stamps(ctx); err != nil {
		return err
	}
	if err := i.indexes(ctx); err != nil {
		return err
	}
	for _, c := range keyset.Counts(i.shape.from, i.shape.id, i.shape.updated) {
		i.tally(ctx, c)
	}
	return nil
}

func (i *inspector) fact(name, value string) {
	i.found.Facts = append(i.found.Facts, source.Fact{Name: name, Value: value})
}

func (i *inspector) problem(severity source.Severity, code, message, hint string) {
	i.found.Problems = append(i.found.Problems, source.Problem{Severity: severity, Code: code, Message: message, Hint: hint})
}

// stamps says how updated is written and how the horizon is found.
func (i *inspector) stamps(ctx context.Context) error {
	cfg := i.factory.cfg
	now, safe, method, err := i.clock(ctx)
	if err != nil {
		return err
	}
	newest, f, err := i.form(ctx, i.conn, i.shape, now, keyset.Since{})
	if err != nil {
		return err
	}
	written := f.name
	if newest.Kind == keyset.None {
		written = "no row has one yet"
	}
	i.fact("order", fmt.Sprintf("%s (%s), %s", cfg.Updated, written, cfg.ID))
	if odd := stamp.Odd(f.as); odd > 0 {
		sql := fmt.Sprintf("SELECT count(*) FROM %s WHERE %s BETWEEN 1 AND %d", i.shape.from, i.shape.updated, odd)
		i.tally(ctx, keyset.OddRows(sql, f.unit.String()))
	}
	switch {
	case newest.Kind == keyset.None:
	case f.kind == unknown:
		i.problem(source.Failure, "mixed_updated", "updated is written as "+f.name+", which does not sort by time: every run reads everything",
			"write it in one way, or use an expression that does, such as unixepoch("+cfg.Updated+") or strftime('%Y-%m-%d %H:%M:%f', "+cfg.Updated+")")
	case f.kind == sequence:
		i.fact("safe horizon", "the greatest number")
		if cfg.UpdatedAs == stamp.Auto {
			i.problem(source.Note, "taken_for_sequence", "updated is taken for a number that grows, not for a time",
				"if it is a time, set updated_as to epoch_s, epoch_ms or epoch_us")
		}
	default:
		i.times(ctx, f, method, now, safe)
	}
	return nil
}

// times are the facts about stamps that are times.
func (i *inspector) times(ctx context.Context, f form, method string, now, safe time.Time) {
	locations := i.factory.locations()
	i.fact("safe horizon", method+", now "+keyset.Any.FormatStamp(f.lowest(safe, locations)))
	if !i.factory.probeLock {
		i.problem(source.Note, "overlap", fmt.Sprintf("every run reads the last %s again, and what commits later than that after its stamp is missed", i.factory.cfg.Overlap),
			"set probe_lock: true if the bridge may write to the file, to read no more than is needed")
	}
	if f.isText() && !f.zoned && i.factory.cfg.TimeZone == "" {
		i.fact("time zone", "UTC or "+time.Local.String()+", whichever is earlier")
		i.problem(source.Note, "no_time_zone", "updated has no time zone, and none is configured: what is read again may be hours",
			"set time_zone to the zone that updated is written in, such as UTC, which CURRENT_TIMESTAMP is in")
	}
	highest := f.highest(now.Add(time.Minute), locations)
	i.tally(ctx, keyset.FutureRows("SELECT count(*) FROM "+i.shape.from+" WHERE "+i.shape.updated+" > ?"), highest)
}

// tally counts, unless that takes too long.
func (i *inspector) tally(ctx context.Context, c keyset.Count, args ...keyset.Value) {
	short, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	n, err := i.conn.one(short, c.SQL, args...)
	switch {
	case err != nil:
		i.fact("not looked for, it took too long", c.Code)
	case n.Int > 0:
		i.found.Problems = append(i.found.Problems, c.Problem(n.Int))
	}
}
