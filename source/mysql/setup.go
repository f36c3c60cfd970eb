package mysql

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
			Key: "dsn", Title: "Where the database is", Example: "mysql://reader:password@127.0.0.1:3306/crm",
			Help:    "As mysql://user:password@host:port/database. A user who may only read is enough.",
			Conceal: source.ConcealInURL, Check: func(answer string) error {
				_, err := parse(answer, func(name string) string { return name })
				return err
			},
		}),
		Look: look,
	}
}

// catalog asks about the tables of the database in the DSN. The estimated number of rows is InnoDB's.
var catalog = sqltable.Catalog{
	Tables: `SELECT '', TABLE_NAME, CASE WHEN TABLE_TYPE LIKE '%VIEW' THEN 'view' ELSE '' END, CAST(coalesce(TABLE_ROWS, -1) AS SIGNED)
		FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME`,
	Columns: `SELECT '', TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, CASE WHEN IS_NULLABLE = 'YES' THEN 1 ELSE 0 END,
			CASE WHEN lower(EXTRA) LIKE '%on update current_timestamp%' THEN 1 ELSE 0 END
		FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION`,
	Keys: `SELECT '', TABLE_NAME, INDEX_NAME, CASE WHEN INDEX_NAME = 'PRIMARY' THEN 'primary' WHEN NON_UNIQUE = 0 THEN 'unique' ELSE 'index' END, coalesce(COLUMN_NAME, '')
		FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`,
	References: `SELECT '', TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, '', REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME
		FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_SCHEMA = DATABASE()
		ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION`,
	Language: sqltable.Language{
		Aggregate: func(expression, order string) string {
			return "group_concat(" + expression + " ORDER BY " + order + " SEPARATOR '; ')"
		},
		Concatenate: func(expressions []string) string { return "concat(" + strings.Join(expressions, ", ") + ")" },
		AsText:      "char", Plain: regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`), Backslash: true,
	},
}

// look says what a database holds.
func look(ctx context.Context, answers source.Answers, deps source.Deps) (proposal.Inventory, error) {
	deps = deps.Defaults()
	a, err := parse(answers["dsn"], deps.Path)
	if err != nil {
		return proposal.Inventory{}, err
	}
	db, err := open(a, deps)
	if err != nil {
		return proposal.Inventory{}, err
	}
	return sqltable.Look(ctx, db, &dialect, catalog)
}
