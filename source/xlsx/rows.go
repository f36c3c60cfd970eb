package xlsx

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"

	"github.com/contactbridge/contactbridge/source/file"
)

// Bounds of a sheet.
const (
	mostColumns = 16384
	mostOfRow   = 4 << 20 // bytes of one row's values
)

// rows read the rows of a sheet.
type rows struct {
	xml    *xmlReader
	table  *table
	width  int // how many columns are read
	looks  renderer
	inside bool // of the element with the rows

	row    int // the number of the last one
	values [][]byte
	size   int // of the values, in bytes
	text   []byte
	fault  *file.Flaw
	said   []*file.Flaw // the remarks about the row

	merged []merge // those that begin after the last row
	open   []merge // those that the last row is in
}

// open begins to read the table's sheet.
func (t *table) open(a *archive) (*rows, error) {
	x, err := a.openXML(t.sheet.part, a.most(mostOfSheet))
	if err != nil {
		return nil, err
	}
	return &rows{xml: x, table: t, width: mostColumns}, nil
}

// Close implements [io.Closer].
func (r *rows) Close() error {
	r.looks.close()
	return r.xml.part.Close()
}

// next reads the next row that has a cell with a value, or a fault. The error is io.EOF after the last one.
func (r *rows) next() error {
	for {
		token, err := r.xml.next()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			switch token.Name.Local {
			case "sheetData":
				r.inside = true
			case "cols":
				r.table.hidden = nil
			case "col":
				r.table.noteColumns(token)
			case "row":
				if !r.inside {
					continue
				}
				if err := r.readRow(token); err != nil {
					return err
				}
				if !r.empty() || r.fault != nil {
					return nil
				}
			}
		case xml.EndElement:
			if token.Name.Local == "sheetData" || token.Name.Local == "worksheet" {
				return io.EOF
			}
		}
	}
}

// A span is a range of columns, from 1 on.
type span struct{ Min, Max int }

// noteColumns notes columns that are hidden.
func (t *table) noteColumns(e xml.StartElement) {
	if isTrue(attribute(e, "hidden")) || attribute(e, "width") == "0" {
		from, _ := strconv.Atoi(attribute(e, "min"))
		to, _ := strconv.Atoi(attribute(e, "max"))
		if len(t.hidden) < mostColumns {
			t.hidden = append(t.hidden, span{from, to})
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// empty reports whether the last row has no value.
func (r *rows) empty() bool {
	return !slices.ContainsFunc(r.values, func(v []byte) bool { return len(bytes.TrimSpace(v)) > 0 })
}

// remark is what is most worth saying about the last row, or nil.
func (r *rows) remark() *file.Flaw {
	for _, flaw := range remarkUrgency {
		if slices.Contains(r.said, flaw) {
			return flaw
		}
	}
	return nil
}

func (r *rows) readRow(e xml.StartElement) error {
	r.begin(e)
	for column := 0; ; column++ {
		token, err := r.xml.next()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local != "c" {
				column--
				continue
			}
			if to, ok := columnOf(attribute(token, "r")); ok {
				column = to
			}
			if err := r.readCell(token, column); err != nil {
				return err
			}
		case xml.EndElement:
			if token.Name.Local == "row" {
				return nil
			}
			column--
		default:
			column--
		}
	}
}

// begin forgets the last row. A row without a number comes after the last one.
func (r *rows) begin(e xml.StartElement) {
	number, err := strconv.Atoi(attribute(e, "r"))
	if err != nil || number < 1 {
		number = r.row + 1
	}
	r.row, r.fault, r.said = number, nil, r.said[:0]
	if r.size > mostOfRow/4 {
		r.values = nil // so that columns do not each keep the room of their longest value
	}
	for i := range r.values {
		r.values[i] = r.values[i][:0]
	}
	r.values, r.size = r.values[:0], 0
	if isTrue(attribute(e, "hidden")) {
		r.said = append(r.said, hiddenRows)
	}
}

// columnOf returns the column of a reference such as B7, from 0 on.
func columnOf(reference string) (column int, ok bool) {
	for _, c := range []byte(reference) {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c < 'A' || c > 'Z' {
			break
		}
		if column = column*26 + int(c-'A') + 1; column > mostColumns {
			return 0, false
		}
	}
	return column - 1, column > 0
}

// A cell is what the sheet says of one.
type cell struct {
	kind    string // its attribute t
	style   int
	formula bool
}

func (r *rows) readCell(e xml.StartElement, column int) error {
	style, _ := strconv.Atoi(attribute(e, "s"))
	c := cell{kind: attribute(e, "t"), style: style}
	r.text = r.text[:0]
	if err := r.readContent(&c); err != nil {
		return err
	}
	if c.formula && r.table.book.uncalculated {
		r.said = append(r.said, uncalculated)
	}
	if c.formula && len(r.text) == 0 && c.kind != "str" {
		r.said = append(r.said, noResults)
	}
	return r.take(c, column)
}

// readContent reads to the end of a cell. What stands in it is the text then.
func (r *rows) readContent(c *cell) error {
	in := ""
	for {
		token, err := r.xml.next()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			switch in = token.Name.Local; in {
			case "is":
				if r.text, err = r.xml.appendRichText(r.text, "is"); err != nil {
					return err
				}
				in = ""
			case "f":
				c.formula = true
			}
		case xml.CharData:
			if in == "v" {
				r.text = append(r.text, token...)
			}
		case xml.EndElement:
			if in = ""; token.Name.Local == "c" {
				return nil
			}
		}
	}
}

// take makes the text of a cell a value.
func (r *rows) take(c cell, column int) error {
	text := r.text
	switch c.kind {
	case "s":
		number, err := strconv.Atoi(string(bytes.TrimSpace(text)))
		shared, ok := r.table.book.texts.get(number)
		if len(text) > 0 && (err != nil || !ok) {
			r.fault = unknownTexts
			return nil
		}
		text = shared
	case "b":
		text = truth(text)
	case "e":
		if column < r.width {
			r.said = append(r.said, errorCells)
		}
		return nil
	case "str":
		r.text = unescape(r.text, 0)
		text = r.text
	case "inlineStr":
	case "d":
		text = bytes.Replace(bytes.TrimSuffix(text, []byte("T00:00:00")), []byte("T"), []byte(" "), 1)
	default:
		var err error
		if text, err = r.number(text, c.style, column); err != nil {
			return err
		}
	}
	r.set(column, text)
	return nil
}

// truth is how Excel shows a truth value.
func truth(text []byte) []byte {
	switch string(text) {
	case "1", "true":
		return []byte("TRUE")
	case "0", "false":
		return []byte("FALSE")
	}
	return text
}

func (r *rows) number(text []byte, style, column int) ([]byte, error) {
	l := general
	if looks := r.table.book.looks; style >= 0 && style < len(looks) {
		l = looks[style]
	}
	return r.looks.text(text, l, r.table.book.date1904, column == r.table.updated)
}

// set gives a column of the row its value.
func (r *rows) set(column int, text []byte) {
	switch {
	case len(text) == 0:
		return
	case column >= r.width:
		if r.width < mostColumns && len(bytes.TrimSpace(text)) > 0 {
			r.said = append(r.said, beyondHeader)
		}
		return
	case r.size+len(text) > mostOfRow:
		r.fault = tooLongRow
		return
	}
	for len(r.values) <= column {
		if len(r.values) < cap(r.values) {
			r.values = r.values[:len(r.values)+1] // with the room of an earlier value
			r.values[len(r.values)-1] = r.values[len(r.values)-1][:0]
		} else {
			r.values = append(r.values, nil)
		}
	}
	r.values[column] = append(r.values[column][:0], text...)
	r.size += len(text)
}

// A merge is a cell that reaches over several rows, numbered as in the sheet; its column counts from 0 on.
type merge struct {
	first, last, column int
	text                []byte
}

// mostMerged is how many merged cells of a sheet are looked at.
const mostMerged = 1 << 20

// findMerged looks for cells that reach over several rows: what is in the first of them belongs to all, as people see it. The sheet
// tells them after its rows.
func (t *table) findMerged(a *archive) error {
	p, err := a.open(t.sheet.part, a.most(mostOfSheet))
	if err != nil {
		return err
	}
	defer p.Close()
	tail, err := afterRows(p)
	if err != nil {
		return a.damaged(err)
	}
	d := xml.NewDecoder(tail)
	d.Strict = false
	for {
		p.token = 0
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return a.damaged(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "mergeCell" && len(t.merged) < mostMerged {
			if m, ok := mergeOf(attribute(e, "ref")); ok && m.first > t.line && m.column < len(t.header) {
				t.merged = append(t.merged, m)
			}
		}
	}
	slices.SortFunc(t.merged, func(a, b merge) int { return a.first - b.first })
	return nil
}

// afterRows passes over the rows of a sheet and returns the rest.
func afterRows(p *part) (io.Reader, error) {
	end := []byte("sheetData>") // after </, or after a prefix
	buffer := make([]byte, 0, 64<<10)
	for {
		p.token = 0
		n, err := p.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		for i := bytes.Index(buffer, end); i >= 0; i = bytes.Index(buffer, end) {
			opens := i > 0 && buffer[i-1] == '<'
			if buffer = buffer[i+len(end):]; !opens {
				return io.MultiReader(bytes.NewReader(buffer), p), nil
			}
		}
		if errors.Is(err, io.EOF) {
			return bytes.NewReader(nil), nil // no rows
		}
		if err != nil {
			return nil, err
		}
		rest := buffer[max(len(buffer)-len(end), 0):]
		buffer = append(make([]byte, 0, 64<<10), rest...) // the end may be cut
	}
}

// mergeOf reads a reference such as B2:B5.
func mergeOf(reference string) (merge, bool) {
	from, to, _ := bytes.Cut([]byte(reference), []byte(":"))
	column, ok := columnOf(string(from))
	first, err := strconv.Atoi(string(bytes.TrimLeft(from, lettersOfColumns)))
	last, err2 := strconv.Atoi(string(bytes.TrimLeft(to, lettersOfColumns)))
	return merge{first: first, last: last, column: column}, ok && err == nil && err2 == nil && last > first
}

const lettersOfColumns = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// fillMerged gives the row what merged cells above it hold.
func (r *rows) fillMerged() {
	for len(r.merged) > 0 && r.merged[0].first <= r.row {
		if m := r.merged[0]; m.first == r.row && m.column < len(r.values) {
			m.text = bytes.Clone(r.values[m.column])
			r.open = append(r.open, m)
		}
		r.merged = r.merged[1:]
	}
	r.open = slices.DeleteFunc(r.open, func(m merge) bool { return r.row > m.last })
	for _, m := range r.open {
		if m.column >= len(r.values) || len(r.values[m.column]) == 0 {
			r.set(m.column, m.text)
		}
	}
}
