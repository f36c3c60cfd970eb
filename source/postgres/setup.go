package postgres

import (
	"context"
	"regexp"
	"strings"

	"github.com/contactbridge/contactbridge/internal/proposal"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// setup is how contactbridge init makes a source of this kind.
func setup() *source.Setup {
	return &source.Setup{
		Questions: source.Fixed(source.Question{
			Key: "dsn", Title: "Where the database is", Example: "postgres://reader:password@127.0.0.1:5432/crm",
			Help:    "As postgres://user:password@host:port/database. A user who may only read is enough.",
			Conceal: conceal, Check: func(answer string) error { _, err := parse(answer); return err },
		}),
		Look: look,
	}
}

// passwords finds them in a DSN of keywords and values.
var passwords = regexp.MustCompile(`(^|\s)(?:ssl)?password\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)+)`)

// startOfURL matches the start of a URL. A password may hold :// as well.
var startOfURL = regexp.MustCompile(`^\s*\w+://`)

// conceal is [source.ConcealInURL], for keywords and values too.
func conceal(answer, ref string) (text, secret, note string) {
	if startOfURL.MatchString(answer) {
		return source.ConcealInURL(answer, ref)
	}
	for _, at := range passwords.FindAllStringSubmatchIndex(answer, -1) {
		value := answer[at[4]:at[5]]
		plain := escaped.ReplaceAllString(strings.TrimSuffix(strings.TrimPrefix(value, "'"), "'"), "$1")
		if plain != "" && !strings.Contains(value, "${") {
			return answer[:at[4]] + ref + answer[at[5]:], plain, ""
		}
	}
	return answer, "", ""
}

// escaped is a sign with a backslash before it.
var escaped = regexp.MustCompile(`\\(.)`)

// What the catalogue says of the tables that are not the server's own.
const (
	named    = `CASE WHEN pg_table_is_visible(c.oid) THEN '' ELSE n.nspname END, c.relname`
	relation = `pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace`
	ours     = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_%' AND NOT c.relispartition
		AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')`
)

var catalog = sqltable.Catalog{
	Tables: `SELECT ` + named + `, CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE '' END, c.reltuples::bigint
		FROM ` + relation + ` WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ` + ours + ` ORDER BY 1, 2`,
	Columns: `SELECT ` + named + `, a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 0 ELSE 1 END, 0
		FROM ` + relation + ` JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ` + ours + ` ORDER BY 1, 2, a.attnum`,
	Keys: `SELECT ` + named + `, ic.relname,
			CASE WHEN i.indisprimary THEN 'primary' WHEN i.indisunique AND i.indpred IS NULL THEN 'unique' ELSE 'index' END, coalesce(a.attname, '')
		FROM ` + relation + ` JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class ic ON ic.oid = i.indexrelid
		CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
		LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
		WHERE ` + ours + ` AND i.indisvalid AND k.place <= i.indnkeyatts ORDER BY 1, 2, 3, k.place`,
	References: `SELECT ` + named + `, o.conname, a.attname, CASE WHEN pg_table_is_visible(t.oid) THEN '' ELSE tn.nspname END, t.relname, ta.attname
		FROM ` + relation + ` JOIN pg_constraint o ON o.conrelid = c.oid AND o.contype = 'f'
		JOIN pg_class t ON t.oid = o.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
		CROSS JOIN LATERAL unnest(o.conkey, o.confkey) WITH ORDINALITY AS k (own, other, place)
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.own JOIN pg_attribute ta ON ta.attrelid = t.oid AND ta.attnum = k.other
		WHERE ` + ours + ` ORDER BY 1, 2, 3, k.place`,
	Language: sqltable.Language{
		Aggregate: func(expression, order string) string {
			return "string_agg(" + expression + ", '; ' ORDER BY " + order + ")"
		},
		AsText: "text", Plain: regexp.MustCompile(`^[a-z_][a-z0-9_]*$`),
	},
}

// look says what a database holds.
func look(ctx context.Context, answers source.Answers, deps source.Deps) (proposal.Inventory, error) {
	f := &factory{deps: deps.Defaults()}
	db, err := f.open(ctx, answers["dsn"])
	if err != nil {
		return proposal.Inventory{}, err
	}
	return sqltable.Look(ctx, db, &dialect, catalog)
}
