// Package jsonl is a source of contacts in files of JSON lines (NDJSON): one object a line. Package file is its engine.
package jsonl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/contactbridge/contactbridge/internal/jsonrecord"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/lines"
	"github.com/contactbridge/contactbridge/source/record"
)

// Config is the configuration of kind jsonl. Names of columns are keys, and paths of keys within objects: address.city.
type Config struct {
	file.Config `yaml:",inline"`
}

// Title implements [source.Titled].
func (c Config) Title() string { return source.PathTitle(c.Path) }

// revision is the kind's mapping revision: see [source.SettingsOf].
const revision = 2

// New makes the factory of one endpoint. It opens no file.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	return file.New(cfg.Config, format{}, source.SettingsOf("jsonl", revision, cfg), deps)
}

// A format reads files of JSON lines.
type format struct{}

var _ file.Format = format{}

// Traits implements [file.Format].
func (format) Traits() file.Traits {
	return file.Traits{Name: "JSON lines", Extensions: []string{".jsonl", ".ndjson"}, Record: "record", Unit: "line", Lists: true, Nested: true}
}

// Open implements [file.Format]. Every record may have keys of its own, so it reads the whole file.
func (format) Open(ctx context.Context, in file.Input) (file.Table, error) {
	t := &table{columns: jsonrecord.NewColumns(in.Wanted)}
	if err := t.findStart(in); err != nil {
		return nil, err
	}
	r := t.reader(in, jsonrecord.NewLearner(t.columns))
	var rec file.Record
	for ; ; t.records++ {
		if t.records%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := r.Next(&rec); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if rec.Fault == nil {
			t.good++
		}
	}
	if t.good == 0 && t.records > 3 {
		return nil, file.Broken(in.Name+" is not JSON lines: none of its lines is a JSON object",
			"Write one object a line, or use kind: json for one document with an array.")
	}
	t.columns.Finish()
	return t, nil
}

// A table holds the facts about one file.
type table struct {
	columns *jsonrecord.Columns
	start   file.Place
	records int // those that cannot be read too
	good    int
}

var (
	_ file.Mapper  = (*table)(nil)
	_ file.Truther = (*table)(nil)
)

// findStart passes over a byte order mark, and refuses what is another format.
func (t *table) findStart(in file.Input) error {
	head := make([]byte, source.FormatBytes)
	n, err := in.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	head = head[:n]
	t.start = file.Place{Line: 1}
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		t.start.Offset = 3
	}
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return file.Broken(in.Name+" is written in UTF-16", "Save it in UTF-8.")
	}
	trimmed := bytes.TrimLeft(head[t.start.Offset:], " \t\r\n")
	if bytes.HasPrefix(trimmed, []byte("[")) {
		return file.Broken(in.Name+" is one JSON array, not one object a line", "Use kind: json.")
	}
	if other, known := source.FormatOf(head, in.Formats); known && !bytes.HasPrefix(trimmed, []byte("{")) {
		return file.Broken(fmt.Sprintf("%s is %s, not JSON lines", in.Name, other.Name), other.Hint)
	}
	return nil
}

// Columns implements [file.Table].
func (t *table) Columns() []string { return t.columns.Names() }

// Usual implements [file.Mapper].
func (t *table) Usual() record.Guess { return t.columns.Usual() }

// Truths implements [file.Truther].
func (t *table) Truths() []bool { return t.columns.Truths() }

// Describe implements [file.Table].
func (t *table) Describe() (string, []source.Problem) {
	return fmt.Sprintf("one object a line, %d different keys", len(t.columns.Names())), t.columns.Problems(t.good)
}

// Records implements [file.Table].
func (t *table) Records(in file.Input) (file.Records, error) {
	return t.reader(in, jsonrecord.NewReader(t.columns)), nil
}

func (t *table) reader(in file.Input, values *jsonrecord.Reader) *records {
	r := &records{lines: lines.New(in, lines.Unchanged), values: values, first: t.start}
	r.Seek(file.Place{})
	return r
}

// records reads a file line by line from any of them.
type records struct {
	lines  *lines.Reader
	values *jsonrecord.Reader
	first  file.Place
	at     file.Place // the next line
}

var _ file.Seeker = (*records)(nil)

// Seek implements [file.Seeker].
func (r *records) Seek(at file.Place) {
	if at == (file.Place{}) {
		at = r.first
	}
	r.lines.GoTo(at.Offset)
	r.at = at
}

// Close implements [io.Closer].
func (r *records) Close() error {
	r.lines.Close()
	return nil
}

// Next implements [file.Records].
func (r *records) Next(rec *file.Record) error {
	for {
		start := r.at
		line, long, err := r.lines.Read()
		if err != nil {
			return err
		}
		r.at = file.Place{Offset: r.lines.Offset(), Line: start.Line + 1}
		if !long && len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		*rec = file.Record{Start: start, End: r.at}
		if long {
			jsonrecord.TooLong(rec)
		} else {
			r.values.Read(line, rec)
		}
		return nil
	}
}
