package jsonrecord

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/contactbridge/contactbridge/source/file"
)

// Max is the longest record that is read, in bytes, and MaxDepth how deep its objects and lists may be nested.
const (
	Max      = 1 << 20
	MaxDepth = 32
)

// What is said of records.
var (
	invalid  = &file.Flaw{Code: "invalid_json", Says: "are not valid JSON", Hint: "Write them with a JSON library, and the file whole before it gets its name."}
	noObject = &file.Flaw{Code: "no_object", Says: "are no JSON objects", Hint: "Write an object for each contact: {\"id\": \"7\", \"name\": \"Jane Doe\"}."}
	tooDeep  = &file.Flaw{Code: "too_deep", Says: "are nested deeper than 32 levels", Hint: "Write the contact's values higher up."}
	tooLong  = &file.Flaw{Code: "too_long", Says: "are longer than 1 MiB", Hint: "Leave out what is no text, such as pictures."}

	duplicate = &file.Flaw{Code: "duplicate_keys", Says: "have a key more than once: the last value counts"}
	replaced  = &file.Flaw{Code: "invalid_utf8", Says: "have bytes that are not UTF-8: they are replaced", Hint: "Write the file in UTF-8."}
)

// TooLong makes a record one that is longer than [Max].
func TooLong(rec *file.Record) { rec.Fault, rec.Reason = tooLong, "it is longer than 1 MiB" }

// A Reader makes values of records. One goroutine uses it. What it returns is valid until it is used again.
type Reader struct {
	columns *Columns
	learns  bool // new keys become columns

	decoder jsontext.Decoder
	buffer  bytes.Buffer
	text    []byte // the record
	values  [][]byte
	bare    []bool // by column: the value is a number or a truth value
	seen    []int  // by column: the last record that had it
	round   int
	plain   []byte // texts without their escapes
	twice   bool
	keeps   bool     // values stay valid
	room    [][]byte // for values that are kept
	signs   []bool   // the same for bare
}

// NewLearner returns a reader that adds the keys of every record to the columns.
func NewLearner(columns *Columns) *Reader { return &Reader{columns: columns, learns: true} }

// NewReader returns a reader of the values of columns that are known.
func NewReader(columns *Columns) *Reader { return &Reader{columns: columns} }

var (
	errInvalid  = errors.New("invalid JSON")
	errNoObject = errors.New("no object")
	errDepth    = errors.New("nested too deep")
)

// Read makes a record's values, or its Fault, of its text.
func (r *Reader) Read(text []byte, rec *file.Record) {
	r.text, r.twice = text, false
	r.round++
	if r.keeps {
		r.keep()
	} else {
		r.plain = r.plain[:0]
		r.grow()
		clear(r.values)
		clear(r.bare)
	}
	r.buffer = *bytes.NewBuffer(text)
	r.decoder.Reset(&r.buffer, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	switch err := r.record(); {
	case errors.Is(err, errNoObject):
		rec.Fault, rec.Reason = noObject, "it is no JSON object"
	case errors.Is(err, errDepth):
		rec.Fault, rec.Reason = tooDeep, "it is nested deeper than 32 levels"
	case err != nil:
		rec.Fault, rec.Reason = invalid, "it is not valid JSON"
	default:
		rec.Values, rec.Bare = r.values, r.bare
		rec.Clean = utf8.Valid(text) && !bytes.Contains(text, []byte(`\u0000`)) && bytes.IndexByte(text, 0) < 0
		if r.twice {
			rec.Remark = duplicate
		} else if !rec.Clean && !utf8.Valid(text) {
			rec.Remark = replaced
		}
	}
}

// grow makes room for columns that are new.
func (r *Reader) grow() {
	for len(r.values) < len(r.columns.names) {
		r.values, r.bare, r.seen = append(r.values, nil), append(r.bare, false), append(r.seen, 0)
	}
}

func (r *Reader) record() error {
	if r.decoder.PeekKind() != '{' {
		if _, err := r.decoder.ReadValue(); err != nil {
			return errInvalid
		}
		return errNoObject
	}
	if err := r.object(&r.columns.root, 1); err != nil {
		return err
	}
	if _, err := r.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return errInvalid
	}
	return nil
}

// object reads an object, whose keys are those of a node.
func (r *Reader) object(of *node, depth int) error {
	if depth > MaxDepth {
		return errDepth
	}
	if _, err := r.decoder.ReadToken(); err != nil {
		return err
	}
	start := r.decoder.InputOffset() - 1
	for r.decoder.PeekKind() == '"' {
		key, err := r.decoder.ReadValue()
		if err != nil {
			return err
		}
		if err := r.value(r.node(of, r.unquote(key)), depth); err != nil {
			return err
		}
	}
	if _, err := r.decoder.ReadToken(); err != nil {
		return err
	}
	if of != nil && of.path != "" && r.columns.wanted[of.path] {
		if r.learns {
			if of.object < 0 {
				of.object = r.columns.column(of.path)
				r.grow()
			}
			r.columns.learn(of.object, r.text[start:])
		}
		r.set(of.object, r.text[start:r.decoder.InputOffset()], false)
	}
	return nil
}

// node returns the node of a key; nil if the key is missing.
func (r *Reader) node(of *node, key []byte) *node {
	switch {
	case of == nil:
		return nil
	case r.learns:
		return r.columns.child(of, key)
	}
	return of.keys[string(key)]
}

// value reads the value of a key.
func (r *Reader) value(of *node, depth int) error {
	if r.decoder.PeekKind() == '{' {
		return r.object(of, depth+1)
	}
	raw, err := r.decoder.ReadValue()
	if err != nil {
		return err
	}
	if raw[0] == '[' && deeper(raw, MaxDepth-depth) {
		return errDepth
	}
	if of == nil {
		return nil
	}
	if of.column < 0 {
		if !r.learns {
			return nil
		}
		of.column = r.columns.column(of.path)
		r.grow()
	}
	if r.learns {
		r.columns.learn(of.column, raw)
	}
	switch {
	case raw[0] == '"':
		r.set(of.column, r.unquote(raw), false)
	case raw[0] == 'n', r.columns.isNothing(of.column, raw):
		r.set(of.column, nil, false)
	default:
		r.set(of.column, raw, raw[0] != '[')
	}
	return nil
}

// set gives a column its value in this record.
func (r *Reader) set(column int, value []byte, bare bool) {
	if column < 0 {
		return
	}
	if r.seen[column] == r.round {
		r.twice = true
	}
	r.seen[column], r.values[column], r.bare[column] = r.round, value, bare
}

// unquote returns what a JSON text says.
func (r *Reader) unquote(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	if most := 3 * len(raw); cap(r.plain)-len(r.plain) < most { // values stay where they are
		r.plain = make([]byte, 0, max(2*cap(r.plain), most, 4<<10))
	}
	from := len(r.plain)
	r.plain, _ = jsontext.AppendUnquote(r.plain, raw) // invalid bytes are replaced; the syntax has been read already
	return r.plain[from:]
}

// deeper reports whether valid JSON is nested deeper than so many levels.
func deeper(raw []byte, most int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '[' || b == '{':
			if depth++; depth > most {
				return true
			}
		case b == ']' || b == '}':
			depth--
		}
	}
	return false
}
