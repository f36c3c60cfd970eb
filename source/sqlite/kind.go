package sqlite

import (
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// Kind describes the kind.
func Kind() source.Kind {
	return source.KindOf(source.Kind{
		Name:    "sqlite",
		Family:  source.FamilySQL,
		Title:   "SQLite",
		Icon:    source.IconDatabase,
		Fresh:   "With a column that says when a row was changed, each run reads only what changed. Without it, a change means that everything is read.",
		Summary: "A table, view or query of an SQLite file.",
		Docs: `Reads a database file and changes nothing in it.

**Overlap**, since it is not visible how long a write transaction of another process has been open: every run reads the last five
minutes again. **Exact** with a number that grows with every change, which is drawn inside the write transaction. With
` + "`probe_lock`" + ` every run reads one minute again.`,
		Asked: sqltable.Asked,
		Example: `kind: sqlite
path: crm.db
table: customers
id: id
updated: updated_at
deleted: deleted_at
fields:
  name: first_name || ' ' || last_name
  emails: [email, email2]
  phones: [phone, mobile]
  custom_fields: {Plan: plan}
`,
		CallerExample: `path: tenants/{{auth.tenant}}.db`,
		OpenTo:        "anyone who knows a file's name",
		Formats:       []source.Format{{Name: "a SQLite database", Starts: []string{"SQLite format 3\x00"}}},
		Setup:         setup(),
	}, New)
}

// Title implements [source.Titled].
func (c Config) Title() string {
	if title := source.TableTitle(c.Table, c.Query); title != "" {
		return title
	}
	return source.PathTitle(c.Path)
}
