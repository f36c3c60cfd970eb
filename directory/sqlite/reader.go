package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/contactbridge/contactbridge/contact"
)

// readers are the connections that numbers are looked up on, or phonebooks are read on, each with its statements prepared. They speak to the driver
// directly: a call waits for the answer, and database/sql takes as long as finding it does.
type readers struct {
	turns  chan struct{} // a token for each reader that is free
	opened int

	mu   sync.Mutex
	free []*reader // the one that was used last, which knows most pages, is taken first
}

// take waits for a reader.
func (p *readers) take(ctx context.Context) (*reader, error) {
	select {
	case <-p.turns:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	r := p.free[last]
	p.free = p.free[:last]
	return r, nil
}

// give makes a reader free.
func (p *readers) give(r *reader) {
	p.mu.Lock()
	p.free = append(p.free, r)
	p.mu.Unlock()
	p.turns <- struct{}{}
}

type reader struct {
	conn       *sql.Conn
	statements map[string]driver.StmtQueryContext
	named      []driver.NamedValue
	values     []driver.Value
	text       bytes.Buffer // what json reads
	json       *jsontext.Decoder
}

// openReaders takes n connections for good.
func openReaders(ctx context.Context, db *sql.DB, n int, queries ...string) (*readers, error) {
	pool := &readers{turns: make(chan struct{}, n)}
	for range n {
		r, err := newReader(ctx, db, queries)
		if err != nil {
			return nil, errors.Join(err, pool.close())
		}
		pool.give(r)
		pool.opened++
	}
	return pool, nil
}

func newReader(ctx context.Context, db *sql.DB, queries []string) (*reader, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	r := &reader{conn: conn, statements: map[string]driver.StmtQueryContext{}}
	r.json = jsontext.NewDecoder(&r.text)
	err = conn.Raw(func(c any) error {
		for _, query := range queries {
			s, err := c.(driver.ConnPrepareContext).PrepareContext(ctx, query)
			if err != nil {
				return err
			}
			ready, ok := s.(driver.StmtQueryContext)
			if !ok {
				return fmt.Errorf("%T runs no queries", s)
			}
			r.statements[query] = ready
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// query visits the rows of one of the prepared queries. The arguments are int64, string or bool. The texts and bytes among the values are
// visit's to keep, the slice is not.
func (p *readers) query(ctx context.Context, query string, args []any, visit func(r *reader, values []driver.Value) error) error {
	r, err := p.take(ctx)
	if err != nil {
		return err
	}
	defer p.give(r)
	r.named = r.named[:0]
	for i, arg := range args {
		r.named = append(r.named, driver.NamedValue{Ordinal: i + 1, Value: arg})
	}
	// The connection is the reader's alone, so that nobody else needs to be kept off it.
	rows, err := r.statements[query].QueryContext(ctx, r.named)
	if err != nil {
		return err
	}
	err = r.each(rows, visit)
	if closed := rows.Close(); err == nil {
		err = closed
	}
	return err
}

func (r *reader) each(rows driver.Rows, visit func(r *reader, values []driver.Value) error) error {
	if n := len(rows.Columns()); cap(r.values) < n {
		r.values = make([]driver.Value, n)
	}
	values := r.values[:len(rows.Columns())]
	defer clear(values) // they may be large
	for {
		err := rows.Next(values)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = visit(r, values)
		}
		if err != nil {
			return err
		}
	}
}

// decode reads a contact's JSON as [contact.Contact.AppendJSON] wrote it.
func (r *reader) decode(c *contact.Contact, data []byte) error {
	r.text = *bytes.NewBuffer(data)
	r.json.Reset(&r.text)
	reason, err := c.Decode(r.json)
	if err == nil && reason != "" {
		err = errors.New("the contact " + reason)
	}
	return err
}

// close waits for the lookups that are under way.
func (p *readers) close() error {
	var errs []error
	for ; p.opened > 0; p.opened-- {
		r, err := p.take(context.Background())
		if err == nil {
			err = r.close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (r *reader) close() error {
	var errs []error
	for _, s := range r.statements {
		errs = append(errs, s.(driver.Stmt).Close())
	}
	return errors.Join(append(errs, r.conn.Close())...)
}
