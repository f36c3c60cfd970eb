package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// A shape is what the database says about the configured expressions: their types, and the SQL that follows from them.
type shape struct {
	from    string
	updated string // SQL; empty where there is none (E10)
	id      string // SQL
	deleted string // SQL of a text, see source.IsGone; empty without a deleted column
	columns []column

	stamp  stampType
	idOID  uint32
	idType string // as SQL writes it

	table  *table // nil for a query
	origin origin
	tracks bool // see tracksChanges
}

// A column is a contact field's expression.
type column struct {
	record.Column
	sql  string // its value as text
	json bool   // the text is JSON: a list
}

// A stampType is what "updated" is.
type stampType struct {
	kind      kind
	sqlType   string        // what its values are compared as, in SQL
	precision time.Duration // how far below the true time a stamp may be, by its type
	unit      time.Duration // of integers that are times
	oid       uint32
}

// A kind says how the horizon of a stamp is found.
type kind byte

const (
	unsorted  kind = iota // there is none
	instants              // timestamptz
	walls                 // timestamp without time zone
	dates                 // date
	integers              // an integer that is yet to be told apart: epoch or sequence
	epochs                // an integer: time since 1970
	sequences             // an integer that grows
	xids                  // transaction ids
)

// layout is how a kind's stamps are written in checkpoints.
func (k kind) layout() keyset.Layout {
	switch k {
	case unsorted:
		return keyset.Unsorted
	case instants:
		return keyset.Instant
	case walls:
		return keyset.Local
	case dates:
		return keyset.Date
	}
	return keyset.Number
}

// A table is what the catalogue says about the configured table.
type table struct {
	oid  uint32
	kind string  // relkind: r, p, v, m, f
	rows float64 // estimate; -1 where there is none
}

// describe asks the database about the configured expressions.
func (f *factory) describe(ctx context.Context, conn *pgxpool.Conn) (*shape, error) {
	s := &shape{from: f.from, id: keyset.Wrap(f.cfg.ID)}
	if f.cfg.Table != "" {
		t, err := lookUp(ctx, conn, f.from)
		if err != nil {
			return nil, f.explain(ctx, conn, err)
		}
		s.table = t
	}
	columns, err := f.columns(ctx, conn)
	if err != nil {
		return nil, f.explain(ctx, conn, err)
	}
	fields, err := prepare(ctx, conn, f.expressions(columns), f.from)
	if err != nil {
		return nil, f.explain(ctx, conn, err)
	}
	types, err := describeTypes(ctx, conn, fields)
	if err != nil {
		return nil, fmt.Errorf("look up types: %w", f.wrap(ctx, err))
	}
	if err := s.fill(f.cfg, columns, fields, types); err != nil {
		return nil, err
	}
	if s.origin, err = originOf(ctx, conn, s); err != nil {
		return nil, f.wrap(ctx, err)
	}
	s.tracks = s.tracksChanges(f.cfg)
	return s, s.origin.mayNumber(s.stamp)
}

// fill turns what the database said into SQL.
func (s *shape) fill(cfg keyset.Config, columns []record.Column, fields []pgconn.FieldDescription, types map[uint32]sqlType) error {
	s.idOID = fields[0].DataTypeOID
	s.idType = types[s.idOID].name
	fields = fields[1:]
	if cfg.Updated != "" {
		var err error
		if s.stamp, err = stampOf(cfg.UpdatedAs, fields[0], types[fields[0].DataTypeOID].name); err != nil {
			return err
		}
		s.updated = keyset.Wrap(cfg.Updated)
		if s.stamp.oid == pgtype.XIDOID {
			s.updated = wideXID(s.updated)
		}
		fields = fields[1:]
	}
	if cfg.Deleted != "" {
		s.deleted = deletedText(keyset.Wrap(cfg.Deleted), fields[0].DataTypeOID)
		fields = fields[1:]
	}
	for i, c := range columns {
		s.columns = append(s.columns, textColumn(c, types[fields[i].DataTypeOID]))
	}
	return nil
}

// deletedText selects "deleted" as [source.IsGone] reads it.
func deletedText(deleted string, oid uint32) string {
	const money = 790
	if oid == money { // as a text it has a currency
		deleted = "CAST(" + deleted + " AS numeric)"
	}
	return "CAST(" + deleted + " AS text)"
}

// textColumn selects a column as text, a list as JSON.
func textColumn(c record.Column, t sqlType) column {
	col := column{Column: c, sql: "CAST(" + keyset.Wrap(c.From) + " AS text)"}
	if !c.IsList() {
		return col
	}
	switch {
	case t.isArray:
		col.json, col.sql = true, "CAST(array_to_json("+keyset.Wrap(c.From)+") AS text)"
	case t.oid == pgtype.JSONOID || t.oid == pgtype.JSONBOID:
		col.json = true
	case t.oid == pgtype.Float8OID && c.Field == record.FieldPhones:
		// A zero after the point says that the column is no text, which could begin with a zero.
		x := keyset.Wrap(c.From)
		col.sql += " || CASE WHEN " + x + " = trunc(" + x + ") AND " + x + " BETWEEN 1000 AND 1e14 THEN '.0' ELSE '' END"
	}
	return col
}

// stampOf tells what "updated" is from its type and, where that leaves it open, from the configuration.
func stampOf(as string, field pgconn.FieldDescription, name string) (stampType, error) {
	st := stampType{oid: field.DataTypeOID, sqlType: name}
	switch field.DataTypeOID {
	case pgtype.TimestamptzOID, pgtype.TimestampOID:
		st.kind, st.precision = walls, precision(field.TypeModifier)
		if field.DataTypeOID == pgtype.TimestamptzOID {
			st.kind = instants
		}
		return st, mustBe(as, name, stamp.AsTimestamp)
	case pgtype.DateOID:
		st.kind, st.precision = dates, 24*time.Hour
		return st, mustBe(as, name, stamp.AsDate)
	case pgtype.XID8OID, pgtype.XIDOID:
		st.kind = xids
		if st.oid == pgtype.XIDOID {
			st.sqlType = "bigint"
		}
		return st, mustBe(as, name, stamp.AsXID)
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		st.sqlType = "bigint" // a horizon may lie beyond a smaller type; indexes serve it all the same
		return integerStamp(st, as)
	}
	return st, &configError{
		key: "updated", message: fmt.Sprintf("its type is %s", name),
		hint: "updated must be a timestamp, a date, an integer or a transaction id: cast it, for example (" + `changed)::timestamptz`,
	}
}

func integerStamp(st stampType, as string) (stampType, error) {
	switch as {
	case stamp.Auto:
		st.kind = integers
	case stamp.AsSequence:
		st.kind = sequences
	case stamp.AsXID:
		st.kind = xids
	case stamp.AsSeconds, stamp.AsMillis, stamp.AsMicros:
		st.kind, st.unit, st.precision = epochs, stamp.Unit(as), stamp.Unit(as)
	default:
		return st, mustBe(as, st.sqlType, stamp.AsSequence)
	}
	return st, nil
}

// mustBe refuses an updated_as that the column's type rules out.
func mustBe(as, typeName, only string) error {
	if as == stamp.Auto || as == only {
		return nil
	}
	return &configError{
		key: "updated_as", message: fmt.Sprintf("%s does not fit updated, which is of type %s", as, typeName),
		hint: "leave updated_as out",
	}
}

// precision is that of a timestamp(p).
func precision(modifier int32) time.Duration {
	p := time.Second
	if modifier < 0 || modifier >= 6 {
		return time.Microsecond
	}
	for range modifier {
		p /= 10
	}
	return p
}

// wideXID makes the 32 bits of an xid a number that only grows: the newest transaction id with these low bits that is not
// in the future.
func wideXID(xid string) string {
	const next = "(SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint)"
	return "(" + next + " - ((" + next + " - " + xid + "::text::bigint) & 4294967295))"
}

// expressions are what is described and what fails by name: id, updated, deleted, the fields.
func (f *factory) expressions(columns []record.Column) []expression {
	list := []expression{{"id", f.cfg.ID}}
	if f.cfg.Updated != "" {
		list = append(list, expression{"updated", f.cfg.Updated})
	}
	if f.cfg.Deleted != "" {
		list = append(list, expression{"deleted", f.cfg.Deleted})
	}
	for _, c := range columns {
		list = append(list, expression{c.Path, c.From})
	}
	return list
}

// An expression is a piece of the configuration and its key.
type expression struct{ key, sql string }

// columns are the configured fields, or the columns with the usual names.
func (f *factory) columns(ctx context.Context, conn *pgxpool.Conn) ([]record.Column, error) {
	if !f.cfg.Fields.Empty() {
		return record.Columns(f.cfg.Fields), nil
	}
	names, err := columnNames(ctx, conn, f.from)
	return record.UsualColumns(record.Usual(names), keyset.Quote), err
}

func columnNames(ctx context.Context, conn *pgxpool.Conn, from string) ([]string, error) {
	d, err := conn.Conn().PgConn().Prepare(ctx, "", "SELECT * FROM "+from, nil)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(d.Fields))
	for i, field := range d.Fields {
		names[i] = field.Name
	}
	return names, nil
}

// prepare lets the server parse expressions and tell their types, and runs nothing.
func prepare(ctx context.Context, conn *pgxpool.Conn, list []expression, from string) ([]pgconn.FieldDescription, error) {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = keyset.Wrap(e.sql)
	}
	d, err := conn.Conn().PgConn().Prepare(ctx, "", "SELECT "+strings.Join(parts, ", ")+" FROM "+from, nil)
	if err != nil {
		return nil, err
	}
	if len(d.ParamOIDs) > 0 {
		return nil, &configError{key: "fields", message: "an expression has a parameter ($1) in it", hint: "write the value itself"}
	}
	if len(d.Fields) != len(list) {
		return nil, &configError{key: "fields", message: "an expression is a list of several", hint: "write one expression for each field"}
	}
	return d.Fields, nil
}

// explain finds the expression that an error is about, by preparing each alone.
func (f *factory) explain(ctx context.Context, conn *pgxpool.Conn, cause error) error {
	var known *configError
	if errors.As(cause, &known) || !isStatementError(cause) {
		return f.wrap(ctx, cause)
	}
	if _, err := prepare(ctx, conn, []expression{{"", "1"}}, f.from); err != nil {
		key := "table"
		if f.cfg.Query != "" {
			key = "query"
		}
		return f.configProblem(ctx, key, err)
	}
	for _, e := range f.expressions(record.Columns(f.cfg.Fields)) {
		if _, err := prepare(ctx, conn, []expression{e}, f.from); err != nil {
			return f.configProblem(ctx, e.key, err)
		}
	}
	return f.wrap(ctx, cause)
}

// A sqlType is a type as the catalogue describes it.
type sqlType struct {
	oid     uint32
	name    string
	isArray bool
}

func describeTypes(ctx context.Context, conn *pgxpool.Conn, fields []pgconn.FieldDescription) (map[uint32]sqlType, error) {
	var list []string
	for _, field := range fields {
		list = append(list, fmt.Sprint(field.DataTypeOID))
	}
	rows, err := conn.Query(ctx, "SELECT oid::bigint, format_type(oid, -1), typcategory = 'A' FROM pg_type WHERE oid IN ("+strings.Join(list, ", ")+")")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types := map[uint32]sqlType{}
	for rows.Next() {
		var t sqlType
		var oid int64
		if err := rows.Scan(&oid, &t.name, &t.isArray); err != nil {
			return nil, err
		}
		t.oid = uint32(oid)
		types[t.oid] = t
	}
	return types, rows.Err()
}

// lookUp asks the catalogue about a table.
func lookUp(ctx context.Context, conn *pgxpool.Conn, name string) (*table, error) {
	t := &table{}
	var oid int64
	err := conn.QueryRow(ctx, `SELECT oid::bigint, relkind::text, reltuples::float8 FROM pg_class WHERE oid = $1::text::regclass`, name).
		Scan(&oid, &t.kind, &t.rows)
	t.oid = uint32(oid)
	return t, err
}
