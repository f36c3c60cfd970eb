package sqltable

import (
	"context"
	"encoding/hex"
	"log/slog"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
)

// pages sends the queries of one Read. It is a [keyset.Fetcher].
type pages struct {
	conn  Session
	table *Table

	row        record.Row
	texts      []string // of the last row's columns
	position   []byte
	digits     []byte
	last       place
	duplicates int
}

func newPages(conn Session, t *Table) *pages { return &pages{conn: conn, table: t} }

// report says what was left out.
func (p *pages) report() {
	if p.duplicates > 0 {
		p.table.Notes.Once(slog.LevelWarn, "rows with the same id and updated as the one before are left out: id is not unique", "rows", p.duplicates)
	}
}

// Fetch implements [keyset.Fetcher].
func (p *pages) Fetch(ctx context.Context, page keyset.Page, yield func(bridge.Change) bool) (result keyset.Result, err error) {
	marker, marks := p.conn.(Marker)
	if marks && page.Segment == keyset.Again && !page.After {
		if quiet, err := marker.IsQuiet(ctx, p.table, page.Mark); quiet || err != nil {
			return result, err
		}
	}
	id, err := p.orderedID(ctx, page)
	if err != nil {
		return result, err
	}
	p.last.begin(page)
	err = p.read(ctx, page, id, p.table.packed != "", &result, yield)
	return result, err
}

// read reads the rows of a page and adds them to result. id is the SQL of the id that the page compares and orders by; packed says that the columns
// of a row are read as one text.
func (p *pages) read(ctx context.Context, page keyset.Page, id string, packed bool, result *keyset.Result, yield func(bridge.Change) bool) error {
	at := keyset.Position{Segment: page.Segment, Bound: page.Bound}
	torn := false
	err := p.conn.Query(ctx, p.table.page(page, id, packed), func(values []keyset.Value) (bool, error) {
		if torn = packed && !p.unpack(values[p.table.prefix].Text); torn {
			return false, p.readApart(ctx, page, id, result, yield)
		}
		result.Rows++
		p.digits = p.table.readID(&values[0], p.digits)
		at.ID = values[0]
		if page.Segment == keyset.Main {
			at.Updated = values[1]
		}
		fresh, err := p.last.move(&at)
		if err != nil || !fresh {
			p.duplicates++
			return true, err
		}
		p.position = keyset.AppendCut(p.position[:0], at)
		if !packed {
			p.take(values)
		}
		p.fill(values)
		result.Changes++
		result.Stopped = !yield(p.row.Change)
		return !result.Stopped, nil
	})
	if torn {
		return err
	}
	// The row's buffer is the connection's again: the place has a copy.
	at.Updated, at.ID = p.last.copy(at)
	result.Last = at
	return err
}

// readApart reads the rest of a page column by column, because a value holds the separator. The page's first statement must still be open, so that
// both statements see the same snapshot.
func (p *pages) readApart(ctx context.Context, page keyset.Page, id string, result *keyset.Result, yield func(bridge.Change) bool) error {
	if result.Rows > 0 {
		page.After = true
		page.Updated, page.ID = p.last.copy(keyset.Position{Segment: page.Segment})
		if page.Limit > 0 {
			page.Limit -= result.Rows
		}
	}
	return p.read(ctx, page, id, false, result, yield)
}

// separator is written between the values of a row that is read as one text.
const separator = "\x1f"

// unpack splits the text of a row into p.texts. It returns false if a value holds the separator.
func (p *pages) unpack(text string) bool {
	p.texts = p.texts[:0]
	for range len(p.table.Columns) - 1 {
		i := strings.IndexByte(text, separator[0])
		if i < 0 {
			return false
		}
		p.texts = append(p.texts, text[:i])
		text = text[i+1:]
	}
	p.texts = append(p.texts, text)
	return strings.IndexByte(text, separator[0]) < 0
}

// take copies the columns of a row to p.texts.
func (p *pages) take(values []keyset.Value) {
	p.texts = p.texts[:0]
	for i := range p.table.Columns {
		p.texts = append(p.texts, values[p.table.prefix+i].Text)
	}
}

// fill makes the contact of a row, whose columns are in p.texts.
func (p *pages) fill(values []keyset.Value) {
	t := p.table
	p.row.Start(idText(&values[0]), t.Deleted != "" && gone(values[t.prefix-1]))
	p.row.Position = p.position
	for i, value := range p.texts {
		if value == "" {
			continue
		}
		c := &t.Columns[i]
		if c.Lists == NotJSON || !c.mayHoldJSON(value) || !p.row.SetJSON(&c.Column, value) {
			p.row.Set(&c.Column, value)
		}
	}
}

func (c *Column) mayHoldJSON(value string) bool {
	return c.Lists == IsJSON || c.Lists == MaybeJSON && (value[0] == '[' || value[0] == '{')
}

// idText returns an id as contacts have it.
func idText(id *keyset.Value) string {
	switch id.Kind {
	case keyset.Int:
		return strconv.FormatInt(id.Int, 10)
	case keyset.Real:
		return strconv.FormatFloat(id.Real, 'g', -1, 64)
	case keyset.Blob:
		return hex.EncodeToString([]byte(id.Text))
	}
	return id.Text
}

// gone reports whether a value of "deleted" says that the contact is gone: what [source.IsGone] says of its text.
func gone(v keyset.Value) bool {
	switch v.Kind {
	case keyset.None:
		return false
	case keyset.Int:
		return v.Int != 0 && source.IsGone(strconv.FormatInt(v.Int, 10))
	case keyset.Real:
		return v.Real != 0 && source.IsGone(strconv.FormatFloat(v.Real, 'f', -1, 64))
	}
	return source.IsGone(v.Text)
}

// Greatest implements [keyset.Fetcher].
func (p *pages) Greatest(ctx context.Context, page keyset.Page) (keyset.Value, error) {
	page.After, page.Bound = false, keyset.Value{}
	id := p.table.ID.SQL // an index on the id has it at its end
	if unindexed := p.table.Dialect.Unindexed; unindexed != nil && (page.Segment == keyset.Nulls || isAfterHorizon(page)) {
		id = unindexed(id) // it is unknown how far from that end the first row of the segment is
	}
	c := p.table.where(page, p.table.ID.SQL)
	greatest, err := One(ctx, p.conn, Statement{
		SQL:  "SELECT " + p.table.alias(p.table.ID.Select, 0) + " FROM " + p.table.From + c.String() + " ORDER BY " + id + " DESC" + p.table.Dialect.limit(1),
		Args: c.args,
	})
	p.table.readID(&greatest, nil)
	return greatest, err
}

// Unnamed implements [keyset.Fetcher].
func (p *pages) Unnamed(ctx context.Context) (bool, error) {
	found, err := One(ctx, p.conn, Statement{SQL: "SELECT 1 FROM " + p.table.From + " WHERE " + p.table.ID.SQL + " IS NULL" + p.table.Dialect.limit(1)})
	return found.Kind != keyset.None, err
}

// manyInTail is from how many rows on segment Tail is read along the ids instead of being sorted anew for every page.
const manyInTail = 20_000

// orderedID returns the SQL of the id that a page compares and orders by.
func (p *pages) orderedID(ctx context.Context, page keyset.Page) (string, error) {
	t := p.table
	if t.Dialect.Unindexed == nil || !isAfterHorizon(page) {
		return t.ID.SQL, nil
	}
	few, err := p.isShort(ctx, page)
	if err != nil || !few {
		return t.ID.SQL, err
	}
	return t.Dialect.Unindexed(t.ID.SQL), nil // keeps the planner from walking the whole table along the ids
}

// isAfterHorizon reports whether a page is one of the rows after the horizon, which may be few of many.
func isAfterHorizon(page keyset.Page) bool {
	return page.Segment == keyset.Tail && page.To.Kind != keyset.None && page.To != keyset.Lowest()
}

// isShort reports whether segment Tail has few rows.
func (p *pages) isShort(ctx context.Context, page keyset.Page) (bool, error) {
	page.After, page.Bound = false, keyset.Value{}
	t := p.table
	c := t.where(page, t.ID.SQL)
	n, err := One(ctx, p.conn, Statement{
		SQL:  "SELECT count(*) FROM (SELECT 1 AS one FROM " + t.From + c.String() + t.Dialect.limit(manyInTail) + ") AS tail",
		Args: c.args,
	})
	return n.Int < manyInTail, err
}

// page returns the statement of a page. id is the SQL of the id that it compares and orders by; packed says that the columns are one text.
func (t *Table) page(page keyset.Page, id string, packed bool) Statement {
	c := t.where(page, id)
	order := id
	if page.Segment == keyset.Main {
		order = t.Updated.SQL + ", " + id
	}
	list := t.list
	if packed {
		list = t.packed
	}
	sql := "SELECT " + list + " FROM " + t.From + c.String() + " ORDER BY " + order
	if page.Limit > 0 {
		sql += t.Dialect.limit(page.Limit)
	}
	return Statement{SQL: sql, Args: c.args, Prepare: page.Segment == keyset.Main}
}

// FirstPage returns the statement of a first page that should be read along an index, for EXPLAIN. horizon is any.
func (t *Table) FirstPage(horizon keyset.Value) Statement {
	page := keyset.Page{Segment: keyset.Tail, Limit: 1000}
	if t.Updated.SQL != "" {
		page.Segment, page.To = keyset.Main, horizon
	}
	return t.page(page, t.ID.SQL, false)
}

// Order returns the order of the pages as a list for an index: updated, id.
func (t *Table) Order() string {
	if t.Updated.SQL == "" {
		return t.Config.ID
	}
	return t.Config.Updated + ", " + t.Config.ID
}

// where returns the conditions of a page. id is the id's SQL.
func (t *Table) where(page keyset.Page, id string) *Conditions {
	u := t.Updated.SQL
	c := t.Conditions()
	// Rows without an id cannot be sent, and some databases would sort them before all others. An inspection counts them.
	c.Add(t.ID.SQL, " IS NOT NULL")
	switch {
	case page.Segment == keyset.Nulls:
		c.Add(t.isUnstamped())
	case page.Segment == keyset.Main:
		if page.After {
			c.after(page, id)
		}
		c.Add(u, " <= ", c.Stamp(page.To))
		if page.Odd > 0 {
			c.Add("NOT ", t.isOdd(page.Odd))
		}
	case page.Segment == keyset.Again:
		if t.Changed != nil {
			c.addSome(t.Changed(page.Mark))
		}
	case page.To == keyset.Lowest():
		c.Add(u, " IS NOT NULL")
	case page.To.Kind != keyset.None && page.Odd > 0:
		c.Add("(", t.isOdd(page.Odd), " OR ", u, " > ", c.Stamp(page.To), ")")
	case page.To.Kind != keyset.None:
		c.Add(u, " > ", c.Stamp(page.To))
	}
	if t.mayBeUnstamped(page) {
		c.Add("NOT ", t.NoStamp)
	}
	if page.Segment != keyset.Main && page.After {
		c.Add(id, " > ", c.ID(page.ID))
	}
	if page.Bound.Kind != keyset.None {
		c.Add(id, " <= ", c.ID(page.Bound))
	}
	return c
}

// mayBeUnstamped reports whether the conditions of a page on updated let rows through that have no stamp there.
func (t *Table) mayBeUnstamped(page keyset.Page) bool {
	if t.NoStamp == "" {
		return false
	}
	switch page.Segment {
	case keyset.Main:
		return !t.NoStampFirst || !page.After || page.Updated == keyset.Lowest()
	case keyset.Tail:
		return page.To.Kind != keyset.None && (!t.NoStampFirst || page.To == keyset.Lowest())
	}
	return false
}

// isUnstamped returns the condition of rows without a stamp.
func (t *Table) isUnstamped() string {
	if t.NoStamp == "" {
		return t.Updated.SQL + " IS NULL"
	}
	return "(" + t.Updated.SQL + " IS NULL OR " + t.NoStamp + ")"
}

// isOdd returns the condition of [keyset.Page.Odd].
func (t *Table) isOdd(odd int64) string {
	return "(" + t.Updated.SQL + " BETWEEN 1 AND " + strconv.FormatInt(odd, 10) + ")"
}

// Conditions is a WHERE in the making.
type Conditions struct {
	table *Table
	text  strings.Builder
	args  []keyset.Value
}

// Conditions begins a WHERE without conditions.
func (t *Table) Conditions() *Conditions { return &Conditions{table: t} }

// Add adds a condition, made of pieces of SQL. The parameters among them are those that Stamp and ID returned, in their order.
func (c *Conditions) Add(pieces ...string) {
	if c.text.Len() == 0 {
		c.text.WriteString(" WHERE ")
	} else {
		c.text.WriteString(" AND ")
	}
	for _, piece := range pieces {
		c.text.WriteString(piece)
	}
}

func (c *Conditions) addSome(condition string) {
	if condition != "" {
		c.Add(condition)
	}
}

// Stamp returns the parameter of a value that is compared with updated.
func (c *Conditions) Stamp(v keyset.Value) string {
	return c.parameter(c.table.Dialect.stamp(c.table.Layout(), v), c.table.Updated.As)
}

// ID returns the parameter of a value that is compared with id.
func (c *Conditions) ID(v keyset.Value) string { return c.parameter(v, c.table.ID.As) }

func (c *Conditions) parameter(v keyset.Value, as string) string {
	c.args = append(c.args, v)
	return c.table.Dialect.parameter(len(c.args), as)
}

// String returns the WHERE, with a blank before it.
func (c *Conditions) String() string { return c.text.String() }

// Statement returns a statement that ends with the WHERE.
func (c *Conditions) Statement(before string) Statement {
	return Statement{SQL: before + c.String(), Args: c.args}
}

// after adds that a row comes after the place where a page of segment Main begins.
func (c *Conditions) after(page keyset.Page, id string) {
	u := c.table.Updated.SQL
	switch {
	case page.ID.Kind == keyset.None && page.Updated == keyset.Lowest(): // after nothing
	case page.ID.Kind == keyset.None:
		c.Add(u, " > ", c.Stamp(page.Updated))
	case c.table.Dialect.NoRowValues:
		// With the equality a planner makes two ranges of one index of it, and skips the rows of the same stamp (T1).
		c.Add("(", u, " > ", c.Stamp(page.Updated), " OR ", u, " = ", c.Stamp(page.Updated), " AND ", id, " > ", c.ID(page.ID), ")")
	default:
		c.Add("(", u, ", ", id, ") > (", c.Stamp(page.Updated), ", ", c.ID(page.ID), ")")
	}
}
