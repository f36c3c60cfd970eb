package postgres

import (
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// Kind describes the kind.
func Kind() source.Kind {
	return source.KindOf(source.Kind{
		Name:    "postgres",
		Family:  source.FamilySQL,
		Title:   "PostgreSQL",
		Icon:    source.IconDatabase,
		Fresh:   "With a column that says when a row was changed, each run reads only what changed. Without it, a change means that everything is read.",
		Summary: "A PostgreSQL table, view or query.",
		Docs: `Reads a primary or a standby, through PgBouncer too with ` + "`default_query_exec_mode=exec`" + ` in the dsn. The reader needs
` + "`GRANT SELECT`" + `, and ` + "`GRANT pg_read_all_stats`" + ` to see how old the oldest open transaction is.

**Exact** for stamps made by the database's clock, for numbers that grow with every change, and for transaction ids (an xid8
column, or xmin). **Overlap** without that privilege, on a standby, and for rows that come from elsewhere: what commits later than
` + "`overlap`" + ` after its stamp is missed. [Which is which](exactness.md#postgresql).

A caller's credential that stands in the dsn's host may be a name or a part of one, no socket and no list of hosts; a dsn with a
password of its own must write the end of the host's name.`,
		Asked: sqltable.Asked,
		Example: `kind: postgres
dsn: postgres://reader:${READER_PASSWORD}@127.0.0.1:5432/crm
table: customers
id: id
updated: updated_at
deleted: deleted_at
fields:
  name: first_name || ' ' || last_name
  emails: [email, email2]
  phones: [phone, mobile]
  url: "'https://crm.example.com/customers/' || id"
  custom_fields: {Plan: plan}
`,
		CallerExample: `dsn: postgres://{{auth.username}}:{{auth.password}}@127.0.0.1:5432/crm`,
		Setup:         setup(),
		Untrusted:     source.Untrusted(untrusted),
	}, New)
}

// Title implements [source.Titled].
func (c Config) Title() string { return source.TableTitle(c.Table, c.Query) }
