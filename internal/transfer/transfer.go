// Package transfer brings the rows of one database into another's tables: out of a SQLite file that nobody else has open, by
// COPY into PostgreSQL, and back out of there to see that every one has arrived.
package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/contactbridge/contactbridge/directory"
)

// A Table is where rows go.
type Table struct {
	Schema, Name string
	Columns      []string
}

// String is the table's name with its schema.
func (t Table) String() string { return t.Schema + "." + t.Name }

// Rows are a table's rows, each with a value for every column: nil, bool, int64, string, []byte or [pgtype.TSVector]. A row is
// good until the next one. An error is the last thing that comes.
type Rows = iter.Seq2[[]any, error]

// Report is told what is being done, and with how many rows so far; nil tells nobody.
type Report func(what string, rows int64)

// A Moved is a table and the rows that were put into it.
type Moved struct {
	Table
	Sum
}

// A Sum says which rows there are, in whatever order: how many, and the sum of their digests.
type Sum struct {
	Rows   int64
	digest [4]uint64
}

// Copier copies tables in one transaction.
type Copier struct {
	Tx     pgx.Tx
	Report Report

	moved []Moved
}

// reportEvery is after how many rows progress is told.
const reportEvery = 2000

// Say tells what is being done, and with how many rows so far.
func (c *Copier) Say(what string, rows int64) {
	if c.Report != nil {
		c.Report(what, rows)
	}
}

// Copy puts rows into a table by COPY.
func (c *Copier) Copy(ctx context.Context, t Table, rows Rows) error {
	next, stop := iter.Pull2(rows)
	defer stop()
	m := Moved{Table: t}
	var a adder
	source := pgx.CopyFromFunc(func() ([]any, error) {
		row, err, more := next()
		if err != nil || !more {
			return nil, err
		}
		a.add(&m.Sum, row)
		if m.Rows%reportEvery == 0 {
			c.Say(t.Name, m.Rows)
		}
		return row, nil
	})
	n, err := c.Tx.CopyFrom(ctx, pgx.Identifier{t.Schema, t.Name}, t.Columns, source)
	if err != nil {
		return fmt.Errorf("copy into %s: %w", t, err)
	}
	if n != m.Rows {
		return fmt.Errorf("copy into %s: the database took %d of %d rows", t, n, m.Rows)
	}
	c.Say(t.Name, m.Rows)
	c.moved = append(c.moved, m)
	return nil
}

// Moved are the tables that were copied, in order.
func (c *Copier) Moved() []Moved { return c.moved }

// Verify reads every table back and compares it with what was copied, value by value. It must come before anybody else writes.
func (c *Copier) Verify(ctx context.Context) error {
	for _, m := range c.moved {
		there, err := c.read(ctx, m.Table)
		if err != nil {
			return fmt.Errorf("read %s back: %w", m.Table, err)
		}
		if there != m.Sum {
			return &directory.Error{
				Message: fmt.Sprintf("%s does not hold what was copied into it: %d rows, %d were copied", m.Table, there.Rows, m.Rows),
				Hint:    "nothing was kept; look for triggers and rules on the database's tables, and report this",
			}
		}
	}
	return nil
}

// read sums up what a table holds.
func (c *Copier) read(ctx context.Context, t Table) (sum Sum, err error) {
	columns := make([]string, len(t.Columns))
	for i, column := range t.Columns {
		columns[i] = pgx.Identifier{column}.Sanitize()
	}
	rows, err := c.Tx.Query(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+pgx.Identifier{t.Schema, t.Name}.Sanitize())
	if err != nil {
		return sum, err
	}
	defer rows.Close()
	var a adder
	for rows.Next() {
		row, err := rows.Values()
		if err != nil {
			return sum, err
		}
		a.add(&sum, row)
		if sum.Rows%reportEvery == 0 {
			c.Say("compare "+t.Name, sum.Rows)
		}
	}
	return sum, rows.Err()
}

// An adder adds rows to sums.
type adder struct{ buffer []byte }

func (a *adder) add(s *Sum, row []any) {
	b := a.buffer[:0]
	for _, value := range row {
		b = appendValue(b, value)
	}
	a.buffer = b
	digest := sha256.Sum256(b)
	for i := range s.digest {
		s.digest[i] += binary.LittleEndian.Uint64(digest[8*i:])
	}
	s.Rows++
}

// appendValue writes a value so that no two different ones look the same, whatever type carries it.
func appendValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, 'n')
	case bool:
		if v {
			return append(b, 't')
		}
		return append(b, 'f')
	case int64:
		return binary.AppendVarint(append(b, 'i'), v)
	case int32:
		return binary.AppendVarint(append(b, 'i'), int64(v))
	case string:
		return append(binary.AppendUvarint(append(b, 's'), uint64(len(v))), v...)
	case []byte:
		return append(binary.AppendUvarint(append(b, 'b'), uint64(len(v))), v...)
	case pgtype.TSVector:
		b = binary.AppendUvarint(append(b, 'w'), uint64(len(v.Lexemes)))
		for _, lexeme := range v.Lexemes {
			b = appendValue(b, lexeme.Word)
		}
		return b
	}
	return fmt.Appendf(append(b, '?'), "%T %v", value, value)
}
