package csv

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// A file is one path of an endpoint and what is known about the version of it that was read last.
type file struct {
	path     string
	scope    string // see [bridge.Description]
	ofCaller bool   // the path has the caller's credentials in it
	factory  *factory
	lock     chan struct{} // of one element: who holds it may read the file anew
	known    *version      // guarded by lock
}

// A version is the content of a file at one time. Nothing in it changes once it is known, but for what is counted.
type version struct {
	info   os.FileInfo
	settle bool   // the file was so young that it may change once more without its time changing
	sum    digest // of the content and the configuration

	encoding  encoding
	delimiter byte
	start     int64 // where the first row behind the header starts
	line      int   // the line number of that row
	mapping   *mapping
	index     *index // nil without updated
	starts    *starts
	count     atomic.Int64
	warned    atomic.Bool
	lines     lineNumbers
}

// A digest is a SHA-256.
type digest [sha256.Size]byte

// young is how recent a time of modification must be for a file to be able to change within its precision.
const young = 2 * time.Second

// open opens the file and tells its version. The caller closes what is returned.
func (f *file) open(ctx context.Context) (*os.File, *version, error) {
	select {
	case f.lock <- struct{}{}:
		defer func() { <-f.lock }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	opened, info, err := f.openRegular()
	if err != nil {
		return nil, nil, err
	}
	if v := f.known; v != nil && !v.settle && same(v.info, info) {
		return opened, v, nil
	}
	v, err := f.examine(ctx, opened, info)
	if err != nil {
		_ = opened.Close() // the error before is the one to tell
		return nil, nil, err
	}
	f.known = v
	return opened, v, nil
}

// same reports whether a file is what it was, by its identity, size and time.
func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func (f *file) openRegular() (*os.File, os.FileInfo, error) {
	info, err := os.Stat(f.path) // before opening: to open a named pipe would wait
	if err != nil {
		return nil, nil, f.wrap(err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, f.broken("%s is a folder or a device, not a file", "set path to the CSV file itself")
	}
	opened, err := os.Open(f.path)
	if err != nil {
		return nil, nil, f.wrap(err)
	}
	if info, err = opened.Stat(); err != nil {
		_ = opened.Close() // the error before is the one to tell
		return nil, nil, f.wrap(err)
	}
	return opened, info, nil
}

// name is how errors call the file: by its path, unless that has something of the caller's in it.
func (f *file) name() string {
	if f.ofCaller {
		return "the caller's file"
	}
	return f.path
}

func (f *file) broken(format, hint string) error { return broken(fmt.Sprintf(format, f.name()), hint) }

// wrap makes an error of the file system the operator's.
func (f *file) wrap(err error) error {
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		err = pathError.Err // without the path
	}
	e := &bridge.Error{Code: bridge.CodeSourceUnavailable, RetryAfter: 30 * time.Second, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.ofCaller:
		e.Code, e.Message, e.RetryAfter = bridge.CodeUnauthorized, "there is no file for these credentials", 0
		e.Hint = "check the credentials against the source's path"
	case errors.Is(err, fs.ErrNotExist):
		e.Message = f.name() + " does not exist"
		e.Hint = "check the source's path; replace the file by renaming a complete one over it, so that it is never missing"
	case errors.Is(err, fs.ErrPermission):
		e.Message = f.name() + " may not be read"
		e.Hint = "give the user that the bridge runs as the right to read it"
	default:
		e.Message, e.Hint = f.name()+" cannot be read", "see the cause"
	}
	return e
}

// wrapReading is wrap, but for the end of ctx.
func (f *file) wrapReading(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return f.wrap(err)
}

// examine reads the whole file once: its digest, and with updated its index.
func (f *file) examine(ctx context.Context, opened *os.File, info os.FileInfo) (*version, error) {
	v := &version{info: info, settle: f.factory.clock.Now().Sub(info.ModTime()) < young}
	v.count.Store(-1)
	var err error
	if v.sum, err = f.digest(ctx, opened); err != nil {
		return nil, err
	}
	if known := f.known; known != nil && known.sum == v.sum && known.info.ModTime().Equal(info.ModTime()) {
		v.encoding, v.delimiter, v.start, v.line = known.encoding, known.delimiter, known.start, known.line
		v.mapping, v.index, v.starts = known.mapping, known.index, known.starts
		v.count.Store(known.count.Load())
		v.warned.Store(known.warned.Load())
	} else {
		if err = f.readHeader(opened, v); err != nil {
			return nil, err
		}
		if err = f.settleID(ctx, opened, v); err != nil {
			return nil, err
		}
		v.mapping.findUnused()
		if v.mapping.updated >= 0 {
			if v.index, err = f.buildIndex(ctx, opened, v); err != nil {
				return nil, err
			}
		}
	}
	return v, f.unchanged(opened, info)
}

// unchanged is an error if a file was written to since it was opened.
func (f *file) unchanged(opened *os.File, info os.FileInfo) error {
	now, err := opened.Stat()
	if err != nil {
		return f.wrap(err)
	}
	if !same(info, now) {
		return &bridge.Error{
			Code:       bridge.CodeSourceUnavailable,
			Message:    f.name() + " is being written to",
			Hint:       "replace the file by renaming a complete one over it",
			RetryAfter: 10 * time.Second,
		}
	}
	return nil
}

// digest is that of the content, together with what the configuration makes of it: either changes what contacts look like.
func (f *file) digest(ctx context.Context, opened *os.File) (digest, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", f.factory.shape)
	buffer := make([]byte, 256<<10)
	for offset := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return digest{}, err
		}
		n, err := opened.ReadAt(buffer, offset)
		h.Write(buffer[:n])
		offset += int64(n)
		if errors.Is(err, io.EOF) {
			return digest(h.Sum(nil)), nil
		}
		if err != nil {
			return digest{}, f.wrap(err)
		}
	}
}

// readHeader reads the first row.
func (f *file) readHeader(opened *os.File, v *version) error {
	head, err := bufio.NewReaderSize(io.NewSectionReader(opened, 0, source.FormatBytes), source.FormatBytes).Peek(source.FormatBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return f.wrap(err)
	}
	if other, known := source.FormatOf(head); known {
		return broken(fmt.Sprintf("%s is %s, not CSV", f.name(), other.Name), other.Hint)
	}
	var mark int
	v.encoding, mark = detectEncoding(head, f.factory.cfg.Encoding)
	l := newLines(opened, v.encoding)
	l.seek(int64(mark))
	start, line := int64(mark), 1
	v.delimiter = f.factory.settings.delimiter
	if told, ok := toldDelimiter(l); ok {
		start, line = l.offset(), 2
		if v.delimiter == 0 {
			v.delimiter = told
		}
	} else {
		l.seek(start)
	}
	if v.delimiter == 0 {
		if v.delimiter, err = guessDelimiter(l); err != nil && !errors.Is(err, io.EOF) {
			return f.wrap(err)
		}
	}
	r := newRecords(l, v.delimiter)
	r.seek(start, line)
	for {
		fault, err := r.read()
		if errors.Is(err, io.EOF) {
			return f.broken("%s has no first row with the names of the columns", "export it with a header")
		}
		if err != nil {
			return f.wrap(err)
		}
		if fault == good {
			break
		}
		if fault != emptyRow {
			return f.broken("the first row of %s has a quote that is not closed, or is too long", "export it as comma-separated values with a header")
		}
	}
	header := make([]string, len(r.fields))
	for i, name := range r.fields {
		header[i] = text(name)
	}
	v.start, v.line = r.end, r.line+r.taken
	v.starts = newStarts(v.start)
	v.mapping, err = newMapping(f.factory.cfg, header)
	return err
}

// toldDelimiter reads the line with which Excel is told the delimiter, sep=; and its like, where the file begins with one.
func toldDelimiter(l *lines) (delimiter byte, ok bool) {
	line, _, err := l.read()
	if err != nil {
		return 0, false
	}
	line = bytes.Trim(bytes.TrimRight(line, " "), `"`)
	if len(line) == len("sep=")+1 && strings.EqualFold(string(line[:4]), "sep=") && line[4] < utf8.RuneSelf {
		return line[4], true
	}
	return 0, false
}

// guessDelimiter takes what the first line that is not empty has most of, and puts the line back.
func guessDelimiter(l *lines) (byte, error) {
	start := l.offset()
	defer l.seek(start)
	for {
		line, _, err := l.read()
		if err != nil {
			return ',', err
		}
		best, most := byte(','), 0
		counts := [256]int{}
		quoted := false
		for _, c := range line {
			if quoted = quoted != (c == '"'); !quoted {
				counts[c]++
			}
		}
		for _, c := range []byte(",;\t|") {
			if counts[c] > most {
				best, most = c, counts[c]
			}
		}
		if len(line) > 0 {
			return best, nil
		}
	}
}

// records reads a version's records from the first row on.
func (v *version) records(opened io.ReaderAt) *records {
	r := newRecords(newLines(opened, v.encoding), v.delimiter)
	r.columns = len(v.mapping.header)
	r.seek(v.start, v.line)
	return r
}
