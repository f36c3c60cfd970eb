package csv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/lines"
)

// records reads a file record by record from any offset. It forgives what can be understood in one way only: quotes inside
// a field, a last line without an end, empty cells at a row's end that were left out or are too many. What it cannot understand
// is a bad record of one line, never more: a quote that is not closed costs its own line, not the rest of the file.
type records struct {
	lines     *lines.Reader
	delimiter byte
	quote     byte
	columns   int        // how many fields a good record has; 0 means any
	header    []string   // a record that repeats it is not a contact
	first     file.Place // the first record
	size      int64      // of the file
	valid     bool       // all of it is UTF-8 once it is decoded
	clean     bool       // and no byte of it is zero

	fields [][]byte   // of the last record, valid until the next one
	quoted int        // how many of them were in quotes
	start  file.Place // where it starts
	end    file.Place // where the next one starts
	short  bool       // whether cells at its end are missing
	doubt  int        // how many rows from here on may be the rest of a row with an unclosed quote

	inQuotes bool // see scan
	cells    int

	whole  []byte // the last record
	record []byte // a record of more than one line, or a copy of its line
	plain  []byte // fields without their quotes
}

// What is wrong with a record.
type fault string

const (
	good     fault = ""
	ragged   fault = "ragged"    // more fields than the header, or fewer in doubt
	unclosed fault = "unclosed"  // a quote that is not closed
	tooLong  fault = "too_long"  // longer than lines.Max
	emptyRow fault = "empty_row" // nothing in it: no fault, but no contact
)

// What is said of them.
var (
	flaws = map[fault]*file.Flaw{
		ragged:   {Code: string(ragged), Says: "have more columns than the first row", Hint: "Quote values that hold the delimiter or a line break."},
		unclosed: {Code: string(unclosed), Says: "have a quote that is not closed", Hint: "Double quotes that are part of a value."},
		tooLong:  {Code: string(tooLong), Says: "are longer than 1 MiB", Hint: "Check that the quotes and line ends are right."},
	}
	shortRow = &file.Flaw{Code: "short_rows", Says: "have fewer columns than the first row: what is missing counts as empty"}
)

func newRecords(l *lines.Reader, delimiter, quote byte) *records {
	return &records{lines: l, delimiter: delimiter, quote: quote}
}

// Seek implements [file.Seeker].
func (r *records) Seek(at file.Place) {
	if at == (file.Place{}) {
		at = r.first
	}
	r.lines.GoTo(at.Offset)
	r.end, r.doubt = at, 0
}

// Close implements [io.Closer].
func (r *records) Close() error {
	r.lines.Close()
	return nil
}

// Next implements [file.Records].
func (r *records) Next(rec *file.Record) error {
	for {
		f, err := r.read()
		if err != nil {
			return err
		}
		if f == emptyRow || f == good && r.repeatsHeader() {
			continue
		}
		*rec = file.Record{
			Values: r.fields, Start: r.start, End: r.end, Clean: r.clean || bytes.IndexByte(r.whole, 0) < 0 && (r.valid || utf8.Valid(r.whole)),
			Uncut: r.doubt > 0 && r.end.Offset < r.size, // what comes is read with this in mind
		}
		if f != good {
			rec.Fault, rec.Reason = flaws[f], r.explain(f)
		} else if r.short {
			rec.Remark = shortRow
		}
		return nil
	}
}

// repeatsHeader reports whether the last record is the header once more, as in files that were joined.
func (r *records) repeatsHeader() bool {
	if len(r.header) == 0 || len(r.fields) != len(r.header) {
		return false
	}
	for i, name := range r.header {
		if string(bytes.TrimSpace(r.fields[i])) != name {
			return false
		}
	}
	return true
}

// explain says what is wrong with the last record, for people.
func (r *records) explain(f fault) string {
	switch f {
	case ragged:
		return fmt.Sprintf("it has %d cells, where the first row has %d", len(r.fields), r.columns)
	case unclosed:
		return "a quote is not closed"
	}
	return "it is longer than 1 MiB"
}

// read reads the next record. Its error is io.EOF at the end of the file, or one of reading the file.
func (r *records) read() (fault, error) {
	fault, err := r.next()
	switch {
	case fault == unclosed || fault == tooLong: // next has said whether there is a doubt
	case fault == good && len(r.fields) == r.columns:
		r.doubt = 0
	case r.doubt > 0:
		r.doubt--
	}
	if r.short = fault == good && len(r.fields) < r.columns; r.short {
		for len(r.fields) < r.columns {
			r.fields = append(r.fields, nil)
		}
	}
	return fault, err
}

// mostDoubt is how many lines may be left of a value with an unclosed quote, or of one in a line that is too long. Those that are
// shorter than a row are not taken for rows of their own, up to the first one that is not.
const mostDoubt = 1000

func (r *records) next() (fault, error) {
	r.start = r.end
	line, long, err := r.lines.Read()
	if err != nil {
		return good, err
	}
	r.end = file.Place{Offset: r.lines.Offset(), Line: r.start.Line + 1}
	if long {
		r.doubt = mostDoubt
		return tooLong, nil
	}
	if r.whole = line; bytes.IndexByte(line, r.quote) < 0 {
		r.split(line)
		return r.judge(), nil
	}
	r.record = append(r.record[:0], line...)
	first := len(r.record)
	if r.parse(r.record, true) == closed {
		if len(r.fields) < r.columns && bytes.Count(r.record, []byte{r.quote})%2 == 1 {
			return ragged, nil // the rest of a value
		}
		return r.judge(), nil
	}
	return r.severalLines(first)
}

// mostAhead is how many bytes after the first line of a record it is looked for the end of its quotes. The record is lost where that is beyond
// lines.Max, but no line of it is taken for a record.
const mostAhead = 16 << 20

// severalLines reads on where the quotes of a record are not closed in its first line. Each line is looked at once.
func (r *records) severalLines(first int) (fault, error) {
	r.inQuotes, r.cells = false, 0
	long, holdsRow := false, false
	state := r.scan(r.record)
	for state == open {
		line, cut, err := r.lines.Read()
		if errors.Is(err, io.EOF) || err == nil && (cut || r.lines.Offset()-r.start.Offset > mostAhead) {
			return r.firstLine(first)
		}
		if err != nil {
			return good, err
		}
		r.end = file.Place{Offset: r.lines.Offset(), Line: r.end.Line + 1}
		if long = long || len(r.record)+len(line) > lines.Max; !long {
			r.record = append(append(r.record, '\n'), line...)
		}
		holdsRow = holdsRow || bytes.Count(line, []byte{r.delimiter}) >= r.columns-1
		state = r.scan(line)
	}
	// A quote that was not closed may have swallowed rows.
	if state == stray || r.cells < r.columns && holdsRow || long && r.columns > 0 && r.cells > r.columns {
		return r.firstLine(first)
	}
	if long {
		return tooLong, nil
	}
	r.parse(r.record, false)
	if f := r.judge(); f != ragged {
		return f, nil
	}
	return r.firstLine(first)
}

// scan goes on with the next line of a record, without keeping anything of it but whether it ends in quotes, and how many cells end.
func (r *records) scan(line []byte) parsed {
	for {
		if !r.inQuotes && len(line) > 0 && line[0] == r.quote {
			r.inQuotes, line = true, line[1:]
		}
		if !r.inQuotes {
			r.cells++
			_, rest, ok := r.afterBlanks(line)
			if !ok {
				i := bytes.IndexByte(line, r.delimiter)
				rest = line[max(i, 0):]
				ok = i >= 0
			}
			if !ok || len(rest) == 0 {
				return closed
			}
			line = rest[1:]
			continue
		}
		i := bytes.IndexByte(line, r.quote)
		if i < 0 {
			return open
		}
		line = line[i+1:]
		switch {
		case len(line) == 0:
			r.cells++
			r.inQuotes = false
			return closed
		case line[0] == r.delimiter:
			r.cells++
			r.inQuotes, line = false, line[1:]
		case line[0] == r.quote:
			line = line[1:]
		default:
			return stray
		}
	}
}

// firstLine gives up on the lines after the first one and makes what it can of that.
func (r *records) firstLine(size int) (fault, error) {
	r.lines.GoTo(r.start.Offset)
	if _, _, err := r.lines.Read(); err != nil {
		return good, err
	}
	r.end = file.Place{Offset: r.lines.Offset(), Line: r.start.Line + 1}
	if r.parse(r.record[:size], true) != closed {
		r.doubt = mostDoubt
		return unclosed, nil
	}
	return r.judge(), nil
}

// judge looks at a record's fields, and removes empty ones at its end that the header does not have.
func (r *records) judge() fault {
	filled := len(r.fields)
	for filled > 0 && isBlank(r.fields[filled-1]) {
		filled--
	}
	if filled == 0 {
		return emptyRow
	}
	if r.columns == 0 {
		return good
	}
	if filled > r.columns || len(r.fields) < r.columns && r.doubt > 0 {
		return ragged
	}
	r.fields = r.fields[:min(len(r.fields), r.columns)]
	return good
}

// isBlank reports whether there is nothing but space in a field.
func isBlank(field []byte) bool {
	if len(field) > 0 && field[0] > ' ' && field[0] < utf8.RuneSelf {
		return false
	}
	return len(bytes.TrimSpace(field)) == 0
}

// split cuts a line without quotes. Fields are short, so it does not search for one delimiter after the other: it marks those among 64
// bytes at once, and takes the marks.
func (r *records) split(line []byte) {
	fields, start := r.fields[:0], 0
	delimiters := everyByte * uint64(r.delimiter)
	for base := 0; base < len(line); base += blockSize {
		for found := delimited(line[base:], delimiters); found != 0; found &= found - 1 {
			at := base + bits.TrailingZeros64(found)
			fields = append(fields, line[start:at])
			start = at + 1
		}
	}
	r.fields, r.quoted = append(fields, line[start:]), 0
}

const (
	blockSize = 64 // bytes; one bit for each
	wordSize  = 8
	everyByte = 0x0101010101010101
	lowBits   = 0x7f * everyByte
)

// delimited returns a bit for each of the first 64 bytes of a text: whether it is the delimiter, which is in every byte of delimiters.
func delimited(text []byte, delimiters uint64) (found uint64) {
	if len(text) >= blockSize {
		block := (*[blockSize]byte)(text)
		for i := range blockSize / wordSize {
			found |= marks(binary.LittleEndian.Uint64(block[i*wordSize:])^delimiters) << (i * wordSize)
		}
		return found
	}
	i := 0
	for ; i+wordSize <= len(text); i += wordSize {
		found |= marks(binary.LittleEndian.Uint64(text[i:])^delimiters) << i
	}
	for ; i < len(text); i++ {
		if text[i] == byte(delimiters) {
			found |= 1 << i
		}
	}
	return found
}

// marks returns a bit for each byte of a word: whether it is zero.
func marks(word uint64) uint64 {
	const gather = 0x0102040810204080 // moves the lowest bit of each byte into the highest byte, in order
	zero := ^((word&lowBits + lowBits) | word | lowBits)
	return zero >> 7 * gather >> 56
}

// What parse found.
type parsed uint8

const (
	closed parsed = iota // a whole record
	open                 // a quote that is not closed yet
	stray                // a quote inside a quoted field
)

// parse cuts a record with quotes. A quote inside a quoted field is part of it where the record is forgiven, and stray
// otherwise.
func (r *records) parse(record []byte, forgive bool) parsed {
	r.fields, r.plain, r.quoted, r.whole = r.fields[:0], r.plain[:0], 0, record
	if need := len(record); cap(r.plain) < need {
		r.plain = make([]byte, 0, 2*need) // so that it never moves while fields point into it
	}
	for {
		if field, rest, ok := r.afterBlanks(record); ok {
			r.quoted++
			start := len(r.plain)
			for quotes, n := bytes.Count(field, []byte{r.quote}), 0; n < quotes; n += 2 { // each is doubled
				i := bytes.IndexByte(field, r.quote)
				r.plain, field = append(r.plain, field[:i+1]...), field[i+2:]
			}
			r.plain = append(r.plain, field...)
			r.fields = append(r.fields, r.plain[start:])
			if len(rest) == 0 {
				return closed
			}
			record = rest[1:]
			continue
		}
		if len(record) == 0 || record[0] != r.quote {
			i := bytes.IndexByte(record, r.delimiter)
			if i < 0 {
				r.fields = append(r.fields, record)
				return closed
			}
			r.fields = append(r.fields, record[:i])
			record = record[i+1:]
			continue
		}
		r.quoted++
		rest, state := r.unquote(record[1:], forgive)
		if state != closed {
			return state
		}
		if rest == nil {
			return closed
		}
		record = rest[1:]
	}
}

// afterBlanks takes a quoted field with blanks in front of it, as in 1, "Doe, Jane", 2, where that can be understood in one way only: its
// quotes are closed in the same line, and nothing but blanks follows up to the next delimiter. It returns what is between the quotes, and
// the rest of the record from the delimiter on, which is empty at the line's end.
func (r *records) afterBlanks(record []byte) (field, rest []byte, ok bool) {
	if len(record) == 0 || record[0] != ' ' || r.delimiter == ' ' {
		return nil, nil, false
	}
	record = bytes.TrimLeft(record, " ")
	if len(record) == 0 || record[0] != r.quote {
		return nil, nil, false
	}
	line, _, _ := bytes.Cut(record[1:], []byte("\n"))
	for at := 0; ; at += 2 {
		i := bytes.IndexByte(line[at:], r.quote)
		if i < 0 {
			return nil, nil, false
		}
		if at += i; at+1 < len(line) && line[at+1] == r.quote {
			continue
		}
		left := bytes.TrimLeft(line[at+1:], " ")
		return line[:at], record[1+len(line)-len(left):], len(left) == 0 || left[0] == r.delimiter
	}
}

// unquote takes a quoted field, after its first quote, and gives the rest of the record from the delimiter on; nil if
// no delimiter follows.
func (r *records) unquote(record []byte, forgive bool) (rest []byte, state parsed) {
	start := len(r.plain)
	for {
		i := bytes.IndexByte(record, r.quote)
		if i < 0 {
			return nil, open
		}
		r.plain = append(r.plain, record[:i]...)
		record = record[i+1:]
		switch {
		case len(record) == 0:
			r.fields = append(r.fields, r.plain[start:])
			return nil, closed
		case record[0] == r.delimiter:
			r.fields = append(r.fields, r.plain[start:])
			return record, closed
		case record[0] == r.quote:
			record = record[1:]
		case !forgive:
			return nil, stray
		}
		r.plain = append(r.plain, r.quote)
	}
}
