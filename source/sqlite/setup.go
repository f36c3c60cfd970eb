package sqlite

import (
	"context"
	"regexp"

	"github.com/contactbridge/contactbridge/internal/proposal"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// setup is how contactbridge init makes a source of this kind.
func setup() *source.Setup {
	return &source.Setup{
		Questions: source.Fixed(source.Question{
			Key: "path", Title: "The database file", Example: "crm.db", File: true,
			Check: func(answer string) error { return Config{Path: literal(answer)}.checkPath() },
		}),
		Look: look,
	}
}

// literal is a name as a template; one that cannot be a template is not a name that a configuration can have.
func literal(name string) source.Template {
	t, _ := source.ParseTemplate(name) // it says so when the configuration is read
	return t
}

// catalog asks the tables that SQLite has instead of a catalogue. Types are what was declared, and bind no value; the columns of a composite primary
// key may be null.
var catalog = sqltable.Catalog{
	Tables: `SELECT '', name, CASE WHEN type = 'view' THEN 'view' ELSE '' END, -1 FROM sqlite_schema
		WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY rowid`,
	Columns: `SELECT '', m.name, c.name, c.type, CASE WHEN c."notnull" OR c.pk > 0 AND NOT EXISTS (SELECT 1 FROM pragma_table_info(m.name) WHERE pk > 1) THEN 0 ELSE 1 END, 0
		FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c WHERE m.type IN ('table', 'view') ORDER BY m.rowid, c.cid`,
	Keys: `SELECT '', m.name, '', 'primary', c.name, c.pk AS place FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table' AND c.pk > 0
		UNION ALL
		SELECT '', m.name, i.name, CASE WHEN i."unique" AND NOT i.partial THEN 'unique' ELSE 'index' END, coalesce(k.name, ''), k.seqno
		FROM sqlite_schema AS m JOIN pragma_index_list(m.name) AS i JOIN pragma_index_info(i.name) AS k WHERE m.type = 'table' AND i.origin <> 'pk'
		ORDER BY 2, 3, 6`,
	References: `SELECT '', m.name, CAST(f.id AS text), f."from", '', f."table", coalesce(f."to", '')
		FROM sqlite_schema AS m JOIN pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq`,
	Language: sqltable.Language{
		Aggregate: func(expression, order string) string {
			return "group_concat(" + expression + ", '; ' ORDER BY " + order + ")"
		},
		AsText: "text", Plain: regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`),
	},
	Loose: true,
}

// look says what a database file holds.
func look(ctx context.Context, answers source.Answers, deps source.Deps) (proposal.Inventory, error) {
	file, err := parseLocation(answers["path"], deps.Path)
	if err != nil {
		return proposal.Inventory{}, err
	}
	db, err := openFile(file, false, deps.Formats)
	if err != nil {
		return proposal.Inventory{}, err
	}
	return sqltable.Look(ctx, db, &dialect, catalog)
}
