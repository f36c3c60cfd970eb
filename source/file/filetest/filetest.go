// Package filetest checks everything in a format that the engine of files relies on. The test of every format calls [Run].
package filetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/contactbridge/contactbridge/source/file"
)

// Run checks a format with the content of one file, which the format must be able to open. It returns the columns and the records,
// as texts: the values separated by |, or "fault: " and its code.
func Run(t *testing.T, format file.Format, content []byte) (columns, records []string) {
	t.Helper()
	traits := format.Traits()
	if traits.Name == "" || traits.Record == "" || traits.Unit == "" || len(traits.Extensions) == 0 {
		t.Errorf("Traits are not complete: %+v", traits)
	}
	x := &exam{t: t, table: open(t, format, content), content: content}
	columns = x.table.Columns()
	all := x.read(x.records(), true)
	if again := x.read(open(t, format, content).mustRecords(t, content), true); !slices.EqualFunc(all, again, same) {
		t.Errorf("what is read depends on more than the content: %v and %v", all, again)
	}
	if _, ok := x.records().(file.Seeker); ok {
		x.seek(all)
	}
	x.cut(format)
	if what, _ := x.table.Describe(); what == "" {
		t.Error("Describe says nothing")
	}
	for _, r := range all {
		records = append(records, r.text)
	}
	return columns, records
}

type exam struct {
	t       *testing.T
	table   table
	content []byte
}

// A read is a record that was read.
type read struct {
	text       string
	start, end file.Place
	uncut      bool
}

func same(a, b read) bool { return a == b }

type table struct{ file.Table }

func open(t *testing.T, format file.Format, content []byte) table {
	t.Helper()
	opened, err := format.Open(t.Context(), input(content))
	if err != nil {
		t.Fatal(err)
	}
	return table{opened}
}

func input(content []byte) file.Input {
	return file.Input{ReaderAt: bytes.NewReader(content), Size: int64(len(content)), Name: "sample"}
}

func (b table) mustRecords(t *testing.T, content []byte) file.Records {
	t.Helper()
	records, err := b.Records(input(content))
	if err != nil {
		t.Fatal(err)
	}
	if closer, ok := records.(io.Closer); ok {
		t.Cleanup(func() {
			if err := closer.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return records
}

func (x *exam) records() file.Records { return x.table.mustRecords(x.t, x.content) }

// read reads to the end. strict checks that the places grow.
func (x *exam) read(records file.Records, strict bool) []read {
	x.t.Helper()
	_, seeks := records.(file.Seeker)
	var list []read
	var rec file.Record
	for {
		err := records.Next(&rec)
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			if err := records.Next(&rec); !errors.Is(err, io.EOF) {
				x.t.Errorf("after the end comes %v, %v", rec, err)
			}
			return list
		}
		if err != nil {
			x.t.Fatalf("after %d records: %v", len(list), err)
		}
		r := read{text: text(&rec), start: rec.Start, end: rec.End, uncut: rec.Uncut}
		if columns := x.table.Columns(); rec.Fault == nil && len(rec.Values) > len(columns) {
			x.t.Errorf("%d values in %d columns: %s", len(rec.Values), len(columns), r.text)
		}
		if rec.Fault != nil && (rec.Reason == "" || rec.Fault.Says == "" || rec.Fault.Code == "") {
			x.t.Errorf("a fault that is not explained: %+v %q", rec.Fault, rec.Reason)
		}
		if seeks && strict {
			x.grows(list, r)
		}
		list = append(list, r)
	}
}

func (x *exam) grows(before []read, r read) {
	x.t.Helper()
	switch last := len(before) - 1; {
	case r.end.Offset <= r.start.Offset || r.end.Offset > int64(len(x.content)):
		x.t.Errorf("a record from %d to %d of %d bytes: %s", r.start.Offset, r.end.Offset, len(x.content), r.text)
	case last >= 0 && r.start.Offset < before[last].end.Offset:
		x.t.Errorf("a record starts at %d, before the end of the last one at %d: %s", r.start.Offset, before[last].end.Offset, r.text)
	case last >= 0 && r.start.Line < before[last].start.Line:
		x.t.Errorf("a record in line %d comes after one in line %d: %s", r.start.Line, before[last].start.Line, r.text)
	}
}

func text(rec *file.Record) string {
	if rec.Fault != nil {
		return "fault: " + rec.Fault.Code
	}
	return string(bytes.Join(rec.Values, []byte("|")))
}

// seek checks that the same records come from everywhere on.
func (x *exam) seek(all []read) {
	x.t.Helper()
	records := x.records()
	from := func(what string, at file.Place, want []read) {
		x.t.Helper()
		records.(file.Seeker).Seek(at)
		if got := x.read(records, false); !slices.EqualFunc(got, want, same) {
			x.t.Errorf("from %s, %+v: %v, want %v", what, at, got, want)
		}
	}
	step := max(len(all)/50, 1)
	for i := len(all) - 1; i >= 0; i -= step { // backwards, so that nothing is in a buffer already
		if i == 0 || !all[i-1].uncut {
			from(fmt.Sprintf("the start of record %d", i), all[i].start, all[i:])
		}
		if !all[i].uncut {
			from(fmt.Sprintf("the end of record %d", i), all[i].end, all[i+1:])
		}
	}
	from("the zero place", file.Place{}, all)
}

// cut checks that a file which is cut off is read or refused, and does not bring the program down.
func (x *exam) cut(format file.Format) {
	x.t.Helper()
	for size := range len(x.content) {
		if size%max(len(x.content)/200, 1) != 0 {
			continue
		}
		opened, err := format.Open(x.t.Context(), input(x.content[:size]))
		if err != nil {
			continue
		}
		records, err := opened.Records(input(x.content[:size]))
		if err != nil {
			continue
		}
		var rec file.Record
		for n := 0; records.Next(&rec) == nil; n++ {
			if n > size {
				x.t.Fatalf("of %d bytes more records come than bytes", size)
			}
		}
		if closer, ok := records.(io.Closer); ok {
			_ = closer.Close() // what is cut off may not close well
		}
	}
	ctx, cancel := context.WithCancel(x.t.Context())
	cancel()
	if _, err := format.Open(ctx, input(x.content)); err != nil && !errors.Is(err, context.Canceled) {
		x.t.Errorf("Open fails with %v when its context is done", err)
	}
}
