package json

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/contactbridge/contactbridge/internal/jsonrecord"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/record"
)

// A format reads documents whose records are at a path; nil: wherever the first array of objects is.
type format struct{ path []string }

var _ file.Format = format{}

// Traits implements [file.Format].
func (format) Traits() file.Traits {
	return file.Traits{Name: "JSON", Extensions: []string{".json"}, Record: "record", Unit: "record", Lists: true, Nested: true}
}

// Open implements [file.Format]. Every record may have keys of its own, so it reads the whole file.
func (f format) Open(ctx context.Context, in file.Input) (file.Table, error) {
	t := &table{columns: jsonrecord.NewColumns(in.Wanted), name: in.Name}
	if err := t.findArray(ctx, in, f.path); err != nil {
		return nil, err
	}
	r := t.reader(in, jsonrecord.NewLearner(t.columns))
	var rec file.Record
	for ; ; t.records++ {
		if t.records%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := r.Next(&rec); errors.Is(err, io.EOF) {
			t.columns.Finish()
			return t, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// A table holds the facts about one file.
type table struct {
	columns *jsonrecord.Columns
	name    string
	path    []string // of the array
	others  []string // the paths of other arrays of objects
	start   int64    // after the array's bracket
	whole   bool     // the array is the document
	records int
}

var (
	_ file.Mapper  = (*table)(nil)
	_ file.Truther = (*table)(nil)
)

// Columns implements [file.Table].
func (t *table) Columns() []string { return t.columns.Names() }

// Usual implements [file.Mapper].
func (t *table) Usual() record.Guess { return t.columns.Usual() }

// Truths implements [file.Truther].
func (t *table) Truths() []bool { return t.columns.Truths() }

// Describe implements [file.Table].
func (t *table) Describe() (string, []source.Problem) {
	problems := t.columns.Problems(t.records)
	if len(t.others) > 0 {
		problems = append(problems, source.Problem{
			Severity: source.Note, Code: "records_found",
			Message: fmt.Sprintf("records is not set: %s is read, and not %s", t.place(), strings.Join(t.others, ", ")),
			Hint:    fmt.Sprintf("Set records: %s, or to the array that holds the contacts.", t.place()),
		})
	}
	what := "one array"
	if len(t.path) > 0 {
		what = "the array at " + t.place()
	}
	return fmt.Sprintf("%s, %d different keys", what, len(t.columns.Names())), problems
}

func (t *table) place() string { return strings.Join(t.path, ".") }

// Records implements [file.Table].
func (t *table) Records(in file.Input) (file.Records, error) {
	return t.reader(in, jsonrecord.NewReader(t.columns)), nil
}

func (t *table) reader(in file.Input, values *jsonrecord.Reader) *records {
	r := &records{scanner: newScanner(in, t.start), values: values, first: file.Place{Offset: t.start, Line: 1}, size: in.Size, whole: t.whole}
	r.Seek(file.Place{})
	return r
}

// findArray finds the array of records, and refuses what has none.
func (t *table) findArray(ctx context.Context, in file.Input, path []string) error {
	s := newScanner(in, 0)
	first, err := s.start()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case s.in.Size == 0 || errors.Is(err, io.EOF):
		return file.Broken(in.Name+" is empty", "An export without contacts is an empty array: [].")
	case first != '{' && first != '[':
		return notJSON(in)
	case first == '[' && len(path) > 0:
		return file.Broken(in.Name+" is an array itself", "Leave records out.")
	case first == '[':
		t.start, t.whole = s.offset()+1, true
		return nil
	}
	w := &walk{scanner: s, ctx: ctx, wanted: path}
	if err := w.object(nil); errors.Is(err, errCut) || errors.Is(err, errSyntax) {
		if w.found == nil {
			return file.Broken(fmt.Sprintf("%s is no valid JSON document: %v at byte %d", in.Name, err, s.offset()), "Write the file with a JSON library, and whole before it gets its name.")
		}
	} else if err != nil {
		return err
	} else {
		w.complete = true
	}
	if more, err := s.peek(); err == nil && w.found != nil && w.complete {
		return file.Broken(fmt.Sprintf("%s holds more than one JSON document: %q follows the first", in.Name, more), "For one object a line use kind: jsonl.")
	}
	if w.found == nil && w.empty != nil {
		w.found, w.start = w.empty, w.emptyStart
	}
	if w.found == nil {
		return w.notFound(in.Name)
	}
	t.path, t.start, t.others = w.found, w.start, w.others
	return nil
}

// start passes over a byte order mark, and returns the first byte of the document.
func (s *scanner) start() (byte, error) {
	if _, err := s.peek(); err != nil {
		return 0, err
	}
	if bytes.HasPrefix(s.buffer[s.next:], []byte("\xef\xbb\xbf")) {
		s.next += 3
	}
	return s.peek()
}

// notJSON is the error of a file that is another format.
func notJSON(in file.Input) error {
	head := make([]byte, source.FormatBytes)
	n, err := in.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if head = head[:n]; bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return file.Broken(in.Name+" is written in UTF-16", "Save it in UTF-8.")
	}
	if other, known := source.FormatOf(head, in.Formats); known {
		return file.Broken(fmt.Sprintf("%s is %s, not JSON", in.Name, other.Name), other.Hint)
	}
	return file.Broken(in.Name+" is not a JSON document", "Check that path names the right file.")
}

// A walk looks for the array of records in a document that is an object.
type walk struct {
	*scanner
	ctx    context.Context
	wanted []string

	found      []string // its path
	start      int64    // after its bracket
	empty      []string // the path of the first array without elements
	emptyStart int64
	complete   bool     // the document ends as it should
	others     []string // the paths of arrays of objects after it
	arrays     []string // the paths of other arrays
}

// maxWalk is how deep objects are looked into.
const maxWalk = 6

var errSyntax = errors.New("invalid syntax")

// object looks into the object at a path. The scanner is at its bracket.
func (w *walk) object(path []string) error {
	w.next++
	for {
		b, err := w.peek()
		switch {
		case errors.Is(err, io.EOF):
			return errCut
		case err != nil:
			return err
		case b == '}':
			w.next++
			return nil
		case b == ',':
			w.next++
			continue
		case b != '"':
			return errSyntax
		}
		if _, err := w.skip(1 << 10); err != nil {
			return err
		}
		key, err := jsontext.AppendUnquote(nil, w.scanner.value)
		if err != nil && len(key) == 0 && len(w.scanner.value) != 2 {
			return errSyntax
		}
		if b, err = w.peek(); err != nil || b != ':' {
			return errSyntax
		}
		w.next++
		if err := w.valueAt(append(slices.Clone(path), string(key))); err != nil {
			return err
		}
	}
}

// valueAt looks at the value at a path.
func (w *walk) valueAt(path []string) error {
	b, err := w.peek()
	if err != nil {
		return errCut
	}
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	if b == '{' && len(path) < maxWalk && (w.wanted == nil || len(path) < len(w.wanted) && slices.Equal(path, w.wanted[:len(path)])) {
		return w.object(path)
	}
	if b == '[' {
		if err := w.array(path); err != nil {
			return err
		}
	}
	_, err = w.skip(0)
	return err
}

// array notes an array, and goes back to its bracket.
func (w *walk) array(path []string) error {
	at := w.offset()
	w.next++
	b, err := w.peek()
	if err != nil {
		return errCut
	}
	start := at + 1
	w.seek(at)
	switch {
	case w.wanted != nil && slices.Equal(path, w.wanted), w.wanted == nil && w.found == nil && b == '{':
		w.found, w.start = path, start
	case w.wanted == nil && b == '{':
		w.others = append(w.others, strings.Join(path, "."))
	case w.wanted == nil && w.empty == nil && b == ']':
		w.empty, w.emptyStart = path, start
	case len(w.arrays) < 10:
		w.arrays = append(w.arrays, strings.Join(path, "."))
	}
	return nil
}

// notFound is the error of a document without an array of objects.
func (w *walk) notFound(name string) error {
	if w.wanted != nil {
		return file.Broken(fmt.Sprintf("%s has no array at %s", name, strings.Join(w.wanted, ".")), w.hint())
	}
	return file.Broken(name+" has no array of objects", "Set records to the path of the array of contacts, such as data.contacts. "+w.hint())
}

func (w *walk) hint() string {
	if len(w.arrays) == 0 {
		return "There is no other array. For one object a line use kind: jsonl."
	}
	return "Its arrays are at " + strings.Join(w.arrays, ", ") + "."
}
