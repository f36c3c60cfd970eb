package mysql

import (
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// Kind describes the kind.
func Kind() source.Kind {
	return source.KindOf(source.Kind{
		Name:    "mysql",
		Family:  source.FamilySQL,
		Title:   "MariaDB or MySQL",
		Icon:    source.IconDatabase,
		Fresh:   "With a column that says when a row was changed, each run reads only what changed. Without it, a change means that everything is read.",
		Summary: "A MariaDB or MySQL table, view or query.",
		Docs: `Reads MariaDB 10.6 and later, and MySQL 8.0 and later, over TCP or, with ` + "`?socket=/run/mysqld/mysqld.sock`" + `, a Unix socket.
The reader needs ` + "`GRANT SELECT`" + `, and ` + "`GRANT PROCESS ON *.*`" + ` to see how old the oldest open transaction is.

**Exact** for stamps made by the server's clock in tables of InnoDB, and for numbers that grow with every change. **Overlap** without
that privilege, on a replica and in a cluster: what commits later than ` + "`overlap`" + ` after its stamp is missed.
[Which is which](exactness.md#mariadb-and-mysql).

A dsn may have the settings ` + "`socket`, `tls` (`preferred`, `true`, `skip-verify`, `false`), `ca`, `timeout` and `sql_mode`" + `, and no
others. A caller's credential may stand in it as the user, the password or the database.`,
		Asked: sqltable.Asked,
		Example: `kind: mysql
dsn: mysql://reader:${READER_PASSWORD}@127.0.0.1:3306/crm
table: customers
id: id
updated: updated_at
deleted: deleted_at
fields:
  name: concat_ws(' ', first_name, last_name)
  emails: [email, email2]
  phones: [phone, mobile]
  url: concat('https://crm.example.com/customers/', id)
  custom_fields: {Plan: plan}
`,
		CallerExample: `dsn: mysql://{{auth.username}}:{{auth.password}}@127.0.0.1:3306/crm`,
		Setup:         setup(),
		Untrusted:     source.Untrusted(untrusted),
	}, New)
}

// Title implements [source.Titled].
func (c Config) Title() string { return source.TableTitle(c.Table, c.Query) }
