package json

import (
	"errors"
	"io"

	"github.com/contactbridge/contactbridge/internal/jsonrecord"
	"github.com/contactbridge/contactbridge/source/file"
)

// records reads the records of an array from any of them.
type records struct {
	scanner *scanner
	values  *jsonrecord.Reader
	first   file.Place
	size    int64
	whole   bool       // nothing may follow the array
	at      file.Place // where the next one is looked for
	ended   bool
}

var _ file.Seeker = (*records)(nil)

var cut = &file.Flaw{Code: "cut_off", Says: "are where the document is cut off or broken", Hint: "Write the file under another name and rename it when it is complete."}

// Seek implements [file.Seeker].
func (r *records) Seek(at file.Place) {
	if at == (file.Place{}) {
		at = r.first
	}
	r.scanner.seek(at.Offset)
	r.at, r.ended = at, at.Offset >= r.size // after the end, or after a record that says that there is none
}

// Next implements [file.Records]. A document without its end has a last record that says so.
func (r *records) Next(rec *file.Record) error {
	if r.ended {
		return io.EOF
	}
	b, err := r.separator()
	start := file.Place{Offset: r.scanner.offset(), Line: r.at.Line}
	switch {
	case errors.Is(err, io.EOF):
		return r.cutOff(rec)
	case err != nil:
		return err
	case b == ']':
		return r.end(rec)
	case b == '}' || b == ':':
		return r.cutOff(rec)
	}
	long, err := r.scanner.skip(jsonrecord.Max)
	if errors.Is(err, errCut) {
		return r.cutOff(rec)
	} else if err != nil {
		return err
	}
	if r.scanner.offset() == r.size { // the document ends with its record: say so next
		if r.scanner.value[0] != '{' {
			return r.cutOff(rec)
		}
		r.scanner.seek(r.size - 1)
	}
	r.at = file.Place{Offset: r.scanner.offset(), Line: start.Line + 1}
	*rec = file.Record{Start: start, End: r.at}
	if long {
		jsonrecord.TooLong(rec)
		return nil
	}
	r.values.Read(r.scanner.value, rec)
	return nil
}

// separator passes over commas, and returns what follows.
func (r *records) separator() (byte, error) {
	for {
		b, err := r.scanner.peek()
		if err != nil || b != ',' {
			return b, err
		}
		r.scanner.next++
	}
}

// end is reached at the array's closing bracket.
func (r *records) end(rec *file.Record) error {
	r.ended = true
	if !r.whole {
		return io.EOF
	}
	r.at.Offset = r.scanner.offset()
	r.scanner.next++
	if _, err := r.scanner.peek(); err != nil {
		return err
	}
	return r.cutOff(rec)
}

// cutOff makes the rest of the file one record that cannot be read.
func (r *records) cutOff(rec *file.Record) error {
	r.ended = true
	*rec = file.Record{
		Start: r.at, End: file.Place{Offset: r.size, Line: r.at.Line + 1}, Fault: cut,
		Reason: "the document is cut off or broken there: what follows is lost",
	}
	return nil
}
