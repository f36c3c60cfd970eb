package ldap

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
)

// A rec is one record of a spool.
type rec struct {
	id, key []byte // the contact's id; the server's own one
	kind    byte
	reason  []byte   // of a rejected record
	values  [][]byte // of the columns
}

// What a record is.
const (
	kindContact = iota
	kindDeleted
	kindRejected
)

func (r *rec) place() place { return place{string(r.id), string(r.key)} }

// A spool holds the records of a run in the order of their places, in memory as long as they are few, else in a temporary file that
// has no name. It is bounded.
type spool struct {
	data  io.ReaderAt
	file  *os.File // nil in memory
	size  int64
	index []indexed // some of the places, ascending

	mu    sync.Mutex
	users int
}

// An indexed place is where in a spool its record begins.
type indexed struct {
	place
	offset int64
}

const (
	chunkSize  = 8 << 20   // of records that are sorted in memory
	indexEvery = 64 << 10  // bytes between two places of an index
	readSize   = 64 << 10  // bytes that are read at once
	maxSpool   = 4 << 30   // the largest spool
	maxRecord  = chunkSize // the longest record
)

// retain counts one more user.
func (s *spool) retain() *spool {
	s.mu.Lock()
	s.users++
	s.mu.Unlock()
	return s
}

// release takes one user, and removes the file with the last one. A nil spool has none.
func (s *spool) release() {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.users--
	last := s.users == 0
	s.mu.Unlock()
	if last && s.file != nil {
		closeTemporary(s.file)
	}
}

// newTemporary makes a file that goes with the process.
func newTemporary() (*os.File, error) {
	file, err := os.CreateTemp("", "contactbridge-ldap-*")
	if err != nil {
		return nil, spoolError(err)
	}
	if runtime.GOOS != "windows" {
		_ = os.Remove(file.Name()) // so that nothing is left of it, however the process ends
	}
	return file, nil
}

func closeTemporary(file *os.File) {
	_ = file.Close() // it is not needed any more
	if runtime.GOOS == "windows" {
		_ = os.Remove(file.Name())
	}
}

func spoolError(err error) error {
	return &bridge.Error{
		Code: bridge.CodeSourceUnavailable, Message: "the temporary file for the entries cannot be used",
		Hint: "Free space in the folder for temporary files, or set TMPDIR to another one.", RetryAfter: time.Minute, Err: err,
	}
}

// after returns a reader of the records after a place; the zero place is the start.
func (s *spool) after(p place) *spoolReader {
	r := &spoolReader{data: s.data, end: s.size}
	if p == (place{}) {
		return r
	}
	i := sort.Search(len(s.index), func(i int) bool { return s.index[i].compare(p) > 0 })
	if i > 0 {
		r.base = s.index[i-1].offset
	}
	r.from = &p
	return r
}

// A spoolReader reads records one after the other.
type spoolReader struct {
	data   io.ReaderAt
	end    int64
	base   int64  // the offset of buffer[0]
	buffer []byte // what was read
	at     int    // the next record in it
	from   *place // only records after it are wanted; nil once one was met
	record rec
}

var errSpool = errors.New("not what was written")

// next returns the next record, or nil at the end. It is valid until the next call.
func (r *spoolReader) next() (*rec, error) {
	for {
		body, err := r.body()
		if err != nil || body == nil {
			return nil, err
		}
		if err := r.record.decode(body); err != nil {
			return nil, err
		}
		if r.from == nil || r.record.place().compare(*r.from) > 0 {
			r.from = nil
			return &r.record, nil
		}
	}
}

// body returns the bytes of the next record; nil at the end.
func (r *spoolReader) body() ([]byte, error) {
	left := r.end - r.base - int64(r.at)
	if left == 0 {
		return nil, nil
	}
	if err := r.have(int(min(left, binary.MaxVarintLen64))); err != nil {
		return nil, err
	}
	size, n := binary.Uvarint(r.buffer[r.at:])
	if n <= 0 || size > maxRecord || int64(size)+int64(n) > left {
		return nil, spoolError(errSpool)
	}
	if err := r.have(n + int(size)); err != nil {
		return nil, err
	}
	body := r.buffer[r.at+n : r.at+n+int(size)]
	r.at += n + int(size)
	return body, nil
}

// have reads on until n bytes are in the buffer.
func (r *spoolReader) have(n int) error {
	if len(r.buffer)-r.at >= n {
		return nil
	}
	rest := r.buffer[r.at:]
	r.base += int64(r.at)
	r.at = 0
	want := int(min(int64(max(n, readSize)), r.end-r.base))
	fresh := make([]byte, want) // what was given out before may still be in use
	kept := copy(fresh, rest)
	if _, err := r.data.ReadAt(fresh[kept:], r.base+int64(kept)); err != nil && !errors.Is(err, io.EOF) {
		return spoolError(err)
	}
	r.buffer = fresh
	return nil
}

func (r *rec) decode(b []byte) error {
	var ok bool
	if r.id, b, ok = cutBytes(b); !ok {
		return spoolError(errSpool)
	}
	if r.key, b, ok = cutBytes(b); !ok || len(b) == 0 {
		return spoolError(errSpool)
	}
	r.kind, b = b[0], b[1:]
	r.reason, r.values = nil, r.values[:0]
	if r.kind == kindRejected {
		r.reason = b
		return nil
	}
	for len(b) > 0 {
		var value []byte
		if value, b, ok = cutBytes(b); !ok {
			return spoolError(errSpool)
		}
		r.values = append(r.values, value)
	}
	return nil
}

// A spoolWriter takes records in any order. Of two with one id the later one counts.
type spoolWriter struct {
	buffer []byte // records that are not sorted yet
	starts []int
	chunks []*chunk
	size   int64
	rows   int
}

// A chunk is a sorted part of what was written.
type chunk struct {
	file *os.File
	size int64
}

// put adds a record.
func (w *spoolWriter) put(r *rec) error {
	size := len(r.id) + len(r.key) + len(r.reason) + 32
	for _, value := range r.values {
		size += len(value) + 5
	}
	if size > maxRecord {
		r = &rec{id: r.id, key: r.key, kind: kindRejected, reason: []byte("the entry is longer than 8 MiB")}
		size = len(r.id) + len(r.key) + 64
	}
	if len(w.buffer)+size > chunkSize {
		if err := w.flush(); err != nil {
			return err
		}
	}
	w.starts = append(w.starts, len(w.buffer))
	w.rows++
	b := append(w.buffer, 0, 0, 0, 0)
	start := len(b)
	b = append(appendText(appendText(b, r.id), r.key), r.kind)
	b = append(b, r.reason...)
	for _, value := range r.values {
		b = appendText(b, value)
	}
	binary.BigEndian.PutUint32(b[start-4:], uint32(len(b)-start))
	w.buffer = b
	return nil
}

// at returns the record that begins at a place of the buffer.
func (w *spoolWriter) at(start int) []byte {
	size := int(binary.BigEndian.Uint32(w.buffer[start:]))
	return w.buffer[start+4 : start+4+size]
}

// sorted returns the records of the buffer in their order, each with its length before it, the last one of each id.
func (w *spoolWriter) sorted() []byte {
	slices.SortStableFunc(w.starts, func(a, b int) int { return compareRecords(w.at(a), w.at(b)) })
	out := make([]byte, 0, len(w.buffer)+8)
	for i, start := range w.starts {
		if i+1 < len(w.starts) && compareRecords(w.at(start), w.at(w.starts[i+1])) == 0 {
			continue
		}
		out = appendText(out, w.at(start))
	}
	return out
}

// compareRecords compares the places of two records.
func compareRecords(a, b []byte) int {
	idA, restA, _ := cutBytes(a)
	idB, restB, _ := cutBytes(b)
	if c := bytes.Compare(idA, idB); c != 0 || len(idA) > 0 {
		return c
	}
	keyA, _, _ := cutBytes(restA)
	keyB, _, _ := cutBytes(restB)
	return bytes.Compare(keyA, keyB)
}

// flush writes the buffer to a file of its own.
func (w *spoolWriter) flush() error {
	if len(w.starts) == 0 {
		return nil
	}
	data := w.sorted()
	w.size += int64(len(data))
	if w.size > maxSpool {
		return &bridge.Error{Code: bridge.CodeSourceBroken, Message: "the entries are longer than 4 GiB together", Hint: "Set filter or base so that fewer entries are read, or map fewer attributes."}
	}
	file, err := newTemporary()
	if err != nil {
		return err
	}
	if _, err := file.Write(data); err != nil {
		closeTemporary(file)
		return spoolError(err)
	}
	w.chunks = append(w.chunks, &chunk{file: file, size: int64(len(data))})
	w.buffer, w.starts = w.buffer[:0], w.starts[:0]
	return nil
}

// discard forgets everything.
func (w *spoolWriter) discard() {
	for _, c := range w.chunks {
		closeTemporary(c.file)
	}
	*w = spoolWriter{}
}

// finish returns the spool of everything that was put, with one user. The writer is empty afterwards.
func (w *spoolWriter) finish() (*spool, error) {
	defer w.discard()
	if len(w.chunks) == 0 {
		data := w.sorted()
		s := &spool{data: bytes.NewReader(data), size: int64(len(data)), users: 1}
		return s, s.makeIndex()
	}
	if err := w.flush(); err != nil {
		return nil, err
	}
	file, err := newTemporary()
	if err != nil {
		return nil, err
	}
	s := &spool{data: file, file: file, users: 1}
	if err := w.merge(s); err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

// makeIndex finds the index of a spool that is in memory.
func (s *spool) makeIndex() error {
	r := s.after(place{})
	last := int64(-indexEvery)
	for {
		offset := r.base + int64(r.at)
		record, err := r.next()
		if err != nil || record == nil {
			return err
		}
		if offset-last >= indexEvery {
			last = offset
			s.index = append(s.index, indexed{record.place(), offset})
		}
	}
}

// merge writes the records of all chunks in their order, of each id that of the last chunk.
func (w *spoolWriter) merge(s *spool) error {
	h := make(heads, 0, len(w.chunks))
	for i, c := range w.chunks {
		h = append(h, &head{reader: &spoolReader{data: c.file, end: c.size}, number: i})
	}
	for i := len(h) - 1; i >= 0; i-- {
		if more, err := h[i].advance(); err != nil {
			return err
		} else if !more {
			h = slices.Delete(h, i, i+1)
		}
	}
	heap.Init(&h)
	out := &mergeWriter{spool: s, last: -indexEvery}
	for len(h) > 0 {
		first := h[0].body
		if err := out.write(first); err != nil {
			return err
		}
		for len(h) > 0 && compareRecords(h[0].body, first) == 0 { // those of earlier chunks too
			more, err := h[0].advance()
			switch {
			case err != nil:
				return err
			case more:
				heap.Fix(&h, 0)
			default:
				heap.Pop(&h)
			}
		}
	}
	return out.flush()
}

// A head is the next record of a chunk.
type head struct {
	reader *spoolReader
	number int
	body   []byte
}

func (h *head) advance() (more bool, err error) {
	h.body, err = h.reader.body()
	return h.body != nil, err
}

// heads are ordered by their records, and of equal ones by the latest chunk.
type heads []*head

func (h heads) Len() int { return len(h) }

func (h heads) Less(i, j int) bool {
	if c := compareRecords(h[i].body, h[j].body); c != 0 {
		return c < 0
	}
	return h[i].number > h[j].number
}

func (h heads) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *heads) Push(x any) { *h = append(*h, x.(*head)) }

func (h *heads) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// A mergeWriter writes a spool's file.
type mergeWriter struct {
	spool  *spool
	buffer []byte
	last   int64 // the offset of the last place in the index
}

func (m *mergeWriter) write(body []byte) error {
	offset := m.spool.size + int64(len(m.buffer))
	if offset-m.last >= indexEvery {
		var r rec
		if err := r.decode(body); err != nil {
			return err
		}
		m.last = offset
		m.spool.index = append(m.spool.index, indexed{r.place(), offset})
	}
	m.buffer = appendText(m.buffer, body)
	if len(m.buffer) >= 4*readSize {
		return m.flush()
	}
	return nil
}

func (m *mergeWriter) flush() error {
	n, err := m.spool.file.Write(m.buffer)
	m.spool.size += int64(n)
	m.buffer = m.buffer[:0]
	if err != nil {
		return spoolError(err)
	}
	return nil
}
