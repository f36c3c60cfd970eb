// Package csv is a source of contacts in CSV files, such as the exports of a CRM. Package file is its engine.
package csv

import (
	"context"
	"errors"
	"fmt"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/lines"
)

// New makes the factory of one endpoint. It opens no file.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	d, wrong := cfg.dialect()
	factory, err := file.New(cfg.Config, format{d}, cfg.reads(d), deps)
	if err := errors.Join(err, wrong); err != nil {
		return nil, err
	}
	return factory, nil
}

// A format reads files that are written in a dialect.
type format struct{ configured dialect }

var _ file.Format = format{}

// Traits implements [file.Format].
func (format) Traits() file.Traits {
	return file.Traits{Name: "CSV", Extensions: []string{".csv", ".tsv", ".tab", ".txt"}, Record: "row", Unit: "line"}
}

// Open implements [file.Format].
func (f format) Open(ctx context.Context, in file.Input) (file.Table, error) {
	t := &table{dialect: f.configured, name: in.Name}
	if err := t.findEncoding(ctx, in); err != nil {
		return nil, err
	}
	if err := t.findHeader(in); err != nil {
		return nil, err
	}
	return t, nil
}

// A dialect describes how a file is written. Zero values are not configured.
type dialect struct {
	encoding  encoding
	delimiter byte
	quote     byte
}

// A table holds what is known about one file.
type table struct {
	dialect
	name    string
	mark    int64  // how long the byte order mark is
	valid   bool   // all of the file is UTF-8 once it is decoded
	clean   bool   // it is UTF-8, and no byte of it is zero
	guessed string // what to say of an encoding that was found
	header  []string
	titles  int        // rows above the header
	start   file.Place // of the first row after the header
}

// Columns implements [file.Table].
func (t *table) Columns() []string { return t.header }

// Describe implements [file.Table].
func (t *table) Describe() (string, []source.Problem) {
	what := fmt.Sprintf("%s, %d columns separated by %q", t.encoding, len(t.header), string(rune(t.delimiter)))
	if t.quote != '"' {
		what += fmt.Sprintf(", values in %q", string(rune(t.quote)))
	}
	if t.titles > 0 {
		what += fmt.Sprintf(", header in line %d", t.headerLine())
	}
	if t.guessed == "" {
		return what, nil
	}
	return what, []source.Problem{{
		Severity: source.Note, Code: "encoding_found", Message: t.guessed,
		Hint: fmt.Sprintf("Look at names with accents in the preview. If they are right, set encoding: %s; if not, set encoding to the right one.", t.encoding),
	}}
}

// Records implements [file.Table].
func (t *table) Records(in file.Input) (file.Records, error) {
	r := newRecords(lines.New(in, t.encoding.ofLines()), t.delimiter, t.quote)
	r.columns, r.header, r.size, r.first, r.valid, r.clean = len(t.header), t.header, in.Size, t.start, t.valid, t.clean
	r.Seek(file.Place{})
	return r, nil
}
