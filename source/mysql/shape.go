package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// dialect is how MariaDB and MySQL write SQL.
var dialect = sqltable.Dialect{
	Quotes:      "`\"",
	Parameter:   parameter,
	Select:      selectValue,
	NoRowValues: true, // they are compared as they should, but no index serves them
	Unindexed:   func(expression string) string { return "COALESCE(" + expression + ")" },
}

// What a parameter is read as, beside the names of types.
const (
	asBytes = "bytes" // of a text in hexadecimal
	asExact = "exact" // the bytes of a text
)

// parameter implements [sqltable.Dialect]: a text that is compared with a number would make both of them floating.
func parameter(_ int, as string) string {
	switch unsigned := strings.HasPrefix(as, "UNSIGNED "); {
	case as == asBytes:
		return "UNHEX(?)"
	case as == asExact:
		return "CAST(CONVERT(? USING utf8mb4) AS BINARY)"
	case unsigned, as == "BIT":
		return "CAST(? AS UNSIGNED)"
	case integers[as]:
		return "CAST(? AS SIGNED)"
	case strings.HasPrefix(as, "DECIMAL("):
		return "CAST(? AS " + as + ")"
	case as == "DATETIME", as == "TIMESTAMP":
		return "CAST(? AS DATETIME(6))"
	case as == "DATE":
		return "CAST(? AS DATE)"
	}
	return "?"
}

var integers = map[string]bool{"TINYINT": true, "SMALLINT": true, "MEDIUMINT": true, "INT": true, "BIGINT": true}

func isInteger(typ string) bool { return integers[strings.TrimPrefix(typ, "UNSIGNED ")] }

// typeOf says what a column's type means for the engine.
func typeOf(rows sqldriver.Rows, column int) sqltable.Type {
	t := sqltable.Type{SQL: rows.(sqldriver.RowsColumnTypeDatabaseTypeName).ColumnTypeDatabaseTypeName(column)}
	switch {
	case t.SQL == "TIMESTAMP":
		t.Stamp = sqltable.Instants
	case t.SQL == "DATETIME":
		t.Stamp = sqltable.Walls
	case t.SQL == "DATE":
		t.Stamp = sqltable.Dates
	case isInteger(t.SQL):
		t.Stamp, t.CheckID = sqltable.Integers, checkInteger
		t.Digits = integers[t.SQL] // one without a sign may be written with zeros before it (ZEROFILL)
	case t.SQL == "BIT":
		t.CheckID = checkInteger
	case t.SQL == "DECIMAL":
		_, t.Native, _ = rows.(sqldriver.RowsColumnTypePrecisionScale).ColumnTypePrecisionScale(column)
	}
	if t.Stamp == sqltable.Instants || t.Stamp == sqltable.Walls {
		digits, _, _ := rows.(sqldriver.RowsColumnTypePrecisionScale).ColumnTypePrecisionScale(column)
		t.Precision = precision(digits)
	}
	return t
}

// precision is that of a DATETIME(digits).
func precision(digits int64) time.Duration {
	p := time.Second
	for range min(digits, 6) {
		p /= 10
	}
	return p
}

// checkInteger tells whether a text can be an id that is an integer.
func checkInteger(id string) error {
	_, err := strconv.ParseUint(strings.TrimPrefix(id, "-"), 10, 64)
	return err
}

// selectValue implements [sqltable.Dialect]. Times are selected as numbers: a session's text of one tells no more, and a date that does
// not exist has no number.
func selectValue(e sqltable.Expression) (sql string, lists sqltable.JSON) {
	text := "CAST(" + e.SQL + " AS CHAR)"
	typ := e.Type.SQL
	switch {
	case e.Field == "updated" && (typ == "DATETIME" || typ == "TIMESTAMP"):
		return "TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'2000-01-01 00:00:00', " + e.SQL + ")", sqltable.NotJSON
	case e.Field == "updated" && typ == "DATE":
		return "DATEDIFF(" + e.SQL + ", DATE'2000-01-01')", sqltable.NotJSON
	case e.Field == "updated", e.Field == "id" && e.Type.Digits:
		return e.SQL, sqltable.NotJSON
	case e.Field == "id" && isBytes(typ):
		return "LOWER(HEX(" + e.SQL + "))", sqltable.NotJSON
	case e.Field == "id" && typ == "FLOAT": // the text of a FLOAT has six digits: it is another number, and that of several ids
		return "CAST(" + e.SQL + " + 0e0 AS CHAR)", sqltable.NotJSON
	case typ == "BIT": // as a text it is a byte of that value
		return "CAST(" + e.SQL + " + 0 AS CHAR)", sqltable.NotJSON
	case e.Field == record.FieldPhones && typ == "DOUBLE":
		// A zero after the point says that the column is no text, which could begin with a zero.
		return "CONCAT(" + text + ", IF(" + e.SQL + " = TRUNCATE(" + e.SQL + ", 0) AND " + e.SQL + " BETWEEN 1000 AND 1e14, '.0', ''))", sqltable.NotJSON
	case typ == "DATETIME", typ == "TIMESTAMP", typ == "DATE", typ == "TIME", typ == "DECIMAL": // rows come as texts, and a cast takes longer than to write one
		return e.SQL, sqltable.NotJSON
	case isText(typ): // the connection has the charset
		return e.SQL, sqltable.MaybeJSON
	case isBytes(typ): // the bytes of a text, as old applications keep them
		return "CONVERT(" + e.SQL + " USING utf8mb4)", sqltable.MaybeJSON
	}
	return text, sqltable.MaybeJSON
}

func isText(typ string) bool { return typ == "VARCHAR" || strings.HasSuffix(typ, "TEXT") }

func isBytes(typ string) bool {
	return strings.HasSuffix(typ, "BINARY") || strings.HasSuffix(typ, "BLOB")
}

// A shape is what the catalogue says about what is read.
type shape struct {
	table       *table // nil for a query
	column      string // that id is; empty where it is an expression
	collation   string // of id, where it is a text
	bytewise    bool   // ids are compared by their bytes, which no index serves
	transaction bool   // rows change in transactions of InnoDB only
}

// A table is what the catalogue says about the configured table.
type table struct {
	schema, name string
	engine       string // empty for a view
	rows         float64
}

// shapeOf is the shape of a table.
func shapeOf(t *sqltable.Table) *shape { return t.Own.(*shape) }

// Adapt implements [sqltable.Adapter].
func (s *session) Adapt(ctx context.Context, t *sqltable.Table) (err error) {
	own := &shape{column: bareColumn(t.Config.ID)}
	t.Own = own
	if t.Config.Table != "" {
		if own.table, err = s.lookUp(ctx, t.Config.Table); err != nil {
			return err
		}
	}
	if own.table != nil && own.table.engine != "" {
		t.Rows = own.table.rows
		own.transaction = own.table.engine == "InnoDB"
	}
	switch t.Updated.Type.SQL {
	case "TIMESTAMP": // has the zero alone, below the least time of the type; an index serves the comparison
		t.NoStamp, t.NoStampFirst = "("+t.Updated.SQL+" < TIMESTAMP'1970-01-01 00:00:01')", true
	case "DATETIME", "DATE":
		t.NoStamp = impossible(t.Updated.SQL)
	}
	return s.adaptID(ctx, t, own)
}

// impossible is the condition that a date does not exist: 0000-00-00, 2025-00-15, 2025-02-31. The server keeps such dates where its
// mode allows them, and in tables that are older than the mode.
func impossible(date string) string {
	return fmt.Sprintf("(MONTH(%[1]s) = 0 OR DAYOFMONTH(%[1]s) = 0 OR DAYOFMONTH(%[1]s) > 28 AND DAYOFMONTH(%[1]s) > "+
		"DAYOFMONTH(LAST_DAY(CONCAT(YEAR(%[1]s), '-', MONTH(%[1]s), '-01'))))", date)
}

// adaptID makes the comparison of ids exact.
func (s *session) adaptID(ctx context.Context, t *sqltable.Table, own *shape) (err error) {
	switch typ := t.ID.Type.SQL; {
	case isBytes(typ):
		t.ID.As = asBytes
		return nil
	case typ == "DECIMAL":
		t.ID.As = fmt.Sprintf("DECIMAL(65, %d)", t.ID.Type.Native) // as many digits after the point as the type has leave enough before it
	case typ == "ENUM", typ == "SET": // they sort by the place in their list, but are compared with a text as texts
		own.bytewise = true
	case typ == "CHAR", typ == "VARCHAR", strings.HasSuffix(typ, "TEXT"):
		if own.collation, err = s.collation(ctx, t); err != nil {
			return err
		}
		unique, err := s.isUnique(ctx, own)
		if err != nil {
			return err
		}
		own.bytewise = !unique && !isExact(own.collation)
	}
	if own.bytewise {
		t.ID.SQL, t.ID.As = "CAST(CONVERT("+t.ID.SQL+" USING utf8mb4) AS BINARY)", asExact
	}
	return nil
}

// isExact reports whether two texts are equal in a collation only if their bytes are: other ones ignore case, accents, or blanks at the
// end.
func isExact(collation string) bool {
	return collation == "binary" || strings.HasSuffix(collation, "_nopad_bin") || strings.HasSuffix(collation, "_0900_bin")
}

// collation is that of the id, told without reading a row. It is empty for types that are texts only to the driver, such as UUID.
func (s *session) collation(ctx context.Context, t *sqltable.Table) (string, error) {
	found, err := s.rows(ctx, "SELECT COLLATION(MAX(e.id)) FROM (SELECT "+t.ID.SQL+" AS id FROM "+t.From+" LIMIT 0) AS e")
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0][0], nil
}

// isUnique reports whether an index sees to it that no two ids are equal in their collation.
func (s *session) isUnique(ctx context.Context, own *shape) (bool, error) {
	if own.table == nil || own.table.engine == "" || own.column == "" {
		return false, nil
	}
	found, err := s.rows(ctx, `SELECT index_name FROM information_schema.statistics WHERE table_schema = ? AND table_name = ?
		GROUP BY index_name HAVING MAX(seq_in_index) = 1 AND MAX(non_unique) = 0 AND MAX(sub_part) IS NULL AND LOWER(MAX(column_name)) = LOWER(?)`,
		own.table.schema, own.table.name, own.column)
	return len(found) > 0, err
}

var column = regexp.MustCompile("^\\s*(?:(\\w+)|`([^`]+)`)\\s*$")

// bareColumn is the column that an expression names; empty where it is another expression.
func bareColumn(expression string) string {
	m := column.FindStringSubmatch(expression)
	if m == nil {
		return ""
	}
	return m[1] + m[2]
}

// lookUp asks the catalogue about a table. It is nil where the catalogue does not show it.
func (s *session) lookUp(ctx context.Context, name string) (*table, error) {
	parts, err := dialect.SplitName(name)
	if err != nil {
		return nil, err
	}
	schema := ""
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	found, err := s.rows(ctx, `SELECT table_schema, table_name, COALESCE(engine, ''), COALESCE(table_rows, 0), table_type FROM information_schema.tables
		WHERE table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND table_name = ?`, schema, parts[len(parts)-1])
	if err != nil || len(found) == 0 {
		return nil, err
	}
	t := &table{schema: found[0][0], name: found[0][1], engine: found[0][2]}
	t.rows, _ = strconv.ParseFloat(found[0][3], 64) // a number
	if found[0][4] != "BASE TABLE" {
		t.engine = ""
	}
	return t, nil
}
