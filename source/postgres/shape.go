package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sqltable"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// dialect is how PostgreSQL writes SQL.
var dialect = sqltable.Dialect{
	Parameter: func(n int, as string) string {
		if as == "" {
			return "$" + strconv.Itoa(n)
		}
		return "$" + strconv.Itoa(n) + "::" + as
	},
	Select:   selectValue,
	Compared: compared,
	Text:     "text",
	Stamp:    stampText,
	OwnStamp: stamp.AsXID,
}

// selectValue implements [sqltable.Dialect]: a list is selected as JSON.
func selectValue(e sqltable.Expression) (sql string, lists sqltable.JSON) {
	t, _ := e.Type.Native.(sqlType) // columns that are found by their names have none
	text := "CAST(" + e.SQL + " AS text)"
	switch {
	case e.Field == "updated":
		return e.SQL, sqltable.NotJSON
	case e.Field == "deleted" && t.oid == moneyOID: // as a text it has a currency
		return "CAST(CAST(" + e.SQL + " AS numeric) AS text)", sqltable.NotJSON
	case e.List && t.isArray:
		return "CAST(array_to_json(" + e.SQL + ") AS text)", sqltable.IsJSON
	case e.List && (t.oid == pgtype.JSONOID || t.oid == pgtype.JSONBOID):
		return text, sqltable.IsJSON
	case e.Field == record.FieldPhones && t.oid == pgtype.Float8OID:
		// A zero after the point says that the column is no text, which could begin with a zero.
		text += " || CASE WHEN " + e.SQL + " = trunc(" + e.SQL + ") AND " + e.SQL + " BETWEEN 1000 AND 1e14 THEN '.0' ELSE '' END"
	}
	return text, sqltable.NotJSON
}

// compared implements [sqltable.Dialect]: an index serves a text as it is.
func compared(e sqltable.Expression) string {
	if t, _ := e.Type.Native.(sqlType); t.oid == pgtype.TextOID || t.oid == pgtype.VarcharOID {
		return e.SQL
	}
	return "CAST(" + e.SQL + " AS text)"
}

const moneyOID = 790

// stampText writes a stamp as PostgreSQL reads it.
func stampText(layout keyset.Layout, stamp keyset.Value) keyset.Value {
	if layout == keyset.Number {
		return stamp
	}
	text := layout.FormatStamp(stamp)
	if year, rest, found := strings.Cut(strings.TrimPrefix(text, "-"), "-"); found && strings.HasPrefix(text, "-") {
		y, _ := strconv.Atoi(year)
		text = fmt.Sprintf("%04d-%s BC", y+1, rest)
	} else if found && strings.HasPrefix(text, "0000-") {
		text = "0001-" + rest + " BC"
	}
	return keyset.TextValue(strings.Replace(text, "T", " ", 1))
}

// A shape describes, from the catalogue, the table, view or query that is read.
type shape struct {
	stampOID uint32
	table    *table // nil for a query
	origin   origin
}

// shapeOf returns the shape of a table.
func shapeOf(t *sqltable.Table) *shape { return t.Own.(*shape) }

// A table describes the configured table as the catalogue does.
type table struct {
	oid  uint32
	kind string  // relkind: r, p, v, m, f
	rows float64 // estimate; -1 if it is missing
}

// Adapt implements [sqltable.Adapter].
func (s *session) Adapt(ctx context.Context, t *sqltable.Table) (err error) {
	own := &shape{}
	t.Own = own
	if s.db.patience > 0 {
		t.Patience = s.db.patience
	}
	if err := own.adaptStamp(t); err != nil {
		return err
	}
	if t.Config.Table != "" {
		if own.table, err = lookUp(ctx, s, t.From); err != nil {
			return err
		}
		if own.table.kind != "v" {
			t.Rows = own.table.rows
		}
	}
	if own.origin, err = originOf(ctx, s, t.SelectList(), t.From); err != nil {
		return err
	}
	if own.tracksChanges(t.Config) {
		t.Changed = changed
	}
	return own.origin.mayNumber(t.Stamp, own.stampOID)
}

// adaptStamp completes stamps that are numbers.
func (own *shape) adaptStamp(t *sqltable.Table) error {
	native, _ := t.Updated.Type.Native.(sqlType)
	own.stampOID = native.oid
	switch native.oid {
	case pgtype.XID8OID, pgtype.XIDOID:
		t.Stamp.Layout = keyset.Number
		if err := sqltable.MustBe(t.UpdatedAs, native.name, stamp.AsXID); err != nil {
			return err
		}
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID: // a horizon may lie beyond a smaller type; indexes serve it all the same
	default:
		return nil
	}
	if native.oid == pgtype.XIDOID {
		t.Updated.SQL = wideXID(t.Updated.SQL)
		t.Updated.Select = t.Updated.SQL
	}
	if native.oid != pgtype.XID8OID {
		t.Updated.As, t.Stamp.SQL = "bigint", "bigint"
	}
	return nil
}

// wideXID makes the 32 bits of an xid a number that only grows: the newest transaction id with these low bits that is not
// in the future.
func wideXID(xid string) string {
	const next = "(SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint)"
	return "(" + next + " - ((" + next + " - " + xid + "::text::bigint) & 4294967295))"
}

// lookUp asks the catalogue about a table.
func lookUp(ctx context.Context, conn *session, name string) (*table, error) {
	t := &table{}
	var oid int64
	err := conn.QueryRow(ctx, `SELECT oid::bigint, relkind::text, reltuples::float8 FROM pg_class WHERE oid = $1::text::regclass`, name).
		Scan(&oid, &t.kind, &t.rows)
	t.oid = uint32(oid)
	return t, err
}
