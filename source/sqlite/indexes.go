package sqlite

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// Advise implements [sqltable.Adviser]: it looks whether indexes give the order, and what belongs to a contact.
func (s *session) Advise(ctx context.Context, i *sqltable.Inspector) error {
	plan, err := s.plan(ctx, i.Table)
	if err != nil {
		return err
	}
	if plan.sorts {
		if err := s.adviseOrder(ctx, i); err != nil {
			return err
		}
	}
	told := map[string]bool{}
	for _, m := range readWhole.FindAllStringSubmatch(plan.side, -1) {
		if table, column := joined(i.Table, m[1]+m[2]); table != "" && !told[table+"."+column] {
			told[table+"."+column] = true
			i.Problem(source.Warning, "no_side_index", fmt.Sprintf("no index finds the rows of %s by %s: the whole table is read for each contact", table, column),
				fmt.Sprintf("CREATE INDEX %s ON %s (%s)", dialect.Quote(table+"_"+column), dialect.Quote(table), dialect.Quote(column)))
		}
	}
	return nil
}

// A plan holds the steps that EXPLAIN QUERY PLAN prints for a page.
type plan struct {
	sorts bool   // all rows, not those that a subquery reads for one contact
	side  string // the steps of such subqueries
}

func (s *session) plan(ctx context.Context, t *sqltable.Table) (plan, error) {
	var p plan
	below := map[int64]bool{} // steps of subqueries
	page := t.FirstPage(keyset.IntValue(0))
	page.SQL = "EXPLAIN QUERY PLAN " + page.SQL
	err := s.Query(ctx, page, func(values []keyset.Value) (bool, error) {
		id, parent, step := values[0].Int, values[1].Int, values[3].Text
		below[id] = below[parent] || strings.Contains(step, "SCALAR SUBQUERY")
		p.sorts = p.sorts || strings.Contains(step, "TEMP B-TREE") && !below[id]
		if below[id] {
			p.side += step + "\n"
		}
		return true, nil
	})
	return p, err
}

// adviseOrder says how every page can be read in order.
func (s *session) adviseOrder(ctx context.Context, i *sqltable.Inspector) error {
	order := i.Table.Order()
	hint := "Make an index on the columns that updated and id are, both of one table, and write the query without GROUP BY, DISTINCT or UNION, with what " +
		"other tables hold of a contact in subqueries, such as (SELECT json_group_array(p.number) FROM phones p WHERE p.customer_id = c.id): " +
		"see Phones in another table in docs/serve-my-database.md."
	if table := i.Table.Config.Table; table != "" {
		parts, err := dialect.SplitName(table)
		if err != nil {
			return err
		}
		name := parts[len(parts)-1]
		var view bool
		page := sqltable.Statement{SQL: "SELECT 1 FROM sqlite_schema WHERE type = 'view' AND name = ? COLLATE NOCASE", Args: []keyset.Value{keyset.TextValue(name)}}
		if err := s.Query(ctx, page, func([]keyset.Value) (bool, error) { view = true; return true, nil }); err != nil {
			return err
		}
		if view { // it has no indexes
			i.NoIndex(hint)
			return nil
		}
		hint = fmt.Sprintf("CREATE INDEX %s ON %s (%s)", dialect.Quote(name+"_updated"), dialect.Quote(name), order)
	}
	i.NoIndex(hint)
	return nil
}

// readWhole is a step that reads a table whole, or makes an index for one statement to avoid that.
var readWhole = regexp.MustCompile(`(?m)^(?:SCAN (\S+)$|SEARCH (\S+) USING AUTOMATIC )`)

// joined tells which table an alias of a subquery stands for, and the column that its rows are found by; empty where the
// SQL is not plain enough to tell.
func joined(t *sqltable.Table, alias string) (table, column string) {
	sql := t.From + " " + t.SelectList()
	is := `"?` + regexp.QuoteMeta(alias) + `"?`
	from := regexp.MustCompile(`(?i)\b(?:from|join)\s+"?(\w+)"?(?:\s+(?:as\s+)?` + is + `(?:\W|$))`).FindStringSubmatch(sql)
	by := regexp.MustCompile(`(?i)\b` + is + `\."?(\w+)"?\s*=|=\s*` + is + `\."?(\w+)"?`).FindStringSubmatch(sql)
	if by == nil {
		return "", ""
	}
	if from == nil {
		return alias, by[1] + by[2]
	}
	return from[1], by[1] + by[2]
}
