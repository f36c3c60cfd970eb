package postgres

import (
	"context"
	"encoding/binary"
	"io"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/internal/postgresdb"
)

// A copyRow is a row of a binary COPY that is being written.
type copyRow struct{ bytes []byte }

func (r *copyRow) start(columns int) {
	r.bytes = binary.BigEndian.AppendUint16(r.bytes, uint16(columns))
}

func (r *copyRow) size(n int) { r.bytes = binary.BigEndian.AppendUint32(r.bytes, uint32(n)) }

func (r *copyRow) integer(n int32) {
	r.size(4)
	r.bytes = binary.BigEndian.AppendUint32(r.bytes, uint32(n))
}

func (r *copyRow) bigint(n int64) {
	r.size(8)
	r.bytes = binary.BigEndian.AppendUint64(r.bytes, uint64(n))
}

func (r *copyRow) boolean(b bool) {
	r.size(1)
	if b {
		r.bytes = append(r.bytes, 1)
		return
	}
	r.bytes = append(r.bytes, 0)
}

func (r *copyRow) content(b []byte) {
	r.size(len(b))
	r.bytes = append(r.bytes, b...)
}

func (r *copyRow) text(s string) {
	r.size(len(s))
	r.bytes = append(r.bytes, s...)
}

// copyHead is how the binary format of COPY begins: without flags and without an extension.
const copyHead = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// A copyReader makes rows while they are read.
type copyReader struct {
	next func(r *copyRow) (more bool, err error) // writes a row, unless there are no more
	row  copyRow
	rest []byte // of what was made
	err  error  // after it

	mu sync.Mutex // while it is read: the driver may do so a little longer where the connection broke
}

// end makes the reader call next no more.
func (c *copyReader) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rest, c.err = nil, io.ErrClosedPipe
}

// Read implements [io.Reader]. It fills b, as far as there are rows.
func (c *copyReader) Read(b []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n < len(b) {
		if len(c.rest) > 0 {
			taken := copy(b[n:], c.rest)
			c.rest, n = c.rest[taken:], n+taken
			continue
		}
		if c.err != nil {
			break
		}
		c.row.bytes = c.row.bytes[:0]
		more, err := c.next(&c.row)
		switch {
		case err != nil:
			c.err = err
		case !more:
			c.err = io.EOF
		}
		c.rest = c.row.bytes
	}
	if n > 0 {
		return n, nil
	}
	return 0, c.err
}

// copyInto streams rows into a table: the cheapest way in for rows that are not there yet. Each is made while PostgreSQL stores those before
// it. The format is binary: every value must be of its column's type.
func copyInto(ctx context.Context, tx pgx.Tx, table string, columns []string, next func(r *copyRow) (more bool, err error)) error {
	statement := "COPY " + postgresdb.Schema + "." + table + " (" + strings.Join(columns, ", ") + ") FROM STDIN BINARY"
	rows := &copyReader{next: next, rest: []byte(copyHead)}
	defer rows.end()
	_, err := tx.Conn().PgConn().CopyFrom(ctx, rows, statement)
	return err
}
