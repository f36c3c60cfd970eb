package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
)

// pages sends the queries of one Read. It is a [keyset.Fetcher].
type pages struct {
	source *Source
	conn   *pgxpool.Conn
	shape  *shape

	row        record.Row
	position   []byte
	duplicates int
}

// drainTime is how long the rest of a page that nobody wants is read; then its query is cancelled.
const drainTime = 20 * time.Millisecond

// report says what was left out.
func (p *pages) report() {
	if p.duplicates > 0 {
		p.source.factory.notes.Once(slog.LevelWarn, "rows with the same id and updated as the one before are left out: id is not unique", "rows", p.duplicates)
	}
}

// Fetch implements [keyset.Fetcher].
func (p *pages) Fetch(ctx context.Context, page keyset.Page, yield func(bridge.Change) bool) (result keyset.Result, err error) {
	if page.Segment == keyset.Again && !page.After {
		if quiet, err := p.shape.isQuiet(ctx, p.conn, page.Mark); quiet || err != nil {
			return result, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sql, args := p.shape.query(page)
	args = append([]any{p.mode(page), pgx.QueryResultFormats{pgx.BinaryFormatCode}}, args...)
	rows, err := p.conn.Query(ctx, sql, args...)
	if err != nil {
		return result, err
	}
	defer rows.Close()
	result, err = p.read(rows, page, yield)
	if result.Stopped || err != nil {
		timer := time.AfterFunc(drainTime, cancel)
		defer timer.Stop()
		rows.Close()
		return result, err
	}
	return result, rows.Err()
}

// mode prepares the statements of segment Main once for a connection. Those of the others are planned anew each time: how
// many rows are behind the horizon decides which index is right.
func (p *pages) mode(page keyset.Page) pgx.QueryExecMode {
	if page.Segment == keyset.Main && p.source.db.mode == pgx.QueryExecModeCacheStatement {
		return pgx.QueryExecModeCacheStatement
	}
	return pgx.QueryExecModeCacheDescribe
}

// read yields the rows of a page.
func (p *pages) read(rows pgx.Rows, page keyset.Page, yield func(bridge.Change) bool) (result keyset.Result, err error) {
	last := place{seen: page.After, updated: page.Updated.Int, id: []byte(page.ID.Text), beyond: page.ID.Kind == keyset.None}
	at := keyset.Position{Segment: page.Segment, Bound: page.Bound}
	dated, prefix := p.shape.updated != "", 1
	if dated {
		prefix++
	}
	if p.shape.deleted != "" {
		prefix++
	}
	for rows.Next() {
		result.Rows++
		values := rows.RawValues()
		id, stamp := values[0], int64(0)
		if dated && page.Segment == keyset.Main {
			stamp = p.shape.stamp.decode(values[1])
		}
		fresh, err := last.move(stamp, id)
		if err != nil {
			return result, err
		}
		if !fresh {
			p.duplicates++
			continue
		}
		at.ID = keyset.TextValue(view(id))
		if page.Segment == keyset.Main {
			at.Updated = keyset.IntValue(stamp)
		}
		p.position = keyset.AppendPosition(p.position[:0], at)
		p.fill(values, prefix)
		result.Changes++
		if !yield(p.row.Change) {
			result.Stopped = true
			return result, nil
		}
	}
	if result.Rows > 0 {
		// The row's buffer is the connection's again: the place has a copy.
		at.ID.Text = string(last.id)
		result.Last = at
	}
	return result, nil
}

// fill makes a row the contact that is yielded.
func (p *pages) fill(values [][]byte, prefix int) {
	deleted := false
	if p.shape.deleted != "" {
		deleted = source.IsGone(view(values[prefix-1]))
	}
	p.row.Start(view(values[0]), deleted)
	p.row.Position = p.position
	for i := range p.shape.columns {
		c := &p.shape.columns[i]
		value := values[prefix+i]
		if len(value) == 0 {
			continue
		}
		if !c.json || !p.row.SetJSON(&c.Column, view(value)) {
			p.row.Set(&c.Column, view(value))
		}
	}
}

// Greatest implements [keyset.Fetcher].
func (p *pages) Greatest(ctx context.Context, page keyset.Page) (keyset.Value, error) {
	page.After, page.Limit, page.Bound = false, 1, keyset.Value{}
	conditions, args := p.shape.where(page)
	sql := "SELECT " + p.shape.id + `::text AS "contactbridge 0" FROM ` + p.shape.from + conditions +
		" ORDER BY " + p.shape.id + " DESC LIMIT 1"
	var id string
	err := p.conn.QueryRow(ctx, sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return keyset.Value{}, nil
	}
	return keyset.TextValue(id), err
}

// Unnamed implements [keyset.Fetcher].
func (p *pages) Unnamed(ctx context.Context) (found bool, err error) {
	err = p.conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+p.shape.from+" WHERE "+p.shape.id+" IS NULL)").Scan(&found)
	return found, err
}

// query is the statement of a page and its arguments. All of them are texts, which the server reads as the columns' own
// types, so that indexes can be used.
func (s *shape) query(page keyset.Page) (string, []any) {
	conditions, args := s.where(page)
	order := s.id
	if page.Segment == keyset.Main {
		order = s.updated + ", " + s.id
	}
	sql := "SELECT " + s.selectList() + " FROM " + s.from + conditions + " ORDER BY " + order
	if page.Limit > 0 {
		sql += " LIMIT " + strconv.Itoa(page.Limit)
	}
	return sql, args
}

// selectList names its columns so that ORDER BY cannot mean one of them: (id)::text would be called id.
func (s *shape) selectList() string {
	list := []string{s.id + "::text"}
	if s.updated != "" {
		list = append(list, s.updated)
	}
	if s.deleted != "" {
		list = append(list, s.deleted)
	}
	for _, c := range s.columns {
		list = append(list, c.sql)
	}
	for i := range list {
		list[i] += fmt.Sprintf(` AS "contactbridge %d"`, i)
	}
	return strings.Join(list, ", ")
}

// where are the conditions of a page.
func (s *shape) where(page keyset.Page) (string, []any) {
	// Rows without an id cannot be sent. An inspection counts them.
	var c conditions
	c.add(s.id + " IS NOT NULL")
	switch {
	case page.Segment == keyset.Nulls:
		c.add(s.updated + " IS NULL")
	case page.Segment == keyset.Main:
		if page.After && page.ID.Kind == keyset.None && page.Updated != keyset.Lowest() {
			c.add(s.updated+" > ?", s.stampArg(page.Updated))
		} else if page.After && page.ID.Kind != keyset.None {
			c.add("("+s.updated+", "+s.id+") > (?, ?)", s.stampArg(page.Updated), s.idArg(page.ID))
		}
		c.add(s.updated+" <= ?", s.stampArg(page.To))
		if page.Odd > 0 {
			c.add("NOT " + s.isOdd(page))
		}
	case page.Segment == keyset.Again:
		s.changed(&c, page.Mark)
	case page.To == keyset.Lowest():
		c.add(s.updated + " IS NOT NULL")
	case page.To.Kind != keyset.None && page.Odd > 0:
		c.add("("+s.isOdd(page)+" OR "+s.updated+" > ?)", s.stampArg(page.To))
	case page.To.Kind != keyset.None:
		c.add(s.updated+" > ?", s.stampArg(page.To))
	}
	if page.Segment != keyset.Main && page.After {
		c.add(s.id+" > ?", s.idArg(page.ID))
	}
	if page.Bound.Kind != keyset.None {
		c.add(s.id+" <= ?", s.idArg(page.Bound))
	}
	return c.String(), c.args
}

// isOdd returns the condition of [keyset.Page.Odd].
func (s *shape) isOdd(page keyset.Page) string {
	return fmt.Sprintf("(%s BETWEEN 1 AND %d)", s.updated, page.Odd)
}

// conditions is a WHERE in the making.
type conditions struct {
	text strings.Builder
	args []any
}

// An arg is an argument and the type that the server reads it as.
type arg struct{ text, sqlType string }

// add adds a condition in which every ? stands for an argument, behind the last expression of the configuration that could
// hold a question mark of its own: so the last ones are replaced.
func (c *conditions) add(condition string, args ...arg) {
	if len(c.args) == 0 && c.text.Len() == 0 {
		c.text.WriteString(" WHERE ")
	} else {
		c.text.WriteString(" AND ")
	}
	parts := make([]string, len(args)+1)
	rest := condition
	for i := len(args); i > 0; i-- {
		at := strings.LastIndexByte(rest, '?')
		rest, parts[i] = rest[:at], rest[at+1:]
	}
	c.text.WriteString(rest)
	for i, a := range args {
		c.args = append(c.args, a.text)
		fmt.Fprintf(&c.text, "$%d::%s%s", len(c.args), a.sqlType, parts[i+1])
	}
}

func (c *conditions) String() string { return c.text.String() }

func (s *shape) idArg(id keyset.Value) arg { return arg{id.Text, s.idType} }

// stampArg writes a stamp as PostgreSQL reads it.
func (s *shape) stampArg(stamp keyset.Value) arg {
	layout := s.stamp.kind.layout()
	text := layout.FormatStamp(stamp)
	if layout == keyset.Number {
		text = strconv.FormatInt(stamp.Int, 10)
	}
	if year, rest, found := strings.Cut(strings.TrimPrefix(text, "-"), "-"); found && strings.HasPrefix(text, "-") {
		y, _ := strconv.Atoi(year)
		text = fmt.Sprintf("%04d-%s BC", y+1, rest)
	} else if found && strings.HasPrefix(text, "0000-") {
		text = "0001-" + rest + " BC"
	}
	return arg{strings.Replace(text, "T", " ", 1), s.stamp.sqlType}
}

// decode reads a stamp in PostgreSQL's binary form.
func (st stampType) decode(b []byte) int64 {
	switch len(b) {
	case 2:
		return int64(int16(binary.BigEndian.Uint16(b)))
	case 4:
		i := int32(binary.BigEndian.Uint32(b))
		switch {
		case st.kind == dates && i == math.MaxInt32:
			return keyset.Infinity
		case st.kind == dates && i == math.MinInt32:
			return keyset.MinusInfinity
		}
		return int64(i)
	case 8:
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// A place is that of the last row, to see that the order holds and that no row comes twice.
type place struct {
	seen    bool
	updated int64
	id      []byte
	beyond  bool // behind every id
	rows    int
}

// move goes on to a row. It is not fresh if its place is that of the last one: where ids are not unique. A row before the
// last one, or at the place that the page was to begin behind, means that the order cannot be relied on (E8).
func (l *place) move(updated int64, id []byte) (fresh bool, err error) {
	same := l.seen && !l.beyond && l.updated == updated && string(l.id) == string(id)
	if l.seen && updated < l.updated || same && l.rows == 0 {
		return false, &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: "the order of (updated, id) does not move on",
			Hint: "updated and id must give the same value each time they are read: no random(), no now()",
		}
	}
	l.rows++
	l.seen, l.beyond, l.updated, l.id = true, false, updated, append(l.id[:0], id...)
	return !same, nil
}

// view is a slice of the connection's buffer as a string: valid until the next row is read.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
