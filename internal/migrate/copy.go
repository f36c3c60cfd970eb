package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/contactbridge/contactbridge/failure"
)

// A moved is a table and the rows that were put into it.
type moved struct {
	*table
	sum
}

// A sum says which rows there are, in whatever order: how many, and the sum of their digests.
type sum struct {
	rows   int64
	digest [4]uint64
}

// A copier copies tables in one transaction: by COPY into PostgreSQL, and back out of there to see that every row has arrived.
type copier struct {
	tx     pgx.Tx
	report func(what string, rows int64) // is told what is being done, and with how many rows so far

	moved []moved
}

// reportEvery is after how many rows progress is told.
const reportEvery = 2000

// copy puts rows into a table by COPY.
func (c *copier) copy(ctx context.Context, t *table, rows rows) error {
	next, stop := iter.Pull2(rows)
	defer stop()
	m := moved{table: t}
	var a adder
	source := pgx.CopyFromFunc(func() ([]any, error) {
		row, err, more := next()
		if err != nil || !more {
			return nil, err
		}
		a.add(&m.sum, row)
		if m.rows%reportEvery == 0 {
			c.report(t.name, m.rows)
		}
		return row, nil
	})
	n, err := c.tx.CopyFrom(ctx, t.identifier(), t.names(), source)
	if err != nil {
		return fmt.Errorf("copy into %s: %w", t, err)
	}
	if n != m.rows {
		return fmt.Errorf("copy into %s: the database took %d of %d rows", t, n, m.rows)
	}
	c.report(t.name, m.rows)
	c.moved = append(c.moved, m)
	return nil
}

// verify reads every table back and compares it with what was copied, value by value. It must come before any other writer.
func (c *copier) verify(ctx context.Context) error {
	for _, m := range c.moved {
		there, err := c.read(ctx, m.table)
		if err != nil {
			return fmt.Errorf("read %s back: %w", m.table, err)
		}
		if there != m.sum {
			return &failure.Error{
				Message: fmt.Sprintf("%s does not hold what was copied into it: %d rows, %d were copied", m.table, there.rows, m.rows),
				Hint:    "nothing was kept; look for triggers and rules on the database's tables, and report this",
			}
		}
	}
	return nil
}

// read sums up what a table holds.
func (c *copier) read(ctx context.Context, t *table) (all sum, err error) {
	columns := t.names()
	for i, column := range columns {
		columns[i] = pgx.Identifier{column}.Sanitize()
	}
	rows, err := c.tx.Query(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+t.identifier().Sanitize())
	if err != nil {
		return all, err
	}
	defer rows.Close()
	var a adder
	for rows.Next() {
		row, err := rows.Values()
		if err != nil {
			return all, err
		}
		a.add(&all, row)
		if all.rows%reportEvery == 0 {
			c.report("compare "+t.name, all.rows)
		}
	}
	return all, rows.Err()
}

// An adder adds rows to sums.
type adder struct{ buffer []byte }

func (a *adder) add(s *sum, row []any) {
	b := a.buffer[:0]
	for _, value := range row {
		b = appendValue(b, value)
	}
	a.buffer = b
	digest := sha256.Sum256(b)
	for i := range s.digest {
		s.digest[i] += binary.LittleEndian.Uint64(digest[8*i:])
	}
	s.rows++
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
