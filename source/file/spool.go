package file

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
)

// A spool is a temporary file with the records of a version, in the order of the files, for a format with readers that cannot begin
// anywhere. It is bounded, and made from the version alone: another process makes the same one, with the same places in
// it. Nothing depends on its being there. A bridge need not keep it: a reader that misses it makes it again.
type spool struct {
	file    *os.File
	size    int64
	records int     // how many are in the file
	flaws   []*Flaw // the numbers of flaws in the file

	mu    sync.Mutex
	users int
}

// maxSpool is the largest spool, in bytes.
const maxSpool = 4 << 30

// maxSpooled is the longest record in a spool, in bytes. A longer one is a fault.
const maxSpooled = 16 << 20

var tooLongForSpool = &Flaw{Code: "too_long", Says: "are longer than 16 MiB", Hint: "Remove pictures and other data from the contacts."}

// fillSpool reads all records into a spool, if the format cannot seek. Its tables are dropped then.
func (o *opened) fillSpool(ctx context.Context) error {
	records, err := o.records(0)
	if err != nil {
		return err
	}
	if _, ok := records.(Seeker); ok {
		return nil
	}
	return o.spoolAll(ctx)
}

func (o *opened) spoolAll(ctx context.Context) error {
	file, err := os.CreateTemp("", "contactbridge-spool-*")
	if err != nil {
		return spoolError(err)
	}
	s := &spool{file: file, users: 1}
	if runtime.GOOS != "windows" {
		_ = os.Remove(file.Name()) // so that nothing is left of it, however the process ends
	}
	w := &spoolWriter{spool: s, most: Input{Unpacked: o.files.factory.deps.Unpacked}.Most(maxSpool)}
	c := o.cursor()
	for n := 0; ; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			err = ctx.Err()
			break
		}
		if err = c.next(); err != nil {
			break
		}
		if err = w.write(c.part, &c.Record); err != nil {
			break
		}
	}
	if errors.Is(err, io.EOF) {
		err = w.flush()
	} else if err != nil {
		err = o.files.wrapReading(ctx, err)
	}
	if err != nil {
		s.release()
		return err
	}
	o.version.spool = s
	for i := range o.version.parts {
		o.version.parts[i].table, o.version.parts[i].order = nil, nil
	}
	o.closeFiles()
	return nil
}

// spoolError returns the error of a temporary file that cannot be written or read.
func spoolError(err error) error {
	return &bridge.Error{
		Code: bridge.CodeSourceUnavailable, Message: "the temporary file for the records cannot be used",
		Hint: "Free space in the folder for temporary files, or set TMPDIR to another one.", RetryAfter: time.Minute, Err: err,
	}
}

// retain counts one more user; a nil spool has none.
func (s *spool) retain() {
	if s != nil {
		s.mu.Lock()
		s.users++
		s.mu.Unlock()
	}
}

// release takes one user, and removes the file with the last one.
func (s *spool) release() {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.users--
	last := s.users == 0
	s.mu.Unlock()
	if last {
		_ = s.file.Close() // it is not needed any more
		if runtime.GOOS == "windows" {
			_ = os.Remove(s.file.Name())
		}
	}
}

// A spoolWriter appends records to a spool: the length of what follows, the number of the file, of the line, of the flaw, what kind
// of flaw it is, and the reason or the values.
type spoolWriter struct {
	most   int64 // bytes that the spool may have
	spool  *spool
	buffer []byte // not written yet
	record []byte
}

// What the flaw of a record in a spool is.
const (
	spooledGood = iota
	spooledRemark
	spooledFault
)

// spooledBare is added to the doubled size of a value that is no text: see [Record.Bare].
const spooledBare = 1

const spoolBuffer = 256 << 10

func (w *spoolWriter) write(part int, r *Record) error {
	b := w.head(part, r)
	if r.Fault != nil {
		b = append(b, r.Reason...)
	} else {
		for i, value := range r.Values {
			size := uint64(len(value)) << 1
			if i < len(r.Bare) && r.Bare[i] {
				size |= spooledBare
			}
			b = append(binary.AppendUvarint(b, size), value...)
		}
	}
	if len(b) > maxSpooled {
		b = w.head(part, &Record{Start: r.Start, Fault: tooLongForSpool, Reason: "it is longer than 16 MiB"})
		b = append(b, "it is longer than 16 MiB"...)
	}
	w.record = b
	w.spool.records++
	w.buffer = append(binary.AppendUvarint(w.buffer, uint64(len(b))), b...)
	if w.spool.size+int64(len(w.buffer)) > w.most {
		return Broken(fmt.Sprintf("the records are longer than %d MiB together", w.most>>20), "Split the file.")
	}
	if len(w.buffer) >= spoolBuffer {
		return w.flush()
	}
	return nil
}

func (w *spoolWriter) head(part int, r *Record) []byte {
	kind, flaw := spooledGood, (*Flaw)(nil)
	switch {
	case r.Fault != nil:
		kind, flaw = spooledFault, r.Fault
	case r.Remark != nil:
		kind, flaw = spooledRemark, r.Remark
	}
	b := binary.AppendUvarint(w.record[:0], uint64(part))
	b = binary.AppendUvarint(b, uint64(max(r.Start.Line, 0)))
	b = append(b, byte(kind))
	if flaw == nil {
		return b
	}
	number := slices.Index(w.spool.flaws, flaw)
	if number < 0 {
		number = len(w.spool.flaws)
		w.spool.flaws = append(w.spool.flaws, flaw)
	}
	return binary.AppendUvarint(b, uint64(number))
}

func (w *spoolWriter) flush() error {
	n, err := w.spool.file.Write(w.buffer)
	w.spool.size += int64(n)
	w.buffer = w.buffer[:0]
	if err != nil {
		return spoolError(err)
	}
	return nil
}

// reader returns a reader of a spool.
func (s *spool) reader() *spoolReader { return &spoolReader{spool: s} }

// A spoolReader reads a spool. Its places are those in it.
type spoolReader struct {
	spool  *spool
	part   int // of the last record
	buffer []byte
	base   int64 // the offset of buffer[0]
	next   int   // the next record's place in buffer
	values [][]byte
	bare   []bool
}

var _ Seeker = (*spoolReader)(nil)

// Seek implements [Seeker].
func (r *spoolReader) Seek(at Place) {
	if in := at.Offset - r.base; in >= 0 && in <= int64(len(r.buffer)) {
		r.next = int(in)
		return
	}
	r.buffer, r.base, r.next = r.buffer[:0], at.Offset, 0
}

// Next implements [Records].
func (r *spoolReader) Next(rec *Record) error {
	start := r.base + int64(r.next)
	if start >= r.spool.size {
		return io.EOF
	}
	size, n, err := r.length()
	if err != nil {
		return err
	}
	if err := r.have(n + size); err != nil {
		return err
	}
	b := r.buffer[r.next+n : r.next+n+size]
	r.next += n + size
	*rec = Record{Start: Place{Offset: start}, End: Place{Offset: start + int64(n+size)}}
	return r.decode(rec, b)
}

var errSpool = errors.New("not what was written")

// length returns how long the next record is, and how many bytes say so.
func (r *spoolReader) length() (size, n int, err error) {
	rest := r.spool.size - r.base - int64(r.next)
	if err := r.have(int(min(binary.MaxVarintLen64, rest))); err != nil {
		return 0, 0, err
	}
	length, n := binary.Uvarint(r.buffer[r.next:])
	if n <= 0 || length > maxSpooled || int64(n)+int64(length) > rest {
		return 0, 0, spoolError(errSpool)
	}
	return int(length), n, nil
}

// have reads on until so many bytes are in the buffer.
func (r *spoolReader) have(n int) error {
	if len(r.buffer)-r.next >= n {
		return nil
	}
	kept := copy(r.buffer, r.buffer[r.next:])
	r.base += int64(r.next)
	r.next = 0
	want := int(min(int64(max(n, largeChunk)), r.spool.size-r.base))
	if cap(r.buffer) < want {
		r.buffer = append(make([]byte, 0, want), r.buffer[:kept]...)
	}
	if _, err := r.spool.file.ReadAt(r.buffer[kept:want], r.base+int64(kept)); err != nil && !errors.Is(err, io.EOF) {
		return spoolError(err)
	}
	r.buffer = r.buffer[:want]
	return nil
}

// largeChunk is how much of a spool is read at once.
const largeChunk = 64 << 10

func (r *spoolReader) decode(rec *Record, b []byte) error {
	part, b := uvarint(b)
	line, b := uvarint(b)
	if len(b) == 0 || b == nil {
		return spoolError(errSpool)
	}
	r.part, rec.Start.Line = int(part), int(line)
	kind := b[0]
	b = b[1:]
	if kind != spooledGood {
		var flaw uint64
		if flaw, b = uvarint(b); flaw >= uint64(len(r.spool.flaws)) {
			return spoolError(errSpool)
		}
		rec.Remark = r.spool.flaws[flaw]
	}
	if kind == spooledFault {
		rec.Fault, rec.Remark, rec.Reason = rec.Remark, nil, string(b)
		return nil
	}
	r.values, r.bare = r.values[:0], r.bare[:0]
	for len(b) > 0 {
		var size uint64
		size, b = uvarint(b)
		bare := size&spooledBare != 0
		if size >>= 1; size > uint64(len(b)) {
			return spoolError(errSpool)
		}
		r.values, r.bare = append(r.values, b[:size]), append(r.bare, bare)
		b = b[size:]
	}
	rec.Values, rec.Bare, rec.Clean = r.values, r.bare, true // they were repaired before they were written
	return nil
}

// uvarint reads a number from the front of b. Without a number the result is meaningless.
func uvarint(b []byte) (uint64, []byte) {
	value, n := binary.Uvarint(b)
	if n <= 0 {
		return 1<<64 - 1, nil
	}
	return value, b[n:]
}
