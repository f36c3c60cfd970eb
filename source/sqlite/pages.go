package sqlite

import (
	"context"
	"crypto/sha256"
	sqldriver "database/sql/driver"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/bits"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
)

// A shape is the SQL of what is read.
type shape struct {
	from    string
	updated string // empty where there is none (E10)
	id      string
	deleted string // empty where there is none
	columns []record.Column
	list    string // the select list: id, updated, deleted, the columns
	prefix  int    // how many of the list are not columns
}

// describe checks the configured expressions.
func (f *factory) describe(ctx context.Context, conn conn) (*shape, error) {
	s := &shape{from: f.from, id: keyset.Wrap(f.cfg.ID), prefix: 1}
	if err := f.checkExpressions(ctx, conn); err != nil {
		return nil, err
	}
	columns, err := f.columns(ctx, conn)
	if err != nil {
		return nil, err
	}
	// A sign takes away a column's declared type, so that the driver gives the value as it is stored.
	list := []string{"+" + s.id}
	if f.cfg.Updated != "" {
		s.updated = keyset.Wrap(f.cfg.Updated)
		list = append(list, "+"+s.updated)
	}
	if f.cfg.Deleted != "" {
		s.deleted = keyset.Wrap(f.cfg.Deleted)
		list = append(list, "+"+s.deleted)
	}
	s.prefix, s.columns = len(list), columns
	for _, c := range columns {
		list = append(list, "CAST("+keyset.Wrap(c.From)+" AS TEXT)")
	}
	s.list = strings.Join(list, ", ")
	return s, nil
}

// checkExpressions compiles every expression by itself, to name the one that is wrong.
func (f *factory) checkExpressions(ctx context.Context, conn conn) error {
	try := func(key, expression string) error {
		if expression == "" {
			return nil
		}
		err := conn.query(ctx, "SELECT "+keyset.Wrap(expression)+" FROM "+f.from+" LIMIT 0", nil, nothing)
		if err != nil {
			return f.configProblem(ctx, key, err)
		}
		return nil
	}
	key := "table"
	if f.cfg.Query != "" {
		key = "query"
	}
	if err := try(key, "1"); err != nil {
		return err
	}
	list := [][2]string{{"id", f.cfg.ID}, {"updated", f.cfg.Updated}, {"deleted", f.cfg.Deleted}}
	for _, c := range record.Columns(f.cfg.Fields) {
		list = append(list, [2]string{c.Path, c.From})
	}
	for _, e := range list {
		if err := try(e[0], e[1]); err != nil {
			return err
		}
	}
	return nil
}

func nothing([]sqldriver.Value) (bool, error) { return false, nil }

// columns are the configured fields, or the columns with the usual names.
func (f *factory) columns(ctx context.Context, conn conn) ([]record.Column, error) {
	if !f.cfg.Fields.Empty() {
		return record.Columns(f.cfg.Fields), nil
	}
	rows, err := conn.QueryContext(ctx, "SELECT * FROM "+f.from+" LIMIT 0", nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return record.UsualColumns(record.Usual(rows.Columns()), keyset.Quote), nil
}

// pages sends the queries of one Read. It is a [keyset.Fetcher].
type pages struct {
	source *Source
	conn   conn
	shape  *shape

	row        record.Row
	position   []byte
	duplicates int
}

// report says what was left out.
func (p *pages) report() {
	if p.duplicates > 0 {
		p.source.factory.notes.Once(slog.LevelWarn, "rows with the same id and updated as the one before are left out: id is not unique", "rows", p.duplicates)
	}
}

// Fetch implements [keyset.Fetcher].
func (p *pages) Fetch(ctx context.Context, page keyset.Page, yield func(bridge.Change) bool) (result keyset.Result, err error) {
	if page.Segment == keyset.Again && !page.After && p.source.db.watch.isQuiet(ctx, page.Mark) {
		return result, nil
	}
	sql, args, err := p.query(ctx, page)
	if err != nil {
		return result, err
	}
	last := place{seen: page.After, updated: page.Updated, id: page.ID}
	at := keyset.Position{Segment: page.Segment, Bound: page.Bound}
	err = p.conn.query(ctx, sql, args, func(values []sqldriver.Value) (bool, error) {
		result.Rows++
		at.ID = fromDriver(values[0])
		if page.Segment == keyset.Main {
			at.Updated = fromDriver(values[1])
		}
		fresh, err := last.move(at)
		if err != nil || !fresh {
			p.duplicates++
			return true, err
		}
		p.position = keyset.AppendPosition(p.position[:0], at)
		p.fill(at.ID, values)
		result.Changes++
		result.Stopped = !yield(p.row.Change)
		return !result.Stopped, nil
	})
	result.Last = at
	return result, err
}

// fill makes a row the contact that is yielded.
func (p *pages) fill(id keyset.Value, values []sqldriver.Value) {
	p.row.Start(p.idText(id), p.shape.deleted != "" && isGone(fromDriver(values[p.shape.prefix-1])))
	p.row.Position = p.position
	for i := range p.shape.columns {
		value, ok := values[p.shape.prefix+i].(string)
		if !ok || value == "" {
			continue
		}
		c := &p.shape.columns[i]
		if value[0] != '[' && value[0] != '{' || !c.IsList() || !p.row.SetJSON(c, value) {
			p.row.Set(c, value)
		}
	}
}

// idText is an id as contacts have it.
func (p *pages) idText(id keyset.Value) string {
	switch id.Kind {
	case keyset.Int:
		return strconv.FormatInt(id.Int, 10)
	case keyset.Real:
		return strconv.FormatFloat(id.Real, 'g', -1, 64)
	case keyset.Blob:
		return fmt.Sprintf("%x", id.Text)
	}
	return id.Text
}

// isGone reports whether a value of "deleted" says that the contact is gone: a number that is not 0, or what
// [source.IsGone] says of any other value.
func isGone(v keyset.Value) bool {
	switch v.Kind {
	case keyset.None:
		return false
	case keyset.Int, keyset.Real:
		return v.Int != 0 || v.Real != 0
	}
	return source.IsGone(v.Text)
}

// Greatest implements [keyset.Fetcher].
func (p *pages) Greatest(ctx context.Context, page keyset.Page) (keyset.Value, error) {
	page.After, page.Bound = false, keyset.Value{}
	where, args := p.shape.where(page, p.shape.id)
	id := "+" + p.shape.id
	if page.Segment == keyset.Again || page.To.Kind == keyset.None || page.To == keyset.Lowest() {
		id = p.shape.id // an index on the id has it at its end
	}
	return p.conn.one(ctx, "SELECT max("+id+") FROM "+p.shape.from+where, args...)
}

// Unnamed implements [keyset.Fetcher].
func (p *pages) Unnamed(ctx context.Context) (bool, error) {
	found, err := p.conn.one(ctx, "SELECT EXISTS (SELECT 1 FROM "+p.shape.from+" WHERE "+p.shape.id+" IS NULL)")
	return found.Int == 1, err
}

// manyInTail is from how many rows on segment Tail is read along the ids instead of being sorted anew for every page.
const manyInTail = 20_000

// query is the statement of a page and its arguments.
func (p *pages) query(ctx context.Context, page keyset.Page) (string, []keyset.Value, error) {
	s, id, order := p.shape, p.shape.id, p.shape.order(page)
	if page.Segment == keyset.Tail && page.To.Kind != keyset.None && page.To != keyset.Lowest() {
		few, err := p.isShort(ctx, page)
		if err != nil {
			return "", nil, err
		}
		if few {
			id = "+" + id // keeps SQLite from walking the whole table along the ids
			order = id
		}
	}
	where, args := s.where(page, id)
	sql := "SELECT " + s.list + " FROM " + s.from + where + " ORDER BY " + order
	if page.Limit > 0 {
		sql += " LIMIT " + strconv.Itoa(page.Limit)
	}
	return sql, args, nil
}

// order is a page's ORDER BY.
func (s *shape) order(page keyset.Page) string {
	if page.Segment == keyset.Main {
		return s.updated + ", " + s.id
	}
	return s.id
}

// isShort reports whether segment Tail has few rows.
func (p *pages) isShort(ctx context.Context, page keyset.Page) (bool, error) {
	page.After, page.Bound = false, keyset.Value{}
	where, args := p.shape.where(page, p.shape.id)
	n, err := p.conn.one(ctx, fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM %s%s LIMIT %d)", p.shape.from, where, p.source.factory.manyInTail), args...)
	return n.Int < int64(p.source.factory.manyInTail), err
}

// where are the conditions of a page. id is the id's SQL.
func (s *shape) where(page keyset.Page, id string) (string, []keyset.Value) {
	var conditions []string
	var args []keyset.Value
	add := func(condition string, values ...keyset.Value) {
		conditions = append(conditions, condition)
		args = append(args, values...)
	}
	// Rows without an id cannot be sent, and SQLite would sort them before all others. An inspection counts them.
	add(s.id + " IS NOT NULL")
	switch {
	case page.Segment == keyset.Nulls:
		add(s.updated + " IS NULL")
	case page.Segment == keyset.Main:
		if page.After && page.ID.Kind == keyset.None {
			add(s.updated+" > ?", page.Updated)
		} else if page.After {
			add("("+s.updated+", "+id+") > (?, ?)", page.Updated, page.ID)
		}
		add(s.updated+" <= ?", page.To)
		if page.Odd > 0 {
			add(s.updated+" NOT BETWEEN 1 AND ?", keyset.IntValue(page.Odd))
		}
	case page.Segment == keyset.Again:
	case page.To == keyset.Lowest():
		add(s.updated + " IS NOT NULL")
	case page.To.Kind != keyset.None && page.Odd > 0:
		add("("+s.updated+" > ? OR "+s.updated+" BETWEEN 1 AND ?)", page.To, keyset.IntValue(page.Odd))
	case page.To.Kind != keyset.None:
		add(s.updated+" > ?", page.To)
	}
	if page.Segment != keyset.Main && page.After {
		add(id+" > ?", page.ID)
	}
	if page.Bound.Kind != keyset.None {
		add(id+" <= ?", page.Bound)
	}
	return " WHERE " + strings.Join(conditions, " AND "), args
}

// A place is that of the last row, to see that the order holds and that no row comes twice.
type place struct {
	seen        bool
	updated, id keyset.Value
	rows        int
}

// move goes on to a row. It is not fresh if its place is that of the last one: where ids are not unique. A row before the
// last one, or at the place that the page was to begin behind, means that the order cannot be relied on (E8).
func (l *place) move(at keyset.Position) (fresh bool, err error) {
	same := l.seen && l.updated == at.Updated && l.id == at.ID && at.ID.Kind != keyset.None
	if l.seen && at.Segment == keyset.Main && keyset.Compare(at.Updated, l.updated) < 0 || same && l.rows == 0 {
		return false, &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: "the order of (updated, id) does not move on",
			Hint: "updated and id must give the same value each time they are read: no random(), no now()",
		}
	}
	l.rows++
	l.seen, l.updated, l.id = true, at.Updated, at.ID
	return !same, nil
}

// fingerprintPrefix begins the checkpoints of sources without an updated field.
const fingerprintPrefix = "all/"

func isFingerprint(c bridge.Checkpoint) bool {
	return len(c) > len(fingerprintPrefix) && c[:len(fingerprintPrefix)] == fingerprintPrefix
}

// fingerprint is a checkpoint of everything that is read (E10): the number of rows, and the sum of their hashes, whatever
// their order.
func fingerprint(ctx context.Context, conn conn, s *shape) (bridge.Checkpoint, error) {
	var rows, high, low uint64
	var row []byte
	err := conn.query(ctx, "SELECT "+s.list+" FROM "+s.from, nil, func(values []sqldriver.Value) (bool, error) {
		rows, row = rows+1, row[:0]
		for _, v := range values {
			row = keyset.AppendValue(row, fromDriver(v))
		}
		hash := sha256.Sum256(row)
		var carry uint64
		low, carry = bits.Add64(low, binary.BigEndian.Uint64(hash[:8]), 0)
		high, _ = bits.Add64(high, binary.BigEndian.Uint64(hash[8:16]), carry)
		return true, nil
	})
	if err != nil {
		return "", fmt.Errorf("take fingerprint: %w", err)
	}
	return bridge.Checkpoint(fmt.Sprintf("%s%d/%016x%016x", fingerprintPrefix, rows, high, low)), nil
}
