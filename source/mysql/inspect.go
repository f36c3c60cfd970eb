package mysql

import (
	"context"
	"fmt"
	"strings"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// Advise implements [sqltable.Adviser].
func (s *session) Advise(ctx context.Context, i *sqltable.Inspector) error {
	if i.Clock != nil {
		if err := s.adviseHorizon(ctx, i); err != nil {
			return err
		}
	}
	if own := shapeOf(i.Table); own.bytewise {
		i.Problem(source.Warning, "id_bytes", "nothing says that id is unique in its collation ("+own.collation+"), so ids are compared by their bytes, which no index serves",
			"Make id the primary key, or a unique index on it, and read the table itself; or give it a collation such as utf8mb4_nopad_bin or utf8mb4_0900_bin.")
		return nil
	}
	return s.adviseIndex(ctx, i)
}

// adviseHorizon says what keeps open transactions from being seen.
func (s *session) adviseHorizon(ctx context.Context, i *sqltable.Inspector) error {
	switch {
	case i.Clock.Blind:
		i.Problem(source.Warning, "standby", i.Clock.Lacks+": "+i.Missed, "Read from the primary, or set overlap to the longest transaction and the longest delay together.")
	case i.Clock.Hidden && i.Stamp.Kind != sqltable.Sequences:
		user, err := s.user(ctx)
		if err != nil {
			return err
		}
		i.Problem(source.Warning, "no_privilege", "this user may not see when other users' transactions began: "+i.Missed+"; an initial run sends all contacts twice, since "+
			"it cannot be seen whether any was changed meanwhile", "GRANT PROCESS ON *.* TO "+user)
	}
	return nil
}

// user returns the account that the server takes this user for, as a statement names it.
func (s *session) user(ctx context.Context) (string, error) {
	found, err := s.rows(ctx, "SELECT CURRENT_USER()")
	if err != nil || len(found) == 0 {
		return "", err
	}
	name, host := found[0][0], "%"
	if at := strings.LastIndexByte(name, '@'); at >= 0 {
		name, host = name[:at], name[at+1:]
	}
	quote := func(text string) string { return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(text) + "'" }
	return quote(name) + "@" + quote(host), nil
}

// adviseIndex looks whether an index gives the order of the pages. Where updated and id are columns of a table, the catalogue tells;
// for anything else the planner does.
func (s *session) adviseIndex(ctx context.Context, i *sqltable.Inspector) error {
	t, own := i.Table, shapeOf(i.Table)
	updated := bareColumn(t.Config.Updated)
	if own.table != nil && own.table.engine != "" && own.column != "" && (updated != "" || t.Config.Updated == "") {
		indexed, err := s.isIndexed(ctx, own, updated)
		if err == nil && !indexed {
			i.NoIndex(fmt.Sprintf("CREATE INDEX %s ON %s (%s)", dialect.Quote(own.table.name+"_updated"), t.From, t.Order()))
		}
		return err
	}
	sorts, err := s.sorts(ctx, t)
	if err == nil && sorts {
		i.NoIndex("Make an index on the columns that updated and id are, both of one table, and write the query without GROUP BY, DISTINCT or UNION, with what " +
			"other tables hold of a contact in subqueries, such as (SELECT json_arrayagg(p.number) FROM phones p WHERE p.customer_id = c.id): " +
			"see Phones in another table in docs/serve-my-database.md.")
	}
	return err
}

// isIndexed reports whether an index begins with updated and id; InnoDB has the primary key at the end of each.
func (s *session) isIndexed(ctx context.Context, own *shape, updated string) (bool, error) {
	found, err := s.rows(ctx, `SELECT LOWER(GROUP_CONCAT(column_name ORDER BY seq_in_index)), index_name = 'PRIMARY', MAX(sub_part)
		FROM information_schema.statistics WHERE table_schema = ? AND table_name = ? GROUP BY index_name`, own.table.schema, own.table.name)
	if err != nil {
		return false, err
	}
	primary := ""
	for _, index := range found {
		if index[1] == "1" {
			primary = "," + index[0]
		}
	}
	want := strings.ToLower(strings.TrimPrefix(updated+","+own.column, ","))
	for _, index := range found {
		if index[2] == "" && strings.HasPrefix(index[0]+primary+",", want+",") {
			return true, nil
		}
	}
	return false, nil
}

// sorts reports whether the planner sorts a page.
func (s *session) sorts(ctx context.Context, t *sqltable.Table) (sorts bool, err error) {
	page := t.FirstPage(keyset.IntValue(0))
	page.SQL = "EXPLAIN " + page.SQL
	err = s.Query(ctx, page, func(values []keyset.Value) (bool, error) {
		kind, extra := values[1].Text, values[len(values)-1].Text
		sorts = sorts || strings.Contains(extra, "filesort") && !strings.Contains(kind, "SUBQUERY")
		return true, nil
	})
	return sorts, err
}
