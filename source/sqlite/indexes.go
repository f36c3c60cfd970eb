package sqlite

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"regexp"
	"strings"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// indexes looks whether indexes give the order, and what belongs to a contact.
func (i *inspector) indexes(ctx context.Context) error {
	page := keyset.Page{Segment: keyset.Tail, Limit: 1000}
	if i.shape.updated != "" {
		page = keyset.Page{Segment: keyset.Main, To: keyset.IntValue(0), Limit: 1000}
	}
	plan, err := i.plan(ctx, page)
	if err != nil {
		return err
	}
	if plan.sorts {
		if err := i.order(); err != nil {
			return err
		}
	}
	told := map[string]bool{}
	for _, m := range readWhole.FindAllStringSubmatch(plan.side, -1) {
		if table, column := i.joined(m[1] + m[2]); table != "" && !told[table+"."+column] {
			told[table+"."+column] = true
			i.problem(source.Warning, "no_side_index", fmt.Sprintf("no index finds the rows of %s by %s: the whole table is read for each contact", table, column),
				fmt.Sprintf("CREATE INDEX %s ON %s (%s)", keyset.Quote(table+"_"+column), keyset.Quote(table), keyset.Quote(column)))
		}
	}
	return nil
}

// A plan holds the steps that EXPLAIN QUERY PLAN prints for a page.
type plan struct {
	sorts bool   // all rows, not those that a subquery reads for one contact
	side  string // the steps of such subqueries
}

func (i *inspector) plan(ctx context.Context, page keyset.Page) (plan, error) {
	where, args := i.shape.where(page, i.shape.id)
	sql := "EXPLAIN QUERY PLAN SELECT " + i.shape.list + " FROM " + i.shape.from + where + " ORDER BY " + i.shape.order(page) + " LIMIT 1000"
	var p plan
	below := map[int64]bool{} // steps of subqueries
	err := i.conn.query(ctx, sql, args, func(values []sqldriver.Value) (bool, error) {
		id, parent, step := fromDriver(values[0]).Int, fromDriver(values[1]).Int, fromDriver(values[3]).Text
		below[id] = below[parent] || strings.Contains(step, "SCALAR SUBQUERY")
		p.sorts = p.sorts || strings.Contains(step, "TEMP B-TREE") && !below[id]
		if below[id] {
			p.side += step + "\n"
		}
		return true, nil
	})
	return p, err
}

// order says how every page can be read in order.
func (i *inspector) order() error {
	order := []string{i.factory.cfg.ID}
	if i.shape.updated != "" {
		order = []string{i.factory.cfg.Updated, i.factory.cfg.ID}
	}
	hint := "make an index on the columns that updated and id are, both of one table, and write the query without GROUP BY, DISTINCT or UNION, with what " +
		"other tables hold of a contact in subqueries, such as (SELECT json_group_array(p.number) FROM phones p WHERE p.customer_id = c.id): " +
		"see Phones in another table in docs/serve-my-database.md"
	if table := i.factory.cfg.Table; table != "" {
		parts, err := keyset.SplitName(table)
		if err != nil {
			return err
		}
		hint = fmt.Sprintf("CREATE INDEX %s ON %s (%s)", keyset.Quote(parts[len(parts)-1]+"_updated"), keyset.Quote(parts[len(parts)-1]), strings.Join(order, ", "))
	}
	i.problem(source.Warning, "no_index", "no index gives the order of "+strings.Join(order, ", ")+": every page sorts all rows", hint)
	return nil
}

// readWhole is a step that reads a table whole, or makes an index for one statement to avoid that.
var readWhole = regexp.MustCompile(`(?m)^(?:SCAN (\S+)$|SEARCH (\S+) USING AUTOMATIC )`)

// joined tells which table an alias of a subquery stands for, and the column that its rows are found by; empty where the
// SQL is not plain enough to tell.
func (i *inspector) joined(alias string) (table, column string) {
	sql := i.shape.from + " " + i.shape.list
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
