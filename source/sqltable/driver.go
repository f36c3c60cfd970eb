package sqltable

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"
	"unsafe"

	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// A DriverConn is a connection of a database/sql driver that reads rows without the copies that database/sql makes. A [Session]
// embeds it.
type DriverConn struct {
	SQL *sql.Conn
	// Value converts a driver's value to ours, as [Session] wants it, and allocates nothing. It is not called for texts, int64, bytes
	// and null. [Connect] sets it to [DriverValue].
	Value func(v sqldriver.Value) keyset.Value
	// Bytes is the kind of values that the driver gives as bytes: Text, or Blob, to which Connect sets it.
	Bytes keyset.Kind
	// Argument converts one of our values to a driver's. Connect sets it to [DriverArgument].
	Argument func(v keyset.Value) sqldriver.Value

	raw    any // the driver's own connection, while a statement is read
	source []sqldriver.Value
	values []keyset.Value
}

// Connect takes a connection of db.
func Connect(ctx context.Context, db *sql.DB) (*DriverConn, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &DriverConn{SQL: c, Value: DriverValue, Bytes: keyset.Blob, Argument: DriverArgument}, nil
}

// Release implements [Session].
func (c *DriverConn) Release(context.Context) { _ = c.SQL.Close() } // it only returns the connection

// Query implements [Session]. Within the row function of another statement, it leaves that one open.
func (c *DriverConn) Query(ctx context.Context, s Statement, row func([]keyset.Value) (bool, error)) error {
	return c.open(ctx, s, func(rows sqldriver.Rows) error { return c.read(ctx, rows, row) })
}

// Columns tells the types of a query's columns, and runs it for that: the query should have no rows. typeOf says what the driver
// knows of a column, which may be more where rows has the methods of [sqldriver.RowsColumnTypeDatabaseTypeName] and the like; the
// name is filled in. nil means that the driver knows nothing.
func (c *DriverConn) Columns(ctx context.Context, query string, typeOf func(rows sqldriver.Rows, column int) Type) (types []Type, err error) {
	err = c.open(ctx, Statement{SQL: query}, func(rows sqldriver.Rows) error {
		for i, name := range rows.Columns() {
			var t Type
			if typeOf != nil {
				t = typeOf(rows, i)
			}
			t.Name = name
			types = append(types, t)
		}
		return nil
	})
	return types, err
}

// open runs a statement and closes it when a function has read it.
func (c *DriverConn) open(ctx context.Context, s Statement, read func(sqldriver.Rows) error) error {
	run := func(raw any) (err error) {
		rows, done, err := query(ctx, raw, s.SQL, c.named(s.Args))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, done()) }()
		return read(rows)
	}
	if c.raw != nil { // which is locked
		return run(c.raw)
	}
	return c.SQL.Raw(func(raw any) error {
		c.raw = raw
		defer func() { c.raw = nil }()
		return run(raw)
	})
}

func (c *DriverConn) named(args []keyset.Value) []sqldriver.NamedValue {
	named := make([]sqldriver.NamedValue, len(args))
	for i, arg := range args {
		named[i] = sqldriver.NamedValue{Ordinal: i + 1, Value: c.Argument(arg)}
	}
	return named
}

// query runs a statement at once, or prepares it where the driver can do no other.
func query(ctx context.Context, raw any, sql string, args []sqldriver.NamedValue) (sqldriver.Rows, func() error, error) {
	if direct, ok := raw.(sqldriver.QueryerContext); ok {
		rows, err := direct.QueryContext(ctx, sql, args)
		if err == nil {
			return rows, rows.Close, nil
		}
		if !errors.Is(err, sqldriver.ErrSkip) {
			return nil, nil, err
		}
	}
	preparer, ok := raw.(sqldriver.ConnPrepareContext)
	if !ok {
		return nil, nil, errors.New("the driver cannot prepare statements")
	}
	prepared, err := preparer.PrepareContext(ctx, sql)
	if err != nil {
		return nil, nil, err
	}
	queryer, ok := prepared.(sqldriver.StmtQueryContext)
	if !ok {
		return nil, nil, errors.Join(errors.New("the driver cannot end a query"), prepared.Close())
	}
	rows, err := queryer.QueryContext(ctx, args)
	if err != nil {
		return nil, nil, errors.Join(err, prepared.Close())
	}
	return rows, func() error { return errors.Join(rows.Close(), prepared.Close()) }, nil
}

func (c *DriverConn) read(ctx context.Context, rows sqldriver.Rows, row func([]keyset.Value) (bool, error)) error {
	width := len(rows.Columns())
	from, values := c.source, c.values
	c.source, c.values = nil, nil // a statement that is read meanwhile has its own
	defer func() { c.source, c.values = from, values }()
	if cap(from) < width {
		from, values = make([]sqldriver.Value, width), make([]keyset.Value, width)
	}
	from, values = from[:width], values[:width]
	for n := 0; ; n++ {
		// A driver may look at the context before its first row only.
		if n%64 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := rows.Next(from); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		for i := range from {
			switch v := from[i].(type) {
			case []byte:
				setText(&values[i], c.Bytes, View(v))
			case string:
				setText(&values[i], keyset.Text, v)
			case int64:
				values[i] = keyset.Value{Kind: keyset.Int, Int: v}
			case nil:
				values[i] = keyset.Value{}
			default:
				values[i] = c.Value(v)
			}
		}
		if more, err := row(values); err != nil || !more {
			return err
		}
	}
}

// setText makes a value a text, or bytes. In the row before it was one as well, mostly.
func setText(v *keyset.Value, kind keyset.Kind, text string) {
	if v.Kind != kind {
		*v = keyset.Value{Kind: kind}
	}
	v.Text = text
}

// DriverValue returns a driver's value as a [keyset.Value]: a time is the microseconds of its wall clock since 2000-01-01.
func DriverValue(v sqldriver.Value) keyset.Value {
	switch v := v.(type) {
	case float64:
		return keyset.Value{Kind: keyset.Real, Real: v}
	case bool:
		if v {
			return keyset.IntValue(1)
		}
		return keyset.IntValue(0)
	case time.Time:
		_, offset := v.Zone()
		return keyset.IntValue(stamp.Microseconds(v) + int64(offset)*1_000_000)
	}
	return keyset.TextValue(fmt.Sprint(v))
}

// DriverArgument returns a [keyset.Value] as a driver takes it.
func DriverArgument(v keyset.Value) sqldriver.Value {
	switch v.Kind {
	case keyset.Int:
		return v.Int
	case keyset.Real:
		return v.Real
	case keyset.Text:
		return v.Text
	case keyset.Blob:
		return []byte(v.Text)
	}
	return nil
}

// View returns a slice of a connection's buffer as a string: valid until the next row is read.
func View(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
