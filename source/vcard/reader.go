package vcard

import (
	"bytes"
	"errors"
	"io"

	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/lines"
	"github.com/contactbridge/contactbridge/source/record"
)

// A Reader reads single cards that are in no file, such as those of an address book on a server. One goroutine uses it.
type Reader struct {
	table   *table
	records *records
	lines   *lines.Reader
	text    bytes.Reader
}

// A Card is what a [Reader] read. Its values are valid until the next card is read.
type Card struct {
	Values [][]byte // in the order of the columns; nil where the card cannot be read, and for a group
	Group  bool     // it is a group of others
	Wrong  string   // why it cannot be read, for people: "its END:VCARD is missing"; empty for a good card
	Strays bool     // lines that are no properties were left out
}

// NewReader returns a reader. texts are those of a configuration: properties that they name are columns too.
func NewReader(texts []string) *Reader {
	t := newTable(texts)
	r := &Reader{table: t}
	r.lines = lines.New(&r.text, lines.Unchanged)
	r.records = &records{lines: r.lines, first: t.start, extra: t.extra, values: make([][]byte, len(t.columns))}
	return r
}

// Columns returns the names of a card's values.
func (r *Reader) Columns() []string { return r.table.columns }

// Usual says which column a contact's field comes from where the configuration does not say so.
func (r *Reader) Usual() record.Guess { return r.table.Usual() }

// Compiler returns the compiler of fields over a card's columns.
func (r *Reader) Compiler() record.Compiler {
	usual := r.Usual()
	return record.Compiler{Lists: true, Guess: &usual}
}

// UID returns the card's UID out of its values.
func UID(values [][]byte) []byte { return values[columnUID] }

// Read reads a text that is one card. Of several it takes the first.
func (r *Reader) Read(text []byte) Card {
	r.text.Reset(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	r.lines.Reset()
	r.records.Seek(file.Place{Line: 1})
	for {
		start := r.records.at
		line, err := r.records.peek()
		if err != nil {
			return Card{Wrong: "it is not a vCard"}
		}
		r.records.take()
		if isLine(line, begin) {
			return r.card(start)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			return Card{Wrong: "it is not a vCard: its first line is not " + begin}
		}
	}
}

// card reads the card after its first line.
func (r *Reader) card(start file.Place) Card {
	rec := file.Record{Start: start}
	if err := r.records.read(&rec); err != nil && !errors.Is(err, io.EOF) {
		return Card{Wrong: "it cannot be read"}
	}
	switch {
	case rec.Fault != nil:
		return Card{Wrong: rec.Reason}
	case r.records.card.group:
		return Card{Group: true}
	}
	return Card{Values: rec.Values, Strays: rec.Remark != nil}
}
