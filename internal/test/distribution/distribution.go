// Package distribution checks that the tables of a migrated database can be distributed by account, as Citus does it, or any other way
// of sharding by one column: it reads the catalogue, so that a table that is added is checked as well.
//
// The rules for a distributed table:
//
//   - it has the distribution column, and every primary key, unique index and exclusion constraint contains it;
//   - a foreign key leads to a distributed table with the column on both sides, or to a reference table;
//   - an identity column is a bigint, since every node counts for itself;
//   - it has no trigger, since triggers of distributed tables run on the nodes without what is elsewhere.
//
// A reference table is copied to every node: small, and seldom written. A local table stays on one node with the other local ones. Neither may
// refer to a distributed table.
package distribution

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// A Plan says what becomes of the tables of a schema. Names are without the schema.
type Plan struct {
	Schema string
	Tables string // only those whose names begin so; empty: all
	Column string // by which tables are distributed
	// Columns name the distribution column of tables in which it has another name.
	Columns map[string]string
	// Reference and Local tables, each with the reason why it is not distributed.
	Reference, Local map[string]string
	// Exceptions to the rules for distributed tables, by what Check would say of them up to the first colon, each with its reason.
	Exceptions map[string]string
}

// Check returns what breaks the rules, each as a sentence that names the table and what to do; and what the plan names and the database
// has not.
func Check(ctx context.Context, conn *pgx.Conn, plan Plan) ([]string, error) {
	c := &check{Plan: plan, excused: map[string]bool{}}
	tables, err := c.tables(ctx, conn)
	if err != nil {
		return nil, err
	}
	for _, name := range tables {
		if !c.distributed(name) {
			continue
		}
		if err := c.table(ctx, conn, name); err != nil {
			return nil, err
		}
	}
	if err := c.references(ctx, conn, tables); err != nil {
		return nil, err
	}
	for _, planned := range []map[string]string{plan.Reference, plan.Local, plan.Columns} {
		for _, name := range slices.Sorted(maps.Keys(planned)) {
			if !slices.Contains(tables, name) {
				c.found = append(c.found, fmt.Sprintf("table %s: the plan names it, but there is no such table. Take it out of the plan.", name))
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(plan.Exceptions)) {
		if !c.excused[what] {
			c.found = append(c.found, fmt.Sprintf("%s: it breaks no rule any more. Take it out of the exceptions.", what))
		}
	}
	return c.found, nil
}

type check struct {
	Plan
	found   []string
	excused map[string]bool
}

// breaks notes what breaks a rule, unless it is an exception.
func (c *check) breaks(what, format string, args ...any) {
	if _, excepted := c.Exceptions[what]; excepted {
		c.excused[what] = true
		return
	}
	c.found = append(c.found, what+": "+fmt.Sprintf(format, args...))
}

func (c *check) distributed(table string) bool {
	_, reference := c.Reference[table]
	_, local := c.Local[table]
	return !reference && !local
}

func (c *check) column(table string) string {
	if other := c.Columns[table]; other != "" {
		return other
	}
	return c.Column
}

// tables lists them; partitions are their parents' affair.
func (c *check) tables(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p')
		AND NOT c.relispartition AND starts_with(c.relname, $2) ORDER BY 1`, c.Schema, c.Tables)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// table checks one that is to be distributed.
func (c *check) table(ctx context.Context, conn *pgx.Conn, table string) error {
	column := c.column(table)
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = $1::regclass AND attname = $2 AND NOT attisdropped)", c.Schema+"."+table, column).Scan(&there); err != nil {
		return err
	}
	if !there {
		c.breaks("table "+table, "it has no column %s to be distributed by. Give it one that every unique key contains, or add it to the plan's reference or local tables with the reason.", column)
		return nil
	}
	for _, rule := range []struct{ query, remedy string }{
		{
			`SELECT 'index ' || (SELECT relname FROM pg_class WHERE oid = i.indexrelid), pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = $1::regclass AND (i.indisunique OR i.indisexclusion)
			AND NOT EXISTS (SELECT FROM unnest(i.indkey) WITH ORDINALITY AS k (number, place) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
				WHERE a.attname = $2 AND k.place <= i.indnkeyatts)`,
			"every unique key of a distributed table contains the column " + column + ", since one node alone cannot see what others have",
		},
		{
			`SELECT 'column ' || a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE a.attrelid = $1::regclass AND a.attidentity <> '' AND NOT a.attisdropped
			AND a.atttypid <> 'bigint'::regtype AND $2::text <> ''`,
			"an identity column of a distributed table is a bigint, since every node counts in a range of its own",
		},
		{
			`SELECT 'trigger ' || t.tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE t.tgrelid = $1::regclass AND NOT t.tgisinternal AND $2::text <> ''`,
			"distributed tables have no triggers",
		},
	} {
		rows, err := conn.Query(ctx, rule.query, c.Schema+"."+table, column)
		if err != nil {
			return err
		}
		var name, text string
		if _, err := pgx.ForEachRow(rows, []any{&name, &text}, func() error {
			c.breaks("table "+table+", "+name, "%s; this one is %s", rule.remedy, text)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// references checks the foreign keys.
func (c *check) references(ctx context.Context, conn *pgx.Conn, tables []string) error {
	rows, err := conn.Query(ctx, `SELECT k.conname::text, t.relname::text, f.relname::text, pg_get_constraintdef(k.oid),
			(SELECT array_agg(a.attname::text ORDER BY x.place) FROM unnest(k.conkey) WITH ORDINALITY AS x (number, place) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.number),
			(SELECT array_agg(a.attname::text ORDER BY x.place) FROM unnest(k.confkey) WITH ORDINALITY AS x (number, place) JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = x.number)
		FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
		WHERE k.contype = 'f' AND k.conparentid = 0 AND t.relnamespace = $1::regnamespace ORDER BY 2, 1`, c.Schema)
	if err != nil {
		return err
	}
	var name, from, to, text string
	var theirs, others []string
	_, err = pgx.ForEachRow(rows, []any{&name, &from, &to, &text, &theirs, &others}, func() error {
		if !slices.Contains(tables, from) {
			return nil
		}
		c.reference(name, from, to, text, theirs, others)
		return nil
	})
	return err
}

func (c *check) reference(name, from, to, text string, theirs, others []string) {
	what := "table " + from + ", foreign key " + name
	_, reference := c.Reference[to]
	switch {
	case !c.distributed(from) && c.distributed(to):
		c.breaks(what, "%s is on one node, and %s is distributed, so that no key of the one can lead to the other: %s", from, to, text)
	case !c.distributed(from) || reference:
	case !c.distributed(to):
		c.breaks(what, "%s is distributed, and %s is on one node only: %s. Distribute it as well, make it a reference table, or do without the key.", from, to, text)
	default:
		for i := range theirs {
			if theirs[i] == c.column(from) && others[i] == c.column(to) {
				return
			}
		}
		c.breaks(what, "it leads from one account to another's rows: both sides must contain the column %s: %s", c.Column, text)
	}
}
