package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// adviseIndexes looks whether indexes give the order, and what belongs to a contact: if not, the planner has to sort, or to read a
// whole table, even where it is told to avoid that.
func (s *session) adviseIndexes(ctx context.Context, i *sqltable.Inspector) error {
	plan, err := s.explain(ctx, i.Table.FirstPage(keyset.IntValue(0)))
	if err != nil {
		return err
	}
	if plan.sorts() {
		if err := s.adviseOrder(ctx, i, plan); err != nil {
			return err
		}
	}
	return s.adviseSideTables(ctx, i, plan)
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

// adviseOrder says how every page can be read in order.
func (s *session) adviseOrder(ctx context.Context, i *sqltable.Inspector, p plan) error {
	order := []string{sqltable.Wrap(i.Table.Config.ID)}
	if i.Table.Config.Updated != "" {
		order = slices.Insert(order, 0, sqltable.Wrap(i.Table.Config.Updated))
	}
	kind := "query"
	if own := shapeOf(i.Table); own.table != nil {
		kind = own.table.kind
	}
	on := "ON " + i.Table.From + " (" + strings.Join(order, ", ") + ")"
	var hint string
	if slices.Contains([]string{"r", "m", "p"}, kind) {
		unfit, err := s.unindexable(ctx, i.Table)
		if err != nil {
			return err
		}
		if unfit != "" {
			i.NoIndex("PostgreSQL makes no index on " + unfit + ", whose value depends on settings. Join texts with a || ':' || b, without functions such as concat and casts of times to text; then an index on updated and id can be made.")
			return nil
		}
	}
	switch kind {
	case "r", "m":
		hint = "CREATE INDEX CONCURRENTLY " + on
	case "p":
		hint = "CREATE INDEX " + on
	case "f":
		hint = "Make an index " + on + " on the server that the foreign table stands for."
	default:
		var err error
		if hint, err = s.orderOfQuery(ctx, i.Table, p); err != nil {
			return err
		}
	}
	i.NoIndex(hint)
	return nil
}

var (
	literal   = regexp.MustCompile(`'(?:[^']|'')*'`)
	functions = regexp.MustCompile(`(?i)\b([a-z_][a-z0-9_]*)\s*\(`)
	words     = regexp.MustCompile(`[\pL_][\pL\pN_]*`)
	textCast  = regexp.MustCompile(`(?i)::|\bcast\s*\(|\|\|`)
)

// unindexable returns the one of the expressions that order the contacts on which no index can be made, or "": it calls a function
// whose value depends on settings, or makes a text of a time or of a word of a list.
func (s *session) unindexable(ctx context.Context, t *sqltable.Table) (string, error) {
	for _, expression := range []string{t.Config.Updated, t.Config.ID} {
		bare := literal.ReplaceAllString(expression, "")
		var called []string
		for _, m := range functions.FindAllStringSubmatch(bare, -1) {
			called = append(called, strings.ToLower(m[1]))
		}
		var cast []string
		if textCast.MatchString(bare) {
			cast = words.FindAllString(bare, -1)
		}
		var mutable bool
		err := s.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_proc p WHERE p.proname = ANY ($1::text[]) AND p.provolatile <> 'i') OR
			EXISTS (SELECT FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid WHERE a.attrelid = to_regclass($2::text) AND a.attnum > 0
				AND a.attname = ANY ($3::text[]) AND y.typcategory IN ('D', 'T', 'E'))`, called, t.From, cast).Scan(&mutable)
		if err != nil || mutable {
			return expression, err
		}
	}
	return "", nil
}

// perContact is how a query must be written so that a page reads no more than its own contacts.
const perContact = "without GROUP BY, DISTINCT or UNION, and with what other tables hold of a contact in subqueries, " +
	"such as ARRAY(SELECT p.number FROM phones p WHERE p.customer_id = c.id): see Phones in another table in docs/serve-my-database.md"

// orderOfQuery returns the advice for a query or a view: an index on the table that updated and id come from, and a query that can
// make use of it.
func (s *session) orderOfQuery(ctx context.Context, t *sqltable.Table, p plan) (hint string, err error) {
	what := "query"
	if shapeOf(t).table != nil {
		what = "view"
	}
	table, columns, err := s.originOfOrder(ctx, t)
	if err != nil {
		return "", err
	}
	if table == "" {
		return "Write the " + what + " so that updated and id are columns of one table, with an index on both; " + perContact + ".", nil
	}
	var there bool
	err = s.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = $1::text::regclass AND x.indisvalid AND x.indpred IS NULL AND
		(SELECT array_agg(quote_ident(a.attname) ORDER BY k.n) FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
			JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum)[1:cardinality($2::text[])] = $2::text[])`, table, columns).Scan(&there)
	if err != nil {
		return "", err
	}
	rewrite := "write the " + what + " so that it is used: " + perContact
	switch {
	case there:
		return "There is an index on " + table + " (" + strings.Join(columns, ", ") + "); " + rewrite + ".", nil
	case p.gathers():
		return "CREATE INDEX CONCURRENTLY ON " + table + " (" + strings.Join(columns, ", ") + "); and " + rewrite + ".", nil
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
func (s *session) originOfOrder(ctx context.Context, t *sqltable.Table) (table string, columns []string, err error) {
	list := sqltable.Wrap(t.Config.ID)
	if t.Config.Updated != "" {
		list = sqltable.Wrap(t.Config.Updated) + ", " + list
	}
	fields, err := s.prepare(ctx, "SELECT "+list+" FROM "+t.From)
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
	err = s.QueryRow(ctx, `SELECT c.oid::regclass::text, (SELECT array_agg(quote_ident(a.attname) ORDER BY k.n)
		FROM unnest($2::int2[]) WITH ORDINALITY AS k (attnum, n) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum)
		FROM pg_class c WHERE c.oid = $1 AND c.relkind IN ('r', 'm')`, fields[0].TableOID, numbers).Scan(&table, &columns)
	if errors.Is(err, pgx.ErrNoRows) { // a view or a foreign table: its indexes are elsewhere
		return "", nil, nil
	}
	return table, columns, err
}

var equation = regexp.MustCompile(`\(?\(?("[^"]+"|\w+)\.("[^"]+"|\w+)\)?(?:::[a-z ]+)? = \(?("[^"]+"|\w+)\.("[^"]+"|\w+)`)

// adviseSideTables names the tables that are read whole for each page, or for each contact, since no index finds the rows that
// belong to a contact.
func (s *session) adviseSideTables(ctx context.Context, i *sqltable.Inspector, p plan) error {
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
			switch alias := dialect.Quote(n.Alias); {
			case m[1] == m[3]:
				continue
			case m[1] == n.Alias || m[1] == alias:
				column = m[2]
			case m[3] == n.Alias || m[3] == alias:
				column = m[4]
			default:
				continue
			}
			table := dialect.Quote(n.Schema) + "." + dialect.Quote(n.Relation)
			indexed, err := s.leads(ctx, table, column)
			if err != nil {
				return err
			}
			if hint := "CREATE INDEX CONCURRENTLY ON " + table + " (" + column + ")"; !indexed && !told[hint] {
				told[hint] = true
				i.Problem(source.Warning, "no_side_index", fmt.Sprintf("no index finds the rows of %s by %s: each page reads the whole table, or each contact does", n.Relation, column), hint)
			}
		}
	}
	return nil
}

// leads reports whether an index of a table begins with a column.
func (s *session) leads(ctx context.Context, table, column string) (indexed bool, err error) {
	err = s.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
		WHERE x.indrelid = $1::text::regclass AND x.indisvalid AND quote_ident(a.attname) = $2)`, table, column).Scan(&indexed)
	return indexed, err
}

// explain returns the plan of a query when sorting is to be avoided.
func (s *session) explain(ctx context.Context, page sqltable.Statement) (p plan, err error) {
	err = pgx.BeginFunc(ctx, s.Conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off; SET LOCAL enable_bitmapscan = off")
		if err != nil {
			return err
		}
		var text string
		if err := tx.QueryRow(ctx, "EXPLAIN (COSTS OFF, VERBOSE, FORMAT JSON) "+page.SQL, append([]any{pgx.QueryExecModeCacheDescribe}, texts(page.Args)...)...).Scan(&text); err != nil {
			return err
		}
		p, err = parsePlan(text)
		return err
	})
	return p, err
}
