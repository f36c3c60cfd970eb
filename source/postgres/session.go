package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// A session is a connection. It is a [sqltable.Session].
type session struct {
	*pgxpool.Conn
	db     *database
	values []keyset.Value // of the row that is being read
}

// Release implements [sqltable.Session]. A connection on which time ran out is closed: it may be the connection that is slow, and
// then the pool would hand it out again and again while a new one is fast.
func (s *session) Release(ctx context.Context) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		_ = s.Conn.Conn().PgConn().Conn().SetDeadline(time.Unix(1, 0)) // so that closing does not wait for it
		_ = s.Conn.Conn().Close(context.Background())
	}
	s.Conn.Release()
}

// drainTime is how long the rest of an abandoned page is read; then its query is cancelled.
const drainTime = 20 * time.Millisecond

// Query implements [sqltable.Session].
func (s *session) Query(ctx context.Context, statement sqltable.Statement, row func([]keyset.Value) (bool, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	args := append([]any{s.mode(statement), pgx.QueryResultFormats{pgx.BinaryFormatCode}}, texts(statement.Args)...)
	rows, err := s.Conn.Query(ctx, statement.SQL, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	more, err := s.read(rows, row)
	if !more || err != nil {
		timer := time.AfterFunc(drainTime, cancel)
		defer timer.Stop()
		rows.Close()
		return err
	}
	return rows.Err()
}

// mode prepares statements that come again once for a connection. The others are planned anew each time.
func (s *session) mode(statement sqltable.Statement) pgx.QueryExecMode {
	if statement.Prepare && s.db.mode == pgx.QueryExecModeCacheStatement {
		return pgx.QueryExecModeCacheStatement
	}
	return pgx.QueryExecModeCacheDescribe
}

// texts are arguments as texts, which the server reads as the columns' own types, so that indexes can be used.
func texts(args []keyset.Value) []any {
	list := make([]any, len(args))
	for i, arg := range args {
		list[i] = arg.Text
		if arg.Kind == keyset.Int {
			list[i] = strconv.FormatInt(arg.Int, 10)
		}
	}
	return list
}

// read gives the rows of a query to a function; more is false where that wanted no more.
func (s *session) read(rows pgx.Rows, row func([]keyset.Value) (bool, error)) (more bool, err error) {
	var decode []decoder
	for rows.Next() {
		raw := rows.RawValues()
		if decode == nil {
			decode = decodersOf(rows.FieldDescriptions())
			s.values = append(s.values[:0], make([]keyset.Value, len(raw))...)
		}
		values := s.values[:len(raw)]
		for i, b := range raw {
			if v := &values[i]; decode[i] == asText && b != nil {
				v.Kind, v.Text = keyset.Text, sqltable.View(b) // the column's values have nothing else
			} else {
				*v = decode[i].value(b)
			}
		}
		if more, err := row(values); err != nil || !more {
			return more, err
		}
	}
	return true, nil
}

// A decoder says how a column's binary form is read.
type decoder byte

const (
	asText decoder = iota // as it is: the binary form of a text is its text
	asInteger
	asDate
)

func decodersOf(fields []pgconn.FieldDescription) []decoder {
	list := make([]decoder, len(fields))
	for i, field := range fields {
		switch field.DataTypeOID {
		case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID, pgtype.XID8OID, pgtype.BoolOID, pgtype.TimestampOID, pgtype.TimestamptzOID:
			list[i] = asInteger
		case pgtype.DateOID:
			list[i] = asDate
		}
	}
	return list
}

// value reads a number or a date in PostgreSQL's binary form, or null.
func (d decoder) value(b []byte) keyset.Value {
	switch len(b) { // 0 is null
	case 1:
		return keyset.IntValue(int64(b[0]))
	case 2:
		return keyset.IntValue(int64(int16(binary.BigEndian.Uint16(b))))
	case 4:
		i := int32(binary.BigEndian.Uint32(b))
		switch {
		case d == asDate && i == math.MaxInt32:
			return keyset.IntValue(keyset.Infinity)
		case d == asDate && i == math.MinInt32:
			return keyset.IntValue(keyset.MinusInfinity)
		}
		return keyset.IntValue(int64(i))
	case 8:
		return keyset.IntValue(int64(binary.BigEndian.Uint64(b)))
	}
	return keyset.Value{}
}

// Describe implements [sqltable.Session]: it lets the server parse a query and tell its types, and runs nothing.
func (s *session) Describe(ctx context.Context, query string) ([]sqltable.Type, error) {
	fields, err := s.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	types, err := s.types(ctx, fields)
	if err != nil {
		return nil, fmt.Errorf("look up types: %w", err)
	}
	list := make([]sqltable.Type, len(fields))
	for i, field := range fields {
		list[i] = typeOf(field, types[field.DataTypeOID])
	}
	return list, nil
}

func (s *session) prepare(ctx context.Context, query string) ([]pgconn.FieldDescription, error) {
	d, err := s.Conn.Conn().PgConn().Prepare(ctx, "", query, nil)
	if err != nil {
		return nil, err
	}
	if len(d.ParamOIDs) > 0 {
		return nil, &source.ConfigError{Key: "fields", Message: "fields: an expression has a parameter ($1) in it", Hint: "Write the value itself."}
	}
	return d.Fields, nil
}

// typeOf says what a column's type means for the engine.
func typeOf(field pgconn.FieldDescription, t sqlType) sqltable.Type {
	typ := sqltable.Type{Name: field.Name, SQL: t.name, CheckID: checkID(t.oid), Native: t}
	switch t.oid {
	case pgtype.TimestamptzOID:
		typ.Stamp, typ.Precision = sqltable.Instants, precision(field.TypeModifier)
	case pgtype.TimestampOID:
		typ.Stamp, typ.Precision = sqltable.Walls, precision(field.TypeModifier)
	case pgtype.DateOID:
		typ.Stamp = sqltable.Dates
	case pgtype.XID8OID, pgtype.XIDOID:
		typ.Stamp = sqltable.Own
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		typ.Stamp = sqltable.Integers
	}
	return typ
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

// checkID tells whether a text can be an id, for the usual types of ids.
func checkID(oid uint32) func(string) error {
	var into func() any
	switch oid {
	case pgtype.Int2OID:
		into = func() any { return new(int16) }
	case pgtype.Int4OID:
		into = func() any { return new(int32) }
	case pgtype.Int8OID:
		into = func() any { return new(int64) }
	case pgtype.UUIDOID:
		into = func() any { return new(pgtype.UUID) }
	default:
		return nil
	}
	return func(id string) error {
		return pgtype.NewMap().Scan(oid, pgtype.TextFormatCode, []byte(id), into())
	}
}

// A sqlType is a type as the catalogue describes it.
type sqlType struct {
	oid     uint32
	name    string
	isArray bool
}

// firstOwn is the first number of a type that PostgreSQL did not come with. Those before it never change.
const firstOwn = 16384

// types asks the catalogue about the types of columns.
func (s *session) types(ctx context.Context, fields []pgconn.FieldDescription) (map[uint32]sqlType, error) {
	types, missing := s.db.knownTypes(fields)
	if len(missing) == 0 {
		return types, nil
	}
	rows, err := s.Conn.Query(ctx, "SELECT oid::bigint, format_type(oid, -1), typcategory = 'A' FROM pg_type WHERE oid IN ("+strings.Join(missing, ", ")+")")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var t sqlType
		var oid int64
		if err := rows.Scan(&oid, &t.name, &t.isArray); err != nil {
			return nil, err
		}
		t.oid = uint32(oid)
		types[t.oid] = t
	}
	s.db.keepTypes(types)
	return types, rows.Err()
}

// knownTypes returns those of the columns' types that are known, and the numbers of the others.
func (db *database) knownTypes(fields []pgconn.FieldDescription) (types map[uint32]sqlType, missing []string) {
	db.mu.Lock()
	defer db.mu.Unlock()
	types = map[uint32]sqlType{}
	for _, field := range fields {
		if t, ok := db.types[field.DataTypeOID]; ok {
			types[t.oid] = t
			continue
		}
		missing = append(missing, strconv.FormatUint(uint64(field.DataTypeOID), 10))
	}
	return types, missing
}

func (db *database) keepTypes(types map[uint32]sqlType) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for oid, t := range types {
		if oid < firstOwn {
			db.types[oid] = t
		}
	}
}
