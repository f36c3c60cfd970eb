package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// indexes looks whether indexes give the order, and what belongs to a contact: if not, the planner has to sort, or to read a
// whole table, even where it is told to avoid that.
func (i *inspector) indexes(ctx context.Context, conn *pgxpool.Conn) error {
	page := keyset.Page{Segment: keyset.Tail, Limit: 1000}
	if i.shape.updated != "" {
		page.Segment, page.To = keyset.Main, keyset.IntValue(0)
	}
	sql, args := i.shape.query(page)
	plan, err := explain(ctx, conn, sql, args)
	if err != nil {
		return err
	}
	if plan.sorts() {
		if err := i.order(ctx, conn, plan); err != nil {
			return err
		}
	}
	return i.sideTables(ctx, conn, plan)
}

// sorts reports whether a plan sorts its rows. What a subquery sorts for one row is little.
func (p plan) sorts() bool {
	if strings.Contains(p.Node, "Sort") {
		return true
	}
	return slices.ContainsFunc(p.Plans, func(child plan) bool {
		return child.Parent != "SubPlan" && child.Parent != "InitPlan" && child.sorts()
	})
}

// order says how every page can be read in order.
func (i *inspector) order(ctx context.Context, conn *pgxpool.Conn, p plan) error {
	order := []string{keyset.Wrap(i.factory.cfg.ID)}
	if i.shape.updated != "" {
		order = slices.Insert(order, 0, keyset.Wrap(i.factory.cfg.Updated))
	}
	kind := "query"
	if i.shape.table != nil {
		kind = i.shape.table.kind
	}
	on := "ON " + i.shape.from + " (" + strings.Join(order, ", ") + ")"
	var hint string
	switch kind {
	case "r", "m":
		hint = "CREATE INDEX CONCURRENTLY " + on
	case "p":
		hint = "CREATE INDEX " + on
	case "f":
		hint = "make an index " + on + " on the server that the foreign table stands for"
	default:
		var err error
		if hint, err = i.orderOfQuery(ctx, conn, p); err != nil {
			return err
		}
	}
	i.problem(source.Warning, "no_index", "no index gives the order of "+strings.Join(order, ", ")+": every page sorts all rows", hint)
	return nil
}

// perContact is how a query must be written so that a page reads no more than its own contacts.
const perContact = "without GROUP BY, DISTINCT or UNION, and with what other tables hold of a contact in subqueries, " +
	"such as ARRAY(SELECT p.number FROM phones p WHERE p.customer_id = c.id): see Phones in another table in docs/serve-my-database.md"

// orderOfQuery returns the advice for a query or a view: an index on the table that updated and id come from, and a query that can
// make use of it.
func (i *inspector) orderOfQuery(ctx context.Context, conn *pgxpool.Conn, p plan) (hint string, err error) {
	what := "query"
	if i.shape.table != nil {
		what = "view"
	}
	table, columns, err := i.originOfOrder(ctx, conn)
	if err != nil {
		return "", err
	}
	if table == "" {
		return "write the " + what + " so that updated and id are columns of one table, with an index on both; " + perContact, nil
	}
	var there bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = $1::text::regclass AND x.indisvalid AND x.indpred IS NULL AND
		(SELECT array_agg(quote_ident(a.attname) ORDER BY k.n) FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
			JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum)[1:cardinality($2::text[])] = $2::text[])`, table, columns).Scan(&there)
	if err != nil {
		return "", err
	}
	rewrite := "write the " + what + " so that it is used: " + perContact
	switch {
	case there:
		return "there is an index on " + table + " (" + strings.Join(columns, ", ") + "); " + rewrite, nil
	case p.gathers():
		return "CREATE INDEX CONCURRENTLY ON " + table + " (" + strings.Join(columns, ", ") + "); and " + rewrite, nil
	}
	return "CREATE INDEX CONCURRENTLY ON " + table + " (" + strings.Join(columns, ", ") + ")", nil
}

// gathers reports whether a plan needs all rows before it yields the first.
func (p plan) gathers() bool {
	for n := range p.nodes {
		if slices.Contains([]string{"Aggregate", "Group", "Unique", "WindowAgg", "SetOp"}, n.Node) {
			return true
		}
	}
	return false
}

// originOfOrder tells which table's columns updated and id are in the end, quoted; table is empty where they are expressions,
// or of several tables.
func (i *inspector) originOfOrder(ctx context.Context, conn *pgxpool.Conn) (table string, columns []string, err error) {
	list := []expression{{"id", i.factory.cfg.ID}}
	if i.shape.updated != "" {
		list = slices.Insert(list, 0, expression{"updated", i.factory.cfg.Updated})
	}
	fields, err := prepare(ctx, conn, list, i.shape.from)
	if err != nil {
		return "", nil, err
	}
	numbers := make([]int16, len(fields))
	for n, f := range fields {
		if f.TableOID == 0 || f.TableOID != fields[0].TableOID {
			return "", nil, nil
		}
		numbers[n] = int16(f.TableAttributeNumber)
	}
	err = conn.QueryRow(ctx, `SELECT c.oid::regclass::text, (SELECT array_agg(quote_ident(a.attname) ORDER BY k.n)
		FROM unnest($2::int2[]) WITH ORDINALITY AS k (attnum, n) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum)
		FROM pg_class c WHERE c.oid = $1 AND c.relkind IN ('r', 'm')`, fields[0].TableOID, numbers).Scan(&table, &columns)
	if errors.Is(err, pgx.ErrNoRows) { // a view or a foreign table, whose indexes are elsewhere
		return "", nil, nil
	}
	return table, columns, err
}

var equation = regexp.MustCompile(`\(?\(?("[^"]+"|\w+)\.("[^"]+"|\w+)\)?(?:::[a-z ]+)? = \(?("[^"]+"|\w+)\.("[^"]+"|\w+)`)

// sideTables names the tables that are read whole for each page, or for each contact, since no index finds the rows that
// belong to a contact.
func (i *inspector) sideTables(ctx context.Context, conn *pgxpool.Conn, p plan) error {
	var conditions []string
	for n := range p.nodes {
		conditions = append(conditions, n.Filter, n.JoinFilter, n.HashCond, n.MergeCond)
	}
	told := map[string]bool{}
	for n := range p.nodes {
		if n.Node != "Seq Scan" {
			continue
		}
		for _, m := range equation.FindAllStringSubmatch(strings.Join(conditions, "\n"), -1) {
			var column string
			switch alias := keyset.Quote(n.Alias); {
			case m[1] == m[3]:
				continue
			case m[1] == n.Alias || m[1] == alias:
				column = m[2]
			case m[3] == n.Alias || m[3] == alias:
				column = m[4]
			default:
				continue
			}
			table := keyset.Quote(n.Schema) + "." + keyset.Quote(n.Relation)
			indexed, err := leads(ctx, conn, table, column)
			if err != nil {
				return err
			}
			if hint := "CREATE INDEX CONCURRENTLY ON " + table + " (" + column + ")"; !indexed && !told[hint] {
				told[hint] = true
				i.problem(source.Warning, "no_side_index", fmt.Sprintf("no index finds the rows of %s by %s: each page reads the whole table, or each contact does", n.Relation, column), hint)
			}
		}
	}
	return nil
}

// leads reports whether an index of a table begins with a column.
func leads(ctx context.Context, conn *pgxpool.Conn, table, column string) (indexed bool, err error) {
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
		WHERE x.indrelid = $1::text::regclass AND x.indisvalid AND quote_ident(a.attname) = $2)`, table, column).Scan(&indexed)
	return indexed, err
}

// explain returns the plan of a query when sorting is to be avoided.
func explain(ctx context.Context, conn *pgxpool.Conn, sql string, args []any) (p plan, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off; SET LOCAL enable_bitmapscan = off")
		if err != nil {
			return err
		}
		var text string
		if err := tx.QueryRow(ctx, "EXPLAIN (COSTS OFF, VERBOSE, FORMAT JSON) "+sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...).Scan(&text); err != nil {
			return err
		}
		p, err = parsePlan(text)
		return err
	})
	return p, err
}
