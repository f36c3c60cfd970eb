package file_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/filetest"
	"github.com/contactbridge/contactbridge/source/record"
)

// toy is a format of lines of words, the first of which names the columns. A line "?" cannot be read.
type toy struct {
	seeks bool
	slow  time.Duration // that opening takes
	panic bool
	knows bool // what the columns are: uid, fn and tel, as those of a vCard; an empty value is written -
}

var questioned = &file.Flaw{Code: "questioned", Says: "have a question mark", Hint: "Remove it."}

func (f toy) Traits() file.Traits {
	return file.Traits{Name: "toy", Extensions: []string{".toy"}, Record: "row", Unit: "line", Lists: f.knows}
}

func (f toy) Open(ctx context.Context, in file.Input) (file.Table, error) {
	select {
	case <-time.After(f.slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.panic {
		panic("toy")
	}
	line, err := bufio.NewReader(io.NewSectionReader(in, 0, in.Size)).ReadString('\n')
	if err != nil {
		return nil, file.Broken(in.Name+" has no first line", "Write one.")
	}
	table := &toyTable{toy: f, columns: strings.Fields(line), start: int64(len(line))}
	if f.knows {
		return knowing{table}, nil
	}
	return table, nil
}

// knowing is a table that knows what its columns mean.
type knowing struct{ *toyTable }

func (knowing) Usual() record.Guess {
	return record.Guess{ID: "uid", Fields: []record.Guessed{{Field: record.FieldName, Columns: []string{"fn"}}, {Field: record.FieldPhones, Columns: []string{"tel"}}}}
}

type toyTable struct {
	toy
	columns []string
	start   int64
}

func (t *toyTable) Columns() []string { return t.columns }

func (t *toyTable) Describe() (string, []source.Problem) {
	return fmt.Sprintf("%d words", len(t.columns)), nil
}

func (t *toyTable) Records(in file.Input) (file.Records, error) {
	r := &toyReader{in: in, table: t}
	r.Seek(file.Place{})
	if t.seeks {
		return r, nil
	}
	return struct{ file.Records }{r}, nil
}

type toyReader struct {
	in    file.Input
	table *toyTable
	lines *bufio.Reader
	at    file.Place
}

func (r *toyReader) Seek(at file.Place) {
	if at == (file.Place{}) {
		at = file.Place{Offset: r.table.start, Line: 2}
	}
	r.at = at
	r.lines = bufio.NewReader(io.NewSectionReader(r.in, at.Offset, r.in.Size-at.Offset))
}

func (r *toyReader) Next(rec *file.Record) error {
	line, err := r.lines.ReadBytes('\n')
	if len(line) == 0 {
		return err
	}
	*rec = file.Record{Start: r.at, End: file.Place{Offset: r.at.Offset + int64(len(line)), Line: r.at.Line + 1}}
	r.at = rec.End
	if rec.Values = bytes.Fields(line); len(rec.Values) == 1 && string(rec.Values[0]) == "?" {
		rec.Fault, rec.Reason = questioned, "it is a question mark"
	}
	for i, value := range rec.Values {
		if string(value) == "-" {
			rec.Values[i] = nil
		}
	}
	rec.Values = rec.Values[:min(len(rec.Values), len(r.table.columns))]
	return nil
}

func TestToyFormatIsOne(t *testing.T) {
	for _, seeks := range []bool{true, false} {
		columns, records := filetest.Run(t, toy{seeks: seeks}, []byte("id name phone\n1 Ann 5550100\n?\n2 Bob\n"))
		if strings.Join(columns, " ") != "id name phone" || strings.Join(records, "; ") != "1|Ann|5550100; fault: questioned; 2|Bob" {
			t.Errorf("%q %q", columns, records)
		}
	}
}
