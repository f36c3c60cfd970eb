package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
)

// An opened is a version that is being read by one goroutine. It opens the files as they are needed, and sees to it that each
// is the one that the version is about.
type opened struct {
	files   *files
	version *version
	open    []*openFile // those used last at the end
}

// An openFile is a file, and the records that are read from it.
type openFile struct {
	part    int
	file    *os.File
	input   Input
	records Records // nil before the first record is read
}

// mostOpen is how many files one reading holds open: in the order of updated it goes from one to the other.
const mostOpen = 32

// get returns a file of the version.
func (o *opened) get(part int) (*openFile, error) {
	for i, open := range o.open {
		if open.part == part {
			copy(o.open[i:], o.open[i+1:])
			o.open[len(o.open)-1] = open
			return open, nil
		}
	}
	if len(o.open) == mostOpen {
		o.open[0].close()
		o.open = append(o.open[:0], o.open[1:]...)
	}
	found := o.version.files[part]
	file, err := os.Open(found.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, o.files.replaced(found.name)
	}
	if err != nil {
		return nil, o.files.wrap(err)
	}
	open := &openFile{part: part, file: file, input: Input{
		ReaderAt: file, Size: found.info.Size(), Name: o.files.label(found.name), Wanted: o.files.factory.wanted, Formats: o.files.factory.deps.Formats,
		Unpacked: o.files.factory.deps.Unpacked,
	}}
	if err := o.unchangedFile(open); err != nil {
		open.close()
		return nil, err
	}
	o.open = append(o.open, open)
	return open, nil
}

// input returns a file's content.
func (o *opened) input(part int) (Input, error) {
	open, err := o.get(part)
	if err != nil {
		return Input{}, err
	}
	return open.input, nil
}

// records returns the reader of a file's records, at any place.
func (o *opened) records(part int) (Records, error) {
	if o.version.spool != nil {
		return o.version.spool.reader(), nil
	}
	open, err := o.get(part)
	if err != nil {
		return nil, err
	}
	if open.records == nil {
		if open.records, err = o.version.parts[part].table.Records(open.input); err != nil {
			return nil, o.files.wrap(err)
		}
	}
	return open.records, nil
}

// unchanged returns an error if a file that is open was written to since the version was found.
func (o *opened) unchanged() error {
	for _, open := range o.open {
		if err := o.unchangedFile(open); err != nil {
			return err
		}
	}
	return nil
}

func (o *opened) unchangedFile(open *openFile) error {
	now, err := open.file.Stat()
	if err != nil {
		return o.files.wrap(err)
	}
	found := o.version.files[open.part]
	switch {
	case !os.SameFile(found.info, now):
		return o.files.replaced(found.name)
	case !sameFile(found.info, now):
		return o.files.beingWritten(found.name)
	}
	return nil
}

// settled returns an error if the files are not what they were when the version was found. A single file may have been replaced by
// another one: what was read is still one version of it.
func (o *opened) settled() error {
	if !o.version.many {
		return o.unchanged()
	}
	now, _, err := o.files.find()
	if err != nil {
		return err
	}
	if !same(now, o.version.files) {
		return o.files.replaced("")
	}
	return nil
}

// errWritten says that a file was written to since it was found.
var errWritten = errors.New("the file is not what it was")

// errReplaced says that a file is another one than that which was found: looking again finds it.
var errReplaced = errors.New("the file has been replaced")

func (f *files) replaced(name string) error {
	return &bridge.Error{
		Code:       bridge.CodeSourceUnavailable,
		Message:    f.label(name) + " is being replaced too often",
		Hint:       "Replace files less often, so that they can be read in between.",
		RetryAfter: 10 * time.Second,
		Err:        errReplaced,
	}
}

func (f *files) beingWritten(name string) error {
	return &bridge.Error{
		Code:       bridge.CodeSourceUnavailable,
		Message:    f.label(name) + " is being written to",
		Hint:       "Replace a file by renaming a complete one over it.",
		RetryAfter: 10 * time.Second,
		Err:        errWritten,
	}
}

// close gives back the version and what was opened of it.
func (o *opened) close() {
	o.closeFiles()
	o.version.discard()
}

func (o *opened) closeFiles() {
	for _, open := range o.open {
		open.close()
	}
	o.open = nil
}

func (f *openFile) close() {
	if closer, ok := f.records.(io.Closer); ok {
		_ = closer.Close() // it was only read
	}
	_ = f.file.Close() // it was only read
}

// wrapReading is wrap for an error of a format: the end of ctx and errors that say what to do stay what they are.
func (f *files) wrapReading(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e := (*bridge.Error)(nil); errors.As(err, &e) {
		return err
	}
	return f.wrap(err)
}
