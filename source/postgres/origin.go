package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// An origin says which of the rows that are read were not written by this server's own transactions when they appear in it,
// so that stamps may arrive at any time, whatever transactions are open here.
type origin struct {
	foreign bool // in a foreign table: they are another server's
	applied bool // by a subscription
	stored  bool // in a materialized view, when it is refreshed
}

func (o origin) elsewhere() bool { return o.foreign || o.applied || o.stored }

// A plan is a node of what EXPLAIN prints.
type plan struct {
	Node       string `json:"Node Type"`
	Parent     string `json:"Parent Relationship"`
	Schema     string `json:"Schema"`
	Relation   string `json:"Relation Name"`
	Alias      string `json:"Alias"`
	Filter     string `json:"Filter"`
	JoinFilter string `json:"Join Filter"`
	HashCond   string `json:"Hash Cond"`
	MergeCond  string `json:"Merge Cond"`
	Plans      []plan `json:"Plans"`
}

// parsePlan reads what EXPLAIN (FORMAT JSON) prints.
func parsePlan(text string) (plan, error) {
	var plans []struct{ Plan plan }
	if err := json.Unmarshal([]byte(text), &plans); err != nil || len(plans) != 1 {
		return plan{}, errors.Join(errors.New("look at the plan: it is not one that is known"), err)
	}
	return plans[0].Plan, nil
}

// nodes yields every node of a plan.
func (p plan) nodes(yield func(plan) bool) { p.walk(yield) }

func (p plan) walk(yield func(plan) bool) bool {
	if !yield(p) {
		return false
	}
	for _, child := range p.Plans {
		if !child.walk(yield) {
			return false
		}
	}
	return true
}

// tables lists the tables of a plan. A join that is left to a foreign server has none.
func (p plan) tables(schemas, names []string) (_, _ []string, foreign bool) {
	foreign = p.Node == "Foreign Scan"
	if p.Relation != "" {
		schemas, names = append(schemas, p.Schema), append(names, p.Relation)
	}
	for _, child := range p.Plans {
		var below bool
		schemas, names, below = child.tables(schemas, names)
		foreign = foreign || below
	}
	return schemas, names, foreign
}

// originOf asks the planner what is read in the end, through views, queries and partitions.
func originOf(ctx context.Context, conn *session, list, from string) (o origin, err error) {
	var text string
	sql := "EXPLAIN (VERBOSE, FORMAT JSON) SELECT " + list + " FROM " + from
	if err := conn.QueryRow(ctx, sql, pgx.QueryExecModeCacheDescribe).Scan(&text); err != nil {
		return o, fmt.Errorf("look at the plan: %w", err)
	}
	found, err := parsePlan(text)
	if err != nil {
		return o, err
	}
	schemas, names, foreign := found.tables(nil, nil)
	err = conn.QueryRow(ctx, `SELECT coalesce(bool_or(c.relkind = 'f'), false), coalesce(bool_or(c.relkind = 'm'), false),
		coalesce(bool_or(EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = c.oid)), false)
		FROM unnest($1::text[], $2::text[]) AS t (schema, name)
		JOIN pg_namespace n ON n.nspname = t.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name`,
		schemas, names).Scan(&o.foreign, &o.stored, &o.applied)
	o.foreign = o.foreign || foreign
	if err != nil {
		return o, fmt.Errorf("look up what is read: %w", err)
	}
	return o, nil
}

// mayNumber refuses transaction ids where they say nothing about when their rows appear: those of another server, and those
// that a materialized view has copied. A subscription's rows have ids of this server if they are stamped here.
func (o origin) mayNumber(st sqltable.Stamp, oid uint32) error {
	switch {
	case st.Kind != sqltable.Own:
		return nil
	case o.foreign:
		return &source.ConfigError{
			Key: "updated", Message: "updated: the rows come from another server, and its transaction ids mean nothing here",
			Hint: "Read from the server that the foreign table stands for, or use a time as updated, with an overlap that covers its longest transaction.",
		}
	case o.stored && oid != pgtype.XIDOID:
		return &source.ConfigError{
			Key: "updated", Message: "updated: a materialized view shows the transaction ids of its rows only when it is refreshed",
			Hint: "Use updated: xmin, or read the tables that it is made of.",
		}
	}
	return nil
}
