package csv

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/lines"
	"github.com/contactbridge/contactbridge/source/record"
)

// How much of a file decides how it is read.
const (
	sampleRows = 100
	mostTitles = 20   // among so many rows the header is looked for
	configured = 1000 // how many usual columns one that is configured counts as
)

// findHeader finds the delimiter and the quote, as far as they are not configured, and the row that names the columns.
func (t *table) findHeader(in file.Input) error {
	from := file.Place{Offset: t.mark, Line: 1}
	l := lines.New(in, t.encoding.ofLines())
	l.GoTo(from.Offset)
	if told, ok := toldDelimiter(l); ok {
		from = file.Place{Offset: l.Offset(), Line: 2}
		if t.delimiter == 0 {
			t.delimiter = told
		}
	}
	best, err := t.bestSample(in, from, '"')
	if err == nil && t.quote == 0 && best.mayHaveSingleQuotes() {
		var other *sample
		if other, err = t.bestSample(in, from, '\''); err == nil && other.singleQuotes() && other.hits >= best.hits && other.even >= best.even {
			best = other
		}
	}
	if err != nil {
		return err
	}
	return t.take(best)
}

// bestSample reads the first rows with each delimiter that they may have, and returns what makes the most of them. quote counts
// where none is configured.
func (t *table) bestSample(in file.Input, from file.Place, quote byte) (*sample, error) {
	delimiters := []byte(",;\t|") // the most usual first
	if t.delimiter != 0 {
		delimiters = []byte{t.delimiter}
	}
	if t.quote != 0 {
		quote = t.quote
	}
	var best *sample
	for _, delimiter := range delimiters {
		s, err := readSample(in, dialect{encoding: t.encoding, delimiter: delimiter, quote: quote}, from)
		if err != nil {
			return nil, err
		}
		s.findHeader(in.Wanted)
		if best == nil || s.better(best) {
			best = s
		}
	}
	return best, nil
}

// take makes the header of a sample the table's.
func (t *table) take(s *sample) error {
	if s.unreadable && s.header.cells == nil {
		return file.Broken(fmt.Sprintf("the first row of %s has a quote that is not closed, or is too long", t.name), "Export it as comma-separated values with a header.")
	}
	if s.header.cells == nil {
		return file.Broken(t.name+" has no first row with the names of the columns", "Export it with a header.")
	}
	if slices.ContainsFunc(s.header.cells, func(name string) bool { return strings.Contains(name, "\r") }) {
		return file.Broken("the lines of "+t.name+" end with CR only", "Save it with the line ends of Windows or Unix.")
	}
	t.dialect, t.header, t.titles, t.start = s.dialect, s.header.cells, s.titles, s.header.end
	return nil
}

func (t *table) headerLine() int { return t.start.Line - 1 }

// toldDelimiter reads the line with which Excel is told the delimiter, sep=; and its like, where the file begins with one.
func toldDelimiter(l *lines.Reader) (delimiter byte, ok bool) {
	line, _, err := l.Read()
	if err != nil {
		return 0, false
	}
	text := strings.Trim(strings.TrimRight(string(line), " "), `"`)
	if len(text) == len("sep=")+1 && strings.EqualFold(text[:4], "sep=") && text[4] < utf8.RuneSelf {
		return text[4], true
	}
	return 0, false
}

// A sample is the first rows of a file, read in one dialect.
type sample struct {
	dialect
	rows       []sampleRow
	unreadable bool // the first row cannot be read
	quoted     bool // double quotes are in the cells

	header sampleRow // without cells where there is none
	titles int       // rows above it
	hits   int       // how many of its cells are columns that are configured, or usual
	even   int       // how many rows after it have as many cells
}

type sampleRow struct {
	cells  []string
	quoted int // how many of them were in quotes
	end    file.Place
}

// readSample reads the first rows from a place on.
func readSample(in file.Input, d dialect, from file.Place) (*sample, error) {
	s := &sample{dialect: d}
	r := newRecords(lines.New(in, d.encoding.ofLines()), d.delimiter, d.quote)
	r.Seek(from)
	var rec file.Record
	for len(s.rows) < sampleRows {
		if err := r.Next(&rec); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if rec.Fault != nil {
			s.unreadable = s.unreadable || len(s.rows) == 0
			continue
		}
		row := sampleRow{end: rec.End, quoted: r.quoted}
		for _, value := range rec.Values {
			cell := file.Text(value)
			row.cells = append(row.cells, cell)
			s.quoted = s.quoted || strings.Contains(cell, `"`)
		}
		if slices.ContainsFunc(row.cells, hasText) {
			s.rows = append(s.rows, row)
		}
	}
	return s, nil
}

// hasText reports whether a cell is more than delimiters and rules.
func hasText(cell string) bool {
	return strings.ContainsFunc(cell, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// findHeader takes the first row for the header, unless a later one names more of the columns that are looked for: those that are
// configured, else those with usual names.
func (s *sample) findHeader(wanted []string) {
	if len(s.rows) == 0 || s.unreadable {
		return
	}
	hits := func(cells []string) int { return countWanted(cells, wanted)*configured + countUsual(cells) }
	found := s.first(hits, configured)
	if found < 0 {
		found = s.first(countUsual, 2)
	}
	found = max(found, 0)
	s.header, s.titles = s.rows[found], found
	s.hits = hits(s.header.cells)
	for _, row := range s.rows[found+1:] {
		if len(row.cells) == len(s.header.cells) && len(row.cells) > 1 {
			s.even++
		}
	}
}

// first returns the first of the rows with the most hits, if it has enough of them, else -1.
func (s *sample) first(hits func(cells []string) int, enough int) int {
	best, most := -1, enough-1
	for i, row := range s.rows[:min(len(s.rows), mostTitles)] {
		if n := hits(row.cells); n > most {
			best, most = i, n
		}
	}
	return best
}

// better reports whether a sample makes more of the file than another one, whose delimiter is more usual.
func (s *sample) better(than *sample) bool {
	switch {
	case s.hits != than.hits:
		return s.hits > than.hits
	case s.even != than.even:
		return s.even > than.even
	}
	return len(s.header.cells) > len(than.header.cells)
}

// mayHaveSingleQuotes reports whether a sample that was read with double quotes looks like one with single ones.
func (s *sample) mayHaveSingleQuotes() bool {
	return !s.quoted && slices.ContainsFunc(s.rows, func(row sampleRow) bool { return strings.HasPrefix(row.cells[0], "'") })
}

// singleQuotes reports whether single quotes are around every name of the header, and double ones nowhere.
func (s *sample) singleQuotes() bool {
	named := 0
	for _, cell := range s.header.cells {
		if cell != "" {
			named++
		}
	}
	return !s.quoted && named > 0 && s.header.quoted >= named
}

func countWanted(cells, wanted []string) int {
	n := 0
	for _, name := range wanted {
		if slices.Contains(cells, name) {
			n++
		}
	}
	return n
}

// countUsual counts the fields of a contact that a row names. A row with an address or a number in it is none of names.
func countUsual(cells []string) int {
	if slices.ContainsFunc(cells, isValue) {
		return 0
	}
	guess := record.Usual(cells)
	n := len(guess.Fields)
	for _, name := range []string{guess.ID, guess.Country, guess.Updated} {
		if name != "" {
			n++
		}
	}
	return n
}

// isValue reports whether a cell is an address or a number, not a name.
func isValue(cell string) bool {
	digits := strings.IndexFunc(cell, func(r rune) bool { return !unicode.IsDigit(r) && !strings.ContainsRune("+-() /.", r) }) < 0 && len(cell) >= 5
	return strings.Contains(cell, "@") || digits
}
